"""The acts of excuses, and their outbox: an act whose touchpoint Kafka has not acknowledged is told again."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.preconditions import Once
from services.promises.excuses import Act, Excuse, Standing
from services.promises.store.tables import excuse_acts

Decide = Callable[[Excuse], tuple[Act, bytes | None]]
"""Decides on one more act, and what is to be told of it."""


class Untold(NamedTuple):
    """A touchpoint that Kafka is not known to have."""

    commitment: UUID
    number: int
    at: datetime
    event: bytes


async def read_excuse(engine: AsyncEngine, commitment: UUID) -> Excuse:
    """Every act on one commitment."""
    async with engine.connect() as connection:
        return await _read(connection, commitment)


async def add_act(engine: AsyncEngine, commitment: UUID, once: Once, decide: Decide) -> Excuse:
    """Add the act that is decided on, once for an Idempotency-Key; the excuse as it is then."""
    async with engine.begin() as connection:
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"excuse {commitment}"})
        query = sa.select(excuse_acts.c.fingerprint).where(excuse_acts.c.key == once.name)
        known = (await connection.execute(query)).scalar_one_or_none()
        excuse = await _read(connection, commitment)
        if known is not None:
            once.require_same(known)
            return excuse
        act, event = decide(excuse)
        values = {**act._asdict(), "kind": str(act.kind), "content": orjson.dumps(act.content), "event": event}
        values |= {"commitment": commitment, "key": once.name, "fingerprint": once.fingerprint, "acknowledged": event is None}
        await connection.execute(excuse_acts.insert().values(**values))
        return Excuse((*excuse.acts, act))


async def untold(engine: AsyncEngine, limit: int) -> list[Untold]:
    """Touchpoints to be told, those of one commitment in their order."""
    columns = [excuse_acts.c[name] for name in Untold._fields]
    query = sa.select(*columns).where(sa.not_(excuse_acts.c.acknowledged)).order_by(excuse_acts.c.commitment, excuse_acts.c.number)
    async with engine.connect() as connection:
        return [Untold(*row) for row in await connection.execute(query.limit(limit))]


async def told(engine: AsyncEngine, acts: Sequence[Untold]) -> None:
    """Kafka has acknowledged these."""
    key = sa.tuple_(excuse_acts.c.commitment, excuse_acts.c.number)
    done = key.in_([(each.commitment, each.number) for each in acts])
    async with engine.begin() as connection:
        await connection.execute(excuse_acts.update().where(done).values(acknowledged=True))


async def _read(connection: AsyncConnection, commitment: UUID) -> Excuse:
    columns = [excuse_acts.c[name] for name in Act._fields]
    query = sa.select(*columns).where(excuse_acts.c.commitment == commitment).order_by(excuse_acts.c.number)
    rows = await connection.execute(query)
    return Excuse(tuple(Act(row.number, Standing(row.kind), row.by, row.at, orjson.loads(row.content)) for row in rows))
