"""Which touchpoints are meant: types with `*`, sources, and a `where`, as the promise language has them, without CEL.

Values are equal by JSON type and value: `true` is not 1, and 1 is 1.0. A field that is missing never matches.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from services.journey.picture.history import Touchpoint

Path = tuple[str, ...]
ROOTS: Final = ("type", "source", "subject", "time", "customer", "data")
COMPARISON: Final = re.compile(r"\s*(>=|<=|!=|==|>|<)\s*(.+?)\s*", re.DOTALL)
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_COMPARED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_MISSING: Final = object()


class NotAPathError(ValueError):
    """A path is `type`, `source`, `subject`, `time`, or a field below `data.` or `customer.`."""


def path(text: str) -> Path:
    """A dotted path, read; raises `NotAPathError`."""
    steps = tuple(text.split("."))
    if steps[0] not in ROOTS or "" in steps or (steps[0] in {"customer", "data"}) != (len(steps) > 1):
        raise NotAPathError(f"`{text}` is not one: {NotAPathError.__doc__}")
    return steps


@dataclass(frozen=True, slots=True)
class Equal:
    """The field is one of these values."""

    path: Path
    values: tuple[Any, ...]

    def holds(self, event: Touchpoint) -> bool:
        """Whether it is."""
        found = value_at(event, self.path, _MISSING)
        return found is not _MISSING and any(_same(found, each) for each in self.values)


@dataclass(frozen=True, slots=True)
class Compared:
    """The field stands in this relation to a number, an instant or a text; a field of another type does not match."""

    path: Path
    operator: str
    operand: float | datetime | str

    def holds(self, event: Touchpoint) -> bool:
        """Whether it does."""
        found = value_at(event, self.path, _MISSING)
        if isinstance(self.operand, datetime):
            found = _instant(found)
        numbers = isinstance(self.operand, int | float)
        alike = isinstance(found, int | float) and not isinstance(found, bool) if numbers else isinstance(found, type(self.operand))
        return alike and _COMPARED[self.operator](found, self.operand)


Test = Equal | Compared


@dataclass(frozen=True, slots=True)
class Match:
    """Events of one of these types (`*` stands for any characters), from one of these sources, that pass every test."""

    types: tuple[str, ...]
    sources: tuple[str, ...] = ()
    tests: tuple[Test, ...] = ()
    _known: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    def matches(self, event: Touchpoint) -> bool:
        """Whether this event is meant."""
        known = self._known.get(event.type)
        if known is None:
            known = self._known[event.type] = any(is_like(event.type, each) for each in self.types)
        return known and (not self.sources or event.source in self.sources) and all(each.holds(event) for each in self.tests)


Matches = tuple[Match, ...]


def any_of(matches: Matches, event: Touchpoint) -> bool:
    """Whether any of them means this event."""
    for each in matches:  # noqa: SIM110 - asked of every event for every match there is, where `any` takes twice as long
        if each.matches(event):
            return True
    return False


def types(*names: str) -> Matches:
    """What means events of these types."""
    return (Match(names),)


def read_test(name: str, wanted: object) -> Test | None:
    """One line of a `where`: a value, a list of values, or a comparison in a text; None where it is none of these."""
    steps = path(name)
    if isinstance(wanted, list):
        return Equal(steps, tuple(wanted)) if wanted and not any(isinstance(each, list | dict) for each in wanted) else None
    if isinstance(wanted, dict):
        return None
    found = COMPARISON.fullmatch(wanted) if isinstance(wanted, str) else None
    return Equal(steps, (wanted,)) if found is None else Compared(steps, found[1], _operand(found[2]))


def value_at(event: Touchpoint, steps: Path, missing: Any = None) -> Any:
    """What stands at a path of an event."""
    value: Any = _described(event) if steps[0] == "customer" else event.body.get(steps[0], missing)
    for step in steps[1:]:
        value = value.get(step, missing) if isinstance(value, Mapping) else missing
    return value


def _described(event: Touchpoint) -> Any:
    stamped = event.body.get("customerattributes")
    return orjson.loads(stamped) if isinstance(stamped, str) else None


def is_like(type_: str, wanted: str) -> bool:
    """Whether a type is what is wanted; `*` stands for any characters."""
    return type_ == wanted or ("*" in wanted and re.fullmatch(".*".join(map(re.escape, wanted.split("*"))), type_, re.DOTALL) is not None)


def _same(found: object, wanted: object) -> bool:
    return isinstance(found, bool) == isinstance(wanted, bool) and found == wanted


def _operand(text: str) -> float | datetime | str:
    if _NUMBER.fullmatch(text):
        return float(text)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return _instant(text) or text


def _instant(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) and len(text) > len("2026-01-01") else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
