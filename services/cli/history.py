"""Reads a file of CloudEvents as journey would take them: valid, once each, and attributed to a customer.

Most files need one pass in their own order. Only where the order of arrival matters (an id that repeats, identifiers
that teach whom an event is about) and the file is not in that order, is it read again in it.
"""

import gzip
import shutil
import tempfile
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import IO, Final
from uuid import UUID

import orjson

from services.chassis import rfc3339
from services.chassis.keys import event_key
from services.cli.columns import Columns, Event, columns
from services.cli.lines import unzipped
from services.journey.domain import HEARTBEAT, STATEMENTS, EventType, EventTypes, Impossible, misstated, split, unattributable, untrusted
from services.journey.identity.reader import Reader
from services.promises.backtest import Arrived, Backtest
from services.promises.blindness import Source
from services.promises.domain import Blind

Stretches = Iterator[tuple[Sequence[int], list[bytes]]]
"""Some lines at a time, with their numbers."""
Progress = Callable[[int], None]

NEVER: Final = datetime.min.replace(tzinfo=UTC)
"""Before every instant: nothing has arrived yet."""
MANY: Final = object()
"""Whose an event is that is about things that many hold, and names nobody."""
_AFTER_ALL: Final = datetime.max.replace(tzinfo=UTC)
_GZIP: Final = b"\x1f\x8b"
_STRETCH: Final = 128 * 1024
"""Bytes: enough to do things at once, and little enough to stay in the processor's cache."""
_LINES_A_STRETCH: Final = 1_000
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

    def add(self, line: int, reason: str, detail: str) -> None:
        """Count one line."""
        self.reasons[reason] += 1
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(f"{self.path}:{line}: {detail}")


class Whose:
    """Finds the customers of events with journey's own rules, and tells a backtest which of them turn out to be one."""

    def __init__(self, types: Sequence[EventType], trusted: Collection[str], backtest: Backtest) -> None:
        """Know these event types and whom to trust on who is whom, and nobody."""
        self._types, self._trusted, self._named = EventTypes(types), trusted, bool(types or trusted)
        self._reader, self._backtest = Reader(), backtest
        self._holders: defaultdict[UUID, dict[UUID, datetime]] = defaultdict(dict)

    def of(self, found: Columns) -> Sequence[Hashable | None]:
        """Return whose each event is; None where it names nobody."""
        return list(map(self._customer, found.events)) if self._named else found.subjects

    def named(self, event: Event) -> Sequence[Hashable]:
        """Return whom an event names that is refused; nothing is learnt from it."""
        if not self._named:
            subject = event.get("subject")
            return [subject] if isinstance(subject, str) and subject else []
        type_ = event.get("type")
        identifiers = self._types.identifiers(event | {"type": type_ if isinstance(type_, str) else ""})
        found = self._reader.directory.whom(identifiers) if identifiers else None
        return [] if found is None else [found.customer, *(found.reached or ())]

    def _customer(self, event: Event) -> Hashable | None:
        if event["type"] in STATEMENTS:
            return self._stated(event)
        identifiers = self._types.identifiers(event)
        if unattributable(identifiers) is not None:
            return None
        whose, things = split(identifiers, self._types.shared)
        if not whose:
            return MANY
        customer = self._reader.attribute(whose).customer
        for thing in things:
            since, time = self._holders[thing].get(customer), rfc3339.parse(event["time"])
            self._holders[thing][customer] = time if since is None else min(since, time)
        return customer

    def reached(self, event: Event, time: datetime) -> Sequence[Hashable]:
        """Who held then what many hold, once the whole history is known: it is each one's own event."""
        things = split(self._types.identifiers(event), self._types.shared).things
        return sorted({customer for thing in things for customer, since in self._holders[thing].items() if since <= time})

    def wrong_with(self, event: Event) -> Impossible | None:
        """Why a statement of who is whom does not count."""
        return misstated(event) if event["source"] in self._trusted else untrusted()

    def _stated(self, event: Event) -> Hashable | None:
        identifiers = self._types.named([event["subject"], *event["data"]["identifiers"]])
        if unattributable(identifiers) is not None:
            return None
        time = rfc3339.parse(event["time"])
        return self._reader.state(event["type"], identifiers, time, event_key(event["source"], event["id"]))

    def link(self) -> None:
        """Tell which customers are one person by all that was said in the end."""
        for first, *others in map(list, self._reader.groups()):
            for each in others:
                self._backtest.link(first, each)


