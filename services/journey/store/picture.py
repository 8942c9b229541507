"""What the picture of customers is made of and comes to: documents, histories, and what is kept of all customers."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.database import Transaction
from services.journey.picture.history import FactRow, History, Row, read
from services.journey.picture.whole import Item, Picture
from services.journey.store import projections
from services.journey.store.facts import open_packs
from services.journey.store.reads import keys_of
from services.journey.store.tables import customers, erasures, facts, journal, picture_documents, picture_items, tallies

ITEMS_AT_ONCE = 1000
PROJECTION = "pictures"
"""The projection that keeps all this."""


class Published(NamedTuple):
    """A version of a document that is in force."""

    kind: str
    name: str
    version: int
    document: bytes
    published_at: datetime
    published_by: str


class Person(NamedTuple):
    """One person: the key that stands for them, and all the keys their events are kept under."""

    key: UUID
    keys: tuple[UUID, ...]


async def published(connection: AsyncConnection) -> list[Published]:
    """The documents in force: of each kind and name the latest version, unless that retired it."""
    kind, name, version = picture_documents.primary_key.columns
    query = sa.select(picture_documents).ext(distinct_on(kind, name)).order_by(kind, name, version.desc())
    return [Published(*row) for row in await connection.execute(query) if row.document is not None]


async def publish(engine: AsyncEngine, kind: str, name: str, document: bytes, by: str, at: datetime) -> int:
    """Publish a version; the same document again changes nothing. Returns the version."""
    version = await _renew(engine, kind, name, document, by, at)
    assert version is not None
    return version


async def retire(engine: AsyncEngine, kind: str, name: str, by: str, at: datetime) -> bool:
    """Let a document be in force no more; whether it was ever published."""
    return await _renew(engine, kind, name, None, by, at) is not None


async def _renew(engine: AsyncEngine, kind: str, name: str, document: bytes | None, by: str, at: datetime) -> int | None:
    """Put a version in force, None for none, between two steps of the projection, and let every customer be seen anew by it."""
    named = {"kind": kind, "name": name}
    newest = sa.select(picture_documents).where(picture_documents.c.kind == kind, picture_documents.c.name == name)
    newest = newest.order_by(picture_documents.c.version.desc()).limit(1)
    async with engine.begin() as connection:
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('picture ' || :kind || ' ' || :name))"), named)
        await connection.execute(projections.CLAIM_NOW, {"name": PROJECTION})
        before = (await connection.execute(newest)).one_or_none()
        if before is None and document is None:
            return None
        if before is not None and before.document == document:
            return int(before.version)
        version = 1 if before is None else int(before.version) + 1
        row = named | {"version": version, "document": document, "published_at": at, "published_by": by}
        await connection.execute(picture_documents.insert().values(row))
        await connection.execute(sa.text("INSERT INTO picture_dirty (customer) SELECT key FROM customers ON CONFLICT DO NOTHING"))
        return version


async def any_published(tx: Transaction) -> bool:
    """Whether anything was published that asks for pictures."""
    found: bool = await tx.driver.fetchval("SELECT EXISTS (SELECT FROM picture_documents)")
    return found


async def persons(connection: AsyncConnection, keys: Iterable[UUID]) -> dict[UUID, Person]:
    """Whose keys these are, by key; one that is nobody's is left out."""
    root = sa.func.coalesce(customers.c.person, customers.c.key)
    asked = sa.select(root).where(customers.c.key.in_(list(keys)))
    query = (
        sa.select(root, customers.c.key)
        .where(sa.or_(customers.c.key.in_(asked), customers.c.person.in_(asked)))
        .order_by(root, customers.c.key)
    )
    found: dict[UUID, list[UUID]] = defaultdict(list)
    for person, key in await connection.execute(query):
        found[person].append(key)
    whole = [Person(person, tuple(its)) for person, its in found.items()]
    return {key: person for person in whole for key in person.keys}


async def erased(connection: AsyncConnection, keys: Iterable[UUID]) -> set[UUID]:
    """Which of these were erased: what had been counted of them stays as it is, and nothing more is said of them."""
    found = await connection.execute(sa.select(erasures.c.customer).where(erasures.c.customer.in_(list(keys))))
    return set(found.scalars())


async def freeze(tx: Transaction, keys: Collection[UUID]) -> None:
    """Leave what is kept of these as it is for good."""
    if keys:
        await tx.driver.execute("UPDATE pictures SET again = NULL WHERE customer = ANY($1::uuid[])", list(keys))
        await tx.driver.execute("DELETE FROM picture_items WHERE customer = ANY($1::uuid[])", list(keys))
        await tx.driver.execute("DELETE FROM picture_dirty WHERE customer = ANY($1::uuid[])", list(keys))


