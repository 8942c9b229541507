"""Working time of a calendar in one zone: how much of it lies between two instants, and where a budget of it ends.

What is open is a sorted array of UTC intervals in whole microseconds with a running total beside it, so that every question is one or
two bisections. The array grows by whole years as far as it is asked, and never past what the calendar says it is valid for.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate, groupby
from operator import sub
from typing import Final, Literal, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from services.promises.calendars.clocks import clock_time, instant

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
DAY: Final = timedelta(days=1)
NO_TIME: Final = timedelta(0)
_NEVER: Final = -(10**18)
Rule = Literal["hours", "holiday", "closure", "ics"]


class Reason(NamedTuple):
    """Why working time does not count: a rule, and what it is called there."""

    rule: Rule
    name: str = ""

    def __str__(self) -> str:
        """Say it to a person."""
        what = {"hours": "outside opening hours", "holiday": "holiday", "closure": "closure", "ics": "calendar entry"}[self.rule]
        return f"{what} {self.name}".rstrip()


OUTSIDE_HOURS: Final = Reason("hours")


class Closed(NamedTuple):
    """A stretch [start, end) in UTC that is not working time."""

    start: datetime
    end: datetime
    reason: Reason


class Exceptions(Protocol):
    """What takes opening hours away; a frozen value."""

    def holidays(self, year: int) -> Mapping[date, Reason]:
        """Return the days of a year whose opening hours fall away."""

    def closures(self, first: date, last: date, zone: ZoneInfo) -> Iterable[Closed]:
        """Return the closures that touch these days, with all of their time."""


class Rules(NamedTuple):
    """When a calendar is open; `version` tells apart two calendars of one name."""

    name: str
    version: str
    week: tuple[tuple[tuple[timedelta, timedelta], ...], ...]
    """From Monday on the day's intervals since its midnight, by the clock, less than a day past it. In order, without overlap."""
    first: date
    last: date
    exceptions: Exceptions


class OutsideCalendarError(ValueError):
    """The answer lies outside of what the calendar is valid for; extend its `valid`."""


class _Piece(NamedTuple):
    start: int
    end: int
    day: int
    taken: Reason | None = None


class _Open(NamedTuple):
    """All that is open from `low` to `high`; the first interval is an empty one, before all time."""

    starts: list[int]
    ends: list[int]
    days: list[int]
    """The day on which each interval starts in the zone, as an ordinal."""
    totals: list[int]
    """Working time up to the end of each interval."""
    working_days: list[int]
    years: range
    low: int
    high: int


_NOTHING_BUILT: Final = _Open([_NEVER], [_NEVER], [0], [0], [], range(0), 0, -1)


