"""The one place where what may be personal is taken out: of events and facts, of what is logged, of what is told of an error.

What stands in a record is whose it is; what we say of it ourselves names places, types and reasons, and never quotes it.
"""

import traceback
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

import orjson

from contracts.personal import personal_in

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def blanked(event: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """The event with null where these dotted paths lead, as in `data.address.street`; what is not there stays away."""
    found = dict(event)
    for path in paths:
        _blank(found, path.split("."))
    return found


def _blank(within: dict[str, Any], steps: Sequence[str]) -> None:
    first, *rest = steps
    inner = within.get(first)
    if not rest and first in within:
        within[first] = None
    elif isinstance(inner, Mapping):
        within[first] = dict(inner)
        _blank(within[first], rest)


def impersonal(body: bytes) -> bytes:
    """An event as JSON, with null for what may be personal in its type (`contracts.personal`)."""
    event = orjson.loads(body)
    return orjson.dumps(blanked(event, personal_in(event["type"])))


def without(value: Any, texts: Collection[str]) -> Any:
    """JSON with null for every string, and no member for every name, that is one of these texts."""
    if isinstance(value, str):
        return None if value in texts else value
    if isinstance(value, Mapping):
        return {name: without(each, texts) for name, each in value.items() if name not in texts}
    if isinstance(value, list):
        return [without(each, texts) for each in value]
    return value


def told(error: BaseException) -> str:
    """What may be said of an error: its type, and the SQLSTATE or the type of what caused it; its message may quote a value."""
    cause = getattr(error, "orig", None) or error.__cause__
    state = getattr(cause, "sqlstate", None) or getattr(error, "sqlstate", None)
    names = [type(each).__name__ for each in (error, cause) if each is not None]
    return " from ".join(names) + (f" ({state})" if state else "")


def traced(error: BaseException) -> str:
    """Where an error came from, frame by frame, without any message: source lines are ours, what they met is not."""
    parts: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        frames = "".join(traceback.format_tb(cause.__traceback__))
        parts.append(f"{frames}{told(cause)}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\nwhich came of:\n".join(parts)
