"""The words of judging: what an event is to a promise, what a promise owes, what can be said of a commitment.

Frozen values only. `judging` decides with them; nothing here knows Kafka, SQL, HTTP or clocks.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from services.promises.calendars.durations import NOTHING, Duration, Timekeeping

NAMESPACE: Final = UUID("6d616b65-676f-5f64-a000-636f6d6d6974")
UTC_TIME: Final = Timekeeping(ZoneInfo("UTC"))
HOLD_LIMIT: Final = timedelta(hours=24)
"""How long a verdict is held for what was not read (DESIGN 3.7); then it is said, with what was not read."""


class Role(enum.IntFlag):
    """What an event is to a promise; one event may be several of these at once.

    The last four belong to a *slot*: slot 0 is the pattern itself, the others are its steps or its patterns, in order.
    """

    TRIGGER = 1
    FAILURE = 1 << 1
    CANCEL = 1 << 2
    RESET = 1 << 3
    PAUSE = 1 << 4
    RESUME = 1 << 5
    EXCUSE = 1 << 6
    UNEXCUSE = 1 << 7
    RETARGET = 1 << 8
    HOLDER = 1 << 9
    NEGOTIATED = 1 << 10
    """The trigger's budget is a negotiated term, which no target changes."""
    BACKFILLED = 1 << 11
    """History that was brought in later: it is judged like everything, and what it opens is nobody's case."""
    EXPECT = 1 << 16
    NEVER = 1 << 17
    UNTIL = 1 << 18
    COLLECT = 1 << 19


SLOT_WIDTH: Final = 4


def in_slot(role: Role, slot: int) -> int:
    """Return the bits of EXPECT, NEVER, UNTIL or COLLECT in a slot."""
    return int(role) << (SLOT_WIDTH * slot)


class State(enum.StrEnum):
    """What a judgement says; the last four are decided, and then it is a verdict."""

    ON_TRACK = "on_track"
    AT_RISK = "at_risk"
    PAUSED = "paused"
    HELD = "held"
    KEPT = "kept"
    BROKEN = "broken"
    EXCUSED = "excused"
    WITHDRAWN = "withdrawn"

    @property
    def decided(self) -> bool:
        """Whether this is a verdict."""
        return self in _DECIDED


_DECIDED = frozenset({State.KEPT, State.BROKEN, State.EXCUSED, State.WITHDRAWN})


class Mark(NamedTuple):
    """One journey event as one promise version sees it. Times are UTC."""

    event: UUID
    time: datetime
    arrival: datetime
    roles: int
    due: datetime | None = None
    """What `by` reads from a trigger."""
    holds: bool = True
    """Whether `must` of a conformance holds on it."""
    segment: str | None = None
    within: str | None = None
    """Of a trigger or a change of target: the target that its fields pick, or the negotiated term; None: the pattern's own."""
    zone: str | None = None
    """Of a trigger: the customer's own zone, where the promise's calendar follows it."""
    dues: tuple[datetime | None, ...] = ()
    """Of a trigger: what `by` of each slot reads from it."""
    holder: str | None = None
    """Who holds the clock from this event on."""
    about: UUID | None = None
    """Of a person's excuse: the trigger of the commitment; of one taken back: the excuse."""
    data: Mapping[str, Any] | None = None
    """The event itself, where a settlement's `must` reads it."""
    at_stake: str | None = None
    """Of a trigger: what the customer stands to lose by a break, as `2500.00 EUR`, where the promise names the fields that say it."""


class Blind(NamedTuple):
    """An interval of arrivals in which something that may bear on a commitment was not read; `end` None: still so."""

    start: datetime
    end: datetime | None
    why: str = ""

    def seen_from(self, barrier: datetime) -> "Blind":
        """Return it as it stood at a barrier, when what came later was not known."""
        return self if self.end is None or self.end <= barrier else self._replace(end=None)


class Evidence(NamedTuple):
    """What is in hand on one commitment; the marks are a set: order, duplicates and the trigger make no difference."""

    trigger: Mark
    marks: tuple[Mark, ...]
    blind: tuple[Blind, ...] = ()


class UnjudgeableError(ValueError):
    """A condition over the events of a commitment cannot be evaluated: it is never read as false."""


Must = Callable[[Mapping[str, Any], Sequence[Mapping[str, Any]]], bool]
"""A settlement's condition over its trigger and what was collected; raises `UnjudgeableError`."""


@dataclass(frozen=True, slots=True)
class Response:
    """`count` expected events at or after the trigger and no later than due (before due, `strictly`)."""

    within: Duration | None = None
    by: bool = False
    """The trigger carries its own due time."""
    count: int = 1
    strictly: bool = False


@dataclass(frozen=True, slots=True)
class Precedence:
    """An `after` (EXPECT) at or before the event: at least `no_sooner_than` and at most `within` before it."""

    no_sooner_than: Duration | None = None
    within: Duration | None = None


