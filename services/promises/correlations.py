"""What ties events together, as canonical JSON text: equal exactly when type and value are."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

import orjson

from services.chassis.keys import key_from
from services.promises.language.conditions import MISSING, Path, Reader, reader

Event = Mapping[str, Any]
Correlation = Callable[[Event], str | None]
UNCORRELATED: Final = "null"
"""The correlation of a promise without `correlate`: the customer is all that ties its events together."""
DISCREET: Final = "discreet"
"""The attribute by which journey stamps an event that is not for everybody; and what stands in the place of what it says."""
_NAMED: Final = f'"{DISCREET}:'
"""How a correlation begins that names its strand and not what ties its events together."""
_BEYOND_WHOLE: Final = 2.0**63
"""From here on JSON's readers have numbers as floats, whole or not."""


_HALF: Final = (1 << 64) - 1


def strand_of(customer: UUID, by: str, correlation: str) -> UUID:
    """What belongs together: one customer, and one value of what ties events together. All strands of a customer begin alike."""
    if correlation.startswith(_NAMED) and (named := _strand_named(customer, correlation[len(_NAMED) : -1])) is not None:
        return named
    return key_from(_beginning(customer) + blake2b(f"{by}\0{correlation}".encode(), digest_size=8).digest())


def _strand_named(customer: UUID, text: str) -> UUID | None:
    """The strand of a customer that a text names; None where it is not one of theirs."""
    try:
        content = UUID(text).bytes
    except ValueError:
        return None
    return key_from(content) if content.startswith(_beginning(customer)) else None


def strands_of(customer: UUID) -> tuple[UUID, UUID]:
    """Where a customer's strands begin and end."""
    beginning = _beginning(customer)
    return key_from(beginning + b"\0" * 8), key_from(beginning + b"\xff" * 8)


def _beginning(customer: UUID) -> bytes:
    whole = customer.int
    return (whole >> 64 ^ whole & _HALF).to_bytes(8, "big")


def correlation(paths: tuple[Path, ...]) -> Correlation:
    """Compile the paths that tie events together to a function: canonical JSON text, None where a field is missing."""
    if not paths:
        return lambda _: UNCORRELATED
    readers = [reader(each) for each in paths]
    if len(readers) == 1:
        return _single(readers[0])

    def several(event: Event) -> str | None:
        values = [canonical(each(event)) for each in readers]
        return None if None in values else f"[{','.join(each or '' for each in values)}]"

    return several


def _single(read: Reader) -> Correlation:
    def single(event: Event) -> str | None:
        value = read(event)
        return orjson.dumps(value).decode() if type(value) is str else canonical(value)

    return single


def canonical(value: Any) -> str | None:
    """Return JSON text that is equal exactly when type and value are; None for what is missing or null."""
    kind = type(value)
    if kind is str:
        return orjson.dumps(value).decode()
    if kind is int:
        return str(value)
    if value is MISSING or value is None:
        return None
    return orjson.dumps(_whole(value), option=orjson.OPT_SORT_KEYS).decode()


def _whole(value: Any) -> Any:
    match value:
        case float() if value.is_integer() and abs(value) < _BEYOND_WHOLE:
            return int(value)
        case dict():
            return {key: _whole(each) for key, each in value.items()}
        case list():
            return [_whole(each) for each in value]
    return value


def text_of(value: Any) -> str | None:
    """Return a segment's or a holder's value as text."""
    return value if type(value) is str else canonical(value)


def segment_of(paths: tuple[Path, ...]) -> Callable[[Event], str | None] | None:
    """Compile the fields that commitments are counted by to one text, as `web / gold`; None where there is no such field.

    What is discreet is counted together, since a segment is told to everybody.
    """
    readers = [reader(each) for each in paths]
    if not readers:
        return None
    if len(readers) == 1:
        return lambda event: DISCREET if DISCREET in event else text_of(readers[0](event))

    def several(event: Event) -> str | None:
        if DISCREET in event:
            return DISCREET
        found = [text_of(each(event)) for each in readers]
        if all(each is None for each in found):
            return None
        return " / ".join("-" if each is None else each for each in found)

    return several
