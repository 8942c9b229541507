"""Recurrence: something expected in every interval (PROMISES.md, "Patterns")."""

from datetime import datetime

from services.promises.domain.course import Course, first
from services.promises.domain.model import Recurrence, Role
from services.promises.domain.owed import Keep, Owed, by_time

_EXPECT, _UNTIL = int(Role.EXPECT), int(Role.UNTIL)


def recurrence(pattern: Recurrence, course: Course, slot: int, since: datetime | None) -> Owed:
    """Kept when `until` comes and every interval before it had its event; broken at the end of the first without.

    The intervals are counted from the trigger (a month is a month of its start), both ends belonging to each.
    """
    expected = course.in_slot(_EXPECT, slot, since) if since is not None else []
    until = first(course.in_slot(_UNTIL, slot, since)) if since is not None else None
    begin, number, place = course.trigger.time, 1, 0
    while True:
        deadline = course.deadline(pattern.every.times(number), None)
        end = deadline.at
        if until is not None and (end is None or until.time < end):
            return Owed(Keep(until.time, until.event), deadline=deadline, due=until.time)
        if end is None:
            return Owed(deadline=deadline)
        while place < len(expected) and expected[place].time < begin:
            place += 1
        if place == len(expected) or expected[place].time > end:
            late = expected[place] if place < len(expected) else None
            breach = by_time(deadline, "no-evidence-in-interval", late=late is not None, settled=None if late is None else late.time)
            return Owed(breach=breach, deadline=deadline._replace(start=begin, budget=None, suspensions=()), due=end)
        begin, number = end, number + 1
