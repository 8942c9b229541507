"""Response: what is expected comes in time (PROMISES.md, "Patterns")."""

from datetime import datetime
from typing import Final

from services.promises.domain.course import Course
from services.promises.domain.model import Mark, Response, Role
from services.promises.domain.owed import Keep, Owed, by_time

_EXPECT: Final = int(Role.EXPECT)


def response(pattern: Response, course: Course, slot: int, since: datetime | None) -> Owed:
    """Kept by the `count`th expected event no later than due; broken at due."""
    expected = course.in_slot(_EXPECT, slot, since) if since is not None else []
    owed = expected[pattern.count - 1] if len(expected) >= pattern.count else None
    deadline = course.target(pattern.within, course.due_of(slot) if pattern.by else None, None if owed is None else owed.time)
    if owed is not None and in_time(owed, deadline.at, strictly=pattern.strictly):
        return Owed(Keep(owed.time, owed.event), deadline=deadline, due=deadline.at)
    breach = by_time(deadline, "no-evidence-by-due", late=owed is not None, settled=None if owed is None else owed.time)
    return Owed(breach=breach, deadline=deadline, due=deadline.at)


def in_time(mark: Mark, due: datetime | None, *, strictly: bool = False) -> bool:
    """Return whether an event comes no later than due; `strictly`: before it."""
    return due is None or mark.time < due or (mark.time == due and not strictly)
