"""What people and other systems ask of the promises service, and the publishing of versions."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.promises.store import COMMITMENT
from services.promises.store.tables import EvidenceRow, commitments, evidence, facts, progress, promises
from services.promises.strands import Commitment


class Published(NamedTuple):
    """One published promise version, for those who read about it."""

    name: str
    version: int
    effective_from: datetime | None
    published_at: datetime
    published_by: str
    document: bytes


class Count(NamedTuple):
    """How many commitments of a promise and segment are judged alike."""

    promise: str
    segment: str | None
    state: str
    late: bool
    standing: bool
    number: int


async def publish(
    engine: AsyncEngine, name: str, document: bytes, by: str, at: datetime, effective_from: datetime | None
) -> tuple[int, datetime | None]:
    """Publish a version; the same document again changes nothing. Returns (version, effective from)."""
    async with engine.begin() as connection:
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name})
        latest = (
            await connection.execute(sa.select(promises).where(promises.c.name == name).order_by(promises.c.version.desc()).limit(1))
        ).one_or_none()
        if latest is not None and latest.document == document:
            return latest.version, latest.effective_from
        version = 1 if latest is None else latest.version + 1
        values = {"name": name, "version": version, "document": document, "published_by": by}
        await connection.execute(promises.insert().values(**values, published_at=at, effective_from=effective_from))
        return version, effective_from


async def read_published(engine: AsyncEngine, name: str | None = None) -> list[Published]:
    """Every published version, or those of one promise, in the order of publication."""
    query = sa.select(*[promises.c[each] for each in Published._fields]).order_by(promises.c.id)
    if name is not None:
        query = query.where(promises.c.name == name)
    async with engine.connect() as connection:
        return [Published(*row) for row in await connection.execute(query)]


async def count_commitments(engine: AsyncEngine, name: str | None) -> list[Count]:
    """Commitments counted by promise, segment and judgement."""
    alike = (promises.c.name, commitments.c.segment, commitments.c.state, commitments.c.late, commitments.c.standing)
    query = sa.select(*alike, sa.func.count()).join(promises, promises.c.id == commitments.c.promise).group_by(*alike)
    if name is not None:
        query = query.where(promises.c.name == name)
    async with engine.connect() as connection:
        return [Count(*row) for row in await connection.execute(query)]


async def page_of_commitments(
    engine: AsyncEngine, where: Mapping[str, object], after: UUID | None, limit: int
) -> list[tuple[Commitment, str, int]]:
    """Commitments with their promise's name and version, in order of id; `where` holds name, customer, state, due_before."""
    query = (
        sa.select(*[commitments.c[name] for name in COMMITMENT], promises.c.name, promises.c.version)
        .join(promises, promises.c.id == commitments.c.promise)
        .order_by(commitments.c.id)
        .limit(limit)
    )
    columns = {"name": promises.c.name, "customer": commitments.c.customer, "state": commitments.c.state, "id": commitments.c.id}
    for name, value in where.items():
        query = query.where(columns[name] == value)
    if after is not None:
        query = query.where(commitments.c.id > after)
    async with engine.connect() as connection:
        return [(Commitment(*row[:-2]), row[-2], row[-1]) for row in await connection.execute(query)]


async def account_of(engine: AsyncEngine, commitment: Commitment) -> tuple[list[EvidenceRow], list[bytes]]:
    """The evidence and the facts of one commitment, in their order."""
    seen = sa.select(*[evidence.c[name] for name in EvidenceRow._fields]).where(evidence.c.strand == commitment.strand)
    said = sa.select(facts.c.body).where(facts.c.commitment == commitment.id).order_by(facts.c.ordinal)
    async with engine.connect() as connection:
        rows = [EvidenceRow(*row) for row in await connection.execute(seen.order_by(evidence.c.time, evidence.c.event))]
        return rows, list((await connection.execute(said)).scalars())


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
