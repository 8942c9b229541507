"""Recovery is heard from behind its rows only: no heartbeat says that all is told while an act is not (DESIGN 2)."""

from datetime import timedelta

import orjson

from services.chassis.instants import to_milliseconds
from services.chassis.progress import Progress, claimed, save_progress
from services.chassis.relay import Outgoing
from services.chassis.settings import Clock
from services.recovery.heartbeat import Herald
from tests.recovery.conftest import NOON, Lane
from tests.recovery.test_handlers import act

HOUR = timedelta(hours=1)


async def publish(lane: Lane) -> Progress:
    """The lane's owner has published everything, and saves that it has."""
    progress = await lane.open()
    progress.published = progress.ordinal
    async with claimed(lane.engine, progress) as (tx, row):
        await save_progress(tx, row)
    return progress


async def look(herald: Herald, lane: Lane) -> list[Outgoing]:
    """What the herald has ready after a look."""
    herald._look_at = float("inf")
    await herald.look(lane.engine)
    return herald.beats(lane.engine)


async def test_a_heartbeat_goes_into_every_partition_once_what_was_committed_is_published(lane: Lane) -> None:
    """Breaks if an act that waits in the outbox were passed by a heartbeat, and a pledge were called broken that it keeps."""
    herald = Herald(2, lane.settings)
    await lane.feed(lane.fact(), lane.marker(NOON))
    await publish(lane)
    assert await look(herald, lane) == []
    assert [each.partition for each in await look(herald, lane)] == [0, 1]
    await act(lane, "own_case")
    assert len(await look(herald, lane)) == 2  # what had been committed at the look before is published
    assert await look(herald, lane) == []
    assert await look(herald, lane) == []
    await publish(lane)
    assert len(await look(herald, lane)) == 2


async def test_on_the_replay_clock_a_heartbeat_is_stamped_with_the_barrier_that_was_acted_on(lane: Lane) -> None:
    herald = Herald(2, lane.settings)
    await lane.feed(lane.fact(), lane.marker(NOON))
    await publish(lane)
    await look(herald, lane)
    await lane.feed(lane.marker(NOON + HOUR))
    first, _ = await look(herald, lane)
    assert (first.topic, first.key, first.timestamp) == ("makegood.acts", None, to_milliseconds(NOON))
    assert orjson.loads(first.value) == {
        "specversion": "1.0", "id": "0:2026-03-01T12:00:00.000Z", "source": "makegood/recovery", "type": "source.heartbeat",
    }  # fmt: skip
    assert [each.timestamp for each in await look(herald, lane)] == [to_milliseconds(NOON + HOUR)] * 2


async def test_before_the_replay_clock_starts_there_is_none_and_on_the_live_clock_kafka_stamps(lane: Lane) -> None:
    await lane.open()
    live = lane.settings.model_copy(update={"clock": Clock.LIVE})
    for settings, stamps in ((lane.settings, []), (live, [None, None])):
        herald = Herald(2, settings)
        await look(herald, lane)
        assert [each.timestamp for each in await look(herald, lane)] == stamps


async def test_only_the_lane_of_partition_0_sends_them(lane: Lane) -> None:
    await lane.feed(lane.marker(NOON))
    memory = await lane.handler.recall(lane.engine, await lane.open())
    lane.handler._herald._look_at = float("inf")
    for _ in range(2):
        await lane.handler._herald.look(lane.engine)
    assert lane.handler.markers(memory, Progress("makegood.promises", 1)) == []
    assert len(lane.handler.markers(memory, Progress("makegood.promises", 0))) == 2
    assert lane.handler.markers(memory, Progress("makegood.promises", 0)) == []
