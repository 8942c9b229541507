"""Whatever happens to the processes, a partition of promises leaves the rows and says the facts of one clean pass."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.promises import pool
from services.promises import remembered as remembered_module
from services.promises.domain import history, settlement
from services.promises.facts import PROMISES
from tests.driving import CRASH_POINTS, NOON, clear, read_once, rows
from tests.promises.conftest import FAST, SLOW, TABLES, Partition, outbox, promise, response

STEP = timedelta(minutes=20)
LANES = [FAST, SLOW]
MEMORIES = [0, 2, 5, 8000]
"""How many events are remembered between batches: none, some of them, all."""
TYPES = ["placed", "placed", "delivered", "cancelled", "failed", "left", "paused", "resumed", "again", "excused"]
events = some.tuples(
    some.just("event"), some.sampled_from(LANES), some.sampled_from(TYPES),
    some.sampled_from(["o1", "o1", "o2"]), some.integers(1, 2), some.integers(-6, 0), some.booleans(),
)  # fmt: skip
markers = some.tuples(some.just("marker"), some.sampled_from(LANES), some.integers(1, 6))
repeats = some.tuples(some.just("repeat"), some.integers(0, 20))
holes = some.tuples(some.just("hole"), some.sampled_from(LANES))
logs = some.lists(some.one_of(events, events, events, markers, markers, repeats, holes), min_size=1, max_size=25)
sizes = some.integers(1, 9)
happenings = some.one_of(
    some.tuples(some.just("deliver"), sizes, some.integers(0, 6)),
    some.tuples(some.just("crash"), some.sampled_from(CRASH_POINTS), sizes),
    some.tuples(some.just("fail_sending"), some.integers(0, 3), sizes),
    some.tuples(some.just("meet_zombie"), some.integers(0, 4), sizes),
    some.sampled_from([("start",), ("vouch",), ("save",)]),
)


def write(partition: Partition, script: list[tuple[Any, ...]]) -> Partition:
    """Write a log: lanes whose clocks move, repeats, and records that come before what they follow."""
    now = dict.fromkeys(LANES, NOON)
    for kind, *arguments in script:
        if kind == "event":
            lane, type_, order, customer, ago, copied = arguments
            extra: dict[str, Any] = {"evidenceonly": True} if copied else {}
            data = {"order": order, "due": (NOON + 9 * STEP).isoformat(), "early": 5 if order == "o1" else "much"}
            partition.event(type_, now[lane] + ago * STEP, now[lane], lane=lane, customer=UUID(int=customer), data=data, **extra)
        elif kind == "marker":
            lane, steps = arguments
            now[lane] += steps * STEP
            partition.marker(now[lane] - timedelta(milliseconds=1), lane, lanes=2)
        elif kind == "hole":
            partition.event("delivered", NOON, NOON, lane=arguments[0], seq=partition.seqs.get(arguments[0], 0) + 2, id_="ahead")
            partition.seqs[arguments[0]] -= 2
        elif arguments[0] < len(partition.log):
            partition.log.append(partition.log[arguments[0]]._replace(offset=len(partition.log)))
    for lane in LANES:
        partition.marker(NOON + timedelta(days=3), lane, lanes=2)
    return partition


@contextmanager
def crowding() -> Iterator[None]:
    """Take every strand for one that has seen very many events."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "MANY", 1)
        patch.setattr(history, "MANY", 1)
        patch.setattr(history, "_WINDOW", 1)
        patch.setattr(settlement, "_FEW", 0)
        patch.setattr(remembered_module, "MOST", 2)
        yield


PLACED = {"when": {"type": "placed"}, "correlate": "data.order"}
PAUSES = {"pause": {"type": "paused"}, "resume": {"type": "resumed"}}
AROUND: dict[str, dict[str, Any]] = {
    "pauses": {"response": response()} | PAUSES | {"excuse": {"type": "excused"}, "warn": ["80%"]},
    "pauses-by": {"response": response(open="first", within=None, by="data.due"), "pause": {"type": "left"}, "resume": "other"},
    "resets": {"response": response(within="1 hours"), "reset": {"type": "again"}, "cancel": {"type": "cancelled"}},
    "resets-first": {"response": response(open="first"), "reset": {"type": "again"}} | PAUSES,
    "resets-absence": {"absence": PLACED | {"never": {"type": "left"}, "within": "2 hours"}, "reset": {"type": "again"}},
    "targets": {
        "response": response(within=None),
        "targets": [{"where": {"data.order": "o1"}, "within": "90 minutes"}, {"where": {"type": "again"}, "within": "40 minutes"}],
        "escalate_target": {"type": ["again", "left"]},
    } | PAUSES,
    "limits": {"limit": {"event": {"type": ["left", "placed"]}, "at_most": 2, "in": "2 hours", "correlate": "data.order"}},
    "precedes": {"precedence": {"event": {"type": "delivered"}, "after": {"type": "placed"},
        "no_sooner_than": "20 minutes", "within": "2 hours",
                                "correlate": "data.order"}, "excuse": {"type": "excused"}},
    "settles": {"settlement": PLACED | {"collect": {"type": ["left", "delivered"]}, "until": {"type": "failed"}, "within": "2 hours",
                                        "must": "count(events) >= 2 && sum(events, 'data.early') <= 10"}, "cancel": {"type": "cancelled"}},
    "recurs": {"recurrence": PLACED | {"expect": {"type": "delivered"}, "every": "40 minutes", "until": {"type": "failed"}}} | PAUSES,
    "steps": {"milestones": PLACED | {"steps": [
        {"name": "left", "expect": {"type": "left"}, "within": "1 hours"},
        {"name": "delivered", "expect": {"type": "delivered"}, "within": "1 hours", "from": "previous"},
    ]}, "broken_by": {"type": "failed"}},
    "both": {"all_of": PLACED | {"patterns": [
        {"response": {"expect": {"type": "delivered"}, "within": "2 hours"}},
        {"absence": {"never": {"type": "failed"}, "within": "1 hours"}},
    ]}},
}  # fmt: skip
"""One promise of every pattern and modifier that looks beyond its trigger."""


