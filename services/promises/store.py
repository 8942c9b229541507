"""All SQL of the promises service: values in, values out.

`evidence` and `facts` are append-only; a row of `commitments` is the fold of its evidence and can be made again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Driver, Transaction
from services.chassis.instants import text_of
from services.chassis.progress import progress_table
from services.chassis.topics import topology_table
from services.promises.domain import Mark
from services.promises.strands import Commitment

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


_COMMITMENT = [each.name for each in fields(Commitment)]
_COLUMNS = ", ".join(f"c.{name}" for name in _COMMITMENT)
_SQL_TYPES = {sa.Uuid: "uuid", sa.Text: "text", sa.DateTime: "timestamptz", sa.Boolean: "bool", sa.Integer: "int"}
_JUDGED = (
    "state", "reason", "due", "sayable", "next_at", "settled", "decided_by", "late", "standing", "verdict", "verdict_state", "trace",
)  # fmt: skip
_ANCHORED = ("promise", "trigger_event", "trigger_id", "trigger_type", "trigger_time", "segment")


async def _update(tx: Transaction, columns: Sequence[str], changes: Sequence[Commitment]) -> None:
    """Write some columns of many commitments in one statement."""
    arrays = ", ".join(f"${place}::{_SQL_TYPES[type(commitments.c[name].type)]}[]" for place, name in enumerate(columns, 2))
    assigned, named = ", ".join(f"{name} = n.{name}" for name in columns), ", ".join(columns)
    statement = f"UPDATE commitments c SET {assigned} FROM unnest($1::uuid[], {arrays}) n(id, {named}) WHERE c.id = n.id"
    values = [[getattr(each, name) for each in changes] for name in columns]
    await tx.driver.execute(statement, [each.id for each in changes], *values)


async def catalogue_revision(tx: Transaction) -> int:
    """A number that moves whenever a promise version is published."""
    revision: int = await tx.driver.fetchval("SELECT coalesce(max(id), 0) FROM promises")
    return revision


async def read_promises(connection: Driver) -> list[PromiseRow]:
    """Every promise version, oldest first."""
    rows = await connection.fetch("SELECT id, name, version, effective_from, document FROM promises ORDER BY id")
    return [PromiseRow(*row) for row in rows]


async def unsettled(tx: Transaction, since: Mapping[UUID, datetime]) -> list[Commitment]:
    """The commitments of these strands that an event of that time or later may still change."""
    rows = await tx.driver.fetch(
        f"SELECT {_COLUMNS} FROM unnest($1::uuid[], $2::timestamptz[]) s(strand, since) "
        "JOIN commitments c ON c.strand = s.strand AND coalesce(c.settled, 'infinity') >= s.since",
        list(since),
        list(since.values()),
    )
    return [Commitment(*row) for row in rows]


async def due(tx: Transaction, partition: int, barrier: datetime, limit: int) -> list[Commitment]:
    """The commitments of a partition whose judgement changes by time alone up to the barrier, the earliest first."""
    rows = await tx.driver.fetch(
        f"SELECT {_COLUMNS} FROM commitments c WHERE c.partition = $1 AND c.next_at <= $2 ORDER BY c.next_at, c.id LIMIT $3",
        partition,
        barrier,
        limit,
    )
    return [Commitment(*row) for row in rows]


_NEXT_DUE = "SELECT next_at FROM commitments WHERE partition = {} AND next_at IS NOT NULL ORDER BY next_at LIMIT 1"


async def next_due(engine: AsyncEngine, partition: int) -> datetime | None:
    """When the first judgement of a partition changes by time alone."""
    async with engine.connect() as connection:
        found = await connection.execute(sa.text(_NEXT_DUE.format(":partition")), {"partition": partition})
        return found.scalar_one_or_none()


async def next_due_in(tx: Transaction, partition: int) -> datetime | None:
    """The same, as the transaction has left it."""
    found: datetime | None = await tx.driver.fetchval(_NEXT_DUE.format("$1"), partition)
    return found


async def read_evidence(tx: Transaction, since: Mapping[UUID, datetime]) -> list[EvidenceRow]:
    """The evidence of these strands from an event time on."""
    rows = await tx.driver.fetch(
        "SELECT e.strand, e.event, e.time, e.arrival, e.type, e.marks FROM unnest($1::uuid[], $2::timestamptz[]) "
        "s(strand, since) JOIN evidence e ON e.strand = s.strand AND e.time >= s.since",
        list(since),
        list(since.values()),
    )
    return [EvidenceRow(*row) for row in rows]


async def known_events(tx: Transaction, pairs: Sequence[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Which of these (strand, event) are evidence already."""
    rows = await tx.driver.fetch(
        "SELECT e.strand, e.event FROM unnest($1::uuid[], $2::uuid[]) k(strand, event) JOIN evidence e USING (strand, event)",
        [strand for strand, _ in pairs],
        [event for _, event in pairs],
    )
    return {(row[0], row[1]) for row in rows}


async def save(
    tx: Transaction,
    *,
    opened: Iterable[Commitment],
    changed: Iterable[Commitment],
    moved: Iterable[Commitment],
    seen: Sequence[EvidenceRow],
    said: Sequence[FactRow],
    refused: Sequence[Refused],
) -> None:
    """Append evidence and facts; add commitments, update what is judged of them, and the triggers of those that moved."""
    await tx.copy("evidence", EvidenceRow._fields, seen)
    await tx.copy("commitments", _COMMITMENT, [[getattr(each, name) for name in _COMMITMENT] for each in opened])
    for columns, changes in ((_JUDGED, list(changed)), (_ANCHORED, list(moved))):
        if changes:
            await _update(tx, columns, changes)
    await tx.copy("facts", FactRow._fields, said)
    await tx.copy("quarantine", Refused._fields, refused)


