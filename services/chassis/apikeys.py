"""Keys of company systems: `mg_PREFIX.SECRET`, of which a service keeps the prefix and a hash, and never what opens it.

A secret has 256 random bits, so one round of SHA-256 is enough: there is nothing to guess (docs/decisions/0024). While a key is
being exchanged two secrets open it, the new one and the one before.
"""

import asyncio
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.tokens import InvalidTokenError

MARK: Final = "mg_"
"""By this a key is told from a token, and found where it should not be, in a repository or a log."""
KNOWN_SECONDS: Final = 5.0
"""A revoked key opens nothing after this, in a process that has seen it just before."""
USED_SECONDS: Final = 60.0
"""When a key was used last is kept to the minute."""
MOST_KNOWN: Final = 1000
_SECRET_BYTES: Final = 32
_PREFIX_BYTES: Final = 6
_KEY: Final = re.compile(rf"{MARK}([0-9a-f]{{12}})\.([A-Za-z0-9_-]{{43}})")
_UTC_TIME: Final = sa.DateTime(timezone=True)
_metadata: Final = sa.MetaData()


def api_keys_table(metadata: sa.MetaData) -> sa.Table:
    """The keys as each service's schema holds them."""
    return sa.Table(
        "api_keys",
        metadata,
        sa.Column("prefix", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, comment="the system that holds it"),
        sa.Column("scopes", sa.ARRAY(sa.Text), nullable=False, comment="the operations that it opens"),
        sa.Column("hash", BYTEA, nullable=False, comment="SHA-256 of the secret"),
        sa.Column("former", BYTEA, comment="that of the secret before, while both open"),
        sa.Column("former_until", _UTC_TIME),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("made_at", _UTC_TIME, nullable=False),
        sa.Column("rotated_at", _UTC_TIME),
        sa.Column("expires", _UTC_TIME, comment="NULL: never"),
        sa.Column("last_used", _UTC_TIME, comment="to the minute"),
        sa.Column("revoked_by", sa.Text),
        sa.Column("revoked_at", _UTC_TIME),
        sa.Index("api_keys_in_force", "name", unique=True, postgresql_where=sa.text("revoked_at IS NULL")),
    )


_keys: Final = api_keys_table(_metadata)
_SHOWN: Final = ("prefix", "name", "scopes", "made_by", "made_at", "rotated_at", "expires", "last_used", "revoked_by", "revoked_at")


class ApiKey(NamedTuple):
    """One key, without what opens it."""

    prefix: str
    name: str
    scopes: list[str]
    made_by: str
    made_at: datetime
    rotated_at: datetime | None = None
    expires: datetime | None = None
    last_used: datetime | None = None
    revoked_by: str | None = None
    revoked_at: datetime | None = None


@dataclass(slots=True)
class _Known:
    """A row as it was a moment ago; None: there is no such key."""

    row: sa.Row[tuple[object, ...]] | None
    read_at: float
    used_at: float = float("-inf")


class ApiKeys:
    """The keys of one service."""

    def __init__(self, engine: AsyncEngine, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._engine, self._now = engine, now
        self._known: dict[str, _Known] = {}

    async def holder(self, text: str) -> ApiKey:
        """Whose key that is; raises `InvalidTokenError` where it opens nothing, for whatever reason."""
        found = _KEY.fullmatch(text)
        if found is None:
            raise InvalidTokenError
        prefix, digest = found[1], sha256(found[2].encode()).digest()
        known = await self._read(prefix)
        row, now = known.row, self._now()
        fits = hmac.compare_digest(digest, row.hash if row else b"\0" * 32)
        if row is not None and row.former is not None and now < row.former_until:
            fits |= hmac.compare_digest(digest, row.former)
        if row is None or not fits or row.revoked_at is not None or (row.expires is not None and row.expires <= now):
            raise InvalidTokenError
        await self._used(prefix, known, now)
        return ApiKey(*(getattr(row, name) for name in _SHOWN))

    async def _read(self, prefix: str) -> _Known:
        at = asyncio.get_running_loop().time()
        known = self._known.get(prefix)
        if known is None or at - known.read_at >= KNOWN_SECONDS:
            async with self._engine.connect() as connection:
                row = (await connection.execute(sa.select(_keys).where(_keys.c.prefix == prefix))).one_or_none()
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[prefix] = _Known(row, at, known.used_at if known else float("-inf"))
        return known

    async def _used(self, prefix: str, known: _Known, now: datetime) -> None:
        at = asyncio.get_running_loop().time()
        if at - known.used_at >= USED_SECONDS:
            known.used_at = at
            async with self._engine.begin() as connection:
                await connection.execute(sa.update(_keys).where(_keys.c.prefix == prefix).values(last_used=now))

    async def make(self, name: str, scopes: Sequence[str], by: str, expires: datetime | None) -> tuple[ApiKey, str] | None:
        """A new key and what opens it, which is told this once; None where a key in force has that name."""
        prefix, secret = secrets.token_hex(_PREFIX_BYTES), _drawn()
        made = ApiKey(prefix, name, sorted(set(scopes)), by, self._now(), expires=expires)
        try:
            async with self._engine.begin() as connection:
                await connection.execute(sa.insert(_keys).values(**made._asdict(), hash=_hash(secret)))
        except sa.exc.IntegrityError:
            return None
        return made, f"{MARK}{prefix}.{secret}"

    async def rotate(self, prefix: str, overlap: timedelta) -> tuple[ApiKey, str] | None:
        """A new secret for a key; the one before opens it for `overlap` more, and those before that no longer. None: no such key."""
        secret, now = _drawn(), self._now()
        values = {"hash": _hash(secret), "former": _keys.c.hash, "former_until": now + overlap, "rotated_at": now}
        changed = sa.update(_keys).where(_keys.c.prefix == prefix, _keys.c.revoked_at.is_(None)).values(values)
        async with self._engine.begin() as connection:
            row = (await connection.execute(changed.returning(*(_keys.c[each] for each in _SHOWN)))).one_or_none()
        self._known.pop(prefix, None)
        return (ApiKey(*row), f"{MARK}{prefix}.{secret}") if row is not None else None

    async def revoke(self, prefix: str, by: str) -> bool:
        """Let a key open nothing any more; False where there is none. One that is revoked stays as it is."""
        changed = sa.update(_keys).where(_keys.c.prefix == prefix)
        first = {"revoked_by": sa.func.coalesce(_keys.c.revoked_by, by), "revoked_at": sa.func.coalesce(_keys.c.revoked_at, self._now())}
        async with self._engine.begin() as connection:
            found = (await connection.execute(changed.values(first))).rowcount == 1
        self._known.pop(prefix, None)
        return found

    async def listed(self, behind: tuple[datetime, str] | None, limit: int) -> list[ApiKey]:
        """Keys, the oldest first; those that were revoked, too."""
        query = sa.select(*(_keys.c[each] for each in _SHOWN)).order_by(_keys.c.made_at, _keys.c.prefix).limit(limit)
        if behind is not None:
            query = query.where(sa.tuple_(_keys.c.made_at, _keys.c.prefix) > sa.tuple_(*map(sa.literal, behind)))
        async with self._engine.connect() as connection:
            return [ApiKey(*row) for row in await connection.execute(query)]


def _drawn() -> str:
    return secrets.token_urlsafe(_SECRET_BYTES)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
