"""Counts what commitments come to, and judges only once what cannot come out differently.

Once everything may be said, what `judge` says of a plain commitment depends on the order of its instants and on nothing
else of them: which of its events came before which, and before or after it fell due. Commitments that are alike in this
are counted, and one of them is judged for all.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import compress, pairwise
from operator import eq, itemgetter, lt
from typing import Final, NamedTuple

from services.promises.backtest.gathering import Gathered, Strand
from services.promises.backtest.sighting import TRIGGER, Part, Row, Sight
from services.promises.calendars.durations import Duration
from services.promises.compile import Compiled
from services.promises.domain import MANY, Absence, Conformance, Limit, Response, Role, State

Outcome = tuple[State, bool, bool]
"""State, lateness and standing."""
Period = Callable[[datetime], date]
"""What a time is reported under: the first day of its month, for one."""
Tell = Callable[[int, Outcome, str | None, date | None, int], None]
"""Hears how many commitments of the promise at a place came to what, by segment and by the period of their trigger."""
Item = tuple[Strand, list[Row]]

_PLAIN: Final = int(Role.TRIGGER | Role.FAILURE | Role.CANCEL | Role.EXPECT | Role.NEVER | Role.UNTIL)
_BY_TIME: Final = itemgetter(0)
_FEW: Final = 3
"""So few strands are judged one by one sooner than looked at for what they have in common."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_AFTER_ALL: Final = datetime.max.replace(tzinfo=UTC)


class Judges(NamedTuple):
    """How commitments are judged."""

    each: Callable[[int, Strand], Iterable[tuple[Outcome, str | None, datetime]]]
    """Those of the promise at a place in a strand: outcomes with their segments and the time of their trigger."""
    one: Callable[[int, Strand, Row], Outcome]
    """That of one trigger."""


class Alike(NamedTuple):
    """How commitments are opened in strands of one shape: by the trigger in a position, falling due in one way."""

    position: int
    due: int | None
    within: Duration | None
    segment: int | None


