"""The long tier: more kills, and owners stopped where no timeout of the database reaches them."""

import asyncio
import signal
import time
from random import Random

import pytest

from tests.faults import faults
from tests.faults.conftest import Judged
from tests.faults.driver import System
from tests.faults.faults import CONSUMERS
from tests.faults.orders import Plan

LONG = 900.0


@pytest.mark.slow
@pytest.mark.row(4)
@pytest.mark.parametrize("name", ["journey-consume", "promises-consume"])
async def test_an_owner_stopped_inside_a_copy_loses_its_lane_and_does_no_harm(system: System, seed: int, judged: Judged, name: str) -> None:
    """Breaks if a contender for the lane's row does not end the backend that holds it: no timeout fires inside a COPY."""
    await _taken_over_while_stopped(system, seed, name, faults.INSIDE_COPY)
    await judged(system)


@pytest.mark.faults
@pytest.mark.row(4)
@pytest.mark.parametrize("name", ["journey-consume", "promises-consume"])
async def test_an_owner_stopped_inside_a_transaction_loses_its_lane_and_does_no_harm(
    system: System, seed: int, judged: Judged, name: str
) -> None:
    """Breaks if what it goes on to write counts though the lane was moved meanwhile."""
    await _taken_over_while_stopped(system, seed, name, faults.INSIDE_TRANSACTION)
    await judged(system)


async def _taken_over_while_stopped(system: System, seed: int, name: str, where: str) -> None:
    """Stop an owner there, under load, let another one take its lanes, and let it go on."""
    async with (
        faults.behind(system, name, Plan(seed, f"behind-{name}", 30, 50)),
        faults.stopped_inside(system, name, where),
        system.load(Plan(seed, f"meanwhile-{name}", LONG, 20)),
        faults.taken_over(system, name),
    ):
        pass
    await faults.end_second(system, name)


@pytest.mark.faults
@pytest.mark.row(4)
async def test_owners_stopped_past_their_session_one_after_the_other_do_no_harm(system: System, seed: int, judged: Judged) -> None:
    """Breaks as the quick tier's do, at more moments."""
    async with system.load(Plan(seed, "freezes", LONG, 15)):
        await faults.freeze_at_random(system, Random(f"{seed}/freezes"), 12)
    await judged(system)


@pytest.mark.faults
@pytest.mark.row(3)
async def test_a_process_that_is_told_to_end_has_ended_in_order_within_ten_seconds(system: System, seed: int, judged: Judged) -> None:
    """Breaks if what is in hand is dropped, or waited for longer than the drain may take."""
    async with system.load(Plan(seed, "rolling", LONG, 20)):
        for name in CONSUMERS * 3:
            began = time.monotonic()
            system.signal(name, signal.SIGTERM)
            assert await system.died(name) == 0
            assert time.monotonic() - began <= 10
            await system.restart(name)
    await judged(system)


@pytest.mark.faults
@pytest.mark.row(6)
async def test_members_that_come_and_go_every_two_seconds_stop_nobody(system: System, seed: int, judged: Judged) -> None:
    """Breaks if a group that is never at rest makes no progress, or a lane that changes hands is applied twice."""
    async with system.load(Plan(seed, "members", LONG, 20)):
        await faults.moves_on(system, "promises-consume")
        going = asyncio.create_task(faults.come_and_go(system, 15, 2))
        moves = 0
        while not going.done():
            await faults.moves_on(system, "promises-consume", 30)
            moves += 1
        await going
        assert moves > 2
    await judged(system)


@pytest.mark.slow
@pytest.mark.row(1)
async def test_forty_kills_at_random_leave_nothing_lost_doubled_or_falsely_broken(system: System, seed: int, judged: Judged) -> None:
    """Breaks as the quick tier's do, at more moments."""
    async with system.load(Plan(seed, "forty", LONG, 15)):
        await faults.kill_at_random(system, Random(f"{seed}/forty"), 40, 8)
    await judged(system)


@pytest.mark.faults
@pytest.mark.row(1)
async def test_a_hundred_kills_in_quick_succession_leave_nothing_lost_doubled_or_falsely_broken(
    system: System, seed: int, judged: Judged
) -> None:
    """Breaks as above; most of these die before they have begun."""
    async with system.load(Plan(seed, "hundred", LONG, 15)):
        await faults.kill_at_random(system, Random(f"{seed}/hundred"), 100, 4)
    await judged(system)
