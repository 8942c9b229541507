"""Settlement: what was collected since the trigger adds up (PROMISES.md, "Patterns")."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from services.promises.domain.course import Course, Deadline, first, in_hand
from services.promises.domain.model import Mark, Must, Role, Settlement
from services.promises.domain.owed import Breach, Keep, Owed
from services.promises.domain.response import in_time

_COLLECT, _UNTIL = int(Role.COLLECT), int(Role.UNTIL)
_FEW: Final = 32
"""So many events are added up anew with each that comes."""
_MOST: Final = 256
_NOT_YET: dict[tuple[Must, UUID], tuple[Mark, tuple[Mark, ...]]] = {}
"""By condition and trigger: the very trigger, and the events that did not settle it early, last time; it only spares work."""


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
        by_end = tuple(each for each in collected if in_time(each, end))
        for at, number in _as_it_comes(course, by_end, _known_not_to_hold(pattern, course, by_end)):
            if _holds(pattern, course, by_end[:number]):
                return Owed(Keep(at, by_end[number - 1].event if number else course.trigger.event, "must-holds"), deadline=limit, due=end)
        _note_not_to_hold(pattern, course, by_end)
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


def _as_it_comes(course: Course, collected: Sequence[Mark], known: int) -> Iterator[tuple[datetime, int]]:
    """How many were in hand at the trigger and after every instant at which something was collected; not fewer than are known."""
    at_once = sum(1 for each in collected if each.time == course.trigger.time)
    if known <= at_once:
        yield course.trigger.time, at_once
    for number in range(max(known, at_once + 1), len(collected) + 1):
        at = collected[number - 1].time
        if number == len(collected) or collected[number].time > at:
            yield at, number


def _known_not_to_hold(pattern: Settlement, course: Course, collected: Sequence[Mark]) -> int:
    """How many of the first events were looked at before and did not settle it: each new one would have them all added up again."""
    trigger, before = _NOT_YET.get((pattern.must, course.trigger.event), (None, ()))
    if trigger is not course.trigger:
        return 0
    differ = (place for place, (one, other) in enumerate(zip(before, collected, strict=False)) if one is not other)
    same = next(differ, min(len(before), len(collected)))
    return same if same > _FEW else 0


def _note_not_to_hold(pattern: Settlement, course: Course, collected: tuple[Mark, ...]) -> None:
    if len(collected) > _FEW:
        key = pattern.must, course.trigger.event
        _NOT_YET.pop(key, None)
        _NOT_YET[key] = course.trigger, collected
        if len(_NOT_YET) > _MOST:
            _NOT_YET.pop(next(iter(_NOT_YET)), None)


def _later(collected: list[Mark], end: datetime) -> Iterator[list[Mark]]:
    """What was in hand after every event that came too late."""
    for index, mark in enumerate(collected):
        if mark.time > end:
            yield collected[: index + 1]


def _holds(pattern: Settlement, course: Course, events: Sequence[Mark]) -> bool:
    return pattern.must(course.trigger.data or {}, [each.data or {} for each in events])
