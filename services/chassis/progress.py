"""The progress row: where a lane stands, and the compare-and-set that every write on it begins with.

One row a topic and partition. Whoever changes the row's `rev` from what it believed owns what follows in the same
transaction; zero rows mean that another owner was faster (DESIGN 4, docs/decisions/0001).
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import asyncpg
import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction, driven, driver_of, reading
from services.chassis.faults import LostOwnershipError, crash_point


def progress_table(metadata: sa.MetaData) -> sa.Table:
    """The progress table as each service's schema holds it."""
    return sa.Table(
        "progress",
        metadata,
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("rev", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("incarnation", sa.Integer, nullable=False, server_default="1"),
        sa.Column("position", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("arrival", sa.DateTime(timezone=True), comment="arrival applied, or the barrier reached"),
        sa.Column("ordinal", sa.BigInteger, nullable=False, server_default="0", comment="last numbered effect"),
        sa.Column("published", sa.BigInteger, nullable=False, server_default="0", comment="acknowledged by Kafka up to here"),
        sa.Column("state", BYTEA, nullable=False, server_default="{}", comment="JSON of the service's own"),
    )


@dataclass(slots=True)
class Progress:
    """Where one lane stands. `position` is the next offset to read; times are UTC."""

    topic: str
    partition: int
    rev: int = 0
    incarnation: int = 1
    position: int = 0
    arrival: datetime | None = None
    ordinal: int = 0
    published: int = 0
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def lane(self) -> str:
        """The lane's name, as markers and `lane` headers say it: without the system's prefix."""
        return _lane(self.topic, self.partition)


@cache
def _lane(topic: str, partition: int) -> str:
    return f"{topic.removeprefix('makegood.')}/{partition}"


_COLUMNS = "topic, partition, rev, incarnation, position, arrival, ordinal, published, state"
_CLAIM = (
    "UPDATE progress SET rev = rev + 1, published = GREATEST(published, $4) "
    f"WHERE topic = $1 AND partition = $2 AND rev = $3 RETURNING {_COLUMNS}"
)
_SAVE = "UPDATE progress SET position = $3, arrival = $4, ordinal = $5, state = $6 WHERE topic = $1 AND partition = $2"
_READ = f"SELECT {_COLUMNS} FROM progress WHERE topic = $1 AND partition = $2"
_READ_ALL = sa.text(f"SELECT {_COLUMNS} FROM progress ORDER BY topic, partition")
_CREATE = "INSERT INTO progress (topic, partition) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_TERMINATE_HOLDER = sa.text(
    # The row's xmax is the transaction that changed it and has not ended: whoever holds that transaction's lock.
    "SELECT pg_terminate_backend(l.pid) FROM progress p JOIN pg_locks l ON l.locktype = 'transactionid' "
    "AND l.transactionid = p.xmax AND l.granted WHERE p.topic = :topic AND p.partition = :partition "
    "AND l.pid <> pg_backend_pid()"
)


def _progress(row: Any) -> Progress:
    topic, partition, rev, incarnation, position, arrival, ordinal, published, state = row
    return Progress(topic, partition, rev, incarnation, position, arrival, ordinal, published, orjson.loads(state))


async def read_progress(engine: AsyncEngine, topic: str, partition: int) -> Progress:
    """Read one lane's row, creating it where it does not exist yet."""
    async with reading(engine) as connection:
        driver = await driver_of(connection)
        row = await driver.fetchrow(_READ, topic, partition)
        if row is None:
            await driver.execute(_CREATE, topic, partition)
            row = await driver.fetchrow(_READ, topic, partition)
        return _progress(row)


async def read_all_progress(engine: AsyncEngine) -> list[Progress]:
    """Every lane of the service, for status pages."""
    async with engine.connect() as connection:
        return [_progress(row) for row in await connection.execute(_READ_ALL)]


@asynccontextmanager
async def claimed(engine: AsyncEngine, believed: Progress) -> AsyncIterator[tuple[Transaction, Progress]]:
    """A transaction on a lane, opened by the compare-and-set; raises `LostOwnershipError` on a lost race.

    Yields the row as it stands after the claim; the caller changes it and calls `save_progress` before the block ends.
    """
    topic, partition, rev = believed.topic, believed.partition, believed.rev
    crash_point("before-claim")
    try:
        async with driven(engine, _CLAIM, topic, partition, rev, believed.published) as (tx, row):
            if row is None:
                message = f"{believed.lane} is no longer at rev {rev}"
                raise LostOwnershipError(message)
            crash_point("after-claim")
            yield tx, _progress(row)
            crash_point("before-commit")
    except asyncpg.LockNotAvailableError:
        await _terminate_holder(engine, {"topic": topic, "partition": partition})
        raise
    crash_point("after-commit")


async def _terminate_holder(engine: AsyncEngine, where: Mapping[str, Any]) -> None:
    """End the backend of an owner that holds the row and does not move: a process frozen inside its transaction."""
    async with engine.begin() as connection:
        await connection.execute(_TERMINATE_HOLDER, where)


async def save_progress(tx: Transaction, progress: Progress) -> None:
    """Write where the lane stands now, in the transaction that produced the effects."""
    await tx.driver.execute(
        _SAVE,
        progress.topic,
        progress.partition,
        progress.position,
        progress.arrival,
        progress.ordinal,
        orjson.dumps(progress.state),
    )
