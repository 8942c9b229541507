"""What is noted of each fact of promises beside the pack that holds it: of which commitment it is, and what it says.

Eight bytes a fact tell what is open of a customer, and where facts of one type are, without a pack being opened. Pure.
Of facts that follow each other come first the codes of what they say, a byte each, then for each the end of its commitment's
id and that code again.
"""

from binascii import unhexlify
from collections.abc import Iterable
from typing import Final, NamedTuple

from services.journey.timeline.kinds import Types

BEGINNING: Final = "makegood.commitment."
_WORDS: Final = ("", "opened", "at_risk", "held", "kept", "broken", "excused", "withdrawn", "corrected", "rejudged", "moved")
"""What can be said, by its code; 0 is whatever is not known here."""
_CODES: Final = {word.encode(): bytes([code]) for code, word in enumerate(_WORDS)}
_OTHER: Final = bytes([0])
_ID: Final = b'"id":"'
_TAIL: Final = 24
"""Where the last twelve digits of a commitment's id begin; they tell those of one customer apart."""
_NOTE, _CODE = 7, 6
_NOTHING: Final = bytes(_NOTE)
NOTED: Final = _NOTE + 1
"""Bytes noted of a fact in all."""

_UNDECIDED: Final = frozenset(map(_WORDS.index, ("opened", "at_risk", "held", "corrected", "moved")))
"""After these a commitment is open; after a correction only its fact says whether."""
_ASIDE: Final = frozenset(map(_WORDS.index, ("", "rejudged")))
"""Said beside the verdict, which they leave as it is."""


class Place(NamedTuple):
    """Where a fact is; of one partition, in the order of what was said."""

    topic: str
    partition: int
    position: int
    place: int


class Row(NamedTuple):
    """Where the first of some facts is that follow each other, and what is noted of them."""

    topic: str
    partition: int
    position: int
    place: int
    said: bytes


class Latest(NamedTuple):
    """Where the last facts are of all commitments: of those that are open or may be, and of those that are decided."""

    undecided: list[Place]
    decided: list[Place]


def note(facts: Iterable[bytes]) -> bytes:
    """What is noted of facts that follow each other."""
    notes = b"".join([_note(fact) for fact in facts])
    return notes[_CODE::_NOTE] + notes


def _note(fact: bytes) -> bytes:
    """As promises writes it: a fact's id is made of the commitment, the verdict's number and what is said."""
    start = fact.index(_ID) + len(_ID)
    try:
        tail, _, word = fact[start + _TAIL : fact.index(b'"', start)].split(b":", 2)
        return unhexlify(tail) + (_CODES.get(word) or _CODES.get(word.partition(b":")[0], _OTHER))
    except ValueError:
        return _NOTHING


def codes_of(types: Types) -> bytes:
    """The codes of what such types of facts say; with 0, after which only the fact itself tells."""
    return bytes(code for code, word in enumerate(_WORDS) if not word or f"{BEGINNING}{word}" in types)


def latest(rows: Iterable[Row]) -> Latest:
    """The last word on each commitment; `rows` in the order in which each partition said it."""
    last: dict[bytes, tuple[int, Row, int]] = {}
    for row in rows:
        said = row[4]
        number = len(said) // NOTED
        for place in range(number):
            if (code := said[place]) not in _ASIDE:
                start = number + place * _NOTE
                last[said[start : start + _CODE]] = (code, row, place)
    found = Latest([], [])
    for code, row, place in last.values():
        (found.undecided if code in _UNDECIDED else found.decided).append(Place(*row[:3], row[3] + place))
    return found
