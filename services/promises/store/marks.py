"""How evidence is stored: what each promise sees in an event, as JSON."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import orjson

from services.promises.domain import Mark
from services.promises.store.tables import EvidenceRow


def marks_to_json(marks: Mapping[int, Mark]) -> bytes:
    """What each promise sees in an event, as stored: its roles, then what is not as usual."""
    if all(mark[_FIRST_READ:] == _USUAL for mark in marks.values()):
        return _usual(tuple((promise, mark.roles) for promise, mark in marks.items()))
    return orjson.dumps({str(promise): [_written(mark.roles), *_unusual(mark)] for promise, mark in marks.items()})


def marks_from_json(row: EvidenceRow) -> dict[int, Mark]:
    """What each promise sees in a stored event."""
    return {promise: _mark(row, *seen) for promise, seen in _read(row.marks)}


@lru_cache(maxsize=4096)
def _usual(roles: tuple[tuple[int, int], ...]) -> bytes:
    """Most events are seen in one of a few ways."""
    return orjson.dumps({str(promise): [_written(each)] for promise, each in roles})


@lru_cache(maxsize=4096)
def _read(marks: bytes) -> list[tuple[int, list[Any]]]:
    return [(int(promise), seen) for promise, seen in orjson.loads(marks).items()]


def _written(roles: int) -> int | str:
    return roles if roles < _LONG else hex(roles)  # a promise of many steps has more roles than JSON's integers have bits


def _unusual(mark: Mark) -> list[dict[str, Any]]:
    found = {name: value for name, value, usual in zip(_READ, mark[_FIRST_READ:], _USUAL, strict=True) if value != usual}
    return [found] if found else []


def _mark(row: EvidenceRow, written: int | str, unusual: Mapping[str, Any] | None = None) -> Mark:
    roles = int(written, 16) if isinstance(written, str) else written
    if unusual is None:
        return Mark(row.event, row.time, row.arrival, roles)
    return Mark(row.event, row.time, row.arrival, roles, **{name: _READERS[name](value) for name, value in unusual.items()})


def _as_is(value: Any) -> Any:
    return value


def _instant(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


_LONG: Final = 1 << 53
_FIRST_READ: Final = Mark._fields.index("due")
_READ: Final = Mark._fields[_FIRST_READ:]
_USUAL: Final = tuple(Mark._field_defaults[name] for name in _READ)
_READERS: Final[dict[str, Callable[[Any], Any]]] = dict.fromkeys(_READ, _as_is) | {
    "due": _instant,
    "dues": lambda values: tuple(_instant(each) for each in values),
    "about": UUID,
}
