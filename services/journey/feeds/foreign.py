"""What feeds read elsewhere, under the names that paths begin with: records of Kafka, webhooks, rows of a query."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

import orjson

from services.chassis.instants import from_milliseconds
from services.chassis.instants import text_of as instant_text
from services.chassis.strictjson import InvalidJson
from services.journey.feeds.mapping import Foreign, Outcome, read, unreadable
from services.journey.feeds.mapping import Mapping as Mapped
from services.journey.feeds.picks import around

Headers = Sequence[tuple[str, bytes | None]]
SECRET_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_LARGEST_WHOLE: Final = 2**63


def of_kafka(
    mapping: Mapped, place: tuple[str, int, int], timestamp: int, key: bytes | None, value: bytes | None, headers: Headers
) -> Outcome:
    """What a record becomes that stands at a topic, partition and offset; `timestamp` in milliseconds since 1970."""
    topic, partition, offset = place
    try:
        record = read(value)
    except InvalidJson as wrong:
        return unreadable(mapping, wrong)
    named = {name.lower(): _text(content) for name, content in headers}
    known = around(record, key=_text(key), headers=named, topic=topic, partition=partition, offset=offset)
    at = from_milliseconds(timestamp) if timestamp >= 0 else None
    # the timestamp too: a topic that is made anew begins to count anew
    return mapping.of(Foreign(known, (topic, str(partition), str(offset), str(timestamp)), at))


def of_webhook(mapping: Mapped, body: bytes, headers: Mapping[str, str], now: datetime) -> Outcome:
    """What a request becomes; one without an id of its own is known by its body, sent again it is the same."""
    try:
        record = read(body)
    except InvalidJson as wrong:
        return unreadable(mapping, wrong)
    named = {name: text for name, text in headers.items() if name not in SECRET_HEADERS}
    return mapping.of(Foreign(around(record, headers=named), ("webhook", sha256(body).hexdigest()), now))


def of_row(mapping: Mapped, row: Mapping[str, Any], number: int) -> Outcome:
    """What a row of a query becomes; one without an id of its own is known by what is in it."""
    record = {name: _json(value) for name, value in row.items()}
    return mapping.of(Foreign(around(record, line=number), ("row", orjson.dumps(record, option=orjson.OPT_SORT_KEYS).decode())))


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "replace")


def _json(value: Any) -> Any:
    """A value of PostgreSQL as JSON has it: instants with their offset, decimals as numbers where they are exact, else as text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if value - value == 0 else str(value)  # JSON has no infinity
        case date() | timedelta():
            return _time(value)
        case Decimal():
            return _number(value)
        case Mapping():
            return {str(name): _json(each) for name, each in value.items()}
        case list() | tuple():
            return [_json(each) for each in value]
        case bytes():
            return value.hex()
    return str(value)


def _time(value: date | timedelta) -> str | float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    aware = isinstance(value, datetime) and value.tzinfo is not None
    return instant_text(value.astimezone(UTC)) if isinstance(value, datetime) and aware else value.isoformat()


def _number(value: Decimal) -> int | float | str:
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value() and abs(value) < _LARGEST_WHOLE:
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)
