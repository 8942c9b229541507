"""History that is filled in is judged once all of it is there, and what it opens says so."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.promises import CommitmentFact
from services.promises.rebuild import Rebuild
from services.recovery.facts import read
from tests.driving import NOON
from tests.promises.conftest import SLOW, Partition, outbox, promise, response
from tests.promises.test_held import refuse, settle

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LONG_AGO = NOON - timedelta(days=400)
RECORD = f"touchpoints/0/{UUID(int=77)}"


@pytest.fixture
async def lane(partition: Callable[..., Partition], engine: AsyncEngine) -> Partition:
    """A year-old order comes in, and the start of the history that it belongs to."""
    await promise(engine, "in-time", {"response": response()})
    lane = await partition().start()
    refuse(lane, NOON, RECORD)
    lane.event("placed", LONG_AGO, NOON, backfill="b")
    lane.marker(NOON + MINUTE)
    return lane


async def test_nothing_is_broken_for_want_of_what_comes_later_in_the_same_history(lane: Partition) -> None:
    assert await lane.pass_over() == ["opened", "held"]
    lane.event("delivered", LONG_AGO + HOUR, NOON + 2 * MINUTE, backfill="b")
    assert await lane.pass_over() == ["opened", "held", "kept"]


async def test_what_is_broken_is_said_behind_its_end_and_is_nobodys_case(lane: Partition, engine: AsyncEngine) -> None:
    """Breaks if a company that brings in last year's history opened a case for each of last year's failures."""
    settle(lane, NOON, NOON + 10 * MINUTE, "complete", RECORD)
    lane.marker(NOON + 10 * MINUTE)
    assert await lane.pass_over() == ["opened", "held"]
    lane.marker(NOON + 20 * MINUTE)
    assert await lane.pass_over() == ["opened", "held", "broken"]
    facts = await lane.facts()
    assert [CommitmentFact.model_validate(each["data"]).backfill for each in facts] == [True, True, True]
    assert [read(body).backfilled for _, body in await outbox(engine)] == [True, True, True]


async def test_what_happens_now_is_a_case_even_where_history_came_in(lane: Partition) -> None:
    lane.event("placed", NOON, NOON, id_="now", data={"order": "o2"})
    settle(lane, NOON, NOON + 10 * MINUTE, "complete", RECORD)
    for minutes in (10, 300):
        lane.marker(NOON + minutes * MINUTE)
        await lane.deliver()
    broken = [each["data"] for each in await lane.facts() if each["type"].endswith("broken")]
    assert sorted((each["trigger"]["id"] == "now", each.get("backfill", False)) for each in broken) == [(False, True), (True, False)]


async def test_rows_of_history_are_made_again_as_they_are(lane: Partition, engine: AsyncEngine) -> None:
    settle(lane, NOON, NOON + 10 * MINUTE, "complete", RECORD)
    for minutes in (10, 30):
        lane.marker(NOON + minutes * MINUTE)
        await lane.deliver()
    assert (await lane.told())[-1] == "broken"
    assert SLOW not in lane.seqs
    assert [each async for each in Rebuild(engine, 0).run(check=True)] == []


STANDING: dict[str, dict[str, Any]] = {
    "limit": {"event": {"type": "called"}, "at_most": 1, "correlate": "data.order"},
    "absence": {"when": {"type": "placed"}, "never": {"type": "called"}, "correlate": "data.order", "open": "first"},
}


@pytest.mark.parametrize("pattern", STANDING)
@pytest.mark.parametrize("live", [True, False])
async def test_what_fails_today_is_a_case_though_what_was_promised_began_in_history(
    *, pattern: str, live: bool, partition: Callable[..., Partition], engine: AsyncEngine
) -> None:
    """Breaks if a customer of many years, whose history was brought in, could never again be failed by a standing promise."""
    await promise(engine, "never-again", {pattern: STANDING[pattern]})
    lane = await partition().start()
    lane.event("called" if pattern == "limit" else "placed", LONG_AGO, NOON, id_="long ago", backfill="b")
    lane.marker(NOON + MINUTE)
    how: dict[str, Any] = {} if live else {"backfill": "b"}
    lane.event("called", NOON + HOUR if live else LONG_AGO + HOUR, NOON + HOUR, id_="again", **how)
    lane.marker(NOON + 2 * HOUR)
    assert (await lane.pass_over())[-1] == "broken"
    assert [read(body).backfilled for _, body in await outbox(engine)][-1] is not live
    assert [each async for each in Rebuild(engine, 0).run(check=True)] == []


@pytest.mark.parametrize("live", [True, False])
async def test_a_promise_that_history_brought_in_before_it_was_due_is_a_case_when_its_time_passes(
    *, live: bool, partition: Callable[..., Partition], engine: AsyncEngine
) -> None:
    """Breaks if what was on its way while a system was taken over were owed to nobody."""
    await promise(engine, "in-time", {"response": response()})
    lane = await partition().start()
    lane.event("placed", NOON - (HOUR if live else 3 * HOUR), NOON, backfill="b")
    for minutes in (1, 300):
        lane.marker(NOON + minutes * MINUTE)
    assert (await lane.pass_over())[-1] == "broken"
    assert [read(body).backfilled for _, body in await outbox(engine)] == [True, not live]


async def test_history_that_moves_where_a_limit_began_takes_no_failure_of_today_away(
    partition: Callable[..., Partition], engine: AsyncEngine
) -> None:
    """Breaks if bringing in what came before a live commitment made all of it history."""
    await promise(engine, "seldom", {"limit": STANDING["limit"] | {"at_most": 2}})
    lane = await partition().start()
    lane.event("called", NOON, NOON, id_="first")
    lane.event("called", LONG_AGO, NOON + MINUTE, id_="before", backfill="b")
    lane.event("called", NOON + HOUR, NOON + HOUR, id_="third")
    lane.marker(NOON + 2 * HOUR)
    assert (await lane.pass_over())[-1] == "broken"
    assert [read(body).backfilled for _, body in await outbox(engine)] == [False, False]
