"""When the due time of what is still owed moves, that is said: whoever reads the facts alone knows when it is due."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.journey.timeline.ahead import standing
from services.journey.timeline.said import Row, latest, note
from tests.driving import NOON, clear, rows
from tests.promises.conftest import TABLES, Partition, outbox, promise, response
from tests.promises.test_handlers_properties import MEMORIES, logs, publish, write
from tests.promises.test_rebuild import rebuild

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DUE = NOON + 2 * HOUR
Make = Callable[..., Partition]
PAUSES = {"pause": {"type": "paused"}, "resume": {"type": "resumed"}}


async def said(lane: Partition) -> list[tuple[str, str, datetime | None]]:
    """What was said in all: the word, the judgement, and when it is due."""
    await lane.deliver()
    found = []
    for each in await lane.facts():
        due = each["data"]["due"]
        word = each["type"].removeprefix("makegood.commitment.")
        found.append((word, each["data"]["judgement"], None if due is None else datetime.fromisoformat(due)))
    return found


async def test_a_clock_that_stands_still_and_goes_on_is_said_with_the_new_due_time(partition: Make, engine: AsyncEngine) -> None:
    await promise(engine, "in-time", {"response": response()} | PAUSES)
    lane = await partition().start()
    lane.event("placed")
    lane.event("paused", NOON + HOUR)
    lane.event("resumed", NOON + 4 * HOUR)
    lane.marker(NOON + 4 * HOUR)
    assert await said(lane) == [
        ("opened", "on_track", DUE), ("moved", "paused", None), ("moved", "on_track", DUE + 3 * HOUR),
    ]  # fmt: skip
    assert await rebuild(engine, check=True) == []
    lane.marker(DUE + 3 * HOUR)
    assert (await said(lane))[-1] == ("broken", "broken", DUE + 3 * HOUR)
    ids = [each["id"] for each in await lane.facts()]
    assert len(set(ids)) == len(ids)


async def test_a_change_of_target_moves_it_and_one_that_changes_nothing_does_not(partition: Make, engine: AsyncEngine) -> None:
    targets = {"targets": [{"where": {"data.priority": 1}, "within": "30 minutes"}], "escalate_target": {"type": "urgent"}}
    await promise(engine, "in-time", {"response": response()} | targets)
    lane = await partition().start()
    lane.event("placed", data={"priority": 2})
    lane.event("urgent", NOON + 5 * MINUTE, data={"priority": 2})
    lane.event("urgent", NOON + 10 * MINUTE, data={"priority": 1})
    lane.event("urgent", NOON + 15 * MINUTE, data={"priority": 1})
    assert await said(lane) == [("opened", "on_track", DUE), ("moved", "on_track", NOON + 30 * MINUTE)]


async def test_a_reset_opens_another_and_moves_none(partition: Make, engine: AsyncEngine) -> None:
    await promise(engine, "anew", {"response": response(), "reset": {"type": "again"}})
    lane = await partition().start()
    lane.event("placed")
    lane.event("again", NOON + HOUR)
    assert [each[::2] for each in await said(lane)] == [("opened", DUE), ("opened", DUE + HOUR), ("withdrawn", DUE)]


async def test_an_earlier_trigger_that_arrives_late_moves_what_is_still_owed(partition: Make, engine: AsyncEngine) -> None:
    await promise(engine, "first", {"response": response(open="first")})
    lane = await partition().start()
    lane.event("placed", NOON + HOUR)
    lane.event("placed", NOON, NOON + HOUR)
    assert await said(lane) == [("opened", "on_track", DUE + HOUR), ("moved", "on_track", DUE)]
    assert await rebuild(engine, check=True) == []


async def test_a_failure_whose_verdict_waits_out_its_grace_is_said_to_fall_due_then(partition: Make, engine: AsyncEngine) -> None:
    """With no grace the verdict comes in a moment, and the move would only be said twice."""
    failure = {"response": response(), "broken_by": {"type": "failed"}, "excuse": {"type": "flood"}}
    await promise(engine, "at-once", failure)
    await promise(engine, "in-doubt", failure | {"grace": "1 hour"})
    lane = await partition().start()
    lane.event("placed")
    lane.event("failed", NOON + HOUR)
    lane.event("flood", NOON + HOUR)
    lane.marker(NOON + HOUR)
    assert sorted((await said(lane))[2:]) == [("excused", "excused", NOON + HOUR), ("moved", "on_track", NOON + HOUR)]


async def test_a_pause_that_arrives_behind_the_verdict_moves_what_it_took_back(partition: Make, engine: AsyncEngine) -> None:
    await promise(engine, "in-time", {"response": response()} | PAUSES)
    lane = await partition().start()
    lane.event("placed")
    lane.marker(DUE)
    lane.event("paused", NOON + HOUR, DUE + MINUTE)
    lane.event("resumed", NOON + 90 * MINUTE, DUE + 2 * MINUTE)
    assert await said(lane) == [
        ("opened", "on_track", DUE), ("broken", "broken", DUE), ("corrected", "paused", None), ("moved", "on_track", DUE + 30 * MINUTE),
    ]  # fmt: skip
    assert await rebuild(engine, check=True) == []


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(script=logs, size=some.integers(1, 8), remembered=some.sampled_from(MEMORIES))
async def test_the_last_word_on_all_that_is_owed_says_when_it_is_due(
    script: list[tuple[Any, ...]], size: int, remembered: int, partition: Make, engine: AsyncEngine
) -> None:
    """Breaks if anything that moves a due time were not told, by journey's own reading of the facts."""
    await publish(engine)
    await clear(engine, *TABLES)
    lane = await write(partition(remembered=remembered), script).start()
    while lane.lane.progress.position < len(lane.log):
        await lane.deliver(size)
        arrived = max((datetime.fromisoformat(at) for at in map(_arrival, lane.log[: lane.lane.progress.position]) if at), default=NOON)
        bodies = [body for _, body in await outbox(engine)]
        last = latest([Row("makegood.promises", 0, 0, 0, note(bodies))] if bodies else [])
        told = {each.commitment: each for each in (standing(orjson.loads(bodies[place.place])) for place in last.undecided)}
        for id_, due, sayable, state, verdict in await rows(engine, "commitments", "id, due, sayable, state, verdict_state"):
            if verdict is None and (sayable is None or sayable > arrived):
                assert told[id_].due == due, (state, sayable)


def _arrival(record: Any) -> str | None:
    """When an event arrived; of a marker, nothing."""
    at: str | None = orjson.loads(record.value).get("recordedtime")
    return at
