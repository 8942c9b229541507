"""Who is signed in: what is kept of a session is sealed with a secret that only the browser's cookie holds.

Nothing of a token is in the browser, and nothing in the database opens a session without the cookie.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.access import Principal
from services.workbench import store

COOKIE: Final = "__Host-workbench"
_BYTES: Final = 32
_HEADER: Final = {"alg": "dir", "enc": "A256GCM"}


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in, and the token with which the services are asked in their name."""

    principal: Principal
    token: str


async def begin(engine: AsyncEngine, content: Mapping[str, Any], lasting: timedelta) -> str:
    """Keep something for a browser; returns the secret that its cookie has to hold."""
    secret, now = secrets.token_bytes(_BYTES), datetime.now(UTC)
    sealed = jwe.encrypt_compact(_HEADER, orjson.dumps(content), OctKey.import_key(secret))
    await store.keep(engine, _digest(secret), sealed.encode(), now + lasting, now)
    return secret.hex()


async def read(engine: AsyncEngine, cookie: str | None) -> dict[str, Any] | None:
    """What was kept for a browser; None where its cookie opens nothing."""
    secret = _secret(cookie)
    sealed = None if secret is None else await store.find(engine, _digest(secret), datetime.now(UTC))
    return None if secret is None or sealed is None else _opened(sealed, secret)


async def end(engine: AsyncEngine, cookie: str | None) -> dict[str, Any] | None:
    """End what was kept for a browser; returns it this once."""
    secret = _secret(cookie)
    sealed = None if secret is None else await store.end(engine, _digest(secret))
    return None if secret is None or sealed is None else _opened(sealed, secret)


def _secret(cookie: str | None) -> bytes | None:
    try:
        secret = bytes.fromhex(cookie or "")
    except ValueError:
        return None
    return secret if len(secret) == _BYTES else None


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def _opened(sealed: bytes, secret: bytes) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = orjson.loads(jwe.decrypt_compact(sealed, OctKey.import_key(secret)).plaintext or b"null")
    except JoseError:
        return None
    return content
