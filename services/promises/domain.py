"""Decides what can be said of a commitment: knows nothing of Kafka, SQL, HTTP or clocks.

`judge` is the one verdict function of the system (DESIGN 3); stream, explain, rebuild and backtest all call it.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from services.promises.durations import NOTHING, Duration

NAMESPACE = UUID("6d616b65-676f-5f64-a000-636f6d6d6974")


class Role(enum.IntFlag):
    """What an event is to a promise; one event may be several of these at once."""

    TRIGGER = 1
    EXPECT = 2
    NEVER = 4
    UNTIL = 8
    FAILURE = 16
    CANCEL = 32


# `int & IntFlag` takes the slow way through the enum; the judge compares with plain integers.
_TRIGGER, _EXPECT, _NEVER = int(Role.TRIGGER), int(Role.EXPECT), int(Role.NEVER)
_UNTIL, _FAILURE, _CANCEL = int(Role.UNTIL), int(Role.FAILURE), int(Role.CANCEL)


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


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is in hand on one commitment; the marks are a set: order, duplicates and the trigger make no difference."""

    trigger: Mark
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Response:
    """`count` expected events at or after the trigger and no later than due (before due, `strictly`)."""

    within: Duration | None = None
    by: bool = False
    """The trigger carries its own due time."""
    count: int = 1
    strictly: bool = False


@dataclass(frozen=True, slots=True)
class Absence:
    """No `never` at or after the trigger, to the end of `within` or the first `until`; without both it is standing."""

    within: Duration | None = None
    until: bool = False


@dataclass(frozen=True, slots=True)
class Conformance:
    """The trigger itself is as it must be."""


Pattern = Response | Absence | Conformance


@dataclass(frozen=True, slots=True)
class Warn:
    """When to say `at_risk`: at a share of the budget used, or some time before due."""

    reason: str
    share: float | None = None
    before: Duration | None = None

    def at(self, start: datetime, due: datetime) -> datetime:
        """Return the instant of the warning."""
        if self.before is not None:
            return self.before.before(due)
        return start + (due - start) * (self.share or 0.0)


@dataclass(frozen=True, slots=True)
class Terms:
    """What one promise version owes, as far as judging needs it."""

    pattern: Pattern
    first: bool = False
    """Only the first trigger of a correlation opens a commitment."""
    grace: Duration = NOTHING
    warnings: tuple[Warn, ...] = ()


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
    """No mark with a later event time changes this judgement (`sayable` aside); None: any later mark may."""


def judge(terms: Terms, evidence: Evidence, barrier: datetime) -> Judgement:
    """Say what can be said of a commitment once every arrival up to the barrier is in hand."""
    match terms.pattern:
        case Response() as pattern:
            return _judge_response(terms, pattern, evidence, barrier)
        case Absence() as pattern:
            return _judge_absence(terms, pattern, evidence, barrier)
        case Conformance():
            return _judge_conformance(terms, evidence.trigger, barrier)


def anchors(terms: Terms, marks: Iterable[Mark]) -> list[Mark]:
    """Return the triggers that open commitments, in order of event time: each, or the first."""
    triggers = _in_order([mark for mark in marks if mark.roles & _TRIGGER])
    return triggers[:1] if terms.first else triggers


def commitment_id(promise: str, version: int, customer: UUID, correlation: str, trigger: UUID, *, first: bool) -> UUID:
    """Return the stable id of a commitment; `open: first` keeps it when an earlier trigger arrives late."""
    parts = [promise, str(customer), correlation]
    if not first:
        parts += [str(version), str(trigger)]
    return uuid5(NAMESPACE, "\0".join(parts))


def _judge_response(terms: Terms, pattern: Response, evidence: Evidence, barrier: datetime) -> Judgement:
    trigger = evidence.trigger
    due = trigger.due if pattern.by else _end(pattern.within, trigger)
    since = _since(evidence)
    expected, failures, cancels = _playing(_EXPECT, since), _playing(_FAILURE, since), _playing(_CANCEL, since)
    owed = expected[pattern.count - 1] if len(expected) >= pattern.count else None
    failure, cancel = _first(failures), _first(cancels)
    if failure is not None and due is not None and failure.time >= due:
        failure = None

    in_time = owed is not None and _by(due, owed, strictly=pattern.strictly)
    if owed is not None and in_time and _no_later(owed, failure) and _no_later(owed, cancel):
        return Judgement(State.KEPT, due, None, "evidence", owed.event, settled=owed.time)
    called_off = cancel is not None and _by(due, cancel)
    if cancel is not None and called_off and _no_later(cancel, failure):
        return Judgement(State.WITHDRAWN, due, None, "cancelled", cancel.event, settled=cancel.time)

    said_by_time = None if in_time or called_off else due
    sayable = _sayable(terms, trigger, said_by_time, _before(failures, owed, cancel))
    due_now = due if failure is None else failure.time
    if sayable is None or barrier < sayable:
        return _undecided(terms, trigger, barrier, sayable, due=due_now, budget_end=due)
    reason, decider = ("no-evidence-by-due", None) if failure is None else ("failure-seen", failure.event)
    settled = None if owed is None else owed.time
    return Judgement(State.BROKEN, due_now, sayable, reason, decider, late=owed is not None, settled=settled)


