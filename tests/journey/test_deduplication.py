"""One event, one effect: within a batch, across batches, and in two lanes at the same moment."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.driving import NOON, holding, rows, touchpoint
from tests.journey.conftest import Raw


async def test_repeats_within_a_batch_and_across_batches_are_counted_and_not_applied(raw: Callable[..., Raw]) -> None:
    lane = await raw().start()
    for _ in range(3):
        lane.add(touchpoint("e1", subject="crm:1"))
    await lane.deliver(2)
    await lane.deliver()
    assert lane.counts() == {"applied": 1, "duplicate": 2, "conflict": 0}
    assert len(await lane.journal()) == 1


async def test_the_same_event_in_two_lanes_at_once_has_one_effect(raw: Callable[..., Raw], engine: AsyncEngine) -> None:
    """Breaks if two transactions that have not seen each other both journal the event."""
    lanes = [await raw(0).start(), await raw(1).start()]
    for lane in lanes:
        for number in range(50):
            lane.add(touchpoint(f"e{number}", subject=f"crm:{number}"))
    async with holding(engine, "journal", 2):
        both = asyncio.gather(*(lane.deliver() for lane in lanes))
    await both
    assert sorted(lane.counts().get("applied", 0) for lane in lanes) == [0, 50]
    assert sum(lane.counts().get("duplicate", 0) for lane in lanes) == 50
    assert len(await rows(engine, "journal")) == 50


async def test_the_same_id_with_other_content_is_a_conflict_and_the_first_wins(raw: Callable[..., Raw]) -> None:
    lane = await raw().start()
    lane.add(touchpoint("e1", subject="crm:1", data={"total": 1}))
    lane.add(touchpoint("e1", subject="crm:1", data={"total": 2}))
    await lane.deliver()
    lane.add(touchpoint("e1", subject="crm:1", data={"total": 3}))
    await lane.deliver()
    assert lane.counts() == {"applied": 1, "conflict": 2, "duplicate": 0}
    assert [each["data"] for each in await lane.journal()] == [{"total": 1}]


async def test_a_repeat_that_arrives_after_midnight_is_still_a_repeat(raw: Callable[..., Raw]) -> None:
    """Breaks if what was seen were kept by the day of arrival."""
    lane = await raw().start()
    lane.add(touchpoint("e1", subject="crm:1"), arrival=NOON)
    lane.add(touchpoint("e1", subject="crm:1"), arrival=NOON + timedelta(hours=13))
    await lane.deliver(1)
    await lane.deliver()
    assert lane.counts()["duplicate"] == 1


async def test_the_same_id_from_another_source_is_another_event(raw: Callable[..., Raw]) -> None:
    lane = await raw().start()
    lane.add(touchpoint("e1", subject="crm:1"))
    lane.add(touchpoint("e1", subject="crm:1", source="till"))
    await lane.deliver()
    assert lane.counts()["applied"] == 2
