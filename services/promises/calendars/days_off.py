"""What takes a calendar's opening hours away: holidays of a country, days added and removed, closures, and an iCalendar text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from importlib.metadata import version
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.promises.calendars import ics
from services.promises.calendars.clocks import instant
from services.promises.calendars.working_time import Closed, Reason


class Closure(NamedTuple):
    """A closure [start, end) by the clock of the calendar's zone."""

    start: datetime
    end: datetime
    name: str = ""


class Country(NamedTuple):
    """Whose holidays count, as observed, by the `holidays` package's codes."""

    code: str
    subdivision: str | None = None

    def holidays(self, year: int) -> dict[date, str]:
        """Return a year's holidays with their names, those observed on another day too."""
        return _observed(self.code, self.subdivision, year)


@dataclass(frozen=True, slots=True)
class DaysOff:
    """The exceptions of one calendar. `known` are the country's holidays where they were written down when it was published."""

    country: Country | None = None
    known: tuple[tuple[date, str], ...] | None = None
    add: frozenset[date] = frozenset()
    remove: frozenset[date] = frozenset()
    closed: tuple[Closure, ...] = ()
    ics_text: str | None = None

    def holidays(self, year: int) -> Mapping[date, Reason]:
        """Return the days of a year whose opening hours fall away: `remove` keeps a country's holiday open."""
        entries = ics.days(self.ics_text, year) if self.ics_text is not None else {}
        added = {day: Reason("holiday", day.isoformat()) for day in self.add if day.year == year}
        named = {day: Reason("holiday", name) for day, name in self.of_country(year).items() if day not in self.remove}
        return entries | added | named

    def of_country(self, year: int) -> dict[date, str]:
        """Return the country's holidays of a year."""
        if self.known is not None:
            return {day: name for day, name in self.known if day.year == year}
        return self.country.holidays(year) if self.country is not None else {}

    def closures(self, first: date, last: date, zone: ZoneInfo) -> Iterator[Closed]:
        """Yield the closures that touch these days."""
        for each in self.closed:
            if each.start.date() <= last and first <= each.end.date():
                yield Closed(instant(each.start, zone), instant(each.end, zone), Reason("closure", each.name))
        if self.ics_text is not None:
            yield from ics.stretches(self.ics_text, first, last, zone)


@lru_cache(maxsize=1)
def holidays_version() -> str:
    """Return the version of the holiday data."""
    return version("holidays")


@lru_cache(maxsize=4096)
def _observed(code: str, subdivision: str | None, year: int) -> dict[date, str]:
    from holidays import country_holidays  # noqa: PLC0415 - takes long to import, and few calendars need it

    # without a language their names would be in that of whoever's terminal this is
    found = country_holidays(code, subdiv=subdivision, years=year, observed=True, language="en_US")
    return {day: name for day, name in sorted(found.items()) if day.year == year}


def wrong_country(code: str) -> str | None:
    """Return why this is no country whose holidays are known, None where it is one."""
    from holidays import list_supported_countries, registry  # noqa: PLC0415 - as above

    if code in list_supported_countries():
        return None
    names = {name.replace("_", " "): codes[1] for name, codes in registry.COUNTRIES.items()}
    meant = code.upper() if code.upper() in list_supported_countries() else names.get(code.lower().replace("_", " "))
    return f"did you mean `{meant}`?" if meant else "say it as its ISO code, as in `DE`"


def wrong_subdivision(country: Country) -> str | None:
    """Return why this is no part of the country, None where it is one."""
    from holidays import country_holidays  # noqa: PLC0415 - as above

    entity = country_holidays(country.code)
    aliases = {alias: code for code, found in entity.get_subdivision_aliases().items() for alias in found}
    wanted = country.subdivision or ""
    if wanted in entity.subdivisions or wanted in aliases:
        return None
    near = {each.lower(): code for each, code in aliases.items()} | {each.lower(): each for each in entity.subdivisions}
    if not near:
        return f"the holidays of {country.code} are the same in all of its parts; leave `subdivision` out"
    meant = near.get(wanted.lower().removeprefix(f"{country.code.lower()}-"))
    return f"did you mean `{meant}`?" if meant else "it must be one of " + ", ".join(f"`{each}`" for each in entity.subdivisions)
