"""Work that was asked for over HTTP and takes its time: who asked for what, how far it has come, and what it came to."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.preconditions import Once
from services.promises.store.tables import backtests, rejudgement_runs

SILENT_AFTER: Final = timedelta(seconds=30)
"""Whoever does something and has not been heard of for this long has died with it."""
UNDER_WAY: Final = ("waiting", "running")


class Run(NamedTuple):
    """One piece of work."""

    id: UUID
    state: str
    asked_at: datetime
    asked_by: str
    about: str | None
    request: bytes
    read: int
    total: int
    outcome: bytes | None


class Wanted(NamedTuple):
    """What is asked for, by whom; `about` is the promise that it is about, if it is about one."""

    id: UUID
    by: str
    request: bytes
    about: str | None = None


class TooManyError(ValueError):
    """Too many of these are under way."""


class Runs:
    """The pieces of work of one kind."""

    def __init__(self, table: sa.Table, kept_for: timedelta | None = None) -> None:
        """In this table, for so long; None: for good."""
        self._table, self._kept_for = table, kept_for
        self._lost = sa.and_(table.c.state.in_(UNDER_WAY), table.c.heard_at < sa.func.now() - SILENT_AFTER)
        state = sa.case((self._lost, "lost"), else_=table.c.state).label("state")
        self._columns = [state if name == "state" else table.c[name] for name in Run._fields]

    async def create(self, engine: AsyncEngine, wanted: Wanted, once: Once, limit: int) -> tuple[Run, bool]:
        """Keep what is asked for, once for an Idempotency-Key; whether it is new. Raises `TooManyError` beyond the limit."""
        table = self._table
        async with engine.begin() as connection:
            await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"makegood.{table.name}"})
            if self._kept_for is not None:
                await connection.execute(table.delete().where(table.c.asked_at < sa.func.now() - self._kept_for))
            query = sa.select(*self._columns, table.c.fingerprint).where(table.c.key == once.name)
            known = (await connection.execute(query)).one_or_none()
            if known is not None:
                once.require_same(known.fingerprint)
                return Run(*known[:-1]), False
            alive = sa.select(sa.func.count()).where(table.c.state.in_(UNDER_WAY), sa.not_(self._lost))
            if (await connection.execute(alive)).scalar_one() >= limit:
                raise TooManyError
            what = {"id": wanted.id, "asked_by": wanted.by, "request": wanted.request, "about": wanted.about}
            begun = {"state": "waiting", "read": 0, "total": 0, "asked_at": sa.func.now(), "heard_at": sa.func.now()}
            await connection.execute(table.insert().values(**what, **begun, key=once.name, fingerprint=once.fingerprint))
            return await self._one(connection, wanted.id), True

    async def find(self, engine: AsyncEngine, id_: UUID) -> Run | None:
        """One of them as it stands."""
        async with engine.connect() as connection:
            row = (await connection.execute(sa.select(*self._columns).where(self._table.c.id == id_))).one_or_none()
            return None if row is None else Run(*row)

    async def latest(self, engine: AsyncEngine, limit: int, about: str | None = None) -> list[Run]:
        """Those asked for last."""
        query = sa.select(*self._columns).order_by(self._table.c.asked_at.desc(), self._table.c.id).limit(limit)
        if about is not None:
            query = query.where(self._table.c.about == about)
        async with engine.connect() as connection:
            return [Run(*row) for row in await connection.execute(query)]

    async def delete(self, engine: AsyncEngine, id_: UUID) -> bool:
        """Forget one; whoever does it stops at the next beat. Whether there was one."""
        async with engine.begin() as connection:
            return (await connection.execute(self._table.delete().where(self._table.c.id == id_))).rowcount > 0

    async def beat(self, engine: AsyncEngine, ids: Iterable[UUID]) -> set[UUID]:
        """Say that these are in good hands; those of them that are still wanted."""
        mine = self._table.update().where(self._table.c.id.in_(list(ids))).values(heard_at=sa.func.now()).returning(self._table.c.id)
        async with engine.begin() as connection:
            return set((await connection.execute(mine)).scalars())

    async def come_to(self, engine: AsyncEngine, id_: UUID, state: str, read: int, total: int, outcome: bytes | None = None) -> None:
        """Say how far one has come."""
        values = {"state": state, "read": read, "total": total, "outcome": outcome, "heard_at": sa.func.now()}
        async with engine.begin() as connection:
            await connection.execute(self._table.update().where(self._table.c.id == id_).values(**values))

    async def _one(self, connection: AsyncConnection, id_: UUID) -> Run:
        return Run(*(await connection.execute(sa.select(*self._columns).where(self._table.c.id == id_))).one())


BACKTESTS: Final = Runs(backtests, timedelta(days=7))
REJUDGEMENTS: Final = Runs(rejudgement_runs)
