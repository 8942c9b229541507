"""What is new of cases: acts of one case by their number, and of all cases by lane, in the order in which the lanes committed them.

A place in all cases is the number of the last effect of each lane; everything up to it has been read.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import driver_of, reading
from services.recovery.audit import Entry
from services.recovery.domain.case import Happened
from services.recovery.store import INPUT_TOPIC
from services.recovery.store.tables import acts

AT_ONCE: Final = 500
Lanes = Mapping[int, int]
_REACHED: Final = (
    "SELECT lane, coalesce(p.ordinal, 0) "
    f"FROM generate_series(0, coalesce((SELECT partitions FROM topology WHERE topic = '{INPUT_TOPIC}'), 1) - 1) lane "
    f"LEFT JOIN progress p ON p.topic = '{INPUT_TOPIC}' AND p.partition = lane"
)
_KEPT: Final = "SELECT min(ordinal) FROM outbox WHERE partition = $1"
_NEWS: Final = (
    "SELECT ordinal, body FROM outbox WHERE partition = $1 AND ordinal > $2 AND ordinal <= $3 AND topic = 'makegood.recovery' "
    "ORDER BY ordinal LIMIT $4"
)


class News(NamedTuple):
    """One fact of a case, and its number in the lane."""

    ordinal: int
    fact: dict[str, Any]


async def reached(engine: AsyncEngine) -> dict[int, int]:
    """Where each lane ends that is committed."""
    async with reading(engine) as connection:
        return {row[0]: row[1] for row in await (await driver_of(connection)).fetch(_REACHED)}


async def are_kept(engine: AsyncEngine, place: Lanes, now: Lanes) -> bool:
    """Whether everything behind this place is still there: what was told goes after some weeks."""
    async with reading(engine) as connection:
        driver = await driver_of(connection)
        for lane, number in place.items():
            first = await driver.fetchval(_KEPT, lane)
            if number < (now.get(lane, 0) if first is None else first - 1):
                return False
    return True


async def news_of_lane(engine: AsyncEngine, lane: int, after: int, until: int) -> list[News]:
    """The facts of one lane from one place to another, at most `AT_ONCE`."""
    async with reading(engine) as connection:
        rows = await (await driver_of(connection)).fetch(_NEWS, lane, after, until, AT_ONCE)
    return [News(row[0], orjson.loads(row[1])) for row in rows]


async def acts_behind(engine: AsyncEngine, case: UUID, number: int) -> Sequence[Entry]:
    """The acts of a case behind one, at most `AT_ONCE`."""
    query = sa.select(acts).where(acts.c.case_id == case, acts.c.number > number).order_by(acts.c.number).limit(AT_ONCE)
    async with engine.connect() as connection:
        return [
            Entry(row.number, Happened(row.kind, row.by, row.at, row.content, row.payload or {}), row.payload_digest, row.digest)
            for row in await connection.execute(query)
        ]
