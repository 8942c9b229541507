"""The matrix of faults from the command line: `run` all rows once, `soak` by the hour, show the `table`, `record` for the oracle's tests.

The counts of `run` and `soak` are added up in `.local/faults.json` for as long as the product stays the same.
"""

import argparse
import asyncio
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.faults import driver, oracle, recorded, tally
from tests.faults.matrix import ROWS
from tests.faults.orders import Plan
from tests.faults.terms import ORDERS, RECOVERY

OWN = "tests/faults"


def run(arguments: argparse.Namespace) -> int:
    """Run every row of the matrix once; then the oracle's own bugs."""
    chosen = {int(each) for each in arguments.rows.split(",")} if arguments.rows else set(ROWS)
    elsewhere = [test for number, row in ROWS.items() if number in chosen for test in row.tests]
    return _pytest([OWN, *elsewhere], "", "--rows", arguments.rows)


def soak(arguments: argparse.Namespace) -> int:
    """Run what is done to whole systems again and again, each time with another seed."""
    until = time.monotonic() + arguments.hours * 3600
    failed = 0
    while time.monotonic() < until:
        failed |= _pytest([OWN], "row")
    return failed


def _pytest(what: list[str], marked: str, *options: str) -> int:
    without = [] if shutil.which("chromium") else ["not browser"]
    selected = " and ".join([*([marked] if marked else []), *without])
    command = (sys.executable, "-m", "pytest", "-p", "tests.faults.tally", "--tb=short", "-v", "-m", selected, *options, *what)
    return subprocess.run(command, check=False).returncode


def table(_: argparse.Namespace) -> int:
    """Show what was counted of this version so far."""
    print(tally.table(tally.read(tally.version())))  # noqa: T201  (a script prints)
    return 0


def record(arguments: argparse.Namespace) -> int:
    """Play a small load without faults, and keep what can be read of it."""

    async def play(system: driver.System) -> None:
        await system.play(Plan(arguments.seed, "recorded", 8, 10))
        await system.quiet()
        found = await recorded.read(system.running.kafka, system.running.database["admin"])
        print(oracle.judge(found, ORDERS + RECOVERY))  # noqa: T201  (a script prints)
        found.save(arguments.file)

    with driver.system() as running:
        asyncio.run(play(running))
    return 0


def main() -> int:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for each in (run, soak, table, record):
        parser_of = commands.add_parser(each.__name__, help=each.__doc__)
        parser_of.set_defaults(do=each)
        if each is run:
            parser_of.add_argument("--rows", default="", help="only these, separated by commas")
        elif each is soak:
            parser_of.add_argument("--hours", type=float, default=1.0)
        elif each is record:
            parser_of.add_argument("seed", type=int)
            parser_of.add_argument("file", type=Path)
    arguments = parser.parse_args()
    return int(arguments.do(arguments))


if __name__ == "__main__":
    sys.exit(main())
