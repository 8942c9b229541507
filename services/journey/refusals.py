"""What can still be read of a record that cannot be taken: above all whom it names, for they are held (DESIGN 3.7).

Bytes of strangers that the codec has refused come in here: nothing raises, and what is read is guarded, not trusted.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from services.chassis.keys import event_key
from services.chassis.records import Record
from services.journey.domain import LONGEST_IDENTIFIER, EventTypes, Identifier, Impossible

_SUBJECT = re.compile(rb'"subject"\s*:\s*("(?:[^"\\\x00-\x1f]|\\.){1,1024}")')
"""The first subject of what is no JSON as a whole: most often the record was cut off behind it."""


FEED_REASON, FEED_DETAIL, FEED_PLACE, FEED_ORIGIN, FEED_DAY = "feed-reason", "feed-detail", "feed-place", "feed-origin", "feed-day"
"""Headers of a record that a feed could not map: why, at which key of the feed, where it was read, and when it came there."""
_LONGEST_HEADER = 1024
LARGEST_KEPT = 1024 * 1024
"""Bytes of a value that are read and kept. Four times what any event may have, so that none of these could be taken in corrected or not;
a record that was compressed on its way may be a thousand times as large as what the broker let through."""
LARGEST_BESIDE = 64 * 1024
"""Bytes of a key that are kept, and of all headers."""
CUT = "makegood-cut"
"""Header of a record that was not kept whole: how many bytes its value had."""


class Refusal(NamedTuple):
    """One record that is refused."""

    position: int
    record: Record
    arrival: datetime
    wrong: Impossible
    place: str
    readable: Mapping[str, Any]
    identifiers: list[Identifier]
    """Whom it names; nobody, and so holds nobody, where this is empty."""

    def text(self, name: str) -> str | None:
        """An attribute, where it could be read as text."""
        return text_of_attribute(self.readable, name)


def refusal(record: Record, arrival: datetime, wrong: Impossible, place: str, types: EventTypes) -> Refusal:
    """Refuse a record, having read what can be read of it; of one that a feed could not map, the feed's own words count."""
    found = readable(record.value, record.headers)
    if said := _headers(record).get(FEED_REASON):
        wrong, place = Impossible(said, _headers(record).get(FEED_DETAIL, "")), _headers(record).get(FEED_PLACE, "")
    return Refusal(record.offset, record, arrival, wrong, place, found, _identifiers(found, types))


def kept_of(record: Record) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]:
    """The key, the value and the headers that are kept of a refused record: all of them, or of each how it begins and how much it was."""
    key, value, headers = record.key, record.value, [(name, content or b"") for name, content in record.headers]
    beside = sum(len(name) + len(content) for name, content in headers)
    if max(len(key or b""), beside) <= LARGEST_BESIDE and len(value or b"") <= LARGEST_KEPT:
        return key, value, headers
    left, few = LARGEST_BESIDE, []
    for name, content in headers:
        left -= len(name) + len(content)
        if left < 0:
            break
        few.append((name, content))
    cut = (CUT, str(len(value or b"")).encode())
    return key and key[:LARGEST_BESIDE], value and value[:LARGEST_KEPT], [*few, cut]


def origin_of(refused: Refusal) -> tuple[date, UUID] | None:
    """Where a feed read a record that it could not map, as `seen` knows it: a feed that was killed sends it again."""
    headers = _headers(refused.record)
    try:
        return date.fromisoformat(headers[FEED_DAY]), event_key(FEED_ORIGIN, headers[FEED_ORIGIN])
    except (KeyError, ValueError):
        return None


def _headers(record: Record) -> dict[str, str]:
    return {name: _decoded(content)[:_LONGEST_HEADER].replace("\0", "") for name, content in record.headers if name.startswith("feed-")}


def readable(value: bytes | None, headers: Any) -> Mapping[str, Any]:
    """The attributes and the data of an event in binary or structured mode, as far as they can be read."""
    attributes = {name.lower()[3:]: _decoded(content) for name, content in headers if name.lower().startswith("ce_")}
    value = value or b""
    try:
        body = orjson.loads(value) if len(value) <= LARGEST_KEPT else _remains(value[:LARGEST_KEPT])
    except orjson.JSONDecodeError:
        body = _remains(value)
    if attributes:
        return attributes | {"data": body}
    return body if isinstance(body, dict) else {}


def text_of_attribute(event: Mapping[str, Any], name: str) -> str | None:
    """An attribute of a readable event, where it is text that can be stored."""
    found = event.get(name)
    return found[:512].replace("\0", "") if isinstance(found, str) and found else None


def _decoded(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "replace")


def _remains(value: bytes) -> dict[str, Any]:
    found = _SUBJECT.search(value)
    try:
        return {"subject": orjson.loads(found[1])} if found else {}
    except orjson.JSONDecodeError:
        return {}


def _identifiers(event: Mapping[str, Any], types: EventTypes) -> list[Identifier]:
    known = {**event, "type": text_of_attribute(event, "type") or ""}
    return [each for each in types.identifiers(known) if len(each.text) <= LONGEST_IDENTIFIER and "\0" not in each.text]
