"""What the promises of a backtest make of events: many events at once, and each once for all promises that correlate alike.

A *sight* says which roles an event plays in which promise. There are few different ones in any history, so that millions
of events share them; what is an event's own (its time, its id, when its trigger falls due) stands in its row.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from services.chassis import rfc3339
from services.promises.compile import Compiled
from services.promises.correlations import DISCREET, Event, segment_of, text_of
from services.promises.domain import Mark, Role
from services.promises.language.conditions import MISSING, Condition, Path, condition, reader
from services.promises.language.expressions import ConditionError

Outcome = bool | None
"""Of a condition; None: it could not be evaluated, which is never read as false."""
Column = Callable[[Sequence[Event]], Sequence[Any]]

TRIGGER: Final = int(Role.TRIGGER)
_READ_OF: Final = TRIGGER | int(Role.RETARGET)
_NO_KEY: Final = UUID(int=0)
# a promise itself is asked whether other times make sense
_USUAL: Final = datetime(1900, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)


class Part(NamedTuple):
    """What an event is to one promise, and where in its row that stands which was read of it."""

    roles: int
    holds: bool = True
    within: str | None = None
    due: int | None = None
    segment: int | None = None


class Sight:
    """What an event is to each promise, by the promise's place; there is one object of each."""

    __slots__ = ("parts", "source", "unreadable", "usual")

    def __init__(self, source: str, parts: dict[int, Part], unreadable: tuple[int, ...]) -> None:
        """Hold the parts, and the promises that such an event cannot be judged for."""
        self.source, self.parts, self.unreadable = source, parts, unreadable
        self.usual = bool(parts) and not unreadable


Row = tuple[Any, ...]
"""An event as it is kept: time, sight, id, arrival, and then what was read of it."""
_READ: Final = 4


def mark_of(row: Row, place: int, key: UUID) -> Mark:
    """Return the mark of an event for the promise at a place, in which it plays a part."""
    roles, holds, within, due, segment = row[1].parts[place]
    return Mark(key, row[0], row[3], roles, row[due] if due else None, holds, row[segment] if segment else None, within)


def reads_more(version: Compiled) -> bool:
    """Whether a promise reads more of events than a part has room for; who holds the clock decides nothing, and is not read."""
    judged = version.promise.judged
    by_reset = judged.terms.resets and judged.bys != (None,)
    return len(judged.bys) > 1 or by_reset or judged.resume_other or judged.collected > 0 or judged.terms.time.of_customer


class Plan(NamedTuple):
    """What an event type is to one promise; conditions by their number among those of the type."""

    place: int
    version: Compiled
    roles: int
    tested: tuple[tuple[int, int], ...]
    must: int | None = None
    targets: tuple[tuple[int | None, str], ...] = ()
    due: int | None = None
    segment: int | None = None

    def part(self, outcomes: Sequence[Outcome], *, opens: bool) -> Part | None:
        """Return what such an event is to the promise; None where it cannot be judged for it."""
        roles = self.roles
        for role, number in self.tested:
            if not roles & role:
                if outcomes[number] is None:
                    return None
                roles |= role if outcomes[number] else 0
        if not opens:
            roles &= ~TRIGGER
        if not roles & _READ_OF:
            return Part(roles)
        holds = outcomes[self.must] if self.must is not None and roles & TRIGGER else True
        within: str | None = None
        for test, text in self.targets:
            met = True if test is None else outcomes[test]
            if met is None:
                return None
            if met:
                within = text
                break
        return None if holds is None else Part(roles, holds, within, *((self.due, self.segment) if roles & TRIGGER else ()))


