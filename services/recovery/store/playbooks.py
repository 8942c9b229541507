"""The published playbooks: every version of each, and which is the latest."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.preconditions import Once
from services.recovery.store import CREATED, Answer, create
from services.recovery.store.tables import playbooks


class Published(NamedTuple):
    """One version of a playbook as it was published."""

    name: str
    version: int
    document: Mapping[str, Any]
    published_at: datetime
    published_by: str


async def revision(connection: AsyncConnection) -> int:
    """A number that changes with every version published."""
    found: int = (await connection.execute(sa.select(sa.func.count()).select_from(playbooks))).scalar_one()
    return found


async def read(connection: AsyncConnection) -> list[Published]:
    """Every version of every playbook, by name and version."""
    rows = await connection.execute(sa.select(playbooks).order_by(playbooks.c.name, playbooks.c.version))
    return [Published(row.name, row.version, orjson.loads(row.document), row.published_at, row.published_by) for row in rows]


async def versions(engine: AsyncEngine, name: str, after: int, limit: int) -> Sequence[Published]:
    """The versions of one playbook, the first one first, behind a version."""
    query = sa.select(playbooks).where(playbooks.c.name == name, playbooks.c.version > after).order_by(playbooks.c.version)
    return await _published(engine, query.limit(limit))


async def latest(engine: AsyncEngine, after: str, limit: int) -> Sequence[Published]:
    """The latest version of every playbook, by name, behind a name."""
    later = playbooks.alias()
    newest = sa.select(sa.func.max(later.c.version)).where(later.c.name == playbooks.c.name).scalar_subquery()
    query = sa.select(playbooks).where(playbooks.c.name > after, playbooks.c.version == newest)
    return await _published(engine, query.order_by(playbooks.c.name).limit(limit))


async def _published(engine: AsyncEngine, query: sa.Select[Any]) -> Sequence[Published]:
    async with engine.connect() as connection:
        rows = await connection.execute(query)
        return [Published(row.name, row.version, orjson.loads(row.document), row.published_at, row.published_by) for row in rows]


Render = Callable[[Published], bytes]


async def publish(engine: AsyncEngine, once: Once, name: str, document: Mapping[str, Any], at: datetime, render: Render) -> Answer:
    """Publish a playbook's next version; the same document again is the version that it was."""

    async def make(connection: AsyncConnection) -> Answer:
        published = await _publish(connection, Published(name, 0, document, at, once.subject))
        return Answer(b"", CREATED, published.version, render(published))

    return await create(engine, once, make)


async def _publish(connection: AsyncConnection, new: Published) -> Published:
    await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('makegood.playbooks'))"))
    known = [each for each in await read(connection) if each.name == new.name]
    if known and known[-1].document == new.document:
        return known[-1]
    new = new._replace(version=len(known) + 1)
    await connection.execute(playbooks.insert(), new._asdict() | {"document": orjson.dumps(new.document)})
    return new
