"""The forms of a case, made from the table of acts: which acts there are for it, and what each needs. Pure.

Whether an act is allowed is decided by recovery alone; here only what the table rules out for the state and the role is left away.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from contracts.acts import ACTS, BY_NAME, Act

_LONG: Final = 1000
"""Characters from which on a text gets more than one line."""
_PATTERN_CHOICE: Final = "^("
_MISSING: Final = object()
FILLED_IN: Final = tuple(act for act in ACTS if not act.is_file)
"""The acts that a form can do; what comes as a file cannot be filled in."""
NAMES: Final = frozenset(act.name for act in FILLED_IN)
WAYS: Final = {
    "pledge": {"fulfil_pledge": "Done", "postpone_pledge": "Takes longer"},
    "task": {"finish_task": "Done"},
    "help": {"accept_help": "I help", "answer_help": "Answer", "pass_help": "Pass on"},
    "approval": {"grant_approval": "Grant", "refuse_approval": "Refuse"},
    "compensation": {"pay_compensation": "Paid"},
    "case": {"own_case": "Take it"},
}
"""What is done to a line of a list, by its kind, in one word each."""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that an act needs: `kind` is text, words, list, choice, yes_no, number, instant or clock."""

    name: str
    kind: str
    hint: str
    required: bool
    choices: tuple[str, ...] = ()
    default: str = ""
    longest: int | None = None
    lowest: int | None = None
    highest: int | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """An act as it can be done; `thing` is the id of what it is about."""

    act: str
    meaning: str
    fields: tuple[Field, ...]
    for_owner: bool
    thing: str = ""


class NotFilledError(Exception):
    """A field cannot be read; names it, and says what would be right."""

    def __init__(self, field: str, right: str) -> None:
        """Of this field."""
        super().__init__(f"{field}: {right}")
        self.field, self.right = field, right


def of_case(state: str, roles: Iterable[str]) -> list[Form]:
    """The acts on a whole case in a state, for somebody with these roles."""
    return [_form(act, "") for act in FILLED_IN if act.thing is None and _may(act, state, roles)]


def of_thing(kind: str, thing: Mapping[str, Any], state: str, roles: Iterable[str]) -> list[Form]:
    """The acts on one thing of a case."""
    return [_form(act, str(thing["id"])) for act in FILLED_IN if act.thing == kind and _may(act, state, roles)]


def one(name: str, thing: str) -> Form:
    """One act as it can be done, whatever state the case is in."""
    return _form(BY_NAME[name], thing)


def may(name: str, roles: Iterable[str]) -> bool:
    """Whether somebody with these roles may do an act, in some state of a case."""
    return _is_for(BY_NAME[name], roles)


def _is_for(act: Act, roles: Iterable[str]) -> bool:
    return not {str(each) for each in act.roles}.isdisjoint(roles)


def _may(act: Act, state: str, roles: Iterable[str]) -> bool:
    return state in act.on and _is_for(act, roles)


def _form(act: Act, thing: str) -> Form:
    return Form(act.name, act.meaning, fields_of(act.name), act.for_owner, thing)


@lru_cache
def fields_of(act: str) -> tuple[Field, ...]:
    """What an act needs, in the order of its table."""
    schema = BY_NAME[act].needs.model_json_schema()
    return tuple(_fields(schema, schema.get("$defs", {}), ""))


def _fields(schema: Mapping[str, Any], defined: Mapping[str, Any], before: str, *, optional: bool = False) -> Iterable[Field]:
    required = set(schema.get("required", ()))
    for name, said in schema.get("properties", {}).items():
        one, may_be_left_out = _of_several(said)
        full = before + name
        if "$ref" in one:
            yield from _fields(defined[one["$ref"].rsplit("/", 1)[-1]], defined, full + ".", optional=may_be_left_out)
        else:
            needed = name in required and not may_be_left_out and not optional
            yield _field(full, one, said.get("description", one.get("description", "")), said.get("default"), required=needed)


def _of_several(said: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    several = [each for each in said.get("anyOf", ()) if each.get("type") != "null"]
    return (several[0], True) if several else (said, False)


def _field(name: str, said: Mapping[str, Any], hint: str, default: object, *, required: bool) -> Field:
    pattern, longest = said.get("pattern", ""), said.get("maxLength")
    choices = tuple(said.get("enum", ()))
    if not choices and pattern.startswith(_PATTERN_CHOICE) and pattern.endswith(")$") and pattern[2:-2].replace("|", "").isalpha():
        choices = tuple(pattern[2:-2].split("|"))
    chosen = "" if default is None or isinstance(default, bool) else str(default)
    return Field(name, _kind(said, choices, longest), hint, required, choices, chosen, longest, said.get("minimum"), said.get("maximum"))


def _kind(said: Mapping[str, Any], choices: Sequence[str], longest: int | None) -> str:
    if choices:
        return "choice"
    by_type = {"boolean": "yes_no", "integer": "number", "array": "list"}
    by_format = {"date-time": "instant", "time": "clock"}
    found = by_type.get(said.get("type", "")) or by_format.get(said.get("format", ""))
    return found or ("words" if longest is not None and longest >= _LONG else "text")


def filled(act: str, sent: Mapping[str, str], zone: ZoneInfo) -> dict[str, Any]:
    """What was filled in, as the act wants it; times are those of the reader's zone. What was left empty is left out."""
    return read(fields_of(act), sent, zone)


def read(fields: Iterable[Field], sent: Mapping[str, str], zone: ZoneInfo) -> dict[str, Any]:
    """What was filled into these fields."""
    body: dict[str, Any] = {}
    for field in fields:
        value = _read(field, sent.get(field.name, "").strip(), zone)
        if value is not _MISSING:
            inside = body
            *outer, last = field.name.split(".")
            for each in outer:
                inside = inside.setdefault(each, {})
            inside[last] = value
    return body


def _read(field: Field, text: str, zone: ZoneInfo) -> Any:
    if not text:
        return _MISSING
    if field.kind == "yes_no":
        return text == "yes"
    if field.kind == "list":
        return text.replace(",", " ").split()
    try:
        if field.kind == "number":
            return int(text)
        if field.kind == "instant":
            return datetime.fromisoformat(text).replace(tzinfo=zone).isoformat()
    except ValueError:
        raise NotFilledError(field.name, "42" if field.kind == "number" else "2026-11-23T14:30") from None
    return text


def instant(text: str) -> str:
    """An instant as the services write it; raises `ValueError` for anything else."""
    return datetime.fromisoformat(text).isoformat()


def path_of(act: str, thing: str) -> str:
    """Where an act is done, below the case."""
    before, named, after = BY_NAME[act].path.partition("{")
    return before + thing + after.partition("}")[2] if named else before
