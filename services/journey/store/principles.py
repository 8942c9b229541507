"""Published principles, each in versions, and the promises that journey was told of, each in the versions that promises gave it."""

from datetime import datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.database import Transaction
from services.journey.promised import Known, at_version, known, promised
from services.journey.store.tables import principles, promise_documents


class PublishedPrinciple(NamedTuple):
    """A version of a principle that is in force."""

    name: str
    version: int
    document: bytes
    published_at: datetime
    published_by: str


class PromiseDocument(NamedTuple):
    """One version of a promise, as it was published."""

    name: str
    version: int
    document: dict[str, Any]
    retired_from: datetime | None
    """From when on it is made to nobody, unless a later version is."""


async def publish(engine: AsyncEngine, name: str, document: bytes, by: str, at: datetime) -> int:
    """Publish a version of a principle; the same document again changes nothing. Returns the version."""
    version = await _renew(engine, name, document, by, at)
    assert version is not None
    return version


async def withdraw(engine: AsyncEngine, name: str, by: str, at: datetime) -> bool:
    """Let a principle be in force no more; whether it was ever published."""
    return await _renew(engine, name, None, by, at) is not None


async def _renew(engine: AsyncEngine, name: str, document: bytes | None, by: str, at: datetime) -> int | None:
    async with engine.begin() as connection:
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"principle {name}"})
        newest = sa.select(principles).where(principles.c.name == name).order_by(principles.c.version.desc()).limit(1)
        latest = (await connection.execute(newest)).one_or_none()
        if latest is None and document is None:
            return None
        if latest is not None and latest.document == document:
            return int(latest.version)
        version = 1 if latest is None else latest.version + 1
        row = {"name": name, "version": version, "document": document, "published_at": at, "published_by": by}
        await connection.execute(principles.insert().values(row))
        return int(version)


async def published(engine: AsyncEngine) -> list[PublishedPrinciple]:
    """The principles in force, by name: the latest version of each, unless that retired it."""
    query = sa.select(principles).order_by(principles.c.name, principles.c.version)
    async with engine.connect() as connection:
        latest = {row.name: row for row in await connection.execute(query)}
    return [PublishedPrinciple(*row) for row in latest.values() if row.document is not None]


async def versions(engine: AsyncEngine, name: str) -> list[bytes | None]:
    """The documents of all versions of one principle, the first one first; None where a version retired it."""
    query = sa.select(principles.c.document).where(principles.c.name == name).order_by(principles.c.version)
    async with engine.connect() as connection:
        return list((await connection.execute(query)).scalars())


async def any_published(tx: Transaction) -> bool:
    """Whether the organisation has said what it wants to be measured by."""
    found: bool = await tx.driver.fetchval("SELECT EXISTS (SELECT FROM principles)")
    return found


async def learn(engine: AsyncEngine, name: str, version: int, document: bytes) -> bytes:
    """Take in what was published as this version of a promise. Returns what is known as it: the first that was told.

    Whoever it was made to before it was told of is seen anew, where it can be kept so far.
    """
    anew = sa.text("INSERT INTO picture_dirty (customer) SELECT key FROM customers ON CONFLICT DO NOTHING")
    told = insert(promise_documents).values(name=name, version=version, document=document).on_conflict_do_nothing()
    known = sa.select(promise_documents.c.document).where(promise_documents.c.name == name, promise_documents.c.version == version)
    async with engine.begin() as connection:
        before = at_version(await promises_known(connection), name, version).standing
        inserted = (await connection.execute(told)).rowcount
        if inserted and before != promised(name, version, orjson.loads(document)).standing:
            await connection.execute(anew)
        found: bytes = (await connection.execute(known)).scalar_one()
    return found


async def retire(engine: AsyncEngine, name: str, since: datetime) -> bool:
    """Take in that a promise is made to nobody any more from then on; whether it was known."""
    newest = sa.select(sa.func.max(promise_documents.c.version)).where(promise_documents.c.name == name).scalar_subquery()
    told = promise_documents.update().values(retired_from=since)
    async with engine.begin() as connection:
        done = await connection.execute(told.where(promise_documents.c.name == name, promise_documents.c.version == newest))
    return bool(done.rowcount)


async def promises(engine: AsyncEngine) -> list[PromiseDocument]:
    """Every version of every promise that was told of, by name and version."""
    async with engine.connect() as connection:
        return await _promises(connection)


async def promises_known(connection: AsyncConnection) -> Known:
    """What is known of every promise that was told of."""
    return known(promised(*each) for each in await _promises(connection))


async def _promises(connection: AsyncConnection) -> list[PromiseDocument]:
    query = sa.select(promise_documents).order_by(promise_documents.c.name, promise_documents.c.version)
    rows = await connection.execute(query)
    return [PromiseDocument(row.name, row.version, orjson.loads(row.document), row.retired_from) for row in rows]
