"""What was taken in, of all customers, as the lanes took it in: page by page, however much comes meanwhile.

A place is an ordinal for each lane and not a time: what is taken in later stands behind everything that was there. Among lanes the
earlier arrival comes first. What a filter passes over is looked at in bounded steps.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import driver_of, reading
from services.journey.store.projections import Journalled
from services.journey.store.timeline import ERASED, TOUCHPOINT, Entry
from services.journey.timeline.kinds import Types

AT_ONCE: Final = 500
"""Rows of each lane that are read at once."""
MOST: Final = 20_000
"""Rows that one page looks at; with a filter it may come to its end with less than it was asked for, or with nothing."""
_OUR_OWN: Final = "makegood."
_ENDS: Final = (
    "SELECT replace(topic, 'makegood.', '') || '/' || partition, ordinal + 1 FROM progress "
    "WHERE topic IN ('makegood.touchpoints', 'makegood.acts')"
)
Places = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Sought:
    """What is asked for, in half-open ranges."""

    types: Types
    sources: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    arrived_since: datetime | None = None
    arrived_until: datetime | None = None
    backwards: bool = False

    def __contains__(self, entry: Entry) -> bool:
        """Whether an entry is asked for; of one that was erased nobody knows who said it."""
        body, time = entry.body or {"type": ERASED, "source": ""}, entry.where[0]
        ranges = ((time, self.since, self.until), (entry.arrival, self.arrived_since, self.arrived_until))
        inside = all((since is None or since <= at) and (until is None or at < until) for at, since, until in ranges)
        return inside and body["type"] in self.types and (not self.sources or body["source"] in self.sources)


class Found(NamedTuple):
    """Some entries, the place behind the last row that was looked at, and whether there may be more."""

    entries: list[Entry]
    place: dict[str, int]
    more: bool


async def read_page(engine: AsyncEngine, sought: Sought, after: Places | None, limit: int) -> Found:
    """The next entries behind a place; from the end that the order begins with, where there is none."""
    async with reading(engine) as connection:
        driver = await driver_of(connection)
        ends = {row[0]: row[1] for row in await driver.fetch(_ENDS)}
        place = dict(after or {}) if not sought.backwards else {lane: (after or ends).get(lane, 0) for lane in ends}
        entries: list[Entry] = []
        looked, more = 0, True
        while more and looked < MOST and len(entries) < limit:
            rows = await _rows(driver, {lane: place.get(lane, 0) for lane in ends}, backwards=sought.backwards)
            more = False
            for row in _in_order(rows, backwards=sought.backwards):
                looked, more = looked + 1, True
                place[row.lane] = row.ordinal if sought.backwards else row.ordinal + 1
                if (entry := _entry(row)) is not None and entry in sought:
                    entries.append(entry)
                if len(entries) == limit:
                    break
    return Found(entries, place, more)


async def _rows(driver: Any, place: Places, *, backwards: bool) -> Sequence[Journalled]:
    compared, way = ("<", "DESC") if backwards else (">=", "")
    query = (
        f"SELECT r.* FROM unnest($1::text[], $2::bigint[]) l(lane, at) CROSS JOIN LATERAL ({_SELECT} FROM journal j "
        f"WHERE j.lane = l.lane AND j.ordinal {compared} l.at ORDER BY j.ordinal {way} LIMIT $3) r"
    )
    return [Journalled(*row) for row in await driver.fetch(query, list(place), list(place.values()), AT_ONCE)]


_SELECT: Final = "SELECT " + ", ".join(f"j.{name}" for name in Journalled._fields)


def _in_order(rows: Sequence[Journalled], *, backwards: bool) -> Iterator[Journalled]:
    """Rows of several lanes as one: each lane in its own order, up to where one may have more that was not read."""
    lanes: defaultdict[str, list[Journalled]] = defaultdict(list)
    for row in rows:
        lanes[row.lane].append(row)
    full = {lane for lane, found in lanes.items() if len(found) == AT_ONCE}
    heads = {lane: iter(found) for lane, found in lanes.items()}
    waiting = {lane: next(each) for lane, each in heads.items()}
    while waiting:
        lane = (max if backwards else min)(waiting, key=lambda each: (waiting[each].arrival, each))
        yield waiting[lane]
        following = next(heads[lane], None)
        if following is not None:
            waiting[lane] = following
        elif lane in full:
            return
        else:
            del waiting[lane]


def _entry(row: Journalled) -> Entry | None:
    """A row as it is shown; None for evidence that was lent, and for what journey says itself."""
    body = None if row.body is None else orjson.loads(row.body)
    if row.copied or (body is not None and body["type"].startswith(_OUR_OWN)):
        return None
    return Entry((row.time, TOUCHPOINT, row.event), row.customer, row.arrival, body)
