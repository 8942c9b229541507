"""Refused records, and what an operator did about each: one act at most, which settles it."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction
from services.journey.store.tables import quarantine, quarantine_acts


class Listed(NamedTuple):
    """A refused record without what was sent; `act` is what settled it."""

    lane: str
    position: int
    reason: str
    detail: str
    place: str
    source: str | None
    arrival: datetime
    held: list[UUID]
    act: str | None
    by: str | None
    at: datetime | None
    why: str | None


class Kept(NamedTuple):
    """A refused record with what was sent, byte for byte."""

    listed: Listed
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Act(NamedTuple):
    """What settled a refused record, in the order of the table's columns."""

    lane: str
    position: int
    act: str
    by: str
    at: datetime
    reason: str | None
    event: bytes | None
    answer: bytes


_THERE = (quarantine.c.lane == quarantine_acts.c.lane) & (quarantine.c.position == quarantine_acts.c.position)
_BOTH = quarantine.outerjoin(quarantine_acts, _THERE)
_LISTED = (
    *(quarantine.c[name] for name in Listed._fields[:8]),
    quarantine_acts.c.act, quarantine_acts.c.by, quarantine_acts.c.at, quarantine_acts.c.reason.label("why"),
)  # fmt: skip


async def page(engine: AsyncEngine, after: tuple[str, int] | None, limit: int, *, settled: bool | None = None) -> list[Listed]:
    """Refused records in order of lane and offset, settled ones, others, or both."""
    query = sa.select(*_LISTED).select_from(_BOTH).order_by(quarantine.c.lane, quarantine.c.position).limit(limit)
    if settled is not None:
        query = query.where(quarantine_acts.c.act.is_not(None) if settled else quarantine_acts.c.act.is_(None))
    if after is not None:
        query = query.where(sa.tuple_(quarantine.c.lane, quarantine.c.position) > sa.tuple_(*map(sa.literal, after)))
    async with engine.connect() as connection:
        return [Listed(*row) for row in await connection.execute(query)]


async def look(engine: AsyncEngine, lane: str, position: int) -> Kept | None:
    """One refused record, or None."""
    query = sa.select(*_LISTED, quarantine.c.key, quarantine.c.value, quarantine.c.headers).select_from(_BOTH)
    query = query.where(quarantine.c.lane == lane, quarantine.c.position == position)
    async with engine.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    *listed, key, value, headers = row
    return Kept(Listed(*listed), key, value, [(name, bytes.fromhex(content)) for name, content in orjson.loads(headers)])


async def settled(tx: Transaction, lane: str, position: int) -> Act | None:
    """What settled a record, None while nothing has."""
    rows = await tx.driver.fetch(f"SELECT {', '.join(Act._fields)} FROM quarantine_acts WHERE lane = $1 AND position = $2", lane, position)
    return Act(*rows[0]) if rows else None


async def settle(tx: Transaction, act: Act) -> None:
    """Keep what settles a record."""
    await tx.copy("quarantine_acts", Act._fields, [act])


async def journey_partitions(tx: Transaction) -> int:
    """How many partitions makegood.journey has, as this system was created with them."""
    found: int = await tx.driver.fetchval("SELECT partitions FROM topology WHERE topic = 'makegood.journey'")
    return found
