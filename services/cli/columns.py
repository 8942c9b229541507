"""Turns lines of a file into columns of events, by the rules under which journey takes an event or refuses it.

Most stretches of a file hold nothing unusual: what must be true of each event is then checked of all of them at once.
Any other stretch is decoded line by line, as journey decodes it.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain, compress
from operator import sub
from typing import Any, Final, NamedTuple

import orjson

from services.chassis import rfc3339
from services.chassis.cloudevents import MAX_ATTRIBUTE, STRUCTURED, InvalidEvent, decode
from services.chassis.strictjson import INT64, MAX_DEPTH
from services.journey.domain import FUTURE_BOUND, RESERVED_TYPES, WINDOW, impossible

Event = dict[str, Any]
Refuse = Callable[[int, str, str], None]
"""Takes the number of a line, the reason as a slug, and what would be right."""


class Columns(NamedTuple):
    """Events of one stretch of a file."""

    numbers: Sequence[int]
    """The lines that they stand on."""
    events: Sequence[Event]
    types: Sequence[str]
    sources: Sequence[str]
    ids: Sequence[str]
    subjects: Sequence[str | None]
    times: Sequence[datetime]
    arrivals: Sequence[datetime]

    def only(self, chosen: Sequence[bool]) -> "Columns":
        """Return the events that were chosen."""
        if all(chosen):
            return self
        columns: list[Any] = [list(compress(column, chosen)) for column in self]
        return Columns(*columns)

    @property
    def of_one_source(self) -> bool:
        """Whether all came from one source, as most do that stand together."""
        return not self.sources or self.sources.count(self.sources[0]) == len(self.sources)


_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_HEADERS: Final = [("content-type", STRUCTURED.encode())]
_PLAIN: Final = frozenset({"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data", "recordedtime"})
_UNUSUAL: Final = frozenset({"data_base64", "dataschema", "discreet", "evidenceonly"})
"""Attributes that journey checks further, or takes away."""
_FLAT: Final = frozenset({str, int, float, bool, type(None)})
# in so few bytes there are fewer keys, items and characters than strict reading allows
_SHORT_LINE: Final = 8 * 1024
# of at most four bytes each, so that no attribute is too long
_SHORT_TEXT: Final = 128


class _UnusualError(Exception):
    """Something that is not checked of all events at once: it may be right or wrong."""


def columns(numbers: Sequence[int], lines: Sequence[bytes], refuse: Refuse) -> Columns:
    """Return the events of some lines; each line that is none is refused."""
    try:
        return _at_once(numbers, lines)
    except (_UnusualError, ValueError, TypeError, KeyError):
        return _one_by_one(numbers, lines, refuse)


def _at_once(numbers: Sequence[int], lines: Sequence[bytes]) -> Columns:
    events = list(map(orjson.loads, lines))
    types, sources = [each["type"] for each in events], [each["source"] for each in events]
    ids, times = [each["id"] for each in events], [each["time"] for each in events]
    subjects, recorded = _optional("subject", events), _optional("recordedtime", events)
    formats, data = _optional("datacontenttype", events), _optional("data", events)
    _require([each["specversion"] for each in events].count("1.0") == len(events))
    _require(formats.count("application/json") + formats.count(None) == len(events))
    _require(not any(each.startswith(RESERVED_TYPES) for each in set(types)))
    # specversion, id, source, type and time are always there
    texts = 5 * len(events) + sum(len(events) - column.count(None) for column in (subjects, recorded, formats))
    keys = sum(map(len, events))
    further = _extensions(events) if keys > texts + len(events) - data.count(None) else []
    longest = max(map(len, lines))
    one_source = sources[:1] if sources.count(sources[0]) == len(sources) else sources
    for column in (ids, types, one_source, further, subjects if None not in subjects else [each for each in subjects if each is not None]):
        _check_texts(column, longest)
    _check_json(b"".join(lines), longest, [each for each in data if each is not None] if None in data else data, keys, texts + len(further))
    if None in subjects:
        for event in events:
            if event.get("subject") is None:
                event.pop("subject", None)
    instants = rfc3339.parse_all(times)
    return Columns(numbers, events, types, sources, ids, subjects, instants, _arrivals(times, instants, recorded))


def _require(usual: bool) -> None:
    if not usual:
        raise _UnusualError


def _optional(name: str, events: Sequence[Event]) -> list[Any]:
    try:
        return [each[name] for each in events]
    except KeyError:
        return [each.get(name) for each in events]


def _extensions(events: Sequence[Event]) -> list[str]:
    names = frozenset[str]().union(*events) - _PLAIN
    _require(names.isdisjoint(_UNUSUAL) and all(each.isascii() and each.isalnum() and each == each.lower() for each in names))
    return [event[name] for name in names for event in events if name in event]


def _check_texts(texts: Sequence[str], longest: int) -> None:
    """Require texts that are neither empty nor long and hold printable characters only; `TypeError` on what is no text."""
    _require("".join(texts).isprintable() and all(texts))
    _require(longest <= MAX_ATTRIBUTE or max(map(len, texts), default=0) <= _SHORT_TEXT)


def _check_json(raw: bytes, longest: int, data: Sequence[Any], keys: int, texts: int) -> None:
    """Require what strict reading does: no key twice, no number beyond 64 bits, no NUL, nothing too long or too deep.

    Every key and every text has two quotes. A key that stands there twice is read once, and leaves quotes unaccounted for.
    """
    _require(longest <= _SHORT_LINE and (b"\\" not in raw or b"\\u0000" not in raw))
    values = list(chain.from_iterable(map(dict.values, data)))
    kinds = list(map(type, values))
    keys, texts = keys + sum(map(len, data)), texts + kinds.count(str)
    numbers = [each for each in values if type(each) is int or type(each) is float] if len(values) > kinds.count(str) else []
    if not _FLAT.issuperset(kinds):
        more_keys, more_texts, more_numbers = _inside([each for each in values if type(each) is dict or type(each) is list])
        keys, texts, numbers = keys + more_keys, texts + more_texts, numbers + more_numbers
    _require(not numbers or (min(numbers) > -INT64 and max(numbers) < INT64))
    _require(raw.count(b'"') == 2 * (keys + texts))


def _inside(containers: list[Any]) -> tuple[int, int, list[float]]:
    """Return how many keys and texts, and which numbers, stand in containers and what they contain."""
    keys = texts = 0
    numbers: list[float] = []
    # the event and its data are around them
    for _ in range(MAX_DEPTH - 2):
        dicts = [each for each in containers if type(each) is dict]
        lists = [each for each in containers if type(each) is list]
        values = list(chain(chain.from_iterable(map(dict.values, dicts)), chain.from_iterable(lists)))
        keys += sum(map(len, dicts))
        texts += sum(type(each) is str for each in values)
        numbers += [each for each in values if type(each) is int or type(each) is float]
        containers = [each for each in values if type(each) is dict or type(each) is list]
        if not containers:
            return keys, texts, numbers
    raise _UnusualError


def _arrivals(times: Sequence[str], instants: list[datetime], recorded: Sequence[str | None]) -> list[datetime]:
    if recorded.count(None) == len(recorded):
        return instants
    arrivals = rfc3339.parse_all([time if arrival is None else arrival for time, arrival in zip(times, recorded, strict=True)])
    early = list(map(sub, instants, arrivals))
    _require(min(early) >= -WINDOW and max(early) <= FUTURE_BOUND)
    return arrivals


def _one_by_one(numbers: Sequence[int], lines: Sequence[bytes], refuse: Refuse) -> Columns:
    found: list[tuple[Any, ...]] = []
    for number, line in zip(numbers, lines, strict=True):
        if not line.strip():
            continue
        try:
            event = decode(line, _HEADERS)
            recorded = event.attributes.get("recordedtime")
            arrival = event.time if recorded is None else rfc3339.parse(recorded)
        except InvalidEvent as wrong:
            refuse(number, wrong.reason, f"{wrong.where}: {wrong.detail}")
            continue
        except (rfc3339.BadTime, TypeError):
            refuse(number, "bad-time", f"attribute recordedtime: {rfc3339.BadTime()}")
            continue
        refused = impossible(event.type, event.time, arrival or _NEVER)
        if refused is not None:
            refuse(number, refused.reason, refused.detail)
            continue
        for ours in ("discreet", "evidenceonly"):
            event.attributes.pop(ours, None)
        found.append((number, event.attributes, event.type, event.source, event.id, event.subject, event.time, arrival))
    return Columns(*map(list, zip(*found, strict=True))) if found else Columns(*([] for _ in Columns._fields))
