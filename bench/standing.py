"""What open commitments cost: a live event beside very many of them, and everybody else while very many fall due at once.

They are written into the tables as the engine would have, in one statement; whoever owns their partitions reads anew.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from bench import latency, stack
from bench.counters import PROMISES
from bench.flow import LANES, Plan, Run, Window, per_thousand
from bench.latency import JOURNEY, Barriers, quantile
from bench.stack import Say
from deploy.local.state import State
from services.cli.publish import publish_to

DOCUMENTS = Path(__file__).with_name("standing.yaml")
PROMISE = "answered-in-time"
WITHIN = timedelta(days=30)
RATE = 1500.0
"""Touchpoints a second meanwhile: what a live event costs is asked, not how many there can be."""
AT_ONCE = 100_000
CHUNK = 500_000
JUDGING = ("promises-consume", "postgres: promises")
_BROKEN, _OURS = b'"type":"makegood.commitment.broken"', b'"promise":"answered-in-time"'
_FIRST = UUID("00000000-0000-4000-8000-000000000000").int

_EVIDENCE = """
INSERT INTO promises.evidence (strand, event, time, arrival, id, type, marks)
SELECT md5('strand' || n)::uuid, md5('event' || n)::uuid, asked, asked, 'question-' || n, 'question.asked', $4
FROM (SELECT n, $3::timestamptz - (n - $1) % 1000000 * $5::interval / 1000000 - $6::interval asked
      FROM generate_series($1::bigint, $2::bigint) n) every
"""
_COMMITMENTS = """
INSERT INTO promises.commitments (
  id, partition, promise, strand, customer, correlation, trigger_event, trigger_id, trigger_type, trigger_time, state, reason,
  due, sayable, next_at, wake, late, standing, verdict, said)
SELECT md5('commitment' || n)::uuid, ($7 + n) % $8, $4, md5('strand' || n)::uuid,
  ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, '"question-' || n || '"', md5('event' || n)::uuid, 'question-' || n,
  'question.asked', due - $6::interval, 'on_track', 'waiting', due, due, due, due, false, false, 0, ''
FROM (SELECT n, $3::timestamptz - (n - $1) % 1000000 * $5::interval / 1000000 due FROM generate_series($1::bigint, $2::bigint) n) every
"""


@dataclass(slots=True)
class Fired:
    """What was said while very many commitments fell due at once."""

    barriers: dict[int, Barriers] = field(default_factory=dict)
    ours: list[tuple[float, int]] = field(default_factory=list)
    others: list[tuple[float, int, UUID]] = field(default_factory=list)


async def measure(running: State, number: int, plan: Plan, say: Say) -> dict[str, Any]:
    """Measure beside so many open commitments; keys as `.local/bench.json` has them."""
    stack.publish(running)
    publish_to(running, [DOCUMENTS])
    await stack.stamp_by_broker(running.kafka)
    connection = await asyncpg.connect(running.database["admin"])
    try:
        run = Run(running, connection, plan, say)
        say(f"{RATE:,.0f} touchpoints/s with nothing else open")
        without = _cost(await run.phase(RATE))
        say(f"putting {number:,} open commitments beside them")
        began, now = time.monotonic(), datetime.now(UTC)
        await _put(connection, 1, number, now + WITHIN, spread=timedelta(days=20))
        await connection.execute("ANALYZE promises.evidence, promises.commitments")
        await connection.execute("CHECKPOINT")
        took = time.monotonic() - began
        say(f"{RATE:,.0f} touchpoints/s again, {took:.0f} s later")
        beside = _cost(await run.phase(RATE))
        say(f"{beside / without:.2f} times the cost of an event")
        fired = await _fire(running, run, connection, number, timedelta(seconds=took * AT_ONCE / number), say)
        return {
            "open": number,
            "cpu_s_per_1000_without": without,
            "cpu_s_per_1000": beside,
            "times_the_cost": beside / without,
            **fired,
            "verdicts": await run.check(),
            "rss_mib": run.watch.peak,
        }
    finally:
        await connection.close()


def _cost(window: Window) -> float:
    """CPU seconds of promises and of its share of PostgreSQL for a thousand touchpoints."""
    found = per_thousand(window.after.use.since(window.before.use), window.touchpoints)
    return sum(found[name] for name in JUDGING)


async def _put(connection: asyncpg.Connection, first: int, number: int, due: datetime, *, spread: timedelta) -> None:
    """Write commitments that fall due up to some time before `due`, with their evidence; their owners read again."""
    promise = await connection.fetchval("SELECT max(id) FROM promises.promises WHERE name = $1", PROMISE)
    marks = orjson.dumps({str(promise): [1]})
    for start in range(first, first + number, CHUNK):
        last = min(start + CHUNK, first + number) - 1
        async with connection.transaction():
            await connection.execute("UPDATE promises.progress SET rev = rev + 1")
            await connection.execute(_EVIDENCE, start, last, due, marks, spread, WITHIN)
            await connection.execute(_COMMITMENTS, start, last, due, promise, spread, WITHIN, _FIRST % LANES, LANES)


async def _fire(running: State, run: Run, connection: asyncpg.Connection, number: int, took: timedelta, say: Say) -> dict[str, Any]:
    """Let very many fall due at one instant, in the middle of a stream of orders; to write so many took so long before."""
    ahead = timedelta(seconds=run.plan.warm_up + run.plan.seconds / 3)
    due = datetime.now(UTC) + 3 * took + ahead
    await _put(connection, number + 1, AT_ONCE, due, spread=timedelta(0))
    say(f"{AT_ONCE:,} fall due at once")
    await asyncio.sleep(max((due - ahead - datetime.now(UTC)).total_seconds(), 0))
    since = await latency.end_offsets(running.kafka)
    await run.phase(RATE)
    found = Fired()
    async for record in latency.read(running.kafka, since, await latency.end_offsets(running.kafka)):
        _note(found, record)
    known = min(each for barriers in found.barriers.values() if (each := barriers.known_at(due)) is not None)
    last = max(at for at, _ in found.ours)
    assert len(found.ours) == AT_ONCE, f"{len(found.ours)} of {AT_ONCE} were said to be broken"
    waits = await _waits(connection, found, known, last)
    return {"fired": AT_ONCE, "fired_in_s": last - known, "others_p99_s": quantile(waits, 0.99), "others": len(waits)}


def _note(found: Fired, record: Any) -> None:
    at = record.timestamp / 1000
    if record.topic == JOURNEY and any(name == "marker" for name, _ in record.headers):
        found.barriers.setdefault(record.partition, Barriers()).hear(at, orjson.loads(record.value)["data"])
    elif record.topic == PROMISES and _BROKEN in record.value:
        if _OURS in record.value:
            found.ours.append((at, record.partition))
        else:
            found.others.append((at, record.partition, UUID(orjson.loads(record.value)["data"]["commitment"])))


async def _waits(connection: asyncpg.Connection, found: Fired, begin: float, end: float) -> list[float]:
    """How long the verdicts on orders took from their barrier on that was known, or were said, in this time."""
    sayable: Mapping[UUID, datetime] = await latency.sayable_of(connection, [commitment for _, _, commitment in found.others])
    waits = []
    for at, partition, commitment in found.others:
        known = found.barriers[partition].known_at(sayable[commitment].astimezone(UTC))
        if known is not None and known <= end and at >= begin:
            waits.append(at - known)
    return waits
