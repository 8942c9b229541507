"""What making the rows of `commitments` anew reads and writes: what was said, by strand, and the rows of some strands.

The outbox is ordered by number and packed. To have what belongs together beside each other without holding all of a
partition, it is copied once into a temporary table of the session that rebuilds.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

import orjson

from services.chassis.database import Driver, Transaction
from services.promises.commitment import Commitment
from services.promises.store import COMMITMENT, unpublished
from services.promises.store.tables import PackRow

PACKS_AT_ONCE: Final = 40
_ROW: Final = ", ".join(COMMITMENT)


class Said(NamedTuple):
    """One fact, as far as a row is made of it, in the order of COPY."""

    strand: UUID
    commitment: UUID
    ordinal: int
    kind: str
    promise: int
    customer: UUID
    correlation: str
    trigger_event: UUID
    trigger_id: str
    trigger_type: str
    trigger_time: datetime
    segment: str | None
    due: datetime | None
    state: str
    reason: str
    decided_by: UUID | None
    verdict: int
    trace: str | None


_STANDS: Final = "customer NOT IN (SELECT customer FROM erasures)"
"""Rows of those who were erased stay as they are."""
_SAID: Final = ", ".join(Said._fields)


class Scratch:
    """What was said of one partition's commitments, as far as it was copied; gone with the session at the latest."""

    def __init__(self, driver: Driver) -> None:
        """In this session, outside of any transaction."""
        self._driver = driver

    async def __aenter__(self) -> Self:
        await self._driver.execute("SET statement_timeout = 0")
        await self._driver.execute(
            "CREATE TEMPORARY TABLE said (strand uuid, commitment uuid, ordinal bigint, kind text, promise int, customer uuid, "
            "correlation text, trigger_event uuid, trigger_id text, trigger_type text, trigger_time timestamptz, segment text, "
            "due timestamptz, state text, reason text, decided_by uuid, verdict int, trace text)"
        )
        await self._driver.execute("CREATE INDEX said_of_strand ON said (strand, commitment, ordinal)")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._driver.execute("DROP TABLE said")
        await self._driver.execute("RESET statement_timeout")

    async def add(self, facts: Sequence[Said]) -> None:
        """Take in more."""
        await self._driver.copy_records_to_table("said", records=facts, columns=list(Said._fields))

    async def of(self, strands: Collection[UUID]) -> list[Said]:
        """What was said of the commitments of these strands, of each in its order."""
        query = f"SELECT {_SAID} FROM said WHERE strand = ANY($1::uuid[]) ORDER BY strand, commitment, ordinal"
        return [Said(*row) for row in await self._driver.fetch(query, strands)]

    async def strands(self, partition: int, after: UUID, limit: int) -> list[UUID]:
        """The next strands that something was said of, or that have a row, in order; both is to be the same."""
        query = (
            "SELECT strand FROM (SELECT DISTINCT strand FROM said WHERE strand > $2 ORDER BY strand LIMIT $3) s UNION "
            "SELECT strand FROM (SELECT DISTINCT strand FROM commitments WHERE partition = $1 AND strand > $2 "
            f"AND {_STANDS} ORDER BY strand LIMIT $3) c "
            "ORDER BY strand LIMIT $3"
        )
        return [row[0] for row in await self._driver.fetch(query, partition, after, limit)]


async def standing_of(driver: Driver, topic: str, partition: int) -> tuple[Mapping[str, Any], datetime | None]:
    """Where a partition stands: the state in its progress row, and the barrier that it has been judged at."""
    row = await driver.fetchrow("SELECT state, arrival FROM progress WHERE topic = $1 AND partition = $2", topic, partition)
    return ({}, None) if row is None else (orjson.loads(row[0]), row[1])


async def packs(driver: Driver, partition: int, after: int) -> list[PackRow]:
    """The next packs of a partition's outbox that hold facts after an ordinal."""
    return await unpublished(driver, partition, after, PACKS_AT_ONCE)


async def rows_of(tx: Transaction, strands: Collection[UUID], ids: Collection[UUID]) -> list[Commitment]:
    """The rows of these strands, and those with these ids wherever they are."""
    query = (
        f"SELECT {_ROW} FROM commitments WHERE strand = ANY($1::uuid[]) AND {_STANDS} "
        f"UNION SELECT {_ROW} FROM commitments WHERE id = ANY($2::uuid[]) AND {_STANDS}"
    )
    return [Commitment(*row) for row in await tx.driver.fetch(query, strands, ids)]


async def replace_rows(tx: Transaction, gone: Collection[UUID], made: Sequence[Commitment]) -> None:
    """Take rows away, and put others in."""
    await tx.driver.execute("DELETE FROM commitments WHERE id = ANY($1::uuid[])", [*gone, *(each.id for each in made)])
    await tx.copy("commitments", COMMITMENT, [[getattr(each, name) for name in COMMITMENT] for each in made])
