"""What is done to a running system: kills at crash points and at random, and owners that stop and come back."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

from tests.faults.driver import KILLED, System, until
from tests.faults.orders import Plan

CONSUMERS: Final = ("journey-consume", "promises-consume", "recovery-consume")
CRASH_POINTS: Final = ("before-claim", "after-claim", "before-commit", "after-commit", "after-publish")


MOVING: Final = {"journey": "makegood.touchpoints", "promises": "makegood.journey", "recovery": "makegood.promises"}
"""The topics whose lanes always move, by service."""


async def die_at_every_crash_point(system: System, name: str, draw: Random) -> None:
    """End a process in order, and let its successors die one after the other, each at its own point; the last one lives."""
    system.signal(name, signal.SIGTERM)
    await system.died(name)
    for point in draw.sample(CRASH_POINTS, len(CRASH_POINTS)):
        system.start(name, f"{point}:{draw.randint(1, 8)}")
        code = await system.died(name)
        assert code == KILLED, f"{name} ended with {code} instead of dying {point}"
        system.done["kills"] += 1
    await system.restart(name)


async def kill_at_random(system: System, draw: Random, times: int, longest: float) -> None:
    """SIGKILL any service's consumer, ready or still starting, and start it again; at most `longest` seconds between."""
    for _ in range(times):
        await asyncio.sleep(draw.uniform(0, longest))
        name = draw.choice(CONSUMERS)
        await system.kill(name)
        system.start(name)
    await asyncio.gather(*(system.ready(name) for name in CONSUMERS))


async def freeze_at_random(system: System, draw: Random, times: int) -> None:
    """Let two processes of each service share its lanes; stop one of them until the other has taken over, and let it go on."""
    seconds = [f"{name}-2" for name in CONSUMERS]
    await asyncio.gather(*(system.restart(name) for name in seconds))
    for _ in range(times):
        name = draw.choice([*CONSUMERS, *seconds])
        async with stopped(system, name):
            await moves_on(system, name)
    for name in seconds:
        await system.kill(name)
        system.forget(name)


async def come_and_go(system: System, times: int, seconds: float) -> None:
    """Let a second process of each service join its group and leave it again, killed every other time, so often."""
    names = [f"{name}-2" for name in CONSUMERS]
    for each in range(times):
        for name in names:
            system.start(name)
        await asyncio.sleep(seconds)
        for name in names:
            if each % 2:
                await system.kill(name)
            else:
                system.signal(name, signal.SIGTERM)
                await system.died(name)
            system.forget(name)


async def slow_lanes(system: System, name: str, times: int = 2, seconds: float = 4) -> None:
    """Stop a process again and again, not long enough to lose its lanes: what comes by them is read later than the rest."""
    for _ in range(times):
        system.signal(name, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        system.signal(name, signal.SIGCONT)
        await moves_on(system, name)


@asynccontextmanager
async def stopped(system: System, name: str) -> AsyncIterator[None]:
    """Stop a process for the length of the block; then it goes on, believing that all is still its own."""
    system.signal(name, signal.SIGSTOP)
    yield
    system.signal(name, signal.SIGCONT)
    await moves_on(system, name)


@asynccontextmanager
async def taken_over(system: System, name: str) -> AsyncIterator[None]:
    """Let a second process take over all lanes of one that is stopped; it lives on when the block has ended."""
    system.start(f"{name}-2")
    await moves_on(system, name)
    yield


async def end_second(system: System, name: str) -> None:
    """Kill the second process."""
    await system.kill(f"{name}-2")
    system.forget(f"{name}-2")


async def moves_on(system: System, name: str, seconds: float = 60) -> None:
    """Wait until every lane of a process's service has been moved by somebody."""
    service = name.partition("-")[0]
    query = f"SELECT topic || '/' || partition, position FROM {service}.progress"
    async with system.database() as database:
        before = dict(await database.fetch(query))

        async def moved() -> bool:
            now = dict(await database.fetch(query))
            return all(now[lane] > position for lane, position in before.items() if lane.startswith(MOVING[service]))

        await until(moved, f"every lane of {service} moves on", seconds)


INSIDE_COPY: Final = "query LIKE 'COPY %' AND state = 'active' AND wait_event = 'ClientRead'"
INSIDE_TRANSACTION: Final = "state = 'idle in transaction'"


@asynccontextmanager
async def stopped_inside(system: System, name: str, where: str) -> AsyncIterator[None]:
    """Stop a process while Postgres waits for the rest of its COPY, or for the next statement of its transaction.

    Needs records by the thousand to be waiting, so that either takes long enough to be caught. Inside a COPY no timeout of
    the database reaches it.
    """
    watch = f"SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND {where}"
    async with system.database() as database:

        async def inside() -> Any:
            return await database.fetch(watch, f"makegood-{name.partition('-')[0]}")

        async def caught() -> bool:
            if not await inside():
                return False
            system.signal(name, signal.SIGSTOP)
            await _looked(database)
            if await inside():
                return True
            system.signal(name, signal.SIGCONT)
            system.done["freezes"] -= 1
            return False

        await until(caught, f"{name} is stopped inside", 60, poll=0)
    yield
    system.signal(name, signal.SIGCONT)
    await moves_on(system, name)


async def _looked(database: Any) -> None:
    """Let what a stopped process had sent before arrive."""
    await database.execute("SELECT pg_sleep(0.05)")


@asynccontextmanager
async def behind(system: System, name: str, plan: Plan) -> AsyncIterator[None]:
    """Let a whole load wait for a process when the block begins."""
    system.signal(name, signal.SIGSTOP)
    await system.burst(plan)
    if name != "journey-consume":
        await moves_on(system, "journey-consume")
    system.signal(name, signal.SIGCONT)
    yield
