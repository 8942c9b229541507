"""All SQL of the recovery service: values in, values out."""

import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.database import Driver, Transaction
from services.chassis.preconditions import Once
from services.chassis.progress import Progress
from services.recovery.audit import START, Entry, chain
from services.recovery.domain.case import IN_WORK, WATCHED, Case, Happened
from services.recovery.events import FACTS, Message
from services.recovery.store import spending
from services.recovery.store.tables import acts, approvals, cases, causes, creations, failures, ledger, mass_members, owed, topology

INPUT_TOPIC: Final = "makegood.promises"
CASE: Final = TypeAdapter(Case)
"""A case as its column `fold` holds it."""
ACTED: Final = 200
CREATED: Final = 201
NOTHING_DUE: Final = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stored:
    """A case with what only the store knows of it: its lane and the end of its audit trail."""

    case: Case
    partition: int
    digest: bytes = START


class Change(NamedTuple):
    """One case that got further acts."""

    stored: Stored
    happened: Sequence[Happened]


class Sent(NamedTuple):
    """One row of the outbox."""

    ordinal: int
    topic: str
    customer: UUID
    incarnation: int
    seq: int | None
    at: datetime
    body: bytes


class Answer(NamedTuple):
    """The answer that a creation got the first time."""

    fingerprint: bytes
    status: int
    version: int
    body: bytes


async def touched(
    tx: Transaction, customers: Collection[UUID], commitments: Collection[UUID], correlations: Collection[UUID]
) -> dict[UUID, Stored]:
    """The cases that facts may be about: the customers' live ones, those that know a failure, and those named."""
    named = (list(customers), [state.value for state in IN_WORK | WATCHED], list(commitments), list(correlations))
    rows = await tx.driver.fetch(_TOUCHED, *named)
    found = [Stored(CASE.validate_json(fold), partition, digest) for partition, digest, fold in rows]
    return {each.case.id: each for each in found}


_TOUCHED: Final = """
SELECT partition, digest, fold::text FROM cases WHERE id IN (
  SELECT id FROM cases WHERE customer = ANY($1::uuid[]) AND state = ANY($2::text[])
  UNION SELECT case_id FROM failures WHERE commitment = ANY($3::uuid[])
  UNION SELECT id FROM cases WHERE id = ANY($4::uuid[])
  UNION SELECT case_id FROM owed WHERE id = ANY($4::uuid[])
)"""


def uuids(values: Collection[UUID]) -> sa.ColumnElement[Sequence[UUID]]:
    """These ids, as one value of a statement."""
    return sa.literal(list(values), sa.ARRAY(sa.Uuid))


async def case_of(connection: AsyncConnection, case: UUID) -> Stored | None:
    """One case, or None."""
    return (await cases_of(connection, ids=[case])).get(case)


async def cases_of(connection: AsyncConnection, customers: Collection[UUID] = (), ids: Collection[UUID] = ()) -> dict[UUID, Stored]:
    """Every case of these customers, and those of these ids."""
    return await load(connection, sa.or_(cases.c.customer == sa.any_(uuids(customers)), cases.c.id == sa.any_(uuids(ids))))


async def merged_into(connection: AsyncConnection, case: UUID) -> list[Case]:
    """The cases that go on in this one, and in those again, by when they were opened."""
    rows = await connection.execute(_MERGED, {"into": case})
    return [CASE.validate_python(row.fold) for row in rows]


_MERGED: Final = sa.text(
    "WITH RECURSIVE gone AS (SELECT id FROM cases WHERE merged_into = :into "
    "UNION SELECT c.id FROM cases c JOIN gone ON c.merged_into = gone.id) "
    "SELECT fold FROM cases JOIN gone USING (id) ORDER BY opened_at, id"
)


async def case_with_trail(engine: AsyncEngine, case: UUID) -> tuple[Stored, list[Entry]] | None:
    """One case and its audit trail as they stand at one moment, or None."""
    async with engine.connect() as connection:
        await connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        stored = await case_of(connection, case)
        return (stored, await trail_of(connection, case)) if stored else None


