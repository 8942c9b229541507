"""Conditions on an event: a structured `where` becomes plain functions, a text is CEL (PROMISES.md, "Matching events").

Values are equal by JSON type and value: `true` is not 1, and 1 is 1.0. A field that is missing never matches.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.chassis.cel import BadConditionError
from services.promises.language import expressions, schemas
from services.promises.language.customers import attributes

Event = Mapping[str, Any]
Condition = Callable[[Event], bool]
Path = tuple[str, ...]
Reader = Callable[[Event], Any]
Scalar = str | int | float | bool | None

ROOTS: Final = ("type", "source", "subject", "time", "customer", "data")
_BRANCHING: Final = ("customer", "data")
_COMPARISON: Final = re.compile(r"\s*(>=|<=|!=|==|>|<)\s*(.+?)\s*", re.DOTALL)
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d.*")


__all__ = [
    "MISSING",
    "BadConditionError",
    "Compared",
    "Condition",
    "Equal",
    "Expression",
    "Path",
    "Reader",
    "Test",
    "condition",
    "expression",
    "path",
    "read_test",
    "reader",
]


class Missing:
    """The value of a field that an event does not have."""


MISSING: Final = Missing()


@dataclass(frozen=True, slots=True)
class Equal:
    """The field is one of these values."""

    path: Path
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """The field stands in this relation to a number, an instant or a text; a field of another type does not match."""

    path: Path
    operator: str
    operand: float | datetime | str


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition in CEL."""

    text: str


Test = Equal | Compared | Expression


def path(text: str) -> Path:
    """Read a dotted path; only the envelope's own words, `customer` and `data` begin one."""
    steps = tuple(text.split("."))
    whole = (steps[0] in _BRANCHING) == (len(steps) > 1)
    if steps[0] not in ROOTS or "" in steps or not whole:
        message = f"`{text}` is not a path; it is `type`, `source`, `subject`, `time` or a field below `data.` or `customer.`"
        raise BadConditionError(message)
    return steps


def read_test(field: str, wanted: object, known: schemas.Fields | None = None) -> Test:
    """Read one line of a structured `where`: a value, a list of values, or a comparison in a text.

    Where the field's type is known, what it can never be is an error.
    """
    test = _test(field, wanted)
    type_ = (known or {}).get(test.path)
    wanted_ones = _wanted(test)
    if type_ is not None and wanted_ones and not any(_may_be(type_, each) for each in wanted_ones):
        raise BadConditionError(f"`{field}` is {schemas.WORDS[type_]} by its schema, and this never holds for one")
    return test


def _test(field: str, wanted: object) -> Equal | Compared:
    steps = path(field)
    if isinstance(wanted, list):
        if not wanted or any(isinstance(each, list | dict) for each in wanted):
            raise BadConditionError(f"`{field}` needs a list of plain values, of which any may match")
        return Equal(steps, tuple(wanted))
    if isinstance(wanted, dict):
        message = f"`{field}` cannot be compared with a mapping; name the field inside it, as in `{field}.name: value`"
        raise BadConditionError(message)
    found = _COMPARISON.fullmatch(wanted) if isinstance(wanted, str) else None
    if found is None:
        return Equal(steps, (wanted,))  # type: ignore[arg-type]
    operator, operand = found[1], _operand(found[2])
    if operator == "==":
        return Equal(steps, (operand,)) if not isinstance(operand, datetime) else Compared(steps, "==", operand)
    return Compared(steps, operator, operand)


def _wanted(test: Equal | Compared) -> tuple[object, ...]:
    return test.values if isinstance(test, Equal) else () if test.operator == "!=" else (test.operand,)


def _may_be(type_: str, wanted: object) -> bool:
    match wanted:
        case None:
            return True
        case bool():
            return type_ == schemas.BOOLEAN
        case int() | float():
            return type_ == schemas.NUMBER
    return type_ == schemas.TEXT


def _operand(text: str) -> float | datetime | str:
    if _NUMBER.fullmatch(text):
        return float(text) if any(each in text for each in ".eE") else int(text)
    if text[0] == text[-1] and text[0] in "'\"" and len(text) > 1:
        return text[1:-1]
    return _instant(text) or text


def condition(tests: tuple[Test, ...]) -> Condition | None:
    """Compile tests that must all hold; None where there is nothing to test."""
    compiled = [_COMPILERS[type(each)](each) for each in tests]
    if len(compiled) == 1:
        return compiled[0]
    return (lambda event: all(each(event) for each in compiled)) if compiled else None


def reader(steps: Path) -> Reader:
    """Compile a path to a function that returns the field, `MISSING` where there is none."""
    if len(steps) == 1:
        (root,) = steps
        return lambda event: event.get(root, MISSING)
    if steps[0] == "customer":
        below = reader(("data", *steps[1:]))
        return lambda event: below({"data": attributes(event)})
    if len(steps) == 2:  # noqa: PLR2004 - `data.field`, by far the most common
        return _data_field(steps[1])

    def deep(event: Event) -> Any:
        value: Any = event
        for step in steps:
            if type(value) is not dict:
                return MISSING
            value = value.get(step, MISSING)
        return value

    return deep


def _data_field(name: str) -> Reader:
    def read(event: Event) -> Any:
        data = event.get("data")
        return data.get(name, MISSING) if type(data) is dict else MISSING

    return read


def _equal(wanted: Equal) -> Condition:
    read = reader(wanted.path)
    # `True == 1` in Python, so that a value is looked up together with whether it is a boolean
    known = frozenset((type(each) is bool, each) for each in wanted.values)

    def holds(event: Event) -> bool:
        value = read(event)
        kind = type(value)
        return kind is not list and kind is not dict and (kind is bool, value) in known

    return holds


def _compared(wanted: Compared) -> Condition:
    read, relation, operand = reader(wanted.path), _RELATIONS[wanted.operator], wanted.operand
    different = wanted.operator == "!="
    kinds = (str,) if isinstance(operand, str | datetime) else (int, float)

    def holds(event: Event) -> bool:
        value = read(event)
        if type(value) not in kinds:
            return different and value is not MISSING
        if isinstance(operand, datetime):
            value = _instant(value)
            if value is None:
                return different
        return relation(value, operand)

    return holds


def expression(text: str, known: schemas.Fields | None = None) -> Expression:
    """Read a condition in CEL; whatever its compiler says of it is the error."""
    expressions.check(text, known)
    return Expression(text)


def _instant(text: str) -> datetime | None:
    if not _INSTANT.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


_RELATIONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">=": lambda value, operand: value >= operand,
    "<=": lambda value, operand: value <= operand,
    "!=": lambda value, operand: value != operand,
    "==": lambda value, operand: value == operand,
    ">": lambda value, operand: value > operand,
    "<": lambda value, operand: value < operand,
}
_COMPILERS: Final[dict[type, Callable[[Any], Condition]]] = {
    Equal: _equal,
    Compared: _compared,
    Expression: lambda wanted: expressions.compiled(wanted.text),
}
