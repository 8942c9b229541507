"""Where the time of a commitment went: every second from its trigger on, running, paused, closed or overdue, and who held the clock."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from services.promises.calendars.durations import Business
from services.promises.domain.course import Course, Deadline
from services.promises.domain.judging import owed_of
from services.promises.domain.model import Evidence, Role, Terms

_HOLDER: Final = int(Role.HOLDER)


class Stretch(NamedTuple):
    """A time in which the clock did one thing."""

    start: datetime
    end: datetime
    kind: str
    """`running`, `paused`, `closed` or `overdue`."""
    why: str | None = None
    """Of a closed time: outside of which hours, which holiday or closure."""
    event: UUID | None = None
    """Of a pause: what began it."""
    holder: str | None = None

    @property
    def length(self) -> timedelta:
        """How long it was."""
        return self.end - self.start


def account(terms: Terms, evidence: Evidence, until: datetime) -> list[Stretch]:
    """Return what the clock did from the trigger until an instant, without a gap, in order; nothing where there is no clock."""
    course = Course(terms, evidence)
    deadline = owed_of(course).deadline
    if deadline is None or until <= course.trigger.time:
        return []
    found = [part for stretch in _clock(course, deadline, until) for part in _opened(stretch, deadline)]
    return [part for stretch in found for part in _held(stretch, course)]


def _clock(course: Course, deadline: Deadline, until: datetime) -> Iterator[Stretch]:
    at = course.trigger.time
    due = until if deadline.at is None else min(deadline.at, until)
    for each in course.suspensions:
        if each.start >= due:
            break
        end = until if each.end is None else min(each.end, until)
        if at < each.start:
            yield Stretch(at, each.start, "running")
        if each.start < end:
            yield Stretch(each.start, end, "paused", event=each.paused_by.event)
        at = end
    if at < due:
        yield Stretch(at, due, "running")
        at = due
    if at < until:
        yield Stretch(at, until, "overdue")


def _opened(stretch: Stretch, deadline: Deadline) -> Iterator[Stretch]:
    """Split the running time of a business budget into what was open and what was closed, and why."""
    budget = deadline.budget
    if stretch.kind != "running" or not isinstance(budget, Business):
        yield stretch
        return
    at = stretch.start
    for closed in budget.open.closures(stretch.start, stretch.end):
        if at < closed.start:
            yield stretch._replace(start=at, end=closed.start)
        yield Stretch(closed.start, closed.end, "closed", str(closed.reason))
        at = closed.end
    if at < stretch.end:
        yield stretch._replace(start=at)


def _held(stretch: Stretch, course: Course) -> Iterator[Stretch]:
    """Split a stretch where the clock passed into other hands."""
    holder, at = course.trigger.holder, stretch.start
    for mark in course.marks:
        if mark.roles & _HOLDER and mark.time <= stretch.start:
            holder = mark.holder
        elif mark.roles & _HOLDER and mark.time < stretch.end:
            if at < mark.time:
                yield stretch._replace(start=at, end=mark.time, holder=holder)
            at, holder = mark.time, mark.holder
    yield stretch._replace(start=at, holder=holder)
