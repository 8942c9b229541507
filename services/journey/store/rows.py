"""Rows of the tables of schema `journey` that are appended by COPY, in its order."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID


class JournalRow(NamedTuple):
    """One journal row, in the order of COPY."""

    lane: str
    ordinal: int
    partition: int
    incarnation: int
    seq: int
    customer: UUID
    event: UUID
    time: datetime
    arrival: datetime
    copied: bool
    body: bytes | None


class QuarantineRow(NamedTuple):
    """One refused record, in the order of COPY; `value` is its original bytes."""

    lane: str
    position: int
    ordinal: int
    reason: str
    detail: str
    place: str
    source: str | None
    arrival: datetime
    key: bytes | None
    value: bytes | None
    headers: bytes
    held: list[UUID]


class PackRow(NamedTuple):
    """Facts that were read one after another, in the order of COPY."""

    topic: str
    partition: int
    position: int
    bodies: bytes


class FactsRow(NamedTuple):
    """Where facts of one customer and time are, in the order of COPY."""

    customer: UUID
    time: datetime
    topic: str
    partition: int
    position: int
    place: int
    number: int
    said: bytes | None