async def histories(connection: AsyncConnection, found: Collection[Person]) -> dict[UUID, History]:
    """The history of each person, by the key that stands for them."""
    whose = {key: person.key for person in found for key in person.keys}
    touchpoints: dict[UUID, list[Row]] = defaultdict(list)
    query = sa.select(journal.c.customer, journal.c.event, journal.c.arrival, journal.c.body)
    query = query.where(journal.c.customer.in_(whose), sa.not_(journal.c.copied), journal.c.body.is_not(None))
    for customer, *row in await connection.execute(query):
        touchpoints[whose[customer]].append(Row(*row))
    told: dict[UUID, list[FactRow]] = defaultdict(list)
    for customer, fact in await _facts(connection, whose):
        told[whose[customer]].append(fact)
    return {person.key: read(touchpoints[person.key], told[person.key]) for person in found}


async def sensed(connection: AsyncConnection, customer: UUID) -> History:
    """What was sensed of a person and what they agreed to, and nothing else of their history."""
    query = sa.select(journal.c.event, journal.c.arrival, journal.c.body).where(
        journal.c.customer.in_(await keys_of(connection, customer)),
        sa.not_(journal.c.copied),
        journal.c.body.op("LIKE")(b'%"type":"customer.%'),
    )
    return read([Row(*row) for row in await connection.execute(query)], [])


async def _facts(connection: AsyncConnection, keys: Iterable[UUID]) -> list[tuple[UUID, FactRow]]:
    rows = (await connection.execute(sa.select(facts).where(facts.c.customer.in_(list(keys))))).all()
    bodies = await open_packs(connection, ((row.topic, row.partition, row.position) for row in rows))
    found = []
    for row in rows:
        for place in range(row.place, row.place + row.number):
            order = (row.topic, row.partition, row.position, place)
            found.append((row.customer, FactRow(order, bodies[order[:3]][place])))
    return found


async def sizes(tx: Transaction, keys: Iterable[UUID]) -> dict[UUID, int]:
    """How many events each of these customers has."""
    rows = await tx.driver.fetch("SELECT customer, count(*) FROM journal WHERE customer = ANY($1::uuid[]) GROUP BY customer", list(keys))
    return {row[0]: row[1] for row in rows}


async def stated(tx: Transaction, events: Collection[UUID]) -> set[UUID]:
    """Of whom these statements say that they are one person, or are not."""
    rows = await tx.driver.fetch("SELECT one, other FROM statements WHERE event = ANY($1::uuid[])", list(events))
    return {key for row in rows for key in row}


async def mark(tx: Transaction, keys: Collection[UUID]) -> None:
    """Note whose picture has to be made anew, in the order in which they were met: their facts stand in the same packs."""
    if keys:
        statement = "INSERT INTO picture_dirty (customer) SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING"
        await tx.driver.execute(statement, list(keys))


async def mark_due(tx: Transaction, now: datetime, limit: int) -> None:
    """Note whose picture time alone has changed by now."""
    await tx.driver.execute(
        "INSERT INTO picture_dirty (customer) SELECT customer FROM pictures WHERE again < $1 ORDER BY again LIMIT $2 "
        "ON CONFLICT DO NOTHING",
        now,
        limit,
    )


async def marked(tx: Transaction, limit: int) -> list[UUID]:
    """Some of those whose picture has to be made anew, whoever was met first."""
    return [row[0] for row in await tx.driver.fetch("SELECT customer FROM picture_dirty ORDER BY number LIMIT $1", limit)]


async def save(tx: Transaction, made: Mapping[UUID, Picture], gone: Collection[UUID]) -> None:
    """Put pictures in the place of what was kept of these customers and of those that are `gone`, and the difference into the totals."""
    keys = [*made, *gone]
    before = await tx.driver.fetch("DELETE FROM pictures WHERE customer = ANY($1::uuid[]) RETURNING tally", keys)
    change: dict[str, int] = defaultdict(int)
    for (tally,) in before:
        for name, number in orjson.loads(tally).items():
            change[name] -= number
    for each in made.values():
        for name, number in each.tally.items():
            change[name] += number
    await tx.copy("pictures", ("customer", "again", "tally"), [(key, each.again, orjson.dumps(each.tally)) for key, each in made.items()])
    await _add(tx, {name: number for name, number in change.items() if number})
    await tx.driver.execute("DELETE FROM picture_items WHERE customer = ANY($1::uuid[])", keys)
    items = [_item(key, each) for key, picture in made.items() for each in picture.items]
    await tx.copy("picture_items", ("list", "customer", "event", "topic", "time", "owner", "further"), items)
    await tx.driver.execute("DELETE FROM picture_dirty WHERE customer = ANY($1::uuid[])", keys)


