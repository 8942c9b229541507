"""All SQL of the promises service: values in, values out. Here what a batch loads and saves; in `reads` what people ask."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Driver, Transaction
from services.chassis.instants import text_of
from services.promises.domain import Mark
from services.promises.store.tables import EvidenceRow, FactRow, PromiseRow, Refused, commitments
from services.promises.strands import Commitment

COMMITMENT = [each.name for each in fields(Commitment)]
_COLUMNS = ", ".join(f"c.{name}" for name in COMMITMENT)
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
    await tx.copy("commitments", COMMITMENT, [[getattr(each, name) for name in COMMITMENT] for each in opened])
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
