"""What the schemas of event types say of the fields that a promise reads, as far as they are sure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from services.promises.language.declarations import EventType

Path = tuple[str, ...]
Fields = Mapping[Path, str]
"""The JSON type of each field, with `number` for whole ones too; a field that may be of several types is left out."""

NUMBER, TEXT, BOOLEAN, LIST, MAPPING = "number", "string", "boolean", "array", "object"
_TYPES: Final = {"integer": NUMBER} | {each: each for each in (NUMBER, TEXT, BOOLEAN, LIST, MAPPING)}
WORDS: Final = {NUMBER: "a number", TEXT: "a text", BOOLEAN: "true or false", LIST: "a list", MAPPING: "a mapping"}


def fields_of(types: Sequence[str], known: Mapping[str, "EventType"]) -> Fields | None:
    """Return the fields on which the schemas of all these event types agree; None where one of them has no schema."""
    schemas = [known[each].schema if each in known else None for each in types]
    if not schemas or None in schemas:
        return None
    found = [dict(_fields(("data",), schema or {})) for schema in schemas]
    return {path: type_ for path, type_ in found[0].items() if all(each.get(path) == type_ for each in found)}


def _fields(path: Path, schema: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    properties = schema.get("properties")
    for name, inner in properties.items() if isinstance(properties, dict) else ():
        if not isinstance(inner, dict):
            continue
        type_ = inner.get("type")
        if isinstance(type_, str) and type_ in _TYPES:
            yield (*path, name), _TYPES[type_]
        yield from _fields((*path, name), inner)


def misspelt(type_: str, known: Mapping[str, "EventType"]) -> str | None:
    """Return the event type that was meant, where one is a slip of one letter away; not every type needs an EventType."""
    if type_ in known:
        return None
    return next((each for each in known if _is_a_slip(type_, each)), None)


def _is_a_slip(one: str, other: str) -> bool:
    """Whether a letter was left out, doubled, mistaken or swapped with its neighbour; `v1` beside `v2` is no slip."""
    begin = next((index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest, wanted = one[begin:], other[begin:]
    differing = rest[:1] + wanted[:1]
    if not differing or any(each.isdigit() or each == "*" for each in differing):
        return False
    swapped = rest[:2] == wanted[1::-1] and rest[2:] == wanted[2:] and len(rest) > 1
    return rest[1:] == wanted or rest == wanted[1:] or rest[1:] == wanted[1:] or swapped
