"""Looks for a text in everything that databases hold: every column of every table, as text and as bytes, packed or in hexadecimal."""

import cramjam
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.driving import as_owner

ZSTANDARD = bytes.fromhex("28b52ffd")


def holds(value: object, needle: bytes) -> bool:
    """Whether a stored value holds the text, in any dress that a service gives to values."""
    if value is None:
        return False
    raw = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
    if raw.startswith(ZSTANDARD):
        raw += bytes(cramjam.zstd.decompress(raw))
    lower = raw.lower()
    return needle in lower or needle.hex().encode() in lower


async def traces(engine: AsyncEngine, schema: str, needle: bytes) -> list[str]:
    """Where the text is found, as table.column: value."""
    found = []
    async with as_owner(engine) as connection:
        tables = await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = :schema"), {"schema": schema})
        for (table,) in tables.all():
            for row in (await connection.execute(text(f'SELECT * FROM "{schema}"."{table}"'))).mappings():
                found += [f"{table}.{column}: {str(value)[:300]}" for column, value in row.items() if holds(value, needle)]
    return found
