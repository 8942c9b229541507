"""The oracle finds what it is there for: bugs put into the running product on purpose, each of them, by what they do."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg
import pytest

from deploy import topics
from deploy.local import stack
from deploy.local.programs import API, SERVICES
from tests.faults import driver, faults, oracle, recorded
from tests.faults.driver import NotInTimeError, System
from tests.faults.faults import CONSUMERS
from tests.faults.orders import Plan
from tests.faults.seeded import BUGS, Bug
from tests.faults.terms import ORDERS, RECOVERY

pytestmark = pytest.mark.faults
SEED = 7
CLEAN = "makegood_clean"
BARE = [replace(each, roles=(API,) if each.name == "promises" else (), live=()) for each in SERVICES if each.name in driver.READERS]
"""What is needed to publish promises; the rest is started with its bug, or without one."""


@pytest.fixture(scope="module")
def bare() -> Iterator[System]:
    """A system in which nothing has happened yet."""
    with driver.system(BARE) as running:
        yield running


@pytest.fixture
async def anew(bare: System) -> System:
    """The system as it was before anything happened in it."""
    aside = await asyncpg.connect(urlsplit(bare.running.database["admin"])._replace(path="/postgres").geturl())
    for name in bare.running.living():
        if name not in (stack.POSTGRES, stack.KAFKA):
            await bare.kill(name)
    for name in set(bare.running.pids) - {stack.POSTGRES, stack.KAFKA}:
        bare.forget(name)
    if not await aside.fetchval("SELECT true FROM pg_database WHERE datname = $1", CLEAN):
        await aside.execute(f'ALTER DATABASE "{stack.DATABASE}" RENAME TO "{CLEAN}"')
    await aside.execute(f'DROP DATABASE IF EXISTS "{stack.DATABASE}" WITH (FORCE)')
    await aside.execute(f'CREATE DATABASE "{stack.DATABASE}" TEMPLATE "{CLEAN}"')
    await aside.close()
    wanted = topics.read()
    await topics.delete(bare.running.kafka, [each.name for each in wanted])
    await topics.create(bare.running.kafka, wanted, bare.running.clock)
    return bare


async def test_without_a_bug_nothing_is_found(anew: System) -> None:
    """Breaks if the oracle, or what is done for it to find, accuses anybody who did nothing."""
    assert await _found(anew, "", Bug("promises", lambda: None, "", slow_lane=True, zombie=True)) == {}


@pytest.mark.parametrize("name", BUGS)
async def test_a_bug_in_the_running_product_is_found(anew: System, name: str) -> None:
    """Breaks if the oracle looks away."""
    found = await _found(anew, name, BUGS[name])
    assert found.keys() & set(BUGS[name].found_as.split()), found


async def _found(system: System, name: str, bug: Bug) -> dict[str, int]:
    """Let a load go through a system of which one service has a bug; what the oracle finds, by its kind."""
    buggy = f"{bug.service}-consume"
    for each in CONSUMERS:
        system.start(each, bug=name if each == buggy else "")
    if bug.slow_lane:
        system.start("journey-consume-2")
    if not bug.dies:
        await asyncio.gather(*(system.ready(each) for each in system.running.health))
    plan = Plan(SEED, "seeded", 10, 15)
    async with system.load(plan):
        await _make_it_show(system, name, bug, buggy)
        await asyncio.sleep(10)
    await system.play(Plan(SEED, "after", 1, 10))
    try:
        await system.quiet(40)
    except NotInTimeError:
        if not name:
            raise
    found = await recorded.read(system.running.kafka, system.running.database["admin"])
    findings = oracle.judge(found, ORDERS + RECOVERY)
    print(f"{name}: {list(findings.wrong)}")  # noqa: T201  (by what it was found)
    return {kind: number for kind, number in findings.by_kind().items() if number}


async def _make_it_show(system: System, name: str, bug: Bug, buggy: str) -> None:
    """Do what the bug cannot stand."""
    if bug.dies:
        assert await system.died(buggy) == driver.KILLED
        await system.restart(buggy)
    if bug.zombie:
        async with faults.stopped(system, buggy):
            system.start(f"{buggy}-2", bug=name)
            await faults.moves_on(system, buggy)
    if bug.slow_lane:
        await faults.slow_lanes(system, "journey-consume-2")
