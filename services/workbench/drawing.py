"""What was and what is to come, drawn to scale: places on one line of time, as numbers for an SVG. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

WIDTH: Final = 1000.0
_MARGIN: Final = 30.0
_APART: Final = 14.0
"""What is nearer than this is drawn above each other."""
_ROWS: Final = 6
_TICKS: Final = 6


class Point(NamedTuple):
    """Something at a time; `arrival` is when it was known here, where that is later."""

    time: datetime
    kind: str
    label: str
    arrival: datetime | None = None


class Mark(NamedTuple):
    """A point as it is drawn: `x` across, `row` up from the line, and `known` across where it was known."""

    point: Point
    x: float
    row: int
    known: float | None


class Tick(NamedTuple):
    """A place on the line whose time is written under it."""

    x: float
    time: datetime


class Picture(NamedTuple):
    """The whole line: marks in their order, ticks, and where now is."""

    marks: Sequence[Mark]
    ticks: Sequence[Tick]
    now: float
    rows: int


def draw(points: Iterable[Point], now: datetime) -> Picture:
    """Place points on a line from the first of them to the last, or to now."""
    ordered = sorted(points, key=lambda each: (each.time, each.kind, each.label))
    times = [now, *(each.time for each in ordered)]
    first, last = min(times), max(times)
    length = max((last - first).total_seconds(), 1.0)

    def x(at: datetime) -> float:
        return round(_MARGIN + (at - first).total_seconds() / length * (WIDTH - 2 * _MARGIN), 1)

    ends = [float("-inf")] * _ROWS
    marks = []
    for each in ordered:
        place = x(each.time)
        row = next((row for row, end in enumerate(ends) if place - end >= _APART), _ROWS - 1)
        ends[row] = place
        known = None if each.arrival is None or each.arrival > last else x(each.arrival)
        marks.append(Mark(each, place, row, known if known is not None and known - place >= _APART else None))
    step = timedelta(seconds=length / (_TICKS - 1))
    ticks = [Tick(x(first + step * number), first + step * number) for number in range(_TICKS)]
    return Picture(marks, ticks, x(now), 1 + max((each.row for each in marks), default=0))
