"""Status links: who made which for whom, until when, and whether it was revoked."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.journey.store.reads import keys_of
from services.journey.store.tables import attributes, customers, journal, status_links


class Link(NamedTuple):
    """One status link."""

    id: UUID
    customer: UUID
    zone: str | None
    made_by: str
    made_at: datetime
    expires: datetime
    revoked_by: str | None = None
    revoked_at: datetime | None = None


_COLUMNS = tuple(status_links.c[name] for name in Link._fields)


async def make(engine: AsyncEngine, link: Link) -> bool:
    """Keep a link; False where there is no such customer."""
    known = sa.select(*(sa.literal(value, column.type) for value, column in zip(link, _COLUMNS, strict=True)))
    chosen = known.where(sa.exists().where(customers.c.key == link.customer))
    async with engine.begin() as connection:
        return (await connection.execute(sa.insert(status_links).from_select(Link._fields, chosen))).rowcount == 1


async def links_of(engine: AsyncEngine, customer: UUID) -> list[Link]:
    """The links of a person, the newest first."""
    async with engine.connect() as connection:
        keys = await keys_of(connection, customer)
        query = sa.select(*_COLUMNS).where(status_links.c.customer.in_(keys)).order_by(status_links.c.made_at.desc(), status_links.c.id)
        return [Link(*row) for row in await connection.execute(query)]


async def revoke(engine: AsyncEngine, customer: UUID, link: UUID, by: str, at: datetime) -> bool:
    """Revoke a link of a person; False where they have no such link. One that is revoked stays as it is."""
    async with engine.begin() as connection:
        keys = await keys_of(connection, customer)
        whose = sa.and_(status_links.c.id == link, status_links.c.customer.in_(keys))
        if (await connection.execute(sa.select(status_links.c.id).where(whose))).one_or_none() is None:
            return False
        unrevoked = sa.and_(whose, status_links.c.revoked_at.is_(None))
        await connection.execute(sa.update(status_links).where(unrevoked).values(revoked_by=by, revoked_at=at))
        return True


async def valid(engine: AsyncEngine, link: UUID, now: datetime) -> Link | None:
    """A link that is neither over nor revoked."""
    query = sa.select(*_COLUMNS).where(status_links.c.id == link, status_links.c.expires > now, status_links.c.revoked_at.is_(None))
    async with engine.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    return None if row is None else Link(*row)


async def heard(engine: AsyncEngine, customer: UUID, events: Iterable[UUID], since: datetime) -> dict[UUID, str]:
    """Which of these events of a person, from some time on, were taken in, and of which type they are."""
    wanted = list(events)
    if not wanted:
        return {}
    async with engine.connect() as connection:
        keys = await keys_of(connection, customer)
        mine = sa.and_(journal.c.customer.in_(keys), journal.c.time >= since, journal.c.event.in_(wanted), journal.c.body.is_not(None))
        rows = await connection.execute(sa.select(journal.c.event, journal.c.body).where(mine))
        return {event: orjson.loads(body)["type"] for event, body in rows}


async def zone_of(engine: AsyncEngine, customer: UUID) -> str | None:
    """What was described as the zone of a person: the last word on `zone`."""
    async with engine.connect() as connection:
        keys = await keys_of(connection, customer)
        said = sa.and_(attributes.c.customer.in_(keys), attributes.c.name == "zone")
        query = sa.select(attributes.c.value).where(said).order_by(attributes.c.time.desc(), attributes.c.event.desc()).limit(1)
        value = (await connection.execute(query)).scalar_one_or_none()
    zone = None if value is None else orjson.loads(value)
    return zone if isinstance(zone, str) else None
