"""How long a promise gives: elapsed, calendar and business durations, which never mix (PROMISES.md, "Durations and calendars").

Every instant that comes in or goes out is UTC; a zone matters only to days and months, whose clock time is kept, and to working time.
"""

import re
from abc import ABC, abstractmethod
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from services.promises.calendars.clocks import UnknownZoneError, clock_time, instant, zone_named
from services.promises.calendars.working_time import OutsideCalendarError, WorkingTime


class Duration(ABC):
    """A budget of time of one kind: a frozen value that can be hashed and pickled."""

    __slots__ = ()

    @abstractmethod
    def after(self, start: datetime) -> datetime:
        """Return the instant at which this budget from `start` is used up: its due instant."""

    @abstractmethod
    def before(self, end: datetime) -> datetime:
        """Return the instant this long before `end`."""

    @abstractmethod
    def times(self, number: int) -> "Duration":
        """Return so many of it: three months from the start are not a month after a month after a month."""

    def in_zone(self, zone: str | None) -> "Duration":  # noqa: ARG002
        """Return what it comes to for a customer in `zone`."""
        return self

    def spent(self, start: datetime, end: datetime) -> timedelta:
        """Return how much time of this kind lies in [start, end): elapsed time, of the business kinds working time."""
        return end - start

    def resumed(self, start: datetime, rest: timedelta) -> datetime:
        """Return the instant at which `rest`, as `spent` measures it, is used up from `start` on."""
        return start + rest

    def at_share(self, start: datetime, share: float) -> datetime:
        """Return the instant at which this share of the budget is used."""
        due = self.after(start)
        return due if share >= 1 else self.resumed(start, self.spent(start, due) * share)


@dataclass(frozen=True, slots=True)
class Elapsed(Duration):
    """So many seconds, whatever the clocks on the wall do."""

    length: timedelta

    def after(self, start: datetime) -> datetime:
        """Return the instant this long after `start`."""
        return start + self.length

    def before(self, end: datetime) -> datetime:
        """Return the instant this long before `end`."""
        return end - self.length

    def times(self, number: int) -> "Elapsed":
        """Return so many times this length."""
        return Elapsed(self.length * number)


@dataclass(frozen=True, slots=True)
class CalendarTime(Duration):
    """So many months and days of a zone, with the clock time kept and a month's end clipped; then an elapsed rest."""

    months: int
    days: int
    zone: ZoneInfo
    rest: timedelta = timedelta(0)

    def after(self, start: datetime) -> datetime:
        """Return the same clock time so many months and days later, and then the rest."""
        return self._moved(start, 1) + self.rest

    def before(self, end: datetime) -> datetime:
        """Return the same clock time so many months and days before `end` less the rest."""
        return self._moved(end - self.rest, -1)

    def times(self, number: int) -> "CalendarTime":
        """Return so many times these months, days and rest, each counted at once."""
        return CalendarTime(self.months * number, self.days * number, self.zone, self.rest * number)

    def _moved(self, start: datetime, sign: int) -> datetime:
        local = clock_time(start, self.zone)
        if self.months:
            month = local.year * 12 + local.month - 1 + sign * self.months
            year, month = month // 12, month % 12 + 1
            local = local.replace(year=year, month=month, day=min(local.day, monthrange(year, month)[1]))
        return instant(local + timedelta(days=sign * self.days), self.zone)


@dataclass(frozen=True, slots=True)
class Business(Duration):
    """A budget that is used up in working time only."""

    open: WorkingTime

    def spent(self, start: datetime, end: datetime) -> timedelta:
        """Return the working time in [start, end)."""
        return self.open.elapsed(start, end)

    def resumed(self, start: datetime, rest: timedelta) -> datetime:
        """Return the instant at which so much working time has passed since `start`."""
        return self.open.due(start, rest)


@dataclass(frozen=True, slots=True)
class BusinessTime(Business):
    """So much working time; used up exactly at closing, it is due at closing."""

    length: timedelta

    def after(self, start: datetime) -> datetime:
        """Return the first instant at which so much working time has passed since `start`."""
        return self.open.due(start, self.length)

    def before(self, end: datetime) -> datetime:
        """Return the last instant from which so much working time passes until `end`."""
        return self.open.back(end, self.length)

    def times(self, number: int) -> "BusinessTime":
        """Return so many times this much working time."""
        return BusinessTime(self.open, self.length * number)


