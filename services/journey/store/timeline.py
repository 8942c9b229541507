"""What timelines show, page by page: touchpoints from the journal, and the facts of promises and recovery.

One order: by time, touchpoints before facts, and then as they are kept. A page reads no more than it may need, however
long the timeline is; what a filter passes over is read in larger steps.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.database import reading
from services.journey.store.facts import open_packs
from services.journey.store.reads import keys_of
from services.journey.store.rows import FactsRow
from services.journey.store.tables import facts, journal
from services.journey.timeline.kinds import Types
from services.journey.timeline.said import BEGINNING, codes_of

TOUCHPOINT, FACT = 0, 1
ERASED: Final = "erased"
STEP: Final = 500
"""Rows read at once where a filter passes over what was read."""
Where = tuple[Any, ...]
"""An entry's place in the order: (time, TOUCHPOINT, event) or (time, FACT, topic, partition, position, place)."""


class Entry(NamedTuple):
    """One entry of a timeline; `body` is its event, None once erased."""

    where: Where
    customer: UUID
    arrival: datetime
    body: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are wanted, in half-open ranges, behind a place or before it; `person` is filled in by who reads."""

    types: Types
    since: datetime | None = None
    until: datetime | None = None
    arrived_since: datetime | None = None
    arrived_until: datetime | None = None
    after: Where | None = None
    backwards: bool = False
    person: Sequence[UUID] = ()


async def read_page(engine: AsyncEngine, customer: UUID, wanted: Wanted, limit: int) -> list[Entry]:
    """The next entries in the order asked for, each event once under whichever keys of the person it is kept."""
    async with reading(engine) as connection:
        wanted = replace(wanted, person=await keys_of(connection, customer))
        found = await _collect(connection, wanted, limit, _touchpoints)
        near = _no_further(wanted, found[-1].where[0]) if len(found) == limit else wanted
        found += await _collect(connection, near, limit, _facts)
    return sorted(found, key=attrgetter("where"), reverse=wanted.backwards)[:limit]


def _no_further(wanted: Wanted, time: datetime) -> Wanted:
    """What is beyond a full page of others is on a later page."""
    if wanted.backwards:
        return replace(wanted, since=time if wanted.since is None else max(wanted.since, time))
    until = time + datetime.resolution
    return replace(wanted, until=until if wanted.until is None else min(wanted.until, until))


class _Step(NamedTuple):
    """What one step found, the place of the last row it looked at, and whether there may be more."""

    entries: list[Entry]
    last: Where | None
    more: bool


_Reader = Callable[[AsyncConnection, Wanted, int], Awaitable[_Step]]


async def _collect(connection: AsyncConnection, wanted: Wanted, limit: int, read_step: _Reader) -> list[Entry]:
    found: dict[Where, Entry] = {}
    size = limit
    while True:
        entries, last, more = await read_step(connection, wanted, size)
        for each in entries:
            found.setdefault(each.where, each)
        if not more or len(found) >= limit:
            return list(found.values())[:limit]
        wanted, size = replace(wanted, after=last), max(limit, STEP)


async def _touchpoints(connection: AsyncConnection, wanted: Wanted, size: int) -> _Step:
    place = (journal.c.time, journal.c.event)
    conditions = [sa.not_(journal.c.copied), *_ranges(wanted, journal.c.time, journal.c.arrival)]
    if wanted.after is not None:
        conditions.append(_beyond(wanted, TOUCHPOINT, place))
    if (patterns := wanted.types.patterns()) is not None:
        conditions.append(sa.or_(*(journal.c.body.op("LIKE")(_like(each)) for each in patterns)))
    columns = (journal.c.time, journal.c.event, journal.c.customer, journal.c.arrival, journal.c.body)
    rows = await _of_person(connection, wanted, size, columns, conditions, place)
    entries = []
    for time, event, customer, arrival, content in rows:
        body = None if content is None else orjson.loads(content)
        if (ERASED if body is None else body["type"]) in wanted.types:
            entries.append(Entry((time, TOUCHPOINT, event), customer, arrival, body))
    return _Step(entries, (rows[-1].time, TOUCHPOINT, rows[-1].event) if rows else None, len(rows) == size)


def _like(pattern: str) -> bytes:
    """Finds events of such types as they are kept: nested members of that name are found as well."""
    texts = (orjson.dumps(each)[1:-1] for each in pattern.split("*"))
    literal = (each.replace(b"\\", b"\\\\").replace(b"%", b"\\%").replace(b"_", b"\\_") for each in texts)
    return b'%"type":"' + b"%".join(literal) + b'"%'


async def _facts(connection: AsyncConnection, wanted: Wanted, size: int) -> _Step:
    topics = [topic for topic, beginning in _TOPICS.items() if wanted.types.may_begin(beginning)]
    if not topics:
        return _Step([], None, more=False)
    names = (facts.c.time, facts.c.topic, facts.c.partition, facts.c.position)
    edge = facts.c.place if wanted.backwards else facts.c.place + facts.c.number - 1
    conditions = [facts.c.topic.in_(topics), *_ranges(wanted, facts.c.time, facts.c.time), *_that_say(wanted.types)]
    if wanted.after is not None:
        conditions.append(_beyond(wanted, FACT, (*names, edge)))
    found = await _of_person(connection, wanted, size, list(facts.c), conditions, (*names, facts.c.place))
    if not found:
        return _Step([], None, more=False)
    rows = _enough([FactsRow(*row) for row in found], size)
    opened = await open_packs(connection, ((row.topic, row.partition, row.position) for row in rows))
    entries = list(chain.from_iterable(_entries(row, opened[row.topic, row.partition, row.position], wanted) for row in rows))
    last, more = rows[-1], len(found) == size or len(rows) < len(found)
    edge_place = last.place if wanted.backwards else last.place + last.number - 1
    return _Step(entries, (last.time, FACT, last.topic, last.partition, last.position, edge_place), more)


_TOPICS: Final = {"makegood.promises": BEGINNING, "makegood.recovery": "makegood."}


def _enough(rows: Sequence[FactsRow], size: int) -> list[FactsRow]:
    """As many of the first rows as hold so many facts, where only the first may have been read in part."""
    found, left = [], size + rows[0].number
    for row in rows:
        if left <= 0:
            break
        found.append(row)
        left -= row.number
    return found


def _that_say(types: Types) -> list[sa.ColumnElement[bool]]:
    """Rows of facts of which one may be of such a type, as far as is noted of them."""
    codes = codes_of(types)
    if not types.are_chosen:
        return []
    noted = sa.func.substring(facts.c.said, 1, facts.c.number)
    return [sa.or_(facts.c.said.is_(None), *(sa.func.pg_catalog.position(noted, sa.literal(bytes([code]))) > 0 for code in codes))]


def _entries(row: FactsRow, bodies: Sequence[bytes], wanted: Wanted) -> list[Entry]:
    """The facts of a row that are wanted, in the order asked for."""
    found = []
    for place in range(row.place, row.place + row.number):
        body = orjson.loads(bodies[place])
        where = (row.time, FACT, row.topic, row.partition, row.position, place)
        if body["type"] in wanted.types and _is_beyond(wanted, where):
            found.append(Entry(where, row.customer, row.time, body))
    return found[::-1] if wanted.backwards else found


def _is_beyond(wanted: Wanted, where: Where) -> bool:
    if wanted.after is None:
        return True
    return where < wanted.after if wanted.backwards else where > wanted.after


async def _of_person(
    connection: AsyncConnection, wanted: Wanted, size: int, columns: Sequence[sa.Column[Any]],
    conditions: Sequence[sa.ColumnElement[bool]], order: Sequence[sa.Column[Any]],
) -> Sequence[Any]:  # fmt: skip
    """The first rows of each key of the person by its index, and of these the first."""
    keys = sa.select(sa.func.unnest(sa.cast(list(wanted.person), sa.ARRAY(sa.Uuid))).label("key")).subquery("keys")
    customer = columns[0].table.c.customer
    inner = sa.select(*columns).where(customer == keys.c.key, *conditions)
    each = inner.order_by(*(_way(wanted, column) for column in order)).limit(size).lateral("each")
    outer = [_way(wanted, each.c[column.name]) for column in order]
    query = sa.select(*each.c).select_from(keys).join(each, sa.true()).order_by(*outer).limit(size)
    return (await connection.execute(query)).all()


def _way(wanted: Wanted, column: sa.ColumnElement[Any]) -> sa.UnaryExpression[Any]:
    return column.desc() if wanted.backwards else column.asc()


def _ranges(wanted: Wanted, time: sa.ColumnElement[Any], arrival: sa.ColumnElement[Any]) -> list[sa.ColumnElement[bool]]:
    bounds = (
        (time, wanted.since, wanted.until),
        (arrival, wanted.arrived_since, wanted.arrived_until),
    )
    found = [column >= since for column, since, _ in bounds if since is not None]
    return found + [column < until for column, _, until in bounds if until is not None]


def _beyond(wanted: Wanted, rank: int, place: Sequence[sa.ColumnElement[Any]]) -> sa.ColumnElement[bool]:
    """Which rows of one rank lie beyond a place that may be of another."""
    assert wanted.after is not None
    time, its_rank, *rest = wanted.after
    bound: sa.ColumnElement[bool] = place[0] <= time if wanted.backwards else place[0] >= time
    if rank != its_rank:
        return bound if (rank > its_rank) != wanted.backwards else sa.and_(bound, place[0] != time)
    there = sa.tuple_(*(sa.literal(value, column.type) for value, column in zip((time, *rest), place, strict=True)))
    return sa.and_(bound, sa.tuple_(*place).op("<" if wanted.backwards else ">", is_comparison=True)(there))
