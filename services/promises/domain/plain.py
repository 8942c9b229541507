"""The short way for the commonest cases: a response or an absence with nothing around it but its own evidence.

It says what the long way says (a property test holds them against each other), at a third of the cost.
"""

from datetime import datetime
from typing import Final

from services.promises.calendars.durations import NOTHING
from services.promises.domain.model import Absence, Evidence, Judgement, Mark, Response, Role, State, Terms

_EXPECT, _NEVER = int(Role.EXPECT), int(Role.NEVER)
_AROUND: Final = int(Role.EXPECT) - 1 & ~int(Role.TRIGGER | Role.HOLDER)
"""Every role that is not the pattern's own: with one of these in hand, the long way weighs them."""
_new = tuple.__new__  # what a NamedTuple's own constructor does, at half of its cost
_ABOUT: Final = int(Role.EXCUSE | Role.UNEXCUSE)
"""A person's excuse counts for what it names, whenever it was given."""


def judge_plainly(terms: Terms, evidence: Evidence, barrier: datetime) -> Judgement | None:
    """Judge where the short way will do; None where it will not."""
    if terms.grace is not NOTHING or terms.warnings or terms.pauses or evidence.blind:
        return None
    pattern, trigger = terms.pattern, evidence.trigger
    if type(pattern) is Response:
        if pattern.count != 1 or trigger.within is not None or trigger.zone is not None:
            return None
        return _response(terms, pattern, trigger, evidence.marks, barrier)
    if type(pattern) is Absence and pattern.within is None and not pattern.until and trigger.within is None:
        return _standing(terms, trigger, evidence.marks, barrier)
    return None


def _response(terms: Terms, pattern: Response, trigger: Mark, marks: tuple[Mark, ...], barrier: datetime) -> Judgement | None:
    start, owed = trigger.time, None
    for mark in marks:
        if mark.time < start or mark.event == trigger.event:
            if mark.roles & _ABOUT:
                return None
            continue
        if mark.roles & _AROUND:
            return None
        if mark.roles & _EXPECT and (owed is None or (mark.time, mark.event) < (owed.time, owed.event)):
            owed = mark
    due = trigger.due if pattern.by else None if pattern.within is None else pattern.within.after(start)
    if owed is not None and (due is None or owed.time < due or (owed.time == due and not pattern.strictly)):
        return _new(Judgement, (State.KEPT, due, None, "evidence", owed.event, False, False, None, owed.time, ()))
    if due is None:
        return Judgement(State.ON_TRACK, None, None, "waiting")
    sayable = max(due, trigger.arrival)
    if barrier < sayable:
        return _new(Judgement, (State.ON_TRACK, due, sayable, "waiting", None, False, False, sayable, None, ()))
    settled = None if owed is None or terms.excuses else owed.time
    return Judgement(State.BROKEN, due, sayable, "no-evidence-by-due", late=owed is not None, settled=settled)


def _standing(terms: Terms, trigger: Mark, marks: tuple[Mark, ...], barrier: datetime) -> Judgement | None:
    nevers = []
    for mark in marks:
        if mark.time < trigger.time or mark.event == trigger.event:
            if mark.roles & _ABOUT:
                return None
            continue
        if mark.roles & _AROUND:
            return None
        if mark.roles & _NEVER:
            nevers.append(mark)
    if not nevers:
        return Judgement(State.ON_TRACK, None, None, "waiting", standing=True)
    never = min(nevers, key=lambda each: (each.time, each.event))
    sayable = max(min(max(each.time, each.arrival) for each in nevers), trigger.arrival)
    if barrier < sayable:
        return Judgement(State.ON_TRACK, never.time, sayable, "waiting", next_at=sayable, settled=None)
    return Judgement(State.BROKEN, never.time, sayable, "forbidden-event", never.event, settled=None if terms.excuses else never.time)
