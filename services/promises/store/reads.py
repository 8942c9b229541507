"""What people and other systems ask of the commitments."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.packed import unpack
from services.promises.commitment import Commitment
from services.promises.correlations import strands_of
from services.promises.objectives import Window
from services.promises.store import COMMITMENT, read_promises
from services.promises.store.tables import UTC_TIME, EvidenceRow, PromiseRow, commitments, evidence, progress, promises


class Count(NamedTuple):
    """How many commitments of a promise and segment are judged alike."""

    promise: str
    segment: str | None
    state: str
    late: bool
    standing: bool
    number: int
    inside: int
    """Of them, how many count in the promise's window."""
    recently: int
    """Of them, how many count in the latest part of it."""


async def count_commitments(
    engine: AsyncEngine, name: str | None = None, windows: Mapping[str, Window] = MappingProxyType({})
) -> list[Count]:
    """Commitments counted by promise, segment and judgement; `windows` are the promises' own, by name.

    One counts where it fell due, one that never does where its trigger was, and one that is kept so far now.
    """
    alike = (promises.c.name, commitments.c.segment, commitments.c.state, commitments.c.late, commitments.c.standing)
    own = _windows(windows)
    counts_at = sa.case((commitments.c.standing, own.c.until), else_=sa.func.coalesce(commitments.c.due, commitments.c.trigger_time))
    inside = counts_at <= own.c.until
    since, recently = (sa.or_(each.is_(None), counts_at > each) for each in (own.c.since, own.c.recently))
    query = (
        sa.select(
            *alike, sa.func.count(), sa.func.count().filter(sa.and_(inside, since)), sa.func.count().filter(sa.and_(inside, recently))
        )
        .join(promises, promises.c.id == commitments.c.promise)
        .outerjoin(own, own.c.name == promises.c.name)
        .group_by(*alike)
    )
    if name is not None:
        query = query.where(promises.c.name == name)
    async with engine.connect() as connection:
        return [Count(*row) for row in await connection.execute(query)]


class Month(NamedTuple):
    """How many commitments of a promise that count in one month, by UTC, were kept, and how many broken."""

    promise: str
    month: date
    kept: int
    broken: int


async def count_months(engine: AsyncEngine, since: datetime, until: datetime) -> list[Month]:
    """Decided commitments from `since` up to `until`, counted by promise and month; each counts as in `count_commitments`."""
    at = sa.case(
        (commitments.c.standing, sa.literal(until, UTC_TIME)), else_=sa.func.coalesce(commitments.c.due, commitments.c.trigger_time)
    )
    month = sa.cast(sa.func.date_trunc("month", at, "UTC"), sa.Date)
    kept = sa.func.count().filter(sa.or_(commitments.c.state == "kept", commitments.c.standing))
    broken = sa.func.count().filter(sa.and_(commitments.c.state == "broken", sa.not_(commitments.c.standing)))
    query = (
        sa.select(promises.c.name, month, kept, broken)
        .join(promises, promises.c.id == commitments.c.promise)
        .where(at >= since, at <= until)
        .group_by(promises.c.name, month)
        .order_by(promises.c.name, month)
    )
    async with engine.connect() as connection:
        return [Month(*row) for row in await connection.execute(query)]


def _windows(windows: Mapping[str, Window]) -> sa.TableValuedAlias:
    columns: dict[str, list[datetime | None]] = {"since": [], "recently": [], "until": []}
    for window in windows.values():
        columns["since"].append(window.since)
        columns["recently"].append(window.recently)
        columns["until"].append(window.until)
    times = [sa.bindparam(name, values, ARRAY(UTC_TIME)) for name, values in columns.items()]
    names = sa.bindparam("windows", list(windows), ARRAY(sa.Text))
    return (
        sa.func.unnest(names, *times)
        .table_valued(sa.column("name", sa.Text), *[sa.column(name, UTC_TIME) for name in columns], name="own")
        .render_derived()
    )


async def page_of_commitments(
    engine: AsyncEngine, where: Mapping[str, object], after: UUID | None, limit: int
) -> list[tuple[Commitment, str, int]]:
    """Commitments with their promise's name and version, in order of id; `where` holds name, customer, state, id."""
    query = _commitments(where).order_by(commitments.c.id).limit(limit)
    if after is not None:
        query = query.where(commitments.c.id > after)
    return await _read_commitments(engine, query)


