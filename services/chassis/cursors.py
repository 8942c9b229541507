"""Keyset cursors: where a page ended, opaque to the client and checked when it comes back."""

import base64
import binascii
from typing import Annotated, TypeVar

import orjson
from fastapi import Query
from pydantic import TypeAdapter, ValidationError

from services.chassis.problems import Kind, Problem

MALFORMED_CURSOR = Kind(400, "malformed-cursor", "That cursor is not one of ours")
PATTERN = r"^[A-Za-z0-9_-]{1,512}$"

Cursor = Annotated[str | None, Query(pattern=PATTERN, description="`next` of the page before")]
Position = TypeVar("Position")


def encode(position: object) -> str:
    """A cursor for a position, which is whatever the page is sorted by; what JSON has no word for goes as text."""
    return base64.urlsafe_b64encode(orjson.dumps(position, default=str)).rstrip(b"=").decode()


def decode(cursor: str, shape: TypeAdapter[Position]) -> Position:
    """The position that was encoded; anything else is the client's fault."""
    try:
        return shape.validate_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValidationError, ValueError) as error:
        raise Problem(MALFORMED_CURSOR, "Start again without a cursor.") from error
