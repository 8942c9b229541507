"""The evidence of a backtest, by strand: kept once for all promises that correlate alike, and as little of it as will do."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple, cast
from uuid import UUID

import orjson

from services.promises.backtest.sighting import Outlook, Row, column, mark_of, reads_more
from services.promises.compile import PERSONS, Compiled
from services.promises.correlations import Event, canonical, correlation
from services.promises.domain import Mark
from services.promises.language.conditions import Path
from services.promises.language.expressions import ConditionError

Correlation = str | bytes
"""A text as it is, any other value as canonical JSON: a number is not the text that spells it."""
Strand = tuple[Hashable, Correlation]
"""A customer and a correlation: what evidence is tied by."""


class Some(NamedTuple):
    """Events of one kind, as columns."""

    customers: Sequence[Hashable]
    events: Sequence[Event]
    ids: Sequence[str]
    times: Sequence[datetime]
    arrivals: Sequence[datetime]


class Arrived(NamedTuple):
    """Events, each once and with its customer, as columns."""

    customers: Sequence[Hashable]
    events: Sequence[Event]
    kinds: Sequence[Hashable]
    """Whatever tells events of one kind from others."""
    ids: Sequence[str]
    times: Sequence[datetime]
    arrivals: Sequence[datetime]

    def by_kind(self) -> "dict[Kind, list[int]]":
        """Return the places of the events of each kind."""
        found: defaultdict[Hashable, list[int]] = defaultdict(list)
        for place, kind in enumerate(self.kinds):
            found[kind].append(place)
        return {kind_of(self.events[places[0]]): places for places in found.values()}

    def some(self, places: Sequence[int]) -> Some:
        """Return those that stand in these places."""
        customers, events, _, ids, times, arrivals = self
        chosen = [times[place] for place in places]
        return Some(
            [customers[place] for place in places],
            [events[place] for place in places],
            [ids[place] for place in places],
            chosen,
            chosen if arrivals is times else [arrivals[place] for place in places],
        )


def arrived(customers: Sequence[Hashable], events: Sequence[Event], times: Sequence[datetime], arrivals: Sequence[datetime]) -> Arrived:
    """Put events into columns."""
    return Arrived(customers, events, list(map(kind_of, events)), [each["id"] for each in events], times, arrivals)


class Kind(NamedTuple):
    """What events that are looked at together have in common."""

    type: str
    source: str
    evidence_only: bool


def kind_of(event: Event) -> Kind:
    """Return the kind of an event."""
    return Kind(event["type"], event["source"], bool(event.get("evidenceonly")))


class Origin(NamedTuple):
    """What identifies an event: its source, and what that calls it."""

    source: str
    id: str


KeyOf = Callable[[Origin], UUID]


class Marked(NamedTuple):
    """What a promise sees in an event."""

    mark: Mark
    origin: Origin


class Gathered:
    """The evidence of promises that correlate alike."""

    def __init__(self, versions: Sequence[tuple[int, Compiled]], unreadable: Counter[int], key_of: KeyOf) -> None:
        """Begin with none, for these promises, each with its place."""
        self._unreadable, self.key_of = unreadable, key_of
        self.alone = [(place, version) for place, version in versions if reads_more(version)]
        self.alike = [(place, version) for place, version in versions if not reads_more(version)]
        self.strands: defaultdict[Strand, list[Row]] = defaultdict(list)
        """What promises see alike."""
        self.apart: dict[int, defaultdict[Strand, list[Marked]]] = {place: defaultdict(list) for place, _ in versions}
        """What one promise sees, by its place: it reads more of events, or somebody means it and no other."""
        self._correlations = correlations(versions[0][1].correlate)

    def taker(self, kind: Kind) -> Callable[[Some], None] | None:
        """Return what takes in events of one kind; None where they play no part."""
        by_a_person = kind.type in PERSONS
        alone = [each for each in (*self.alone, *(self.alike if by_a_person else ())) if each[1].matches_type(kind.type)]
        versions = () if by_a_person else self.alike
        outlook = Outlook(versions, kind.type, kind.source, opening=not kind.evidence_only)

        def take(happened: Some) -> None:
            for place, version in alone:
                self._take_apart(place, version, happened)
            if outlook:
                self._take_together(outlook, happened)

        return take if alone or outlook else None

    def _take_together(self, outlook: Outlook, happened: Some) -> None:
        sights, rows = outlook.rows(happened.events, happened.ids, happened.times, happened.arrivals)
        strands: dict[tuple[Hashable, Correlation | None], list[Row]] = self.strands  # type: ignore[assignment]
        correlated = self._correlations(happened.events)
        keyed = zip(zip(happened.customers, correlated, strict=True), rows, strict=True)
        if None not in correlated and all(each.usual for each in set(sights)):
            for strand, row in keyed:
                strands[strand].append(row)
            return
        for (strand, row), sight in zip(keyed, sights, strict=True):
            if strand[1] is not None and sight.parts:
                strands[strand].append(row)
            self._unreadable.update(sight.unreadable)

    def _take_apart(self, place: int, version: Compiled, happened: Some) -> None:
        for customer, event, id_, time, arrival in zip(*happened, strict=True):
            origin = Origin(event["source"], id_)
            try:
                seen = version.sees(event, time, arrival, self.key_of(origin))
            except ConditionError:
                self._unreadable[place] += 1
                continue
            if seen is not None:
                correlated, mark = seen
                about = None if mark.about is None else cast("UUID", mark.about.bytes)
                self.apart[place][customer, _tied(correlated)].append(Marked(mark._replace(about=about), origin))

    @property
    def number(self) -> int:
        """How many strands there are, those that are apart once for each promise."""
        return len(self.strands) + sum(len(self.apart[place]) for place, _ in self.alone)

    def strands_of(self, place: int) -> Iterable[Strand]:
        """Return the strands in which the promise at a place may have commitments."""
        return self.apart[place] if any(place == alone for alone, _ in self.alone) else self.strands

    def marks(self, place: int, strand: Strand) -> list[Marked]:
        """Return what the promise at a place sees in the events of a strand."""
        rows = [each for each in self.strands.get(strand, ()) if place in each[1].parts]
        origins = list(map(origin_of, rows))
        found = [Marked(mark_of(row, place, self.key_of(origin)), origin) for row, origin in zip(rows, origins, strict=True)]
        return found + self.apart[place].get(strand, [])


def origin_of(row: Row) -> Origin:
    """Return what identifies an event."""
    return Origin(row[1].source, row[2])


def digest_of(origin: Origin) -> UUID:
    """Return the bytes of an event's key: they are equal and sort as the UUID does, at a third of its cost."""
    return cast("UUID", blake2b("\0".join(origin).encode(), digest_size=16).digest())


def correlations(paths: tuple[Path, ...]) -> Callable[[Sequence[Event]], Sequence[Correlation | None]]:
    """Compile the paths that tie events together to a function of many events; None where a field is missing."""
    if len(paths) != 1:
        one = correlation(paths)
        return lambda events: [None if (text := one(each)) is None else text.encode() for each in events]
    read = column(paths[0])

    def several(events: Sequence[Event]) -> Sequence[Correlation | None]:
        values = read(events)
        if set(map(type, values)) == {str}:
            return values
        return [each if type(each) is str else None if (text := canonical(each)) is None else text.encode() for each in values]

    return several


def _tied(text: str) -> Correlation:
    """Return a correlation that is written as JSON."""
    value = orjson.loads(text) if text.startswith('"') else None
    return value if type(value) is str else text.encode()