class Counting:
    """Counts the commitments of promises that correlate alike, at a barrier."""

    def __init__(self, gathered: Gathered, as_of: datetime, judges: Judges, tell: Tell, period: Period | None) -> None:
        """Count nothing yet."""
        self._gathered, self._judges, self._tell, self._period = gathered, judges, tell, period
        self._clear = min((_clear(version, as_of) for _, version in gathered.alike), default=as_of)
        """What happened, arrived or fell due by then leaves nothing that may not be said."""
        self._graced = self._clear < as_of

    def count(self, apart: Callable[[Strand], bool] | None) -> Iterator[int]:
        """Count everything, and yield how many strands are done; `apart` says on which more bears than their own events, None: on none."""
        everybody = [place for place, _ in self._gathered.alike]
        shapes: defaultdict[tuple[Sight, ...], list[Item]] = defaultdict(list)
        for item in self._gathered.strands.items():
            strand, rows = item
            if apart is not None and apart(strand):
                yield self._count_each(strand, everybody)
                continue
            if rows[-1][0] < rows[0][0]:
                rows.sort(key=_BY_TIME)
            shapes[tuple([row[1] for row in rows])].append(item)
        disorderly: defaultdict[tuple[Sight, ...], list[Item]] = defaultdict(list)
        for sights, items in shapes.items():
            unclear = self._count_shape(sights, items)
            for strand, rows in unclear:
                rows.sort(key=_BY_TIME)
                disorderly[tuple([row[1] for row in rows])].append((strand, rows))
            yield len(items) - len(unclear)
        for sights, items in disorderly.items():
            for strand, _ in self._count_shape(sights, items):  # events of one instant
                self._count_each(strand, everybody)
            yield len(items)
        for place, _ in self._gathered.alone:
            for strand in self._gathered.strands_of(place):
                yield self._count_each(strand, (place,))

    def _count_each(self, strand: Strand, places: Iterable[int]) -> int:
        for place in places:
            for outcome, segment, time in self._judges.each(place, strand):
                self._tell(place, outcome, segment, None if self._period is None else self._period(time), 1)
        return 1

    def _count_shape(self, sights: Sequence[Sight], items: list[Item]) -> list[Item]:
        """Count the commitments of strands of one shape; return the strands whose events do not follow one another in time."""
        opened, different = self._opened(sights)
        if len(items) < _FEW or len(sights) > MANY:
            different += dict.fromkeys(place for places in opened.values() for place in places)
            opened = {}
        disorderly: list[Item] = []
        if opened:
            times = [[rows[position][0] for _, rows in items] for position in range(len(sights))]
            follow = [all(each) for each in zip(*(map(lt, *each) for each in pairwise(times)), strict=True)]
            if not all(follow):
                disorderly = [item for item, follows in zip(items, follow, strict=True) if not follows]
                items, times = list(compress(items, follow)), [list(compress(each, follow)) for each in times]
        for alike, places in opened.items() if items else ():
            self._count_alike(alike, places, items, times)
        for strand, _ in items if different else ():
            self._count_each(strand, different)
        return disorderly

    def _opened(self, sights: Sequence[Sight]) -> tuple[dict[Alike, list[int]], list[int]]:
        """Return what opens commitments that are alike, with the places of the promises, and of those whose commitments may not be."""
        found: defaultdict[Alike, list[int]] = defaultdict(list)
        different = []
        for place, version in self._gathered.alike:
            parts = [each.parts.get(place) for each in sights]
            triggers = [(position, part) for position, part in enumerate(parts) if part is not None and part.roles & TRIGGER]
            if triggers and not _is_plain(version, parts):
                different.append(place)
                continue
            for position, part in triggers[:1] if version.terms.first else triggers:
                found[Alike(position, part.due, _within(version, part), part.segment)].append(place)
        return found, different

    def _count_alike(self, alike: Alike, places: Sequence[int], items: list[Item], times: list[list[datetime]]) -> None:
        triggers = [rows[alike.position] for _, rows in items]
        dues = _dues(alike, triggers)
        if unclear := self._unclear(items, times, dues):
            self._count_ones(alike, places, [(items[index], triggers[index]) for index in unclear])
            chosen = [index not in unclear for index in range(len(items))]
            items, triggers, dues = list(compress(items, chosen)), list(compress(triggers, chosen)), list(compress(dues, chosen))
            times = [list(compress(each, chosen)) for each in times]
        segments = [row[alike.segment] for row in triggers] if alike.segment else [None] * len(items)
        relations = [map(relation, column, dues) for relation in (lt, eq) for column in times] if dues else []
        orders = list(zip(*relations, strict=True)) if relations else [()] * len(items)
        samples = {order: orders.index(order) for order in set(orders)}
        counts = Counter(zip(orders, segments, self._periods(triggers), strict=True))
        for place in places:
            outcomes = {order: self._judges.one(place, items[index][0], triggers[index]) for order, index in samples.items()}
            for (order, segment, period), number in counts.items():
                self._tell(place, outcomes[order], segment, period, number)

    def _periods(self, triggers: Sequence[Row]) -> Sequence[date | None]:
        period = self._period
        return [None] * len(triggers) if period is None else [period(row[0]) for row in triggers]

    def _unclear(self, items: Sequence[Item], times: Sequence[Sequence[datetime]], dues: Sequence[datetime]) -> set[int]:
        """Return which of some commitments may not have been said altogether."""
        columns = [times[-1], dues, [max(row[3] for row in rows) for _, rows in items] if self._graced else ()]
        late = [column for column in columns if column and max(column) > self._clear]
        return {index for column in late for index, at in enumerate(column) if at > self._clear}

    def _count_ones(self, alike: Alike, places: Sequence[int], found: Iterable[tuple[Item, Row]]) -> None:
        for (strand, _), trigger in found:
            segment, (period,) = trigger[alike.segment] if alike.segment else None, self._periods([trigger])
            for place in places:
                self._tell(place, self._judges.one(place, strand, trigger), segment, period, 1)


def _clear(version: Compiled, as_of: datetime) -> datetime:
    """Return the instant up to which grace is over at a barrier."""
    grace = version.terms.grace
    clear = grace.before(as_of)
    return clear if grace.after(clear) <= as_of else _NEVER


def _is_plain(version: Compiled, parts: Iterable[Part | None]) -> bool:
    """Whether all that matters is which came first: no instant counts but the events' own, and due."""
    pattern = version.terms.pattern
    orderly = isinstance(pattern, Response | Absence | Conformance) or (isinstance(pattern, Limit) and pattern.span is None)
    return orderly and not any(part.roles & ~_PLAIN for part in parts if part is not None)


def _within(version: Compiled, part: Part) -> Duration | None:
    terms = version.terms
    if part.within is not None:
        return terms.time.duration(part.within, closing=terms.closing)
    return terms.pattern.within if isinstance(terms.pattern, Response | Absence) else None


def _dues(alike: Alike, triggers: Sequence[Row]) -> list[datetime]:
    if alike.due is not None:
        return [row[alike.due] for row in triggers]
    if alike.within is None:
        return []
    after = alike.within.after
    try:
        return [after(row[0]) for row in triggers]
    except (ValueError, OverflowError):
        # a calendar that has ended: `judge` says so of each that it concerns
        return [_AFTER_ALL] * len(triggers)