def _judge_absence(terms: Terms, pattern: Absence, evidence: Evidence, barrier: datetime) -> Judgement:
    trigger = evidence.trigger
    limit = _end(pattern.within, trigger)
    since = _since(evidence)
    nevers, untils, cancels = _playing(_NEVER, since), _playing(_UNTIL, since), _playing(_CANCEL, since)
    until = _first(untils)
    if until is not None and not _by(limit, until):
        until = None
    end = limit if until is None else until.time
    nevers = [each for each in nevers if _by(end, each)]
    never, cancel = _first(nevers), _first(cancels)

    if never is not None and _no_later(never, cancel):
        sayable = _sayable(terms, trigger, None, [each for each in nevers if _no_later(each, cancel)])
        if sayable is None or barrier < sayable:
            return _undecided(terms, trigger, barrier, sayable, due=never.time, budget_end=limit)
        return Judgement(State.BROKEN, never.time, sayable, "forbidden-event", never.event, settled=never.time)
    if cancel is not None and _by(end, cancel):
        return Judgement(State.WITHDRAWN, limit, None, "cancelled", cancel.event, settled=cancel.time)

    sayable = None if end is None else _clear_at(terms, trigger, limit, untils, trouble=_first(_playing(_NEVER | _CANCEL, since)))
    if end is not None and sayable is not None and barrier >= sayable:
        decider = None if until is None else until.event
        return Judgement(State.KEPT, end, sayable, "nothing-forbidden", decider, settled=end)
    standing = limit is None and not pattern.until
    return _undecided(terms, trigger, barrier, sayable, due=end, budget_end=limit, settled=limit, standing=standing)


def _clear_at(terms: Terms, trigger: Mark, limit: datetime | None, untils: list[Mark], *, trouble: Mark | None) -> datetime | None:
    # Any end before the first trouble would do alone: one that moves the end back by arriving late delays nothing.
    by_time = limit if limit is None or trouble is None or limit < trouble.time else None
    return _sayable(terms, trigger, by_time, _before(untils, trouble))


def _judge_conformance(terms: Terms, trigger: Mark, barrier: datetime) -> Judgement:
    if trigger.holds:
        return Judgement(State.KEPT, trigger.time, None, "must-holds", trigger.event, settled=trigger.time)
    sayable = _sayable(terms, trigger, trigger.time, [])
    if sayable is None or barrier < sayable:
        return _undecided(terms, trigger, barrier, sayable, due=trigger.time, budget_end=None, settled=trigger.time)
    return Judgement(State.BROKEN, trigger.time, sayable, "must-fails", trigger.event, settled=trigger.time)


def _undecided(
    terms: Terms,
    trigger: Mark,
    barrier: datetime,
    sayable: datetime | None,
    *,
    due: datetime | None,
    budget_end: datetime | None,
    settled: datetime | None = None,
    standing: bool = False,
) -> Judgement:
    state, reason, turns = State.ON_TRACK, "waiting", [] if sayable is None else [sayable]
    if budget_end is not None and terms.warnings:
        warnings = sorted((each.at(trigger.time, budget_end), each.reason) for each in terms.warnings)
        reached = [name for at, name in warnings if at <= barrier]
        turns += [at for at, _ in warnings if at > barrier]
        if reached:
            state, reason = State.AT_RISK, reached[-1]
    next_at = min(turns, default=None)
    return Judgement(state, due, sayable, reason, standing=standing, next_at=next_at, settled=settled)


def _sayable(terms: Terms, trigger: Mark, by_time: datetime | None, by_event: list[Mark]) -> datetime | None:
    # Each of these alone entitles to the verdict, so the earliest does: what arrives later can only confirm it.
    points = [max(each.time, each.arrival) for each in by_event]
    if by_time is not None:
        points.append(by_time)
    return terms.grace.after(max(min(points), trigger.arrival)) if points else None


def _since(evidence: Evidence) -> list[Mark]:
    """Return the marks at or after the trigger, in event-time order; a trigger is never its own evidence."""
    start, key = evidence.trigger.time, evidence.trigger.event
    return _in_order([mark for mark in evidence.marks if mark.time >= start and mark.event != key])


def _playing(role: int, marks: list[Mark]) -> list[Mark]:
    return [mark for mark in marks if mark.roles & role]


def _in_order(marks: list[Mark]) -> list[Mark]:
    return marks if len(marks) < 2 else sorted({mark.event: mark for mark in marks}.values(), key=_order)  # noqa: PLR2004


def _order(mark: Mark) -> tuple[datetime, UUID]:
    return mark.time, mark.event


def _first(marks: list[Mark]) -> Mark | None:
    return marks[0] if marks else None


def _end(within: Duration | None, trigger: Mark) -> datetime | None:
    return None if within is None else within.after(trigger.time)


def _by(end: datetime | None, mark: Mark, *, strictly: bool = False) -> bool:
    return end is None or mark.time < end or (mark.time == end and not strictly)


def _no_later(mark: Mark, other: Mark | None) -> bool:
    return other is None or mark.time <= other.time


def _before(marks: list[Mark], *bounds: Mark | None) -> list[Mark]:
    return [mark for mark in marks if all(bound is None or mark.time < bound.time for bound in bounds)]
