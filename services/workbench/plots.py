"""Figures over time, drawn to scale: curves with their intervals, as numbers for an SVG. Pure.

A gap in the figures is a gap in the curve; nothing is drawn between two figures that have none between them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from math import ceil, floor, log10
from typing import Final, NamedTuple

LEFT, RIGHT, TOP, BOTTOM = 44.0, 350.0, 12.0, 162.0
_STEPS: Final = 4
"""Lines across, about."""
_ROOM: Final = 110.0
"""What a date takes beside the edge, and half of one in the middle."""
_EASY: Final = (1, 2, 5, 10)
_FINEST: Final = 1e-6
"""What differs by less is drawn as alike."""


class Sample(NamedTuple):
    """A figure at a time; `low` to `high` is where it truly lies."""

    time: datetime
    value: float | None
    low: float | None = None
    high: float | None = None


class Curve(NamedTuple):
    """Figures of one thing, in the order of time; None as a value is a gap. Of stairs each figure holds until the next."""

    name: str
    samples: Sequence[Sample]
    stairs: bool = False


BUCKETS: Final = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=31)}
"""How far the next figure of a series is at most; where it is further, there is none between."""


def with_gaps(samples: Iterable[Sample], bucket: str) -> list[Sample]:
    """Figures of buckets, with a gap wherever a bucket has none."""
    found: list[Sample] = []
    for each in samples:
        if found and each.time - found[-1].time > BUCKETS[bucket]:
            found.append(Sample(found[-1].time + BUCKETS[bucket], None))
        found.append(each)
    return found


class Dot(NamedTuple):
    """A figure as it is drawn."""

    x: float
    y: float
    sample: Sample


class Drawn(NamedTuple):
    """A curve as it is drawn: `sign` numbers the shape of its dots, paths are those of an SVG."""

    name: str
    sign: int
    line: str
    band: str
    dots: Sequence[Dot]


class Step(NamedTuple):
    """A line across, and its figure."""

    y: float
    value: float


class Date(NamedTuple):
    """A place below, and its time."""

    x: float
    time: datetime


class Plot(NamedTuple):
    """A plot: `target` is how high the figure stands that is aimed at."""

    curves: Sequence[Drawn]
    steps: Sequence[Step]
    dates: Sequence[Date]
    target: float | None


def plot(curves: Iterable[Curve], *, lowest: float | None = None, highest: float | None = None, target: float | None = None) -> Plot | None:
    """Place curves on one field; the scale goes from `lowest` to `highest`, each by the figures where it is left out.

    None where there is no figure at all.
    """
    found = list(curves)
    known = [each for curve in found for each in curve.samples if each.value is not None]
    if not known:
        return None
    values = [value for each in known for value in (each.value, each.low, each.high) if value is not None]
    values += [] if target is None else [target]
    low, high, steps = _scale(min(values) if lowest is None else lowest, max(values) if highest is None else highest, highest)
    field = _Field(min(each.time for each in known), max(each.time for each in known), low, high)
    drawn = [_drawn(curve, number, field) for number, curve in enumerate(found)]
    aimed = None if target is None else field.y(target)
    return Plot(drawn, [Step(field.y(each), each) for each in steps], _dates(known, field), aimed)


class _Field(NamedTuple):
    """Where times and figures are on the drawing."""

    first: datetime
    last: datetime
    low: float
    high: float

    def x(self, time: datetime) -> float:
        length = (self.last - self.first).total_seconds()
        part = (time - self.first).total_seconds() / length if length else 0.5
        return round(LEFT + part * (RIGHT - LEFT), 1)

    def y(self, value: float) -> float:
        part = (value - self.low) / (self.high - self.low)
        return round(BOTTOM - min(max(part, 0.0), 1.0) * (BOTTOM - TOP), 1)


def _scale(low: float, high: float, highest: float | None) -> tuple[float, float, list[float]]:
    """Round figures around these, and those between them that get a line."""
    size = max(abs(low), abs(high))
    length = high - low if high - low > max(size, 1.0) * _FINEST else max(size, _FINEST)
    power = 10.0 ** floor(log10(length / _STEPS))
    step = next(each * power for each in _EASY if each * power >= length / _STEPS)
    bottom, top = floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step
    top = top if top > bottom else bottom + step
    if highest is not None:
        bottom, top = min(bottom, highest - step), highest
    return bottom, top, [round(bottom + number * step, 10) for number in range(int((top - bottom) / step + 1e-9) + 1)]


def _dates(known: Sequence[Sample], field: _Field) -> list[Date]:
    """The first and the last time, and the one between that is nearest the middle, where its name has room."""
    times = sorted({each.time for each in known})
    between = [each for each in times if LEFT + _ROOM <= field.x(each) <= RIGHT - _ROOM]
    middle = sorted(between, key=lambda each: abs(field.x(each) - (LEFT + RIGHT) / 2))[:1]
    return [Date(field.x(each), each) for each in dict.fromkeys([times[0], *middle, times[-1]])]


def _drawn(curve: Curve, number: int, field: _Field) -> Drawn:
    runs: list[list[Dot]] = [[]]
    for each in curve.samples:
        if each.value is None:
            runs.append([])
        else:
            runs[-1].append(Dot(field.x(each.time), field.y(each.value), each))
    runs = [each for each in runs if each]
    line = " ".join(_line(each, stairs=curve.stairs) for each in runs)
    band = " ".join(found for each in runs if (found := _band(each, field)))
    return Drawn(curve.name, number, line, band, [dot for each in runs for dot in each])


def _line(dots: Sequence[Dot], *, stairs: bool) -> str:
    first, *rest = dots
    return f"M{first.x} {first.y}" + "".join(f"H{each.x}V{each.y}" if stairs else f"L{each.x} {each.y}" for each in rest)


def _band(dots: Sequence[Dot], field: _Field) -> str:
    """Around what is drawn as a line; an interval that stands alone is drawn at its dot."""
    sides = [(each.x, each.sample.low, each.sample.high) for each in dots]
    around = [(x, field.y(low), field.y(high)) for x, low, high in sides if low is not None and high is not None]
    if len(around) < 2:  # noqa: PLR2004  (a line needs two)
        return "".join(f"M{x} {low}V{high}" for x, low, high in around)
    upper = "L".join(f"{x} {high}" for x, _, high in around)
    lower = "L".join(f"{x} {low}" for x, low, _ in reversed(around))
    return f"M{upper}L{lower}Z"
