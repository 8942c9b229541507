"""What is learned beside the cases: counted causes, improvements, recognitions, and notes between a lead and a person."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction
from services.chassis.preconditions import Expected, Once
from services.recovery.store.places import last_without
from services.recovery.store.tables import cases, causes, coaching_notes, erasures, failures, improvements, people, recognitions
from services.recovery.store.whole import for_all_cases

_ROOT = UUID("3f0c3c5e-6c1b-5d5e-9f3e-7a2f0f6d8b10")
Row = Mapping[str, Any]
Position = tuple[datetime, UUID]
"""Where a page ended: due or at, id."""


class Counted(NamedTuple):
    """How often one cause was found behind failures of one promise (None: what somebody reported)."""

    promise: str | None
    component: str
    because: str | None
    cases: int
    first: datetime
    last: datetime

    @property
    def place(self) -> "Place":
        """Where it stands among the others."""
        return self.cases, self.promise, self.component, self.because


Place = tuple[int, str | None, str, str | None]
"""Of a count: cases, promise, component, what people lacked. A count that grows meanwhile may be passed over, or seen again."""
Chosen = tuple[datetime | None, str | None, int]
"""Which causes: said since then, of this kind with people, and behind at least so many cases."""


async def counted(engine: AsyncEngine, chosen: Chosen, after: Place | None, limit: int) -> list[Counted]:
    """The causes, most frequent first, behind a place; each case counts once for each promise that it is about."""
    since, because, least = chosen
    number = sa.func.count(sa.distinct(causes.c.case_id))
    keys = (failures.c.promise, causes.c.component, causes.c.because)
    query = (
        sa.select(*keys, number, sa.func.min(causes.c.said_at), sa.func.max(causes.c.said_at))
        .join(failures, failures.c.case_id == causes.c.case_id)
        .where(sa.not_(failures.c.withdrawn))
        .group_by(*keys)
        .having(number >= least)
        .order_by(number.desc(), *keys)
        .limit(limit)
    )
    if after is not None:
        behind = sa.tuple_(*last_without(*keys)) > sa.tuple_(*last_without(*after[1:]))
        query = query.having(sa.or_(number < after[0], sa.and_(number == after[0], behind)))
    if since is not None:
        query = query.where(causes.c.said_at >= since)
    if because is not None:
        query = query.where(causes.c.because == because)
    async with engine.connect() as connection:
        await for_all_cases(connection)
        return [Counted(*row) for row in await connection.execute(query)]


async def improve(engine: AsyncEngine, values: Row, once: Once) -> Row:
    """Begin an improvement, or give the one that this creation began before."""
    return await _create(engine, improvements, dict(values), once)


async def improvement(engine: AsyncEngine, identity: UUID) -> Row | None:
    """One improvement, or None."""
    return next(iter(await _read(engine, improvements, improvements.c.id == identity)), None)


async def all_improvements(engine: AsyncEngine, after: Position | None, limit: int) -> Sequence[Row]:
    """Improvements, those due next first, behind a place."""
    order = (improvements.c.due, improvements.c.id)
    behind = sa.true() if after is None else sa.tuple_(*order) > sa.tuple_(*after, types=[each.type for each in order])
    return await _read(engine, improvements, behind, order, limit)


async def change_improvement(engine: AsyncEngine, identity: UUID, seen: Expected, values: Row) -> Row | None:
    """An improvement with other values, None where there is none; raises the 412 problem where it is not what was seen."""
    async with engine.begin() as connection:
        where = improvements.c.id == identity
        version = await connection.scalar(sa.select(improvements.c.version).where(where).with_for_update())
        if version is None:
            return None
        seen.require(version)
        changed = sa.update(improvements).where(where).values(**values, version=version + 1).returning(improvements)
        row: Row = dict((await connection.execute(changed)).mappings().one())
        return row


async def add_tallies(tx: Transaction, partition: int, counts: Mapping[tuple[str, date], Sequence[int]]) -> None:
    """Add to how often promises were decided and broken on the days that they fell due."""
    rows = [(promise, day, partition, *each) for (promise, day), each in counts.items()]
    if rows:
        await tx.driver.executemany(_ADD, rows)


_ADD: Final = (
    "INSERT INTO tallies (promise, day, partition, decided, broken) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (promise, day, partition) "
    "DO UPDATE SET decided = tallies.decided + excluded.decided, broken = tallies.broken + excluded.broken"
)
_AROUND: Final = sa.text(
    "SELECT w.id, coalesce(sum(t.decided) FILTER (WHERE t.day < w.day), 0), coalesce(sum(t.broken) FILTER (WHERE t.day < w.day), 0), "
    "coalesce(sum(t.decided) FILTER (WHERE t.day > w.day), 0), coalesce(sum(t.broken) FILTER (WHERE t.day > w.day), 0) "
    "FROM (SELECT id, promise, days, (done_at AT TIME ZONE 'UTC')::date AS day FROM improvements WHERE id = ANY (:ids)) w "
    "LEFT JOIN tallies t ON (w.promise IS NULL OR t.promise = w.promise) AND t.day BETWEEN w.day - w.days AND w.day + w.days "
    "AND t.day < CAST(:today AS date) GROUP BY w.id"
)


class Around(NamedTuple):
    """How many commitments were decided, and how many of them broken, before the day of an improvement and after it."""

    before: tuple[int, int]
    after: tuple[int, int]


async def around(engine: AsyncEngine, improved: Collection[UUID], today: date) -> dict[UUID, Around]:
    """What was counted around improvements that are in effect, of days before `today`: what fell due on those is decided."""
    async with engine.connect() as connection:
        rows = await connection.execute(_AROUND, {"ids": list(improved), "today": today})
        return {row[0]: Around((int(row[1]), int(row[2])), (int(row[3]), int(row[4]))) for row in rows}


async def recognise(engine: AsyncEngine, values: Row, once: Once) -> Row | None:
    """Keep what somebody did beyond duty in a case; None where there is no such case, or its customer was erased.

    The case is held until the end, so that an erasure of its customer comes before, and is seen, or after, and empties it.
    """
    async with engine.begin() as connection:
        whose = sa.select(cases.c.customer).where(cases.c.id == values["case_id"]).with_for_update(read=True)
        customer = await connection.scalar(whose)
        gone = await connection.scalar(sa.select(sa.exists().where(erasures.c.customer == customer)))
        if customer is None or gone:
            return None
        return await _insert(connection, recognitions, dict(values) | {"customer": customer}, once)


async def recognitions_of(
    engine: AsyncEngine, whose: str, teams: Collection[str] | None, after: Position | None, limit: int
) -> Sequence[Row]:
    """Those of somebody and of those whom they lead, latest first, behind a place; `teams` None: everybody's."""
    order = (recognitions.c.at, recognitions.c.id)
    where = sa.true() if after is None else sa.tuple_(*order) < sa.tuple_(*after, types=[each.type for each in order])
    if teams is not None:
        led = sa.select(people.c.subject).where(people.c.teams.bool_op("&&")(sa.cast(list(teams), sa.ARRAY(sa.Text))))
        where = sa.and_(where, sa.or_(recognitions.c.person == whose, recognitions.c.person.in_(led)))
    return await _read(engine, recognitions, where, [each.desc() for each in order], limit)