@dataclass(slots=True)
class History:
    """One pass over a file."""

    path: Path
    types: Sequence[EventType] = ()
    """The event types that name identifiers; without any, an event is its subject's."""
    as_of: datetime | None = None
    trusted: Collection[str] = frozenset()
    """The sources that may say who is whom."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """The declared sources, by name."""
    earliest: datetime = _AFTER_ALL
    latest: datetime = NEVER
    in_order: bool = True
    refused: Refused = field(init=False)
    _ids: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _known: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _many: list[Columns] = field(default_factory=list)
    """What happened to things that many hold; whom it reaches is known in the end."""
    _heard: defaultdict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        """Begin with nothing refused."""
        self.refused = Refused(self.path)

    @property
    def barrier(self) -> datetime:
        """The time given as as-of, else the latest arrival in the file."""
        return self.as_of or self.latest

    def feed(self, backtest: Backtest, stretches: Stretches, *, sorted_: bool) -> None:
        """Feed a backtest with every event that had arrived by as-of, each once."""
        whose = Whose(self.types, self.trusted, backtest)
        for numbers, lines in stretches:
            refused: list[int] = []
            self._feed_some(backtest, whose, columns(numbers, lines, partial(self._refuse, refused)), sorted_=sorted_)
            for number in refused:
                self._hold(backtest, whose, lines[numbers.index(number)])
        self._require_once_each()
        whose.link()
        self._reach(backtest, whose)
        for name, arrivals in self._heard.items():
            backtest.fall_silent(self.sources[name], self._silences(name, sorted(arrivals)))

    def _refuse(self, refused: list[int], number: int, reason: str, detail: str) -> None:
        self.refused.add(number, reason, detail)
        refused.append(number)

    def _hold(self, backtest: Backtest, whose: Whose, line: bytes) -> None:
        """Hold whom a refused line names, as journey does; one that says no time cannot be replayed either."""
        try:
            event = orjson.loads(line)
            arrival = rfc3339.parse(event.get("recordedtime") or event["time"])
        except (ValueError, TypeError, KeyError, AttributeError):
            return
        if self.as_of is None or arrival <= self.as_of:
            for customer in whose.named(event):
                backtest.hold(customer, Blind(arrival, None, "a line was refused"))

    def _silences(self, name: str, arrivals: Sequence[datetime]) -> list[Blind]:
        gaps = [*pairwise(arrivals), (arrivals[-1], None)]
        return [Blind(since, until, f"{name} was not heard") for since, until in self.sources[name].silences(gaps, self.barrier)]

    def _feed_some(self, backtest: Backtest, whose: Whose, found: Columns, *, sorted_: bool) -> None:
        found = self._arrived(found, sorted_=sorted_) if found.events else found
        for source, arrival in zip(found.sources, found.arrivals, strict=True) if self.sources else ():
            if source in self.sources:
                self._heard[source].append(arrival)
        kinds_there = set(found.types)
        if HEARTBEAT in kinds_there:
            found = found.only([each != HEARTBEAT for each in found.types])
        if not found.events:
            return
        if sorted_:
            found = self._first_ones(found)
        else:
            self._remember(found)
        if not kinds_there.isdisjoint(STATEMENTS):
            found = self._that_count(backtest, whose, found)
        found, customers = self._attributed(found, whose.of(found))
        if MANY in customers:
            alone = [each is not MANY for each in customers]
            self._many.append(found.only([not each for each in alone]))
            found, customers = found.only(alone), [each for each in customers if each is not MANY]
        self._take(backtest, found, customers)

    def _reach(self, backtest: Backtest, whose: Whose) -> None:
        """What happened to things that many hold is the own event of each who held them then."""
        for found in self._many:
            reached = [whose.reached(event, time) for event, time in zip(found.events, found.times, strict=True)]
            most = max(map(len, reached))
            for number in range(most):
                some = found.only([number < len(each) for each in reached])
                self._take(backtest, some, [each[number] for each in reached if number < len(each)])

    def _take(self, backtest: Backtest, found: Columns, customers: Sequence[Hashable | None]) -> None:
        kinds = found.types if found.of_one_source else list(zip(found.types, found.sources, strict=True))
        backtest.take(Arrived(customers, found.events, kinds, found.ids, found.times, found.arrivals))

    def _that_count(self, backtest: Backtest, whose: Whose, found: Columns) -> Columns:
        """Refuse what says who is whom and may not, or says it wrongly; whom it names is held."""
        counts = []
        for number, event, arrival in zip(found.numbers, found.events, found.arrivals, strict=True):
            wrong = whose.wrong_with(event) if event["type"] in STATEMENTS else None
            counts.append(wrong is None)
            if wrong is not None:
                self.refused.add(number, wrong.reason, wrong.detail)
                for customer in whose.named(event):
                    backtest.hold(customer, Blind(arrival, None, "a line was refused"))
        return found.only(counts)

    def _arrived(self, found: Columns, *, sorted_: bool) -> Columns:
        arrivals = found.arrivals
        if self.in_order and not sorted_:
            self.in_order = arrivals[0] >= self.latest and all(one <= other for one, other in pairwise(arrivals))
        first, last = min(arrivals), max(arrivals)
        self.earliest, self.latest = min(self.earliest, first), max(self.latest, last)
        if not self.in_order and (self.types or self.trusted):
            raise OrderMattersError
        as_of = self.as_of
        return found if as_of is None or self.latest <= as_of else found.only([each <= as_of for each in arrivals])

    def _remember(self, found: Columns) -> None:
        if found.of_one_source:
            self._ids[found.sources[0]] += found.ids
            return
        for source, id_ in zip(found.sources, found.ids, strict=True):
            self._ids[source].append(id_)

    def _require_once_each(self) -> None:
        """Look for ids that were there before, all at once: which of two came first is a matter of their arrival."""
        while self._ids:
            _, ids = self._ids.popitem()
            if len(set(ids)) < len(ids):
                raise OrderMattersError

    def _first_ones(self, found: Columns) -> Columns:
        """Drop the events whose id was there before."""
        return found.only([self._is_first(source, id_) for source, id_ in zip(found.sources, found.ids, strict=True)])

    def _is_first(self, source: str, id_: str) -> bool:
        known = self._known[source]
        before = len(known)
        known.add(id_)
        return len(known) > before

    def _attributed(self, found: Columns, customers: Sequence[Hashable | None]) -> tuple[Columns, Sequence[Hashable | None]]:
        if None not in customers:
            return found, customers
        for number, customer in zip(found.numbers, customers, strict=True):
            if customer is None:
                self.refused.add(number, "names-nobody", _NOBODY)
        return found.only([each is not None for each in customers]), [each for each in customers if each is not None]


def read(history: Callable[[], History], start: Callable[[], Backtest], progress: Progress) -> tuple[History, Backtest]:
    """Read a history into a backtest: in the file's own order, else in order of arrival; tell how many bytes of the file are done."""
    reading, backtest = history(), start()
    with _opened(reading.path) as (file, raw):
        try:
            reading.feed(backtest, _in_its_own_order(file, lambda: progress(raw.tell())), sorted_=False)
        except OrderMattersError:
            reading, backtest = history(), start()
            size = reading.path.stat().st_size
            with _seekable(reading.path) as seekable:
                reading.feed(backtest, _in_order_of_arrival(seekable, lambda share: progress(int(size * share))), sorted_=True)
    return reading, backtest


