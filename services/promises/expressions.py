"""Conditions written in CEL: checked when a promise is read, and a run-time error is an error, never `false`."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from cel_expr_python import cel  # type: ignore[import-untyped]

VARIABLES: Final = ("type", "source", "subject", "time")
MOST_CHARACTERS: Final = 4096
_FIRST_CARET: Final = "<input>:"


class ConditionError(ValueError):
    """An event cannot be judged for this promise: it is quarantined for it, and the condition never reads as false."""


class BadExpressionError(ValueError):
    """A text is not a condition in CEL; the message says where and why."""


def check(text: str) -> None:
    """Raise `BadExpressionError` unless the text is a condition in CEL."""
    if len(text) > MOST_CHARACTERS:
        message = f"a condition in CEL has at most {MOST_CHARACTERS} characters, and this has {len(text)}"
        raise BadExpressionError(message)
    try:
        program = _environment().compile(text)
    except RuntimeError as error:
        message = f"this is not a condition in CEL: {_readable(str(error))}"
        raise BadExpressionError(message) from None
    if program.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        message = f"a condition must be true or false, and this is of type {program.return_type().name()}"
        raise BadExpressionError(message)


def compiled(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return the condition as a function of an event in JSON's own types; it raises `ConditionError`."""
    program, boolean = _environment().compile(text), cel.Type.BOOL

    def holds(event: Mapping[str, Any]) -> bool:
        known = {f"event.{name}": event[name] for name in VARIABLES if name in event}
        known["event.data"] = event.get("data") or {}
        result = program.eval(data=known)
        # errors come back as values, and the truth of an error is True
        if result.type() != boolean:
            message = f"`{text}`: {result.value()}"
            raise ConditionError(message)
        return bool(result.value())

    return holds


@lru_cache(maxsize=1)
def _environment() -> Any:
    # inside a container, because CEL has a `type` of its own that may not be declared again
    variables = {f"event.{name}": cel.Type.STRING for name in VARIABLES} | {"event.data": cel.Type.DYN}
    return cel.NewEnv(variables=variables, container="event")


def _readable(error: str) -> str:
    told = error.split("ERROR: ", 1)[-1].removesuffix(" [INVALID_ARGUMENT]")
    return told.removeprefix(_FIRST_CARET).replace(" (in container 'event')", "")
