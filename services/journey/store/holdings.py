"""Who holds things that many hold, and what happened to those."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from services.chassis.database import Transaction

LOCK = 0x6D616E79
"""Advisory locks of things: who is found to hold one, and what happens to it, wait for each other."""


async def lock(tx: Transaction, things: Sequence[UUID]) -> None:
    """Hold the locks of things until the transaction ends; `things` are sorted, so that nobody waits in a circle."""
    for number in sorted({each.int & 0x7FFFFFFF for each in things}):
        await tx.driver.execute("SELECT pg_advisory_xact_lock($1, $2)", LOCK, number)


async def holders(tx: Transaction, things: Iterable[UUID]) -> list[tuple[UUID, UUID, datetime]]:
    """Who holds things: (thing, customer, since)."""
    rows = await tx.driver.fetch(
        "SELECT thing, customer, since FROM holdings h WHERE thing = ANY($1::uuid[]) "
        "AND NOT EXISTS (SELECT FROM erasures e WHERE e.customer = h.customer)",
        list(things),
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def reached(tx: Transaction, customers: Iterable[UUID]) -> dict[UUID, set[UUID]]:
    """What each of these has of things that they hold themselves, by event."""
    rows = await tx.driver.fetch(
        "SELECT h.customer, j.event FROM holdings h JOIN journal j ON j.customer = h.thing AND j.time >= h.since AND j.copied "
        "WHERE h.customer = ANY($1::uuid[])",
        list(customers),
    )
    found: dict[UUID, set[UUID]] = {}
    for customer, event in rows:
        found.setdefault(customer, set()).add(event)
    return found


async def hold(tx: Transaction, rows: Sequence[tuple[UUID, UUID, datetime]]) -> None:
    """Save who holds what, as (thing, customer, since); the earliest counts."""
    if rows:
        await tx.driver.execute(
            "INSERT INTO holdings (thing, customer, since) SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) "
            "ON CONFLICT (thing, customer) DO UPDATE SET since = least(holdings.since, excluded.since)",
            *map(list, zip(*rows, strict=True)),
        )
