"""Conditions written in CEL: checked when a promise is read, and a run-time error is an error, never `false`."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from cel_expr_python import cel  # type: ignore[import-untyped]

from services.chassis.cel import (
    MOST_CHARACTERS,
    BadConditionError,
    Token,
    Words,
    as_doubles,
    complain,
    does_arithmetic,
    doubled,
    problems,
    tokens,
    word,
)
from services.promises.domain import UnjudgeableError
from services.promises.language import schemas
from services.promises.language.customers import attributes

VARIABLES: Final = ("type", "source", "subject", "time")
_TYPES: Final = {
    schemas.NUMBER: cel.Type.DOUBLE,
    schemas.TEXT: cel.Type.STRING,
    schemas.BOOLEAN: cel.Type.BOOL,
    schemas.LIST: cel.Type.List(cel.Type.DYN),
}
_HAS: Final = re.compile(r"\bhas\s*\(\s*[\w.]+\s*\)")


class ConditionError(UnjudgeableError):
    """An event cannot be judged for this promise: it is quarantined for it, and the condition never reads as false."""


OF_EVENTS: Final = Words(
    dict.fromkeys(VARIABLES, cel.Type.STRING) | {"data": cel.Type.DYN, "customer": cel.Type.DYN},
    names=(*VARIABLES, "data", "customer"),
)


def check(text: str, fields: schemas.Fields | None = None) -> None:
    """Raise `BadConditionError` unless the text is a condition in CEL, of these fields where their types are known."""
    check_words(text, OF_EVENTS, {".".join(path): type_ for path, type_ in (fields or {}).items()})


def check_words(text: str, words: Words, types: Mapping[str, str], strict: Words | None = None) -> None:
    """Raise `BadConditionError` unless the text is a condition of these words.

    Types are checked with `strict`, where all are declared; that kinds of numbers do not mix is no error, since they do when it runs.
    """
    if len(text) > MOST_CHARACTERS:
        raise BadConditionError(f"a condition in CEL has at most {MOST_CHARACTERS} characters, and this has {len(text)}")
    typed = {name: _TYPES[type_] for name, type_ in types.items() if type_ in _TYPES}
    # a field of a known type is a variable of its own, and `has` asks for a member of what it is in
    text = text.rstrip()
    without_has = _HAS.sub(lambda found: "true".ljust(len(found[0])), text)
    strictly = complain(text, problems((strict or words).environment(typed), without_has), words, mixing=False)
    rewritten = as_doubles(text)
    runs = complain(rewritten, problems(words.environment(), rewritten), words, mixing=True)
    type_ = (strictly or runs).return_type()
    if type_ not in (cel.Type.BOOL, cel.Type.DYN):
        raise BadConditionError(f"a condition must be true or false, and this is {word(type_.name().lower())}")


def compiled(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return the condition as a function of an event in JSON's own types; it raises `ConditionError`."""
    program, narrowed = _program(text), _members("data", text)
    shaped = doubled if does_arithmetic(text) else _as_it_is

    def holds(event: Mapping[str, Any]) -> bool:
        known = {f"event.{name}": event[name] for name in VARIABLES if name in event}
        data = event.get("data") or {}
        if narrowed is not None and type(data) is dict:
            data = {name: data[name] for name in narrowed if name in data}
        known["event.data"] = shaped(data)
        known["event.customer"] = shaped(attributes(event))
        return truth(program, known, text)

    return holds


def truth(program: Any, known: Mapping[str, Any], text: str) -> bool:
    """Evaluate a program; raise `ConditionError` for whatever is not true or false."""
    try:
        result = program.eval(data=known)
    except RuntimeError as error:  # so it says that its budget of iterations is used up
        raise ConditionError(f"`{text}`: {error}") from None
    # other errors come back as values, and the truth of an error is True
    if result.type() != cel.Type.BOOL:
        said = result.value() if result.type() == cel.Type.ERROR else "is neither true nor false"  # what else it is, may be personal
        raise ConditionError(f"`{text}`: {said}")
    return bool(result.value())


def _as_it_is(value: Any) -> Any:
    return value


def _members(name: str, text: str) -> tuple[str, ...] | None:
    """Return which members of a variable an expression reads, None where it reads it as a whole."""
    found, members = [*tokens(text), Token("end", "", 0), Token("end", "", 0)], set()
    for index, each in enumerate(found[:-2]):
        if each.text != name or each.kind != "word" or (index and found[index - 1].text == "."):
            continue
        dot, member = found[index + 1], found[index + 2]
        if dot.text != "." or member.kind != "word":
            return None
        members.add(member.text)
    return tuple(sorted(members))


@lru_cache(maxsize=1024)
def _program(text: str) -> Any:
    return OF_EVENTS.environment().compile(as_doubles(text))