@dataclass(frozen=True, slots=True)
class BusinessDays(Business):
    """The so-many-th working day after the start day at the same clock time, or at that day's closing."""

    number: int
    closing: bool = False

    def after(self, start: datetime) -> datetime:
        """Return the same clock time, or the closing, so many working days later; outside working time from the next opening on."""
        return self.open.working_day(start, self.number, closing=self.closing)

    def before(self, end: datetime) -> datetime:
        """Return the same clock time so many working days before `end`; outside working time from the closing before it."""
        return self.open.working_day_back(end, self.number)

    def times(self, number: int) -> "BusinessDays":
        """Return so many times as many working days."""
        return BusinessDays(self.open, self.number * number, self.closing)


NOTHING: Final = Elapsed(timedelta(0))


class NotADurationError(ValueError):
    """A text that is not a duration: say it as `48 hours`, `2 days` or `PT48H`."""


class NoCalendarError(ValueError):
    """A business duration where no calendar says what is open: give the promise a `calendar`."""


class Unit(Enum):
    """The four kinds of durations: what an amount is counted in."""

    ELAPSED = "elapsed"
    CALENDAR = "calendar"
    BUSINESS_TIME = "business time"
    BUSINESS_DAYS = "business days"


class Amount(NamedTuple):
    """A duration as it is written, before a zone or a calendar says what it comes to."""

    unit: Unit
    length: timedelta = timedelta(0)
    days: int = 0
    months: int = 0


_WORDS: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(business\s+)?([a-z]+)\s*", re.IGNORECASE | re.ASCII)
_ISO: Final = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?",
    re.ASCII,
)
_MOST: Final = timedelta(days=366 * 500)
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}
_DAYS: Final = {"day": 1, "week": 7}
_MONTHS: Final = {"month": 1, "year": 12}


def read(text: str) -> Amount:
    """Read `48 hours`, `PT48H`, `2 days`, `P2D`, `1 month`, `10 business hours`, `2 business days`; else `NotADurationError`."""
    try:
        found = _iso(text.strip()) if text.strip()[:1] == "P" else _words(text)
        too_long = found.length + timedelta(days=found.days + 30.5 * found.months) > _MOST
    except NotADurationError:
        raise
    except (OverflowError, ValueError):  # more digits than a number may have
        too_long = True
    if too_long:
        raise NotADurationError(f"`{text[:100]}` is longer than 500 years")
    return found


def _words(text: str) -> Amount:
    found = _WORDS.fullmatch(text)
    if found is None:
        raise _unreadable(text)
    number, business, unit = found[1], found[2] is not None, found[3].lower().removesuffix("s")
    whole = int(number) if "." not in number else None
    match business, unit:
        case _, "minute" | "hour":
            return Amount(Unit.BUSINESS_TIME if business else Unit.ELAPSED, timedelta(seconds=float(number) * _SECONDS[unit]))
        case False, "second":
            return Amount(Unit.ELAPSED, timedelta(seconds=float(number)))
        case True, "day" if whole is not None:
            return Amount(Unit.BUSINESS_DAYS, days=whole)
        case False, "day" | "week" if whole is not None:
            return Amount(Unit.CALENDAR, days=whole * _DAYS[unit])
        case False, "month" | "year" if whole is not None:
            return Amount(Unit.CALENDAR, months=whole * _MONTHS[unit])
    raise _unreadable(text)


def _iso(text: str) -> Amount:
    found = _ISO.fullmatch(text)
    if found is None or text.endswith("T") or text == "P":
        raise _unreadable(text)
    years, months, weeks, days = (int(each or 0) for each in found.groups()[:4])
    hours, minutes, seconds = (float(each or 0) for each in found.groups()[4:])
    by_clock = any(each is not None for each in found.groups()[:4])
    length = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return Amount(Unit.CALENDAR if by_clock else Unit.ELAPSED, length, 7 * weeks + days, 12 * years + months)


def _unreadable(text: str) -> NotADurationError:
    examples = "`48 hours`, `90 minutes`, `2 days`, `1 month`, `10 business hours`, `2 business days`, `PT48H` or `P2D`"
    return NotADurationError(f"`{text[:100]}` is not a duration; say it as {examples}")


def is_in_business_days(text: str) -> bool:
    """Whether a duration is counted in business days, which may end at closing."""
    try:
        return read(text).unit is Unit.BUSINESS_DAYS
    except NotADurationError:
        return False


