"""A version that is published later sees what had arrived before it: read back from a real Kafka, and held until that is done."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Outgoing, Relay
from services.promises.lookback import LookBack
from services.promises.settings import PromisesSettings
from tests.driving import NOON, clear, rows
from tests.promises.conftest import FAST, Partition, promise, response

HOUR = timedelta(hours=1)
PRECEDENCE: dict[str, Any] = {
    "precedence": {"event": {"type": "penalty"}, "after": {"type": "notified"}, "correlate": "data.order"},
}
PAUSING: dict[str, Any] = {"response": response(within="2 hours"), "pause": {"type": "paused"}, "resume": {"type": "resumed"}}


@pytest.fixture
async def settings(settings: PromisesSettings, kafka: str, topics: Callable[..., Awaitable[None]]) -> PromisesSettings:
    await topics("replay")
    return settings.model_copy(update={"kafka": kafka})


@pytest.fixture
async def lane(partition: Callable[..., Partition], engine: AsyncEngine) -> Partition:
    """An order was notified while only another promise looked at orders."""
    await promise(engine, "in-time", {"response": response()})
    lane = await partition().start()
    lane.event("notified", NOON, id_="before")
    lane.event("paused", NOON, id_="pause")
    lane.event("placed", NOON, id_="placed")
    lane.marker(NOON)
    await lane.deliver()
    return lane


Read = Callable[[Partition], Awaitable[None]]


@pytest.fixture
async def look_back(settings: PromisesSettings, engine: AsyncEngine) -> AsyncIterator[Read]:
    """Put a log into Kafka, and read it back for whatever waits."""
    relay = Relay(settings)

    async def read(lane: Partition) -> None:
        await relay.publish([Outgoing("makegood.journey", 0, None, each.value or b"", list(each.headers)) for each in lane.log])
        await LookBack(engine, settings.kafka).read()

    yield read
    await relay.close()


def penalise(lane: Partition) -> None:
    lane.event("penalty", NOON + 2 * HOUR, id_="penalty")
    lane.marker(NOON + 2 * HOUR)


async def go_on(lane: Partition) -> None:
    """The lane's owner notices at the next position it saves that somebody had a turn, and reads on."""
    lane.marker(NOON + 3 * HOUR)
    await lane.deliver()
    await lane.save()
    await lane.deliver()


async def of(lane: Partition, name: str) -> list[str]:
    return [each["type"].rpartition(".")[2] for each in await lane.facts() if each["data"]["promise"] == name]


async def test_what_came_before_a_promise_was_published_keeps_it(lane: Partition, engine: AsyncEngine, look_back: Read) -> None:
    await promise(engine, "notified-first", PRECEDENCE, NOON + HOUR)
    await look_back(lane)
    penalise(lane)
    await lane.deliver()
    assert await of(lane, "notified-first") == ["opened", "kept"]


async def test_until_the_past_is_read_nothing_is_said_and_then_it_is(lane: Partition, engine: AsyncEngine, look_back: Read) -> None:
    """Breaks if a verdict were a guess for as long as reading back takes."""
    await promise(engine, "notified-first", PRECEDENCE, NOON + HOUR)
    penalise(lane)
    await lane.deliver()
    assert await of(lane, "notified-first") == ["opened", "held"]
    await look_back(lane)
    await go_on(lane)
    assert await of(lane, "notified-first") == ["opened", "held", "kept"]


async def test_where_nothing_came_before_it_is_broken_once_the_past_is_read(lane: Partition, engine: AsyncEngine, look_back: Read) -> None:
    await promise(engine, "notified-first", PRECEDENCE, NOON + HOUR)
    lane.event("penalty", NOON + 2 * HOUR, data={"order": "another"})
    lane.marker(NOON + 2 * HOUR)
    await lane.deliver()
    await look_back(lane)
    await go_on(lane)
    assert await of(lane, "notified-first") == ["opened", "held", "broken"]


async def test_a_pause_that_ran_already_stops_the_clock_of_a_later_version(lane: Partition, engine: AsyncEngine, look_back: Read) -> None:
    await promise(engine, "patient", PAUSING, NOON + HOUR)
    await look_back(lane)
    lane.event("placed", NOON + 2 * HOUR, id_="second")
    lane.marker(NOON + 9 * HOUR)
    await lane.deliver()
    (state,) = {state for trigger, state in await rows(engine, "commitments", "trigger_id, state") if trigger == "second"} - {"broken"}
    assert (state, await of(lane, "patient")) == ("paused", ["opened"])


async def test_what_a_version_of_the_same_document_saw_counts_where_kafka_has_forgotten_it(
    lane: Partition, engine: AsyncEngine, look_back: Read, topics: Callable[..., Awaitable[None]]
) -> None:
    """Breaks if a calendar's new version made promises forget what came longer ago than topics are kept."""
    await promise(engine, "notified-first", PRECEDENCE, NOON + HOUR)
    await look_back(lane)
    await promise(engine, "notified-first", PRECEDENCE, NOON + HOUR + HOUR / 2)
    await topics("replay")
    await LookBack(engine, lane.settings.kafka).read()
    penalise(lane)
    await lane.deliver()
    assert await of(lane, "notified-first") == ["opened", "kept"]


async def test_what_is_read_back_and_not_applied_yet_is_applied_as_ever(lane: Partition, engine: AsyncEngine, look_back: Read) -> None:
    """Breaks if reading back kept an event as evidence that its lane then took for a repeat."""
    await promise(engine, "notified-first", PRECEDENCE, NOON + HOUR)
    lane.event("notified", NOON, NOON + HOUR, id_="not-applied", data={"order": "o2"})
    lane.event("delivered", NOON + HOUR, id_="delivered")
    await look_back(lane)
    kept = {id_ for (id_,) in await rows(engine, "evidence", "id")}
    assert (kept & {"not-applied", "delivered"}, "before" in kept) == (set(), True)
    lane.event("penalty", NOON + 2 * HOUR, data={"order": "o2"})
    lane.marker(NOON + 2 * HOUR, FAST)
    await lane.deliver()
    assert await of(lane, "notified-first") == ["opened", "kept"]
    assert await of(lane, "in-time") == ["opened", "kept"]


async def test_reading_back_twice_changes_nothing(lane: Partition, engine: AsyncEngine, look_back: Read) -> None:
    await promise(engine, "notified-first", PRECEDENCE, NOON + HOUR)
    await look_back(lane)
    once = await rows(engine, "evidence")
    await clear(engine, "look_backs")
    await LookBack(engine, lane.settings.kafka).read()
    assert await rows(engine, "evidence") == once
