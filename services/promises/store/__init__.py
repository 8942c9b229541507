"""All SQL of the promises service: values in, values out. Here what a batch loads and saves; in `reads` what people ask."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Final
from uuid import UUID

from services.chassis.database import Driver, Transaction
from services.promises.blindness import Spot
from services.promises.commitment import Commitment
from services.promises.lending import LentRow
from services.promises.store.lent import NOT_TAKEN_BACK, lend
from services.promises.store.tables import EvidenceRow, PackRow, PromiseRow, Refused

COMMITMENT = [each.name for each in fields(Commitment)]
_row = attrgetter(*COMMITMENT)
_COLUMNS = ", ".join(f"c.{name}" for name in COMMITMENT)
_EVIDENCE = ", ".join(f"e.{name}" for name in EvidenceRow._fields)
UPDATES: Final[Mapping[str, Sequence[str]]] = {
    "judged": (
        "state", "reason", "due", "sayable", "next_at", "wake", "settled", "decided_by", "late", "standing", "verdict", "verdict_state",
        "trace", "said",
    ),
    "anchored": ("promise", "trigger_event", "trigger_id", "trigger_type", "trigger_time", "segment"),
}  # fmt: skip
"""What changes together of a commitment; a type of that name in the database holds its id and these columns."""


async def _update(tx: Transaction, kind: str, changes: Sequence[Commitment]) -> None:
    """Write some columns of many commitments in one statement; a row is one value, since checking each element costs as much."""
    columns = UPDATES[kind]
    assigned = ", ".join(f"{name} = n.{name}" for name in columns)
    statement = f"UPDATE commitments c SET {assigned} FROM unnest($1::{kind}[]) n WHERE c.id = n.id"
    await tx.driver.execute(statement, list(map(attrgetter("id", *columns), changes)))


async def catalogue_revision(tx: Transaction) -> int:
    """A number that moves whenever a promise version or a source is published, or has been looked back for."""
    revision: int = await tx.driver.fetchval(
        "SELECT (SELECT coalesce(max(id), 0) FROM promises) + (SELECT coalesce(max(id), 0) FROM sources) "
        "+ (SELECT coalesce(max(id), 0) FROM look_backs)"
    )
    return revision


async def read_promises(connection: Driver) -> list[PromiseRow]:
    """Every promise version and retirement with the calendar it is judged by, in the order of publication."""
    rows = await connection.fetch(
        "SELECT p.id, p.name, p.version, p.effective_from, p.document, c.document, c.version "
        "FROM promises p LEFT JOIN calendars c ON c.id = p.calendar ORDER BY p.id"
    )
    return [PromiseRow(*row) for row in rows]


async def stored_strands(tx: Transaction, strands: Iterable[UUID]) -> set[UUID]:
    """Which of these strands anything is stored of."""
    rows = await tx.driver.fetch(
        "SELECT s.strand FROM unnest($1::uuid[]) s(strand) WHERE EXISTS (SELECT FROM evidence e WHERE e.strand = s.strand) "
        "OR EXISTS (SELECT FROM commitments c WHERE c.strand = s.strand)",
        list(strands),
    )
    return {row[0] for row in rows}


async def unsettled(tx: Transaction, since: Mapping[UUID, datetime]) -> list[Commitment]:
    """The commitments of these strands that an event of that time or later, or time alone, may still change."""
    rows = await tx.driver.fetch(
        f"SELECT {_COLUMNS} FROM unnest($1::uuid[], $2::timestamptz[]) s(strand, since) "
        "JOIN commitments c ON c.strand = s.strand AND (coalesce(c.settled, 'infinity') >= s.since OR c.next_at IS NOT NULL)",
        list(since),
        list(since.values()),
    )
    return [Commitment(*row) for row in rows]


async def due(tx: Transaction, partition: int, looked: datetime, barrier: datetime, limit: int) -> list[Commitment]:
    """The commitments of a partition that are to be looked at from one barrier to another, the earliest first."""
    rows = await tx.driver.fetch(
        f"SELECT {_COLUMNS} FROM commitments c WHERE c.partition = $1 AND c.wake >= $2 AND c.wake <= $3 AND c.next_at IS NOT NULL "
        "ORDER BY c.wake LIMIT $4",
        partition,
        looked,
        barrier,
        limit,
    )
    return [Commitment(*row) for row in rows]


async def next_wake(driver: Driver, partition: int, looked: datetime) -> datetime | None:
    """The first barrier from this one on at which a commitment of a partition may have to be looked at."""
    found: datetime | None = await driver.fetchval(
        "SELECT wake FROM commitments WHERE partition = $1 AND wake >= $2 ORDER BY wake LIMIT 1", partition, looked
    )
    return found


async def read_evidence(tx: Transaction, since: Mapping[UUID, datetime], *, lent: bool = True) -> list[EvidenceRow]:
    """The evidence of these strands from an event time on, but for what was taken back; `lent` false: nothing ever was."""
    rows = await tx.driver.fetch(
        f"SELECT {_EVIDENCE} FROM unnest($1::uuid[], $2::timestamptz[]) "
        "s(strand, since) JOIN evidence e ON e.strand = s.strand AND e.time >= s.since" + (NOT_TAKEN_BACK if lent else ""),
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
    said: Sequence[PackRow],
    refused: Sequence[Refused],
    spots: Iterable[Spot],
    lent: Sequence[LentRow],
) -> None:
    """Append evidence and facts; add commitments, update what is judged of them, and the triggers of those that moved."""
    await tx.copy("evidence", EvidenceRow._fields, seen)
    await tx.copy("commitments", COMMITMENT, [_row(each) for each in opened])
    for kind, changes in (("judged", list(changed)), ("anchored", list(moved))):
        if changes:
            await _update(tx, kind, changes)
    await tx.copy("outbox", PackRow._fields, said)
    await tx.copy("quarantine", Refused._fields, refused)
    await lend(tx, lent)
    for spot in spots:
        await tx.driver.execute(_PUT_SPOT, *spot)


_PUT_SPOT: Final = (
    'INSERT INTO blind_spots (partition, subject, record, start, "end", why) VALUES ($1, $2, $3, $4, $5, $6) '
    'ON CONFLICT (partition, subject, record, start) DO UPDATE SET "end" = excluded."end"'
)


async def blind_spots(tx: Transaction, partition: int, subjects: Sequence[str], since: datetime) -> list[Spot]:
    """What was not read in a partition that bears on these customers and sources, and had not ended by then."""
    rows = await tx.driver.fetch(
        'SELECT * FROM blind_spots WHERE partition = $1 AND subject = ANY($2::text[]) AND ("end" IS NULL OR "end" >= $3)',
        partition,
        subjects,
        since,
    )
    return [Spot(*row) for row in rows]


async def wake(tx: Transaction, partition: int, customers: Sequence[UUID], promises: Sequence[int], barrier: datetime) -> None:
    """Have what is held of these customers and promises judged anew at the next barrier."""
    await tx.driver.execute(
        "UPDATE commitments SET next_at = $4, wake = $4 WHERE partition = $1 AND held "
        "AND (customer = ANY($2::uuid[]) OR promise = ANY($3::int[]))",
        partition,
        customers,
        promises,
        barrier,
    )


async def unpublished(driver: Driver, partition: int, after: int, limit: int) -> list[PackRow]:
    """The next packs of a partition that hold facts after an ordinal."""
    rows = await driver.fetch(
        f"SELECT {', '.join(PackRow._fields)} FROM outbox WHERE partition = $1 AND last > $2 ORDER BY last LIMIT $3",
        partition,
        after,
        limit,
    )
    return [PackRow(*row) for row in rows]
