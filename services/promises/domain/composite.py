"""Several patterns of one trigger: all of them, or all in this order (PROMISES.md, "Patterns")."""

from collections.abc import Callable
from datetime import datetime

from services.promises.domain.course import Course
from services.promises.domain.model import AllOf, Pattern, Stage, slots_of
from services.promises.domain.owed import Breach, Keep, Owed

Evaluate = Callable[[Pattern, Course, int, datetime | None], Owed]


def all_of(pattern: AllOf, course: Course, slot: int, since: datetime | None, evaluate: Evaluate) -> Owed:
    """Kept when all are, broken by the first that is; in order, what comes before those earlier are kept does not count."""
    parts: list[Owed] = []
    begin = since
    for each in pattern.patterns:
        found = evaluate(each, course, slot, begin)
        parts.append(found)
        slot += slots_of(each)
        if pattern.in_order:
            begin = None if found.keep is None else found.keep.at
    stages = tuple(_stage(type(each).__name__.lower(), part) for each, part in zip(pattern.patterns, parts, strict=True))
    dues = [each.due for each in parts if each.due is not None]
    # what is kept by the end of an absence is owed until then
    waiting = [each.due for each in parts if each.due is not None and (each.keep is None or each.keep.ready is not None)]
    running = [each.deadline for each in parts if each.keep is None and each.deadline is not None]
    nearest = min((each for each in running if each.at is not None), key=lambda each: each.at or each.fixed, default=None)
    keeps = [each.keep for each in parts if each.keep is not None]
    return Owed(
        keep=_kept(keeps) if len(keeps) == len(parts) else None,
        breach=_first_breach([each.breach for each in parts if each.breach is not None]),
        deadline=nearest or next((each for each in running if each.paused), None),
        due=min(waiting, default=max(dues, default=None)),
        stages=stages,
    )


def _kept(keeps: list[Keep]) -> Keep:
    last = max(keeps, key=lambda each: each.at)
    ready = max((each.ready for each in keeps if each.ready is not None), default=None)
    completed = not any(each.by_time for each in keeps if each.at == last.at)
    return last._replace(ready=ready, completed=completed)


def _first_breach(breaches: list[Breach]) -> Breach | None:
    if not breaches:
        return None
    first = min(breaches, key=lambda each: (each.at, not each.offence))  # an event of that instant comes before a cancel of it
    return first._replace(ready=min(each.ready for each in breaches))


def _stage(name: str, part: Owed) -> Stage:
    keep = part.keep
    return Stage(name, part.due, None if keep is None else keep.at, None if keep is None else keep.event)
