"""Settlement: what was collected since the trigger adds up (PROMISES.md, "Patterns")."""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby

from services.promises.domain.course import Course, Deadline, first, in_hand
from services.promises.domain.model import Mark, Role, Settlement
from services.promises.domain.owed import Breach, Keep, Owed
from services.promises.domain.response import in_time

_COLLECT, _UNTIL = int(Role.COLLECT), int(Role.UNTIL)


def settlement(pattern: Settlement, course: Course, slot: int, since: datetime | None) -> Owed:
    """At its end kept where `must` holds over the trigger and what was collected, broken where it does not."""
    limit = course.target(pattern.within, course.due_of(slot) if pattern.by else None)
    if since is None:
        return Owed(deadline=limit, due=limit.at)
    untils = course.in_slot(_UNTIL, slot, since)
    until = first([each for each in untils if in_time(each, limit.at)])
    end = limit.at if until is None else until.time
    collected = course.in_slot(_COLLECT, slot, since)
    if pattern.early:
        for at, events in _as_it_comes(course, [each for each in collected if in_time(each, end)]):
            if _holds(pattern, course, events):
                return Owed(Keep(at, events[-1].event if events else course.trigger.event, "must-holds"), deadline=limit, due=end)
    return _at_end(pattern, course, collected, limit, until, end)


def _at_end(pattern: Settlement, course: Course, collected: list[Mark], limit: Deadline, until: Mark | None, end: datetime | None) -> Owed:
    if end is None:
        return Owed(deadline=limit)
    ready = max(end, limit.fixed if until is None else in_hand(until))
    decider = None if until is None else until.event
    if _holds(pattern, course, [each for each in collected if in_time(each, end)]):
        return Owed(Keep(end, decider, "must-holds", ready), deadline=limit, due=end, settled=limit.settled)
    late = limit.at is not None and until is None and any(_holds(pattern, course, events) for events in _later(collected, end))
    return Owed(breach=Breach(end, ready, "must-fails", decider, late=late), deadline=limit, due=end)


def _as_it_comes(course: Course, collected: list[Mark]) -> Iterator[tuple[datetime, list[Mark]]]:
    """What is in hand at the trigger and after every instant at which something was collected."""
    at, events = course.trigger.time, [each for each in collected if each.time == course.trigger.time]
    yield at, events
    for instant, group in groupby(collected[len(events) :], key=lambda each: each.time):
        events = events + list(group)
        yield instant, events


def _later(collected: list[Mark], end: datetime) -> Iterator[list[Mark]]:
    """What was in hand after every event that came too late."""
    for index, mark in enumerate(collected):
        if mark.time > end:
            yield collected[: index + 1]


def _holds(pattern: Settlement, course: Course, events: list[Mark]) -> bool:
    return pattern.must(course.trigger.data or {}, [each.data or {} for each in events])
