"""What erasing a customer reads and writes: who was erased, their identifiers as hashes, and every place that held something of them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction, transaction
from services.chassis.packed import pack, unpack
from services.chassis.personal import statements
from services.journey.domain import Identifier
from services.journey.store.privacy import TABLES
from services.journey.store.tables import erasures

EVENTS_AT_ONCE: Final = 2000
PACKS_AT_ONCE: Final = 100
GONE: Final = "whom it named was erased"
"""What stands in the place of what was wrong with a refused record."""


class Place(NamedTuple):
    """A pack of facts."""

    topic: str
    partition: int
    position: int


NOWHERE: Final = Place("", 0, 0)


class Erasure(NamedTuple):
    """One key of somebody who was erased; `work` is what is left to do, None once nothing is."""

    customer: UUID
    person: UUID
    reason: str
    by: str
    at: datetime
    asked_at: datetime
    work: bytes | None
    emptied: int = 0
    done_at: datetime | None = None
    promises_at: datetime | None = None
    recovery_at: datetime | None = None


_COLUMNS: Final = ", ".join(f'"{name}"' for name in Erasure._fields)
CLAIM: Final = sa.text(f"SELECT {_COLUMNS} FROM erasures WHERE work IS NOT NULL ORDER BY asked_at, customer LIMIT 1 FOR UPDATE SKIP LOCKED")
"""Opens a step: the row's lock is the right to take it; no row, and there is nothing to do, or another process does it."""


async def of_person(engine: AsyncEngine, customer: UUID) -> list[Erasure]:
    """The erasure that a key belongs to, a row for each key of that person; empty where there was none."""
    person = sa.select(erasures.c.person).where(erasures.c.customer == customer).scalar_subquery()
    query = sa.select(*[erasures.c[name] for name in Erasure._fields]).where(erasures.c.person == person).order_by(erasures.c.customer)
    async with engine.connect() as connection:
        return [Erasure(*row) for row in await connection.execute(query)]


async def is_known(tx: Transaction, customer: UUID) -> bool:
    """Whether there is such a customer."""
    found: bool = await tx.driver.fetchval("SELECT EXISTS (SELECT FROM customers WHERE key = $1)", customer)
    return found


async def whose(tx: Transaction, customers: Iterable[UUID]) -> set[UUID]:
    """Which of these customers were erased; costs next to nothing while nobody was."""
    if not await tx.driver.fetchval("SELECT EXISTS (SELECT FROM erasures)"):
        return set()
    rows = await tx.driver.fetch("SELECT customer FROM erasures WHERE customer = ANY($1::uuid[])", list(customers))
    return {row[0] for row in rows}


async def keys_of_person(tx: Transaction, customer: UUID) -> list[UUID]:
    """All keys that were erased as those of one person with this one, itself among them."""
    query = "SELECT e.customer FROM erasures e JOIN erasures o USING (person) WHERE o.customer = $1"
    return [row[0] for row in await tx.driver.fetch(query, customer)]


async def rows_of(tx: Transaction, customers: Iterable[UUID]) -> list[Erasure]:
    """The erasures of these keys."""
    rows = await tx.driver.fetch(f"SELECT {_COLUMNS} FROM erasures WHERE customer = ANY($1::uuid[])", list(customers))
    return [Erasure(*row) for row in rows]


async def identifiers_of(tx: Transaction, customers: Collection[UUID]) -> dict[UUID, list[Identifier]]:
    """The identifiers that lead to each of these."""
    rows = await tx.driver.fetch("SELECT customer, identifier, person FROM identifiers WHERE customer = ANY($1::uuid[])", list(customers))
    found: dict[UUID, list[Identifier]] = {each: [] for each in customers}
    for customer, identifier, person in rows:
        found[customer].append(Identifier(identifier, person))
    return found


async def begin(tx: Transaction, rows: Sequence[Erasure]) -> None:
    """Note whom to erase."""
    await tx.copy("erasures", Erasure._fields, rows)


async def note_told(tx: Transaction, service: str, told: Mapping[UUID, datetime]) -> None:
    """Note when another service said that it has erased its part."""
    await tx.driver.execute(
        f"UPDATE erasures e SET {service}_at = n.at FROM unnest($1::uuid[], $2::timestamptz[]) n(customer, at) "
        f"WHERE e.customer = n.customer AND e.{service}_at IS NULL",
        list(told), list(told.values()),
    )  # fmt: skip


def claimed_erasure(tx: Transaction) -> Erasure | None:
    """The erasure that this step opened with."""
    return Erasure._make(tx.opening[0]) if tx.opening else None


def step(engine: AsyncEngine) -> Any:
    """A transaction on an erasure that is under way, if there is any."""
    return transaction(engine, CLAIM, {})


async def empty_journal(tx: Transaction, customer: UUID, keep: UUID) -> int:
    """Empty some of a customer's journal but for the event that says that they are erased; returns how many there were."""
    rows = await tx.driver.fetch(
        "UPDATE journal SET body = NULL FROM (SELECT lane, ordinal FROM journal WHERE customer = $1 AND body IS NOT NULL AND event <> $2 "
        "ORDER BY lane, ordinal LIMIT $3 FOR UPDATE) f WHERE journal.lane = f.lane AND journal.ordinal = f.ordinal RETURNING 1",
        customer, keep, EVENTS_AT_ONCE,
    )  # fmt: skip
    return len(rows)