class Versions(NamedTuple):
    """The data that a deadline rests on; what it does not rest on is None."""

    calendar: str | None
    version: str | None
    holidays: str | None
    zones: str


class BusinessCalendar(Protocol):
    """A calendar as durations need it."""

    @property
    def zone(self) -> ZoneInfo | None:
        """The zone it is in; None: each customer's own."""

    @property
    def versions(self) -> Versions:
        """What its answers rest on."""

    def working_time(self, zone: ZoneInfo) -> WorkingTime:
        """Return its working time in a zone, the same object each time."""


_UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Timekeeping:
    """Turns durations that are written into durations that are counted: in a zone, or by a calendar, whose zone then counts.

    Without a zone of their own, both take the customer's.
    """

    zone: ZoneInfo | None = _UTC
    calendar: BusinessCalendar | None = None
    _known: dict[tuple[str, str | None, bool], Duration] = field(default_factory=dict, compare=False, repr=False)

    def duration(self, text: str, zone: str | None = None, *, closing: bool = False) -> Duration:
        """Return the duration that a text says, for a customer in `zone`; `closing` is `end: closing` beside business days.

        Raises `NotADurationError`, `NoCalendarError`, and `UnknownZoneError` where a customer's zone is needed and is not a zone.
        """
        known = (text, zone, closing)
        found = self._known.get(known)
        if found is None:
            found = self._known[known] = self._read(text, zone, closing=closing)
        return found

    @property
    def of_customer(self) -> bool:
        """Whether the customer's own zone counts."""
        return (self.zone if self.calendar is None else self.calendar.zone) is None

    def zone_of(self, zone: str | None) -> ZoneInfo:
        """Return the zone that counts for a customer in `zone`."""
        fixed = self.zone if self.calendar is None else self.calendar.zone
        if fixed is not None:
            return fixed
        if zone is None:
            raise UnknownZoneError("the customer's zone is not known, and this is counted in the customer's zone")
        return zone_named(zone)

    def _read(self, text: str, zone: str | None, *, closing: bool) -> Duration:
        amount = read(text)
        if closing and amount.unit is not Unit.BUSINESS_DAYS:
            raise NotADurationError(f"`end: closing` goes with business days, and `{text}` is none; say it as `2 business days`")
        if amount.unit is Unit.ELAPSED:
            return Elapsed(amount.length)
        if amount.unit is Unit.CALENDAR:
            return CalendarTime(amount.months, amount.days, self.zone_of(zone), amount.length)
        if self.calendar is None:
            raise NoCalendarError(f"`{text}` needs a `calendar` that says what is open")
        opened = self.calendar.working_time(self.zone_of(zone))
        if amount.unit is Unit.BUSINESS_TIME:
            return BusinessTime(opened, amount.length)
        return BusinessDays(opened, amount.days, closing)


@dataclass(frozen=True, slots=True)
class InCustomersZone(Duration):
    """A duration that only a customer's zone makes countable; `in_zone` says what it comes to."""

    text: str
    time: Timekeeping
    closing: bool = False

    def in_zone(self, zone: str | None) -> Duration:
        """Return what it comes to for a customer in `zone`; raises `UnknownZoneError`."""
        return self.time.duration(self.text, zone, closing=self.closing)

    def after(self, start: datetime) -> datetime:
        """Raise `UnknownZoneError`."""
        return self.in_zone(None).after(start)

    def before(self, end: datetime) -> datetime:
        """Raise `UnknownZoneError`."""
        return self.in_zone(None).before(end)

    def times(self, number: int) -> Duration:
        """Raise `UnknownZoneError`."""
        return self.in_zone(None).times(number)


def duration(text: str, zone: ZoneInfo) -> Duration:
    """Return an elapsed or calendar duration of a fixed zone."""
    return Timekeeping(zone).duration(text)


__all__ = [
    "NOTHING",
    "Amount",
    "BusinessCalendar",
    "BusinessDays",
    "BusinessTime",
    "CalendarTime",
    "Duration",
    "Elapsed",
    "InCustomersZone",
    "NoCalendarError",
    "NotADurationError",
    "OutsideCalendarError",
    "Timekeeping",
    "Unit",
    "UnknownZoneError",
    "Versions",
    "duration",
    "instant",
    "is_in_business_days",
    "read",
]
