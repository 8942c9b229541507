"""The progress row: where a lane stands, and the compare-and-set that every write on it begins with.

One row a topic and partition. Whoever changes the row's `rev` from what it believed owns what follows in the same
transaction; zero rows mean that another owner was faster (DESIGN 4, docs/decisions/0001).

A row that another server wrote (restored to an earlier point, promoted, or loaded from a dump) begins a new incarnation:
what its lane says from then on is numbered anew, since what was said after that point is in Kafka and not in the database.
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
        sa.Column("begun", sa.BigInteger, nullable=False, server_default="0", comment="the ordinal behind which this incarnation began"),
        sa.Column("server", sa.Text, comment="system identifier and timeline of the server that wrote this incarnation"),
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
    begun: int = 0

    @property
    def lane(self) -> str:
        """The lane's name, as markers and `lane` headers say it: without the system's prefix."""
        return _lane(self.topic, self.partition)


@cache
def _lane(topic: str, partition: int) -> str:
    return f"{topic.removeprefix('makegood.')}/{partition}"


NUMBERS = ("seqs", "facts")
"""Members of `state` that count what a lane has said, and begin anew with each incarnation."""
_COLUMNS = "topic, partition, rev, incarnation, position, arrival, ordinal, published, state, begun"
_CLAIM = (
    "UPDATE progress SET rev = rev + 1, published = GREATEST(published, $4) "
    f"WHERE topic = $1 AND partition = $2 AND rev = $3 RETURNING {_COLUMNS}"
)
_SAVE = "UPDATE progress SET position = $3, arrival = $4, ordinal = $5, state = $6 WHERE topic = $1 AND partition = $2"
_SERVER = (
    "(SELECT system_identifier FROM pg_control_system()) || '/' || "
    "('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int"
)
_READ = f"SELECT {_COLUMNS}, server IS NOT DISTINCT FROM {_SERVER} AS is_of_this_server FROM progress WHERE topic = $1 AND partition = $2"
_READ_ALL = sa.text(f"SELECT {_COLUMNS} FROM progress ORDER BY topic, partition")
_CREATE = f"INSERT INTO progress (topic, partition, server) VALUES ($1, $2, {_SERVER}) ON CONFLICT DO NOTHING"
_KNOW_SERVER = f"UPDATE progress SET server = {_SERVER} WHERE topic = $1 AND partition = $2 AND server IS NULL"
_BEGIN_ANEW = f"""
UPDATE progress SET rev = rev + 1, incarnation = incarnation + 1, begun = published, server = {_SERVER},
  state = convert_to((convert_from(state, 'UTF8')::jsonb - $3::text[])::text, 'UTF8')
WHERE topic = $1 AND partition = $2 AND server <> {_SERVER}
"""
_TERMINATE_HOLDER = sa.text(
    # The row's xmax is the transaction that changed it and has not ended: whoever holds that transaction's lock.
    "SELECT pg_terminate_backend(l.pid) FROM progress p JOIN pg_locks l ON l.locktype = 'transactionid' "
    "AND l.transactionid = p.xmax AND l.granted WHERE p.topic = :topic AND p.partition = :partition "
    "AND l.pid <> pg_backend_pid()"
)


def _progress(row: Any) -> Progress:
    topic, partition, rev, incarnation, position, arrival, ordinal, published, state, begun = row
    return Progress(topic, partition, rev, incarnation, position, arrival, ordinal, published, orjson.loads(state), begun)


async def read_progress(engine: AsyncEngine, topic: str, partition: int) -> Progress:
    """Read one lane's row, creating it where it does not exist yet, and beginning a new incarnation where another server wrote it."""
    async with reading(engine) as connection:
        driver = await driver_of(connection)
        row = await driver.fetchrow(_READ, topic, partition)
        if row is None:
            await driver.execute(_CREATE, topic, partition)
            row = await driver.fetchrow(_READ, topic, partition)
        assert row is not None, "the row was created just now"
        if not row["is_of_this_server"]:
            await driver.execute(_KNOW_SERVER, topic, partition)
            await driver.execute(_BEGIN_ANEW, topic, partition, NUMBERS)
            row = await driver.fetchrow(_READ, topic, partition)
            assert row is not None
        return _progress(tuple(row)[:-1])


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
