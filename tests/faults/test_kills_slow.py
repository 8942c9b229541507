"""The long tier: more kills, and owners stopped where no timeout of the database reaches them."""

from random import Random

import pytest

from tests.faults import faults
from tests.faults.conftest import Judged
from tests.faults.driver import System
from tests.faults.orders import Plan

pytestmark = pytest.mark.slow
LONG = 600.0


@pytest.mark.parametrize("name", ["journey-consume", "promises-consume"])
async def test_an_owner_stopped_inside_a_copy_loses_its_lane_and_does_no_harm(system: System, seed: int, judged: Judged, name: str) -> None:
    """Breaks if a contender for the lane's row does not end the backend that holds it: no timeout fires inside a COPY."""
    async with (
        faults.behind(system, name, Plan(seed, f"copy-{name}", 30, 50)),
        faults.stopped_inside_copy(system, name),
        system.load(Plan(seed, f"zombie-{name}", LONG, 20)),
        faults.taken_over(system, name),
    ):
        pass
    await faults.end_second(system, name)
    await judged(system)


async def test_forty_kills_at_random_leave_nothing_lost_doubled_or_falsely_broken(system: System, seed: int, judged: Judged) -> None:
    """Breaks as the quick tier's do, at more moments."""
    async with system.load(Plan(seed, "forty", LONG, 15)):
        await faults.kill_at_random(system, Random(f"{seed}/forty"), 40, 8)
    await judged(system)
