"""Negotiated terms over HTTP, and as the handlers read them."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx2
import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import transaction
from services.promises import language, negotiated
from services.promises.store.terms import terms_of, terms_revision
from tests.driving import NOON
from tests.promises.api.conftest import HOUR, body
from tests.promises.conftest import ANA, Partition
from tests.serving import said

ROOT: Final = Path(__file__).parents[3]
PATH = "/v1/promises/in-time/terms"


async def agree(client: httpx2.AsyncClient, key: str, within: str = "4 hours", customer: UUID = ANA, **others: Any) -> httpx2.Response:
    sent = {"customer": str(customer), "within": within} | others
    return await client.post(PATH, json=sent, headers={"idempotency-key": key})


async def listed(client: httpx2.AsyncClient, **wanted: Any) -> list[tuple[str, str]]:
    found = (await client.get(PATH, params=wanted)).json()["items"]
    return [(each["within"], each["state"]) for each in found]


async def test_a_term_takes_effect_when_everybody_can_know_it(manager: httpx2.AsyncClient, begun: Partition) -> None:
    answer = await agree(manager, "a")
    assert (answer.status_code, answer.json()["valid_from"], answer.json()["state"]) == (201, "2026-03-01T16:05:00Z", "scheduled")
    early = await agree(manager, "b", valid_from="2026-03-01T16:04:00Z")
    assert said(early)["type"] == "urn:makegood:problem:takes-effect-too-early"


async def test_the_same_request_again_is_the_same_term_and_another_under_its_key_is_refused(
    manager: httpx2.AsyncClient, begun: Partition
) -> None:
    first, second = await agree(manager, "a"), await agree(manager, "a")
    begun.marker(NOON + 9 * HOUR)
    await begun.deliver()
    await begun.save()
    third = await agree(manager, "a")
    assert first.json()["id"] == second.json()["id"] == third.json()["id"]
    assert said(await agree(manager, "a", "5 hours"))["type"] == "urn:makegood:problem:idempotency-key-reused"
    assert said(await manager.post(PATH, json={"customer": str(ANA), "within": "4 hours"}))["status"] == 400


async def test_a_newer_term_supersedes_and_nothing_is_edited(manager: httpx2.AsyncClient, begun: Partition) -> None:
    await agree(manager, "a")
    await agree(manager, "b", "3 hours", valid_from="2026-04-01T00:00:00Z", valid_until="2026-05-01T00:00:00Z")
    await agree(manager, "c", "1 hour", UUID(int=99))
    assert await listed(manager) == [("4 hours", "scheduled"), ("3 hours", "scheduled"), ("1 hour", "scheduled")]
    begun.marker(NOON.replace(month=4, day=2))
    await begun.deliver()
    await begun.save()
    assert await listed(manager, customer=str(ANA)) == [("4 hours", "superseded"), ("3 hours", "in_force")]
    first = (await manager.get(PATH, params={"limit": 1})).json()
    assert first["items"][0]["ends_at"] == "2026-04-01T00:00:00Z"
    rest = (await manager.get(PATH, params={"limit": 5, "cursor": first["next"]})).json()
    assert ([each["within"] for each in rest["items"]], rest["next"]) == (["3 hours", "1 hour"], None)


async def test_a_term_is_ended_once_and_only_while_it_is_the_latest(manager: httpx2.AsyncClient, begun: Partition) -> None:
    first = (await agree(manager, "a")).json()["id"]
    second = (await agree(manager, "b", "3 hours")).json()["id"]
    for id_, key, status in ((first, "e1", 409), (second, "e2", 201), (second, "e2", 201), (second, "e3", 409), (777, "e4", 404)):
        answer = await manager.post(f"{PATH}/{id_}/end", json={}, headers={"idempotency-key": key})
        assert answer.status_code == status, (id_, key)
    begun.marker(NOON + 9 * HOUR)
    await begun.deliver()
    await begun.save()
    assert await listed(manager) == [("4 hours", "superseded"), ("3 hours", "ended"), (None, "in_force")]


async def test_what_the_handlers_read_is_what_was_agreed(manager: httpx2.AsyncClient, begun: Partition, engine: AsyncEngine) -> None:
    async with transaction(engine, text("SELECT 1"), {}) as tx:
        assert (await terms_revision(tx), await terms_of(tx, [ANA])) == (0, {})
    await agree(manager, "a")
    await agree(manager, "b", "1 hour", UUID(int=99))
    async with transaction(engine, text("SELECT 1"), {}) as tx:
        assert await terms_revision(tx) > 0
        found = await terms_of(tx, [ANA, UUID(int=5)])
    assert list(found) == [ANA]
    assert negotiated.within_at(found[ANA], "in-time", NOON + 5 * HOUR) == "4 hours"
    assert negotiated.within_at(found[ANA], "in-time", NOON) is None


@pytest.mark.parametrize(
    "wrong",
    [{"within": "a while"}, {"within": ""}, {"within": "\0"}, {"customer": "ana"}, {"valid_from": "2026-03-01"},
     {"valid_from": "0001-01-01T00:00:00Z"}, {"valid_from": "2026-05-01T00:00:00Z", "valid_until": "2026-05-01T00:00:00Z"},
     {"valid_until": "2026-03-01T16:01:00Z"}, {"nonsense": 1}],
)  # fmt: skip
async def test_what_is_no_term_is_refused(manager: httpx2.AsyncClient, begun: Partition, wrong: dict[str, Any]) -> None:
    sent = {"customer": str(ANA), "within": "4 hours"} | wrong
    assert said(await manager.post(PATH, json=sent, headers={"idempotency-key": "k"}))["status"] == 422
    assert await listed(manager) == []


async def test_only_a_promise_with_a_duration_is_negotiable(manager: httpx2.AsyncClient) -> None:
    must = {"event": {"type": "placed"}, "must": {"data.order": "o1"}}
    await manager.post("/v1/promises", json=body("exact", response=None, conformance=must))
    sent = {"customer": str(ANA), "within": "4 hours"}
    refused = await manager.post("/v1/promises/exact/terms", json=sent, headers={"idempotency-key": "k"})
    assert said(refused)["type"] == "urn:makegood:problem:not-negotiable"
    assert (await manager.post("/v1/promises/none/terms", json=sent, headers={"idempotency-key": "k"})).status_code == 404
    assert (await manager.get("/v1/promises/none/terms")).status_code == 404


async def test_the_example_of_the_page_comes_to_what_it_says(manager: httpx2.AsyncClient, partition: Callable[..., Partition]) -> None:
    """Breaks if a target beat what was negotiated, or if the page showed a request that is refused."""
    (promise_,) = language.read((ROOT / "docs/examples/targets.yaml").read_text(), "targets.yaml")
    section = (ROOT / "docs/promises.md").read_text().partition("### `terms`")[2]
    asked, row = orjson.loads(section.split("```json")[1].split("```")[0]), section.partition("| `t1` |")[2].split("|")
    await manager.post("/v1/promises", json=promise_.raw)
    answer = await manager.post(f"/v1/promises/{promise_.name}/terms", json=asked, headers={"idempotency-key": "page"})
    assert answer.status_code == 201, answer.text
    lane, opened = await partition().start(), NOON.replace(day=2, hour=9)
    ticket = {"ticket": "t1", "priority": "P1"}
    lane.event("ticket.opened", opened, data=ticket, customer=UUID(asked["customer"]))
    lane.event("ticket.solved", opened + 3 * HOUR, data=ticket, customer=UUID(asked["customer"]))
    lane.marker(opened + 9 * HOUR)
    await lane.deliver()
    ((found),) = (await manager.get("/v1/commitments")).json()["items"]
    due = datetime.fromisoformat(found["due"])
    assert (f"{due:%m-%d %H:%M}", found["judgement"]) == (row[1].strip(), row[2].strip())
