"""What operations see of promises: who is held for want of what was not read, and which sources are silent."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.metrics import HELD, SILENCE, Reading
from services.chassis.database import driver_of, reading

_HELD = "SELECT p.name, count(c.id) FROM promises p LEFT JOIN commitments c ON c.promise = p.id AND c.held GROUP BY p.name"
# A source is silent as of its lane's barrier: that it is so for ever so long on a replayed clock means nothing there.
_SILENCE = """
SELECT s.source, coalesce(extract(epoch FROM max(p.arrival) - min(b.start)), 0)::float8
FROM (SELECT DISTINCT ON (source) source, document FROM sources ORDER BY source, version DESC) s
LEFT JOIN blind_spots b ON b.subject = 'source:' || s.source AND b."end" IS NULL
LEFT JOIN progress p ON p.partition = b.partition
WHERE s.document IS NOT NULL GROUP BY s.source
"""


async def measured(engine: AsyncEngine) -> Sequence[Reading]:
    """Held commitments of each promise, and seconds of silence of each declared source."""
    async with reading(engine) as connection:
        driver = await driver_of(connection)
        held = [Reading(HELD, number, (promise,)) for promise, number in await driver.fetch(_HELD)]
        return held + [Reading(SILENCE, max(0.0, seconds), (source,)) for source, seconds in await driver.fetch(_SILENCE)]
