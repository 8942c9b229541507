"""One running system a module; after each fault the oracle looks at everything that has happened in it so far."""

import os
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.faults import driver, oracle, recorded
from tests.faults.driver import System
from tests.faults.recorded import Recorded
from tests.faults.terms import ORDERS, RECOVERY

Judged = Callable[[System], Awaitable[Recorded]]


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of every load and of every choice; `MAKEGOOD_SEED` repeats one. Pytest shows it where a test fails."""
    chosen = int(os.environ.get("MAKEGOOD_SEED") or secrets.randbelow(1_000_000))
    print(f"MAKEGOOD_SEED={chosen}")  # noqa: T201  (to repeat it)
    return chosen


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """A system on the live clock, durable, with quick promises."""
    with driver.system() as running:
        yield running


@pytest.fixture
def judged(seed: int, record_property: Callable[[str, object], None]) -> Judged:
    """Give what waits until all is quiet and lets the oracle judge; returns what it read.

    What was done and what the oracle found is noted for the table (`tally.py`).
    """

    async def judge(system: System) -> Recorded:
        await system.quiet()
        found = await recorded.read(system.running.kafka, system.running.database["admin"])
        findings = oracle.judge(found, ORDERS + RECOVERY)
        system.done["records"] = len(found.tables["raw"]) - system.seen
        system.seen = len(found.tables["raw"])
        for name, number in (system.done + Counter(findings.by_kind())).items():
            record_property(name, number)
        system.done.clear()
        print(f"MAKEGOOD_SEED={seed}\n{findings}")  # noqa: T201  (what the run has seen)
        assert not findings.wrong, f"MAKEGOOD_SEED={seed}\n{findings}"
        return found

    return judge