def _in_its_own_order(file: IO[bytes], progress: Callable[[], None]) -> Stretches:
    number = 1
    while lines := file.readlines(_STRETCH):
        yield range(number, number + len(lines)), lines
        number += len(lines)
        progress()


def _in_order_of_arrival(file: IO[bytes], progress: Callable[[float], None]) -> Stretches:
    arrivals, offsets, offset = array("d"), array("q"), 0
    for line in file:
        arrivals.append(_arrival(line))
        offsets.append(offset)
        offset += len(line)
    ordered = sorted(range(len(arrivals)), key=arrivals.__getitem__)
    for start in range(0, len(ordered), _LINES_A_STRETCH):
        indexes = ordered[start : start + _LINES_A_STRETCH]
        yield [index + 1 for index in indexes], [_line_at(file, offsets[index]) for index in indexes]
        progress(start / len(ordered))


def _line_at(file: IO[bytes], offset: int) -> bytes:
    file.seek(offset)
    return file.readline()


def _arrival(line: bytes) -> float:
    try:
        event = orjson.loads(line)
        return rfc3339.parse(event.get("recordedtime") or event["time"]).timestamp()
    except (ValueError, TypeError, KeyError, AttributeError):
        return 0.0


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Open a file; what is read of it, and the file itself, which is another one where it is zipped."""
    with path.open("rb") as file:
        if not _is_zipped(path):
            yield file, file
            return
        with unzipped(path), gzip.open(file) as content:
            yield content, file  # type: ignore[misc]


@contextmanager
def _seekable(path: Path) -> Iterator[IO[bytes]]:
    with _opened(path) as (file, _), tempfile.TemporaryFile() as copy:
        if not _is_zipped(path):
            yield file
            return
        shutil.copyfileobj(file, copy)
        copy.seek(0)
        yield copy


def _is_zipped(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == _GZIP
