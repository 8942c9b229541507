"""Whatever happens to the processes, a raw lane leaves the rows and sends the effects of one clean pass."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.journey.domain import customer_key
from services.journey.records import DEAD_LETTERS, JOURNEY
from tests.driving import CRASH_POINTS, NOON, clear, read_once, rows, touchpoint
from tests.journey.conftest import ORDER, TABLES, Raw, declare

RUBBISH = (None, b"", b"[]", b"{", b'{"specversion":"1.0"}', b"\xff\xfe", b'{"a":1,"a":2}', touchpoint("x", subject=None))
NAMING = tuple(
    touchpoint(f"bad{number}", type_, subject=subject, time=None, data={"order": order})
    for number, (type_, subject, order) in enumerate([
        ("order.placed", "crm:1", None), ("order.placed", "order:o1", None), ("order.seen", None, "o2"), ("order.seen", "crm:2", "o1"),
    ])
)  # fmt: skip
DESCRIBING = tuple(
    touchpoint(f"d{hour}{tier}", "customer.described", subject=subject, time=(NOON - timedelta(hours=hour)).isoformat(),
               data={"attributes": {"tier": tier}})
    for hour, subject, tier in [(0, "crm:1", "gold"), (1, "crm:1", None), (1, "crm:2", "blue"), (2, "order:o1", "thing")]
)  # fmt: skip
OWN = f"customer:{customer_key('order:o1')}"
TICK = touchpoint("t", "makegood.tick", source="makegood/journey")

COLUMNS = {
    "journal": "lane, partition, incarnation, lpad(seq::text, 9, '0'), customer, event, time, arrival, copied, body",
    "quarantine": "lane, position, reason, detail, place, source, arrival, key, value, headers, held::text",
}

events = some.builds(
    lambda id_, subject, order, ago, text: (
        touchpoint(
            f"e{id_}", "order.seen" if order else "order.placed", subject=subject, time=(NOON - ago).isoformat(),
            data={"order": order, "text": text},
        )
    ),
    some.integers(0, 9), some.sampled_from(["crm:1", "crm:2", "order:o1", "order:o2", OWN]), some.sampled_from([None, None, "o1", "o2"]),
    some.sampled_from([timedelta(0), timedelta(hours=1), timedelta(hours=13)]), some.sampled_from(["a", "a", "b"]),
)  # fmt: skip
others = some.sampled_from((TICK, *RUBBISH, *NAMING, *NAMING, *DESCRIBING))
logs = some.lists(some.one_of(events, events, events, others), min_size=1, max_size=14)
sizes = some.integers(1, 6)
happenings = some.one_of(
    some.tuples(some.just("deliver"), sizes, some.integers(0, 4)),
    some.tuples(some.just("crash"), some.sampled_from(CRASH_POINTS), sizes),
    some.tuples(some.just("fail_sending"), some.integers(0, 3), sizes),
    some.tuples(some.just("meet_zombie"), some.integers(0, 3), sizes),
    some.sampled_from([("start",), ("vouch",), ("save",)]),
)


async def outcome(lane: Raw) -> dict[str, list[tuple[Any, ...]]]:
    """All that a lane has left in the database, aside from how the refused stand among the journalled of one batch."""
    left = {table: await rows(lane.engine, table, COLUMNS.get(table, "*")) for table in TABLES if table != "progress"}
    ((position, arrival, ordinal, state),) = await rows(lane.engine, "progress", "position, arrival, ordinal, state")
    state = orjson.loads(state)
    counts = {name: number for name, number in state.get("counts", {}).items() if number}
    return left | {"progress": [(position, arrival, ordinal, state.get("seqs"), counts)]}


async def pass_cleanly(lane: Raw, log: list[bytes | None], size: int) -> dict[str, list[tuple[Any, ...]]]:
    await clear(lane.engine, *TABLES)
    for second, value in enumerate(log):
        lane.add(value, arrival=NOON + timedelta(seconds=second))
    await lane.start()
    while lane.lane.progress.position < len(log):
        await lane.deliver(size)
    await lane.save()
    return await outcome(lane)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(log=logs, happened=some.lists(happenings, max_size=10), size=some.integers(1, 14))
async def test_any_interleaving_of_deliver_redeliver_crash_zombie_and_rebalance_leaves_the_rows_of_one_clean_pass(
    log: list[bytes | None], happened: list[tuple[Any, ...]], size: int, raw: Callable[..., Raw], engine: AsyncEngine
) -> None:
    """Breaks if position and effects part, if a zombie's batch counts, or if an outcome hangs on where a batch ends."""
    await declare(engine, "order.seen", ORDER)
    clean = await pass_cleanly(raw(), log, size)
    lane = raw()
    await clear(engine, *TABLES)
    for second, value in enumerate(log):
        lane.add(value, arrival=NOON + timedelta(seconds=second))
    await lane.start()
    for name, *arguments in happened:
        await getattr(lane, name)(*arguments)
    await lane.deliver()
    await lane.save()
    await lane.start()
    assert await outcome(lane) == clean
    await everything_was_published_once_and_in_order(lane)


async def everything_was_published_once_and_in_order(lane: Raw) -> None:
    """Read by high-water mark, what was sent is the journal, lane by lane and partition by partition."""
    expected: dict[tuple[str, int], list[bytes]] = {}
    journal = await rows(lane.engine, "journal", "lane, partition, lpad(seq::text, 9, '0'), body")
    for name, partition, _, body in journal:
        expected.setdefault((name, partition), []).append(body)
    assert read_once(lane.wire.sent, JOURNEY) == expected
    origins = {dict(each.headers)["makegood-origin"] for each in lane.wire.sent if each.topic == DEAD_LETTERS}
    assert len(origins) == len(await rows(lane.engine, "quarantine"))
