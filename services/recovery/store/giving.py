"""What bears on whether something may be given: whose authority somebody has while they are away, and what a budget was used up to."""

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.database import Transaction
from services.recovery.domain.deeds import Actor
from services.recovery.domain.money import EntryKind
from services.recovery.domain.playbook import Playbook
from services.recovery.store.tables import delegations, ledger, progress


class Delegation(NamedTuple):
    """Somebody is away until a time, and another has their authority."""

    subject: str
    stand_in: str
    roles: list[str]
    until: datetime


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


async def lent_to(connection: AsyncConnection, subject: str, at: datetime) -> tuple[Actor, ...]:
    """Whose authority somebody has now beside their own."""
    where = (delegations.c.stand_in == subject, delegations.c.until > at)
    rows = await connection.execute(sa.select(delegations).where(*where).order_by(delegations.c.subject))
    return tuple(Actor(row.subject, frozenset(row.roles)) for row in rows)


async def delegation_of(engine: AsyncEngine, subject: str) -> Delegation | None:
    """Who stands in for somebody, and until when."""
    async with engine.connect() as connection:
        row = (await connection.execute(sa.select(delegations).where(delegations.c.subject == subject))).one_or_none()
        return Delegation(*row) if row else None


async def delegate(engine: AsyncEngine, delegation: Delegation) -> None:
    """Let another have somebody's authority until a time; a later one takes the place of an earlier one."""
    values: dict[str, Any] = delegation._asdict()
    async with engine.begin() as connection:
        statement = insert(delegations).values(values)
        await connection.execute(statement.on_conflict_do_update(index_elements=["subject"], set_=values))


async def return_authority(engine: AsyncEngine, subject: str) -> None:
    """Somebody is back."""
    async with engine.begin() as connection:
        await connection.execute(delegations.delete().where(delegations.c.subject == subject))


async def reached(engine: AsyncEngine) -> datetime | None:
    """How far the furthest lane has come: now, on the replay clock; None where none has begun."""
    async with engine.connect() as connection:
        found: datetime | None = await connection.scalar(sa.select(sa.func.max(progress.c.arrival)))
        return found
