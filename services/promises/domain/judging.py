"""`judge`, the one verdict function of the system (DESIGN 3): stream, explain, rejudge, rebuild and backtest all call it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.promises.calendars.clocks import UnknownZoneError
from services.promises.calendars.working_time import OutsideCalendarError
from services.promises.domain.absence import absence, limit
from services.promises.domain.composite import all_of
from services.promises.domain.course import CANCELS, RESET, Course, Deadline, first, in_hand, in_order
from services.promises.domain.milestones import milestones
from services.promises.domain.model import (
    HOLD_LIMIT,
    Absence,
    AllOf,
    Conformance,
    Evidence,
    Judgement,
    Limit,
    Mark,
    Milestones,
    Pattern,
    Precedence,
    Recurrence,
    Response,
    Role,
    Settlement,
    State,
    Terms,
    UnjudgeableError,
    Warn,
)
from services.promises.domain.occasion import conformance, precedence
from services.promises.domain.owed import Breach, Keep, Owed
from services.promises.domain.plain import judge_plainly
from services.promises.domain.recurrence import recurrence
from services.promises.domain.response import response
from services.promises.domain.settlement import settlement

_TRIGGER, _FAILURE = int(Role.TRIGGER), int(Role.FAILURE)
_EXCUSE, _UNEXCUSE = int(Role.EXCUSE), int(Role.UNEXCUSE)
UNJUDGEABLE: Final = "cannot-be-judged"
FOREVER: Final = datetime.max.replace(tzinfo=UTC)
BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
NOT_OPENED: Final = "not-opened"
"""The reason of a commitment whose reset turned out not to have happened to anything: it is withdrawn and counts nowhere."""


def judge(terms: Terms, evidence: Evidence, barrier: datetime) -> Judgement:
    """Say what can be said of a commitment once every arrival up to the barrier is in hand."""
    try:
        return judge_plainly(terms, evidence, barrier) or judge_fully(terms, evidence, barrier)
    except (UnjudgeableError, OutsideCalendarError, UnknownZoneError, OverflowError) as error:
        return Judgement(State.HELD, None, None, f"{UNJUDGEABLE}: {error}")


def judge_fully(terms: Terms, evidence: Evidence, barrier: datetime) -> Judgement:
    """Weigh all that can be around a pattern; raises what makes a commitment impossible to judge."""
    course = Course(terms, evidence)
    return _conclude(course, owed_of(course), barrier)


def owed_of(course: Course) -> Owed:
    """Return what the pattern of a commitment comes to, leaving aside what is around it."""
    return _owed(course.terms.pattern, course, 0, course.trigger.time)


def _owed(pattern: Pattern, course: Course, slot: int, since: datetime | None) -> Owed:
    if isinstance(pattern, AllOf):
        return all_of(pattern, course, slot, since, _owed)
    return _PATTERNS[type(pattern)](pattern, course, slot, since)


def _conclude(course: Course, owed: Owed, barrier: datetime) -> Judgement:
    """Weigh what the pattern comes to against what is around it, at one instant evidence first, then cancel, then failure."""
    cancel = first(course.cancels)
    keep, breach = owed.keep, _breach(course, owed, cancel)
    if keep is not None and (breach is None or keep.at <= breach.at) and not _called_off_before_kept(cancel, keep):
        return _kept(course, owed, keep, barrier)
    if cancel is not None and (breach is None or cancel.time < breach.at or (cancel.time == breach.at and not breach.offence)):
        reason = "cancelled" if cancel.roles & ~RESET & CANCELS else "reset"
        known = _known_by(course, owed, cancel.time)
        return Judgement(State.WITHDRAWN, known.due, None, reason, cancel.event, settled=cancel.time, stages=known.stages)
    if breach is not None:
        return _broken(course, owed, breach, barrier)
    return _undecided(course, owed, barrier, None)


def _called_off_before_kept(cancel: Mark | None, keep: Keep) -> bool:
    if cancel is None:
        return False
    return cancel.time < keep.at or (cancel.time == keep.at and keep.by_time)


def _breach(course: Course, owed: Owed, cancel: Mark | None) -> Breach | None:
    """Return what breaks it first: by its pattern, or a failure that was seen before."""
    keep, breach = owed.keep, owed.breach
    failures = [
        each
        for each in course.playing(_FAILURE)
        if (breach is None or each.time < breach.at)
        and (keep is None or each.time < keep.at)
        and (cancel is None or each.time < cancel.time)
    ]
    if not failures:
        return breach
    points = [in_hand(each) for each in failures]
    if breach is not None and (cancel is None or cancel.time > breach.at):
        points.append(breach.ready)
    late = keep is not None or (breach is not None and breach.late)
    settled = keep.at if keep is not None else None if breach is None else breach.settled
    return Breach(failures[0].time, min(points), "failure-seen", failures[0].event, late=late, settled=settled)


def _kept(course: Course, owed: Owed, keep: Keep, barrier: datetime) -> Judgement:
    if keep.ready is None:
        known = _known_by(course, owed, keep.at)
        return Judgement(State.KEPT, known.due, None, keep.reason, keep.event, settled=keep.at, stages=known.stages)
    sayable, held = _sayable(course, keep.ready)
    if barrier < sayable:
        return _undecided(course, owed, barrier, sayable, held=held)
    return Judgement(State.KEPT, keep.at, sayable, keep.reason, keep.event, settled=keep.at, stages=owed.stages)


def _known_by(course: Course, owed: Owed, at: datetime) -> Owed:
    """Return what was owed as it stood when it was decided: what happened later moves no due time any more."""
    if not course.marks or course.marks[-1].time <= at or (isinstance(course.terms.pattern, Response) and not course.moves):
        return owed
    earlier = tuple(each for each in course.everything if each.time <= at)
    return owed_of(Course(course.terms, Evidence(course.trigger, earlier)))


def _broken(course: Course, owed: Owed, breach: Breach, barrier: datetime) -> Judgement:
    sayable, held = _sayable(course, breach.ready)
    if barrier < sayable:
        return _undecided(course, owed._replace(due=breach.at), barrier, sayable, held=held)
    excuse = _excuse(course)
    state, reason, decider = State.BROKEN, breach.reason, breach.event
    if excuse is not None:
        state, reason, decider = State.EXCUSED, "excused", excuse.event
    settled = None if course.terms.excuses else breach.settled
    late = breach.late and state is State.BROKEN
    return Judgement(state, breach.at, sayable, reason, decider, late=late, settled=settled, stages=owed.stages)


def _excuse(course: Course) -> Mark | None:
    """Return the first excuse for this commitment that was not taken back."""
    taken_back = {each.about for each in course.everything if each.roles & _UNEXCUSE}
    trigger, mine = course.trigger, {course.trigger.event}
    if course.terms.first and not trigger.roles & RESET:  # whoever excused it may have known a later trigger as the first
        mine |= {each.event for each in course.everything if each.roles & _TRIGGER}
    for each in in_order([each for each in course.everything if each.roles & _EXCUSE]):
        meant = each.about in mine if each.about is not None else each.time >= trigger.time and each.event != trigger.event
        if meant and each.event not in taken_back:
            return each
    return None


def _undecided(course: Course, owed: Owed, barrier: datetime, sayable: datetime | None, *, held: datetime | None = None) -> Judgement:
    state, reason, turns = State.ON_TRACK, "waiting", [] if sayable is None else [sayable]
    deadline = owed.deadline
    if held is not None and barrier >= held:
        state, reason = State.HELD, "held"
    elif deadline is not None and deadline.paused:
        state, reason = State.PAUSED, "paused"
    elif deadline is not None and course.terms.warnings:
        warnings = sorted((at, each.reason) for each in course.terms.warnings if (at := _warn_at(each, deadline)) is not None)
        reached = [name for at, name in warnings if at <= barrier]
        turns += [at for at, _ in warnings if at > barrier]
        if reached:
            state, reason = State.AT_RISK, reached[-1]
    if held is not None and held > barrier:
        turns.append(held)
    next_at = min(turns, default=None)
    return Judgement(
        state, owed.due, sayable, reason, standing=owed.standing, next_at=next_at, settled=owed.settled, stages=owed.stages,
    )  # fmt: skip


def _warn_at(warn: Warn, deadline: Deadline) -> datetime | None:
    if deadline.at is None:
        return None
    return deadline.at_share(warn.share or 0.0) if warn.before is None else warn.before.before(deadline.at)


def _sayable(course: Course, ready: datetime) -> tuple[datetime, datetime | None]:
    """Return A of DESIGN 3, and what it were without the intervals in which something was not read; None where none bears on it."""
    trigger = course.trigger
    plain = sayable = course.terms.grace.after(max(ready, trigger.arrival))
    counted = BEGINNING  # where several were blind at one time, that time counts once
    for blind in sorted(course.blind, key=lambda each: (each.start, each.end or FOREVER)):
        if blind.start > sayable or (blind.end is not None and blind.end < trigger.arrival):
            continue
        longest = blind.start + HOLD_LIMIT
        if blind.end is None or blind.end > longest:
            sayable = max(sayable, longest)
        else:
            sayable = max(sayable, blind.end) + max(blind.end - max(blind.start, counted), timedelta(0))
            counted = max(counted, blind.end)
    return sayable, None if sayable == plain else plain


_PATTERNS: Final[dict[type, Callable[[Any, Course, int, datetime | None], Owed]]] = {
    Response: response,
    Precedence: precedence,
    Absence: absence,
    Limit: limit,
    Conformance: conformance,
    Settlement: settlement,
    Recurrence: recurrence,
    Milestones: milestones,
}
