"""`makegood backtest` over a year of flights, beside a bare loop over the same file."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import orjson

from services.cli import flights

PROMISES = Path(__file__).parents[1] / "promises" / "airline.yaml"
_KIB_IN_MIB = 1024
_BYTES_IN_MIB = 1024 * 1024


def measure(folder: Path, *, month: int | None) -> dict[str, float]:
    """Events a second of one process, its peak memory, and the limit; one month only where it must be quick."""
    events = _written(folder / f"flights-{month or 'year'}.jsonl", month)
    limit, count = _bare_loop(events)
    seconds, rss = _backtest(events)
    return {
        "events": count,
        "events_per_s": count / seconds,
        "limit_events_per_s": limit,
        "rss_mib": rss,
        "file_mib": events.stat().st_size / _BYTES_IN_MIB,
    }


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


def _backtest(events: Path) -> tuple[float, float]:
    """Seconds from start to end of the command, and the most memory it held in MiB."""
    command = (sys.executable, "-m", "services.cli", "backtest", str(PROMISES), "--events", str(events), "--json")
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    unit = _BYTES_IN_MIB if sys.platform == "darwin" else _KIB_IN_MIB
    return took, used.ru_maxrss / unit