async def at_risk(engine: AsyncEngine, partition: int) -> set[UUID]:
    """The commitments that have a case in this lane although they are not broken yet."""
    query = sa.select(failures.c.commitment).join(cases).where(failures.c.at_risk, sa.not_(failures.c.withdrawn))
    async with engine.connect() as connection:
        return set(await connection.scalars(query.where(cases.c.partition == partition)))


async def partition_of_case(engine: AsyncEngine, case: UUID) -> int | None:
    """The lane that acts on the case go through, None where there is no such case."""
    async with engine.connect() as connection:
        found: int | None = await connection.scalar(sa.select(cases.c.partition).where(cases.c.id == case))
        return found


async def load(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> dict[UUID, Stored]:
    """The cases of which a condition holds."""
    rows = await connection.execute(sa.select(cases.c.partition, cases.c.digest, cases.c.fold).where(condition))
    found = [Stored(CASE.validate_python(row.fold), row.partition, row.digest) for row in rows]
    return {each.case.id: each for each in found}


async def save(tx: Transaction, progress: Progress, changes: Sequence[Change], messages: Sequence[Message]) -> list[Sent]:
    """Write changed cases, their new acts and what is to be said of them; returns the outbox rows in order."""
    await _save_cases(tx, changes)
    sent = [_number(progress, message) for message in messages]
    if sent:  # what promises has told already is an act of the case, and nothing more to say
        await tx.copy("outbox", ["partition", *Sent._fields], [(progress.partition, *each) for each in sent])
    return sent


async def _save_cases(tx: Transaction, changes: Sequence[Change]) -> None:
    if not changes:
        return
    trails = [(each, _trail(each)) for each in changes]
    rows = [_case_row(change.stored, trail[-1].digest) for change, trail in trails]
    # A customer's one place for a case in work must be free before another case takes it.
    await _upsert(tx, cases, sorted(rows, key=lambda row: row["state"] in IN_WORK))
    await tx.copy("acts", _ACT, [_act_row(change.stored.case.id, entry) for change, trail in trails for entry in trail])
    await _upsert(tx, failures, [row for change in changes for row in _failure_rows(change.stored.case)])
    await _upsert(tx, mass_members, [row for change in changes for row in _member_rows(change.stored.case)])
    await _upsert(tx, causes, [row for change in changes for row in _cause_rows(change.stored.case)])
    await _upsert(tx, owed, [row for change in changes for row in _owed_rows(change.stored.case)])
    await _upsert(tx, approvals, [row for change in changes for row in spending.approval_rows(change.stored.case)])
    await _upsert(tx, ledger, [row for change in changes for row in spending.ledger_rows(change.stored.case)])


def _trail(change: Change) -> list[Entry]:
    first = change.stored.case.version - len(change.happened) + 1
    return chain(change.stored.digest, first, change.happened)


async def _upsert(tx: Transaction, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows, over those that have their keys; by the driver alone, since a case that opens writes into some tables."""
    if rows:
        await tx.driver.executemany(_upserting(table, tuple(rows[0])), [tuple(row.values()) for row in rows])


@cache
def _upserting(table: sa.Table, columns: Sequence[str]) -> str:
    keys = [column.name for column in table.primary_key.columns]
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
    values = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({values}) ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changed}"


def _case_row(stored: Stored, digest: bytes) -> dict[str, Any]:
    case = stored.case
    return {
        "id": case.id,
        "customer": case.customer,
        "partition": stored.partition,
        "state": case.state.value,
        "severity": case.severity.value,
        "owner": case.owner,
        "ask": case.ask,
        "offered_to": case.offered_to,
        "merged_into": case.merged_into,
        "watchers": sorted(case.watchers),
        "opened_at": case.opened_at,
        "changed_at": case.changed_at,
        "due": case.due or NOTHING_DUE,
        "version": case.version,
        "fold": CASE.dump_json(case).decode(),
        "digest": digest,
    }


_ACT: Final = ("case_id", "number", "kind", "by", "at", "content", "payload", "payload_digest", "digest")


def _act_row(case: UUID, entry: Entry) -> tuple[Any, ...]:
    happened = entry.happened
    content, payload = json.dumps(dict(happened.content)), json.dumps(dict(happened.payload))
    return case, entry.number, happened.kind, happened.by, happened.at, content, payload, entry.payload_digest, entry.digest


def _failure_rows(case: Case) -> list[dict[str, Any]]:
    return [
        {
            "commitment": each.commitment,
            "case_id": case.id,
            "promise": each.promise,
            "severity": each.severity.value,
            "broken_at": each.broken_at,
            "withdrawn": each.withdrawn,
            "at_risk": each.at_risk,
            "component": each.component,
            "segment": each.segment,
        }
        for each in case.failures.values()
    ]


def _member_rows(case: Case) -> list[dict[str, Any]]:
    return [{"mass_failure": each, "case_id": case.id, "inside": inside} for each, inside in case.groups.items()]


def _cause_rows(case: Case) -> list[dict[str, Any]]:
    known = case.cause
    return [] if known is None else [{"case_id": case.id, "component": known.component, "because": known.because, "said_at": known.at}]


def _owed_rows(case: Case) -> list[dict[str, Any]]:
    return [
        {
            "id": each.id,
            "case_id": case.id,
            "kind": kind,
            "assignee": getattr(each, "assignee", None),
            "due": each.due,
            "state": each.state.value,
            "done": each.done,
        }
        for kind, each in case.owed()
    ]


def _number(progress: Progress, message: Message) -> Sent:
    """Give a message its place in the lane, and what goes to makegood.recovery its number there."""
    progress.ordinal += 1
    seq = None
    if message.topic == FACTS:
        seq = progress.state["facts"] = progress.state.get("facts", 0) + 1
    return Sent(progress.ordinal, message.topic, message.customer, progress.incarnation, seq, message.at, message.body)


_UNPUBLISHED = (
    "SELECT ordinal, topic, customer, incarnation, seq, at, body FROM outbox "
    "WHERE partition = $1 AND ordinal > $2 AND ordinal <= $3 ORDER BY ordinal LIMIT $4"
)


async def unpublished(driver: Driver, progress: Progress, limit: int) -> list[Sent]:
    """What was committed and not yet acknowledged by Kafka, in order."""
    rows = await driver.fetch(_UNPUBLISHED, progress.partition, progress.published, progress.ordinal, limit)
    return [Sent(*row) for row in rows]


async def trail_of(connection: AsyncConnection, case: UUID) -> list[Entry]:
    """The audit trail of a case, in order."""
    rows = await connection.execute(sa.select(acts).where(acts.c.case_id == case).order_by(acts.c.number))
    return [
        Entry(row.number, Happened(row.kind, row.by, row.at, row.content, row.payload or {}), row.payload_digest, row.digest)
        for row in rows
    ]


async def lanes(engine: AsyncEngine) -> int:
    """How many lanes there are: the partitions of the topic that recovery reads."""
    async with engine.connect() as connection:
        found: int | None = await connection.scalar(sa.select(topology.c.partitions).where(topology.c.topic == INPUT_TOPIC))
    return found or 1


async def answered(connection: AsyncConnection, once: Once) -> Answer | None:
    """The answer that this creation got before, None for a new one."""
    where = (creations.c.subject == once.subject, creations.c.key == once.key)
    columns = (creations.c.fingerprint, creations.c.status, creations.c.version, creations.c.body)
    row = (await connection.execute(sa.select(*columns).where(*where))).one_or_none()
    return Answer(*row) if row else None


async def remember(connection: AsyncConnection, once: Once, answer: Answer, case: UUID | None) -> None:
    """Keep the answer of a creation beside its effect."""
    values = {"subject": once.subject, "key": once.key, "fingerprint": once.fingerprint, "case_id": case}
    await connection.execute(creations.insert(), values | {"version": answer.version, "status": answer.status, "body": answer.body})


async def create(engine: AsyncEngine, once: Once, make: Callable[[AsyncConnection], Awaitable[Answer]]) -> Answer:
    """Create, outside the lanes, what belongs to no case, or give the answer that this creation got before."""
    async with engine.begin() as connection:
        lock = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
        await connection.execute(lock, {"name": f"creation {once.name}"})
        if before := await answered(connection, once):
            once.require_same(before.fingerprint)
            return before
        answer = await make(connection)
        await remember(connection, once, answer, None)
        return answer
