"""Which cases a list shows: the filters of lists and saved queues, pages of what they find, and how many there are."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.recovery.domain.case import Case, Severity, State
from services.recovery.store import NOTHING_DUE, Stored, load, uuids
from services.recovery.store.tables import cases, failures, mass_members


class Filter(NamedTuple):
    """Which cases a list shows; what is left out: all."""

    states: Collection[State] = ()
    severities: Collection[Severity] = ()
    owner: str | None = None
    unowned: bool = False
    customer: UUID | None = None
    promise: str | None = None
    due_before: datetime | None = None
    asked: bool = False
    watched_by: str | None = None
    offered_to: str | None = None
    mass_failure: UUID | None = None
    opened_since: datetime | None = None


Position = tuple[datetime, datetime, UUID]
"""Where a page ended: due, opened_at, id."""


async def page(engine: AsyncEngine, chosen: Filter, after: Position | None, limit: int) -> list[Stored]:
    """Cases by what is due next, then by age; at most `limit`, behind `after`."""
    order = (cases.c.due, cases.c.opened_at, cases.c.id)
    query = sa.select(cases.c.id).where(*_conditions(chosen)).order_by(*order).limit(limit)
    if after is not None:
        query = query.where(sa.tuple_(*order) > sa.tuple_(*after, types=[each.type for each in order]))
    async with engine.connect() as connection:
        ids = list((await connection.scalars(query)).all())
        found = await load(connection, cases.c.id == sa.any_(uuids(ids)))
    return [found[each] for each in ids if each in found]


async def count(engine: AsyncEngine, chosen: Filter) -> int:
    """How many cases a list shows in all."""
    async with engine.connect() as connection:
        return await connection.scalar(sa.select(sa.func.count()).select_from(cases).where(*_conditions(chosen))) or 0


async def case_ids(engine: AsyncEngine, customer: UUID) -> list[UUID]:
    """All cases of a customer, the oldest first."""
    query = sa.select(cases.c.id).where(cases.c.customer == customer).order_by(cases.c.opened_at, cases.c.id)
    async with engine.connect() as connection:
        return list(await connection.scalars(query))


def position_of(case: Case) -> Position:
    """Where in the order of `page` a case stands."""
    return case.due or NOTHING_DUE, case.opened_at, case.id


def _conditions(chosen: Filter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    for column, values in ((cases.c.state, chosen.states), (cases.c.severity, chosen.severities)):
        if values:
            found.append(column.in_([each.value for each in values]))
    same: dict[str, Any] = {"owner": chosen.owner, "customer": chosen.customer, "offered_to": chosen.offered_to}
    found += [cases.c[name] == value for name, value in same.items() if value is not None]
    if chosen.unowned:
        found.append(cases.c.owner.is_(None))
    if chosen.asked:
        found.append(cases.c.ask.is_not(None))
    if chosen.due_before is not None:
        found.append(cases.c.due < chosen.due_before)
    if chosen.opened_since is not None:
        found.append(cases.c.opened_at >= chosen.opened_since)
    if chosen.watched_by is not None:  # as its partial index says it
        found += [cases.c.watchers != sa.literal_column("'{}'::text[]"), cases.c.watchers.contains([chosen.watched_by])]
    if chosen.promise is not None:
        about = (failures.c.case_id == cases.c.id, failures.c.promise == chosen.promise, sa.not_(failures.c.withdrawn))
        found.append(sa.exists().where(*about))
    if chosen.mass_failure is not None:
        inside = mass_members.c.mass_failure == chosen.mass_failure, mass_members.c.inside
        found.append(cases.c.id.in_(sa.select(mass_members.c.case_id).where(*inside)))
    return found
