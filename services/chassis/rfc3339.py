"""Times as RFC 3339 writes them: always with an offset, read into aware UTC datetimes."""

import re
from datetime import UTC, datetime
from typing import Final

_SHAPE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_WHOLE_SECONDS: Final = len("2026-01-31T08:30:00Z")
_MILLISECONDS: Final = len("2026-01-31T08:30:00.000Z")


class BadTime(ValueError):
    """Not a time of RFC 3339: write it like 2026-01-31T08:30:00Z or 2026-01-31T09:30:00+01:00."""

    def __str__(self) -> str:
        return "must be an RFC 3339 time with an offset, such as 2026-01-31T08:30:00Z, in the years 0001 to 9999 of UTC"


def parse(text: str) -> datetime:
    """The UTC time; digits beyond microseconds are cut off; a leap second is the last microsecond of its minute."""
    size = len(text)
    if (
        (size == _WHOLE_SECONDS or (size == _MILLISECONDS and text[19] == "."))
        and text[-1] == "Z"
        and text[10] == "T"
        and text[4] == text[7] == "-"
        and text[13] == text[16] == ":"
        # newer Pythons read hour 24 as the next day's midnight; RFC 3339 has none
        and text[11:13] != "24"
    ):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    return _parse_any(text)


def _parse_any(text: str) -> datetime:
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise BadTime
    day, hour, minute, second, fraction, offset = found.groups()
    leap = second == "60"
    micros = "999999" if leap else (fraction or "")[:6].ljust(6, "0")
    try:
        local = datetime.fromisoformat(f"{day}T{hour}:{minute}:{'59' if leap else second}.{micros}{offset.upper()}")
        moment = local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadTime from None
    # leap seconds are inserted at the end of a UTC day only
    if leap and (moment.hour, moment.minute) != (23, 59):
        raise BadTime
    return moment
