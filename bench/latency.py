"""From barrier to verdict: how long after promises could know the barrier its verdict was in Kafka.

Both ends are the broker's append times. It begins when the marker is appended to makegood.journey with which the minimum
over all lanes first reaches the commitment's `sayable` (DESIGN 3: A), and ends when the fact is appended to
makegood.promises. Reading the marker, the transaction and the publication all lie between.
"""

from bisect import bisect_left
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.counters import PROMISES

JOURNEY = "makegood.journey"
_BROKEN = b'"type":"makegood.commitment.broken"'


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds, over the verdicts `broken` of one period."""

    verdicts: int
    barrier_p50: float
    barrier_p99: float
    due_p50: float
    """From the moment that the verdict may be said by DESIGN 3, wherever the lanes stand."""
    due_p99: float


class Barriers:
    """The barriers of one journey partition, in the order in which its markers told of them."""

    def __init__(self) -> None:
        """Nothing heard yet."""
        self._vouched: dict[str, str] = {}
        self._barriers: list[datetime] = []
        self._heard: list[float] = []

    def hear(self, at: float, marker: Mapping[str, Any]) -> None:
        """Take in a marker that was appended at `at` (seconds since 1970)."""
        lane, arrival = marker["lane"], marker["arrival"]
        self._vouched[lane] = max(self._vouched.get(lane, ""), arrival)
        if len(self._vouched) < marker["lanes"]:
            return
        barrier = datetime.fromisoformat(min(self._vouched.values()))
        if not self._barriers or barrier > self._barriers[-1]:
            self._barriers.append(barrier)
            self._heard.append(at)

    def known_at(self, instant: datetime) -> float | None:
        """When the barrier first was at the instant or later; None where that lies before what was heard, or after."""
        place = bisect_left(self._barriers, instant)
        return self._heard[place] if 0 < place < len(self._heard) else None


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed; not a number where there are none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def summary(told: Iterable[tuple[float, datetime, float]]) -> Latency:
    """Sum up verdicts given as (appended at, sayable from, barrier known at)."""
    pairs = [(at - known, at - sayable.timestamp()) for at, sayable, known in told]
    waits, ages = [wait for wait, _ in pairs], [age for _, age in pairs]
    return Latency(len(pairs), quantile(waits, 0.5), quantile(waits, 0.99), quantile(ages, 0.5), quantile(ages, 0.99))


Offsets = dict[TopicPartition, int]


async def end_offsets(kafka: str) -> Offsets:
    """The ends of makegood.journey and makegood.promises."""
    consumer = AIOKafkaConsumer(JOURNEY, PROMISES, bootstrap_servers=kafka)
    await consumer.start()
    try:
        ends: Offsets = await consumer.end_offsets(consumer.assignment())
        return ends
    finally:
        await consumer.stop()


async def read(kafka: str, since: Offsets, until: Offsets) -> AsyncIterator[Any]:
    """Every record between two sets of offsets, each partition in its order."""
    left = {name for name, end in until.items() if end > since[name]}
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, max_partition_fetch_bytes=4 * 1024 * 1024)
    await consumer.start()
    try:
        consumer.assign(list(left))
        for name in left:
            consumer.seek(name, since[name])
        while left:
            for name, records in (await consumer.getmany(timeout_ms=1000, max_records=5000)).items():
                for record in records:
                    if record.offset < until[name]:
                        yield record
            left = {name for name in left if await consumer.position(name) < until[name]}
    finally:
        await consumer.stop()


async def measure(kafka: str, connection: asyncpg.Connection, since: Offsets, period: tuple[float, float]) -> Latency:
    """Measure the verdicts that were said in a period (seconds since 1970)."""
    barriers: dict[int, Barriers] = {}
    said: list[tuple[float, int, UUID]] = []
    async for record in read(kafka, since, await end_offsets(kafka)):
        at = record.timestamp / 1000
        if record.topic == JOURNEY and any(name == "marker" for name, _ in record.headers):
            barriers.setdefault(record.partition, Barriers()).hear(at, orjson.loads(record.value)["data"])
        elif record.topic == PROMISES and _BROKEN in record.value and period[0] <= at < period[1]:
            said.append((at, record.partition, UUID(orjson.loads(record.value)["data"]["commitment"])))
    sayable = await sayable_of(connection, [commitment for _, _, commitment in said])
    told = []
    for at, partition, commitment in said:
        known = barriers[partition].known_at(sayable[commitment].astimezone(UTC))
        if known is not None:
            told.append((at, sayable[commitment], known))
    return summary(told)


async def sayable_of(connection: asyncpg.Connection, commitments: list[UUID]) -> dict[UUID, datetime]:
    """When the verdicts on these commitments may be said."""
    rows = await connection.fetch("SELECT id, sayable FROM promises.commitments WHERE id = ANY($1::uuid[])", commitments)
    return {row[0]: row[1] for row in rows}
