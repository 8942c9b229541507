"""The published playbooks: every version of each, and which is the latest."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

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


async def versions(engine: AsyncEngine, name: str | None = None) -> Sequence[Published]:
    """The versions of one playbook, or of all."""
    async with engine.connect() as connection:
        return [each for each in await read(connection) if name is None or each.name == name]


async def publish(engine: AsyncEngine, name: str, document: Mapping[str, Any], at: datetime, by: str) -> Published:
    """Publish a playbook's next version; the same document again is the version that it was."""
    async with engine.begin() as connection:
        await connection.execute(sa.text("LOCK TABLE playbooks IN SHARE ROW EXCLUSIVE MODE"))
        known = [each for each in await read(connection) if each.name == name]
        if known and known[-1].document == document:
            return known[-1]
        new = Published(name, len(known) + 1, document, at, by)
        await connection.execute(playbooks.insert(), new._asdict() | {"document": orjson.dumps(document)})
        return new
