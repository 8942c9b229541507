"""Instants on the wire: Kafka's milliseconds and RFC 3339 text, both to and from aware UTC datetimes."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


@lru_cache(maxsize=65536)
def from_milliseconds(milliseconds: int) -> datetime:
    """The instant so many milliseconds after 1970 began."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def to_milliseconds(instant: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    return (instant - EPOCH) // MILLISECOND


@lru_cache(maxsize=65536)
def text_of(instant: datetime) -> str:
    """RFC 3339 text in UTC, to the microsecond where it has any."""
    digits = "microseconds" if instant.microsecond % 1000 else "milliseconds"
    return instant.astimezone(UTC).isoformat(timespec=digits).removesuffix("+00:00") + "Z"
