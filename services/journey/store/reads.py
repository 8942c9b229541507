"""What people and other systems ask of the journey service."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.progress import read_all_progress
from services.journey.documents.sources import Standing, standing_of
from services.journey.store import NOT_YET
from services.journey.store.tables import customers, identifiers, progress


async def find_customer(engine: AsyncEngine, identifier: str) -> tuple[UUID, bool] | None:
    """Whom an identifier leads to: (customer, provisional)."""
    query = (
        sa.select(customers.c.key, customers.c.provisional)
        .join(identifiers, identifiers.c.customer == customers.c.key)
        .where(identifiers.c.identifier == identifier)
    )
    async with engine.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row.key, row.provisional)


class Person(NamedTuple):
    """A customer, with all keys that are one person's; the first is the one first met of those that joined none."""

    keys: list[UUID]
    provisional: bool
    since: datetime
    identifiers: list[str]


async def keys_of(connection: AsyncConnection, customer: UUID) -> list[UUID]:
    """All keys of the person that this is a key of; this key alone where nobody else is that person, or nobody has it."""
    person = sa.select(customers.c.person).where(customers.c.key == customer).scalar_subquery()
    query = sa.select(customers.c.key).where(sa.or_(customers.c.key == customer, customers.c.person == person))
    found = (await connection.execute(query.order_by(customers.c.joined.is_not(None), customers.c.since, customers.c.key))).scalars()
    return list(found) or [customer]


async def read_person(engine: AsyncEngine, customer: UUID) -> Person | None:
    """A customer by any of the person's keys."""
    async with engine.connect() as connection:
        keys = await keys_of(connection, customer)
        row = (await connection.execute(sa.select(customers).where(customers.c.key == keys[0]))).one_or_none()
        if row is None:
            return None
        query = sa.select(identifiers.c.identifier).where(identifiers.c.customer.in_(keys)).order_by(identifiers.c.identifier)
        return Person(keys, row.provisional, row.since, list((await connection.execute(query)).scalars()))


async def latest_arrival(engine: AsyncEngine) -> datetime | None:
    """How far the raw lanes have come: on the replay clock, its present time."""
    query = sa.select(sa.func.max(progress.c.arrival)).where(progress.c.topic.in_(("makegood.touchpoints", "makegood.acts")))
    async with engine.connect() as connection:
        found: datetime | None = (await connection.execute(query)).scalar_one()
    return found


async def read_lanes(engine: AsyncEngine) -> tuple[dict[str, datetime], dict[str, Standing]]:
    """When each declared source was heard last in any lane, and what was said of it last."""
    last: dict[str, datetime] = {}
    told: dict[str, Standing] = {}
    for lane in await read_all_progress(engine):
        for source, text in lane.state.get("sources", {}).items():
            last[source] = max(last.get(source, NOT_YET), datetime.fromisoformat(text))
        told |= {source: standing_of(said) for source, said in lane.state.get("told", {}).items()}
    return last, told
