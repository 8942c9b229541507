"""Milestones: every step in time, each reported (PROMISES.md, "Patterns")."""

from datetime import datetime
from typing import Final, NamedTuple

from services.promises.domain.course import Course, Deadline, first, order
from services.promises.domain.model import Mark, Milestones, Role, Stage
from services.promises.domain.owed import Breach, Keep, Owed, by_time
from services.promises.domain.response import in_time

_EXPECT: Final = int(Role.EXPECT)


class _Reached(NamedTuple):
    """A step with its deadline, and the event that reached it."""

    stage: Stage
    deadline: Deadline
    event: Mark | None


def milestones(pattern: Milestones, course: Course, slot: int, since: datetime | None) -> Owed:
    """Kept by the event of the last step, all in time; broken at the first step that is late."""
    steps: list[_Reached] = []
    previous: datetime | None = since
    for index, step in enumerate(pattern.steps, slot):
        begin = previous if step.from_previous else since
        due = course.due_of(index) if step.by else None
        event = first(course.in_slot(_EXPECT, index, begin)) if begin is not None else None
        # a step counted from one that was not reached is not running yet
        started = course.trigger.time if not step.from_previous else previous
        none_yet = Deadline(None, course.trigger.arrival)
        deadline = none_yet if started is None and due is None else course.deadline(step.within, due, started)
        steps.append(_Reached(Stage(step.name, deadline.at, event and event.time, event and event.event), deadline, event))
        previous = event.time if event is not None else None
    stages = tuple(each.stage for each in steps)
    return _conclude(steps, stages)


def _conclude(steps: list[_Reached], stages: tuple[Stage, ...]) -> Owed:
    missed = [each for each in steps if each.event is None or not in_time(each.event, each.deadline.at)]
    if not missed:
        last = max((each.event for each in steps if each.event is not None), key=order)
        due = max((each.deadline.at for each in steps if each.deadline.at is not None), default=None)
        return Owed(Keep(last.time, last.event), due=due, stages=stages)
    running = [each for each in missed if each.deadline.at is not None]
    if not running:
        return Owed(deadline=missed[0].deadline, stages=stages)
    worst = min(running, key=lambda each: (each.deadline.at, each.stage.name))
    return Owed(breach=_breach(worst), deadline=worst.deadline, due=worst.deadline.at, stages=stages)


def _breach(step: _Reached) -> Breach | None:
    event = step.event
    late = event is not None
    return by_time(step.deadline, f"step-late: {step.stage.name}", late=late, settled=None if event is None else event.time)
