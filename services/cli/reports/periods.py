"""Days, weeks or months: what a share over time is told by, so that no chart has many more than a dozen of them."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

_MOST_DAYS: Final = timedelta(days=21)
_MOST_WEEKS: Final = timedelta(days=140)
_WEEK: Final = 7


class Periods(NamedTuple):
    """What times are reported under; in UTC."""

    name: str
    of: Callable[[datetime], date]
    """The day with which the period of a time begins."""

    def label(self, start: date) -> str:
        """Return how a period is named."""
        return f"{start:%b %Y}" if self.name == "month" else f"{start:%d %b %Y}"


class _Starts(dict[int, date]):
    """The beginning of its period by a day's number: a year of events has few days."""

    def __init__(self, start: Callable[[int], date]) -> None:
        super().__init__()
        self._start = start

    def __missing__(self, day: int) -> date:
        found = self[day] = self._start(day)
        return found


def _monday(day: int) -> date:
    return date.fromordinal(day - (day - 1) % _WEEK)


def _first(day: int) -> date:
    return date.fromordinal(day).replace(day=1)


def periods(span: timedelta) -> Periods:
    """Return what a history of this length is told by."""
    name, start = ("day", date.fromordinal) if span <= _MOST_DAYS else ("week", _monday) if span <= _MOST_WEEKS else ("month", _first)
    starts = _Starts(start)
    return Periods(name, lambda time: starts[time.toordinal()])
