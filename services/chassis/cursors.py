"""Keyset cursors: where a page ended, opaque to the client and checked when it comes back."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import orjson
from fastapi import Query
from pydantic import TypeAdapter, ValidationError

from services.chassis.problems import Kind, Problem

MALFORMED_CURSOR = Kind(400, "malformed-cursor", "That cursor is not one of ours")
PATTERN = r"^[A-Za-z0-9_-]{1,512}$"

Cursor = Annotated[str | None, Query(pattern=PATTERN, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=200)]
Position = TypeVar("Position")
Item = TypeVar("Item")


def encode(position: object) -> str:
    """A cursor for a position, which is whatever the page is sorted by; what JSON has no word for goes as text."""
    return base64.urlsafe_b64encode(orjson.dumps(position, default=str)).rstrip(b"=").decode()


def decode(cursor: str, shape: TypeAdapter[Position]) -> Position:
    """The position that was encoded; anything else is the client's fault."""
    try:
        return shape.validate_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValidationError, ValueError) as error:
        raise Problem(MALFORMED_CURSOR, "Start again without a cursor.") from error


def behind(cursor: str | None, shape: TypeAdapter[Position]) -> Position | None:
    """The position that a page begins behind, None for the first one."""
    return decode(cursor, shape) if cursor else None


def page(found: Sequence[Item], limit: int, position: Callable[[Item], object]) -> tuple[Sequence[Item], str | None]:
    """The first `limit` of what was found, and the cursor behind them where there is more; so one more is asked for than is shown."""
    items = found[:limit]
    return items, encode(position(items[-1])) if len(found) > limit else None
