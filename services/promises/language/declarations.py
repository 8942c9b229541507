"""What the documents of the promise language declare, as frozen values: read by `language`, made to run by `compile`."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from services.chassis.documents import Value
from services.promises.blindness import Source
from services.promises.calendars import Calendar
from services.promises.domain import Terms
from services.promises.language.conditions import Path, Test


@dataclass(frozen=True, slots=True)
class Match:
    """Events of one of these types (`*` stands for any characters), from one of these sources, that pass every test."""

    types: tuple[str, ...]
    sources: tuple[str, ...] = ()
    tests: tuple[Test, ...] = ()


class Target(NamedTuple):
    """A budget for the triggers, and changes of target, that pass every test."""

    tests: tuple[Test, ...]
    within: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What of a promise is judged, and what it reads of events; which event plays which role stands in `matches`."""

    terms: Terms
    matches: tuple[tuple[int, Match], ...]
    """With the bits of `domain.Role`, those of a slot in their slot."""
    correlate: tuple[Path, ...] = ()
    bys: tuple[Path | None, ...] = (None,)
    """What says when each slot falls due."""
    must: tuple[Test, ...] = ()
    """What a conformance demands of its event."""
    targets: tuple[Target, ...] = ()
    segments: tuple[Path, ...] = ()
    holder: Path | None = None
    resume_other: bool = False
    """Any event of the correlation that does not pause makes the clock go on."""
    collected: int = 0
    """The roles whose events a settlement's `must` reads."""


class Published(NamedTuple):
    """Where the customer reads a promise, and since when."""

    channel: str
    reference: str | None = None
    since: str | None = None


CURRENCY: Final = re.compile(r"[A-Z]{3}")
"""A code of ISO 4217; anything else names the field that has one."""


class AtStake(NamedTuple):
    """Where an opening event says what the customer stands to lose; the currency by its code, or by the field that has it."""

    amount: Path
    currency: Path | str


class Objective(NamedTuple):
    """The share of decided commitments to keep over a window."""

    kept: float
    window: str | None


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise as its document says it."""

    name: str
    owner: str
    statement: str
    judged: Judged
    audience: str = "customer"
    labels: dict[str, Any] = field(default_factory=dict)
    published: tuple[Published, ...] = ()
    encounter: str | None = None
    dimension: str | None = None
    component: str | None = None
    principle: str | None = None
    supports: tuple[str, ...] = ()
    calendar: str | None = None
    effective_from: datetime | None = None
    severity: str | None = None
    playbook: str | None = None
    at_stake: AtStake | None = None
    objective: Objective | None = None

    @property
    def terms(self) -> Terms:
        """What it owes."""
        return self.judged.terms

    @property
    def segments(self) -> tuple[Path, ...]:
        """The fields by whose values it is reported."""
        return self.judged.segments


@dataclass(frozen=True, slots=True)
class Identifier:
    """A field by which a customer can be found: it reads as `name:value`."""

    name: str
    path: Path
    person: bool
    """It names a person; otherwise a thing of theirs, such as an order."""


@dataclass(frozen=True, slots=True)
class EventType:
    """What a company system emits."""

    type: str
    identifiers: tuple[Identifier, ...] = ()
    personal: tuple[Path, ...] = ()
    about_many: bool = False
    schema: dict[str, Any] | None = None


Declared = Promise | EventType | Calendar | Source


@dataclass(frozen=True, slots=True)
class Document:
    """One document: `declares` is what it says, None for the kinds that other services read from `raw`."""

    kind: str
    name: str
    raw: dict[str, Any]
    line: int
    declares: Declared | None = None
    root: Value = field(default=Value(None, 1, 1), compare=False, repr=False)
    """Where everything of it stands, for those who have more to say of it."""