async def recognition(engine: AsyncEngine, identity: UUID) -> Row | None:
    """One recognition, or None."""
    return next(iter(await _read(engine, recognitions, recognitions.c.id == identity)), None)


async def recognitions_about(engine: AsyncEngine, customer: UUID) -> Sequence[Row]:
    """What was done beyond duty in the cases of a customer, first ones first."""
    return await _read(engine, recognitions, recognitions.c.customer == customer, (recognitions.c.at, recognitions.c.id))


async def coach(engine: AsyncEngine, values: Row, once: Once) -> Row:
    """Keep a note between a lead and a person."""
    return await _create(engine, coaching_notes, dict(values), once)


async def notes_between(engine: AsyncEngine, person: str, reader: str, after: Position | None, limit: int) -> Sequence[Row]:
    """The notes about somebody that this reader is one of the two of, first ones first, behind a place."""
    mine = sa.or_(coaching_notes.c.person == reader, coaching_notes.c.lead == reader)
    order = (coaching_notes.c.at, coaching_notes.c.id)
    behind = sa.true() if after is None else sa.tuple_(*order) > sa.tuple_(*after, types=[each.type for each in order])
    return await _read(engine, coaching_notes, sa.and_(coaching_notes.c.person == person, mine, behind), order, limit)


async def _create(engine: AsyncEngine, table: sa.Table, values: dict[str, Any], once: Once) -> Row:
    async with engine.begin() as connection:
        return await _insert(connection, table, values, once)


async def _insert(connection: Any, table: sa.Table, values: dict[str, Any], once: Once) -> Row:
    """The row, made once for each key of a creation; raises the 422 problem where the key came with another request before."""
    values |= {"id": uuid5(_ROOT, f"{table.name} {once.name}"), "fingerprint": once.fingerprint}
    await connection.execute(insert(table).values(values).on_conflict_do_nothing())
    row: Row = (await connection.execute(sa.select(table).where(table.c.id == values["id"]))).mappings().one()
    once.require_same(row["fingerprint"])
    return row


async def _read(
    engine: AsyncEngine,
    table: sa.Table,
    where: sa.ColumnElement[bool],
    order: Sequence[sa.ColumnElement[Any]] = (),
    limit: int | None = None,
) -> Sequence[Row]:
    async with engine.connect() as connection:
        rows = await connection.execute(sa.select(table).where(where).order_by(*order).limit(limit))
        return [dict(row) for row in rows.mappings()]