def marks_to_json(marks: Mapping[int, Mark]) -> bytes:
    """What each promise sees in an event, as stored."""
    return orjson.dumps(
        {str(promise): [mark.roles, text_of(mark.due) if mark.due else None, mark.holds, mark.segment] for promise, mark in marks.items()}
    )


def marks_from_json(row: EvidenceRow) -> dict[int, Mark]:
    """What each promise sees in a stored event."""
    return {
        int(promise): Mark(row.event, row.time, row.arrival, roles, datetime.fromisoformat(due) if due else None, holds, segment)
        for promise, (roles, due, holds, segment) in orjson.loads(row.marks).items()
    }


async def unpublished(driver: Driver, partition: int, after: int, limit: int) -> list[FactRow]:
    """A partition's committed facts after an ordinal."""
    rows = await driver.fetch(
        f"SELECT {', '.join(FactRow._fields)} FROM facts WHERE partition = $1 AND ordinal > $2 ORDER BY ordinal LIMIT $3",
        partition,
        after,
        limit,
    )
    return [FactRow(*row) for row in rows]


class Published(NamedTuple):
    """One published promise version, for those who read about it."""

    name: str
    version: int
    effective_from: datetime | None
    published_at: datetime
    published_by: str
    document: bytes


class Count(NamedTuple):
    """How many commitments of a promise and segment are judged alike."""

    promise: str
    segment: str | None
    state: str
    late: bool
    standing: bool
    number: int


async def publish(
    engine: AsyncEngine, name: str, document: bytes, by: str, at: datetime, effective_from: datetime | None
) -> tuple[int, datetime | None]:
    """Publish a version; the same document again changes nothing. Returns (version, effective from)."""
    async with engine.begin() as connection:
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name})
        latest = (
            await connection.execute(sa.select(promises).where(promises.c.name == name).order_by(promises.c.version.desc()).limit(1))
        ).one_or_none()
        if latest is not None and latest.document == document:
            return latest.version, latest.effective_from
        version = 1 if latest is None else latest.version + 1
        values = {"name": name, "version": version, "document": document, "published_by": by}
        await connection.execute(promises.insert().values(**values, published_at=at, effective_from=effective_from))
        return version, effective_from


async def read_published(engine: AsyncEngine, name: str | None = None) -> list[Published]:
    """Every published version, or those of one promise, in the order of publication."""
    query = sa.select(*[promises.c[each] for each in Published._fields]).order_by(promises.c.id)
    if name is not None:
        query = query.where(promises.c.name == name)
    async with engine.connect() as connection:
        return [Published(*row) for row in await connection.execute(query)]


async def count_commitments(engine: AsyncEngine, name: str | None) -> list[Count]:
    """Commitments counted by promise, segment and judgement."""
    alike = (promises.c.name, commitments.c.segment, commitments.c.state, commitments.c.late, commitments.c.standing)
    query = sa.select(*alike, sa.func.count()).join(promises, promises.c.id == commitments.c.promise).group_by(*alike)
    if name is not None:
        query = query.where(promises.c.name == name)
    async with engine.connect() as connection:
        return [Count(*row) for row in await connection.execute(query)]


async def page_of_commitments(
    engine: AsyncEngine, where: Mapping[str, object], after: UUID | None, limit: int
) -> list[tuple[Commitment, str, int]]:
    """Commitments with their promise's name and version, in order of id; `where` holds name, customer, state, due_before."""
    query = (
        sa.select(*[commitments.c[name] for name in _COMMITMENT], promises.c.name, promises.c.version)
        .join(promises, promises.c.id == commitments.c.promise)
        .order_by(commitments.c.id)
        .limit(limit)
    )
    columns = {"name": promises.c.name, "customer": commitments.c.customer, "state": commitments.c.state, "id": commitments.c.id}
    for name, value in where.items():
        query = query.where(columns[name] == value)
    if after is not None:
        query = query.where(commitments.c.id > after)
    async with engine.connect() as connection:
        return [(Commitment(*row[:-2]), row[-2], row[-1]) for row in await connection.execute(query)]


async def account_of(engine: AsyncEngine, commitment: Commitment) -> tuple[list[EvidenceRow], list[bytes]]:
    """The evidence and the facts of one commitment, in their order."""
    seen = sa.select(*[evidence.c[name] for name in EvidenceRow._fields]).where(evidence.c.strand == commitment.strand)
    said = sa.select(facts.c.body).where(facts.c.commitment == commitment.id).order_by(facts.c.ordinal)
    async with engine.connect() as connection:
        rows = [EvidenceRow(*row) for row in await connection.execute(seen.order_by(evidence.c.time, evidence.c.event))]
        return rows, list((await connection.execute(said)).scalars())


async def barrier(engine: AsyncEngine) -> datetime | None:
    """The barrier that every partition has reached; None before all have one."""
    async with engine.connect() as connection:
        reached = (await connection.execute(sa.select(progress.c.arrival))).scalars().all()
    return None if not reached or None in reached else min(each for each in reached if each is not None)


async def events_applied(engine: AsyncEngine) -> int:
    """How many journey events were applied."""
    async with engine.connect() as connection:
        states = (await connection.execute(sa.select(progress.c.state))).scalars()
        return sum(mark[1] for state in states for mark in orjson.loads(state).get("marks", {}).values())
