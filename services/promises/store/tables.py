"""The tables of schema `promises`, and their rows in the order of COPY.

`evidence` and `facts` are append-only; a row of `commitments` is the fold of its evidence and can be made again.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from services.chassis.progress import progress_table
from services.chassis.topics import topology_table

metadata = sa.MetaData()
UTC_TIME = sa.DateTime(timezone=True)

progress = progress_table(metadata)
promises = sa.Table(
    "promises",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("effective_from", UTC_TIME, comment="NULL: from the beginning"),
    sa.Column("published_at", UTC_TIME, nullable=False),
    sa.Column("published_by", sa.Text, nullable=False),
    sa.Column("document", BYTEA, nullable=False, comment="JSON of the Promise document"),
    sa.UniqueConstraint("name", "version"),
)
evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("strand", sa.Uuid, primary_key=True, comment="customer and correlation"),
    sa.Column("event", sa.Uuid, primary_key=True),
    sa.Column("time", UTC_TIME, nullable=False),
    sa.Column("arrival", UTC_TIME, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("marks", BYTEA, nullable=False, comment="JSON: promise id -> [roles, due, holds, segment]"),
)
commitments = sa.Table(
    "commitments",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("partition", sa.SmallInteger, nullable=False),
    sa.Column("promise", sa.Integer, nullable=False),
    sa.Column("strand", sa.Uuid, nullable=False),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("correlation", sa.Text, nullable=False),
    sa.Column("trigger_event", sa.Uuid, nullable=False),
    sa.Column("trigger_id", sa.Text, nullable=False),
    sa.Column("trigger_type", sa.Text, nullable=False),
    sa.Column("trigger_time", UTC_TIME, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("due", UTC_TIME),
    sa.Column("sayable", UTC_TIME, comment="barrier from which broken, or kept by absence, may be said"),
    sa.Column("next_at", UTC_TIME, comment="barrier at which time alone changes the judgement"),
    sa.Column("settled", UTC_TIME, comment="no event of a later time matters; NULL: any may"),
    sa.Column("decided_by", sa.Uuid),
    sa.Column("late", sa.Boolean, nullable=False),
    sa.Column("standing", sa.Boolean, nullable=False),
    sa.Column("segment", sa.Text),
    sa.Column("verdict", sa.Integer, nullable=False, comment="number of the latest verdict, 0 before any"),
    sa.Column("verdict_state", sa.Text, comment="what the latest verdict said"),
    sa.Column("trace", sa.Text),
    sa.Index("commitments_of_strand", "strand"),
    sa.Index("commitments_due", "partition", "next_at", postgresql_where=sa.text("next_at IS NOT NULL")),
)
facts = sa.Table(
    "facts",
    metadata,
    sa.Column("partition", sa.SmallInteger, primary_key=True),
    sa.Column("ordinal", sa.BigInteger, primary_key=True),
    sa.Column("incarnation", sa.Integer, nullable=False),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("commitment", sa.Uuid, nullable=False),
    sa.Column("body", BYTEA, nullable=False, comment="the fact as published"),
    sa.Index("facts_of_commitment", "commitment"),
)
quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("partition", sa.SmallInteger, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, comment="offset in makegood.journey"),
    sa.Column("promise", sa.Integer, primary_key=True, comment="0: for every promise"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("value", BYTEA, comment="the journey event"),
)
topology = topology_table(metadata)


class EvidenceRow(NamedTuple):
    """One event as one strand's promises see it, in the order of COPY."""

    strand: UUID
    event: UUID
    time: datetime
    arrival: datetime
    type: str
    marks: bytes


class FactRow(NamedTuple):
    """One fact, in the order of COPY."""

    partition: int
    ordinal: int
    incarnation: int
    customer: UUID
    commitment: UUID
    body: bytes


class Refused(NamedTuple):
    """One journey event that a promise could not be evaluated on, in the order of COPY."""

    partition: int
    position: int
    promise: int
    reason: str
    detail: str
    value: bytes | None


class PromiseRow(NamedTuple):
    """One published promise version."""

    id: int
    name: str
    version: int
    effective_from: datetime | None
    document: bytes
