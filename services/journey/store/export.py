"""What an export reads of a customer: table by table, a page at a time."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import transaction
from services.chassis.packed import unpack
from services.journey.picture.agreed import Agreed
from services.journey.picture.discretion import may_be_told, may_see
from services.journey.store.identity import others_of
from services.journey.store.picture import sensed
from services.journey.store.tables import attributes as attributes_table
from services.journey.store.tables import conflicts as conflicts_table
from services.journey.store.tables import customers as customers_table
from services.journey.store.tables import facts as facts_table
from services.journey.store.tables import identifiers as identifiers_table
from services.journey.store.tables import journal, packs, quarantine

PAGE: Final = 500
Records = AsyncIterator[dict[str, Any]]


async def keys_of(engine: AsyncEngine, customer: UUID) -> list[UUID]:
    """All keys of the person; empty where there is no such customer."""
    async with transaction(engine, sa.select(customers_table.c.key).where(customers_table.c.key == customer), {}) as tx:
        return [customer, *(await others_of(tx, [customer])).get(customer, [])] if tx.opening else []


async def _rows(engine: AsyncEngine, query: sa.Select[Any]) -> Sequence[Mapping[Any, Any]]:
    """All rows at once: whoever reads the export may go away between two of its lines, and no connection is to wait for them."""
    async with engine.connect() as connection:
        found: Sequence[Mapping[Any, Any]] = (await connection.execute(query)).mappings().all()
        return found


async def customers(engine: AsyncEngine, keys: Sequence[UUID]) -> Records:
    """The keys themselves."""
    table = customers_table
    for row in await _rows(engine, sa.select(table).where(table.c.key.in_(keys)).order_by(table.c.key)):
        yield {"key": row["key"], "known_by_things_only": row["provisional"], "since": row["since"]}


async def identifiers(engine: AsyncEngine, keys: Sequence[UUID]) -> Records:
    """The identifiers that lead to them."""
    table = identifiers_table
    query = sa.select(table.c.identifier, table.c.person).where(table.c.customer.in_(keys)).order_by(table.c.identifier)
    for row in await _rows(engine, query):
        yield {"identifier": row["identifier"], "of": "person" if row["person"] else "thing"}


async def attributes(engine: AsyncEngine, keys: Sequence[UUID]) -> Records:
    """What was described of them."""
    table = attributes_table
    query = sa.select(table).where(table.c.customer.in_(keys), table.c.value.is_not(None)).order_by(table.c.customer, table.c.name)
    for row in await _rows(engine, query):
        yield {"name": row["name"], "value": orjson.loads(row["value"]), "time": row["time"]}


async def touchpoints(engine: AsyncEngine, keys: Sequence[UUID]) -> Records:
    """Their own events, but for what was sensed of them and is discreet; copies for the other keys of the same person say nothing new."""
    async with engine.connect() as connection:
        agreed = Agreed(await sensed(connection, keys[0]), None)
    place = (journal.c.lane, journal.c.ordinal)
    query = sa.select(*place, journal.c.body).where(journal.c.customer.in_(keys), sa.not_(journal.c.copied), journal.c.body.is_not(None))
    query = query.order_by(*place).limit(PAGE)
    after: tuple[str, int] | None = None
    while True:
        page = query if after is None else query.where(sa.tuple_(*place) > sa.tuple_(*map(sa.literal, after)))
        found = await _rows(engine, page)
        for row in found:
            if may_see(None, event := orjson.loads(row["body"])):
                yield {"event": agreed.as_shown(event, None, used=False)}
        if len(found) < PAGE:
            return
        after = (found[-1]["lane"], found[-1]["ordinal"])


async def facts(engine: AsyncEngine, keys: Sequence[UUID]) -> Records:
    """What promises and recovery said of them."""
    where = (facts_table.c.topic, facts_table.c.partition, facts_table.c.position)
    named = sa.select(*where).where(facts_table.c.customer.in_(keys)).distinct().order_by(*where)
    for pack in await _rows(engine, named):
        same = [column == pack[column.name] for column in where]
        bodies = [row["bodies"] for row in await _rows(engine, sa.select(packs.c.bodies).where(
            packs.c.topic == pack["topic"], packs.c.partition == pack["partition"], packs.c.position == pack["position"]))]  # fmt: skip
        texts = unpack(bodies[0])
        runs = sa.select(facts_table.c.place, facts_table.c.number).where(facts_table.c.customer.in_(keys), *same)
        for run in await _rows(engine, runs.order_by(facts_table.c.place)):
            for body in texts[run["place"] : run["place"] + run["number"]]:
                yield {"event": orjson.loads(body)}


async def conflicts(engine: AsyncEngine, keys: Sequence[UUID]) -> Records:
    """Events that name several persons, as keys only: what they say is the other's, too."""
    table = conflicts_table
    query = sa.select(table).where(table.c.customer.in_(keys) | table.c.other.in_(keys)).order_by(table.c.arrival, table.c.event)
    for row in await _rows(engine, query):
        yield {"event": row["event"], "arrival": row["arrival"]}


async def refused(engine: AsyncEngine, keys: Sequence[UUID]) -> Records:
    """What could not be taken, and holds them."""
    query = sa.select(quarantine).where(sa.type_coerce(quarantine.c.held, ARRAY(sa.Uuid)).overlap(list(keys)))
    for row in await _rows(engine, query.order_by(quarantine.c.lane, quarantine.c.position)):
        text = None if row["value"] is None else row["value"].decode("utf-8", "replace")
        yield {"record": f"{row['lane']}/{row['position']}", "reason": row["reason"], "arrival": row["arrival"],
               "text": text if text is not None and may_be_told(text) else None}  # fmt: skip
