"""What look-back reads and keeps: evidence for versions that were published after it, and for which versions that is done."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Driver, Transaction, transaction
from services.promises.store.tables import EvidenceRow, evidence, look_backs, progress, promises

_COLUMNS: Final = ", ".join(f"e.{name}" for name in EvidenceRow._fields)
_MARKS: Final = (
    "UPDATE evidence e SET marks = n.marks FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) n(strand, event, marks) "
    "WHERE e.strand = n.strand AND e.event = n.event"
)
Seeded = frozenset[tuple[int, int]]
"""Promise versions and partitions whose look-back is read."""


async def newest(engine: AsyncEngine) -> int:
    """The number of the promise version that was published last."""
    async with engine.connect() as connection:
        return int((await connection.execute(sa.select(sa.func.coalesce(sa.func.max(promises.c.id), 0)))).scalar_one())


async def read_seeded(connection: Driver) -> Seeded:
    """The versions whose look-back is read, by partition."""
    return frozenset((row[0], row[1]) for row in await connection.fetch("SELECT promise, partition FROM look_backs"))


async def seeded(engine: AsyncEngine) -> Seeded:
    """The same, for those who have no transaction."""
    async with engine.connect() as connection:
        rows = await connection.execute(sa.select(look_backs.c.promise, look_backs.c.partition))
        return frozenset((row[0], row[1]) for row in rows)


async def partitions(engine: AsyncEngine, topic: str) -> list[int]:
    """The partitions that somebody has applied something of."""
    query = sa.select(progress.c.partition).where(progress.c.topic == topic).order_by(progress.c.partition)
    async with engine.connect() as connection:
        return list((await connection.execute(query)).scalars())


async def page_of_evidence(engine: AsyncEngine, after: tuple[UUID, UUID] | None, limit: int) -> list[EvidenceRow]:
    """All evidence, so many rows at a time."""
    key = (evidence.c.strand, evidence.c.event)
    query = sa.select(*[evidence.c[name] for name in EvidenceRow._fields]).order_by(*key).limit(limit)
    if after is not None:
        query = query.where(sa.tuple_(*key) > after)
    async with engine.connect() as connection:
        return [EvidenceRow(*row) for row in await connection.execute(query)]


async def put_marks(engine: AsyncEngine, rows: Sequence[EvidenceRow]) -> None:
    """Let more versions see something in events that are kept."""
    if rows:
        async with transaction(engine, sa.text("SELECT 1"), {}) as tx:
            await put(tx, [], rows)


async def evidence_of(tx: Transaction, pairs: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], EvidenceRow]:
    """What is kept of these (strand, event)."""
    rows = await tx.driver.fetch(
        f"SELECT {_COLUMNS} FROM unnest($1::uuid[], $2::uuid[]) k(strand, event) JOIN evidence e USING (strand, event)",
        [strand for strand, _ in pairs],
        [event for _, event in pairs],
    )
    return {(row[0], row[1]): EvidenceRow(*row) for row in rows}


async def erased(tx: Transaction, partition: int) -> set[UUID]:
    """Who was erased."""
    return {row[0] for row in await tx.driver.fetch("SELECT customer FROM erasures WHERE partition = $1", partition)}


async def put(tx: Transaction, added: Sequence[EvidenceRow], changed: Sequence[EvidenceRow]) -> None:
    """Keep more evidence, and what more versions see in what is kept."""
    await tx.copy("evidence", EvidenceRow._fields, added)
    if changed:
        columns = [[row.strand for row in changed], [row.event for row in changed], [row.marks for row in changed]]
        await tx.driver.execute(_MARKS, *columns)


async def end(tx: Transaction, partition: int, versions: Sequence[int], barrier: datetime | None) -> None:
    """Note that it is done, and have what these versions opened meanwhile judged anew."""
    await tx.driver.execute(
        "INSERT INTO look_backs (promise, partition) SELECT unnest($1::int[]), $2 ON CONFLICT DO NOTHING", versions, partition
    )
    if barrier is not None:
        await tx.driver.execute(
            "UPDATE commitments SET next_at = $3, wake = $3 WHERE partition = $2 AND promise = ANY($1::int[])", versions, partition, barrier
        )
