"""How one value is picked out of a foreign record: by a path, by CEL, or as a constant; then mapped, prefixed, converted.

One load-bearing fact: `Pick.of` raises nothing but `NotPickedError`, and its words never repeat what the record holds.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cel_expr_python import cel  # type: ignore[import-untyped]

from services.chassis.cel import (
    CONTAINER,
    MOST_CHARACTERS,
    BadConditionError,
    Words,
    as_doubles,
    complain,
    does_arithmetic,
    doubled,
    problems,
)

ROOTS: Final = ("record", "key", "headers", "topic", "partition", "offset", "line")
"""What a path or an expression begins with; what a record does not have is null."""
KINDS: Final = ("text", "integer", "number", "boolean")
_WORDS: Final = Words(dict.fromkeys(ROOTS, cel.Type.DYN), names=ROOTS, what="CEL")
_STEP: Final = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d{1,6})\]|\[\"([^\"]+)\"\]|\['([^']+)'\]")
_ROOT: Final = re.compile(r"[A-Za-z_]\w*")
_INTEGER: Final = re.compile(r"[+-]?\d{1,18}")
_NUMBER: Final = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?")
_TRUTH: Final = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
_SAFE: Final = re.compile(r"cannot convert \w+ to \w+|String to (Timestamp|Duration) conversion failed|No matching overloads found")
Step = str | int
Surroundings = Mapping[str, Any]
"""A record under the names of `ROOTS`."""


class NotPickedError(ValueError):
    """A value cannot be had from a record; the message says why, and repeats nothing of it."""


class NotAPathError(ValueError):
    """A path begins with `record`, `key` or `headers`, as in `record.order.id` or `record["Order No"]`."""


@dataclass(frozen=True, slots=True)
class Path:
    """Where a value stands."""

    text: str
    steps: tuple[Step, ...]

    def of(self, around: Surroundings) -> Any:
        """Return what stands there, None where nothing does."""
        value: Any = around
        for step in self.steps:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value


@dataclass(frozen=True, slots=True)
class Constant:
    """The same for every record."""

    value: Any

    def of(self, _around: Surroundings) -> Any:
        """Return it."""
        return self.value


@dataclass(frozen=True, slots=True)
class Expression:
    """What an expression in CEL comes to."""

    text: str
    program: Any

    def of(self, around: Surroundings) -> Any:
        """Return its value as JSON has it; that it cannot be computed is an error, never null and never false."""
        shaped = doubled(dict(around)) if does_arithmetic(self.text) else around
        try:
            result = self.program.eval(data={f"{CONTAINER}.{name}": shaped[name] for name in ROOTS})
        except (RuntimeError, ValueError, TypeError, OverflowError):
            raise NotPickedError("its expression cannot be computed of this record") from None
        if result.type() == cel.Type.ERROR:
            raise NotPickedError(_why(str(result.value())))
        return _json(result.plain_value())


Origin = Path | Constant | Expression


@dataclass(frozen=True, slots=True)
class Pick:
    """One value of a record: where it comes from, and what becomes of it."""

    origin: Origin
    mapped: Mapping[str, Any] | None = None
    otherwise: Any = None
    """What a value without a place in `mapped` becomes: `SKIP`, another value, or None: it is refused."""
    prefix: str = ""
    kind: str | None = None
    required: bool = False

    def of(self, around: Surroundings) -> Any:
        """Return the value; None where the record has none."""
        value = self.origin.of(around)
        if isinstance(value, str) and not value.strip():
            value = None
        if self.mapped is not None and value is not None:
            value = self._mapped(value)
        if value is None or value is SKIP:
            return value
        if self.kind is not None:
            value = _converted(value, self.kind)
        return f"{self.prefix}{text_of(value)}" if self.prefix else value

    def _mapped(self, value: Any) -> Any:
        found = self.mapped.get(text_of(value)) if self.mapped is not None else None
        if found is None:
            found = self.otherwise
        if found is None:
            raise NotPickedError("its value has no place in `map`, and there is no `otherwise`")
        return found


class _Skip:
    """The record is of no interest."""


SKIP: Final = _Skip()


def path(text: str) -> Path:
    """Read a path such as `record.order.id`, `record.lines[0].sku` or `record["Order No"]`."""
    root = _ROOT.match(text)
    if root is None or root[0] not in ROOTS:
        raise NotAPathError(NotAPathError.__doc__)
    steps: list[Step] = [root[0]]
    place = root.end()
    while place < len(text):
        step = _STEP.match(text, place)
        if step is None:
            raise NotAPathError(NotAPathError.__doc__)
        name, index, double, single = step.groups()
        steps.append(int(index) if index is not None else str(name or double or single))
        place = step.end()
    return Path(text, tuple(steps))


def expression(text: str, *, condition: bool = False) -> Expression:
    """Read an expression in CEL; raises `BadConditionError` that says what would be right."""
    if len(text) > MOST_CHARACTERS:
        raise BadConditionError(f"an expression in CEL has at most {MOST_CHARACTERS} characters, and this has {len(text)}")
    rewritten = as_doubles(text.rstrip())
    program = complain(rewritten, problems(_WORDS.environment(), rewritten), _WORDS, mixing=True)
    if condition and program.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        raise BadConditionError("a condition must be true or false, and this is not")
    return Expression(text, program)


def text_of(value: Any) -> str:
    """Return a value as the text of an attribute: a text without spaces around it, or a whole number."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise NotPickedError("it must be a text or a whole number")
    return str(value).strip()


def around(record: Any, **others: Any) -> Surroundings:
    """Return a record and what is known of it under the names that paths begin with."""
    return {**dict.fromkeys(ROOTS), "record": record, **others}


def _converted(value: Any, kind: str) -> Any:
    if kind == "text":
        return value if isinstance(value, str) else text_of(value)
    if kind == "boolean" and not isinstance(value, bool):
        value = _TRUTH.get(str(value).strip().lower())
    elif kind != "boolean" and isinstance(value, str):
        value = _numbered(value.strip(), kind)
    if kind == "integer" and isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    fits = isinstance(value, bool) if kind == "boolean" else isinstance(value, int if kind == "integer" else int | float)
    if not fits or (kind != "boolean" and isinstance(value, bool)):
        raise NotPickedError(f"it cannot be read as {kind}")
    return value


def _numbered(text: str, kind: str) -> int | float | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if kind == "number" and _NUMBER.fullmatch(text) else None


def _why(error: str) -> str:
    """Say why an expression failed in words that cannot hold what the record does."""
    if error.startswith("NOT_FOUND"):
        return "its expression reads a field that the record does not have; ask for it with `has(...)`"
    found = _SAFE.search(error)
    return f"its expression cannot be computed of this record{': ' + found[0] if found else ''}"


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _json(each) for name, each in sorted((str(name), each) for name, each in value.items())}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return [_json(each) for each in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    raise NotPickedError("its expression comes to what JSON cannot say")