async def latest_commitments(
    engine: AsyncEngine, where: Mapping[str, object], after: tuple[datetime, UUID] | None, limit: int
) -> list[tuple[Commitment, str, int]]:
    """As a page of them, those that count latest first: by when they fall due, or were triggered where they never do."""
    counts_at = sa.func.coalesce(commitments.c.due, commitments.c.trigger_time)
    query = _commitments(where).order_by(counts_at.desc(), commitments.c.id.desc()).limit(limit)
    if after is not None:
        time, last = sa.literal(after[0], UTC_TIME), sa.literal(after[1], commitments.c.id.type)
        query = query.where(sa.tuple_(counts_at, commitments.c.id) < sa.tuple_(time, last))
    return await _read_commitments(engine, query)


def _commitments(where: Mapping[str, object]) -> sa.Select[Any]:
    query = sa.select(*[commitments.c[name] for name in COMMITMENT], promises.c.name, promises.c.version)
    query = query.join(promises, promises.c.id == commitments.c.promise)
    columns = {"name": promises.c.name, "customer": commitments.c.customer, "state": commitments.c.state, "id": commitments.c.id}
    return query.where(*(columns[name] == value for name, value in where.items()))


async def _read_commitments(engine: AsyncEngine, query: sa.Select[Any]) -> list[tuple[Commitment, str, int]]:
    async with engine.connect() as connection:
        return [(Commitment(*row[:-2]), row[-2], row[-1]) for row in await connection.execute(query)]


async def commitments_of(engine: AsyncEngine, customer: UUID, of: Collection[int], until: datetime) -> list[Commitment]:
    """A customer's commitments of some promise versions that began up to an instant, the latest first, at most a thousand."""
    begin, end = strands_of(customer)
    query = (
        sa.select(*[commitments.c[name] for name in COMMITMENT])
        .where(commitments.c.strand.between(begin, end), commitments.c.customer == customer)
        .where(commitments.c.promise.in_(of), commitments.c.trigger_time <= until)
        .order_by(commitments.c.trigger_time.desc(), commitments.c.id)
        .limit(1000)
    )
    async with engine.connect() as connection:
        return [Commitment(*row) for row in await connection.execute(query)]


_PACKS = sa.text(
    "SELECT DISTINCT p.first, p.bodies FROM unnest(CAST(:ordinals AS bigint[])) o(ordinal) CROSS JOIN LATERAL ("
    "SELECT first, bodies FROM outbox WHERE partition = :partition AND last >= o.ordinal ORDER BY last LIMIT 1) p"
)


async def read_versions(engine: AsyncEngine) -> list[PromiseRow]:
    """Every promise version and retirement, as judging needs them."""
    async with engine.connect() as connection:
        await connection.exec_driver_sql("SELECT 1")
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        return await read_promises(driver)


async def account_of(engine: AsyncEngine, commitment: Commitment) -> tuple[list[EvidenceRow], list[bytes]]:
    """The evidence and the facts of one commitment, in their order."""
    seen = sa.select(*[evidence.c[name] for name in EvidenceRow._fields]).where(evidence.c.strand == commitment.strand)
    ordinals = [int(each) for each in commitment.said.split()]
    async with engine.connect() as connection:
        rows = [EvidenceRow(*row) for row in await connection.execute(seen.order_by(evidence.c.time, evidence.c.event))]
        packs = (await connection.execute(_PACKS, {"partition": commitment.partition, "ordinals": ordinals})).all()
    facts = {first + place: body for first, bodies in packs for place, body in enumerate(unpack(bodies))}
    return rows, [facts[each] for each in ordinals]


async def barrier(engine: AsyncEngine) -> datetime | None:
    """The barrier that every partition has reached; None before all have one."""
    async with engine.connect() as connection:
        reached = (await connection.execute(sa.select(progress.c.arrival))).scalars().all()
    return None if not reached or None in reached else min(each for each in reached if each is not None)


async def events_applied(engine: AsyncEngine) -> int:
    """How many journey events were applied."""
    async with engine.connect() as connection:
        states = (await connection.execute(sa.select(progress.c.state))).scalars()
        return sum(mark[1] for state in states for mark in orjson.loads(state).get("marks", {}).values())
