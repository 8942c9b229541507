"""Makes a promise run: which events it sees, in which roles, and what ties them together. This is the hot path."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson

from services.chassis import rfc3339
from services.promises.conditions import MISSING, Condition, Path, Reader, condition, reader
from services.promises.declarations import Match, Promise
from services.promises.domain import Mark, Role
from services.promises.expressions import ConditionError

Event = Mapping[str, Any]
Plan = tuple[int, tuple[tuple[int, Condition], ...]]
"""Of one event type: the roles that its type alone gives, and those that its fields must earn."""

UNCORRELATED: Final = "null"
"""The correlation of a promise without `correlate`: the customer is all that ties its events together."""
_TRIGGER: Final = int(Role.TRIGGER)
_NOTHING: Final[Plan] = (0, ())
_MOST_TYPES: Final = 10_000
OUR_ACTS: Final = "recovery."
OURSELVES: Final = "makegood/"
"""How the sources of our own services begin. What they emit plays a part only where a promise names it."""
# so far from both ends of the calendar that no grace or warning gets there
_EARLIEST: Final = datetime(1500, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(8500, 1, 1, tzinfo=UTC)


class Compiled:
    """One promise version at work."""

    def __init__(
        self,
        promise: Promise,
        version: int = 1,
        *,
        effective_from: datetime | None = None,
        superseded_at: datetime | None = None,
    ) -> None:
        """Compile a promise whose triggers count in [effective_from, superseded_at), by event time."""
        self.promise, self.version = promise, version
        self.name, self.owner, self.statement = promise.name, promise.owner, promise.statement
        self.audience, self.severity, self.playbook = promise.audience, promise.severity, promise.playbook
        self.terms, self.correlate = promise.terms, promise.correlate
        self.correlate_text = ",".join(".".join(path) for path in promise.correlate)
        self.effective_from, self.superseded_at = effective_from, superseded_at
        self._correlation = correlation(promise.correlate)
        self._segment = reader(promise.segment) if promise.segment is not None else None
        self._by = reader(promise.by) if promise.by is not None else None
        self._must = condition(promise.must)
        self._matches = [(role, _types(match), _further(match), _names_our_acts(match)) for role, match in promise.matches]
        self._plans: dict[str, Plan] = {}

    def matches_type(self, type_: str) -> bool:
        """Whether events of this type can play a part."""
        return self._plan(type_) is not _NOTHING

    def sees(self, event: Event, time: datetime, arrival: datetime, key: UUID) -> tuple[str, Mark] | None:
        """Return the correlation of an event, as JSON text, and its mark; None where it plays no part.

        Raises `ConditionError` where the event cannot be judged for this promise.
        """
        type_ = event["type"]
        roles, tested = self._plans.get(type_) or self._plan(type_)
        for role, holds in tested:
            if not roles & role and holds(event):
                roles |= role
        if roles & _TRIGGER and not self._opens(event, time):
            roles &= ~_TRIGGER
        if not roles:
            return None
        correlated = self._correlation(event)
        if correlated is None:
            return None
        if not roles & _TRIGGER:
            return correlated, Mark(key, time, arrival, roles)
        due = None if self._by is None else self._due(event)
        holds_itself = self._must is None or self._must(event)
        segment = None if self._segment is None else text_of(self._segment(event))
        return correlated, Mark(key, time, arrival, roles, due, holds_itself, segment)

    def _plan(self, type_: str) -> Plan:
        known = self._plans.get(type_)
        if known is not None:
            return known
        matched = [
            (role, _from_others(further) if type_.startswith(OUR_ACTS) and not named(type_) else further)
            for role, types, further, named in self._matches
            if types(type_)
        ]
        roles = 0
        for role, further in matched:
            roles |= role if further is None else 0
        tested = tuple((role, further) for role, further in matched if further is not None and not roles & role)
        plan = (roles, tested) if matched else _NOTHING
        if len(self._plans) < _MOST_TYPES:
            self._plans[type_] = plan
        return plan

    def _opens(self, event: Event, time: datetime) -> bool:
        started = self.effective_from is None or time >= self.effective_from
        ended = self.superseded_at is not None and time >= self.superseded_at
        return started and not ended and not event.get("evidenceonly")

    def _due(self, event: Event) -> datetime:
        assert self._by is not None
        value = self._by(event)
        name = ".".join(self.promise.by or ())
        if value is MISSING or value is None:
            message = f"`{name}` is missing, and it says when `{self.name}` falls due"
            raise ConditionError(message)
        try:
            due = rfc3339.parse(value)
        except (ValueError, TypeError):
            message = f"`{name}` is not a time with an offset, as in 2026-01-31T08:30:00Z"
            raise ConditionError(message) from None
        if not _EARLIEST <= due <= _LATEST:
            raise ConditionError(f"`{name}` is a time out of all proportion; it must be in the years 1500 to 8500")
        return due


class Catalogue:
    """The promise versions in force, found by event type."""

    def __init__(self, versions: Iterable[Compiled] = ()) -> None:
        """Hold these versions, in their order."""
        self.versions = tuple(versions)
        self._by_type: dict[str, tuple[Compiled, ...]] = {}

    def __iter__(self) -> Iterator[Compiled]:
        """Yield every version."""
        return iter(self.versions)

    def of(self, type_: str) -> tuple[Compiled, ...]:
        """Return the versions in which events of this type can play a part."""
        found = self._by_type.get(type_)
        if found is None:
            found = tuple(each for each in self.versions if each.matches_type(type_))
            if len(self._by_type) < _MOST_TYPES:
                self._by_type[type_] = found
        return found


def correlation(paths: tuple[Path, ...]) -> Callable[[Event], str | None]:
    """Compile the paths that tie events together to a function: canonical JSON text, None where a field is missing."""
    if not paths:
        return lambda _: UNCORRELATED
    readers = [reader(each) for each in paths]
    if len(readers) == 1:
        return _single(readers[0])

    def several(event: Event) -> str | None:
        values = [canonical(each(event)) for each in readers]
        return None if None in values else f"[{','.join(each or '' for each in values)}]"

    return several


def _single(read: Reader) -> Callable[[Event], str | None]:
    def single(event: Event) -> str | None:
        value = read(event)
        return orjson.dumps(value).decode() if type(value) is str else canonical(value)

    return single


def canonical(value: Any) -> str | None:
    """Return JSON text that is equal exactly when type and value are; None for what is missing or null."""
    kind = type(value)
    if kind is str:
        return orjson.dumps(value).decode()
    if kind is int:
        return str(value)
    if value is MISSING or value is None:
        return None
    return orjson.dumps(_whole(value), option=orjson.OPT_SORT_KEYS).decode()


def _whole(value: Any) -> Any:
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: _whole(each) for key, each in value.items()}
        case list():
            return [_whole(each) for each in value]
    return value


def text_of(value: Any) -> str | None:
    """Return a segment's value as text."""
    return value if type(value) is str else canonical(value)


