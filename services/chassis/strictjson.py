"""Reads JSON that strangers wrote, within limits that Postgres and every reader of ours can take.

One load-bearing fact: `loads` raises nothing but `InvalidJson`, whatever the bytes. The common document costs
one `orjson.loads` and one flat walk; an exact and slow reading happens only where the walk is suspicious.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, Final, NoReturn

import orjson

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
MAX_STRING: Final = 16 * 1024
MAX_KEYS: Final = 2_000
MAX_ITEMS: Final = 20_000
INT64: Final = 2**63

_TOO_DEEP: Final = f"is nested deeper than {MAX_DEPTH} levels"
_INT64_DIGITS: Final = 20
# a key that stands apart from its colon would hide a repeated one from the count of `":`
_SPACED_COLON: Final = re.compile(rb"\s:")
_ITEM: Final = re.compile(r"[^\s,]")


class InvalidJson(ValueError):
    """The document cannot be accepted: correct what is named at its source and send it again.

    `reason` is a stable slug, `where` names the place, `detail` says what would be right; none repeats what was sent.
    """

    def __init__(self, reason: str, detail: str, where: str = "value") -> None:
        super().__init__(reason, detail, where)
        self.reason = reason
        self.detail = detail
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.detail} ({self.reason})"


def loads(raw: bytes, limit: int = MAX_BYTES) -> Any:
    """The value of a JSON document of at most `limit` bytes; `InvalidJson` for everything else."""
    size = len(raw)
    if size > limit:
        raise InvalidJson("too-large", f"is {size} bytes long; at most {limit} are allowed")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        _explain(raw, error)
    keys, containers, suspicious = _walk(value)
    if containers > MAX_DEPTH:
        _check_depth(value)
    if suspicious or raw.count(b'":') != keys or (len(raw.split(None, 1)) > 1 and _SPACED_COLON.search(raw)):
        _read_exactly(raw)
    if b"\\u0000" in raw or size > MAX_STRING:
        _check_strings(value)
    return value


def elements(raw: bytes, limit: int, most: int) -> list[bytes]:
    """The items of a JSON array, each as its own document still to be read; `limit` in bytes, `most` in items."""
    if len(raw) > limit:
        raise InvalidJson("too-large", f"is {len(raw)} bytes long; at most {limit} are allowed")
    try:
        array = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        _explain(raw, error)
    if type(array) is not list:
        raise InvalidJson("not-an-array", "must be a JSON array of events")
    if len(array) > most:
        raise InvalidJson("too-many-items", f"has {len(array)} items; at most {most} are allowed")
    return _split(raw.decode(), len(array))


def _split(text: str, count: int) -> list[bytes]:
    """Cut the text of a valid array at its commas, so that each item is checked as it was written."""
    # numbers as floats: long integers are an error of their own in Python, and are judged later
    scan = json.JSONDecoder(parse_int=float).raw_decode
    items = []
    end = text.index("[") + 1
    for _ in range(count):
        start = _ITEM.search(text, end).start()  # type: ignore[union-attr]
        try:
            _, end = scan(text, start)
        except RecursionError:
            raise InvalidJson("too-deep", _TOO_DEEP) from None
        items.append(text[start:end].encode())
    return items


def _walk(value: Any) -> tuple[int, int, bool]:
    """Count keys and containers; suspicious are numbers beyond int64 (orjson reads long integers as floats)."""
    keys = items = 0
    suspicious = False
    pending: list[Any] = [[value]]
    for container in pending:
        if type(container) is dict:
            keys += len(container)
            values: Iterable[Any] = container.values()
        else:
            items += len(container)
            values = container
        for each in values:
            kind = type(each)
            if kind is str:
                continue
            if kind is dict or kind is list:
                pending.append(each)
            elif (kind is int or kind is float) and not -INT64 < each < INT64:
                suspicious = True
    if keys > MAX_KEYS:
        raise InvalidJson("too-many-keys", f"has {keys} keys; at most {MAX_KEYS} are allowed")
    if items > MAX_ITEMS:
        raise InvalidJson("too-many-items", f"has more than {MAX_ITEMS} array items")
    return keys, len(pending) - 1, suspicious


def _check_depth(value: Any) -> None:
    """Level by level, so that depth costs memory of ours and never the interpreter's stack."""
    level = [value]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise InvalidJson("too-deep", _TOO_DEEP)
        children = [each for container in level for each in (container.values() if type(container) is dict else container)]
        level = [each for each in children if type(each) is dict or type(each) is list]


def _check_strings(value: Any) -> None:
    """Strings within the limit and free of NUL, which Postgres' text and jsonb refuse."""
    pending = [value]
    for each in pending:
        if type(each) is str:
            check_string(each)
        elif type(each) is dict:
            pending.extend(each)
            pending.extend(each.values())
        elif type(each) is list:
            pending.extend(each)


def check_string(text: str, where: str = "value") -> None:
    """Refuse a string that is too long or holds NUL."""
    if len(text) > MAX_STRING:
        raise InvalidJson("string-too-long", f"holds a string of {len(text)} characters; at most {MAX_STRING} are allowed", where)
    if "\0" in text:
        raise InvalidJson("nul-character", "holds the NUL character, which text must not contain", where)


def _read_exactly(raw: bytes) -> None:
    """Read again with every key and every number in hand."""
    try:
        json.loads(raw.decode(), object_pairs_hook=_unique, parse_int=_whole, parse_constant=_constant)
    except RecursionError:
        raise InvalidJson("too-deep", _TOO_DEEP) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidJson("duplicate-key", "holds an object that names the same key twice; name each key once")
    return found


def _whole(digits: str) -> int:
    # the length first: reading 5,000 digits is an error of its own in Python
    if len(digits) > _INT64_DIGITS or not -INT64 <= int(digits) < INT64:
        raise InvalidJson("integer-too-large", "holds an integer beyond 64 bits; send it as a string")
    return 0


def _constant(_name: str) -> NoReturn:
    raise InvalidJson("not-a-number", "holds NaN or Infinity, which JSON does not have; send null or leave the key out")


def _explain(raw: bytes, error: orjson.JSONDecodeError) -> NoReturn:
    """Say what is wrong with bytes that are no JSON, without repeating them."""
    message = str(error)
    if not raw.strip():
        raise InvalidJson("empty", "is empty; a JSON document is expected") from None
    if "depth" in message:
        raise InvalidJson("too-deep", _TOO_DEEP) from None
    if "surrogate in" in message:
        raise InvalidJson("lone-surrogate", "holds half of a surrogate pair; send the whole character") from None
    try:
        text = raw.decode()
    except UnicodeDecodeError as broken:
        raise InvalidJson("not-utf-8", f"is not UTF-8 from byte {broken.start} on") from None
    if "infinity" in message:
        raise InvalidJson("number-too-large", "holds a number beyond a 64-bit float; send it as a string") from None
    try:
        json.loads(text, object_pairs_hook=_unique, parse_int=_whole, parse_constant=_constant)
    except json.JSONDecodeError as wrong:
        raise InvalidJson("not-json", f"is not JSON: see line {wrong.lineno}, column {wrong.colno}") from None
    except RecursionError:
        raise InvalidJson("too-deep", _TOO_DEEP) from None
    # the standard library is more lenient here and there (a byte order mark, for one)
    raise InvalidJson("not-json", f"is not JSON: see line {error.lineno}, column {error.colno}") from None
