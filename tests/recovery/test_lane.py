"""The lane of recovery on a real Kafka: what people did is published by the lane's owner, in order, once it notices."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.chassis.faults import LostOwnershipError
from services.chassis.lane import Lane as OwnedLane
from services.chassis.relay import Relay
from tests.recovery.conftest import CUSTOMER, NOON, Lane
from tests.recovery.test_handlers import act, pledge


async def read(kafka: str, topic: str, partition: int) -> list[dict[str, Any]]:
    """Everything that stands in one partition now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        where = TopicPartition(topic, partition)
        consumer.assign([where])
        end = (await consumer.end_offsets([where]))[where]
        events: list[dict[str, Any]] = []
        while await consumer.position(where) < end:
            batches = await consumer.getmany(where, timeout_ms=1000)
            events += [orjson.loads(record.value or b"") for record in batches.get(where, [])]
        return events
    finally:
        await consumer.stop()


async def test_a_persons_act_is_published_by_the_lanes_owner_behind_what_came_before(
    lane: Lane, kafka: str, topics: Callable[..., Awaitable[None]]
) -> None:
    """Breaks if the owner kept believing a lane that a person's act has moved, or published around it."""
    await topics("replay")
    settings = lane.settings.model_copy(update={"kafka": kafka, "flush_interval": 0.001})
    relay = Relay(settings)
    owned = OwnedLane(lane.engine, relay, settings, lane.handler, 0)
    await owned.open()
    await owned.step([lane.fact(), lane.marker(NOON)])
    await owned.flush()
    await act(lane, "own_case")
    await pledge(lane)
    with pytest.raises(LostOwnershipError):
        await owned.step([lane.fact(number=2)])
    await owned.open()
    await owned.flush()
    await relay.close()
    facts = [each["type"] for each in await read(kafka, "makegood.recovery", 0)]
    assert facts == ["makegood.case.opened", "makegood.case.owned", "makegood.case.pledged"]
    touchpoints = await read(kafka, "makegood.acts", CUSTOMER.int % 2)
    assert [each["type"] for each in touchpoints] == [
        "recovery.failure.recorded", "recovery.case.opened", "recovery.case.owned", "recovery.pledge.made",
    ]  # fmt: skip
    assert len({each["id"] for each in touchpoints}) == 4
