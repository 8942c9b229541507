"""Mass failures: which there are, whose cases belong, and where failures come close together."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.preconditions import Once
from services.recovery.audit import START, Entry, chain
from services.recovery.domain.case import IN_WORK as CASES_IN_WORK
from services.recovery.domain.case import WATCHED, Happened
from services.recovery.domain.grouping import CLOSED, OPEN, IsClosedError, MassFailure, fold
from services.recovery.store import bulk
from services.recovery.store.places import last_without
from services.recovery.store.tables import bulk_runs, cases, mass_acts, mass_failures, mass_members
from services.recovery.store.whole import for_all_cases

MASS: Final = TypeAdapter(MassFailure)
GROUP: Final = "group_case"
"""The act by which its rule puts cases in."""
_ALIVE: Final = [each.value for each in CASES_IN_WORK | WATCHED]


class Cluster(NamedTuple):
    """Failures that came close together and have something in common; what they do not share is None."""

    promise: str | None
    component: str | None
    segment: str | None
    cases: int
    failures: int
    first: datetime
    last: datetime

    @property
    def place(self) -> "Place":
        """Where it stands among the others."""
        return self.cases, self.last, self.promise, self.component, self.segment


Place = tuple[int, datetime, str | None, str | None, str | None]
"""Of a cluster: cases, its last failure, and what is shared."""


class Wanted(NamedTuple):
    """Which clusters: of failures since then, with no longer pause in between, of at least so many cases."""

    since: datetime
    pause: timedelta
    least: int


class Held(NamedTuple):
    """A mass failure with the end of its trail."""

    mass: MassFailure
    digest: bytes


async def held(connection: AsyncConnection, identity: UUID, *, lock: bool = False) -> Held | None:
    """One mass failure, or None; with `lock` nobody else changes it until the transaction has ended."""
    query = sa.select(mass_failures.c.fold, mass_failures.c.digest).where(mass_failures.c.id == identity)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return Held(MASS.validate_python(row.fold), row.digest) if row else None


async def begin(connection: AsyncConnection, identity: UUID, declared: Happened, once: Once) -> bool:
    """Keep a new mass failure; False where this creation made it before. Raises the 422 problem where its key came with another request."""
    mass, (entry,) = fold(None, declared), chain(START, 1, [declared])
    values = _row(mass, entry.digest) | {"id": identity, "fingerprint": once.fingerprint}
    made = await connection.execute(insert(mass_failures).values(values).on_conflict_do_nothing())
    if made.rowcount == 0:
        where = mass_failures.c.id == identity
        once.require_same(await connection.scalar(sa.select(mass_failures.c.fingerprint).where(where)) or b"")
        return False
    await connection.execute(mass_acts.insert(), _act(identity, entry))
    return True


async def save(connection: AsyncConnection, before: Held, happened: Happened) -> MassFailure:
    """Write one more act of it."""
    mass, (entry,) = fold(before.mass, happened), chain(before.digest, before.mass.version + 1, [happened])
    await connection.execute(mass_acts.insert(), _act(mass.id, entry))
    await connection.execute(sa.update(mass_failures).where(mass_failures.c.id == mass.id).values(_row(mass, entry.digest)))
    if mass.state == CLOSED:
        ended = sa.update(bulk_runs).where(bulk_runs.c.mass_failure == mass.id, bulk_runs.c.finished_at.is_(None))
        await connection.execute(ended.values(finished_at=sa.func.clock_timestamp()))
    return mass


def _row(mass: MassFailure, digest: bytes) -> dict[str, Any]:
    rule = mass.rule
    return {
        "version": mass.version, "state": mass.state, "declared_at": mass.declared_at, "since": rule.since, "until": rule.until,
        "promises": list(rule.promises), "components": list(rule.components), "segments": list(rule.segments),
        "fold": MASS.dump_python(mass, mode="json"), "digest": digest,
    }  # fmt: skip


def _act(identity: UUID, entry: Entry) -> dict[str, Any]:
    happened = entry.happened
    return {
        "mass_failure": identity, "number": entry.number, "kind": happened.kind, "by": happened.by, "at": happened.at,
        "content": dict(happened.content), "payload": dict(happened.payload), "payload_digest": entry.payload_digest,
        "digest": entry.digest,
    }  # fmt: skip


async def trail(connection: AsyncConnection, identity: UUID) -> list[Entry]:
    """Its acts, in order."""
    rows = await connection.execute(sa.select(mass_acts).where(mass_acts.c.mass_failure == identity).order_by(mass_acts.c.number))
    return [Entry(row.number, Happened(row.kind, row.by, row.at, row.content, row.payload), row.payload_digest, row.digest) for row in rows]


async def page(connection: AsyncConnection, state: str | None, after: tuple[datetime, UUID] | None, limit: int) -> list[MassFailure]:
    """Mass failures, the latest first."""
    order = (mass_failures.c.declared_at, mass_failures.c.id)
    query = sa.select(mass_failures.c.fold).order_by(*(each.desc() for each in order)).limit(limit)
    if state is not None:
        query = query.where(mass_failures.c.state == state)
    if after is not None:
        query = query.where(sa.tuple_(*order) < sa.tuple_(*after, types=[each.type for each in order]))
    return [MASS.validate_python(each) for each in await connection.scalars(query)]


async def states(connection: AsyncConnection, identities: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """How many cases of each are in which state."""
    query = (
        sa.select(mass_members.c.mass_failure, cases.c.state, sa.func.count())
        .join(cases, cases.c.id == mass_members.c.case_id)
        .where(mass_members.c.mass_failure.in_(list(identities)), mass_members.c.inside)
        .group_by(mass_members.c.mass_failure, cases.c.state)
    )
    found: dict[UUID, dict[str, int]] = {each: {} for each in identities}
    for identity, state, number in await connection.execute(query):
        found[identity][state] = number
    return found


async def runs(connection: AsyncConnection, identity: UUID) -> list[bulk.Run]:
    """What is done in all its cases, in order; the first puts them in."""
    columns = [bulk_runs.c[name] for name in bulk.Run._fields]
    query = sa.select(*columns).where(bulk_runs.c.mass_failure == identity)
    return [bulk.Run(*row) for row in await connection.execute(query.order_by(bulk_runs.c.at, bulk_runs.c.id))]


class Shown(NamedTuple):
    """A mass failure, how its cases stand, and how far what is done in all has come."""

    mass: MassFailure
    states: Mapping[str, int]
    runs: Sequence[bulk.Run]
    counts: Mapping[UUID, Mapping[str, int]]


async def shown(connection: AsyncConnection, identity: UUID) -> Shown | None:
    """One mass failure as it is shown, or None."""
    found = await held(connection, identity)
    if found is None:
        return None
    done = await runs(connection, identity)
    counted = await bulk.counts(connection, [each.id for each in done])
    return Shown(found.mass, (await states(connection, [identity]))[identity], done, counted)


_BELONG: Final = sa.text(
    "INSERT INTO bulk_items (run, case_id, partition, state) SELECT DISTINCT r.id, c.id, c.partition, 'waiting' FROM mass_failures m "
    "JOIN bulk_runs r ON r.mass_failure = m.id AND r.act = :group JOIN failures f ON f.broken_at >= m.since "
    "AND (m.until IS NULL OR f.broken_at < m.until) AND NOT f.withdrawn AND (m.promises = '{}' OR f.promise = ANY (m.promises)) "
    "AND (m.components = '{}' OR f.component = ANY (m.components)) AND (m.segments = '{}' OR f.segment = ANY (m.segments)) "
    "JOIN cases c ON c.id = f.case_id AND c.state = ANY (:alive) WHERE m.state = :open "
    "AND NOT EXISTS (SELECT FROM mass_members x WHERE x.mass_failure = m.id AND x.case_id = c.id) "
    "AND NOT EXISTS (SELECT FROM bulk_items i WHERE i.run = r.id AND i.case_id = c.id) ON CONFLICT DO NOTHING"
)
_FOLLOW: Final = sa.text(
    "INSERT INTO bulk_items (run, case_id, partition, state) SELECT r.id, c.id, c.partition, 'waiting' FROM mass_failures m "
    "JOIN bulk_runs r ON r.mass_failure = m.id AND r.act <> :group JOIN mass_members x ON x.mass_failure = m.id AND x.inside "
    "JOIN cases c ON c.id = x.case_id WHERE m.state = :open "
    "AND NOT EXISTS (SELECT FROM bulk_items i WHERE i.run = r.id AND i.case_id = c.id) ON CONFLICT DO NOTHING"
)


async def sweep(engine: AsyncEngine) -> bool:
    """Let the cases that belong by now wait to be put in, and those that are in for what is done in all; False where there are none."""
    found = False
    given: Mapping[str, Any] = {"group": GROUP, "open": OPEN}
    async with engine.begin() as connection:
        if await connection.scalar(sa.select(sa.exists().where(mass_failures.c.state == OPEN))):
            found |= (await connection.execute(_BELONG, {**given, "alive": _ALIVE})).rowcount > 0
            found |= (await connection.execute(_FOLLOW, given)).rowcount > 0
    return found


_KEYS: Final = ("promise", "component", "segment")
_SHARED: Final = (("promise",), ("promise", "segment"), ("component",), ("segment",))
"""What the failures of a cluster may have in common."""


def _keyed(shared: Sequence[str]) -> str:
    columns = ", ".join(each if each in shared else f"CAST(NULL AS text) AS {each}" for each in _KEYS)
    known = " AND ".join(f"{each} IS NOT NULL" for each in shared)
    free = "NOT EXISTS (SELECT FROM mass_members m WHERE m.case_id = f.case_id AND m.inside)"
    return f"SELECT case_id, broken_at, {columns} FROM failures f WHERE broken_at >= :since AND NOT withdrawn AND {known} AND {free}"


_SAME: Final = ", ".join(_KEYS)
_CLUSTERS: Final = sa.text(
    f"WITH keyed AS ({' UNION ALL '.join(map(_keyed, _SHARED))}), "
    f"begun AS (SELECT *, coalesce(broken_at - lag(broken_at) OVER w > :pause, true)::int AS begins FROM keyed "
    f"WINDOW w AS (PARTITION BY {_SAME} ORDER BY broken_at)), "
    f"numbered AS (SELECT *, sum(begins) OVER (PARTITION BY {_SAME} ORDER BY broken_at) AS cluster FROM begun) "
    f"SELECT {_SAME}, count(DISTINCT case_id) AS cases, count(*) AS failures, min(broken_at) AS first, max(broken_at) AS last "
    f"FROM numbered GROUP BY {_SAME}, cluster HAVING count(DISTINCT case_id) >= :least"
).bindparams(sa.bindparam("pause", type_=sa.Interval), sa.bindparam("since", type_=sa.DateTime(timezone=True)))
_FOUND: Final = _CLUSTERS.columns(
    *(sa.column(each, sa.Text) for each in _KEYS), *map(sa.column, ("cases", "failures", "first", "last"))
).subquery()


async def clusters(engine: AsyncEngine, wanted: Wanted, after: Place | None, limit: int) -> list[Cluster]:
    """Where failures came close together that are part of no mass failure yet; the largest first, then the latest, behind a place."""
    keys = [_FOUND.c[each] for each in _KEYS]
    query = sa.select(_FOUND).order_by(_FOUND.c.cases.desc(), _FOUND.c.last.desc(), *keys).limit(limit)
    if after is not None:
        cases, last, *shared = after
        alike = sa.and_(_FOUND.c.last == last, sa.tuple_(*last_without(*keys)) > sa.tuple_(*last_without(*shared)))
        query = query.where(sa.or_(_FOUND.c.cases < cases, sa.and_(_FOUND.c.cases == cases, sa.or_(_FOUND.c.last < last, alike))))
    async with engine.connect() as connection:
        await for_all_cases(connection)
        return [Cluster(*row) for row in await connection.execute(query, wanted._asdict())]


async def require_open(connection: AsyncConnection, identity: UUID) -> None:
    """Raise `IsClosedError` where there is no such mass failure, or it is closed; it stays open until the transaction has ended."""
    query = sa.select(mass_failures.c.id).where(mass_failures.c.id == identity, mass_failures.c.state == OPEN)
    if await connection.scalar(query.with_for_update(read=True)) is None:
        raise IsClosedError
