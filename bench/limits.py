"""What this machine could do at best: the same journal rows by bare COPY, the same records by bare produce and consume."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.counters import TOUCHPOINTS
from bench.generator import HEADERS

SAMPLE = 200_000
TOPIC = "bench.touchpoints"
_PREPARE = (
    "DROP SCHEMA IF EXISTS bench CASCADE",
    "CREATE SCHEMA bench",
    "CREATE TABLE bench.journal (LIKE journey.journal INCLUDING ALL)",
)


async def copy_limit(database: str, batch: int, sessions: int) -> float:
    """Rows a second by COPY into a table like the journal, its indexes too; a durable commit a batch, sessions side by side."""
    admin = await asyncpg.connect(database)
    try:
        rows = [tuple(row) for row in await admin.fetch("SELECT * FROM journey.journal LIMIT $1", SAMPLE)]
        for statement in _PREPARE:
            await admin.execute(statement)
        batches = [rows[start : start + batch] for start in range(0, len(rows), batch)]
        connections = [await asyncpg.connect(database) for _ in range(sessions)]
        began = time.perf_counter()
        await asyncio.gather(*(_copy(each, batches[place::sessions]) for place, each in enumerate(connections)))
        took = time.perf_counter() - began
        for each in connections:
            await each.close()
        await admin.execute("DROP SCHEMA bench CASCADE")
    finally:
        await admin.close()
    return len(rows) / took


async def _copy(connection: asyncpg.Connection, batches: Sequence[Sequence[tuple[Any, ...]]]) -> None:
    for batch in batches:
        await connection.copy_records_to_table("journal", schema_name="bench", records=batch)


async def kafka_limit(kafka: str, partitions: int, batch_bytes: int) -> float:
    """Records a second through one process that produces the touchpoints again, acknowledged, and consumes them."""
    values = await _consume(kafka, TOUCHPOINTS, SAMPLE)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, partitions, 1)])
        began = time.perf_counter()
        await _produce(kafka, values, partitions, batch_bytes)
        read = await _consume(kafka, TOPIC, len(values))
        took = time.perf_counter() - began
        await admin.delete_topics([TOPIC])
    finally:
        await admin.close()
    if sorted(read) != sorted(values):
        raise AssertionError("what was consumed is not what was produced")
    return len(values) / took


async def _produce(kafka: str, values: Sequence[bytes], partitions: int, batch_bytes: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True, max_batch_size=batch_bytes)
    await producer.start()
    try:
        await asyncio.gather(*(_fill(producer, values[each::partitions], each) for each in range(partitions)))
    finally:
        await producer.stop()


async def _fill(producer: AIOKafkaProducer, values: Sequence[bytes], partition: int) -> None:
    batch = producer.create_batch()
    for value in values:
        if batch.append(key=None, value=value, timestamp=None, headers=HEADERS) is None:
            await (await producer.send_batch(batch, TOPIC, partition=partition))
            batch = producer.create_batch()
            batch.append(key=None, value=value, timestamp=None, headers=HEADERS)
    await (await producer.send_batch(batch, TOPIC, partition=partition))


async def _consume(kafka: str, topic: str, most: int) -> list[bytes]:
    """The values of a topic from its beginning, at most so many."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest", max_partition_fetch_bytes=2 * 1024 * 1024)
    await consumer.start()
    try:
        names: list[TopicPartition] = list(consumer.assignment())
        ends = await consumer.end_offsets(names)
        wanted = min(most, sum(ends.values()))
        values: list[bytes] = []
        while len(values) < wanted:
            for records in (await consumer.getmany(timeout_ms=1000, max_records=5000)).values():
                values += [record.value for record in records if record.value is not None]
        return values[:wanted]
    finally:
        await consumer.stop()
