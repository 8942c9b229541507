"""Makes a promise run: which events it sees, in which roles, and what it reads of them. This is the hot path."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from services.chassis import rfc3339
from services.promises.amounts import at_stake_of
from services.promises.calendars.clocks import UnknownZoneError
from services.promises.correlations import UNCORRELATED, Correlation, Event, canonical, correlation, segment_of, text_of
from services.promises.domain import Limit, Mark, Role
from services.promises.language.conditions import MISSING, Condition, Path, Reader, condition, reader
from services.promises.language.customers import attributes
from services.promises.language.declarations import Judged, Match, Promise
from services.promises.language.expressions import ConditionError
from services.promises.language.settlements import as_json

Plan = tuple[int, tuple[tuple[int, Condition], ...]]
"""Of one event type: the roles that its type alone gives, and those that its fields must earn."""

# what a NamedTuple's own constructor does, at two thirds of its cost
_new = tuple.__new__
_TRIGGER, _RESET, _PAUSE, _RESUME = int(Role.TRIGGER), int(Role.RESET), int(Role.PAUSE), int(Role.RESUME)
_RETARGET, _HOLDER, _NEGOTIATED = int(Role.RETARGET), int(Role.HOLDER), int(Role.NEGOTIATED)
_EXCUSES: Final = int(Role.EXCUSE | Role.UNEXCUSE)
_NOTHING: Final[Plan] = (0, ())
_MOST_TYPES: Final = 10_000
OUR_ACTS: Final = ("recovery.", "promises.", "makegood.")
OURSELVES: Final = "makegood/"
"""How the sources of our own services begin. What they emit plays a part only where a promise names it."""
PERSONS: Final = {"promises.excuse.granted": int(Role.EXCUSE), "promises.excuse.taken_back": int(Role.UNEXCUSE)}
"""A person's excuse is a touchpoint of our own: it names the promise, the correlation, and what it is about by its event's key."""
_PROMISE, _CORRELATION, _ABOUT = (reader(("data", name)) for name in ("promise", "correlation", "about"))
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
        judged = promise.judged
        self.terms, self.correlate = judged.terms, judged.correlate
        self.correlate_text = ",".join(".".join(path) for path in judged.correlate)
        self.effective_from, self.superseded_at = effective_from, superseded_at
        self._correlation = correlation(judged.correlate)
        self._always_opens = effective_from is None and superseded_at is None
        self._anywhere = _anywhere(judged)
        self._reading = _Reading(promise)
        self._read_roles = self._reading.roles
        self._matches = [(role, _types(match), _further(match), _names_our_acts(match)) for role, match in judged.matches]
        self._plans: dict[str, Plan] = {}

    def hears(self, source: str, types: tuple[str, ...]) -> bool:
        """Whether events of a source, of these types or of any where none are named, can bear on what is open; `*` stands on both sides.

        What only opens commitments bears on none that is open already, unless it moves their anchor or is what is counted.
        """
        ours, terms = source.startswith(OURSELVES), self.terms
        if self.promise.judged.resume_other and not ours:
            return True
        opening = () if terms.first or terms.resets or isinstance(terms.pattern, Limit) else (_TRIGGER,)
        for role, match in self.promise.judged.matches:
            if role in opening:
                continue
            from_there = _wild(list(match.sources))
            wanted = _meant(match) if ours else match.types
            if (from_there is None or from_there.fullmatch(source)) and any(meet(one, each) for one in wanted for each in types or ("*",)):
                return True
        return False

    def matches_type(self, type_: str) -> bool:
        """Whether events of this type can play a part."""
        return self.plan(type_) is not _NOTHING

    def sees(self, event: Event, time: datetime, arrival: datetime, key: UUID, negotiated: str | None = None) -> tuple[str, Mark] | None:
        """Return the correlation of an event, as JSON text, and its mark; None where it plays no part.

        `negotiated` is the budget that this customer has instead of the targets. Raises `ConditionError` where the event cannot be
        judged for this promise.
        """
        roles = self.roles(event, time)
        if not roles:
            return None
        correlated = self.correlation(event, roles) if roles & _EXCUSES else self._correlation(event)
        return None if correlated is None else (correlated, self.mark(event, roles, time, arrival, key, negotiated))

    def roles(self, event: Event, time: datetime) -> int:
        """Return the parts an event plays, 0 for none; raises `ConditionError`."""
        type_ = event["type"]
        roles, tested = self._plans.get(type_) or self.plan(type_)
        for role, holds in tested:
            if not roles & role and holds(event):
                roles |= role
        if self._anywhere is not None:
            roles = self._anywhere(event, roles)
        if roles & _TRIGGER and (event.get("evidenceonly") or not (self._always_opens or self._opens(time))):
            roles &= ~_TRIGGER
        return roles

    def correlation(self, event: Event, roles: int) -> str | None:
        """Return what ties an event in these roles to others; None where it lacks that."""
        if roles & _EXCUSES and event["type"] in PERSONS and self.correlate:
            return canonical(_CORRELATION(event))
        return self._correlation(event)

    def mark(self, event: Event, roles: int, time: datetime, arrival: datetime, key: UUID, negotiated: str | None = None) -> Mark:
        """Return the mark of an event in these roles; raises `ConditionError`."""
        if not roles & self._read_roles and negotiated is None:
            return _new(Mark, (key, time, arrival, roles, None, True, None, None, None, (), None, None, None, None))
        reading = self._reading
        due = segment = within = zone = holder = about = data = at_stake = None
        dues: tuple[datetime | None, ...] = ()
        holds = True
        if roles & _TRIGGER:
            due, holds, segment, within, zone, at_stake = reading.of_trigger(event)
            if negotiated is not None:
                roles, within = roles | _NEGOTIATED, negotiated
        if roles & reading.further_roles:
            due, dues, holder, about, data = reading.further(event, roles, due)
            within = reading.target(event) if roles & _RETARGET and within is None else within
        return _new(Mark, (key, time, arrival, roles, due, holds, segment, within, zone, dues, holder, about, data, at_stake))

    def reads(self, roles: int) -> bool:
        """Whether anything of an event in these roles is read; if not, promises can share its mark."""
        return bool(roles & self._read_roles)

    def plan(self, type_: str) -> Plan:
        """Return which roles events of a type play, and which they may."""
        known = self._plans.get(type_)
        if known is not None:
            return known
        matched = [
            (role, _from_others(further) if type_.startswith(OUR_ACTS) and not named(type_) else further)
            for role, types, further, named in self._matches
            if types(type_)
        ]
        if type_ in PERSONS:
            matched.append((PERSONS[type_], self._is_meant))
        roles = 0
        for role, further in matched:
            roles |= role if further is None else 0
        tested = tuple((role, further) for role, further in matched if further is not None and not roles & role)
        plan = (roles, tested) if matched or self._anywhere is not None else _NOTHING
        if len(self._plans) < _MOST_TYPES:
            self._plans[type_] = plan
        return plan

    def _opens(self, time: datetime) -> bool:
        started = self.effective_from is None or time >= self.effective_from
        return started and (self.superseded_at is None or time < self.superseded_at)

    def _is_meant(self, event: Event) -> bool:
        return bool(event["source"].startswith(OURSELVES) and _PROMISE(event) == self.name)


class _Reading:
    """What a promise reads of the events that play a part, beside the parts they play."""

    def __init__(self, promise: Promise) -> None:
        judged = promise.judged
        self._name = promise.name
        self._bys = [None if each is None else (".".join(each), reader(each)) for each in judged.bys]
        self._by = self._bys[0] if len(self._bys) == 1 else None
        self._must = condition(judged.must)
        self._targets = [(condition(each.tests), each.within) for each in judged.targets]
        self._segment, self._holder = segment_of(judged.segments), _reader(judged.holder)
        self._collected = judged.collected
        self._time = judged.terms.time
        self._of_customer = self._time.of_customer
        self._at_stake = None if promise.at_stake is None else at_stake_of(*promise.at_stake)
        opening = self._must or self._segment or self._targets or self._of_customer or self._by or self._at_stake
        self.further_roles = (
            self._collected
            | _EXCUSES
            | (_HOLDER if self._holder else 0)
            | (_RETARGET if self._targets else 0)
            | (_RESET if any(self._bys) else 0)
            | (_TRIGGER if any(self._bys) and self._by is None else 0)
        )
        self.roles = self.further_roles | (_TRIGGER if opening else 0)

    def of_trigger(self, event: Event) -> tuple[datetime | None, bool, str | None, str | None, str | None, str | None]:
        """Return when it falls due, whether `must` holds, the segment, the target, the customer's zone and what is at stake."""
        due = None if self._by is None else self._due(*self._by, event)
        holds = self._must is None or self._must(event)
        segment = None if self._segment is None else self._segment(event)
        within = self.target(event) if self._targets else None
        at_stake = None if self._at_stake is None else self._at_stake(event)
        return due, holds, segment, within, self._zone(event) if self._of_customer else None, at_stake

    def further(self, event: Event, roles: int, due: datetime | None) -> tuple[Any, ...]:
        """Return what is read less often: due, or that of each slot; who holds the clock; what an excuse is about; the event itself."""
        dues: tuple[datetime | None, ...] = ()
        if roles & (_TRIGGER | _RESET) and self._by is None and any(self._bys):
            dues = tuple(None if each is None else self._due(*each, event) for each in self._bys)
        if due is None and roles & _RESET and self._by is not None:
            due = self._due(*self._by, event)
        holder = text_of(self._holder(event)) if self._holder is not None and roles & _HOLDER else None
        about = _about(event) if roles & _EXCUSES and event["type"] in PERSONS else None
        return due, dues, holder, about, as_json(event) if roles & self._collected else None

    def target(self, event: Event) -> str | None:
        """Return the first target that an event matches."""
        for holds, within in self._targets:
            if holds is None or holds(event):
                return within
        return None

    def _due(self, name: str, read: Reader, event: Event) -> datetime:
        value = read(event)
        if value is MISSING or value is None:
            raise ConditionError(f"`{name}` is missing, and it says when `{self._name}` falls due")
        try:
            due = rfc3339.parse(value)
        except (ValueError, TypeError):
            raise ConditionError(f"`{name}` is not a time with an offset, as in 2026-01-31T08:30:00Z") from None
        if not _EARLIEST <= due <= _LATEST:
            raise ConditionError(f"`{name}` is a time out of all proportion; it must be in the years 1500 to 8500")
        return due

    def _zone(self, event: Event) -> str:
        zone = attributes(event).get("zone")
        try:
            self._time.zone_of(zone if isinstance(zone, str) else None)
        except UnknownZoneError:  # its message quotes what is known of the customer
            raise ConditionError("`customer.zone` names no zone of the time zone database") from None
        return str(zone)


