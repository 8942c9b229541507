"""The declared sources as promises needs them: how often each is heard from, and what it emits; and when they were silent."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Driver
from services.promises.blindness import Spot
from services.promises.store.tables import blind_spots, sources


class SourceRow(NamedTuple):
    """One declared source, and the calendar that its heartbeat is counted by."""

    document: bytes
    calendar: bytes | None


class PublishedSource(NamedTuple):
    """The latest version of a source, for those who read about it."""

    source: str
    version: int
    published_at: datetime
    published_by: str
    row: SourceRow
    silent_since: datetime | None


_SOURCES = "SELECT DISTINCT ON (source) source, document FROM sources ORDER BY source, version DESC"
_CALENDARS = "SELECT DISTINCT ON (name) name, document FROM calendars WHERE name = ANY($1::text[]) ORDER BY name, version DESC"


async def read_sources(connection: Driver) -> list[SourceRow]:
    """The latest version of every source that is declared, with the latest version of its calendar."""
    return await _with_calendars(connection, [row[1] for row in await connection.fetch(_SOURCES) if row[1] is not None])


async def _with_calendars(connection: Driver, documents: Sequence[bytes]) -> list[SourceRow]:
    calendars = [_calendar(each) for each in documents]
    wanted = [name for name in calendars if name is not None]
    found = {row[0]: row[1] for row in await connection.fetch(_CALENDARS, wanted)} if wanted else {}
    return [SourceRow(each, found.get(name)) for each, name in zip(documents, calendars, strict=True)]


def _calendar(document: bytes) -> str | None:
    name: str | None = orjson.loads(document)["spec"].get("calendar")
    return name


async def published_sources(engine: AsyncEngine) -> list[PublishedSource]:
    """The latest version of every source that is declared, by name, and since when it is silent wherever it still is."""
    query = sa.select(sources).order_by(sources.c.source, sources.c.version)
    silent = sa.select(blind_spots.c.subject, sa.func.min(blind_spots.c.start)).where(blind_spots.c.end.is_(None))
    async with engine.connect() as connection:
        every = {row.source: row for row in await connection.execute(query)}
        latest = {source: row for source, row in every.items() if row.document is not None}
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        declared = await _with_calendars(driver, [row.document for row in latest.values()])
        since = {row[0]: row[1] for row in await connection.execute(silent.group_by(blind_spots.c.subject))}
    return [
        PublishedSource(row.source, row.version, row.published_at, row.published_by, document, since.get(f"source:{row.source}"))
        for row, document in zip(latest.values(), declared, strict=True)
    ]


async def spots_of(engine: AsyncEngine, partition: int, subjects: Collection[str]) -> list[Spot]:
    """What was not read in a partition that bears on these customers and sources, the earliest first."""
    query = sa.select(blind_spots).where(blind_spots.c.partition == partition, blind_spots.c.subject.in_(subjects))
    async with engine.connect() as connection:
        return [Spot(*row) for row in await connection.execute(query.order_by(blind_spots.c.start, blind_spots.c.record))]


async def spots_until(engine: AsyncEngine, partition: int, until: datetime) -> list[Spot]:
    """Everything that was not read in a partition and began by then."""
    query = sa.select(blind_spots).where(blind_spots.c.partition == partition, blind_spots.c.start <= until)
    async with engine.connect() as connection:
        return [Spot(*row) for row in await connection.execute(query)]


async def publish_source(engine: AsyncEngine, source: str, document: bytes, by: str, at: datetime) -> int:
    """Publish a version of a source; the same document again changes nothing. Returns the version."""
    version = await _renew(engine, source, document, by, at)
    assert version is not None
    return version


async def retire_source(engine: AsyncEngine, source: str, by: str, at: datetime) -> int | None:
    """Declare a source no longer; once more changes nothing. Returns the version, None where it never was declared."""
    return await _renew(engine, source, None, by, at)


async def _renew(engine: AsyncEngine, source: str, document: bytes | None, by: str, at: datetime) -> int | None:
    async with engine.begin() as connection:
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:source))"), {"source": source})
        query = sa.select(sources.c.version, sources.c.document).where(sources.c.source == source)
        latest = (await connection.execute(query.order_by(sources.c.version.desc()).limit(1))).one_or_none()
        if latest is None and document is None:
            return None
        if latest is not None and latest.document == document:
            return int(latest.version)
        version = 1 if latest is None else int(latest.version) + 1
        values = {"source": source, "version": version, "published_at": at, "published_by": by, "document": document}
        await connection.execute(sources.insert().values(**values))
        return version
