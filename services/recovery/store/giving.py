"""What bears on whether something may be given: what waits for a decision, what a budget was used up to, and what all cases cost."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction
from services.recovery.domain.case import IN_WORK, WATCHED, State
from services.recovery.domain.deeds import Actor
from services.recovery.domain.money import Bearer, EntryKind
from services.recovery.domain.playbook import Playbook
from services.recovery.store.places import last_without
from services.recovery.store.tables import approvals, cases, ledger


async def spent(tx: Transaction, playbook: Playbook, at: datetime) -> Decimal:
    """What the budget of a playbook was used up to in the period of `at`; until this transaction ends nobody else spends of it."""
    if playbook.budget is None or playbook.name is None:
        return Decimal(0)
    await tx.connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"budget {playbook.name}"})
    period = sa.func.date_trunc(playbook.budget.per, sa.func.timezone("UTC", sa.literal(at, sa.DateTime(timezone=True))))
    query = sa.select(sa.func.coalesce(sa.func.sum(ledger.c.amount), 0)).where(
        ledger.c.playbook == playbook.name,
        ledger.c.currency == playbook.budget.money.currency,
        ledger.c.kind != EntryKind.STAFF_TIME.value,
        sa.func.date_trunc(playbook.budget.per, sa.func.timezone("UTC", ledger.c.spent_at)) == period,
    )
    return Decimal((await tx.connection.execute(query)).scalar_one())


class Asked(NamedTuple):
    """An approval that waits for a decision."""

    id: UUID
    case_id: UUID
    asked_by: str
    roles: list[str]
    due: datetime


Position = tuple[datetime, UUID]
"""Where a page ended: due, id."""


async def open_approvals(engine: AsyncEngine, able: Sequence[Actor], after: Position | None, limit: int) -> list[Asked]:
    """What waits, in cases that go on, for one who has the authority of all these, by what is due first.

    The first of them is who reads the list: what they asked is not for them to decide, nor is what a lender asked by that one's authority.
    """
    order = (approvals.c.due, approvals.c.id)
    may = [sa.and_(approvals.c.roles.overlap(sorted(each.roles)), approvals.c.asked_by != each.subject) for each in able]
    query = sa.select(*(approvals.c[name] for name in Asked._fields)).order_by(*order).limit(limit)
    query = query.join(cases, cases.c.id == approvals.c.case_id).where(cases.c.state.in_(sorted(IN_WORK | WATCHED | {State.MERGED})))
    query = query.where(approvals.c.decision.is_(None), approvals.c.asked_by != able[0].subject, sa.or_(*may))
    if after is not None:
        query = query.where(sa.tuple_(*order) > sa.tuple_(*after, types=[each.type for each in order]))
    async with engine.connect() as connection:
        return [Asked(*row) for row in await connection.execute(query)]


class Total(NamedTuple):
    """What cases cost, borne by one, in one currency, for one promise."""

    bearer: str
    borne_by: str
    currency: str
    promise: str | None
    kind: str
    entries: int
    amount: Decimal
    to_repay: Decimal

    @property
    def place(self) -> "Place":
        """Where it stands among the others."""
        return self.bearer, self.borne_by, self.currency, self.promise, self.kind


Place = tuple[str, str, str, str | None, str]
"""Of a total: who bore it, currency, promise and kind."""


async def totals(
    engine: AsyncEngine, since: datetime | None, until: datetime | None, after: Place | None = None, limit: int | None = None
) -> list[Total]:
    """What all cases cost in a time, `until` apart, by who bore it, currency, promise and kind, behind a place."""
    by = (ledger.c.bearer, ledger.c.borne_by, ledger.c.currency, ledger.c.promise, ledger.c.kind)
    waits = sa.case((sa.and_(ledger.c.bearer == Bearer.EMPLOYEE.value, ledger.c.spent_at.is_(None)), ledger.c.amount), else_=0)
    query = sa.select(*by, sa.func.count(), sa.func.sum(ledger.c.amount), sa.func.sum(waits)).group_by(*by).order_by(*by).limit(limit)
    if after is not None:
        query = query.where(sa.tuple_(*last_without(*by)) > sa.tuple_(*last_without(*after)))
    if since is not None:
        query = query.where(ledger.c.at >= since)
    if until is not None:
        query = query.where(ledger.c.at < until)
    async with engine.connect() as connection:
        return [Total(*row) for row in await connection.execute(query)]
