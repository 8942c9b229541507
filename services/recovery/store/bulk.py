"""Acts that are done to many cases: the runs, and what became of each case."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.database import Transaction
from services.chassis.preconditions import Once
from services.recovery.store.tables import bulk_items, bulk_runs

WAITING, DONE, REFUSED = "waiting", "done", "refused"
UNKNOWN_CASE: Final = "There is no such case."


class Run(NamedTuple):
    """One act to be done to many cases, and by whose word."""

    id: UUID
    act: str
    needs: Mapping[str, Any]
    within: timedelta | None
    made_by: UUID | None
    mass_failure: UUID | None
    subject: str
    roles: Sequence[str]
    teams: Sequence[str]
    fingerprint: bytes
    at: datetime | None = None
    finished_at: datetime | None = None


class Item(NamedTuple):
    """One case of a run."""

    case_id: UUID
    state: str
    reason: str | None
    seen: int | None = None


_COLUMNS: Final = [bulk_runs.c[name] for name in Run._fields]


async def begin(connection: AsyncConnection, run: Run, once: Once) -> bool:
    """Keep a run; False where this creation began it before. Raises the 422 problem where its key came with another request."""
    values = {name: value for name, value in run._asdict().items() if name not in {"at", "finished_at"}}
    made = await connection.execute(insert(bulk_runs).values(values).on_conflict_do_nothing())
    if made.rowcount == 0:
        once.require_same(await connection.scalar(sa.select(bulk_runs.c.fingerprint).where(bulk_runs.c.id == run.id)) or b"")
    return made.rowcount > 0


_CHOOSE: Final = sa.text(
    "INSERT INTO bulk_items (run, case_id, partition, seen, state, reason) "
    "SELECT :run, chosen.id, coalesce(c.partition, 0), chosen.seen, CASE WHEN c.id IS NULL THEN 'refused' ELSE 'waiting' END, "
    "CASE WHEN c.id IS NULL THEN :unknown END FROM unnest(CAST(:ids AS uuid[]), CAST(:seen AS integer[])) AS chosen (id, seen) "
    "LEFT JOIN cases c ON c.id = chosen.id ON CONFLICT DO NOTHING"
)


async def choose(connection: AsyncConnection, run: UUID, cases: Mapping[UUID, int]) -> None:
    """These cases, each in the version that was seen, are to be done; those that are none are refused at once."""
    await connection.execute(_CHOOSE, {"run": run, "unknown": UNKNOWN_CASE, "ids": list(cases), "seen": list(cases.values())})


async def run_of(connection: AsyncConnection, run: UUID) -> Run | None:
    """One run, or None."""
    row = (await connection.execute(sa.select(*_COLUMNS).where(bulk_runs.c.id == run))).one_or_none()
    return Run(*row) if row else None


async def counts(connection: AsyncConnection, runs: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """How many cases of each run are in which state."""
    of_runs = bulk_items.c.run.in_(list(runs))
    query = sa.select(bulk_items.c.run, bulk_items.c.state, sa.func.count()).where(of_runs).group_by(bulk_items.c.run, bulk_items.c.state)
    found: dict[UUID, dict[str, int]] = {each: {} for each in runs}
    for run, state, number in await connection.execute(query):
        found[run][state] = number
    return found


async def items(engine: AsyncEngine, run: UUID, state: str | None, after: UUID | None, limit: int) -> list[Item]:
    """What became of the cases of a run, by their ids."""
    query = sa.select(bulk_items.c.case_id, bulk_items.c.state, bulk_items.c.reason).where(bulk_items.c.run == run)
    if state is not None:
        query = query.where(bulk_items.c.state == state)
    if after is not None:
        query = query.where(bulk_items.c.case_id > after)
    async with engine.connect() as connection:
        return [Item(*row) for row in await connection.execute(query.order_by(bulk_items.c.case_id).limit(limit))]


async def next_piece(engine: AsyncEngine) -> tuple[Run, int] | None:
    """The earliest run that has cases waiting, and a lane of theirs: what was asked first is done first in every case."""
    waiting = (
        sa.select(bulk_items.c.partition)
        .where(bulk_items.c.run == bulk_runs.c.id, bulk_items.c.state == WAITING)
        .order_by(bulk_items.c.partition)
        .limit(1)
        .lateral()
    )
    going_on = sa.select(*_COLUMNS, waiting.c.partition).join(waiting, sa.true()).where(bulk_runs.c.finished_at.is_(None))
    async with engine.connect() as connection:
        row = (await connection.execute(going_on.order_by(bulk_runs.c.at, bulk_runs.c.id).limit(1))).one_or_none()
        return (Run(*row[:-1]), row[-1]) if row else None


async def claim(tx: Transaction, run: UUID, partition: int, limit: int) -> list[Item]:
    """Some of the cases of a lane that wait; nobody else has them until this transaction has ended."""
    query = sa.select(bulk_items.c.case_id, bulk_items.c.state, bulk_items.c.reason, bulk_items.c.seen)
    mine = query.where(bulk_items.c.run == run, bulk_items.c.partition == partition, bulk_items.c.state == WAITING)
    rows = await tx.connection.execute(mine.order_by(bulk_items.c.case_id).limit(limit).with_for_update(skip_locked=True))
    return [Item(*row) for row in rows]


async def settle(tx: Transaction, run: Run, outcomes: Sequence[Item]) -> None:
    """Write what became of these cases, beside what was done in them."""
    await tx.driver.execute(
        "UPDATE bulk_items i SET state = o.state, reason = o.reason "
        "FROM unnest($2::uuid[], $3::text[], $4::text[]) AS o (id, state, reason) WHERE i.run = $1 AND i.case_id = o.id",
        run.id, [each.case_id for each in outcomes], [each.state for each in outcomes], [each.reason for each in outcomes],
    )  # fmt: skip


async def finish(engine: AsyncEngine) -> None:
    """End the runs over chosen cases that have none waiting, and let go of their words."""
    waiting = sa.exists().where(bulk_items.c.run == bulk_runs.c.id, bulk_items.c.state == WAITING)
    ended = sa.update(bulk_runs).where(bulk_runs.c.finished_at.is_(None), bulk_runs.c.mass_failure.is_(None), sa.not_(waiting))
    async with engine.begin() as connection:
        await connection.execute(ended.values(finished_at=sa.func.clock_timestamp(), needs={}))
