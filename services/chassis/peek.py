"""Looking into a topic that is not ours, and leaving no trace: no group, no offset committed, nothing made, nothing sent."""

import contextlib
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.chassis.brokers import reaching
from services.chassis.faults import UnusableTopicError
from services.chassis.instants import to_milliseconds
from services.chassis.offsets import Ends
from services.chassis.records import Record, read_some

WAIT_MILLISECONDS = 1000
MOST_SILENCES = 10
"""Answers without a record until what was asked for is taken not to exist."""


class Onlooker:
    """Asks again and again where topics begin and end, over connections that stay open; `close` it."""

    def __init__(self, kafka: str) -> None:
        """For the broker at this address; nothing is opened yet."""
        self._address = kafka
        self._admin: AIOKafkaAdminClient | None = None
        self._consumer: AIOKafkaConsumer | None = None

    async def span(self, topics: list[str]) -> tuple[Ends, Ends]:
        """Where the partitions of these topics begin and end now; a topic that does not exist has none."""
        try:
            consumer, admin = await self._open()
            found = await _partitions(admin, topics)
            places = [TopicPartition(topic, each) for topic, count in found.items() for each in range(count)]
            first, end = (await consumer.beginning_offsets(places), await consumer.end_offsets(places)) if places else ({}, {})
        except BaseException:
            await self.close()
            raise
        return _by_name(first), _by_name(end)

    async def _open(self) -> tuple[AIOKafkaConsumer, AIOKafkaAdminClient]:
        if self._consumer is None or self._admin is None:
            self._consumer, self._admin = (
                AIOKafkaConsumer(**reaching(self._address)),
                AIOKafkaAdminClient(**reaching(self._address)),
            )
            await self._consumer.start()
            await self._admin.start()
        return self._consumer, self._admin

    async def close(self) -> None:
        """Close the connections; the next question opens them again."""
        consumer, admin, self._consumer, self._admin = self._consumer, self._admin, None, None
        with contextlib.suppress(KafkaError, OSError):
            if consumer is not None:
                await consumer.stop()
            if admin is not None:
                await admin.close()


async def span(kafka: str, topics: list[str]) -> tuple[Ends, Ends]:
    """Where the partitions of these topics begin and end now, asked once."""
    onlooker = Onlooker(kafka)
    try:
        return await onlooker.span(topics)
    finally:
        await onlooker.close()


async def _partitions(admin: AIOKafkaAdminClient, topics: list[str]) -> dict[str, int]:
    """How many partitions each topic has, 0 where there is no such topic; asking for one by name might make it."""
    present = sorted(set(topics) & set(await admin.list_topics()))
    described: list[dict[str, Any]] = await admin.describe_topics(present) if present else []
    return dict.fromkeys(topics, 0) | {each["topic"]: len(each["partitions"]) for each in described}


async def latest(kafka: str, topic: str, limit: int) -> list[Record]:
    """The latest records of a topic, about evenly of all partitions, in the order of their timestamps; at most `limit`."""
    begins, stands = await span(kafka, [topic])
    if not stands:
        raise UnusableTopicError(f"Kafka at {kafka} has no topic {topic}")
    places = {TopicPartition(*name): max(begins[name], end - math.ceil(limit / len(stands))) for name, end in stands.items()}
    consumer = AIOKafkaConsumer(**reaching(kafka), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(list(places))
        for place, start in places.items():
            consumer.seek(place, start)
        found = await _until(consumer, {TopicPartition(*name): end for name, end in stands.items()})
    finally:
        await consumer.stop()
    return sorted(found, key=lambda each: (each.timestamp, each.partition, each.offset))[-limit:]


async def since(kafka: str, topic: str, at: datetime) -> list[Record]:
    """The records of a topic from a time on, each partition in its order, up to where it ends now."""
    _, ends = await span(kafka, [topic])
    if not ends:
        raise UnusableTopicError(f"Kafka at {kafka} has no topic {topic}")
    places = {TopicPartition(*name): end for name, end in ends.items()}
    consumer = AIOKafkaConsumer(**reaching(kafka), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(list(places))
        for place, found in (await consumer.offsets_for_times(dict.fromkeys(places, to_milliseconds(at)))).items():
            consumer.seek(place, places[place] if found is None else found.offset)
        return await _until(consumer, places)
    finally:
        await consumer.stop()


async def _until(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> list[Record]:
    found: list[Record] = []
    silences = 0
    while silences < MOST_SILENCES and any([await consumer.position(place) < end for place, end in ends.items()]):
        batches = await read_some(consumer, timeout_ms=WAIT_MILLISECONDS)
        silences = 0 if batches else silences + 1
        found += [each for place, batch in batches.items() for each in batch if each.offset < ends[place]]
    return found


def _by_name(offsets: Mapping[TopicPartition, int]) -> Ends:
    return {(each.topic, each.partition): offset for each, offset in offsets.items()}
