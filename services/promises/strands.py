"""What is in hand of one strand, and what an event is to it.

A strand is what belongs together: one customer and one correlation value. Its evidence is stored once, whatever number
of promises looks at it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.promises.bearing import Bearing
from services.promises.commitment import NOT_YET, Commitment
from services.promises.domain import Mark, Terms
from services.promises.lending import Lent


class Version(NamedTuple):
    """What folding needs to know of one promise version."""

    id: int
    name: str
    version: int
    terms: Terms


class View(NamedTuple):
    """One event as the promises of one strand see it."""

    strand: UUID
    correlation: str
    marks: dict[int, Mark]


class Seen(NamedTuple):
    """One journey event, and what promises see in it."""

    customer: UUID
    key: UUID
    id: str
    type: str
    arrival: datetime
    trace: str | None
    offset: int
    views: list[View]
    lent: Lent | None = None
    """It is another key's, of the same person."""


class Origin(NamedTuple):
    """What its source calls an event."""

    id: str
    type: str


@dataclass(slots=True)
class Strand:
    """What is in hand of one strand: marks by promise and event, commitments by promise."""

    since: datetime | None = NOT_YET
    """In hand is every event that happened from then on, and all that one such may change or needs; None: only a part of that."""
    marks: dict[int, dict[UUID, Mark]] = field(default_factory=dict)
    origins: dict[UUID, Origin] = field(default_factory=dict)
    commitments: dict[int, list[Commitment]] = field(default_factory=dict)
    known: set[UUID] = field(default_factory=set)
    """Events that are evidence already, beside those in hand."""
    bearings: dict[int, Bearing] = field(default_factory=dict)
    """By promise, where it has seen many events, or resets."""
    lacks: frozenset[int] = frozenset()
    """Promises of which commitments are not in hand that events may still change; none that only opens another does."""
    size: int = 0
    """How many events in hand were counted."""

    @property
    def closed(self) -> bool:
        """Whether everything that was opened is decided, and time alone changes nothing."""
        opened = False
        for found in self.commitments.values():
            for each in found:
                if each.next_at is not None or each.verdict_state != each.state:
                    return False
                opened = True
        return opened
