"""Files of CloudEvents, one JSON object a line, gzipped or not: read in their own order, or in order of arrival."""

import gzip
import shutil
import tempfile
import zlib
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Final

import orjson

from deploy.errors import StackError
from services.chassis import rfc3339
from services.chassis.instants import EPOCH, from_milliseconds, to_milliseconds

_GZIP: Final = b"\x1f\x8b"
_EXAMPLES: Final = 5
_NO_TIME: Final = "this is not a CloudEvent with a `time`: one JSON object a line, its time as in 2026-01-31T08:30:00Z"


class DamagedFileError(StackError):
    """Its end is missing, or it was changed on the way here; fetch it anew."""

    def __init__(self, path: Path) -> None:
        """Name the file."""
        super().__init__(f"{path} begins as gzip and cannot be unpacked to its end; fetch it anew")


@contextmanager
def unzipped(path: Path) -> Iterator[None]:
    """Tell of a gzipped file that is damaged by its name."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise DamagedFileError(path) from None


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that can be read from any place; a gzipped one is unpacked for it."""
    with path.open("rb") as file:
        zipped = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        if not zipped:
            yield file
            return
        with gzip.open(file) as content, tempfile.TemporaryFile() as copy:
            with unzipped(path):
                shutil.copyfileobj(content, copy)
            copy.seek(0)
            yield copy


@dataclass(slots=True)
class Arrivals:
    """Where each line of a file begins and when it arrived, in milliseconds since 1970: sixteen bytes an event."""

    times: "array[int]" = field(default_factory=lambda: array("q"))
    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    unreadable: int = 0
    examples: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """How many lines have an arrival."""
        return len(self.times)

    @property
    def first(self) -> datetime:
        """The earliest arrival."""
        return from_milliseconds(min(self.times))

    @property
    def last(self) -> datetime:
        """The latest arrival."""
        return from_milliseconds(max(self.times))

    def refuse(self, number: int) -> None:
        """Count a line that cannot be placed in time."""
        self.unreadable += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"line {number}: {_NO_TIME}")


def arrivals(lines: Iterable[bytes], until: datetime | None = None) -> Arrivals:
    """Find out when each line arrived: its `recordedtime`, else its `time`; later ones than `until` are left out."""
    found = Arrivals()
    limit = None if until is None else to_milliseconds(until)
    offset = 0
    for number, line in enumerate(lines, start=1):
        arrival = _arrival(line)
        if arrival is None:
            if line.strip():
                found.refuse(number)
        elif limit is None or arrival <= limit:
            found.times.append(arrival)
            found.offsets.append(offset)
        offset += len(line)
    return found


def in_order_of_arrival(file: IO[bytes], found: Arrivals) -> Iterator[tuple[int, bytes]]:
    """Yield arrival and line; what arrived at one instant stays in the file's order."""
    times, offsets = found.times, found.offsets
    place = -1
    for index in sorted(range(len(times)), key=times.__getitem__):
        if offsets[index] != place:
            file.seek(offsets[index])
        line = file.readline()
        place = offsets[index] + len(line)
        yield times[index], line.rstrip(b"\r\n")


def _arrival(line: bytes) -> int | None:
    try:
        event = orjson.loads(line)
        instant = rfc3339.parse(event.get("recordedtime") or event["time"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return to_milliseconds(instant) if instant >= EPOCH else None