class Outlook:
    """What events of one type and source are to promises that correlate alike."""

    def __init__(self, versions: Iterable[tuple[int, Compiled]], type_: str, source: str, *, opening: bool) -> None:
        """Plan for these promises, each with its place; without `opening`, what comes is evidence only."""
        self._source, self._opening = source, opening
        self._conditions: list[Condition] = []
        self._columns: dict[Hashable, Column] = {}
        planned = (self._plan(place, version, type_) for place, version in versions)
        self._plans = [each for each in planned if each is not None]
        self._bounded = [each for each in self._plans if each.version.effective_from or each.version.superseded_at]
        self._dues = {each.due for each in self._plans if each.due is not None}
        self._sights: dict[tuple[Outcome, ...], Sight] = {}
        self._narrowed: dict[tuple[Sight, tuple[int, ...]], Sight] = {}

    def __bool__(self) -> bool:
        """Whether such events play a part at all."""
        return bool(self._plans)

    def _plan(self, place: int, version: Compiled, type_: str) -> Plan | None:
        judged = version.promise.judged
        roles, tested = version.plan(type_)
        if not roles and not tested:
            return None
        plan = Plan(place, version, roles, tuple((role, self._number(each)) for role, each in tested))
        if not any(role & _READ_OF for role in (roles, *(role for role, _ in tested))):
            return plan
        by, segments, must = judged.bys[0], judged.segments, condition(judged.must)
        return plan._replace(
            must=None if must is None else self._number(must),
            targets=tuple((None if (met := condition(each.tests)) is None else self._number(met), each.within) for each in judged.targets),
            due=None if by is None else self._read(("due", by), due_column(version, by)),
            segment=self._read(("segment", segments), segment_column(segments)) if segments else None,
        )

    def _number(self, holds: Condition) -> int:
        self._conditions.append(holds)
        return len(self._conditions) - 1

    def _read(self, what: Hashable, column: Column) -> int:
        self._columns.setdefault(what, column)
        return _READ + list(self._columns).index(what)

    def rows(
        self, events: Sequence[Event], ids: Sequence[str], times: Sequence[datetime], arrivals: Sequence[datetime]
    ) -> tuple[Sequence[Sight], Iterable[Row]]:
        """Return how each event is seen, and its row."""
        columns = [each(events) for each in self._columns.values()]
        sights = self._seen(events, times)
        if any(None in columns[place - _READ] for place in self._dues):
            sights = [self._readable(sight, read) for sight, *read in zip(sights, *columns, strict=True)]
        return sights, zip(times, sights, ids, arrivals, *columns, strict=True)

    def _seen(self, events: Sequence[Event], times: Sequence[datetime]) -> list[Sight]:
        outcomes = [_outcomes(each, events) for each in self._conditions]
        outcomes += [[_opens(plan.version, time) for time in times] for plan in self._bounded]
        return list(map(self._sight, zip(*outcomes, strict=True))) if outcomes else [self._sight(())] * len(events)

    def _sight(self, outcomes: tuple[Outcome, ...]) -> Sight:
        found = self._sights.get(outcomes)
        if found is None:
            opens = dict(zip((each.place for each in self._bounded), outcomes[len(self._conditions) :], strict=True))
            parts = {each.place: each.part(outcomes, opens=self._opening and bool(opens.get(each.place, True))) for each in self._plans}
            readable = {place: part for place, part in parts.items() if part is not None and part.roles}
            unreadable = tuple(place for place, part in parts.items() if part is None)
            found = self._sights[outcomes] = Sight(self._source, readable, unreadable)
        return found

    def _readable(self, sight: Sight, read: Sequence[Any]) -> Sight:
        """Return a sight without the promises for which an event does not say when it falls due."""
        wrong = tuple(place for place, part in sight.parts.items() if part.due and read[part.due - _READ] is None)
        found = self._narrowed.get((sight, wrong)) if wrong else sight
        if found is None:
            parts = {place: part for place, part in sight.parts.items() if place not in wrong}
            found = self._narrowed[sight, wrong] = Sight(self._source, parts, (*sight.unreadable, *wrong))
        return found


def _opens(version: Compiled, time: datetime) -> bool:
    started = version.effective_from is None or time >= version.effective_from
    return started and (version.superseded_at is None or time < version.superseded_at)


def _outcomes(holds: Condition, events: Sequence[Event]) -> list[Outcome]:
    try:
        return [holds(each) for each in events]
    except ConditionError:
        return [_outcome(holds, each) for each in events]


def _outcome(holds: Condition, event: Event) -> Outcome:
    try:
        return holds(event)
    except ConditionError:
        return None


def column(path: Path) -> Column:
    """Compile a path to a function that returns the field of each event, `MISSING` where there is none."""
    name = path[-1]
    if len(path) == 1:
        return lambda events: [each.get(name, MISSING) for each in events]
    if path[:-1] == ("data",):  # by far the most common
        return lambda events: [data.get(name, MISSING) if type(data := each.get("data")) is dict else MISSING for each in events]
    read = reader(path)
    return lambda events: list(map(read, events))


class _Texts(dict[Any, str | None]):
    """The texts of segments by their values; equal ones are one object."""

    def __missing__(self, value: Any) -> str | None:
        text = self[value] = text_of(value)
        return text


def due_column(version: Compiled, by: Path) -> Column:
    """Compile what says when a trigger falls due; None where the promise cannot read it."""
    read = column(by)

    def due(event: Event) -> datetime | None:
        try:
            return version.mark(event, TRIGGER, _USUAL[0], _USUAL[0], _NO_KEY).due
        except ConditionError:
            return None

    def dues(events: Sequence[Event]) -> Sequence[datetime | None]:
        try:
            found = rfc3339.parse_all(read(events))
        except (TypeError, ValueError):
            return list(map(due, events))
        return found if _USUAL[0] <= min(found) and max(found) <= _USUAL[1] else list(map(due, events))

    return dues


def segment_column(paths: tuple[Path, ...]) -> Column:
    """Compile the paths of a segment."""
    one = segment_of(paths)
    assert one is not None
    if len(paths) != 1:
        return lambda events: list(map(one, events))
    read, texts = column(paths[0]), _Texts()

    def segments(events: Sequence[Event]) -> Sequence[str | None]:
        values = read(events)
        if any(DISCREET in each for each in events):
            return list(map(one, events))
        # 1, true and 1.0 are one key of a dictionary, and not one text
        return list(map(texts.__getitem__, values)) if set(map(type, values)) == {str} else list(map(text_of, values))

    return segments
