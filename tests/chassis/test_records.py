"""What Kafka's client hands over, with a real Kafka."""

from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.chassis.records import Record, read_some
from services.journey.records import TOUCHPOINTS

WHERE = TopicPartition(TOUCHPOINTS, 1)


async def test_records_are_read_as_they_were_sent_and_hold_nothing_else(
    kafka: str, topics: Callable[..., Awaitable[None]]
) -> None:  # fmt: skip
    """Breaks where a release of the client makes its records elsewhere: they would come as its own again, at twice the cost."""
    await topics("replay")
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(TOUCHPOINTS, b"value", b"key", 1, 1000, headers=[("lane", b"a/1/1"), ("lane", b"")])
        await producer.send_and_wait(TOUCHPOINTS, b"second", None, 1, 1001)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    try:
        consumer.assign([WHERE])
        found: list[Record] = []
        while len(found) < 2:
            found += (await read_some(consumer, WHERE, timeout_ms=1000)).get(WHERE, [])
    finally:
        await consumer.stop()
    assert [type(each) for each in found] == [Record, Record]
    assert found == [
        Record(TOUCHPOINTS, 1, 0, 1000, b"key", b"value", [("lane", b"a/1/1"), ("lane", b"")]),
        Record(TOUCHPOINTS, 1, 1, 1001, None, b"second", []),
    ]
