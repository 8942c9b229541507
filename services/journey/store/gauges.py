"""What operations see of journey: refused records that nobody has settled."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.metrics import QUARANTINE, Reading
from services.chassis.database import driver_of, reading

_OPEN = """
SELECT q.reason, count(*) FILTER (WHERE a.act IS NULL) FROM quarantine q
LEFT JOIN quarantine_acts a USING (lane, position) GROUP BY q.reason
"""


async def measured(engine: AsyncEngine) -> Sequence[Reading]:
    """Open refusals by reason; 0 of a reason whose records are all settled."""
    async with reading(engine) as connection:
        return [Reading(QUARANTINE, number, (reason,)) for reason, number in await (await driver_of(connection)).fetch(_OPEN)]
