"""Precedence and conformance: decided by their event itself and what came before it (PROMISES.md, "Patterns")."""

from datetime import datetime
from typing import Final

from services.promises.domain.course import Course
from services.promises.domain.model import SLOT_WIDTH, Conformance, Precedence, Role
from services.promises.domain.owed import Breach, Keep, Owed

_EXPECT: Final = int(Role.EXPECT)


def precedence(pattern: Precedence, course: Course, slot: int, _since: datetime | None) -> Owed:
    """Kept by an `after` at or before the event, neither too shortly nor too long before it; broken otherwise."""
    event, expected = course.trigger, _EXPECT << (SLOT_WIDTH * slot)
    for after in reversed(course.earlier):
        if not after.roles & expected:
            continue
        soon = pattern.no_sooner_than is not None and event.time < pattern.no_sooner_than.after(after.time)
        stale = pattern.within is not None and event.time > pattern.within.after(after.time)
        if not soon and not stale:
            return Owed(Keep(event.time, after.event), due=event.time, settled=event.time)
    breach = Breach(event.time, event.time, "nothing-before", settled=event.time)
    return Owed(breach=breach, due=event.time, settled=event.time)


def conformance(_pattern: Conformance, course: Course, _slot: int, _since: datetime | None) -> Owed:
    """Kept where `must` holds on the event, broken where it does not."""
    event = course.trigger
    if event.holds:
        return Owed(Keep(event.time, event.event, "must-holds"), due=event.time, settled=event.time)
    breach = Breach(event.time, event.time, "must-fails", event.event, settled=event.time)
    return Owed(breach=breach, due=event.time, settled=event.time)
