"""History that is filled in is judged once all of it is there, and what it opens says so."""

from collections.abc import Callable
from datetime import timedelta
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
