"""Times as RFC 3339 writes them: always with an offset, read into aware UTC datetimes."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

_SHAPE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_WHOLE_SECONDS: Final = len("2026-01-31T08:30:00Z")
_WITH_FRACTION: Final = frozenset({len("2026-01-31T08:30:00.000Z"), len("2026-01-31T08:30:00.000000Z")})
_ZEROS: Final = bytes.maketrans(b"123456789", b"0" * 9)
_SHAPES: Final = {len(shape): shape for shape in (b"0000-00-00T00:00:00Z", b"0000-00-00T00:00:00.000Z")}


class BadTime(ValueError):
    """Not a time of RFC 3339: write it like 2026-01-31T08:30:00Z or 2026-01-31T09:30:00+01:00."""

    def __str__(self) -> str:
        return "must be an RFC 3339 time with an offset, such as 2026-01-31T08:30:00Z, in the years 0001 to 9999 of UTC"


def parse(text: str) -> datetime:
    """The UTC time; digits beyond microseconds are cut off; a leap second is the last microsecond of its minute."""
    size = len(text)
    if (
        (size == _WHOLE_SECONDS or (size in _WITH_FRACTION and text[19] == "."))
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


def parse_all(texts: Sequence[str]) -> list[datetime]:
    """Parse many texts, at a fifth of the cost where all are written in one of the two common shapes."""
    joined = "".join(texts)
    shape = _SHAPES.get(len(joined) // len(texts)) if texts else None
    # hour 24: see `parse`; a text cut off in the middle is no time, nor is what it leaves to the next
    if shape is not None and "T24" not in joined and joined.encode().translate(_ZEROS) == shape * len(texts):
        try:
            return list(map(datetime.fromisoformat, texts))
        except ValueError:
            pass
    return list(map(parse, texts))


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
