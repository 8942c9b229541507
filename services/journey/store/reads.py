"""What people and other systems ask of the journey service."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.progress import read_all_progress
from services.journey.sources import Standing, standing_of
from services.journey.store import NOT_YET
from services.journey.store.tables import customers, identifiers, progress


async def find_customer(engine: AsyncEngine, identifier: str) -> tuple[UUID, bool] | None:
    """Whom an identifier leads to: (customer, provisional)."""
    query = (
        sa.select(customers.c.key, customers.c.provisional)
        .join(identifiers, identifiers.c.customer == customers.c.key)
        .where(identifiers.c.identifier == identifier)
    )
    async with engine.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row.key, row.provisional)


async def latest_arrival(engine: AsyncEngine) -> datetime | None:
    """How far the raw lanes have come: on the replay clock, its present time."""
    query = sa.select(sa.func.max(progress.c.arrival)).where(progress.c.topic.in_(("makegood.touchpoints", "makegood.acts")))
    async with engine.connect() as connection:
        found: datetime | None = (await connection.execute(query)).scalar_one()
    return found


async def read_lanes(engine: AsyncEngine) -> tuple[dict[str, datetime], dict[str, Standing]]:
    """When each declared source was heard last in any lane, and what was said of it last."""
    last: dict[str, datetime] = {}
    told: dict[str, Standing] = {}
    for lane in await read_all_progress(engine):
        for source, text in lane.state.get("sources", {}).items():
            last[source] = max(last.get(source, NOT_YET), datetime.fromisoformat(text))
        told |= {source: standing_of(said) for source, said in lane.state.get("told", {}).items()}
    return last, told
