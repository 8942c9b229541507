"""How long a promise gives: elapsed and calendar durations, which never mix (PROMISES.md, "Durations and calendars").

Every instant that comes in or goes out is UTC; a zone matters only to days and months, whose clock time is kept.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Elapsed:
    """So many seconds, whatever the clocks on the wall do."""

    length: timedelta

    def after(self, start: datetime) -> datetime:
        """Return the instant this long after `start`."""
        return start + self.length

    def before(self, end: datetime) -> datetime:
        """Return the instant this long before `end`."""
        return end - self.length


@dataclass(frozen=True, slots=True)
class Calendar:
    """So many months and days of a zone, with the clock time kept and a month's end clipped; then an elapsed rest."""

    months: int
    days: int
    zone: ZoneInfo
    rest: timedelta = timedelta(0)

    def after(self, start: datetime) -> datetime:
        """Return the instant this long after `start`."""
        return self._moved(start, 1) + self.rest

    def before(self, end: datetime) -> datetime:
        """Return the instant this long before `end`."""
        return self._moved(end - self.rest, -1)

    def _moved(self, start: datetime, sign: int) -> datetime:
        local = start.astimezone(self.zone)
        month = local.year * 12 + local.month - 1 + sign * self.months
        year, month = month // 12, month % 12 + 1
        day = min(local.day, monthrange(year, month)[1])
        clock = local.replace(year=year, month=month, day=day, tzinfo=None, fold=0)
        return instant(clock + timedelta(days=sign * self.days), self.zone)


Duration = Elapsed | Calendar

NOTHING = Elapsed(timedelta(0))


def instant(clock: datetime, zone: ZoneInfo) -> datetime:
    """Return the UTC instant of a clock time: a skipped one is the end of the gap, of a doubled one the first."""
    first = clock.replace(tzinfo=zone, fold=0)
    found = first.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None, fold=0) == clock:
        return found
    return _end_of_gap(clock, zone)


def _end_of_gap(clock: datetime, zone: ZoneInfo) -> datetime:
    # In a gap fold=0 reads the clock with the offset before it and fold=1 with the one after; the gap lies between.
    late = clock.replace(tzinfo=zone, fold=0).astimezone(UTC)
    early = clock.replace(tzinfo=zone, fold=1).astimezone(UTC)
    offset = early.astimezone(zone).utcoffset()
    while late - early > timedelta(microseconds=1):
        middle = early + (late - early) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            early = middle
        else:
            late = middle
    return late


class NotADurationError(ValueError):
    """A text that is not a duration: say it as `48 hours`, `2 days` or `PT48H`."""


class NotSupportedYetError(ValueError):
    """A duration of the language that this release does not compute yet."""


_WORDS = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(business\s+)?([a-z]+)\s*", re.IGNORECASE)
_ISO = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?",
)
_THIS_YEAR, _LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC), datetime(1526, 1, 1, tzinfo=UTC)
_ELAPSED = {"second": 1, "minute": 60, "hour": 3600}
_CALENDAR = {"day": (0, 1), "week": (0, 7), "month": (1, 0), "year": (12, 0)}


def duration(text: str, zone: ZoneInfo) -> Duration:
    """Read `48 hours`, `PT48H` (elapsed), `2 days`, `P2D`, `1 month` (calendar time of the zone)."""
    try:
        found = _iso(text.strip(), zone) if text.strip()[:1] == "P" else _words(text, zone)
    except (NotADurationError, NotSupportedYetError):
        raise
    except (OverflowError, ValueError):
        found = None
    if found is None or _is_too_long(found):
        raise NotADurationError(f"`{text[:100]}` is longer than 500 years")
    return found


def _is_too_long(found: Duration) -> bool:
    try:
        return found.before(_THIS_YEAR) < _LONG_AGO
    except (OverflowError, ValueError):
        return True


def _words(text: str, zone: ZoneInfo) -> Duration:
    found = _WORDS.fullmatch(text)
    if found is None:
        raise NotADurationError(_unreadable(text))
    number, business, unit = found[1], found[2], found[3].lower()
    unit = unit.removesuffix("s")
    if business and unit in ("hour", "minute", "day"):
        message = f"`{text}`: business durations are not supported yet; say it in elapsed hours or calendar days"
        raise NotSupportedYetError(message)
    if not business and unit in _ELAPSED:
        return Elapsed(timedelta(seconds=float(number) * _ELAPSED[unit]))
    if business or unit not in _CALENDAR or "." in number:
        raise NotADurationError(_unreadable(text))
    months, days = _CALENDAR[unit]
    return Calendar(months * int(number), days * int(number), zone)


def _iso(text: str, zone: ZoneInfo) -> Duration:
    found = _ISO.fullmatch(text)
    if found is None or text.endswith("T") or text == "P":
        raise NotADurationError(_unreadable(text))
    years, months, weeks, days = (int(each or 0) for each in found.groups()[:4])
    hours, minutes, seconds = (float(each or 0) for each in found.groups()[4:])
    rest = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if any(each is not None for each in found.groups()[:4]):
        return Calendar(12 * years + months, 7 * weeks + days, zone, rest)
    return Elapsed(rest)


def _unreadable(text: str) -> str:
    return f"`{text}` is not a duration; say it as `48 hours`, `90 minutes`, `2 days`, `1 month`, `PT48H` or `P2D`"
