"""What people say of themselves, and what they carry."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.database import Transaction
from services.chassis.preconditions import Expected
from services.recovery.domain.case import IN_WORK, Case, Help, OwedState, State
from services.recovery.domain.deeds import Actor
from services.recovery.domain.people import HARD, WEIGHTS, Away, Load, Person, Shift
from services.recovery.store import CASE
from services.recovery.store.tables import cases, failures, mass_members, owed, people

_ENDED = [State.RESTORED, State.NOT_RESTORED, State.UNKNOWN, State.WITHDRAWN, State.DECLINED]
_MADE_GOOD = [State.CONFIRMED, State.WATCHING, State.RESTORED]
SHIFTS: TypeAdapter[tuple[Shift, ...]] = TypeAdapter(tuple[Shift, ...])


async def everybody(
    engine: AsyncEngine, teams: Collection[str] | None = None, after: str | None = None, limit: int | None = None
) -> list[Person]:
    """All who said something of themselves, or those of some teams, by name; behind a name, and at most `limit`."""
    query = sa.select(people).order_by(people.c.subject).limit(limit)
    if after is not None:
        query = query.where(people.c.subject > after)
    if teams is not None:
        query = query.where(people.c.teams.bool_op("&&")(sa.cast(list(teams), sa.ARRAY(sa.Text))))
    async with engine.connect() as connection:
        return [_person(row) for row in (await connection.execute(query)).mappings()]


async def person(engine: AsyncEngine, subject: str) -> Person:
    """What somebody said of themselves; version 0 where that is nothing yet."""
    async with engine.connect() as connection:
        return await _read(connection, subject)


async def _read(connection: AsyncConnection, subject: str) -> Person:
    row = (await connection.execute(sa.select(people).where(people.c.subject == subject))).mappings().one_or_none()
    return Person(subject) if row is None else _person(row)


def _person(row: Mapping[Any, Any]) -> Person:
    since = row["away_from"]
    away = None if since is None else Away(since, row["away_until"], row["cover"], tuple(row["lends"]))
    named = {name: row[name] for name in ("subject", "version", "serves", "avoids", "willing", "peer")}
    return Person(
        **named, teams=tuple(row["teams"]), skills=tuple(row["skills"]), languages=tuple(row["languages"]), away=away,
        works=SHIFTS.validate_python(row["works"]),
    )  # fmt: skip


async def write(engine: AsyncEngine, changed: Person, seen: Expected) -> Person:
    """Keep what somebody says of themselves now; raises the 412 problem where it is not the version that was seen."""
    async with engine.begin() as connection:
        await _lock(connection, changed.subject)
        before = await _read(connection, changed.subject)
        seen.require(before.version)
        away = changed.away
        row = {
            "subject": changed.subject, "version": before.version + 1, "teams": list(changed.teams), "skills": list(changed.skills),
            "languages": list(changed.languages), "serves": changed.serves, "avoids": changed.avoids, "willing": changed.willing,
            "peer": changed.peer, "away_from": away and away.since, "away_until": away and away.until, "cover": away and away.cover,
            "lends": list(away.lends) if away else [], "works": SHIFTS.dump_python(changed.works, mode="json"),
        }  # fmt: skip
        statement = insert(people).values(row)
        await connection.execute(statement.on_conflict_do_update(index_elements=["subject"], set_=row))
        return await _read(connection, changed.subject)


async def _lock(connection: AsyncConnection, subject: str) -> None:
    await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))"), {"subject": subject})


async def covered_by(connection: AsyncConnection, subject: str, at: datetime) -> tuple[Actor, ...]:
    """Who is away then and named this person to stand in, each with the roles that they lent."""
    where = (people.c.cover == subject, people.c.away_from <= at, people.c.away_until > at)
    rows = await connection.execute(sa.select(people.c.subject, people.c.lends).where(*where).order_by(people.c.subject))
    return tuple(Actor(row.subject, frozenset(row.lends)) for row in rows)


async def covered_now(engine: AsyncEngine, subject: str, at: datetime) -> tuple[Actor, ...]:
    """Who is covered by this person then, for who only reads."""
    async with engine.connect() as connection:
        return await covered_by(connection, subject, at)


async def person_in_turn(tx: Transaction, subject: str) -> tuple[Person, Load]:
    """Somebody and what they carry; who else gives them a case waits until this transaction has ended."""
    await _lock(tx.connection, subject)
    found = await _loads(tx.connection, [subject])
    return await _read(tx.connection, subject), found.get(subject, Load())


async def loads(engine: AsyncEngine, subjects: Sequence[str]) -> dict[str, Load]:
    """What these carry; who carries nothing is not in it."""
    async with engine.connect() as connection:
        return await _loads(connection, subjects)


async def _loads(connection: AsyncConnection, subjects: Sequence[str]) -> dict[str, Load]:
    in_work = cases.c.state.in_([each.value for each in IN_WORK])
    hard = sa.and_(cases.c.state.in_(_ENDED), cases.c.severity.in_([each.value for each in HARD]))
    weight = sa.case({each.value: number for each, number in WEIGHTS.items()}, value=cases.c.severity, else_=0)
    group = (
        sa.select(mass_members.c.mass_failure)
        .where(mass_members.c.case_id == cases.c.id, mass_members.c.inside)
        .order_by(mass_members.c.mass_failure)
        .limit(1)
        .scalar_subquery()
    )
    carried = sa.func.coalesce(group, cases.c.id)
    """The cases of a mass failure are carried as one: they go by one plan."""
    each = (
        sa.select(
            cases.c.owner, sa.func.max(weight).filter(in_work).label("weight"), sa.func.max(cases.c.changed_at).filter(hard).label("hard")
        )
        .where(cases.c.owner == sa.any_(sa.literal(list(subjects), sa.ARRAY(sa.Text))))
        .group_by(cases.c.owner, carried)
        .subquery()
    )
    summed = sa.func.count(each.c.weight), sa.func.coalesce(sa.func.sum(each.c.weight), 0), sa.func.max(each.c.hard)
    query = sa.select(each.c.owner, *summed).group_by(each.c.owner)
    return {row[0]: Load(*row[1:]) for row in await connection.execute(query)}


async def made_good(engine: AsyncEngine, subjects: Sequence[str], promises: Collection[str]) -> dict[str, int]:
    """How many cases of these promises each of these people made good."""
    query = (
        sa.select(cases.c.owner, sa.func.count(sa.distinct(cases.c.id)))
        .join(failures, failures.c.case_id == cases.c.id)
        .where(cases.c.owner == sa.any_(sa.literal(list(subjects), sa.ARRAY(sa.Text))), cases.c.state.in_(_MADE_GOOD))
        .where(failures.c.promise.in_(list(promises)))
        .group_by(cases.c.owner)
    )
    async with engine.connect() as connection:
        return {row[0]: row[1] for row in await connection.execute(query)}


async def asked_of(
    engine: AsyncEngine, subject: str, after: tuple[datetime, UUID] | None, limit: int, *, whoever: bool
) -> list[tuple[Case, Help]]:
    """The open requests for help that somebody has, and, `whoever`, those that anybody may take; by when they are due, behind a place."""
    mine = owed.c.assignee == subject
    query = (
        sa.select(owed.c.id, cases.c.fold)
        .join(cases, cases.c.id == owed.c.case_id)
        .where(owed.c.kind == "help", owed.c.done.is_(None), sa.or_(mine, owed.c.assignee.is_(None)) if whoever else mine)
        .where(cases.c.state.not_in(_ENDED), owed.c.state != OwedState.CALLED_OFF)
        .order_by(owed.c.due, owed.c.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(sa.tuple_(owed.c.due, owed.c.id) > sa.tuple_(*after, types=[owed.c.due.type, owed.c.id.type]))
    async with engine.connect() as connection:
        found: list[tuple[UUID, Case]] = [(row.id, CASE.validate_python(row.fold)) for row in await connection.execute(query)]
    return [(case, case.help_requests[request]) for request, case in found]
