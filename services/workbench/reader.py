"""Who reads a page: their language and zone, and how times, money and shares read in them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, dates, negotiate_locale, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

LANGUAGES: Final = ("en", "es", "de")
LANGUAGE_COOKIE: Final = "language"
ZONE_COOKIE: Final = "zone"
CATALOGUES: Final = Path(__file__).parent / "locales"
NOTHING: Final = "\u2013"
"""What stands where there is no number: a dash."""
WORKING: Final = "%(left)s of working time"
Hours = tuple[tuple[datetime, datetime], ...]
"""When there is work, in order; each from its first instant to before its last."""


class Reader:
    """One reader's language and zone."""

    def __init__(self, language: str, zone: ZoneInfo, now: datetime, hours: Hours = ()) -> None:
        """In a language of `LANGUAGES`; `now` is what times are told against, `hours` the working time that is left until them."""
        self.language, self.zone, self.now, self.hours = language, zone, now, hours
        self.locale = Locale.parse(language)
        self.right_to_left = self.locale.text_direction == "rtl"

    def text(self, message: str, **values: object) -> str:
        """A message of ours in the reader's language."""
        said: str = translations(self.language).ugettext(message)
        return said % values if values else said

    def word(self, code: str) -> str:
        """A word of the services (a state, a kind, the name of a field) in the reader's language."""
        return self.text(code.replace("_", " "))

    def when(self, instant: datetime | str | None) -> str:
        """Day and time of the day."""
        if not instant:
            return ""
        at = parsed(instant).astimezone(self.zone)
        return f"{dates.format_date(at, 'medium', locale=self.locale)} {dates.format_time(at, 'short', locale=self.locale)}"

    def day(self, instant: datetime | str | None) -> str:
        """The day alone."""
        return "" if not instant else dates.format_date(parsed(instant).astimezone(self.zone), "medium", locale=self.locale)

    def date(self, day: str | None) -> str:
        """A day that the services name by its date alone; it is the same in every zone."""
        return "" if not day else dates.format_date(datetime.fromisoformat(day).date(), "medium", locale=self.locale)

    def month(self, day: str) -> str:
        """The month that a date is of."""
        return dates.format_skeleton("yMMMM", datetime.fromisoformat(day).date(), locale=self.locale)

    def ahead(self, instant: str | None) -> bool:
        """Whether that is still to come."""
        return bool(instant) and parsed(instant or "") > self.now

    def local(self, instant: str | None) -> str:
        """An instant as a field for day and time has it."""
        return "" if not instant else parsed(instant).astimezone(self.zone).strftime("%Y-%m-%dT%H:%M")

    def left(self, instant: datetime | str | None) -> str:
        """How long until then, in working time where it is known; or since then, roughly."""
        if not instant:
            return ""
        seconds = working_seconds(self.hours, self.now, parsed(instant))
        if seconds is not None:
            return self.text(WORKING, left=clocked(seconds))
        return dates.format_timedelta(
            parsed(instant) - self.now, add_direction=True, granularity="minute", threshold=1.2, locale=self.locale
        )

    def span(self, seconds: float | None) -> str:
        """A length of time, roughly."""
        return "" if seconds is None else dates.format_timedelta(timedelta(seconds=seconds), threshold=1.2, locale=self.locale)

    def money(self, money: Mapping[str, Any] | None) -> str:
        """An amount in its currency."""
        if money is None:
            return ""
        return numbers.format_currency(Decimal(money["amount"]), money["currency"], locale=self.locale)

    def number(self, value: float | None) -> str:
        """A number with the reader's marks between its digits."""
        return "" if value is None else numbers.format_decimal(value, locale=self.locale)

    def share(self, value: float | None) -> str:
        """A share of one in percent, with one digit behind the mark."""
        return NOTHING if value is None else numbers.format_percent(value, format="#,##0.0 %", locale=self.locale)

    def points(self, value: float) -> str:
        """A change of a share, in percentage points with its sign."""
        return numbers.format_percent(value, format="+#,##0.0 %;-#,##0.0 %", locale=self.locale)

    def level(self, value: float) -> str:
        """A share of one on a scale: in percent, with no more digits than it has."""
        return numbers.format_percent(value, format="#,##0.# %", locale=self.locale)


def parsed(instant: datetime | str) -> datetime:
    """An instant as the services write it; a day alone is its noon by UTC, which is that day nearly everywhere."""
    if isinstance(instant, datetime):
        return instant
    found = datetime.fromisoformat(instant)
    return found if found.tzinfo is not None else found.replace(hour=12, tzinfo=UTC)


def working_seconds(hours: Hours, now: datetime, due: datetime) -> int | None:
    """The working time from now until then; None where that is past, or beyond what is known."""
    if not hours or due <= now or due > hours[-1][1]:
        return None
    left = sum(((min(end, due) - max(start, now)) for start, end in hours if end > now and start < due), timedelta())
    return int(left.total_seconds())


def clocked(seconds: int) -> str:
    """A length of time as a clock counts it down: `3 h 05 min`, and in the last hour `12 min 08 s`; the signs are those of the SI."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def reader_of(cookies: Mapping[str, str], accepts: str, zone: str, now: datetime | None = None, hours: Hours = ()) -> Reader:
    """The reader of a request: by what they chose, else by what their browser asks for; `zone` where they chose none."""
    wanted = [cookies.get(LANGUAGE_COOKIE, ""), *(each.partition(";")[0].strip().replace("-", "_") for each in accepts.split(","))]
    found = negotiate_locale([each for each in wanted if each], LANGUAGES, sep="_")
    return Reader(found or LANGUAGES[0], zone_of(cookies.get(ZONE_COOKIE, ""), zone), now or datetime.now(UTC), hours)


def zone_of(name: str, otherwise: str) -> ZoneInfo:
    """The zone of that name, or the other one."""
    try:
        return ZoneInfo(name or otherwise)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(otherwise)


@lru_cache
def translations(language: str) -> NullTranslations:
    """The messages of a language; English stands in the templates themselves."""
    path = CATALOGUES / f"{language}.po"
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
