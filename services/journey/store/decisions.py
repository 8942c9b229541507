"""What people read of who is whom: conflicts that wait for them, what was said of a customer and by whom."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import transaction
from services.journey.identity.persons import Persons, Word, last_words, persons
from services.journey.store import identity
from services.journey.store.identity import Known, StatementRow
from services.journey.store.tables import conflicts, identifiers, journal, statements

Cursor = tuple[datetime, UUID, UUID, UUID]


class Conflict(NamedTuple):
    """Two persons that one event names, or that were said to be one where others say that they are not."""

    arrival: datetime
    event: UUID
    customer: UUID
    other: UUID
    decided: str | None
    body: bytes | None
    """The event, as it is journalled; None once erased."""


class Around(NamedTuple):
    """A customer with everybody that anything was said of beside them, and what counts of it."""

    known: dict[UUID, Known]
    are: Persons
    counting: set[tuple[UUID, frozenset[UUID]]]
    """By event and both customers: the words that are in force."""


async def page(engine: AsyncEngine, after: Cursor | None, limit: int, *, decided: bool | None) -> list[Conflict]:
    """Conflicts in the order of arrival: those that wait, those that were decided, or both."""
    own = (journal.c.customer == conflicts.c.customer) & (journal.c.event == conflicts.c.event) & sa.not_(journal.c.copied)
    body = sa.select(journal.c.body).where(own).limit(1).scalar_subquery()
    columns = conflicts.c.arrival, conflicts.c.event, conflicts.c.customer, conflicts.c.other
    query = sa.select(*columns, conflicts.c.decided, body).order_by(*columns).limit(limit)
    if decided is not None:
        query = query.where(conflicts.c.decided.is_not(None) if decided else conflicts.c.decided.is_(None))
    if after is not None:
        query = query.where(sa.tuple_(*columns) > sa.tuple_(*map(sa.literal, after)))
    async with engine.connect() as connection:
        return [Conflict(*row) for row in await connection.execute(query)]


async def identifiers_of(engine: AsyncEngine, keys: Iterable[UUID]) -> dict[UUID, list[str]]:
    """The identifiers that lead to each of these customers."""
    query = sa.select(identifiers.c.customer, identifiers.c.identifier).where(identifiers.c.customer.in_(list(keys)))
    found: dict[UUID, list[str]] = {}
    async with engine.connect() as connection:
        for customer, identifier in await connection.execute(query.order_by(identifiers.c.identifier)):
            found.setdefault(customer, []).append(identifier)
    return found


async def around(engine: AsyncEngine, keys: Iterable[UUID]) -> Around:
    """Who these customers are, and are not."""
    async with transaction(engine, sa.select(sa.literal(1)), {}) as tx:
        known, words = await identity.neighbourhood(tx, keys)
    are = persons(words)
    for key, row in known.items():
        if row.head != key:
            are.join(key, row.head)
    return Around(known, are, {_named(each) for each in last_words(words).values() if each not in are.contradicted})


def _named(word: Word) -> tuple[UUID, frozenset[UUID]]:
    return word.event, frozenset(word[:2])


async def said_of(engine: AsyncEngine, keys: Iterable[UUID]) -> list[StatementRow]:
    """What was said of any of these customers, in the order in which it was taken in."""
    named = list(keys)
    query = sa.select(*(statements.c[name] for name in StatementRow._fields))
    query = query.where(sa.or_(statements.c.one.in_(named), statements.c.other.in_(named)))
    async with engine.connect() as connection:
        rows = await connection.execute(query.order_by(statements.c.number, statements.c.one, statements.c.other))
        return [StatementRow(*row) for row in rows]