async def forget(tx: Transaction, customer: UUID, prefix: str, declared: Collection[str]) -> None:
    """Call `erased` what only this customer has a part in, of the totals named `prefix`, something of ours and a name not `declared`."""
    await tx.connection.execute(projections.CLAIM_NOW, {"name": PROJECTION})
    for (stored,) in await tx.driver.fetch("SELECT tally FROM pictures WHERE customer = $1", customer):
        before: dict[str, int] = orjson.loads(stored)
        named = [name for name in before if name.startswith(prefix) and name.split(":", 2)[2] not in declared]
        lone = await tx.driver.fetch(
            "SELECT name FROM tallies JOIN unnest($1::text[], $2::bigint[]) n(name, value) USING (name, value)",
            named,
            [before[each] for each in named],
        )
        change: dict[str, int] = defaultdict(int)
        for (name,) in lone:
            change[name] -= before[name]
            change[":".join([*name.split(":", 2)[:2], "erased"])] += before[name]
        left = {name: number for name in before | change if (number := before.get(name, 0) + change[name])}
        await tx.driver.execute("UPDATE pictures SET tally = $2 WHERE customer = $1", customer, orjson.dumps(left))
        await _add(tx, change)


async def _add(tx: Transaction, change: Mapping[str, int]) -> None:
    if change:
        names = sorted(change)
        await tx.driver.execute(
            "INSERT INTO tallies (name, value) SELECT * FROM unnest($1::text[], $2::bigint[]) "
            "ON CONFLICT (name) DO UPDATE SET value = tallies.value + excluded.value",
            names, [change[each] for each in names],
        )  # fmt: skip
        await tx.driver.execute("DELETE FROM tallies WHERE name = ANY($1::text[]) AND value = 0", names)


def _item(customer: UUID, each: Item) -> tuple[Any, ...]:
    return (each.list, customer, each.event, each.topic, each.time, each.owner, orjson.dumps(each.further))


async def totals(connection: AsyncConnection, prefix: str) -> dict[str, int]:
    """The totals whose names begin like this, without that beginning."""
    query = sa.select(tallies).where(sa.func.starts_with(tallies.c.name, prefix))
    return {row.name.removeprefix(prefix): row.value for row in await connection.execute(query)}


async def waiting(connection: AsyncConnection) -> int:
    """How many customers are still to be seen anew before the totals are those of what was read."""
    return int((await connection.execute(sa.text("SELECT count(*) FROM picture_dirty"))).scalar_one())


class Listed(NamedTuple):
    """An entry of a list that runs over all customers."""

    list: str
    customer: UUID
    event: UUID
    topic: str
    time: datetime
    owner: str | None
    further: dict[str, Any]


ItemCursor = tuple[datetime, UUID, UUID]


async def items(connection: AsyncConnection, list_: str, after: ItemCursor | None, limit: int, topic: str | None = None) -> list[Listed]:
    """A page of a list, oldest first; of one topic, where one is asked for."""
    order = (picture_items.c.time, picture_items.c.customer, picture_items.c.event)
    query = sa.select(picture_items).where(picture_items.c.list == list_).order_by(*order).limit(limit)
    if topic is not None:
        query = query.where(picture_items.c.topic == topic)
    if after is not None:
        query = query.where(sa.tuple_(*order) > sa.tuple_(*map(sa.literal, after)))
    rows = await connection.execute(query)
    return [Listed(row.list, row.customer, row.event, row.topic, row.time, row.owner, orjson.loads(row.further)) for row in rows]


async def all_items(connection: AsyncConnection, list_: str, topic: str | None = None) -> AsyncIterator[list[Listed]]:
    """All of a list, oldest first, so many at a time."""
    after: ItemCursor | None = None
    while found := await items(connection, list_, after, ITEMS_AT_ONCE, topic):
        yield found
        after = (found[-1].time, found[-1].customer, found[-1].event)


__all__: Sequence[str] = [
    "ItemCursor", "Listed", "Person", "Published", "all_items", "any_published", "erased", "forget", "freeze", "histories", "items", "mark",
    "mark_due", "marked", "persons", "publish", "published", "retire", "save", "sensed", "sizes", "stated", "totals", "waiting",
]  # fmt: skip
