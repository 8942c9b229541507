"""Who is whom: what is erased."""

from collections.abc import Collection, Mapping
from uuid import UUID

from services.chassis.database import Transaction


async def erasure_key(tx: Transaction) -> bytes:
    """What identifiers of erased customers are hashed with."""
    found: bytes = await tx.driver.fetchval("SELECT key FROM erasure_key")
    return found


async def erased(tx: Transaction, marks: Collection[UUID]) -> dict[UUID, UUID]:
    """Whom the identifiers with these marks led to, of those who were erased."""
    rows = await tx.driver.fetch("SELECT identifier, customer FROM erased WHERE identifier = ANY($1::uuid[])", list(marks))
    return {row[0]: row[1] for row in rows}


async def erase(tx: Transaction, marks: Mapping[UUID, UUID], customers: Collection[UUID]) -> None:
    """Let the identifiers of customers name nobody from now on, and keep marks of them, each with the customer it led to.

    Whoever calls this holds the identity lock alone and moves the epoch.
    """
    await tx.driver.execute(
        "INSERT INTO erased (identifier, customer) SELECT * FROM unnest($1::uuid[], $2::uuid[]) ON CONFLICT DO NOTHING",
        list(marks), list(marks.values()),
    )  # fmt: skip
    await tx.driver.execute("DELETE FROM identifiers WHERE customer = ANY($1::uuid[])", list(customers))
