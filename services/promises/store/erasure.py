"""What erasing a customer reads and writes: who was erased, and every place that held something of them.

All of a customer's strands stand beside each other (`correlations.strand_of`), so what is theirs is found without an index of its own.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction, transaction
from services.chassis.packed import pack, unpack
from services.chassis.personal import statements
from services.promises.correlations import strands_of
from services.promises.store.privacy import TABLES
from services.promises.store.tables import erasures

PACKS_AT_ONCE: Final = 40
ROWS_AT_ONCE: Final = 2000
STAYS: Final = ("due", "dues", "holds", "about")
"""What a mark keeps beside its roles: times and keys. The rest is what the customer's systems wrote."""


class Work(NamedTuple):
    """What is left to do of one customer: which part, and behind which ordinal of the outbox."""

    part: str = "packs"
    after: int = 0


class Erasure(NamedTuple):
    """Somebody who is forgotten; `work` is JSON of what is left to do, None once nothing is."""

    customer: UUID
    partition: int
    at: datetime
    work: bytes | None


_COLUMNS: Final = ", ".join(Erasure._fields)
_CLAIM: Final = sa.text(f"SELECT {_COLUMNS} FROM erasures WHERE work IS NOT NULL ORDER BY at, customer LIMIT 1 FOR UPDATE SKIP LOCKED")


def step(engine: AsyncEngine) -> AbstractAsyncContextManager[Transaction]:
    """A transaction on an erasure that is under way: its row's lock is the right to take the step."""
    return transaction(engine, _CLAIM, {})


def claimed_erasure(tx: Transaction) -> tuple[Erasure, Work] | None:
    """The erasure that this step opened with, and what is left of it."""
    if not tx.opening:
        return None
    found = Erasure._make(tx.opening[0])
    return found, Work(*orjson.loads(found.work or b"[]"))


async def erased(engine: AsyncEngine, partition: int | None = None) -> set[str]:
    """Who was erased, of a partition or at all: their keys as text."""
    query = sa.select(erasures.c.customer)
    async with engine.connect() as connection:
        return {
            str(each) for each in await connection.scalars(query if partition is None else query.where(erasures.c.partition == partition))
        }


async def is_erased(engine: AsyncEngine, customer: UUID) -> bool:
    """Whether this customer was."""
    async with engine.connect() as connection:
        return bool(await connection.scalar(sa.select(sa.exists().where(erasures.c.customer == customer))))


async def begin(tx: Transaction, partition: int, customers: Iterable[UUID], at: datetime) -> None:
    """Note whom to forget; who was noted before stays so."""
    await tx.driver.execute(
        "INSERT INTO erasures (customer, partition, at, work) SELECT c, $2, $3, $4 FROM unnest($1::uuid[]) c ON CONFLICT DO NOTHING",
        list(customers), partition, at, orjson.dumps(list(Work())),
    )  # fmt: skip


async def freeze(tx: Transaction, commitments: Sequence[UUID]) -> None:
    """Let time change nothing of these commitments any more."""
    if commitments:
        await tx.driver.execute("UPDATE commitments SET next_at = NULL WHERE id = ANY($1::uuid[])", list(commitments))


async def advance(tx: Transaction, customer: UUID, work: Work, emptied: int) -> None:
    """Keep how far a step has come."""
    await tx.driver.execute(
        "UPDATE erasures SET work = $2, emptied = emptied + $3 WHERE customer = $1", customer, orjson.dumps(list(work)), emptied
    )


async def finish(tx: Transaction, customer: UUID) -> bool:
    """Nothing is left to do; False where that was so already."""
    done = await tx.driver.fetchval(
        "UPDATE erasures SET work = NULL, done_at = now() WHERE customer = $1 AND work IS NOT NULL RETURNING true", customer
    )
    return bool(done)


async def rewrite_packs(tx: Transaction, erasure: Erasure, after: int, forget: Callable[[bytes], bytes]) -> tuple[int, int]:
    """Write the next packs anew with what `forget` makes of a customer's facts.

    Returns the ordinal behind which there may be more, 0 where there is none, and how many facts were theirs. Second verdicts are in
    no row of `commitments`, so where there are any all packs are looked through.
    """
    rows: list[tuple[Any, ...]]
    second = await tx.driver.fetchval("SELECT EXISTS (SELECT FROM rejudgements WHERE customer = $1)", erasure.customer)
    ordinals = [] if second else sorted(each for each in await _ordinals(tx, erasure.customer) if each > after)
    if second:
        query = "SELECT last, first, bodies FROM outbox WHERE partition = $1 AND last > $2 ORDER BY last LIMIT $3 FOR UPDATE"
        rows = [tuple(row) for row in await tx.driver.fetch(query, erasure.partition, after, PACKS_AT_ONCE)]
    else:
        rows = list(await _packs(tx, erasure.partition, ordinals))
    number = 0
    mark = f'"customer":"{erasure.customer}"'.encode()
    for last, _, packed in rows:
        bodies = unpack(packed)
        theirs = [place for place, body in enumerate(bodies) if mark in body]
        for place in theirs:
            bodies[place] = forget(bodies[place])
        number += len(theirs)
        if theirs:
            await tx.driver.execute(
                "UPDATE outbox SET bodies = $3 WHERE partition = $1 AND last = $2", erasure.partition, last, pack(bodies)
            )
    more = len(rows) == PACKS_AT_ONCE if second else bool(rows) and ordinals[-1] > rows[-1][0]
    return (rows[-1][0] if more else 0), number


