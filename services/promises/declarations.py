"""What the documents of the promise language declare, as frozen values: read by `language`, made to run by `compile`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.promises.conditions import Path, Test
from services.promises.domain import Terms


@dataclass(frozen=True, slots=True)
class Match:
    """Events of one of these types (`*` stands for any characters), from one of these sources, that pass every test."""

    types: tuple[str, ...]
    sources: tuple[str, ...] = ()
    tests: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True)
class Objective:
    """The share of decided commitments to keep over a window."""

    kept: float
    window: str | None


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise as its document says it; which event plays which role stands in `matches`, by `domain.Role`."""

    name: str
    owner: str
    statement: str
    audience: str
    terms: Terms
    matches: tuple[tuple[int, Match], ...]
    correlate: tuple[Path, ...] = ()
    by: Path | None = None
    segment: Path | None = None
    must: tuple[Test, ...] = ()
    effective_from: datetime | None = None
    severity: str | None = None
    playbook: str | None = None
    objective: Objective | None = None


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


@dataclass(frozen=True, slots=True)
class Document:
    """One document: `declares` is what it says, None for the kinds that other services read from `raw`."""

    kind: str
    name: str
    raw: dict[str, Any]
    line: int
    declares: Promise | EventType | None = None
