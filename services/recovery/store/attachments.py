"""The bytes of attachments, in chunks: what they are called and what they are stands in their case."""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction
from services.recovery.store.tables import attachment_chunks as chunks

CHUNK_BYTES: Final = 256 * 1024


async def keep(tx: Transaction, customer: UUID, attachment: UUID, content: bytes) -> None:
    """Keep a file's bytes with the act that attaches it."""
    parts = [content[start : start + CHUNK_BYTES] for start in range(0, len(content), CHUNK_BYTES)]
    rows = [(attachment, number, customer, part) for number, part in enumerate(parts)]
    await tx.copy("attachment_chunks", ["attachment", "number", "customer", "body"], rows)


async def read(engine: AsyncEngine, attachment: UUID) -> AsyncIterator[bytes]:
    """The bytes of a file, chunk by chunk; none once its customer was erased. No connection is held while a chunk is on its way."""
    number = 0
    while (part := await _chunk(engine, attachment, number)) is not None:
        yield part
        number += 1


async def _chunk(engine: AsyncEngine, attachment: UUID, number: int) -> bytes | None:
    query = sa.select(chunks.c.body).where(chunks.c.attachment == attachment, chunks.c.number == number)
    async with engine.connect() as connection:
        found: bytes | None = await connection.scalar(query)
        return found


async def remove(tx: Transaction, case: UUID, attachment: UUID) -> None:
    """Let the bytes of a file go, and what it was called, with the act that takes it out."""
    await tx.driver.execute("DELETE FROM attachment_chunks WHERE attachment = $1", attachment)
    await tx.driver.execute(_UNNAME, case, str(attachment))


_UNNAME: Final = "UPDATE acts SET payload = NULL WHERE case_id = $1 AND kind = 'attached' AND content ->> 'attachment' = $2"


async def forget(tx: Transaction, customer: UUID) -> None:
    """Let every file of a customer go."""
    await tx.driver.execute("DELETE FROM attachment_chunks WHERE customer = $1", customer)
