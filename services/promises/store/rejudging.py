"""Second verdicts: what there is to judge again, and what it came to under another version. Appended, never edited."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Driver, Transaction, transaction
from services.promises.blindness import Spot
from services.promises.commitment import NOT_YET
from services.promises.negotiated import Row
from services.promises.store import blind_spots, read_evidence
from services.promises.store.tables import EvidenceRow, PackRow, rejudgement_runs, rejudgements, terms


class First(NamedTuple):
    """A commitment as it stands judged under its own version."""

    id: UUID
    customer: UUID
    strand: UUID
    promise: int
    correlation: str
    trigger_event: UUID
    trigger_id: str
    trigger_type: str
    trigger_time: datetime
    state: str
    verdict: int


class Result(NamedTuple):
    """What one commitment came to under another version, in the order of COPY."""

    run: UUID
    commitment: UUID
    customer: UUID
    correlation: str
    trigger_event: UUID
    trigger_id: str
    trigger_time: datetime
    first: str | None
    changed: bool
    judgement: str
    due: datetime | None
    late: bool
    reason: str
    decided_by: UUID | None
    as_of: datetime


class Beside(NamedTuple):
    """A second verdict, and under what, by whom, when and why."""

    result: Result
    request: dict[str, Any]
    by: str
    at: datetime


class Time(NamedTuple):
    """Triggers from `since` on and before `until`; None: no end on that side."""

    since: datetime | None
    until: datetime | None

    def holds(self, instant: datetime) -> bool:
        """Whether an instant lies in it."""
        return (self.since is None or instant >= self.since) and (self.until is None or instant < self.until)


_FIRST: Final = ", ".join(First._fields)
_RESULT: Final = [rejudgements.c[name] for name in Result._fields]


class Standing(NamedTuple):
    """How a partition stands at one moment."""

    position: int
    """The first offset of makegood.journey that was not applied."""
    barrier: datetime
    commitments: list[First]


async def standing(engine: AsyncEngine, topic: str, partition: int, promises: Collection[int], time: Time, limit: int) -> Standing | None:
    """How far a partition is judged, and commitments of these promises, at most so many; None before anything was judged."""
    async with _session(engine) as driver, driver.transaction(isolation="repeatable_read", readonly=True):
        progress = await driver.fetchrow("SELECT position, arrival FROM progress WHERE topic = $1 AND partition = $2", topic, partition)
        if progress is None or progress[1] is None:
            return None
        rows = await driver.fetch(
            f"SELECT {_FIRST} FROM commitments WHERE partition = $1 AND promise = ANY($2::int[]) "
            "AND ($3::timestamptz IS NULL OR trigger_time >= $3) AND ($4::timestamptz IS NULL OR trigger_time < $4) LIMIT $5",
            partition,
            promises,
            *time,
            limit,
        )
        return Standing(progress[0], progress[1], [First(*row) for row in rows])


async def negotiated_on(engine: AsyncEngine, promise: str) -> list[Row]:
    """Everything that was negotiated on a promise, in the order of publication."""
    query = sa.select(*[terms.c[name] for name in Row._fields]).where(terms.c.promise == promise).order_by(terms.c.id)
    async with engine.connect() as connection:
        return [Row(*row) for row in await connection.execute(query)]


async def in_hand(
    engine: AsyncEngine, partition: int, strands: Collection[UUID], subjects: Sequence[str]
) -> tuple[list[EvidenceRow], list[Spot]]:
    """The evidence of these strands, and what was not read of these customers and sources."""
    async with transaction(engine, sa.text("SELECT 1"), {}) as tx:
        evidence = await read_evidence(tx, dict.fromkeys(strands, NOT_YET)) if strands else []
        return evidence, await blind_spots(tx, partition, subjects, NOT_YET)


async def append(tx: Transaction, results: Sequence[Result], said: Sequence[PackRow] = ()) -> None:
    """Keep what commitments came to, and what is to be published of it."""
    await tx.copy("rejudgements", Result._fields, results)
    await tx.copy("outbox", PackRow._fields, said)


async def keep(engine: AsyncEngine, results: Sequence[Result]) -> None:
    """Keep what commitments came to, where nothing of it is to be published."""
    async with transaction(engine, sa.text("SELECT 1"), {}) as tx:
        await append(tx, results)


@asynccontextmanager
async def _session(engine: AsyncEngine) -> AsyncIterator[Driver]:
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        yield driver


async def changes_of(engine: AsyncEngine, run: UUID, after: UUID | None, limit: int) -> list[Result]:
    """The commitments that came to something else, in the order of their ids."""
    query = sa.select(*_RESULT).where(rejudgements.c.run == run, rejudgements.c.changed).order_by(rejudgements.c.commitment).limit(limit)
    if after is not None:
        query = query.where(rejudgements.c.commitment > after)
    async with engine.connect() as connection:
        return [Result(*row) for row in await connection.execute(query)]


async def beside(engine: AsyncEngine, commitment: UUID) -> list[Beside]:
    """The second verdicts on a commitment, the earliest first; only of rejudgements that came to their end."""
    runs = rejudgement_runs
    query = (
        sa.select(*_RESULT, runs.c.request, runs.c.asked_by, runs.c.asked_at)
        .join(runs, runs.c.id == rejudgements.c.run)
        .where(rejudgements.c.commitment == commitment, runs.c.state == "done")
        .order_by(runs.c.asked_at, runs.c.id)
    )
    async with engine.connect() as connection:
        return [Beside(Result(*row[:-3]), orjson.loads(row[-3]), row[-2], row[-1]) for row in await connection.execute(query)]