class Group(NamedTuple):
    """Promise versions that tie events together by the same fields."""

    correlation: Correlation
    versions: tuple[Compiled, ...]


class Catalogue:
    """The promise versions in force, found by event type."""

    def __init__(self, versions: Iterable[Compiled] = ()) -> None:
        """Hold these versions, in their order."""
        self.versions = tuple(versions)
        self._by_type: dict[str, tuple[Compiled, ...]] = {}
        self._grouped: dict[str, tuple[Group, ...]] = {}

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

    def groups(self, type_: str) -> tuple[Group, ...]:
        """Return the same versions, those together that tie events together by the same fields."""
        found = self._grouped.get(type_)
        if found is None:
            by_paths: dict[tuple[Path, ...], list[Compiled]] = {}
            for each in self.of(type_):
                by_paths.setdefault(each.correlate, []).append(each)
            found = tuple(Group(correlation(paths), tuple(versions)) for paths, versions in by_paths.items())
            if len(self._grouped) < _MOST_TYPES:
                self._grouped[type_] = found
        return found


def _anywhere(judged: Judged) -> Callable[[Event, int], int] | None:
    """Return what gives roles to events of every type, except to our own acts; None where nothing does."""
    holder, other = _reader(judged.holder), judged.resume_other
    if holder is None and not other:
        return None

    def roles_of(event: Event, roles: int) -> int:
        if event["type"].startswith(OUR_ACTS) and event["source"].startswith(OURSELVES):
            return roles
        if other and not roles & _PAUSE:
            roles |= _RESUME
        if holder is not None and holder(event) not in (MISSING, None):
            roles |= _HOLDER
        return roles

    return roles_of