async def _packs(tx: Transaction, partition: int, ordinals: Sequence[int]) -> list[tuple[int, int, bytes]]:
    """The first packs that hold these ordinals, which are sorted."""
    found: list[tuple[int, int, bytes]] = []
    query = "SELECT last, first, bodies FROM outbox WHERE partition = $1 AND last >= $2 ORDER BY last LIMIT 1 FOR UPDATE"
    for ordinal in ordinals:
        if found and ordinal <= found[-1][0]:
            continue
        if len(found) == PACKS_AT_ONCE:
            break
        row = await tx.driver.fetchrow(query, partition, ordinal)
        if row is not None:
            found.append((row[0], row[1], row[2]))
    return found


async def _ordinals(tx: Transaction, customer: UUID) -> set[int]:
    rows = await tx.driver.fetch(f"SELECT said FROM commitments WHERE {_THEIRS}", customer, *strands_of(customer))
    return {int(each) for row in rows for each in row[0].split()}


_THEIRS: Final = "customer = $1 AND strand BETWEEN $2 AND $3"


async def empty_evidence(tx: Transaction, customer: UUID) -> int:
    """Leave of some of their evidence the roles and the times that it plays; returns how much there was."""
    rows = await tx.driver.fetch(
        "SELECT strand, event, marks FROM evidence WHERE strand BETWEEN $1 AND $2 AND id <> '' LIMIT $3",
        *strands_of(customer),
        ROWS_AT_ONCE,
    )
    await tx.driver.execute(
        "UPDATE evidence e SET id = '', marks = n.marks FROM unnest($1::uuid[], $2::uuid[], $3::bytea[]) n(strand, event, marks) "
        "WHERE e.strand = n.strand AND e.event = n.event",
        [row[0] for row in rows], [row[1] for row in rows], [_stripped(row[2]) for row in rows],
    )  # fmt: skip
    return len(rows)


def _stripped(marks: bytes) -> bytes:
    seen: dict[str, list[Any]] = orjson.loads(marks)
    return orjson.dumps(
        {
            promise: [roles, *({name: value for name, value in each.items() if name in STAYS} for each in unusual)]
            for promise, (roles, *unusual) in seen.items()
        }
    )


async def empty_commitments(tx: Transaction, customer: UUID) -> int:
    """Leave of their commitments what counts: whom of nobody, what promise, what verdict. Time changes nothing of them any more.

    A segment stays where it is somebody else's, too: then it is a figure, and no trace.
    """
    theirs = (customer, *strands_of(customer))
    for promise, segment in await tx.driver.fetch(
        f"SELECT DISTINCT promise, segment FROM commitments WHERE {_THEIRS} AND segment IS NOT NULL", *theirs
    ):
        shared = await tx.driver.fetchval(
            "SELECT EXISTS (SELECT FROM commitments WHERE promise = $1 AND segment = $2 AND customer <> $3)", promise, segment, customer
        )
        if not shared:
            await tx.driver.execute(
                f"UPDATE commitments SET segment = 'erased' WHERE {_THEIRS} AND promise = $4 AND segment = $5", *theirs, promise, segment
            )
    rows = await tx.driver.fetch(
        "UPDATE commitments SET correlation = 'null', trigger_id = '', trace = NULL, next_at = NULL, reason = split_part(reason, ':', 1) "
        f"WHERE {_THEIRS} RETURNING id",
        *theirs,
    )
    await empty_excuses(tx, [row[0] for row in rows])
    return len(rows)


async def empty_excuses(tx: Transaction, commitments: Collection[UUID]) -> None:
    """Leave of excuses who decided, and the code they are counted by."""
    acts = await tx.driver.fetch(
        "SELECT commitment, number, content FROM excuse_acts WHERE commitment = ANY($1::uuid[])", list(commitments)
    )
    for commitment, number, content in acts:
        left = {name: value for name, value in orjson.loads(content).items() if name in {"reason", "approver"}}
        await tx.driver.execute(
            "UPDATE excuse_acts SET content = $3, event = NULL, acknowledged = true, fingerprint = '', "
            "key = 'erased ' || commitment || ' ' || number WHERE commitment = $1 AND number = $2",
            commitment, number, orjson.dumps(left),
        )  # fmt: skip


async def empty_rest(tx: Transaction, customer: UUID) -> None:
    """Empty what the classes of `privacy` say, and what was refused of theirs."""
    for statement in statements(TABLES):
        await tx.driver.execute(statement, [customer])
    await empty_quarantine(tx, customer)
    await empty_backtests(tx)


async def empty_backtests(tx: Transaction) -> None:
    """Leave of what drafts came to the totals: a segment may be a word of one customer's, and of whose it was nothing is kept."""
    for id_, outcome in await tx.driver.fetch("SELECT id, outcome FROM backtests WHERE state = 'done'"):
        totals = [each | {"segments": []} for each in orjson.loads(outcome)]
        await tx.driver.execute("UPDATE backtests SET outcome = $2 WHERE id = $1", id_, orjson.dumps(totals))


async def empty_quarantine(tx: Transaction, customer: UUID) -> None:
    """Keep of events that a promise could not be judged on that there were some, and why."""
    await tx.driver.execute(
        "UPDATE quarantine SET value = NULL, detail = '' WHERE value IS NOT NULL AND position($1::bytea IN value) > 0",
        f'"customer":"{customer}"'.encode(),
    )
