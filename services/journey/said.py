"""What is noted of each fact of promises beside the pack that holds it: of which commitment it is, and what it says.

Seven bytes a fact tell what is open of a customer, and where facts of one type are, without a pack being opened. Pure.
"""

from binascii import unhexlify
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

BEGINNING: Final = "makegood.commitment."
_WORDS: Final = ("", "opened", "at_risk", "held", "kept", "broken", "excused", "withdrawn", "corrected", "rejudged")
"""What can be said, by its code; 0 is whatever is not known here."""
_CODES: Final = {word.encode(): bytes([code]) for code, word in enumerate(_WORDS)}
_OTHER: Final = bytes([0])
_ID: Final = b'"id":"'
_TAIL: Final = 24
"""Where the last twelve digits of a commitment's id begin; they tell those of one customer apart."""
NOTE: Final = 7
"""Bytes of a note."""
_NOTHING: Final = bytes(NOTE)

UNDECIDED: Final = frozenset({"opened", "at_risk", "held", "corrected"})
"""After these a commitment is open; after a correction only its fact says whether."""
ASIDE: Final = frozenset({"", "rejudged"})
"""Said beside the verdict, which it leaves as it is."""


class Said(NamedTuple):
    """What one fact says of which commitment."""

    commitment: bytes
    word: str

    @property
    def type(self) -> str | None:
        """The fact's type; None where only the fact itself says it."""
        return f"{BEGINNING}{self.word}" if self.word else None


def note(fact: bytes) -> bytes:
    """What is noted of a fact, as promises writes it: its id is made of the commitment, the verdict's number and what is said."""
    start = fact.index(_ID) + len(_ID)
    try:
        head, _, said = fact[start + _TAIL : fact.index(b'"', start)].split(b":", 2)
        return unhexlify(head) + (_CODES.get(said) or _CODES.get(said.partition(b":")[0], _OTHER))
    except ValueError:
        return _NOTHING


def read(notes: bytes) -> Iterator[Said]:
    """What was noted of facts that follow each other."""
    for start in range(0, len(notes), NOTE):
        yield Said(notes[start : start + NOTE - 1], _WORDS[notes[start + NOTE - 1]])


class Place(NamedTuple):
    """Where a fact is; of one partition, in the order of what was said."""

    topic: str
    partition: int
    position: int
    place: int


def latest(found: Iterable[tuple[Place, bytes]]) -> dict[bytes, tuple[str, Place]]:
    """By commitment, what was said last, and where; `found` are notes of facts that follow each other, with the first one's place."""
    last: dict[bytes, tuple[str, Place]] = {}
    for first, notes in found:
        for number, said in enumerate(read(notes)):
            if said.word not in ASIDE:
                last[said.commitment] = (said.word, first._replace(place=first.place + number))
    return last
