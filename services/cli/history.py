"""Reads a file of CloudEvents as journey would take them: valid, once each, and attributed to a customer.

Most files need one pass in their own order. Only where the order of arrival matters (an id that repeats, identifiers
that teach whom an event is about) and the file is not in that order, is it read again in it.
"""

import gzip
import shutil
import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, Final, cast
from uuid import UUID

import orjson

from services.chassis import rfc3339
from services.journey.domain import FUTURE_BOUND, RESERVED_TYPES, WINDOW, Directory, EventType, EventTypes
from services.promises.backtest import Backtest

Event = dict[str, Any]
Taken = tuple[Event, datetime, datetime]
"""An event, its time and its arrival."""
Lines = Iterable[tuple[int, bytes]]
Progress = Callable[[int], None]

NEVER: Final = datetime.min.replace(tzinfo=UTC)
"""Before every instant: nothing has arrived yet."""
_GZIP: Final = b"\x1f\x8b"
_LINES_A_STEP: Final = 20_000
_MOST_EXAMPLES: Final = 5
_NOBODY: Final = "`subject` is missing, and no identifier of its type says whose event it is"


class OrderMattersError(Exception):
    """The file is not in order of arrival, and something in it depends on that order."""


@dataclass(slots=True)
class Refused:
    """The lines that were not taken: how many for which reason, and where the first ones stand."""

    path: Path
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, line: int, reason: str) -> None:
        """Count one line."""
        self.reasons[reason] += 1
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(f"{self.path}:{line}: {reason}")


