"""When something happened, as foreign systems write it: RFC 3339, counted since 1970, or in a form and a zone of their own."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.chassis import rfc3339
from services.chassis.instants import EPOCH
from services.journey.feeds.picks import NotPickedError, Pick, Surroundings

COUNTED: Final = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6}
RFC_3339: Final = "rfc3339"
_DIGITS: Final = re.compile(r"[+-]?\d{1,20}(\.\d{1,9})?")
_SAMPLE: Final = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


class BadFormatError(ValueError):
    """A format is `rfc3339`, `seconds`, `milliseconds`, `microseconds`, or a pattern such as `%d.%m.%Y %H:%M`."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the time of a record stands and how it is written; `zone` is where it is local time."""

    pick: Pick
    format: str = RFC_3339
    zone: ZoneInfo | None = None

    def of(self, around: Surroundings) -> datetime | None:
        """Return when it happened, in UTC; None where the record does not say."""
        value = self.pick.of(around)
        if value is None:
            return None
        try:
            return _counted(value, COUNTED[self.format]) if self.format in COUNTED else self._written(value)
        except (ValueError, OverflowError):
            raise NotPickedError(f"it cannot be read as a time in the format `{self.format}`") from None

    def _written(self, value: Any) -> datetime:
        if not isinstance(value, str):
            raise NotPickedError("it is a number; say what it counts, as in `format: milliseconds`")
        if self.format != RFC_3339:
            return self._in_zone(datetime.strptime(value.strip(), self.format))  # noqa: DTZ007 - the zone is put in below
        try:
            return rfc3339.parse(value.strip())
        except rfc3339.BadTime:
            return self._in_zone(datetime.fromisoformat(value.strip()))

    def _in_zone(self, written: datetime) -> datetime:
        if written.tzinfo is not None:
            return written.astimezone(UTC)
        if self.zone is None:
            raise NotPickedError("it has no offset; say where it is local time, as in `zone: Europe/Berlin`")
        return _first_instant(written, self.zone)


def check(format_: str) -> bool:
    """Whether a format is readable and carries an offset itself; raises `BadFormatError` for one that is not."""
    if format_ in COUNTED or format_ == RFC_3339:
        return True
    try:
        readable = "%" in format_ and datetime.strptime(_SAMPLE.strftime(format_), format_) is not None  # noqa: DTZ007 - nothing is kept
    except (ValueError, re.error):
        readable = False
    if not readable:
        raise BadFormatError(BadFormatError.__doc__)
    return "%z" in format_


def _counted(value: Any, unit: float) -> datetime:
    if isinstance(value, str):
        if not _DIGITS.fullmatch(value.strip()):
            raise ValueError
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError  # noqa: TRY004 - one kind of error for whatever cannot be read
    whole = round(value * 1e6) if unit == 1.0 else round(value * 1e3) if unit == COUNTED["milliseconds"] else round(value)
    return EPOCH + timedelta(microseconds=whole)


def _first_instant(written: datetime, zone: ZoneInfo) -> datetime:
    """A clock time that comes twice is the first; one that is skipped is the first instant after the gap (PROMISES.md)."""
    found = written.replace(tzinfo=zone).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == written:
        return found
    early, late = written.replace(tzinfo=zone, fold=1).astimezone(UTC), found
    after = late.astimezone(zone).utcoffset()
    while late - early > _SECOND:
        middle = early + (late - early) / 2
        early, late = (early, middle) if middle.astimezone(zone).utcoffset() == after else (middle, late)
    return late.replace(microsecond=0)
