"""What is new of customers, lane by lane: from one place in all lanes to another, neither of them a time.

A place is a number for each lane of the journal and each partition of facts; everything below it has been read. Touchpoints
count by their ordinal, facts by the offset of their pack and their place in it.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import driver_of, reading
from services.journey.store.facts import open_packs
from services.journey.store.reads import keys_of
from services.journey.store.timeline import FACT, TOUCHPOINT, Entry

AT_ONCE: Final = 500
PLACES: Final = 16
"""Bits of a place in a pack."""
Lanes = Mapping[str, int]


class Reached(NamedTuple):
    """Where everything ends that is committed, and how often it changed who is whom."""

    lanes: Lanes
    epoch: int


class News(NamedTuple):
    """An entry, and the place behind it in its lane."""

    lane: str
    behind: int
    entry: Entry


async def reached(engine: AsyncEngine) -> Reached:
    """Where all lanes end now."""
    async with reading(engine) as connection:
        rows = await (await driver_of(connection)).fetch(_REACHED)
    return Reached({row[0]: row[1] for row in rows}, rows[0][2] if rows else 0)


_REACHED: Final = (
    "SELECT CASE WHEN raw THEN replace(topic, 'makegood.', '') ELSE topic END || '/' || partition, "
    f"CASE WHEN raw THEN ordinal + 1 ELSE position << {PLACES} END, (SELECT epoch FROM identity_epoch) "
    "FROM (SELECT *, topic IN ('makegood.touchpoints', 'makegood.acts') AS raw FROM progress) p"
)
_LANES: Final = "unnest($2::text[], $3::bigint[], $4::bigint[]) AS l(lane, start, stop)"
_JOURNAL: Final = (
    f"FROM {_LANES} JOIN journal j ON j.lane = l.lane AND j.ordinal >= l.start AND j.ordinal < l.stop "
    "WHERE j.customer = ANY($1::uuid[]) AND NOT j.copied"
)
_ONCE: Final = (
    "AND NOT (cardinality($1::uuid[]) > 1 AND EXISTS (SELECT FROM journal e WHERE e.customer = ANY($1::uuid[]) AND e.time = j.time "
    "AND e.event = j.event AND NOT e.copied AND (e.lane, e.ordinal) < (j.lane, j.ordinal)))"
)
"""What two keys of one person both have as their own is told as the first of them has it, wherever one comes back to."""
_NUMBER: Final = f"(f.position << {PLACES}) + f.place"
_FACTS: Final = (
    f"FROM {_LANES} JOIN facts f ON f.topic || '/' || f.partition = l.lane AND {_NUMBER} + f.number > l.start AND {_NUMBER} < l.stop "
    "WHERE f.customer = ANY($1::uuid[])"
)


async def who_has_news(engine: AsyncEngine, customers: Collection[UUID], start: Lanes, stop: Lanes) -> set[UUID]:
    """Which of these have anything between two places."""
    asked = [list(customers), *_moved(start, stop)]
    async with reading(engine) as connection:
        driver = await driver_of(connection)
        rows = await driver.fetch(f"SELECT DISTINCT j.customer {_JOURNAL} UNION SELECT DISTINCT f.customer {_FACTS}", *asked)
    return {row[0] for row in rows}


async def read_keys(engine: AsyncEngine, customer: UUID) -> list[UUID]:
    """All keys of a person."""
    async with reading(engine) as connection:
        return await keys_of(connection, customer)


async def read_news(engine: AsyncEngine, person: Sequence[UUID], start: Lanes, stop: Lanes) -> tuple[list[News], bool]:
    """The next entries of a person between two places, each lane in its own order; and whether that was all."""
    asked = [list(person), *_moved(start, stop), AT_ONCE]
    async with reading(engine) as connection:
        driver = await driver_of(connection)
        rows = await driver.fetch(
            f"SELECT j.lane, j.ordinal, j.customer, j.event, j.time, j.arrival, j.body {_JOURNAL} {_ONCE} "
            "ORDER BY j.lane, j.ordinal LIMIT $5",
            *asked,
        )
        runs = await driver.fetch(f"SELECT l.lane, f.* {_FACTS} ORDER BY f.topic, f.partition, f.position, f.place LIMIT $5", *asked)
        bodies = await open_packs(connection, {(run["topic"], run["partition"], run["position"]) for run in runs})
    found = []
    for lane, ordinal, customer, event, time, arrival, content in rows:
        body = None if content is None else orjson.loads(content)
        found.append(News(lane, ordinal + 1, Entry((time, TOUCHPOINT, event), customer, arrival, body)))
    for run in runs:
        pack = (run["topic"], run["partition"], run["position"])
        for place in range(run["place"], run["place"] + run["number"]):
            number = (run["position"] << PLACES) + place
            if start.get(run["lane"], 0) <= number:
                where = (run["time"], FACT, *pack, place)
                found.append(News(run["lane"], number + 1, Entry(where, run["customer"], run["time"], orjson.loads(bodies[pack][place]))))
    return found, len(rows) < AT_ONCE and len(runs) < AT_ONCE


def _moved(start: Lanes, stop: Lanes) -> tuple[list[str], list[int], list[int]]:
    """The lanes that end further on than they began, with both ends."""
    names = [lane for lane, end in stop.items() if start.get(lane, 0) < end]
    return names, [start.get(lane, 0) for lane in names], [stop[lane] for lane in names]
