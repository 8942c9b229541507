"""Calendars over HTTP, and the promises that are judged by them."""

from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.promises.catalogue import Published
from services.promises.store import reads
from tests.driving import NOON
from tests.promises.api.conftest import HOUR, body
from tests.promises.conftest import ANA, Partition, response
from tests.serving import said

WEEK = {"mon-fri": ["09:00-17:00"]}


def calendar(name: str = "office", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "makegood/v1",
        "kind": "Calendar",
        "metadata": {"name": name},
        "spec": {"zone": "Europe/Madrid", "week": WEEK} | spec,
    }


def in_business(name: str = "in-time", calendar: str = "office", within: str = "10 business hours", **spec: Any) -> dict[str, Any]:
    return body(name, calendar=calendar, response=response(within=within), **spec)


async def versions(client: httpx2.AsyncClient, name: str = "in-time") -> list[tuple[int, str, int | None]]:
    items = (await client.get(f"/v1/promises/{name}")).json()["items"]
    return [(each["version"], each["state"], each["calendar"] and each["calendar"]["version"]) for each in items]


async def reach(lane: Partition, hours: int) -> None:
    lane.marker(NOON + hours * HOUR)
    await lane.deliver()
    await lane.save()


async def test_a_calendar_is_published_in_versions(manager: httpx2.AsyncClient, begun: Partition) -> None:
    answers = [await manager.post("/v1/calendars", json=each) for each in (calendar(), calendar(), calendar(week={"mon": ["09:00-12:00"]}))]
    assert [(each.status_code, each.json()["version"]) for each in answers] == [(201, 1), (201, 1), (201, 2)]
    assert answers[0].json()["effective_from"] == "2026-03-01T16:05:00Z"
    items = (await manager.get("/v1/calendars/office")).json()["items"]
    assert [(each["version"], each["state"]) for each in items] == [(1, "superseded"), (2, "scheduled")]
    assert (await manager.get("/v1/calendars")).json()["items"] == items
    assert (await manager.get("/v1/calendars/other")).status_code == 404


async def test_what_is_published_holds_the_holidays_that_it_was_published_with(manager: httpx2.AsyncClient) -> None:
    """Breaks if an upgrade of the holiday data could move what is due under an old version."""
    await manager.post("/v1/calendars", json=calendar(holidays={"country": "ES"}))
    (found,) = (await manager.get("/v1/calendars")).json()["items"]
    assert found["document"]["spec"]["holidays"]["days"]["2026-01-06"]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        body(),
        calendar(zone="Europe/Atlantis"),
        calendar(week={"mon": ["25:00-26:00"]}),
        calendar(ics="holidays.ics"),
        calendar(nonsense=1),
    ],
)
async def test_what_is_no_calendar_is_refused(manager: httpx2.AsyncClient, wrong: dict[str, Any]) -> None:
    assert said(await manager.post("/v1/calendars", json=wrong))["status"] == 422
    assert (await manager.get("/v1/calendars")).json() == {"items": []}


async def test_a_promise_that_names_an_unknown_calendar_is_refused_with_what_would_be_right(manager: httpx2.AsyncClient) -> None:
    await manager.post("/v1/calendars", json=calendar())
    answer = await manager.post("/v1/promises", json=in_business(calendar="ofice"))
    assert answer.status_code == 422
    assert "did you mean `office`?" in str(said(answer)["errors"])


