"""`python -m bench.generator`: sends the orders' touchpoints straight to Kafka, in a process of its own.

Told on standard input what to do, it answers on standard output with what it did. With a rate it keeps to it whatever
happens; without one it sends as fast as the system keeps up, by the lag that it reads from the progress rows.
"""

import asyncio
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import asyncpg
import orjson
import uvloop
from aiokafka import AIOKafkaProducer

from bench.counters import TOUCHPOINTS, Stand, read_stand
from bench.orders import Stream

TURN_SECONDS = 0.05
FIRST_RATE = 6000.0
LOOK_SECONDS = 0.25
SPAN = 8
"""The rate at which the system works is measured over so many looks."""
LAG = 60_000
"""Touchpoints under way at full speed: enough that no stage ever waits for more, though each takes a second's worth at once."""
BATCH_BYTES = 256 * 1024
HEADERS = [("content-type", b"application/cloudevents+json")]


@dataclass(frozen=True, slots=True)
class Task:
    """What to send: for so many seconds, beginning with order number `first`."""

    kafka: str
    database: str
    seconds: float
    first: int
    sent: int
    """Touchpoints sent before by others: the lag counts them."""
    rate: float | None = None
    partitions: int = 6


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent."""

    following: int
    touchpoints: int
    seconds: float
    cpu_seconds: float
    longest_turn: float
    """Seconds; orders are shipped and delivered at most so much later than they should be."""


def next_rate(working: float, lag: float) -> float:
    """The rate at which to send so that the lag comes to its bound and stays there, however fast the system becomes."""
    missing = (LAG - lag) / LAG
    return max(FIRST_RATE if missing > 0 else 0.0, working * (1 + missing))


class Pace:
    """How fast to send."""

    def __init__(self, task: Task) -> None:
        """At the task's rate, or at that of the system."""
        self._task = task
        self.rate = task.rate or FIRST_RATE
        self._stands: list[Stand] = []

    async def look(self, connection: asyncpg.Connection, stream: Stream) -> None:
        """See how far the system has come, and set the rate accordingly."""
        self._stands = [*self._stands[-SPAN:], await read_stand(connection)]
        before, now = self._stands[0], self._stands[-1]
        if now.at > before.at:
            working = (now.through - before.through) / (now.at - before.at)
            self.rate = next_rate(working, now.lag(self._task.sent + stream.produced))


async def _send(producer: AIOKafkaProducer, partition: int, bodies: list[bytes]) -> None:
    waiting = []
    batch = producer.create_batch()
    for body in bodies:
        if batch.append(key=None, value=body, timestamp=None, headers=HEADERS) is None:
            waiting.append(await producer.send_batch(batch, TOUCHPOINTS, partition=partition))
            batch = producer.create_batch()
            batch.append(key=None, value=body, timestamp=None, headers=HEADERS)
    waiting.append(await producer.send_batch(batch, TOUCHPOINTS, partition=partition))
    await asyncio.gather(*waiting)


async def _take_turns(task: Task, producer: AIOKafkaProducer, connection: asyncpg.Connection) -> Sent:
    stream, pace = Stream(task.first), Pace(task)
    began = turned = looked = time.monotonic()
    owed = longest = 0.0
    while (now := time.monotonic()) < began + task.seconds or stream.under_way:
        if task.rate is None and now - looked >= LOOK_SECONDS:
            looked = now
            await pace.look(connection, stream)
        owed += pace.rate / 3 * (now - turned) if now < began + task.seconds else 0.0
        longest, turned = max(longest, now - turned), now
        bodies = stream.turn(now, int(owed), datetime.now(UTC))
        owed -= int(owed)
        shares = [bodies[lane :: task.partitions] for lane in range(task.partitions)]
        await asyncio.gather(*(_send(producer, lane, share) for lane, share in enumerate(shares) if share))
        await asyncio.sleep(max(0.0, now + TURN_SECONDS - time.monotonic()))
    return Sent(stream.following, stream.produced, time.monotonic() - began, time.process_time(), longest)


async def _run(task: Task) -> Sent:
    producer = AIOKafkaProducer(
        bootstrap_servers=task.kafka, acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES, max_request_size=4 * BATCH_BYTES
    )
    connection = await asyncpg.connect(task.database)
    await producer.start()
    try:
        return await _take_turns(task, producer, connection)
    finally:
        await producer.stop()
        await connection.close()


if __name__ == "__main__":
    sent = uvloop.run(_run(Task(**orjson.loads(sys.stdin.buffer.read()))))
    sys.stdout.buffer.write(orjson.dumps(asdict(sent)))
