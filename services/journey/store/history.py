"""What letting go of history reads and writes: the oldest rows of each lane of the journal, and the oldest packs of facts."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Driver, Transaction, transaction
from services.chassis.packed import pack, unpack
from services.journey.store.erasure import Place
from services.journey.store.rows import FactsRow
from services.journey.timeline.said import Place as Said
from services.journey.timeline.said import Row, latest


class Pack(NamedTuple):
    """Facts that were read one after another, and which runs of them timelines show."""

    place: Place
    bodies: list[bytes]
    runs: list[FactsRow]


def step(engine: AsyncEngine) -> Any:
    """A transaction of its own for a bounded piece of it."""
    return transaction(engine, sa.text("SELECT 1"), {})


async def published(driver: Driver) -> dict[str, int]:
    """Up to which number each lane of the journal was sent on, and each partition of facts was read."""
    rows = await driver.fetch(
        "SELECT topic, partition, position, published FROM progress WHERE topic LIKE 'makegood.%' AND topic NOT LIKE 'feed:%'"
    )
    raw = ("makegood.touchpoints", "makegood.acts")
    return {f"{topic.removeprefix('makegood.') if topic in raw else topic}/{partition}": sent if topic in raw else position
            for topic, partition, position, sent in rows}  # fmt: skip


async def drop_journal(tx: Transaction, lane: str, until: int, before: datetime, limit: int) -> tuple[list[UUID], int]:
    """Delete some of the oldest rows of a lane that arrived before a moment; whose they were, and how many.

    A lane's rows are in order of arrival but for records that were released: these go with those that were taken in beside them.
    """
    rows = await tx.driver.fetch(
        "WITH oldest AS (SELECT lane, ordinal, arrival FROM journal WHERE lane = $1 AND ordinal <= $2 ORDER BY ordinal LIMIT $4) "
        "DELETE FROM journal j USING oldest o WHERE j.lane = o.lane AND j.ordinal = o.ordinal AND o.arrival < $3 RETURNING j.customer",
        lane, until, before, limit,
    )  # fmt: skip
    return list({row[0] for row in rows}), len(rows)


async def packs(tx: Transaction, lane: str, after: int, until: int, limit: int) -> list[tuple[Place, list[bytes]]]:
    """The packs of a partition behind a position and before another, which nobody else writes meanwhile."""
    topic, _, partition = lane.rpartition("/")
    rows = await tx.driver.fetch(
        "SELECT position, bodies FROM packs WHERE topic = $1 AND partition = $2 AND position > $3 AND position < $4 "
        "ORDER BY position LIMIT $5 FOR UPDATE",
        topic, int(partition), after, until, limit,
    )  # fmt: skip
    return [(Place(topic, int(partition), position), unpack(bodies)) for position, bodies in rows]


async def runs(tx: Transaction, places: Sequence[Place], customers: Iterable[UUID]) -> dict[Place, list[FactsRow]]:
    """What timelines show of these packs, which hold facts of these customers alone."""
    names = ", ".join(FactsRow._fields)
    rows = await tx.driver.fetch(
        f"SELECT {names} FROM facts WHERE customer = ANY($1::uuid[]) AND topic = $2 AND partition = $3 AND position = ANY($4::bigint[])",
        list(customers), *places[0][:2], [each.position for each in places],
    )  # fmt: skip
    found: dict[Place, list[FactsRow]] = {each: [] for each in places}
    for row in map(FactsRow._make, rows):
        found[Place(*row[2:5])].append(row)
    return found


async def undecided(tx: Transaction, customers: Iterable[UUID]) -> set[Said]:
    """Where the last facts are of what is not decided yet of these customers."""
    rows = await tx.driver.fetch(
        "SELECT customer, topic, partition, position, place, said FROM facts WHERE customer = ANY($1::uuid[]) AND said IS NOT NULL "
        "ORDER BY customer, topic, partition, position, place",
        list(customers),
    )
    return {place for _, each in groupby(rows, key=itemgetter(0)) for place in latest(Row(*row[1:]) for row in each).undecided}


async def drop_facts(tx: Transaction, found: Iterable[FactsRow]) -> None:
    """Delete what timelines show."""
    columns = list(zip(*[(each.customer, each.time, *each[2:6]) for each in found], strict=True))
    if columns:
        await tx.driver.execute(
            "DELETE FROM facts f USING unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::smallint[], $5::bigint[], $6::smallint[]) "
            "o(customer, time, topic, partition, position, place) WHERE (f.customer, f.time, f.topic, f.partition, f.position, f.place) "
            "= (o.customer, o.time, o.topic, o.partition, o.position, o.place)",
            *map(list, columns),
        )


async def rewrite(tx: Transaction, place: Place, bodies: Sequence[bytes]) -> None:
    """Write a pack anew; without any facts it goes."""
    where = "WHERE topic = $1 AND partition = $2 AND position = $3"
    if bodies:
        await tx.driver.execute(f"UPDATE packs SET bodies = $4 {where}", *place, pack(bodies))
    else:
        await tx.driver.execute(f"DELETE FROM packs {where}", *place)


async def mark(tx: Transaction, customers: Iterable[UUID]) -> None:
    """Let pictures be made anew of those of whom there is one, without what has gone."""
    await tx.driver.execute(
        "INSERT INTO picture_dirty (customer) SELECT DISTINCT coalesce(c.person, c.key) FROM customers c "
        "JOIN pictures p ON p.customer = coalesce(c.person, c.key) WHERE c.key = ANY($1::uuid[]) ORDER BY 1 ON CONFLICT DO NOTHING",
        list(customers),
    )
