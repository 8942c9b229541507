"""All SQL of the workbench: sessions, each under the digest of a secret that only the browser's cookie holds."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.workbench.store.tables import sessions

_SWEPT: Final = 100
"""Sessions that are over and are let go with each new one, at most."""


async def keep(engine: AsyncEngine, digest: bytes, sealed: bytes, expires: datetime, now: datetime) -> None:
    """Keep a new session, and let go of some that are over."""
    over = sa.select(sessions.c.digest).where(sessions.c.expires < now).limit(_SWEPT)
    async with engine.begin() as connection:
        await connection.execute(sa.delete(sessions).where(sessions.c.digest.in_(over)))
        await connection.execute(sa.insert(sessions).values(digest=digest, sealed=sealed, expires=expires))


async def find(engine: AsyncEngine, digest: bytes, now: datetime) -> bytes | None:
    """What is kept of a session; None where there is none, or it is over."""
    async with engine.connect() as connection:
        found: bytes | None = await connection.scalar(
            sa.select(sessions.c.sealed).where(sessions.c.digest == digest, sessions.c.expires > now)
        )
        return found


async def end(engine: AsyncEngine, digest: bytes) -> bytes | None:
    """End a session; returns what was kept of it, which nobody else gets."""
    async with engine.begin() as connection:
        found: bytes | None = await connection.scalar(sa.delete(sessions).where(sessions.c.digest == digest).returning(sessions.c.sealed))
        return found
