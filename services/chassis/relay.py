"""Publishing what was committed: the journal and the outboxes go to Kafka from here, in order, until acknowledged.

A failed send discards the producer; the caller starts again at its pointer, before any marker (DESIGN 3, 4).
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.chassis.brokers import reaching
from services.chassis.settings import Settings

Headers = list[tuple[str, bytes]]
CONTENT_TYPE = ("content-type", b"application/cloudevents+json")
BATCH_BYTES = 512 * 1024
# Zstandard packs closer, but prepares its tables anew for each batch, and most of ours are small.
COMPRESSION = "snappy"
REQUEST_BYTES = 1024 * 1024


class Outgoing(NamedTuple):
    """One record to be published. `timestamp` is milliseconds since 1970, None: the broker's or the client's now."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: Headers
    timestamp: int | None = None


def lane_header(lane: str, incarnation: int, seq: int) -> tuple[str, bytes]:
    """The header that numbers a record: topic/partition/incarnation/seq."""
    return ("lane", f"{lane}/{incarnation}/{seq}".encode())


MARKER_HEADER = ("marker", b"")


class NotAcknowledgedError(OSError):
    """Kafka did not acknowledge every record; send all of them again, what was taken is recognised."""


class Relay:
    """One idempotent producer of a process, made again whenever a send failed."""

    def __init__(self, settings: Settings) -> None:
        """A relay to the settings' Kafka; nothing is opened before the first send."""
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Send and wait until Kafka acknowledged every record; raises `NotAcknowledgedError` otherwise."""
        if not records:
            return
        producer = await self._open()
        try:
            await asyncio.gather(*(_send(producer, *where, group) for where, group in _by_partition(records).items()))
        except BaseException as error:
            await self._discard(producer)
            if isinstance(error, KafkaError | OSError | TimeoutError):
                raise NotAcknowledgedError(repr(error)) from error
            raise

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has."""
        producer = await self._open()
        try:
            return len(await producer.partitions_for(topic))
        except KafkaError as error:
            raise NotAcknowledgedError(repr(error)) from error

    async def close(self) -> None:
        """Send what is buffered and close."""
        if self._producer is not None:
            await self._discard(self._producer)

    async def _open(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **reaching(self._settings.kafka),
                    acks="all",
                    enable_idempotence=True,
                    max_batch_size=BATCH_BYTES,
                    max_request_size=REQUEST_BYTES,
                    compression_type=COMPRESSION,
                    request_timeout_ms=10_000,
                )
                try:
                    await producer.start()
                except KafkaError as error:
                    await producer.stop()
                    raise NotAcknowledgedError(repr(error)) from error
                self._producer = producer
            return self._producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        if self._producer is producer:
            self._producer = None
        with contextlib.suppress(KafkaError, OSError, asyncio.TimeoutError):
            await asyncio.wait_for(producer.stop(), timeout=5)


def _by_partition(records: Sequence[Outgoing]) -> dict[tuple[str, int], list[Outgoing]]:
    groups: dict[tuple[str, int], list[Outgoing]] = defaultdict(list)
    for record in records:
        groups[record[:2]].append(record)
    return groups


async def _send(producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
    """Send one partition's records in order, as few batches as hold them: a future per record would cost more."""
    acknowledged = []
    batch = producer.create_batch()
    for _, _, key, value, headers, timestamp in records:
        if batch.append(timestamp=timestamp, key=key, value=value, headers=headers) is None:
            acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(timestamp=timestamp, key=key, value=value, headers=headers)
    acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*acknowledged)
