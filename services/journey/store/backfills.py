"""Backfills: who asked for each, and who is held for it in which lane."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction
from services.journey.store.tables import backfills


class Backfill(NamedTuple):
    """History that is brought into a running system."""

    id: UUID
    source: str
    reason: str
    by: str
    asked_at: datetime
    ended_at: datetime | None = None
    """When its end was asked for."""


async def register(engine: AsyncEngine, asked: Backfill) -> Backfill:
    """Note a backfill; returns what is noted under its id, which is the first that was."""
    async with engine.begin() as connection:
        await connection.execute(insert(backfills).values(asked._asdict()).on_conflict_do_nothing())
        row = (await connection.execute(sa.select(backfills).where(backfills.c.id == asked.id))).one()
    return Backfill(*row)


async def find(engine: AsyncEngine, id_: UUID) -> Backfill | None:
    """A backfill; None where there is none of that id."""
    async with engine.connect() as connection:
        row = (await connection.execute(sa.select(backfills).where(backfills.c.id == id_))).one_or_none()
    return None if row is None else Backfill(*row)


async def end(engine: AsyncEngine, id_: UUID, at: datetime) -> Backfill:
    """Note that a backfill is complete. The first end counts."""
    async with engine.begin() as connection:
        ended = sa.func.coalesce(backfills.c.ended_at, at)
        row = (await connection.execute(backfills.update().where(backfills.c.id == id_).values(ended_at=ended).returning(backfills))).one()
    return Backfill(*row)


async def all_of_them(engine: AsyncEngine) -> list[Backfill]:
    """Every backfill, the latest first."""
    async with engine.connect() as connection:
        rows = await connection.execute(sa.select(backfills).order_by(backfills.c.asked_at.desc(), backfills.c.id))
        return [Backfill(*row) for row in rows]


async def under_way(engine: AsyncEngine) -> Mapping[str, str]:
    """The backfills that are not complete: their source, by id."""
    return {str(each.id): each.source for each in await all_of_them(engine) if each.ended_at is None}


async def held_first(tx: Transaction, lane: str, held: Sequence[tuple[UUID, UUID, datetime]]) -> set[tuple[UUID, UUID]]:
    """Note who is held for a backfill in a lane, as (backfill, customer, since); returns those who were not yet."""
    rows = await tx.driver.fetch(
        "INSERT INTO backfilled (lane, backfill, customer, since) SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::timestamptz[]) "
        "ON CONFLICT DO NOTHING RETURNING backfill, customer",
        lane,
        *map(list, zip(*held, strict=True)),
    )
    return {(row[0], row[1]) for row in rows}


async def journalled(tx: Transaction, places: Sequence[tuple[UUID, datetime, UUID]]) -> list[tuple[UUID, datetime, UUID]]:
    """Which of these events are journalled, as (customer, time, event)."""
    rows = await tx.driver.fetch(
        "SELECT DISTINCT customer, time, event FROM journal JOIN unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) "
        "w(customer, time, event) USING (customer, time, event)",
        *map(list, zip(*places, strict=True)),
    )
    return [tuple(row) for row in rows]


async def let_go(tx: Transaction, lane: str, backfill: UUID) -> list[tuple[UUID, datetime]]:
    """Forget who is held for a backfill in a lane; returns them, and since when each was."""
    rows = await tx.driver.fetch("DELETE FROM backfilled WHERE lane = $1 AND backfill = $2 RETURNING customer, since", lane, backfill)
    return sorted((row[0], row[1]) for row in rows)
