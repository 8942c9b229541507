"""Negotiated terms: appended, never edited."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.database import Transaction
from services.chassis.preconditions import Once
from services.promises import negotiated
from services.promises.negotiated import Negotiated, Row
from services.promises.store.tables import terms

_COLUMNS = [terms.c[name] for name in Row._fields]


class NewTerm(NamedTuple):
    """What is negotiated; without `within`, that nothing is any more."""

    promise: str
    customer: UUID
    within: str | None
    valid_from: datetime | None
    valid_until: datetime | None


async def terms_revision(tx: Transaction) -> int:
    """A number that moves whenever a term is negotiated or ended; 0 while none ever was."""
    revision: int = await tx.driver.fetchval("SELECT coalesce(max(id), 0) FROM terms")
    return revision


async def terms_of(tx: Transaction, customers: Iterable[UUID]) -> dict[UUID, list[Negotiated]]:
    """What these customers have negotiated; those who have not are left out."""
    query = f"SELECT {', '.join(Row._fields)} FROM terms WHERE customer = ANY($1::uuid[]) ORDER BY id"
    return negotiated.by_customer([Row(*row) for row in await tx.driver.fetch(query, list(customers))])


async def known_term(engine: AsyncEngine, once: Once) -> Row | None:
    """What was negotiated under this Idempotency-Key; raises the 422 problem where it came with another request."""
    async with engine.connect() as connection:
        return await _known(connection, once)


async def add_term(engine: AsyncEngine, new: NewTerm, by: str, at: datetime, once: Once) -> Row:
    """Add a term, once for an Idempotency-Key."""
    values = {**new._asdict(), "published_at": at, "published_by": by, "key": once.name, "fingerprint": once.fingerprint}
    async with engine.begin() as connection:
        # one after the other: ids are committed in their order, and the largest tells whether there is more
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('makegood.terms'))"))
        known = await _known(connection, once)
        return known or Row(*(await connection.execute(terms.insert().values(**values).returning(*_COLUMNS))).one())


async def _known(connection: AsyncConnection, once: Once) -> Row | None:
    query = sa.select(*_COLUMNS, terms.c.fingerprint).where(terms.c.key == once.name)
    found = (await connection.execute(query)).one_or_none()
    if found is None:
        return None
    once.require_same(found.fingerprint)
    return Row(*found[:-1])


async def page_of_terms(engine: AsyncEngine, promise: str, customer: UUID | None, after: int, limit: int) -> list[Row]:
    """The terms negotiated on a promise, in the order of publication; ends of terms are among them."""
    query = sa.select(*_COLUMNS).where(terms.c.promise == promise, terms.c.id > after).order_by(terms.c.id).limit(limit)
    if customer is not None:
        query = query.where(terms.c.customer == customer)
    async with engine.connect() as connection:
        return [Row(*row) for row in await connection.execute(query)]


async def find_term(engine: AsyncEngine, promise: str, id_: int) -> Row | None:
    """One negotiation on a promise."""
    async with engine.connect() as connection:
        row = (await connection.execute(sa.select(*_COLUMNS).where(terms.c.promise == promise, terms.c.id == id_))).one_or_none()
        return None if row is None else Row(*row)


async def terms_between(engine: AsyncEngine, promise: str, customers: Iterable[UUID]) -> list[Row]:
    """Everything that these customers have negotiated on a promise, in the order of publication."""
    query = sa.select(*_COLUMNS).where(terms.c.promise == promise, terms.c.customer.in_(list(customers))).order_by(terms.c.id)
    async with engine.connect() as connection:
        return [Row(*row) for row in await connection.execute(query)]
