"""What was paid in compensation: a sum by partition, promise and currency, moved with the partition's position."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction
from services.promises.payments import Payment, Sums
from services.promises.store.tables import payments


async def add(tx: Transaction, partition: int, sums: Sums) -> None:
    """Add what a batch heard."""
    if sums:
        await tx.driver.execute(
            "INSERT INTO payments (partition, promise, currency, amount) SELECT $1, * FROM unnest($2::text[], $3::text[], $4::numeric[]) "
            "ON CONFLICT (partition, promise, currency) DO UPDATE SET amount = payments.amount + excluded.amount",
            partition,
            [promise for promise, _ in sums],
            [currency for _, currency in sums],
            list(sums.values()),
        )


async def read(engine: AsyncEngine) -> list[Payment]:
    """What was paid in all."""
    each = (payments.c.promise, payments.c.currency)
    async with engine.connect() as connection:
        return [Payment(*row) for row in await connection.execute(sa.select(*each, sa.func.sum(payments.c.amount)).group_by(*each))]
