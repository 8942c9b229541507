"""What erasing a customer reads and writes: the cases that are theirs, and every place that holds words of them."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from uuid import UUID

from services.chassis.database import Transaction

Forget = Callable[[bytes], bytes]


async def begin(tx: Transaction, customers: Sequence[tuple[UUID, datetime]]) -> set[UUID]:
    """Note who is forgotten; returns those who were not before."""
    rows = await tx.driver.fetch(
        "INSERT INTO erasures (customer, at) SELECT * FROM unnest($1::uuid[], $2::timestamptz[]) ON CONFLICT DO NOTHING RETURNING customer",
        *map(list, zip(*customers, strict=True)),
    )
    return {row[0] for row in rows}


async def is_erased(tx: Transaction, customer: UUID) -> bool:
    """Whether this customer was."""
    found: bool = await tx.driver.fetchval("SELECT EXISTS (SELECT FROM erasures WHERE customer = $1)", customer)
    return found


async def empty_acts(tx: Transaction, customer: UUID) -> list[UUID]:
    """Empty what people wrote in the customer's acts; returns the cases, whose folds are to be made again from what is left.

    So is what their failures are counted by. The digests in the audit trail are over digests, and stay.
    """
    cases = [row[0] for row in await tx.driver.fetch("SELECT id FROM cases WHERE customer = $1", customer)]
    await tx.driver.execute("UPDATE acts SET payload = NULL WHERE case_id = ANY($1::uuid[]) AND payload IS NOT NULL", cases)
    await tx.driver.execute("UPDATE failures SET segment = NULL WHERE case_id = ANY($1::uuid[]) AND segment IS NOT NULL", cases)
    return cases


async def empty_recognitions(tx: Transaction, customer: UUID) -> None:
    """Empty what was seen in the customer's cases; that somebody did more than their duty stays."""
    await tx.driver.execute("UPDATE recognitions SET what = '', fingerprint = '' WHERE customer = $1", customer)


async def rewrite_fold(tx: Transaction, case: UUID, fold: bytes) -> None:
    """Let a case stand as its emptied acts make it; `fold` is JSON."""
    await tx.driver.execute("UPDATE cases SET fold = $2::jsonb WHERE id = $1", case, fold.decode())


async def rewrite_answers(tx: Transaction, cases: Collection[UUID], forget: Forget) -> None:
    """Leave of the answers that creations got what is no word of anybody, under keys that lead back to no request."""
    query = "SELECT subject, key, body FROM creations WHERE case_id = ANY($1::uuid[])"
    for subject, key, body in await tx.driver.fetch(query, list(cases)):
        await tx.driver.execute(
            "UPDATE creations SET body = $3, fingerprint = '', key = 'erased ' || gen_random_uuid() WHERE subject = $1 AND key = $2",
            subject, key, forget(body),
        )  # fmt: skip


async def rewrite_outbox(tx: Transaction, partition: int, customer: UUID, forget: Forget) -> None:
    """Write what was told of a customer anew without what may be personal; each keeps its place and number."""
    query = "SELECT ordinal, body FROM outbox WHERE partition = $1 AND customer = $2"
    for ordinal, body in await tx.driver.fetch(query, partition, customer):
        await tx.driver.execute("UPDATE outbox SET body = $3 WHERE partition = $1 AND ordinal = $2", partition, ordinal, forget(body))
