"""Records a small run without faults, for the oracle's own tests: `python -m tests.faults SEED FILE`."""

import asyncio
import sys
from pathlib import Path

from tests.faults import driver, oracle, recorded
from tests.faults.orders import Plan
from tests.faults.terms import ORDERS, RECOVERY


async def record(system: driver.System, seed: int, path: Path) -> None:
    """Play a small load, wait until all is quiet, keep what can be read."""
    await system.play(Plan(seed, "recorded", 8, 10))
    await system.quiet()
    found = await recorded.read(system.running.kafka, system.running.database["admin"])
    print(oracle.judge(found, ORDERS + RECOVERY))  # noqa: T201  (a script prints)
    found.save(path)


if __name__ == "__main__":
    with driver.system() as running:
        asyncio.run(record(running, int(sys.argv[1]), Path(sys.argv[2])))