def _reader(path: Path | None) -> Reader | None:
    return None if path is None else reader(path)


def _about(event: Event) -> UUID | None:
    about = _ABOUT(event)
    try:
        return UUID(about) if isinstance(about, str) else None
    except ValueError:
        raise ConditionError("`data.about` is no event's key") from None


def _types(match: Match) -> Callable[[str], bool]:
    exact = frozenset(each for each in match.types if "*" not in each)
    wild = _wild([each for each in match.types if "*" in each])
    return lambda type_: type_ in exact or (wild is not None and wild.fullmatch(type_) is not None)


def _names_our_acts(match: Match) -> Callable[[str], bool]:
    """Whether a type is meant by name, or by a wildcard that begins as our own acts do."""
    return _types(Match(_meant(match)))


def _meant(match: Match) -> tuple[str, ...]:
    return tuple(each for each in match.types if "*" not in each or each.startswith(OUR_ACTS))


@lru_cache(maxsize=4096)
def meet(one: str, other: str) -> bool:
    """Whether some text matches both of two patterns in which `*` stands for any characters."""
    waiting, known = [(0, 0)], set()
    while waiting:
        place, there = waiting.pop()
        if (place, there) == (len(one), len(other)):
            return True
        if (place, there) in known:
            continue
        known.add((place, there))
        mine, theirs = one[place : place + 1], other[there : there + 1]
        if mine and mine == theirs:
            waiting.append((place + 1, there + 1))
        if mine == "*" or (mine and theirs == "*"):
            waiting.append((place + 1, there))
        if theirs == "*" or (theirs and mine == "*"):
            waiting.append((place, there + 1))
    return False


def _from_others(further: Condition | None) -> Condition:
    """Of events that a wildcard reaches: our own acts are none of what company systems sent, in a backtest either."""
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


__all__ = ["UNCORRELATED", "Catalogue", "Compiled", "Event", "Group", "canonical", "correlation", "text_of"]
