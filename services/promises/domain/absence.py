"""Absence and limit: what must never happen, or not too often (PROMISES.md, "Patterns")."""

from datetime import datetime

from services.promises.calendars.durations import Duration
from services.promises.domain.course import Course, Deadline, first, in_hand, in_order
from services.promises.domain.model import Absence, Limit, Mark, Role
from services.promises.domain.owed import Breach, Keep, Owed, earliest_in_hand
from services.promises.domain.response import in_time

_TRIGGER = int(Role.TRIGGER)
_NEVER, _UNTIL = int(Role.NEVER), int(Role.UNTIL)


def absence(pattern: Absence, course: Course, slot: int, since: datetime | None) -> Owed:
    """Kept at the end of `within` or at the first `until`; broken by the first `never` up to then."""
    if since is None:
        return Owed(deadline=course.target(pattern.within, None))
    nevers = course.in_slot(_NEVER, slot, since)
    limit = course.target(pattern.within, None, nevers[0].time if nevers else None)
    untils = [each for each in course.in_slot(_UNTIL, slot, since) if pattern.until and in_time(each, limit.at)]
    until = first(untils)
    end = limit.at if until is None else until.time
    offences = [each for each in nevers if in_time(each, end)]
    if offences:
        ready = earliest_in_hand(each for each in offences if not _called_off(course, each))
        offence = offences[0]
        breach = Breach(offence.time, ready or in_hand(offence), "forbidden-event", offence.event, offence=True, settled=offence.time)
        return Owed(breach=breach, deadline=limit, due=limit.at)
    standing = pattern.within is None and not pattern.until and limit.at is None and not limit.paused
    if end is None:
        return Owed(deadline=limit, standing=standing)
    ready = _clear_at(limit, untils, trouble=_trouble(course, nevers))
    keep = Keep(end, None if until is None else until.event, "nothing-forbidden", ready)
    return Owed(keep, deadline=limit, due=end, settled=limit.settled)


def _called_off(course: Course, mark: Mark) -> bool:
    cancel = first(course.cancels)
    return cancel is not None and cancel.time < mark.time


def _trouble(course: Course, nevers: list[Mark]) -> Mark | None:
    return first(in_order(nevers + course.cancels))


def _clear_at(limit: Deadline, untils: list[Mark], *, trouble: Mark | None) -> datetime:
    # Any end before the first trouble would do alone: one that moves the end back by arriving late delays nothing.
    points = [in_hand(each) for each in untils if trouble is None or each.time < trouble.time]
    if limit.at is not None and (trouble is None or limit.at < trouble.time):
        points.append(max(limit.at, limit.fixed))
    return min(points, default=limit.fixed)


def limit(pattern: Limit, course: Course, _slot: int, _since: datetime | None) -> Owed:
    """Broken by the event that is one too many; else standing. The trigger, the first of a correlation, counts as one."""
    events = in_order([course.trigger, *course.playing(_TRIGGER)])
    for index in range(pattern.at_most, len(events)):
        last = events[index]
        if _within(pattern.span, events[index - pattern.at_most].time, last.time):
            return Owed(breach=_too_many(pattern, events, last))
    return Owed(standing=True)


def _too_many(pattern: Limit, events: list[Mark], last: Mark) -> Breach:
    ready = min(
        known
        for index, begin in enumerate(events)
        if (known := _known_beyond(pattern, [each for each in events[index:] if _within(pattern.span, begin.time, each.time)]))
    )
    return Breach(last.time, ready, "one-too-many", last.event, offence=True, settled=last.time)


def _known_beyond(pattern: Limit, events: list[Mark]) -> datetime | None:
    """Return the barrier from which more than `at_most` of these events are known, None where there are not so many."""
    known = sorted(in_hand(each) for each in events)
    return known[pattern.at_most] if len(known) > pattern.at_most else None


def _within(span: Duration | None, begin: datetime, end: datetime) -> bool:
    return span is None or end <= span.after(begin)