async def places(tx: Transaction, customer: UUID, after: Place) -> list[Place]:
    """The next packs that hold facts of a customer."""
    rows = await tx.driver.fetch(
        "SELECT DISTINCT topic, partition, position FROM facts WHERE customer = $1 AND (topic, partition, position) > ($2, $3, $4) "
        "ORDER BY 1, 2, 3 LIMIT $5",
        customer, *after, PACKS_AT_ONCE,
    )  # fmt: skip
    return [Place(*row) for row in rows]


async def rewrite_packs(tx: Transaction, customer: UUID, places: Sequence[Place], forget: Callable[[bytes], bytes]) -> int:
    """Write packs anew with what `forget` makes of a customer's facts; those of others stay. Returns how many were theirs."""
    number = 0
    for place in places:
        bodies, theirs = await _facts(tx, customer, place)
        for at in theirs:
            bodies[at] = forget(bodies[at])
        number += len(theirs)
        await tx.driver.execute("UPDATE packs SET bodies = $4 WHERE topic = $1 AND partition = $2 AND position = $3", *place, pack(bodies))
    return number


async def _facts(tx: Transaction, customer: UUID, place: Place) -> tuple[list[bytes], list[int]]:
    """A pack's facts, which nobody else may write meanwhile, and which of them are a customer's."""
    query = "SELECT bodies FROM packs WHERE topic = $1 AND partition = $2 AND position = $3 FOR UPDATE"
    stored = await tx.driver.fetchval(query, *place)
    query = "SELECT place, number FROM facts WHERE customer = $1 AND topic = $2 AND partition = $3 AND position = $4"
    rows = await tx.driver.fetch(query, customer, *place)
    return unpack(stored), [at for first, count in rows for at in range(first, first + count)]


_NAMED: Final = (
    "SELECT lane, position FROM quarantine WHERE (value IS NOT NULL OR key IS NOT NULL OR headers <> '[]'::bytea) AND (held && $1::uuid[] "
    "OR EXISTS (SELECT FROM unnest($2::bytea[]) t WHERE position(t IN coalesce(value, ''::bytea)) > 0) "
    "OR EXISTS (SELECT FROM unnest($3::bytea[]) t WHERE position(t IN headers) > 0))"
)


async def empty_quarantine(tx: Transaction, keys: Sequence[UUID], texts: Sequence[bytes]) -> int:
    """Empty the refused records that these were held for, or that hold one of these texts, and what was done about them."""
    found = await tx.driver.fetch(_NAMED, list(keys), list(texts), [each.hex().encode() for each in texts])
    for lane, position in found:
        await tx.driver.execute(
            "UPDATE quarantine SET key = NULL, value = NULL, headers = '[]', source = NULL, place = '', detail = $3 "
            "WHERE lane = $1 AND position = $2",
            lane, position, GONE,
        )  # fmt: skip
        answer = await tx.driver.fetchval("SELECT answer FROM quarantine_acts WHERE lane = $1 AND position = $2", lane, position)
        if answer is not None:
            await tx.driver.execute(
                "UPDATE quarantine_acts SET event = NULL, reason = NULL, answer = $3 WHERE lane = $1 AND position = $2",
                lane, position, _without_words(answer),
            )  # fmt: skip
    return len(found)


def _without_words(answer: bytes) -> bytes:
    return orjson.dumps({name: value for name, value in orjson.loads(answer).items() if name not in {"event", "reason", "detail"}})


class Clash(NamedTuple):
    """An event of somebody else that names the erased."""

    lane: str
    ordinal: int
    body: bytes


async def clashes(tx: Transaction, customer: UUID) -> list[Clash]:
    """The events of others that name this customer beside them."""
    rows = await tx.driver.fetch(
        "SELECT j.lane, j.ordinal, j.body FROM conflicts c JOIN journal j ON j.customer = c.customer AND j.event = c.event "
        "WHERE c.other = $1 AND j.body IS NOT NULL",
        customer,
    )
    return [Clash(*row) for row in rows]


async def replace(tx: Transaction, changed: Iterable[Clash]) -> None:
    """Write the bodies of some events anew."""
    for each in changed:
        await tx.driver.execute("UPDATE journal SET body = $3 WHERE lane = $1 AND ordinal = $2", *each)


async def empty_tables(tx: Transaction, keys: Sequence[UUID]) -> None:
    """Empty what the classes of `privacy` say."""
    for statement in statements(TABLES):
        await tx.driver.execute(statement, list(keys))


async def advance(tx: Transaction, customer: UUID, work: bytes, emptied: int) -> None:
    """Keep how far a step has come."""
    await tx.driver.execute("UPDATE erasures SET work = $2, emptied = emptied + $3 WHERE customer = $1", customer, work, emptied)


async def finish(tx: Transaction, customer: UUID) -> None:
    """Nothing is left to do, and nothing is known of what there was."""
    await tx.driver.execute("UPDATE erasures SET work = NULL, done_at = now() WHERE customer = $1", customer)
