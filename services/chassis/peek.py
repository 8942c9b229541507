"""Looking into a topic that is not ours, and leaving no trace: no group, no offset committed, nothing made, nothing sent."""

import math
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.chassis.faults import UnusableTopicError
from services.chassis.lane import Record
from services.chassis.offsets import Ends

WAIT_MILLISECONDS = 1000
MOST_SILENCES = 10
"""Answers without a record until what was asked for is taken not to exist."""


async def partitions_of(kafka: str, topics: list[str]) -> dict[str, int]:
    """How many partitions each topic has, 0 where there is no such topic; asking for one by name might make it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        present = sorted(set(topics) & set(await admin.list_topics()))
        described: list[dict[str, Any]] = await admin.describe_topics(present) if present else []
    finally:
        await admin.close()
    return dict.fromkeys(topics, 0) | {each["topic"]: len(each["partitions"]) for each in described}


async def span(kafka: str, topics: list[str]) -> tuple[Ends, Ends]:
    """Where the partitions of these topics begin and end now; a topic that does not exist has none."""
    found = await partitions_of(kafka, topics)
    places = [TopicPartition(topic, each) for topic, count in found.items() for each in range(count)]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        first, end = (await consumer.beginning_offsets(places), await consumer.end_offsets(places)) if places else ({}, {})
    finally:
        await consumer.stop()
    return _by_name(first), _by_name(end)


async def latest(kafka: str, topic: str, limit: int) -> list[Record]:
    """The latest records of a topic, about evenly of all partitions, in the order of their timestamps; at most `limit`."""
    count = (await partitions_of(kafka, [topic]))[topic]
    if not count:
        raise UnusableTopicError(f"Kafka at {kafka} has no topic {topic}")
    places = [TopicPartition(topic, each) for each in range(count)]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(places)
        first, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, max(first[place], ends[place] - math.ceil(limit / count)))
        found = await _until(consumer, ends)
    finally:
        await consumer.stop()
    return sorted(found, key=lambda each: (each.timestamp, each.partition, each.offset))[-limit:]


async def _until(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> list[Record]:
    found: list[Record] = []
    silences = 0
    while silences < MOST_SILENCES and any([await consumer.position(place) < end for place, end in ends.items()]):
        batches = await consumer.getmany(timeout_ms=WAIT_MILLISECONDS)
        silences = 0 if batches else silences + 1
        found += [each for place, batch in batches.items() for each in batch if each.offset < ends[place]]
    return found


def _by_name(offsets: Mapping[TopicPartition, int]) -> Ends:
    return {(each.topic, each.partition): offset for each, offset in offsets.items()}
