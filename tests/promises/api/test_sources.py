"""Sources over HTTP: what is declared, what depends on it, and since when it is silent."""

from typing import Any

import httpx2
import pytest

from tests.driving import NOON
from tests.promises.api.conftest import HOUR, Somebody, body
from tests.promises.api.test_calendars import calendar
from tests.promises.conftest import Partition, response
from tests.serving import said


def source(name: str = "shop", heartbeat: Any = "10 minutes", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "makegood/v1", "kind": "Source", "metadata": {"name": name},
        "spec": {"source": name, "heartbeat": heartbeat} | spec,
    }  # fmt: skip


async def listed(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/v1/sources")).json()["items"]
    return found


async def test_a_source_is_declared_in_versions_and_says_what_depends_on_it(manager: httpx2.AsyncClient, somebody: Somebody) -> None:
    for each in (body("from-anywhere"), body("from-the-till", response=response(when={"type": "placed"}, expect={"type": "paid"}))):
        await manager.post("/v1/promises", json=each)
    sent = [source(), source(), source(types=["deliver*"]), source("till", types=["paid", "refunded"])]
    answers = [await manager.post("/v1/sources", json=each) for each in sent]
    assert [(each.status_code, each.json()["version"]) for each in answers] == [(201, 1), (201, 1), (201, 2), (201, 1)]
    async with somebody("agent") as agent:
        found = await listed(agent)
        assert (await agent.post("/v1/sources", json=source())).status_code == 403
    assert [(each["source"], each["version"], each["types"], each["promises"]) for each in found] == [
        ("shop", 2, ["deliver*"], ["from-anywhere"]), ("till", 1, ["paid", "refunded"], ["from-the-till"]),
    ]  # fmt: skip
    assert {each["silent_since"] for each in found} == {None}


async def test_a_source_that_is_silent_is_listed_with_since_when(manager: httpx2.AsyncClient, begun: Partition) -> None:
    await manager.post("/v1/sources", json=source())
    begun.event("placed", NOON + 4 * HOUR, id_="after it was declared")
    begun.marker(NOON + 5 * HOUR, sources={"shop": NOON + 4 * HOUR})
    begun.event("placed", NOON + 5 * HOUR, id_="one more")
    begun.marker(NOON + 5 * HOUR, sources={"shop": NOON + 4 * HOUR})
    await begun.deliver()
    assert [each["silent_since"] for each in await listed(manager)] == ["2026-03-01T16:10:00Z"]


async def test_a_heartbeat_in_working_time_needs_a_published_calendar(manager: httpx2.AsyncClient) -> None:
    answer = await manager.post("/v1/sources", json=source(heartbeat="2 business hours", calendar="offic"))
    assert "there is no calendar `offic`" in str(said(answer)["errors"])
    await manager.post("/v1/calendars", json=calendar())
    await manager.post("/v1/calendars", json=calendar("theirs", zone="customer"))
    assert (await manager.post("/v1/sources", json=source(heartbeat="2 business hours", calendar="office"))).status_code == 201
    answer = await manager.post("/v1/sources", json=source(heartbeat="2 business hours", calendar="theirs"))
    assert "a source has none" in str(said(answer)["errors"])
    assert [each["calendar"] for each in await listed(manager)] == ["office"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"heartbeat": "soon"}, {"heartbeat": 0}, {"heartbeat": "0 minutes"}, {"heartbeat": "2 business hours"}, {"types": "order.*"},
        {"types": [1]}, {"types": []}, {"source": ""}, {"source": "a\0b"}, {"source": "x" * 513}, {"beat": "1 hour"}, {"calendar": "\0"},
    ],
)  # fmt: skip
async def test_what_is_no_source_is_refused_with_its_place(manager: httpx2.AsyncClient, wrong: dict[str, Any]) -> None:
    answer = await manager.post(
        "/v1/sources", json=source(**wrong) if "source" not in wrong else source() | {"spec": source()["spec"] | wrong}
    )
    assert said(answer)["status"] == 422
    assert "body:" in said(answer)["errors"][0]["detail"]
    assert await listed(manager) == []


async def test_no_text_that_a_document_may_hold_stops_the_line(manager: httpx2.AsyncClient, begun: Partition) -> None:
    """Breaks if a document were read by the database, which takes no NUL in JSON."""
    await manager.post("/v1/sources", json=source() | {"metadata": {"name": "shop", "labels": {"a": "\0"}}})
    begun.event("placed", NOON + 5 * HOUR, id_="after")
    assert (await begun.pass_over())[-1] == "opened"
