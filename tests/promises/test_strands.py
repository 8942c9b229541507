"""Versions and anchors: which trigger a commitment hangs on, and which version of the promise judges it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.driving import NOON, rows
from tests.promises.conftest import Partition, promise, response

HOUR = timedelta(hours=1)
Make = Callable[..., Partition]


async def judged(lane: Partition) -> list[tuple[str, int, str]]:
    """Each verdict as (trigger, version, judgement)."""
    found = await rows(
        lane.engine, "commitments c JOIN promises p ON p.id = c.promise", "c.trigger_id, p.version, c.state"
    )  # fmt: skip
    return [(trigger, version, state) for trigger, version, state in found]


async def test_a_version_judges_triggers_from_its_start_until_the_next_one_takes_effect(partition: Make, engine: AsyncEngine) -> None:
    await promise(engine, "in-time", {"response": response()})
    await promise(engine, "in-time", {"response": response(within="4 hours")}, NOON)
    await promise(engine, "in-time", {"response": response(within="6 hours")}, NOON + HOUR)
    lane = await partition().start()
    for name, at in (
        ("before", -timedelta(milliseconds=1)),
        ("start", 0 * HOUR),
        ("last", HOUR - timedelta(milliseconds=1)),
        ("next", HOUR),
    ):
        lane.event("placed", NOON + at, NOON + 2 * HOUR, id_=name, data={"order": name})
        lane.event("delivered", NOON + 3 * HOUR, NOON + 3 * HOUR, data={"order": name})
    lane.marker(NOON + 9 * HOUR)
    await lane.deliver()
    assert sorted(await judged(lane)) == sorted([("before", 1, "broken"), ("start", 2, "kept"), ("last", 2, "kept"), ("next", 3, "kept")])


async def test_evidence_counts_for_a_version_that_was_superseded_meanwhile(partition: Make, engine: AsyncEngine) -> None:
    await promise(engine, "in-time", {"response": response()})
    await promise(engine, "in-time", {"response": response()}, NOON + HOUR)
    lane = await partition().start()
    lane.event("placed", NOON, id_="before")
    lane.event("delivered", NOON + 90 * timedelta(minutes=1))
    await lane.deliver()
    assert await judged(lane) == [("before", 1, "kept")]


async def test_a_promise_that_is_published_while_the_line_runs_judges_what_comes_next(partition: Make, engine: AsyncEngine) -> None:
    lane = await partition().start()
    lane.event("placed", id_="before")
    await lane.deliver()
    await promise(engine, "in-time", {"response": response()})
    lane.event("placed", id_="after")
    await lane.deliver()
    assert await judged(lane) == [("after", 1, "on_track")]


async def test_the_first_trigger_in_event_time_anchors_the_commitment_however_late_it_arrives(partition: Make, engine: AsyncEngine) -> None:
    """Breaks if the first that arrives were taken for the first that happened."""
    await promise(engine, "first", {"response": response(open="first")})
    lane = await partition().start()
    lane.event("placed", NOON + 2 * HOUR, id_="later")
    lane.event("delivered", NOON + 3 * HOUR)
    await lane.deliver()
    assert await judged(lane) == [("later", 1, "kept")]
    lane.event("placed", NOON, NOON + 4 * HOUR, id_="earlier")
    lane.event("placed", NOON + HOUR, NOON + 4 * HOUR, id_="between")
    lane.marker(NOON + 9 * HOUR)
    assert await lane.pass_over() == ["opened", "kept", "corrected"]
    assert await judged(lane) == [("earlier", 1, "broken")]


@pytest.mark.parametrize("size", [1, 10])
async def test_the_first_trigger_counts_across_versions(partition: Make, engine: AsyncEngine, size: int) -> None:
    """Breaks if the next version opened the same commitment again: its id is made of promise and correlation."""
    await promise(engine, "first", {"response": response(open="first", within="9 hours")})
    await promise(engine, "first", {"response": response(open="first", within="4 hours")}, NOON + HOUR)
    lane = await partition().start()
    lane.event("placed", NOON, id_="under the first")
    lane.event("placed", NOON + 2 * HOUR, id_="under the second")
    lane.event("delivered", NOON + 8 * HOUR)
    while lane.lane.progress.position < len(lane.log):
        await lane.deliver(size)
    assert await judged(lane) == [("under the first", 1, "kept")]


@pytest.mark.parametrize("size", [1, 10])
async def test_a_first_trigger_that_arrives_late_moves_the_anchor_to_the_version_it_happened_under(
    partition: Make, engine: AsyncEngine, size: int
) -> None:
    await promise(engine, "first", {"response": response(open="first", within="9 hours")})
    await promise(engine, "first", {"response": response(open="first", within="4 hours")}, NOON + HOUR)
    lane = await partition().start()
    lane.event("placed", NOON + 2 * HOUR, id_="under the second")
    lane.event("placed", NOON, NOON + 3 * HOUR, id_="under the first")
    lane.event("delivered", NOON + 8 * HOUR)
    while lane.lane.progress.position < len(lane.log):
        await lane.deliver(size)
    assert await judged(lane) == [("under the first", 1, "kept")]
