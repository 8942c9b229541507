"""The list of what was taken in: everything once, in the order of each lane, whatever comes while it is paged through."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Relay
from services.journey import api
from services.journey.settings import JourneySettings
from services.journey.store import received
from tests.driving import NOON, Raw, clear, touchpoint
from tests.journey.conftest import TABLES
from tests.journey.identities import say, trust
from tests.serving import bearer, in_front_of, said, trusting

PATH = "/v1/touchpoints"


@pytest.fixture
async def app(settings: JourneySettings, engine: AsyncEngine, tmp_path: Path) -> FastAPI:
    own = trusting(settings, tmp_path)
    return api.build(own, engine, Relay(own))


@pytest.fixture
async def auditor(app: FastAPI, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(app, bearer(tmp_path, "auditor")) as client:
        yield client


async def all_of(client: httpx2.AsyncClient, meanwhile: Callable[[], Any] | None = None, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = (await client.get(PATH, params=asked)).raise_for_status().json()
        found += page["items"]
        if page["next"] is None:
            return found
        asked["cursor"] = page["next"]
        if meanwhile is not None:
            await meanwhile()


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    sent=some.lists(some.tuples(some.integers(0, 1), some.integers(0, 30)), min_size=1, max_size=30), limit=some.integers(1, 7),
    step=some.integers(1, 5), order=some.sampled_from(["oldest", "newest"]), later=some.integers(0, 1),
)  # fmt: skip
async def test_every_touchpoint_is_listed_once_however_many_come_between_two_pages(
    sent: list[tuple[int, int]], limit: int, step: int, order: str, later: int,
    raw: Callable[..., Raw], engine: AsyncEngine, auditor: httpx2.AsyncClient,
) -> None:  # fmt: skip
    """Breaks if a page begins by a time, of which several lanes and released records have the same, or beyond what a lane still held."""
    await clear(engine, *TABLES)
    lanes = [await raw(each).start() for each in range(2)]
    for number, (lane, minute) in enumerate(sent):
        lanes[lane].add(touchpoint(f"e{number}", subject=f"crm:{number % 3}"), arrival=NOON + timedelta(minutes=minute))
    for each in lanes:
        await each.deliver()
    come: list[str] = []

    async def meanwhile() -> None:
        if len(come) == len(sent):  # pages of one would never come to an end
            return
        come.append(f"n{len(come)}")
        lanes[later].add(touchpoint(come[-1], subject="crm:new"), arrival=NOON + timedelta(hours=1))
        await lanes[later].deliver()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(received, "AT_ONCE", step)
        found = await all_of(auditor, meanwhile if len(sent) > limit else None, order=order, limit=limit)
        again = await all_of(auditor, order=order, limit=limit)
    ids = [each["id"] for each in found]
    before = {f"e{number}" for number in range(len(sent))}
    assert len(ids) == len(set(ids))
    assert set(ids) - set(come) == before
    assert order == "newest" or ids[len(before) :] == come[: len(ids) - len(before)]
    assert order == "oldest" or set(ids) == before, "what came later stands before the newest"
    arrivals = [each["arrival"] for each in again]
    assert arrivals == sorted(arrivals, reverse=order == "newest")


async def test_filters_let_through_what_they_name_and_a_page_looks_no_further_than_it_may(
    raw: Callable[..., Raw], auditor: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if a filter that fits little reads the whole journal for one page, or ends the list where it paused."""
    monkeypatch.setattr(received, "AT_ONCE", 4)
    monkeypatch.setattr(received, "MOST", 10)
    lane = await raw().start()
    for number in range(40):
        source, type_ = ("till", "order.paid") if number % 20 == 19 else ("shop", "order.placed")
        lane.add(touchpoint(f"e{number}", type_, source=source, subject="crm:1"), arrival=NOON + timedelta(minutes=number))
    await lane.deliver()
    first = (await auditor.get(PATH, params={"source": "till", "order": "oldest"})).json()
    assert first["items"] == []
    assert first["next"] is not None
    asked: dict[str, Any]
    for asked in ({"source": "till"}, {"type": "*.paid"}, {"type": "order.paid", "source": ["till", "x"]}):
        assert [each["id"] for each in await all_of(auditor, order="oldest", **asked)] == ["e19", "e39"]
    since, until = ((NOON + timedelta(minutes=minute)).isoformat() for minute in (7, 9))
    assert [each["id"] for each in await all_of(auditor, arrived_from=since, arrived_to=until)] == ["e8", "e7"]
    asked = {"from": (NOON + timedelta(minutes=1)).isoformat()}
    assert await all_of(auditor, **asked) == []


async def test_evidence_that_was_lent_is_not_listed_a_second_time(
    raw: Callable[..., Raw], engine: AsyncEngine, auditor: httpx2.AsyncClient
) -> None:
    await trust(engine)
    lane = await raw().start()
    for value in (touchpoint("a", subject="crm:1"), touchpoint("b", subject="card:1"), say("s", "linked", "crm:1", "card:1")):
        lane.add(value)
    await lane.deliver()
    assert [each["id"] for each in await all_of(auditor, order="oldest")] == ["a", "b", "s"]


async def test_what_is_discreet_is_listed_to_whom_it_names_alone(raw: Callable[..., Raw], app: FastAPI, tmp_path: Path) -> None:
    """Breaks if the list of all shows what a customer's own timeline does not."""
    lane = await raw().start()
    data = {"need": "n", "kind": "latent", "sure": 1, "by": "mia", "discretion": "person"}
    lane.add(touchpoint("n", "customer.need.observed", subject="crm:1", data=data))
    await lane.deliver()
    for who, expected in (("mia", 1), ("ana", 0)):
        async with in_front_of(app, bearer(tmp_path, "manager", subject=who)) as client:
            assert len(await all_of(client)) == expected


async def test_a_cursor_of_the_other_order_is_refused_with_what_to_do(raw: Callable[..., Raw], auditor: httpx2.AsyncClient) -> None:
    lane = await raw().start()
    for number in range(3):
        lane.add(touchpoint(f"e{number}", subject="crm:1"))
    await lane.deliver()
    cursor = (await auditor.get(PATH, params={"limit": 1})).json()["next"]
    problem = said(await auditor.get(PATH, params={"limit": 1, "cursor": cursor, "order": "oldest"}))
    assert (problem["status"], problem["type"].rpartition(":")[2]) == (400, "malformed-cursor")
    assert "without a cursor" in problem["detail"]


async def test_whoever_serves_one_customer_does_not_see_all(app: FastAPI, tmp_path: Path) -> None:
    async with in_front_of(app, bearer(tmp_path, "agent")) as client:
        assert (await client.get(PATH)).status_code == 403