async def test_a_promise_is_judged_by_its_calendar(manager: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    await manager.post("/v1/calendars", json=calendar())
    assert (await manager.post("/v1/promises", json=in_business())).status_code == 201
    ((compiled),) = Published(await reads.read_versions(engine)).by_id.values()
    assert compiled.terms.time.calendar is not None
    assert compiled.terms.time.calendar.versions.calendar == "office"
    assert await versions(manager) == [(1, "in_force", 1)]
    (found,) = (await manager.get("/v1/performance")).json()["items"]
    assert found["commitments"] == 0


async def test_a_new_version_of_a_calendar_makes_one_of_each_promise_that_names_it(manager: httpx2.AsyncClient, begun: Partition) -> None:
    """Breaks if a calendar that is put right moved deadlines that were given before, or none at all."""
    await manager.post("/v1/calendars", json=calendar())
    for document in (in_business("opened"), body("elapsed")):
        await manager.post("/v1/promises", json=document)
    await reach(begun, 5)
    assert (await manager.post("/v1/calendars", json=calendar(week={"mon": ["09:00-12:00"]}))).status_code == 201
    assert await versions(manager, "opened") == [(1, "in_force", 1), (2, "scheduled", 2)]
    assert await versions(manager, "elapsed") == [(1, "in_force", None)]
    await reach(begun, 6)
    assert await versions(manager, "opened") == [(1, "superseded", 1), (2, "in_force", 2)]
    again = await manager.post("/v1/promises", json=in_business("opened"))
    assert again.json()["version"] == 2


async def test_what_was_to_follow_still_follows_under_the_new_calendar(manager: httpx2.AsyncClient, begun: Partition) -> None:
    """Breaks if putting a calendar right called off a version, or a retirement, that was to come."""
    await manager.post("/v1/calendars", json=calendar())
    await manager.post("/v1/promises", json=in_business())
    await manager.post("/v1/promises", json=in_business(grace="1 hour") | {"metadata": {
        "name": "in-time", "owner": "shop", "effective_from": "2026-03-10T00:00:00Z"}})  # fmt: skip
    await manager.post("/v1/promises/in-time/retirement", json={"effective_from": "2026-04-01T00:00:00Z"})
    await reach(begun, 5)
    await manager.post("/v1/calendars", json=calendar(week={"mon": ["09:00-12:00"]}))
    alive = [each for each in await versions(manager) if each[1] != "superseded"]
    assert [(state, pinned) for _, state, pinned in alive] == [("in_force", 1), ("scheduled", 2), ("scheduled", 2)]
    items = (await manager.get("/v1/promises/in-time")).json()["items"]
    assert [(each["effective_from"], each["ends_at"]) for each in items if each["state"] == "scheduled"] == [
        ("2026-03-01T17:05:00Z", "2026-03-10T00:00:00Z"), ("2026-03-10T00:00:00Z", "2026-04-01T00:00:00Z"),
    ]  # fmt: skip
    await reach(begun, 24 * 40)
    assert (await versions(manager))[-1][1] == "retired"


async def test_a_term_is_counted_by_the_promise_s_calendar(manager: httpx2.AsyncClient) -> None:
    await manager.post("/v1/calendars", json=calendar())
    await manager.post("/v1/promises", json=in_business("opened"))
    await manager.post("/v1/promises", json=body("elapsed"))
    for name, status in (("opened", 201), ("elapsed", 422)):
        sent = {"customer": str(ANA), "within": "2 business days"}
        answer = await manager.post(f"/v1/promises/{name}/terms", json=sent, headers={"idempotency-key": name})
        assert answer.status_code == status, answer.text


async def test_working_hours_are_told_stretch_by_stretch_without_what_a_closure_takes(manager: httpx2.AsyncClient) -> None:
    closed = {"from": "2026-03-02T10:00", "until": "2026-03-02T11:00"}
    await manager.post("/v1/calendars", json=calendar(week={"mon": ["09:00-12:00"]}, closures=[closed]))
    span = {"start": "2026-03-02T09:30:00+01:00", "end": "2026-03-10T00:00:00Z"}
    found = (await manager.get("/v1/calendars/office/hours", params=span)).json()
    assert (found["calendar"], found["version"], found["zone"]) == ("office", 1, "Europe/Madrid")
    told = [(each["start"], each["end"]) for each in found["items"]]
    assert told == [
        ("2026-03-02T08:30:00Z", "2026-03-02T09:00:00Z"), ("2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z"),
        ("2026-03-09T08:00:00Z", "2026-03-09T11:00:00Z"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "span", "status"),
    [
        ("other", ("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"), 404),
        ("office", ("2026-03-03T00:00:00Z", "2026-03-02T00:00:00Z"), 422),
        ("office", ("2026-03-03T00:00:00Z", "2028-03-02T00:00:00Z"), 422),
        ("office", ("2026-03-03T00:00:00", "2026-03-04T00:00:00"), 422),
        ("office", ("2090-03-03T00:00:00Z", "2090-03-04T00:00:00Z"), 422),
    ],
)
async def test_hours_that_cannot_be_told_are_refused(manager: httpx2.AsyncClient, name: str, span: tuple[str, str], status: int) -> None:
    await manager.post("/v1/calendars", json=calendar())
    answer = await manager.get(f"/v1/calendars/{name}/hours", params=dict(zip(("start", "end"), span, strict=True)))
    assert said(answer)["status"] == status
