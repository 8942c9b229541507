"""`makegood backtest` over a year of flights: one promise, thirty at once, and a bare loop over the same file beside them."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson

from services.cli import flights

PROMISES = Path(__file__).parents[1] / "promises" / "airline.yaml"
ON_TIME = "flight-on-time"
_HEAD = "apiVersion: makegood/v1\nkind: Promise\nmetadata: {{name: said-{number}, owner: operations}}\nspec:\n  statement: {spec}\n"
_KIB_IN_MIB = 1024
_BYTES_IN_MIB = 1024 * 1024


def measure(folder: Path, *, month: int | None) -> dict[str, float]:
    """Events a second of one process, its peak memory, and the limit; one month only where it must be quick."""
    events = _written(folder / f"flights-{month or 'year'}.jsonl", month)
    one, thirty = folder / "one.yaml", folder / "thirty.yaml"
    one.write_text(next(each for each in PROMISES.read_text().split("\n---\n") if f"name: {ON_TIME}\n" in each))
    thirty.write_text("---\n".join(_HEAD.format(number=number, spec=spec) for number, spec in enumerate(_thirty(), start=1)))
    limit, count = _bare_loop(events)
    seconds, rss = _backtest(one, events)
    seconds_of_thirty, rss_of_thirty = _backtest(thirty, events)
    return {
        "events": count,
        "events_per_s": count / seconds,
        "limit_events_per_s": limit,
        "rss_mib": rss,
        "thirty_times_as_long": seconds_of_thirty / seconds,
        "thirty_rss_mib": rss_of_thirty,
        "file_mib": events.stat().st_size / _BYTES_IN_MIB,
    }


def _thirty() -> Iterator[str]:
    """Promises of several patterns, with deadlines, conditions and segments of their own."""
    landed = "response: {when: {type: flight.scheduled}, expect: {type: flight.arrived}, correlate: subject"
    left = "response: {when: {type: flight.scheduled}, expect: {type: flight.departed}, correlate: subject"
    around = "  broken_by: {type: flight.cancelled}\n  cancel: {type: flight.diverted}\n  segment: data.carrier"
    for number in range(6):
        strictly = "true" if number % 2 else "false"
        yield f"It lands in time.\n  {landed}, by: data.limit, strictly: {strictly}, count: {1 + number // 4}}}\n{around}"
    for number in range(8):
        yield f"It leaves in time.\n  {left}, within: {120 + 10 * number} minutes}}\n{around}"
    for carrier in ("UA", "AA", "DL", "B6", "EV"):
        yield f"Theirs land in time.\n  {landed.replace('scheduled}', f'scheduled, where: {{data.carrier: {carrier}}}}}')}, by: data.due}}"
    for minutes in range(0, 30, 5):
        must = f"must: {{data.early: '<= {minutes}'}}"
        yield f"It does not leave early.\n  conformance: {{event: {{type: flight.departed}}, {must}, correlate: subject}}"
    for hours in range(1, 6):
        never = f"never: {{type: flight.diverted}}, within: {hours} hours"
        yield f"It lands where it should.\n  absence: {{when: {{type: flight.departed}}, {never}, correlate: subject}}"


def _written(path: Path, month: int | None) -> Path:
    """The flights as JSON Lines, written the first time."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.writelines(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in flights.touchpoints(month))
        fresh.rename(path)
    return path


def _bare_loop(events: Path) -> tuple[float, int]:
    """Parse every line and count its type: (events a second, events)."""
    counts: Counter[str] = Counter()
    began = time.perf_counter()
    with events.open("rb") as file:
        for line in file:
            counts[orjson.loads(line)["type"]] += 1
    return counts.total() / (time.perf_counter() - began), counts.total()


def _backtest(promises: Path, events: Path) -> tuple[float, float]:
    """Seconds from start to end of the command, and the most memory it held in MiB."""
    command = (sys.executable, "-m", "services.cli", "backtest", str(promises), "--events", str(events), "--json")
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    unit = _BYTES_IN_MIB if sys.platform == "darwin" else _KIB_IN_MIB
    return took, used.ru_maxrss / unit
