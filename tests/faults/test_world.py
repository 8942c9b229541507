"""The world around: what is late, repeated, impossible or rubbish, one who has most of the traffic, clocks that jump, backlogs."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

import pytest

from tests.faults import clocks, faults, malformed, servers
from tests.faults.conftest import Judged
from tests.faults.driver import MADE_TO_BE_REFUSED, STRUCTURED, TOUCHPOINTS, System, producer, until
from tests.faults.faults import CONSUMERS
from tests.faults.orders import LANES, LatePlan, Plan
from tests.faults.recorded import Recorded

pytestmark = pytest.mark.faults
LONG = 600.0
CORPUS = 10_000


@pytest.mark.row(10)
async def test_what_is_up_to_seven_days_late_corrects_what_it_must_and_once(system: System, seed: int, judged: Judged) -> None:
    """Breaks if a verdict depends on the order in which events arrive."""
    await system.play(LatePlan(seed, "late", 30, 60))
    await judged(system)


@pytest.mark.row(10)
async def test_a_flood_of_duplicates_conflicts_and_late_events_is_judged_as_each_of_them_alone(
    system: System, seed: int, judged: Judged
) -> None:
    """Breaks if what comes twice at once, in two lanes of one batch each, counts twice."""
    await system.burst(Plan(seed, "flood", 20, 1000))
    await judged(system)


@pytest.mark.row(17)
async def test_a_backlog_is_judged_as_if_it_had_been_read_at_once(system: System, seed: int, judged: Judged) -> None:
    """Breaks if a barrier that jumps, with all that fell due meanwhile, says anything but what each moment would have said."""
    for name in CONSUMERS:
        await system.kill(name)
    await system.burst(Plan(seed, "backlog", 40, 400))
    await asyncio.gather(*(system.restart(name) for name in CONSUMERS))
    await judged(system)


@pytest.mark.row(12)
async def test_ten_thousand_malformed_records_are_all_accounted_for_and_delay_nobody(system: System, seed: int, judged: Judged) -> None:
    """Breaks if any of them stops a lane, is passed over without a reason, or holds up those around it for five seconds."""
    await _refused(system, seed, CORPUS, LANES, judged)


@pytest.mark.row(13)
async def test_a_source_that_sends_only_rubbish_into_one_lane_stops_it_not(system: System, seed: int, judged: Judged) -> None:
    """Breaks if bad input counts as our own code's fault."""
    await _refused(system, seed + 1, 2000, 1, judged)


async def _refused(system: System, seed: int, number: int, lanes: int, judged: Judged) -> None:
    async with system.load(Plan(seed, f"beside-{number}", LONG, 20)), system.database() as database:
        before = await database.fetchval("SELECT count(*) FROM journey.quarantine")
        watching = asyncio.create_task(_slowest(system, sending := asyncio.Event()))
        async with producer(system.running.kafka) as to:
            for each, value in enumerate(malformed.records(seed, number)):
                await to.send(TOUCHPOINTS, value, key=b"any", partition=each % lanes, headers=[*STRUCTURED, MADE_TO_BE_REFUSED])

        async def all_refused() -> bool:
            return bool(await database.fetchval("SELECT count(*) >= $1 FROM journey.quarantine", before + number))

        await until(all_refused, f"{number} records are refused", 120)
        sending.set()
        assert await watching < 5
    await judged(system)


async def _slowest(system: System, stop: asyncio.Event) -> float:
    """How far, in seconds, the slowest partition's barrier lay behind the clock at most until it is told to stop."""
    slowest = 0.0
    async with system.database() as database:
        while not stop.is_set():
            late = await database.fetchval("SELECT extract(epoch FROM clock_timestamp() - min(arrival)) FROM promises.progress")
            slowest = max(slowest, float(late))
            await asyncio.sleep(0.1)
    return slowest


@pytest.mark.row(11)
async def test_impossible_times_are_refused_and_change_no_verdict_of_others(system: System, seed: int, judged: Judged) -> None:
    """Breaks if an event's own time could move the clock by which others are judged."""
    async with system.load(Plan(seed, "times", LONG, 20)), producer(system.running.kafka) as to:
        for number in range(500):
            event = _impossible(seed, number)
            await to.send(TOUCHPOINTS, event, partition=number % LANES, headers=[*STRUCTURED, MADE_TO_BE_REFUSED])
        await servers.all_move_on(system, 30)
    await judged(system)


def _impossible(seed: int, number: int) -> bytes:
    wrong = (
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "2026-11-24T00:00:00",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+12:00",
    )
    names = f'"id":"time-{seed}-{number}","source":"shop/times","subject":"crm:time-{seed}-{number}"'
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    return f'{{"specversion":"1.0","type":"order.placed","time":"{(*wrong, soon)[number % 6]}","data":{{}},{names}}}'.encode()


@pytest.mark.row(14)
async def test_one_who_has_most_of_the_traffic_slows_the_others_down_little(system: System, seed: int, judged: Judged) -> None:
    """Breaks if a customer's past is judged anew with each of their events: those behind them in their lane would wait."""
    slowest = {}
    for name, hot in (("even", 0.1), ("hot", 0.8)):
        await system.play(Plan(seed, name, 20, 40, hot=hot))
        found = await judged(system)
        slowest[name] = _p99(found, name)
    assert slowest["hot"] <= max(2 * slowest["even"], 1.0), slowest


def _p99(found: Recorded, name: str) -> float:
    """Seconds from the arrival of a trigger until its commitment was said to be open, of those who have little traffic."""
    arrived: dict[str, int] = {}
    for row in found.tables["raw"]:
        if row["kind"] == "event" and row["subject"].startswith(f"crm:{name}-") and row["subject"] != f"crm:{name}-0":
            arrived.setdefault(row["event"], row["stamp"])
    said = [row for row in found.tables["promises_topic"] if row["kind"] == "opened" and row["trigger_event"] in arrived]
    waits: list[float] = [(row["stamp"] - arrived[row["trigger_event"]]) / 1000 for row in said]
    return quantiles(waits, n=100)[98]


@pytest.mark.row(7)
async def test_programs_that_take_the_processor_slow_it_down_and_no_more(system: System, seed: int, judged: Judged) -> None:
    """Breaks if what takes long because somebody else works is tried for ever, or given up."""
    async with system.load(Plan(seed, "hog", LONG, 20)):
        with _hogs(2 * (os.cpu_count() or 1)):
            await asyncio.sleep(20)
            await servers.all_move_on(system, 60)
    await judged(system)


@contextmanager
def _hogs(number: int) -> Iterator[None]:
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()


@pytest.mark.row(15)
@pytest.mark.parametrize("name", CONSUMERS)
@pytest.mark.skipif(not clocks.PRELOADED, reason="libfaketime was not found (Debian: libfaketime)")
async def test_a_process_whose_clock_jumps_a_day_ahead_and_an_hour_back_says_the_same(
    system: System, seed: int, judged: Judged, name: str, tmp_path: Path
) -> None:
    """Breaks if any verdict reads a wall clock; journey, an hour behind its broker, holds its lanes and goes on once that is mended."""
    clock = clocks.Clock(tmp_path)
    async with system.load(Plan(seed, f"clock-{name}", LONG, 20)):
        await system.kill(name)
        await system.restart(name, **clock.environment)
        for ahead in ("+1d", "-1h"):
            clock.set(ahead)
            await asyncio.sleep(8)
            if name != "journey-consume" or ahead != "-1h":
                await faults.moves_on(system, name)
        clock.set("+0")
        await servers.all_move_on(system, 15)
        await system.kill(name)
        await system.restart(name)
    await judged(system)