@dataclass(frozen=True, slots=True)
class Absence:
    """No `never` at or after the trigger, to the end of `within` or the first `until`; without both it is standing."""

    within: Duration | None = None
    until: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many events (TRIGGER) of a correlation, within any sliding `span` if one is given."""

    at_most: int
    span: Duration | None = None


@dataclass(frozen=True, slots=True)
class Conformance:
    """The trigger itself is as it must be."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """`must` holds over the trigger and what was collected: at the end, or `early` as soon as it does."""

    must: Must
    within: Duration | None = None
    by: bool = False
    until: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class Recurrence:
    """An expected event in every interval since the trigger, until `until` comes."""

    every: Duration
    until: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One milestone: its event in slot order, due by itself, counted from the start or from the step before."""

    name: str
    within: Duration | None = None
    by: bool = False
    from_previous: bool = False


@dataclass(frozen=True, slots=True)
class Milestones:
    """Every step in time; each has a slot, in their order."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of several patterns of one trigger; `in_order`: each counts what comes once those before it are kept."""

    patterns: tuple["Pattern", ...]
    in_order: bool = False


Pattern = Response | Precedence | Absence | Limit | Conformance | Settlement | Recurrence | Milestones | AllOf


def slots_of(pattern: Pattern) -> int:
    """Return how many slots a pattern takes: one, or those of its steps or its patterns one after the other."""
    match pattern:
        case Milestones(steps=steps):
            return len(steps)
        case AllOf(patterns=patterns):
            return sum(slots_of(each) for each in patterns)
    return 1


@dataclass(frozen=True, slots=True)
class Warn:
    """When to say `at_risk`: at a share of the budget used, or some time before due."""

    reason: str
    share: float | None = None
    before: Duration | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What one promise version owes, as far as judging needs it."""

    pattern: Pattern
    first: bool = False
    """Only the first trigger of a correlation opens a commitment."""
    grace: Duration = NOTHING
    warnings: tuple[Warn, ...] = ()
    time: Timekeeping = UTC_TIME
    """What the durations of targets and negotiated terms are counted by."""
    closing: bool = False
    """Budgets in business days end at closing of their last day."""
    pauses: bool = False
    resets: bool = False
    excuses: bool = False

    @property
    def looks_back(self) -> bool:
        """Whether what happened before a trigger bears on it."""
        return self.pauses or self.resets or _reads_the_past(self.pattern)

    def in_zone(self, zone: str) -> "Terms":
        """Return what is owed to a customer in a zone, where the customer's own counts."""
        found: Terms = _in_zone(self, zone)
        return found


def _reads_the_past(pattern: Pattern) -> bool:
    return isinstance(pattern, Precedence) or (isinstance(pattern, AllOf) and any(map(_reads_the_past, pattern.patterns)))


def _in_zone(value: Any, zone: str) -> Any:
    match value:
        case Duration():
            return value.in_zone(zone)
        case tuple():
            return tuple(_in_zone(each, zone) for each in value)
        case (
            Terms()
            | Warn()
            | Step()
            | Response()
            | Precedence()
            | Absence()
            | Limit()
            | Settlement()
            | Recurrence()
            | Milestones()
            | AllOf()
        ):
            return replace(value, **{each.name: _in_zone(getattr(value, each.name), zone) for each in fields(value)})
    return value


def owes_by_then(terms: Terms) -> bool:
    """Return whether what breaks it is something owed that is late or never comes; else a break is neither."""
    return _owes(terms.pattern)


def _owes(pattern: Pattern) -> bool:
    match pattern:
        case Settlement(within=within, by=by, until=until):
            return within is not None or by or not until
        case AllOf(patterns=patterns):
            return all(_owes(each) for each in patterns)
    return isinstance(pattern, Response | Recurrence | Milestones)


class Stage(NamedTuple):
    """What became of one step of a commitment."""

    name: str
    due: datetime | None
    reached: datetime | None
    event: UUID | None


class Judgement(NamedTuple):
    """What can be said of a commitment at a barrier. Times are UTC."""

    state: State
    due: datetime | None
    sayable: datetime | None
    """The barrier from which `broken`, or `kept` by absence, may be said (A of DESIGN 3); None: time alone never."""
    reason: str
    decided_by: UUID | None = None
    late: bool = False
    """Broken, and what was owed came after due."""
    standing: bool = False
    """Kept so far, and can still break: counted under kept."""
    next_at: datetime | None = None
    """The smallest later barrier at which time alone changes this judgement; None: never."""
    settled: datetime | None = None
    """No mark with a later event time changes this judgement (`sayable` and stages aside); None: any later mark may."""
    stages: tuple[Stage, ...] = ()


def commitment_id(promise: str, version: int, customer: UUID, correlation: str, trigger: UUID, *, first: bool) -> UUID:
    """Return the stable id of a commitment; `open: first` keeps it when an earlier trigger arrives late."""
    return uuid5(NAMESPACE, commitment_name(promise, version, customer, correlation, trigger, first=first))


def commitment_name(promise: str, version: int, customer: UUID, correlation: str, trigger: UUID, *, first: bool) -> str:
    """Return what the id of a commitment is the UUIDv5 of."""
    parts = [promise, str(customer), correlation]
    if not first:
        parts += [str(version), str(trigger)]
    return "\0".join(parts)
