"""Who is whom: what is erased."""

from collections.abc import Collection, Iterable
from uuid import UUID

from services.chassis.database import Transaction


async def erased(tx: Transaction, marks: Collection[UUID]) -> set[UUID]:
    """Which of these marks are of identifiers of erased customers."""
    rows = await tx.driver.fetch("SELECT identifier FROM erased WHERE identifier = ANY($1::uuid[])", list(marks))
    return {row[0] for row in rows}


async def erase(tx: Transaction, marks: Iterable[UUID]) -> None:
    """Let identifiers name nobody from now on; whoever calls this holds the identity lock alone and moves the epoch."""
    await tx.driver.execute("INSERT INTO erased SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING", sorted(marks))
