"""What timelines show: touchpoints from the journal, and the facts of promises and recovery.

Facts are many and read seldom. They are kept in packs of some that were read one after another; a row of `facts` says
where in a pack those of one customer are.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.database import Transaction
from services.chassis.packed import unpack
from services.journey.store.tables import FactsRow, PackRow, facts, journal, packs


class Entry(NamedTuple):
    """One entry of a timeline; (time, kind, key) orders it."""

    time: datetime
    kind: int
    key: str
    arrival: datetime | None
    body: bytes | None


TOUCHPOINT, FACT = 0, 1
Cursor = tuple[datetime, int, str]


async def append_facts(tx: Transaction, packed: Sequence[PackRow], found: Sequence[FactsRow]) -> None:
    """Append facts of promises and recovery to what timelines show."""
    await tx.copy("packs", PackRow._fields, packed)
    await tx.copy("facts", FactsRow._fields, found)


async def read_timeline(engine: AsyncEngine, customer: UUID, after: Cursor | None, limit: int) -> list[Entry]:
    """A customer's touchpoints and the facts about them, in order of their time."""
    async with engine.connect() as connection:
        found = await _touchpoints(connection, customer, after, limit) + await _facts(connection, customer, after, limit)
    later = [each for each in found if after is None or each[:3] > after]
    return sorted(later, key=attrgetter("time", "kind", "key"))[:limit]


async def _touchpoints(connection: AsyncConnection, customer: UUID, after: Cursor | None, limit: int) -> list[Entry]:
    key = sa.cast(journal.c.event, sa.Text)
    query = sa.select(journal.c.time, sa.literal(TOUCHPOINT), key, journal.c.arrival, journal.c.body)
    query = query.where(journal.c.customer == customer, sa.not_(journal.c.copied)).order_by(journal.c.time, key).limit(limit)
    if after is not None:
        query = query.where(journal.c.time >= after[0], _from(after, journal.c.time, TOUCHPOINT, key))
    return [Entry(*row) for row in await connection.execute(query)]


async def _facts(connection: AsyncConnection, customer: UUID, after: Cursor | None, limit: int) -> list[Entry]:
    """As many rows as entries are wanted hold at least as many facts."""
    last = _key(facts.c.topic, facts.c.partition, facts.c.position, facts.c.place + facts.c.number - 1)
    query = sa.select(facts).where(facts.c.customer == customer).order_by(facts.c.time, last).limit(limit)
    if after is not None:
        query = query.where(facts.c.time >= after[0], _from(after, facts.c.time, FACT, last))
    rows = [FactsRow(*row) for row in await connection.execute(query)]
    wanted = {(row.topic, row.partition, row.position) for row in rows}
    if not wanted:
        return []
    named = sa.tuple_(packs.c.topic, packs.c.partition, packs.c.position)
    stored = await connection.execute(sa.select(packs).where(named.in_(wanted)))
    bodies = {tuple(row[:3]): unpack(row.bodies) for row in stored}
    return [entry for row in rows for entry in _entries(row, bodies[row.topic, row.partition, row.position])]


def _from(after: Cursor, time: sa.ColumnElement[datetime], kind: int, key: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    return sa.tuple_(time, sa.literal(kind), key) > sa.tuple_(*map(sa.literal, after))


def _key(topic: sa.Column[str], partition: sa.Column[int], position: sa.Column[int], place: sa.ColumnElement[int]) -> sa.Function[str]:
    """A fact's key: texts of it sort as the facts were read."""
    padded = [sa.func.lpad(sa.cast(each, sa.Text), width, "0") for each, width in ((position, 19), (place, 5))]
    return sa.func.concat(topic, "/", partition, "/", padded[0], "/", padded[1])


def _entries(row: FactsRow, bodies: Sequence[bytes]) -> Iterator[Entry]:
    for place in range(row.place, row.place + row.number):
        yield Entry(row.time, FACT, f"{row.topic}/{row.partition}/{row.position:019}/{place:05}", None, bodies[place])