class WorkingTime:
    """The open time of a calendar in one zone. A value: equal where calendar, version and zone are.

    Every question about time for which the calendar is not valid raises `OutsideCalendarError`.
    """

    __slots__ = ("_key", "_open", "rules", "zone")

    def __init__(self, rules: Rules, zone: ZoneInfo) -> None:
        """Build nothing yet: years are built when they are asked for."""
        self.rules, self.zone = rules, zone
        self._key = (rules.name, rules.version, zone.key)
        self._open = _NOTHING_BUILT

    def __reduce__(self) -> tuple[type["WorkingTime"], tuple[Rules, ZoneInfo]]:
        return WorkingTime, (self.rules, self.zone)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WorkingTime) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"WorkingTime({', '.join(self._key)})"

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """Return the working time in [start, end); negative where the end lies before the start."""
        first, last = (start - EPOCH) // MICROSECOND, (end - EPOCH) // MICROSECOND
        opened = self._over(first, last) if first <= last else self._over(last, first)
        return (_before(opened, last) - _before(opened, first)) * MICROSECOND

    def due(self, start: datetime, amount: timedelta) -> datetime:
        """Return the first instant at which so much working time has passed since `start`: at closing, not at the next opening."""
        if amount <= NO_TIME:
            return start
        first = (start - EPOCH) // MICROSECOND
        opened = self._over(first, first)
        while (target := _before(opened, first) + amount // MICROSECOND) > opened.totals[-1]:
            opened = self._later(opened)
        index = bisect_left(opened.totals, target)
        return EPOCH + (opened.ends[index] - opened.totals[index] + target) * MICROSECOND

    def back(self, end: datetime, amount: timedelta) -> datetime:
        """Return the last instant from which so much working time passes until `end`: at opening, not at the closing before."""
        if amount <= NO_TIME:
            return end
        last = (end - EPOCH) // MICROSECOND
        opened = self._over(last, last)
        while (target := _before(opened, last) - amount // MICROSECOND) < 0:
            opened = self._earlier(opened)
        index = bisect_right(opened.totals, target)
        return EPOCH + (opened.ends[index] - opened.totals[index] + target) * MICROSECOND

    def working_day(self, start: datetime, number: int, *, closing: bool = False) -> datetime:
        """Return the clock time of `start` on the so-many-th working day after its own, or the closing of that day.

        A start outside working time counts from the next opening. A night over midnight belongs to the day it starts on, its small hours
        too. The clock time is kept even where it is outside working time on that day.
        """
        first = (start - EPOCH) // MICROSECOND
        opened = self._over(first, first)
        while opened.ends[-1] <= first:
            opened = self._later(opened)
        index = bisect_right(opened.ends, first)
        moment, day = max(first, opened.starts[index]), opened.days[index]
        while (place := bisect_left(opened.working_days, day) + number) >= len(opened.working_days):
            opened = self._later(opened)
        wanted = opened.working_days[place]
        if closing:
            return EPOCH + opened.ends[bisect_right(opened.days, wanted) - 1] * MICROSECOND
        return self._same_clock(moment, wanted - day)

    def working_day_back(self, end: datetime, number: int) -> datetime:
        """Return the clock time of `end` on the so-many-th working day before its own; outside working time from the closing before."""
        last = (end - EPOCH) // MICROSECOND
        opened = self._over(last, last)
        while (index := bisect_left(opened.starts, last) - 1) == 0:
            opened = self._earlier(opened)
        moment, day = min(last, opened.ends[index]), opened.days[index]
        while (place := bisect_left(opened.working_days, day) - number) < 0:
            opened = self._earlier(opened)
        return self._same_clock(moment, opened.working_days[place] - day)

    def closures(self, start: datetime, end: datetime) -> list[Closed]:
        """Return what of [start, end) is no working time, in order and with its reason; the rest of it is working time."""
        first, last = (start - EPOCH) // MICROSECOND, (end - EPOCH) // MICROSECOND
        self._over(first, last)
        day = max(clock_time(start, self.zone).date() - DAY, self.rules.first)
        found, at = [], first
        for piece in self._pieces(day, min(clock_time(end, self.zone).date(), self.rules.last)):
            opens, closes = max(piece.start, at), min(piece.end, last)
            if opens >= closes:
                continue
            found += [_closed(at, opens, OUTSIDE_HOURS)] if at < opens else []
            found += [_closed(opens, closes, piece.taken)] if piece.taken is not None else []
            at = closes
        return _joined([*found, _closed(at, last, OUTSIDE_HOURS)] if at < last else found)

    def opened(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """Return what of [start, end) is working time, in order; what touches is one stretch."""
        edges = [start, *(edge for each in self.closures(start, end) for edge in (each.start, each.end)), end]
        return [(opens, closes) for opens, closes in zip(edges[::2], edges[1::2], strict=True) if opens < closes]

    def _same_clock(self, moment: int, days: int) -> datetime:
        return instant(clock_time(EPOCH + moment * MICROSECOND, self.zone) + timedelta(days=days), self.zone)

    def _over(self, first: int, last: int) -> _Open:
        """Return what is open over these instants at least."""
        opened = self._open
        if opened.low <= first and last <= opened.high:
            return opened
        if not opened.years:
            year = clock_time(EPOCH + first * MICROSECOND, self.zone).year
            opened = self._grown(opened, min(max(year, self.rules.first.year), self.rules.last.year))
        while first < opened.low:
            opened = self._earlier(opened)
        while last > opened.high:
            opened = self._later(opened)
        return opened

    def _later(self, opened: _Open) -> _Open:
        if opened.years[-1] >= self.rules.last.year:
            raise OutsideCalendarError(f"this is past the end of {self._described()}; extend its `valid: {{until: ...}}`")
        return self._grown(opened, opened.years[-1] + 1)

    def _earlier(self, opened: _Open) -> _Open:
        if opened.years[0] <= self.rules.first.year:
            raise OutsideCalendarError(f"this is before the beginning of {self._described()}; extend its `valid: {{from: ...}}`")
        return self._grown(opened, opened.years[0] - 1)

    def _described(self) -> str:
        return f"the calendar `{self.rules.name}`, which is valid from {self.rules.first} until {self.rules.last}"

    def _grown(self, there: _Open, year: int) -> _Open:
        """Return what is open with one more year before or behind it: a new array, since others may be reading the old one."""
        first, last = max(date(year, 1, 1), self.rules.first), min(date(year, 12, 31), self.rules.last)
        pieces = [each for each in self._pieces(first, last) if each.taken is None]
        new = ([each.start for each in pieces], [each.end for each in pieces], [each.day for each in pieces])
        old = (there.starts[1:], there.ends[1:], there.days[1:])
        before, behind = (new, old) if there.years and year < there.years[0] else (old, new)
        starts, ends, days = ([head, *one, *other] for head, one, other in zip((_NEVER, _NEVER, 0), before, behind, strict=True))
        years = range(min([year, *there.years[:1]]), max([year, *there.years[-1:]]) + 1)
        totals = list(accumulate(map(sub, ends, starts)))
        working_days = [day for day, _ in groupby(days[1:])]
        self._open = _Open(starts, ends, days, totals, working_days, years, *self._bounds(years, ends[-1]))
        return self._open

    def _bounds(self, years: range, last_end: int) -> tuple[int, int]:
        # The night into a year's first day belongs to the year before, and the calendar's last night is over when it is over.
        low = date(years[0], 1, 2) if years[0] > self.rules.first.year else self.rules.first
        high = self._midnight(min(date(years[-1], 12, 31), self.rules.last) + DAY)
        return self._midnight(low), high if years[-1] < self.rules.last.year else max(high, last_end)

    def _midnight(self, day: date) -> int:
        return self._at(datetime.combine(day, time()))

    def _at(self, clock: datetime) -> int:
        return (instant(clock, self.zone) - EPOCH) // MICROSECOND

    def _pieces(self, first: date, last: date) -> Iterator[_Piece]:
        """Yield in order what the week opens on these days, cut into what is open and what a holiday or a closure takes."""
        exceptions = self.rules.exceptions
        closures = sorted(exceptions.closures(first, last + DAY, self.zone))
        taken = [((each.start - EPOCH) // MICROSECOND, (each.end - EPOCH) // MICROSECOND, each.reason) for each in closures]
        holidays = {day: name for year in range(first.year, last.year + 1) for day, name in exceptions.holidays(year).items()}
        for ordinal in range(first.toordinal(), last.toordinal() + 1):
            day = date.fromordinal(ordinal)
            midnight, holiday = datetime.combine(day, time()), holidays.get(day)
            for opens, closes in self.rules.week[day.weekday()]:
                piece = _Piece(self._at(midnight + opens), self._at(midnight + closes), ordinal, holiday)
                if piece.start >= piece.end or self._is_skipped(day, piece.start):
                    continue
                if holiday is not None:
                    yield piece
                else:
                    yield from _cut(piece, taken)

    def _is_skipped(self, day: date, start: int) -> bool:
        """Whether a zone that crossed the date line never had this day."""
        shown = clock_time(EPOCH + start * MICROSECOND, self.zone).date()
        return shown != day and self._midnight(day) == self._midnight(day + DAY)


def _before(opened: _Open, moment: int) -> int:
    index = bisect_right(opened.starts, moment) - 1
    left = opened.ends[index] - moment
    return opened.totals[index] - left if left > 0 else opened.totals[index]


def _cut(piece: _Piece, taken: list[tuple[int, int, Reason]]) -> Iterator[_Piece]:
    at = piece.start
    for start, end, reason in taken:
        if end <= at or start >= piece.end:
            continue
        if start > at:
            yield piece._replace(start=at, end=start)
        closes = min(end, piece.end)
        yield _Piece(max(start, at), closes, piece.day, reason)
        at = closes
    if at < piece.end:
        yield piece._replace(start=at)


def _closed(start: int, end: int, reason: Reason) -> Closed:
    return Closed(EPOCH + start * MICROSECOND, EPOCH + end * MICROSECOND, reason)


def _joined(closed: list[Closed]) -> list[Closed]:
    """Join what touches and has one reason."""
    found: list[Closed] = []
    for each in closed:
        if found and found[-1].end == each.start and found[-1].reason == each.reason:
            found[-1] = Closed(found[-1].start, each.end, each.reason)
        else:
            found.append(each)
    return found