async def publish(engine: AsyncEngine) -> None:
    cancel = {"cancel": {"type": "cancelled"}, "broken_by": {"type": "failed"}}
    await promise(engine, "each", {"response": response(), "warn": ["50%", "10 minutes"], "grace": "15 minutes"})
    await promise(engine, "first", {"response": response(open="first", within=None, by="data.due"), **cancel})
    await promise(engine, "never", {"absence": {"when": {"type": "placed"}, "never": {"type": "left"}, "until": {"type": "delivered"}}})
    conformance = {"event": {"type": "left"}, "must": "data.early <= 10", "correlate": "data.order"}
    await promise(engine, "conforms", {"conformance": conformance})
    for name, spec in AROUND.items():
        await promise(engine, name, spec)


async def outcome(partition: Partition) -> dict[str, list[Any]]:
    """All that a partition has left in the database."""
    left: dict[str, list[Any]] = {table: await rows(partition.engine, table) for table in ("commitments", "quarantine")}
    left["outbox"] = await outbox(partition.engine)
    left["evidence"] = await rows(partition.engine, "evidence", "strand, event, time, arrival, id, type, marks")
    ((position, arrival, ordinal, state),) = await rows(partition.engine, "progress", "position, arrival, ordinal, state")
    return left | {"progress": [position, arrival, ordinal, orjson.loads(state)]}


async def pass_cleanly(partition: Partition, size: int) -> dict[str, list[Any]]:
    await clear(partition.engine, *TABLES)
    await partition.start()
    while partition.lane.progress.position < len(partition.log):
        await partition.deliver(size)
    await partition.save()
    return await outcome(partition)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    script=logs,
    happened=some.lists(happenings, max_size=10),
    size=some.integers(1, 30),
    remembered=some.sampled_from(MEMORIES),
    crowded=some.booleans(),
)
async def test_any_interleaving_of_deliver_redeliver_crash_zombie_and_rebalance_leaves_the_rows_of_one_clean_pass(
    script: list[tuple[Any, ...]], happened: list[tuple[Any, ...]], size: int, remembered: int, crowded: bool,  # noqa: FBT001
    partition: Callable[..., Partition], engine: AsyncEngine,
) -> None:  # fmt: skip
    """Breaks if position and effects part, if a zombie's batch counts, if facts hang on where a batch ends or on what is in memory."""
    await publish(engine)
    clean = await pass_cleanly(write(partition(remembered=0), script), size)
    await clear(engine, *TABLES)
    lane = write(partition(remembered=remembered), script)
    with crowding() if crowded else nullcontext():
        await lane.start()
        for name, *arguments in happened:
            await getattr(lane, name)(*arguments)
        await lane.deliver()
        await lane.save()
    await lane.start()
    assert await outcome(lane) == clean
    facts = [body for _, body in await outbox(engine)]
    assert read_once(lane.wire.sent, PROMISES) == ({("promises/0", 0): facts} if facts else {})


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(script=logs, limit=some.integers(1, 3), size=some.integers(1, 30), remembered=some.sampled_from(MEMORIES))
async def test_what_falls_due_in_chunks_says_the_same_of_each_commitment_in_the_same_order(
    script: list[tuple[Any, ...]], limit: int, size: int, remembered: int, partition: Callable[..., Partition], engine: AsyncEngine
) -> None:
    """Breaks if a chunk ends the barrier early, forgets what is left, or judges it at another barrier."""
    await publish(engine)
    whole = await pass_cleanly(write(partition(), script), 100)
    chunked = await pass_cleanly(write(partition(due_at_once=limit, remembered=remembered), script), size)
    for table in ("evidence", "quarantine"):
        assert chunked[table] == whole[table]
    assert [row[:-1] for row in chunked["commitments"]] == [row[:-1] for row in whole["commitments"]]
    assert by_commitment(chunked["commitments"], chunked["outbox"]) == by_commitment(whole["commitments"], whole["outbox"])


def by_commitment(commitments: list[Any], outbox: list[Any]) -> dict[UUID, list[bytes]]:
    """What was said of each, as its row points to it."""
    facts = dict(outbox)
    return {row[0]: [facts[int(ordinal)] for ordinal in row[-1].split()] for row in commitments}
