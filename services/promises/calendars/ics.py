"""Closures out of an iCalendar text: an entry of whole days is a holiday, one with times closes exactly those hours.

The libraries for it take long to import and are only needed where a calendar has such a text, so that is when they are.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.promises.calendars.clocks import instant
from services.promises.calendars.working_time import Closed, Reason

_DAY: Final = timedelta(days=1)
_TOO_OFTEN: Final = ("HOURLY", "MINUTELY", "SECONDLY")
_SEVERAL_A_DAY: Final = ("BYHOUR", "BYMINUTE", "BYSECOND")


class BadEntriesError(ValueError):
    """A text that is not iCalendar, or that says something of which nothing can be made."""


def check(text: str) -> None:
    """Raise `BadEntriesError` with the first thing that is wrong with a text."""
    try:
        wrong = next(_wrong(_calendar(text)), None)
        if wrong is None:
            _query(text).between(date(2020, 1, 1), date(2020, 1, 2))
    except Exception as error:
        # these parsers raise whatever they stumble over
        raise BadEntriesError(next(iter(str(error).strip().splitlines()), type(error).__name__)) from error
    if wrong is not None:
        raise BadEntriesError(wrong)


def _wrong(calendar: Any) -> Iterator[str]:
    for each in calendar.walk():
        yield from (f"{name}: {why}" for name, why in each.errors)
    for event in calendar.walk("VEVENT"):
        name = f"`{event.get('SUMMARY', '')}`"
        if _is_too_frequent(event):
            yield f"{name} repeats more often than daily"
        for time in (event[key] for key in ("DTSTART", "DTEND") if key in event):
            if "TZID" in time.params and time.dt.tzinfo is None:
                yield f"{name} is in the zone `{time.params['TZID']}`, which is not known"


def _is_too_frequent(event: Any) -> bool:
    rules = event.get("RRULE", [])
    rules = rules if isinstance(rules, list) else [rules]
    return any(each["FREQ"][0] in _TOO_OFTEN or any(key in each for key in _SEVERAL_A_DAY) for each in rules)


def days(text: str, year: int) -> dict[date, Reason]:
    """Return the days of a year that have an entry of whole days."""
    found: dict[date, Reason] = {}
    for start, end, reason in _entries(text, date(year, 1, 1), date(year, 12, 31)):
        if isinstance(start, datetime):
            continue
        for ordinal in range(start.toordinal(), max(end.toordinal(), start.toordinal() + 1)):
            found.setdefault(date.fromordinal(ordinal), reason)
    return {day: reason for day, reason in found.items() if day.year == year}


def stretches(text: str, first: date, last: date, zone: ZoneInfo) -> Iterator[Closed]:
    """Yield what entries with times close on these days; times without a zone are in `zone`."""
    for start, end, reason in _entries(text, first - _DAY, last + _DAY):
        if isinstance(start, datetime) and isinstance(end, datetime):
            yield Closed(_instant(start, zone), _instant(end, zone), reason)


def _instant(moment: datetime, zone: ZoneInfo) -> datetime:
    return instant(moment, zone) if moment.tzinfo is None else moment.astimezone(UTC)


@lru_cache(maxsize=256)
def _entries(text: str, first: date, last: date) -> tuple[tuple[date, date, Reason], ...]:
    found = [each for each in _query(text).between(first, last + _DAY) if each.get("STATUS") != "CANCELLED"]
    return tuple((each["DTSTART"].dt, each["DTEND"].dt, Reason("ics", str(each.get("SUMMARY", "")))) for each in found)


@lru_cache(maxsize=32)
def _calendar(text: str) -> Any:
    from icalendar import Calendar  # noqa: PLC0415 - see the module

    return Calendar.from_ical(text)


@lru_cache(maxsize=32)
def _query(text: str) -> Any:
    from recurring_ical_events import of  # type: ignore[import-untyped] # noqa: PLC0415 - see the module

    return of(_calendar(text), components=["VEVENT"])