def _types(match: Match) -> Callable[[str], bool]:
    exact = frozenset(each for each in match.types if "*" not in each)
    wild = _wild([each for each in match.types if "*" in each])
    return lambda type_: type_ in exact or (wild is not None and wild.fullmatch(type_) is not None)


def _names_our_acts(match: Match) -> Callable[[str], bool]:
    """Whether a type is meant by name, or by a wildcard that begins as our own acts do."""
    meant = [each for each in match.types if "*" not in each or each.startswith(OUR_ACTS)]
    return _types(Match(tuple(meant)))


def _from_others(further: Condition | None) -> Condition:
    """Of events that a wildcard reaches: recovery's own acts are none of what company systems sent, in a backtest either."""
    return lambda event: not event["source"].startswith(OURSELVES) and (further is None or further(event))


def _further(match: Match) -> Condition | None:
    tested = condition(match.tests)
    if not match.sources:
        return tested
    pattern = _wild(list(match.sources))

    def holds(event: Event) -> bool:
        from_there = pattern is not None and pattern.fullmatch(event["source"]) is not None
        return from_there and (tested is None or tested(event))

    return holds


def _wild(patterns: list[str]) -> re.Pattern[str] | None:
    if not patterns:
        return None
    return re.compile("|".join(".*".join(re.escape(part) for part in each.split("*")) for each in patterns), re.DOTALL)
