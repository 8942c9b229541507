"""The tables of schema `promises`, and their rows in the order of COPY.

`evidence` and `outbox` are append-only; a row of `commitments` is the fold of its evidence and can be made again.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from services.chassis.apikeys import api_keys_table
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
    sa.Column("document", BYTEA, comment="JSON of the Promise document; NULL: that version is retired from effective_from on"),
    sa.Column("calendar", sa.Integer, comment="id of the calendar's version that it is judged by"),
    sa.Index("promises_version", "name", "version", unique=True, postgresql_where=sa.text("document IS NOT NULL")),
)
calendars = sa.Table(
    "calendars",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("effective_from", UTC_TIME, comment="NULL: from the beginning"),
    sa.Column("published_at", UTC_TIME, nullable=False),
    sa.Column("published_by", sa.Text, nullable=False),
    sa.Column("document", BYTEA, nullable=False, comment="JSON of the Calendar document"),
    sa.UniqueConstraint("name", "version"),
)
terms = sa.Table(
    "terms",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("promise", sa.Text, nullable=False),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("within", sa.Text, comment="the negotiated duration; NULL: nothing is negotiated from valid_from on"),
    sa.Column("valid_from", UTC_TIME, comment="NULL: from the beginning"),
    sa.Column("valid_until", UTC_TIME),
    sa.Column("published_at", UTC_TIME, nullable=False),
    sa.Column("published_by", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False, unique=True, comment="whose request it was, and its Idempotency-Key"),
    sa.Column("fingerprint", BYTEA, nullable=False, comment="of that request"),
    sa.Index("terms_of_customer", "customer", "promise"),
)
excuse_acts = sa.Table(
    "excuse_acts",
    metadata,
    sa.Column("commitment", sa.Uuid, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", UTC_TIME, nullable=False),
    sa.Column("content", BYTEA, nullable=False, comment="JSON of what was said"),
    sa.Column("key", sa.Text, nullable=False, unique=True, comment="whose request it was, and its Idempotency-Key"),
    sa.Column("fingerprint", BYTEA, nullable=False, comment="of that request"),
    sa.Column("event", BYTEA, comment="the touchpoint that tells of it"),
    sa.Column("acknowledged", sa.Boolean, nullable=False, comment="Kafka has the touchpoint, or there is none"),
    sa.Index("excuse_acts_untold", "commitment", postgresql_where=sa.text("NOT acknowledged")),
)


def _runs(name: str) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("asked_at", UTC_TIME, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("heard_at", UTC_TIME, nullable=False, comment="when whoever runs it last said so, by the database's clock"),
        sa.Column("about", sa.Text, comment="the promise that it is about, if it is about one"),
        sa.Column("request", BYTEA, nullable=False, comment="JSON: what is to be judged, over which time"),
        sa.Column("read", sa.BigInteger, nullable=False, comment="records read so far"),
        sa.Column("total", sa.BigInteger, nullable=False, comment="records to be read"),
        sa.Column("outcome", BYTEA, comment="JSON: what it came to, or why it came to nothing"),
        sa.Column("key", sa.Text, nullable=False, unique=True, comment="whose request it was, and its Idempotency-Key"),
        sa.Column("fingerprint", BYTEA, nullable=False, comment="of that request"),
    )


backtests = _runs("backtests")
rejudgement_runs = _runs("rejudgement_runs")
rejudgements = sa.Table(
    "rejudgements",
    metadata,
    sa.Column("run", sa.Uuid, primary_key=True),
    sa.Column("commitment", sa.Uuid, primary_key=True),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("correlation", sa.Text, nullable=False),
    sa.Column("trigger_event", sa.Uuid, nullable=False),
    sa.Column("trigger_id", sa.Text, nullable=False),
    sa.Column("trigger_time", UTC_TIME, nullable=False),
    sa.Column("first", sa.Text, comment="how it stood judged under its own version; NULL: no commitment was opened"),
    sa.Column("changed", sa.Boolean, nullable=False, comment="whether the second judgement is another one"),
    sa.Column("judgement", sa.Text, nullable=False),
    sa.Column("due", UTC_TIME),
    sa.Column("late", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("decided_by", sa.Uuid),
    sa.Column("as_of", UTC_TIME, nullable=False, comment="the barrier of both judgements"),
    sa.Index("rejudgements_of_commitment", "commitment"),
    sa.Index("rejudgements_changed", "run", "commitment", postgresql_where=sa.text("changed")),
)
sources = sa.Table(
    "sources",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("published_at", UTC_TIME, nullable=False),
    sa.Column("published_by", sa.Text, nullable=False),
    sa.Column("document", BYTEA, comment="JSON of the Source document; NULL: retired by this version"),
    sa.UniqueConstraint("source", "version"),
)
look_backs = sa.Table(
    "look_backs",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("promise", sa.Integer, nullable=False, comment="id of the version"),
    sa.Column("partition", sa.SmallInteger, nullable=False, comment="whose evidence from before it was published is kept for it"),
    sa.UniqueConstraint("promise", "partition"),
)
evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("strand", sa.Uuid, primary_key=True, comment="customer and correlation"),
    sa.Column("event", sa.Uuid, primary_key=True),
    sa.Column("time", UTC_TIME, nullable=False),
    sa.Column("arrival", UTC_TIME, nullable=False),
    sa.Column("id", sa.Text, nullable=False, comment="what its source calls the event"),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("marks", BYTEA, nullable=False, comment="JSON: promise id -> what it sees, the roles first"),
)
lent = sa.Table(
    "lent",
    metadata,
    sa.Column("strand", sa.Uuid, primary_key=True),
    sa.Column("event", sa.Uuid, primary_key=True, comment="of another key of the same person"),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False, comment="statements of who is whom there had been"),
    sa.Column("retracted", sa.Boolean, nullable=False, comment="it is evidence no longer; the row of the greatest number counts"),
)
payments = sa.Table(
    "payments",
    metadata,
    sa.Column("partition", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("promise", sa.Text, primary_key=True, comment="name of the promise that was broken"),
    sa.Column("currency", sa.Text, primary_key=True),
    sa.Column("amount", sa.Numeric, nullable=False, comment="compensation paid in all"),
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
    sa.Column("wake", UTC_TIME, comment="barrier at which the row is looked at; behind the one reached, nothing hangs on it"),
    sa.Column("settled", UTC_TIME, comment="no event of a later time matters; NULL: any may"),
    sa.Column("decided_by", sa.Uuid),
    sa.Column("late", sa.Boolean, nullable=False),
    sa.Column("standing", sa.Boolean, nullable=False),
    sa.Column("segment", sa.Text),
    sa.Column("verdict", sa.Integer, nullable=False, comment="number of the latest verdict, 0 before any"),
    sa.Column("verdict_state", sa.Text, comment="what the latest verdict said"),
    sa.Column("trace", sa.Text),
    sa.Column("held", sa.Boolean, sa.Computed("state = 'held'", persisted=True)),
    sa.Column("said", sa.Text, nullable=False, comment="ordinals of the facts about it, in the outbox"),
    # a change of state changes none of what is indexed, so that it is written beside the row and into no index
    sa.Index("commitments_of_strand", "strand"),
    sa.Index("commitments_held", "partition", postgresql_where=sa.text("held")),
    sa.Index("commitments_due", "partition", "wake", postgresql_where=sa.text("wake IS NOT NULL")),
    postgresql_with={"fillfactor": 50},
)
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("partition", sa.SmallInteger, primary_key=True),
    sa.Column("last", sa.BigInteger, primary_key=True, comment="ordinal of the last fact in it"),
    sa.Column("first", sa.BigInteger, nullable=False, comment="ordinal of the first fact in it"),
    sa.Column("incarnation", sa.Integer, nullable=False),
    sa.Column("bodies", BYTEA, nullable=False, comment="the facts as published, packed"),
)
blind_spots = sa.Table(
    "blind_spots",
    metadata,
    sa.Column("partition", sa.SmallInteger, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True, comment="customer:KEY or source:NAME"),
    sa.Column("record", sa.Text, primary_key=True, comment="lane and offset of what was not read, or the source"),
    sa.Column("start", UTC_TIME, primary_key=True),
    sa.Column("end", UTC_TIME, comment="NULL: still not read"),
    sa.Column("why", sa.Text, nullable=False),
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
erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("customer", sa.Uuid, primary_key=True),
    sa.Column("partition", sa.SmallInteger, nullable=False),
    sa.Column("at", UTC_TIME, nullable=False, comment="the barrier: nothing of the customer is read behind it"),
    sa.Column("work", BYTEA, comment="JSON of what is left to do; NULL once nothing is"),
    sa.Column("emptied", sa.BigInteger, nullable=False, server_default="0", comment="facts and evidence emptied so far"),
    sa.Column("done_at", UTC_TIME),
    sa.Index("erasures_under_way", "at", postgresql_where=sa.text("work IS NOT NULL")),
)
topology = topology_table(metadata)
api_keys = api_keys_table(metadata)


class EvidenceRow(NamedTuple):
    """One event as one strand's promises see it, in the order of COPY."""

    strand: UUID
    event: UUID
    time: datetime
    arrival: datetime
    id: str
    type: str
    marks: bytes


class PackRow(NamedTuple):
    """Facts that follow each other, in the order of COPY."""

    partition: int
    last: int
    first: int
    incarnation: int
    bodies: bytes


class Refused(NamedTuple):
    """One journey event that a promise could not be evaluated on, in the order of COPY."""

    partition: int
    position: int
    promise: int
    reason: str
    detail: str
    value: bytes | None


class PromiseRow(NamedTuple):
    """One published promise version with the calendar that it is judged by; without a document, its retirement."""

    id: int
    name: str
    version: int
    effective_from: datetime | None
    document: bytes | None
    calendar: bytes | None
    calendar_version: int | None
