"""Whatever dies or stops under load, nothing is lost, doubled, or called broken that was not."""

import asyncio
import json
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import pytest

from tests.faults import faults
from tests.faults.conftest import Judged
from tests.faults.driver import STRUCTURED, TOUCHPOINTS, System, producer, until
from tests.faults.faults import CONSUMERS
from tests.faults.orders import LANES, Plan

LONG = 300.0


@pytest.mark.row(1)
async def test_a_process_that_dies_at_any_crash_point_leaves_nothing_lost_doubled_or_falsely_broken(
    system: System, seed: int, judged: Judged
) -> None:
    """Breaks if position and effects commit apart, or what was committed is not published by whoever comes next."""
    async with system.load(Plan(seed, "points", LONG, 20)):
        await asyncio.gather(*(faults.die_at_every_crash_point(system, each, Random(f"{seed}/{each}")) for each in CONSUMERS))
    await judged(system)


@pytest.mark.row(1)
async def test_processes_killed_at_random_leave_nothing_lost_doubled_or_falsely_broken(system: System, seed: int, judged: Judged) -> None:
    """Breaks as above, at moments that nobody thought of."""
    async with system.load(Plan(seed, "random", LONG, 20)):
        await faults.kill_at_random(system, Random(f"{seed}/kills"), 5, 3)
    await judged(system)


@pytest.mark.row(4)
async def test_an_owner_that_was_stopped_past_its_session_does_no_harm_when_it_goes_on(system: System, seed: int, judged: Judged) -> None:
    """Breaks if a late send is not told from a new one, or a write does not begin with the compare-and-set.

    The first, going on beside the one that took over, sends what was sent already. The first, going on where the other is
    dead, is the last to write: what it believes must not stand.
    """
    async with system.load(Plan(seed, "zombies", LONG, 20)):
        await asyncio.gather(_goes_on_beside(system, "promises-consume"), _goes_on_alone(system, "journey-consume"))
    await judged(system)


async def _goes_on_beside(system: System, name: str) -> None:
    async with faults.stopped(system, name), faults.taken_over(system, name):
        pass
    await faults.end_second(system, name)


async def _goes_on_alone(system: System, name: str) -> None:
    async with faults.stopped(system, name), faults.taken_over(system, name):
        await faults.end_second(system, name)


@pytest.mark.row(10)
async def test_a_failure_in_a_fast_lane_does_not_break_what_evidence_in_a_slow_lane_keeps(
    system: System, seed: int, judged: Judged
) -> None:
    """Breaks if a failure may be said before every lane has come as far as it."""
    second = "journey-consume-2"
    await system.restart(second)
    orders = [(f"lanes-{seed}-{fast}-{slow}", fast, slow) for fast in range(LANES) for slow in range(LANES) if fast != slow]
    await _tell(system, "placed", [(order, fast) for order, fast, _ in orders])
    await _journalled(system, "placed", len(orders))
    system.signal(second, signal.SIGSTOP)
    await _tell(system, "delivered", [(order, slow) for order, _, slow in orders])
    await _tell(system, "lost", [(order, fast) for order, fast, _ in orders])
    await _journalled(system, "lost", len(orders) // 4)
    system.signal(second, signal.SIGCONT)
    found = await judged(system)
    where = {(row["type"], row["id"]): row["pos"] for row in found.tables["journey_topic"] if row["id"].startswith("lanes-")}
    assert sum(where["order.lost", order] < where["order.delivered", order] for order, *_ in orders) >= LANES
    await system.kill(second)
    system.forget(second)


async def _tell(system: System, what: str, orders: Sequence[tuple[str, int]]) -> None:
    """Send an event of each order by its lane, and wait until all have arrived."""
    now = datetime.now(UTC)
    async with producer(system.running.kafka) as to:
        for order, lane in orders:
            data = {"order_id": order, "total": 1, "due": now.replace(year=now.year + 1, day=1).isoformat()}
            event = {"specversion": "1.0", "id": order, "source": f"shop/{what}", "type": f"order.{what}", "subject": f"crm:{order}"}
            value = json.dumps(event | {"time": now.isoformat(timespec="milliseconds"), "data": data}).encode()
            await to.send_and_wait(TOUCHPOINTS, value, partition=lane, headers=STRUCTURED)


async def _journalled(system: System, what: str, number: int) -> None:
    """Wait until so many of these orders' events are in the journal."""
    like = f'%"type":"order.{what}"%'
    query = (
        "SELECT count(*) >= $1 FROM journey.journal WHERE convert_from(body, 'UTF8') LIKE $2 AND convert_from(body, 'UTF8') LIKE '%lanes-%'"
    )
    async with system.database() as database:
        await until(lambda: database.fetchval(query, number, like), f"{number} orders are {what}", 5)