@dataclass(slots=True)
class History:
    """One pass over a file."""

    path: Path
    types: Sequence[EventType] = ()
    """The event types that name identifiers; without any, an event is its subject's."""
    as_of: datetime | None = None
    keep_ids: bool = False
    latest: datetime = NEVER
    refused: Refused = field(init=False)
    ids: dict[UUID, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with nothing refused."""
        self.refused = Refused(self.path)

    @property
    def barrier(self) -> datetime:
        """The time given as as-of, else the latest arrival in the file."""
        return self.as_of or self.latest

    def feed(self, backtest: Backtest, lines: Lines, *, sorted_: bool) -> None:
        """Feed a backtest with every event that had arrived by as-of, each once."""
        attribute = self._attribution(backtest)
        for number, (event, time, arrival) in self._once(self._taken(lines), sorted_=sorted_):
            customer = attribute(event)
            if customer is None:
                self.refused.add(number, _NOBODY)
                continue
            key = event_digest(event["source"], event["id"])
            if self.keep_ids:
                self.ids[key] = event["id"]
            backtest.add(customer, event, time, arrival, key)

    def _taken(self, lines: Lines) -> Iterator[tuple[int, Taken]]:
        loads, parse = orjson.loads, rfc3339.parse
        for number, line in lines:
            try:
                event = loads(line)
                time = parse(event["time"])
                recorded = event.get("recordedtime")
                arrival = time if recorded is None else parse(recorded)
                usable = _usable(event) and (recorded is None or -WINDOW <= time - arrival <= FUTURE_BOUND)
            except (ValueError, TypeError, KeyError, AttributeError):
                usable = False
            if usable:
                yield number, (event, time, arrival)
            elif line.strip():
                self.refused.add(number, _why(line))

    def _once(self, events: Iterable[tuple[int, Taken]], *, sorted_: bool) -> Iterator[tuple[int, Taken]]:
        seen: dict[str, set[str]] = {}
        latest, in_order = NEVER, True
        for numbered in events:
            _, (event, _, arrival) = numbered
            if arrival >= latest:
                latest = arrival
            elif not sorted_:
                in_order = False
            if self.as_of is not None and arrival > self.as_of:
                continue
            id_, source = event["id"], event["source"]
            known = seen.get(source)
            if known is None:
                known = seen[source] = set()
            repeated = id_ in known
            if not in_order and (repeated or self.types):
                raise OrderMattersError
            if not repeated:
                known.add(id_)
                yield numbered
        self.latest = latest

    def _attribution(self, backtest: Backtest) -> Callable[[Event], Hashable]:
        if not self.types:
            return lambda event: event.get("subject") or None
        types, directory = EventTypes(self.types), Directory()

        def attribute(event: Event) -> Hashable:
            identifiers = types.identifiers(event)
            if not identifiers:
                return None
            found = directory.attribute(identifiers)
            for other in found.joined:
                backtest.link(found.customer, other)
            return found.customer

        return attribute


def read(history: Callable[[], History], start: Callable[[], Backtest], progress: Progress) -> tuple[History, Backtest]:
    """Read a history into a backtest: in the file's own order, else in order of arrival."""
    reading, backtest = history(), start()
    with _opened(reading.path) as file:
        try:
            reading.feed(backtest, _counted(file, progress), sorted_=False)
        except OrderMattersError:
            reading, backtest = history(), start()
            with _seekable(reading.path) as seekable:
                reading.feed(backtest, _in_order_of_arrival(seekable), sorted_=True)
    return reading, backtest


def event_digest(source: str, id_: str) -> UUID:
    """Return the bytes of an event's key: they are equal and sort as the UUID does, at a third of its cost."""
    return cast("UUID", blake2b(f"{source}\0{id_}".encode(), digest_size=16).digest())


def _usable(event: Event) -> bool:
    type_, source, id_ = event["type"], event["source"], event["id"]
    return (
        type(type_) is str
        and type(source) is str
        and type(id_) is str
        and type_ != ""
        and not type_.startswith(RESERVED_TYPES)
        and type(event.get("subject", "")) is str
    )


def _why(line: bytes) -> str:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"this is not JSON: {error}"
    if not isinstance(event, dict):
        return "this is not a CloudEvent; each line is one JSON object"
    for name in ("type", "source", "id", "time"):
        if not isinstance(event.get(name), str) or not event[name]:
            return f"`{name}` must be a text that is not empty"
    if event["type"].startswith(RESERVED_TYPES):
        return f"types that begin with `{RESERVED_TYPES}` are the system's own"
    for name in ("time", "recordedtime"):
        try:
            rfc3339.parse(event.get(name) or event["time"])
        except (ValueError, TypeError):
            return f"`{name}` is not a time with an offset, as in 2026-01-31T08:30:00Z"
    if not isinstance(event.get("subject", ""), str):
        return "`subject` must be a text"
    return f"`time` is more than {FUTURE_BOUND} after `recordedtime`, its arrival, or more than {WINDOW.days} days before it"


def _counted(file: IO[bytes], progress: Progress) -> Iterator[tuple[int, bytes]]:
    read_bytes = 0
    for number, line in enumerate(file, start=1):
        read_bytes += len(line)
        if number % _LINES_A_STEP == 0:
            progress(read_bytes)
        yield number, line


def _in_order_of_arrival(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    arrivals, offsets, offset = array("d"), array("q"), 0
    for line in file:
        arrivals.append(_arrival(line))
        offsets.append(offset)
        offset += len(line)
    for index in sorted(range(len(arrivals)), key=arrivals.__getitem__):
        file.seek(offsets[index])
        yield index + 1, file.readline()


def _arrival(line: bytes) -> float:
    try:
        event = orjson.loads(line)
        return rfc3339.parse(event.get("recordedtime") or event["time"]).timestamp()
    except (ValueError, TypeError, KeyError, AttributeError):
        return 0.0


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        if not _is_zipped(path):
            yield file
            return
        with gzip.open(file) as unzipped:
            yield unzipped  # type: ignore[misc]


@contextmanager
def _seekable(path: Path) -> Iterator[IO[bytes]]:
    with _opened(path) as file, tempfile.TemporaryFile() as copy:
        if not _is_zipped(path):
            yield file
            return
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield copy


def _is_zipped(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == _GZIP
