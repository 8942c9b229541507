"""What was and what is to come, drawn to scale: places on one line of time, as numbers for an SVG. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

WIDTH: Final = 1000.0
_MARGIN: Final = 30.0
_APART: Final = 14.0
"""What is nearer than this is drawn above each other."""
_ROWS: Final = 6
_TICKS: Final = 6
_NARROWEST: Final = 1.0
"""What is narrower is not shaded: nobody would see it."""
Hours = Sequence[tuple[datetime, datetime]]


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


class Shade(NamedTuple):
    """A stretch of the line in which the house was closed."""

    x: float
    width: float


class Picture(NamedTuple):
    """The whole line: marks in their order, ticks, where now is, and what is shaded."""

    marks: Sequence[Mark]
    ticks: Sequence[Tick]
    now: float
    rows: int
    shades: Sequence[Shade] = ()


def draw(points: Iterable[Point], now: datetime, hours: Hours = ()) -> Picture:
    """Place points on a line from the first of them to the last, or to now; what lies between the working hours is shaded."""
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
    shades = [Shade(x(start), round(x(end) - x(start), 1)) for start, end in closed(hours, first, last)]
    rows = 1 + max((each.row for each in marks), default=0)
    return Picture(marks, ticks, x(now), rows, [each for each in shades if each.width >= _NARROWEST])


def closed(hours: Hours, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    """What lies between working hours, from the first instant to the last; nothing where no hours are known."""
    if hours:
        ends, starts = [first, *(end for _, end in hours)], [*(start for start, _ in hours), last]
        stretches = ((max(end, first), min(start, last)) for end, start in zip(ends, starts, strict=True))
        yield from ((start, end) for start, end in stretches if start < end)
