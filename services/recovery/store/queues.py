"""Saved queues: filters over cases that a person or a team comes back to."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.preconditions import Expected, Once
from services.recovery.store import CREATED, Answer, create
from services.recovery.store.tables import queues

Position = tuple[str, UUID]
"""Where a page ended: name, id."""


class Queue(NamedTuple):
    """A saved filter, in JSON; a person's or a team's."""

    id: UUID
    version: int
    name: str
    subject: str | None
    team: str | None
    filter: bytes
    created_by: str
    created_at: datetime


def new(name: str, subject: str | None, team: str | None, chosen: Mapping[str, Any], by: str, at: datetime) -> Queue:
    """A queue that is not saved yet."""
    return Queue(uuid4(), 1, name, subject, team, orjson.dumps(chosen), by, at)


async def create_queue(engine: AsyncEngine, once: Once, queue: Queue, render: Callable[[Queue], bytes]) -> Answer:
    """Save a queue, once for each key."""

    async def make(connection: AsyncConnection) -> Answer:
        await connection.execute(queues.insert(), queue._asdict() | {"filter": orjson.loads(queue.filter)})
        return Answer(b"", CREATED, queue.version, render(queue))

    return await create(engine, once, make)


async def of(engine: AsyncEngine, subject: str, teams: Collection[str], after: Position | None, limit: int) -> list[Queue]:
    """Those of a person and of their teams, by name, behind a place."""
    order = (queues.c.name, queues.c.id)
    query = sa.select(queues).where(sa.or_(queues.c.subject == subject, queues.c.team.in_(list(teams)))).order_by(*order).limit(limit)
    if after is not None:
        query = query.where(sa.tuple_(*order) > sa.tuple_(*after, types=[each.type for each in order]))
    async with engine.connect() as connection:
        return [_queue(row) for row in (await connection.execute(query)).mappings()]


async def queue(engine: AsyncEngine, identity: UUID) -> Queue | None:
    """One queue, or None."""
    async with engine.connect() as connection:
        row = (await connection.execute(sa.select(queues).where(queues.c.id == identity))).mappings().one_or_none()
        return _queue(row) if row else None


async def change(engine: AsyncEngine, identity: UUID, seen: Expected, name: str, chosen: Mapping[str, Any]) -> Queue | None:
    """A queue by another name or filter, None where there is none; raises the 412 problem where it is not what was seen."""
    async with engine.begin() as connection:
        version = await _seen(connection, identity, seen)
        if version is None:
            return None
        values = {"name": name, "filter": chosen, "version": version + 1}
        changed = sa.update(queues).where(queues.c.id == identity).values(values).returning(queues)
        return _queue((await connection.execute(changed)).mappings().one())


async def remove(engine: AsyncEngine, identity: UUID, seen: Expected) -> None:
    """Save it no longer; raises the 412 problem where it is not what was seen."""
    async with engine.begin() as connection:
        await _seen(connection, identity, seen)
        await connection.execute(sa.delete(queues).where(queues.c.id == identity))


async def _seen(connection: AsyncConnection, identity: UUID, seen: Expected) -> int | None:
    version: int | None = await connection.scalar(sa.select(queues.c.version).where(queues.c.id == identity).with_for_update())
    if version is not None:
        seen.require(version)
    return version


def _queue(row: Mapping[Any, Any]) -> Queue:
    return Queue(**{**row, "filter": orjson.dumps(row["filter"])})
