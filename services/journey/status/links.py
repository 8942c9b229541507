"""Status links: what somebody holds in hand who may see how it stands with what was promised to them.

A link is a signed number of a row and when it ends; it says nothing of whose it is. Whatever is wrong with it is not told.
"""

import hashlib
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from services.journey.settings import JourneySettings

ALGORITHM: Final = "HS256"
LOCAL: Final = "local"
_ID_BYTES: Final = 16
_END_BYTES: Final = 8


class NoSecretError(Exception):
    """Set MAKEGOOD_STATUS_SECRET, at least 32 random characters: without it status links could be forged."""

    def __str__(self) -> str:
        return str(self.__doc__)


class Ticket(NamedTuple):
    """What a token says: which link it is, and when that ends."""

    link: UUID
    expires: datetime


def secret_of(settings: JourneySettings) -> OctKey:
    """What links are signed with; the local stack has a password of its own to make it of. Raises `NoSecretError`."""
    secret = settings.status_secret.get_secret_value()
    if secret:
        return OctKey.import_key(secret.encode())
    if settings.env != LOCAL:
        raise NoSecretError
    return OctKey.import_key(hashlib.blake2b(settings.database.encode(), person=b"status-links").digest())


def sign(ticket: Ticket, secret: OctKey) -> str:
    """A token, as it stands in an address."""
    end = int(ticket.expires.timestamp()).to_bytes(_END_BYTES)
    return jws.serialize_compact({"alg": ALGORITHM}, ticket.link.bytes + end, secret)


def read(token: str, secret: OctKey, now: datetime) -> Ticket | None:
    """What a token says; None where it is not ours, or has ended."""
    try:
        said = jws.deserialize_compact(token, secret, [ALGORITHM]).payload
    except (JoseError, ValueError):
        return None
    if len(said) != _ID_BYTES + _END_BYTES:
        return None
    ticket = Ticket(UUID(bytes=said[:_ID_BYTES]), datetime.fromtimestamp(int.from_bytes(said[_ID_BYTES:]), UTC))
    return ticket if now < ticket.expires else None
