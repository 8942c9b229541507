"""The facts of promises and recovery as timelines show them.

Facts are many and read seldom. They are kept in packs of some that were read one after another; a row of `facts` says
where in a pack those of one customer and time are, and of promises also what each says.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.database import Transaction, driver_of, reading
from services.chassis.packed import unpack
from services.journey.store.reads import keys_of
from services.journey.store.rows import FactsRow, PackRow
from services.journey.store.tables import facts, journal, packs
from services.journey.timeline.said import Place, Row

Pack = tuple[str, int, int]


async def append_facts(tx: Transaction, packed: Sequence[PackRow], found: Sequence[FactsRow]) -> None:
    """Append facts of promises and recovery to what timelines show."""
    await tx.copy("packs", PackRow._fields, packed)
    await tx.copy("facts", FactsRow._fields, found)


async def open_packs(connection: AsyncConnection, wanted: Iterable[Pack]) -> dict[Pack, list[bytes]]:
    """The facts in these packs."""
    names = set(wanted)
    if not names:
        return {}
    query = sa.select(packs).where(sa.tuple_(packs.c.topic, packs.c.partition, packs.c.position).in_(names))
    return {(row.topic, row.partition, row.position): unpack(row.bodies) for row in await connection.execute(query)}


async def read_facts(engine: AsyncEngine, places: Sequence[Place]) -> list[bytes]:
    """The facts in these places, in their order."""
    async with reading(engine) as connection:
        opened = await open_packs(connection, (each[:3] for each in places))
    return [opened[each[:3]][each.place] for each in places]


async def read_said(engine: AsyncEngine, customer: UUID) -> list[Row]:
    """What was noted of all facts of promises about a person, in the order in which each partition said it."""
    query = "SELECT topic, partition, position, place, said FROM facts WHERE customer = ANY($1::uuid[]) AND said IS NOT NULL"
    async with reading(engine) as connection:
        person = await keys_of(connection, customer)
        rows = await (await driver_of(connection)).fetch(query, person)
    return sorted(map(Row._make, rows))


RECOVERY = "makegood.recovery"


async def read_cases(engine: AsyncEngine, customer: UUID) -> list[bytes]:
    """All that recovery said of a person, in the order in which each partition said it."""
    async with reading(engine) as connection:
        mine = sa.and_(facts.c.customer.in_(await keys_of(connection, customer)), facts.c.topic == RECOVERY)
        order = (facts.c.partition, facts.c.position, facts.c.place)
        rows = (await connection.execute(sa.select(facts).where(mine).order_by(*order))).all()
        opened = await open_packs(connection, ((row.topic, row.partition, row.position) for row in rows))
    return [body for row in rows for body in opened[row.topic, row.partition, row.position][row.place : row.place + row.number]]


async def read_pledges(engine: AsyncEngine, customer: UUID) -> list[bytes]:
    """What was pledged to a person, as recovery's touchpoints say it."""
    async with reading(engine) as connection:
        said = sa.and_(journal.c.lane.startswith("acts/"), journal.c.body.op("LIKE")(b'%"type":"recovery.pledge.made"%'))
        mine = sa.and_(journal.c.customer.in_(await keys_of(connection, customer)), sa.not_(journal.c.copied))
        return list((await connection.execute(sa.select(journal.c.body).where(mine, said))).scalars())
