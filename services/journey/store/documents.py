"""The documents that journey goes by, each in versions: event types, sources, feeds. A version without a document retires.

Publishing one, or retiring it, moves the identity epoch.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction
from services.journey.documents.sources import heartbeat_of
from services.journey.domain import EventType
from services.journey.feeds.document import Feed
from services.journey.feeds.document import read as read_feeds
from services.journey.store.tables import event_types, feeds, sources


async def read_event_types(tx: Transaction) -> list[EventType]:
    """Every event type in its latest version that has a document; those that were retired since say so."""
    return [_event_type(row[0], retired=row[1]) for row in await tx.driver.fetch(_EVERY_EVENT_TYPE)]


_EVERY_EVENT_TYPE: Final = (
    "SELECT DISTINCT ON (type) document, version < (SELECT max(version) FROM event_types l WHERE l.type = e.type) "
    "FROM event_types e WHERE document IS NOT NULL ORDER BY type, version DESC"
)


def _event_type(content: bytes, *, retired: bool) -> EventType:
    spec = orjson.loads(content)["spec"]
    found = tuple(
        (name, tuple(each["path"].split(".")), each.get("of", "person") == "person") for name, each in spec.get("identifiers", {}).items()
    )
    return EventType(spec["type"], found, spec.get("about") == "many", retired)


async def known_event_types(engine: AsyncEngine) -> list[EventType]:
    """What `read_event_types` reads, outside a batch."""
    async with engine.connect() as connection:
        return [_event_type(row[0], retired=row[1]) for row in await connection.execute(sa.text(_EVERY_EVENT_TYPE))]


async def published_event_types(engine: AsyncEngine) -> list[tuple[str, int, bytes]]:
    """The event types in force, each in its latest version: (type, version, document)."""
    return await _latest(engine, event_types)


async def publish_event_type(engine: AsyncEngine, type_: str, document: bytes, by: str, at: datetime) -> int:
    """Publish a version of an event type; the same document again changes nothing. Returns the version."""
    return await _publish(engine, event_types, type_, document, by, at)


async def retire_event_type(engine: AsyncEngine, type_: str, by: str, at: datetime) -> bool:
    """Let its fields name nobody in events that come after; whether it was ever published."""
    return await _renew(engine, event_types, type_, None, by, at) is not None


class Declared(NamedTuple):
    """One declared source as published."""

    source: str
    version: int
    document: dict[str, Any]


async def read_sources(tx: Transaction) -> list[Declared]:
    """The declared sources, each in its latest version."""
    rows = await tx.driver.fetch("SELECT DISTINCT ON (source) source, version, document FROM sources ORDER BY source, version DESC")
    return [Declared(source, version, orjson.loads(document)) for source, version, document in rows if document is not None]


async def published_sources(engine: AsyncEngine) -> list[Declared]:
    """The declared sources, by name, each in its latest version."""
    return [Declared(name, version, orjson.loads(document)) for name, version, document in await _latest(engine, sources)]


def heartbeats(declared: Iterable[Declared]) -> dict[str, timedelta | None]:
    """How long each source that has a heartbeat may be silent; None where that is working time."""
    return {each.source: heartbeat_of(each.document["spec"]) for each in declared if "heartbeat" in each.document["spec"]}


def trusted(declared: Iterable[Declared]) -> frozenset[str]:
    """The declared sources that may say who is whom."""
    return frozenset(each.source for each in declared if each.document["spec"].get("trusted"))


async def publish_source(engine: AsyncEngine, source: str, document: bytes, by: str, at: datetime) -> int:
    """Publish a version of a source; the same document again changes nothing. Returns the version."""
    return await _publish(engine, sources, source, document, by, at)


async def retire_source(engine: AsyncEngine, source: str, by: str, at: datetime) -> bool:
    """Declare a source no longer: nobody waits for it, and it says of nobody who they are. Whether it was ever declared."""
    return await _renew(engine, sources, source, None, by, at) is not None


async def published_feeds(engine: AsyncEngine) -> list[tuple[str, int, bytes]]:
    """The published feeds, each in its latest version: (name, version, document)."""
    return await _latest(engine, feeds)


@lru_cache(maxsize=256)
def feed_of(document: bytes) -> Feed:
    """The feed that a published document describes; it was read before it was published."""
    (found,) = read_feeds(document.decode(), "published")
    return found


async def publish_feed(engine: AsyncEngine, name: str, document: bytes, by: str, at: datetime) -> int:
    """Publish a version of a feed; the same document again changes nothing. Returns the version."""
    return await _publish(engine, feeds, name, document, by, at)


async def retire_feed(engine: AsyncEngine, name: str, by: str, at: datetime) -> bool:
    """Let a feed be followed no more; whether it was ever published."""
    return await _renew(engine, feeds, name, None, by, at) is not None


Kind = Literal["event-type", "feed", "source"]
_KINDS: Final[dict[Kind, sa.Table]] = {"event-type": event_types, "feed": feeds, "source": sources}


class Publication(NamedTuple):
    """A version of a document, or its end: who published it, or retired the document by it, and when."""

    at: datetime
    kind: Kind
    name: str
    version: int
    by: str
    retired: bool


Place = tuple[datetime, str, str, int]
"""When, of which kind, which document, and which version."""


async def publications(engine: AsyncEngine, kind: Kind | None, name: str | None, before: Place | None, limit: int) -> list[Publication]:
    """Who published or retired what, the latest first."""
    parts = []
    for each, table in _KINDS.items():
        own, version = table.primary_key.columns
        document = table.c.document.is_(None).label("retired")
        columns = (table.c.published_at, sa.literal(each).label("kind"), own.label("name"), version, table.c.published_by, document)
        query = sa.select(*columns)
        if kind in {None, each}:
            parts.append(query if name is None else query.where(own == name))
    found = sa.union_all(*parts).subquery()
    place = (found.c.published_at, found.c.kind, found.c.name, found.c.version)
    wanted = sa.select(found).order_by(*(each.desc() for each in place)).limit(limit)
    if before is not None:
        wanted = wanted.where(sa.tuple_(*place) < before)
    async with engine.connect() as connection:
        return [Publication(*row) for row in await connection.execute(wanted)]


async def _latest(engine: AsyncEngine, table: sa.Table) -> list[tuple[str, int, bytes]]:
    """The documents of a table in force, each in its latest version: (name, version, document)."""
    name, version = table.primary_key.columns
    query = sa.select(name, version, table.c.document).order_by(name, version)
    async with engine.connect() as connection:
        latest = {row[0]: (row[0], row[1], row[2]) for row in await connection.execute(query)}
    return [each for each in latest.values() if each[2] is not None]


async def _publish(engine: AsyncEngine, table: sa.Table, named: str, document: bytes, by: str, at: datetime) -> int:
    version = await _renew(engine, table, named, document, by, at)
    assert version is not None
    return version


async def _renew(engine: AsyncEngine, table: sa.Table, named: str, document: bytes | None, by: str, at: datetime) -> int | None:
    """Put a version in force, None for none; returns its number, and None where there is nothing to retire."""
    name, version = table.primary_key.columns
    async with engine.begin() as connection:
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"{table.name} {named}"})
        newest = sa.select(version, table.c.document).where(name == named).order_by(version.desc()).limit(1)
        latest = (await connection.execute(newest)).one_or_none()
        if latest is None and document is None:
            return None
        if latest is not None and latest.document == document:
            return int(latest[0])
        number = 1 if latest is None else int(latest[0]) + 1
        row = {name.name: named, version.name: number, "document": document, "published_at": at, "published_by": by}
        await connection.execute(table.insert().values(row))
        await connection.execute(sa.text("UPDATE identity_epoch SET epoch = epoch + 1"))
        return number
