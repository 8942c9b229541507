"""`python -m bench [--seconds 60] [--quick] [--open NUMBER] [--profile PROCESS] [flow|backtest|open|timeline|recovery ...]`.

Results go to `.local/bench.json`. Its system runs on data of its own, below the folder that MAKEGOOD_DATA names (`.local`), and is
taken down at the end.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import backtest, flow, recovery, report, stack, standing, timeline
from bench.flow import Plan
from deploy.errors import StackError
from deploy.local import state
from deploy.local.programs import SERVICES

QUICK_SECONDS, QUICK_WARM_UP, WARM_UP = 12.0, 8.0, 20.0
QUICK_MONTH = 1
STANDING_SECONDS = 30.0
WHAT = ("flow", "backtest", "open", "timeline", "recovery")
PROCESSES = tuple(f"{service.name}-{role}" for service in SERVICES for role in service.roles)


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write; 0 even where a floor is missed, since a benchmark judges nothing but says so."""
    asked = _parser().parse_args(arguments)
    console, began = Console(), time.monotonic()
    results: dict[str, dict[str, Any]] = {}
    local = state.data_folder()

    def say(line: str) -> None:
        console.print(f"{time.monotonic() - began:6.1f} s  {line}", highlight=False)

    wanted = {"flow"} if asked.profile else set(WHAT) if "all" in asked.what else set(asked.what)
    try:
        if "flow" in wanted:
            results["flow"] = _flow(local / "bench", asked, say)
        if "open" in wanted:
            results["open"] = _standing(local / "bench", asked, say)
        if "backtest" in wanted:
            say("backtest of the flights")
            results["backtest"] = backtest.measure(local / "bench-data", month=QUICK_MONTH if asked.quick else None)
        if "timeline" in wanted:
            results["timeline"] = timeline.measure(local / "bench", say, quick=asked.quick)
        if "recovery" in wanted:
            results["recovery"] = recovery.measure(local / "bench", say, quick=asked.quick)
    except StackError as error:
        console.print(f"bench: {error}", highlight=False)
        return 1
    report.show(results, console)
    if asked.profile:
        console.print(stack.profile_path(local / "bench", asked.profile).read_text(), highlight=False, markup=False, soft_wrap=True)
        return 0
    report.save(local / "bench.json", results)
    say(f"written to {local / 'bench.json'}")
    return 0


def _flow(data: Path, asked: argparse.Namespace, say: stack.Say) -> dict[str, Any]:
    seconds = asked.seconds or (QUICK_SECONDS if asked.quick else 60.0)
    plan = Plan(seconds, QUICK_WARM_UP if asked.quick else WARM_UP, asked.profile)
    with stack.fresh(data, say, asked.profile) as running:
        return asyncio.run(flow.measure(running, plan, say))


def _standing(data: Path, asked: argparse.Namespace, say: stack.Say) -> dict[str, Any]:
    plan = Plan(asked.seconds or (QUICK_SECONDS if asked.quick else STANDING_SECONDS), QUICK_WARM_UP)
    with stack.fresh(data, say) as running:
        return asyncio.run(standing.measure(running, asked.open, plan, say))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure flow, backtest, open commitments, timelines and cases beside this machine's limits."
    )
    parser.add_argument("what", nargs="*", choices=[*WHAT, "all"], default="all", help="default: all")
    parser.add_argument("--seconds", type=float, help="how long each phase of the flow is measured (60)")
    parser.add_argument("--open", type=int, default=1_000_000, help="commitments that are open meanwhile (1,000,000)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS:g} s a phase, and one month of flights")
    parser.add_argument("--profile", choices=PROCESSES, help="only the flow at full speed, with a profile of this process")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
