"""Where each projection stands, and what came behind it: the journal lane by lane, the facts partition by partition."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis.database import Driver, Transaction, transaction
from services.chassis.packed import unpack
from services.journey.store.tables import progress

RAW = ("makegood.touchpoints", "makegood.acts")
PREFIX = "makegood."

CLAIM = sa.text("SELECT pointers FROM projections WHERE name = :name FOR UPDATE SKIP LOCKED")
"""Opens a step: the row's lock is the right to take it; no row, and another process is at it."""

CLAIM_NOW = sa.text("SELECT pointers FROM projections WHERE name = :name FOR UPDATE")
"""The same for whoever has to come between two steps, and waits."""


class Journalled(NamedTuple):
    """One journal row; `body` is None once erased. `copied` rows repeat another key's own event as evidence."""

    lane: str
    ordinal: int
    customer: UUID
    event: UUID
    time: datetime
    arrival: datetime
    copied: bool
    body: bytes | None


class Fact(NamedTuple):
    """One fact of promises or recovery; (topic, partition, position, place) is where it stands, and orders its partition."""

    topic: str
    partition: int
    position: int
    place: int
    body: bytes


class Reached(NamedTuple):
    """How far what projections read has come: the last number of each lane and partition, and the arrival all raw lanes reached."""

    lanes: dict[str, int]
    now: datetime | None


async def ensure(engine: AsyncEngine, name: str) -> None:
    """Give a projection its row, at the beginning of all there is."""
    statement = sa.text("INSERT INTO projections (name) VALUES (:name) ON CONFLICT DO NOTHING")
    async with engine.begin() as connection:
        await connection.execute(statement, {"name": name})


async def reached(driver: Driver) -> Reached:
    """Where the journal's lanes and the facts' partitions end, each named by its topic (raw ones without `makegood.`) and partition.

    Everything up to there is committed. `now` is the least arrival of the raw lanes that have begun, None where none has.
    """
    lanes: dict[str, int] = {}
    arrivals = []
    for topic, partition, position, ordinal, arrival in await driver.fetch(
        "SELECT topic, partition, position, ordinal, arrival FROM progress"
    ):
        if topic in RAW:
            lanes[f"{topic.removeprefix(PREFIX)}/{partition}"] = ordinal
            arrivals += [] if arrival is None else [arrival]
        else:
            lanes[f"{topic}/{partition}"] = position
    return Reached(lanes, min(arrivals, default=None))


async def present(connection: AsyncConnection) -> datetime | None:
    """The arrival that all raw lanes have reached that have begun: the only present time there is."""
    query = sa.select(sa.func.min(progress.c.arrival)).where(progress.c.topic.in_(RAW))
    found: datetime | None = (await connection.execute(query)).scalar_one()
    return found


async def journalled(driver: Driver, lane: str, after: int, until: int, limit: int) -> list[Journalled]:
    """The rows of a lane behind one ordinal, up to another."""
    columns = ", ".join(Journalled._fields)
    statement = f"SELECT {columns} FROM journal WHERE lane = $1 AND ordinal > $2 AND ordinal <= $3 ORDER BY ordinal LIMIT $4"
    return [Journalled(*row) for row in await driver.fetch(statement, lane, after, until, limit)]


async def facts(driver: Driver, lane: str, start: int, until: int, packs: int) -> tuple[list[Fact], int]:
    """The facts of a partition from a position on, before another, of so many packs; and the position to go on from."""
    topic, _, partition = lane.rpartition("/")
    rows = await driver.fetch(
        "SELECT position, bodies FROM packs WHERE topic = $1 AND partition = $2 AND position >= $3 AND position < $4 "
        "ORDER BY position LIMIT $5",
        topic, int(partition), start, until, packs,
    )  # fmt: skip
    found = [Fact(topic, int(partition), position, place, body) for position, bodies in rows for place, body in enumerate(unpack(bodies))]
    return found, rows[-1][0] + 1 if len(rows) == packs else until


def looking(engine: AsyncEngine) -> Any:
    """A transaction for whoever only looks how far they have come."""
    return transaction(engine, sa.text("SELECT 1"), {})


async def pointers(tx: Transaction, name: str) -> dict[str, int]:
    """How far a projection has read each lane."""
    found: dict[str, int] = orjson.loads(await tx.driver.fetchval("SELECT pointers FROM projections WHERE name = $1", name) or b"{}")
    return found


async def behind(tx: Transaction, lane: str, start: int, end: int) -> int:
    """How much of a lane is still to be read: rows of the journal, packs of facts; markers, which move a partition too, are neither."""
    if not lane.startswith(PREFIX):
        return max(end - start, 0)
    topic, _, partition = lane.rpartition("/")
    query = "SELECT count(*) FROM packs WHERE topic = $1 AND partition = $2 AND position >= $3 AND position < $4"
    found: int = await tx.driver.fetchval(query, topic, int(partition), start, end)
    return found


async def unfinished(tx: Transaction) -> dict[str, int]:
    """How many pictures are to be made anew, and how many keys are being erased."""
    query = "SELECT (SELECT count(*) FROM picture_dirty), (SELECT count(*) FROM erasures WHERE work IS NOT NULL)"
    row = (await tx.driver.fetch(query))[0]
    return {"pictures out of date": row[0], "erasures": row[1]}


async def save_pointers(tx: Transaction, name: str, pointers: Mapping[str, int]) -> None:
    """Move a projection, in the transaction that holds what it made of the way there."""
    await tx.driver.execute("UPDATE projections SET pointers = $2 WHERE name = $1", name, orjson.dumps(dict(pointers)))


async def rewind(tx: Transaction, name: str) -> None:
    """Let a projection read everything that is kept again; whoever asks for it empties what it had made."""
    await save_pointers(tx, name, {})


__all__ = [
    "CLAIM", "CLAIM_NOW", "Fact", "Journalled", "Reached", "behind", "ensure", "facts", "journalled", "looking", "pointers", "present",
    "reached", "rewind", "save_pointers", "unfinished",
]  # fmt: skip
