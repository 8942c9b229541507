"""What erasing a customer reads and writes: the cases that are theirs, and every place that holds words of them."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from services.chassis.database import Transaction

Forget = Callable[[bytes], bytes]
_TEXT: Final = "$1::text::jsonb #>> '{}'"
_JSON: Final = "$1::text::jsonb"
SAID_OF_OTHERS: Final[Sequence[tuple[str, str, str, str, Any]]] = (
    ("coaching_notes", "id", "text", _TEXT, ""),
    ("improvements", "id", "what", _TEXT, None),
    ("queues", "id", "name", _TEXT, None),
    ("mass_failures", "id", "fold", _JSON, None),
    ("mass_acts", "mass_failure, number", "payload", _JSON, {}),
    ("bulk_runs", "id", "needs", _JSON, None),
)
"""Table, its key, the column, its value from JSON `$1`, and what comes in the place of one that names somebody: none, it
without the name.

A note between two of somebody goes whole, and so do words that a chain of digests covers: there nothing else counts as erased.
"""


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
        await _rewrite_answer(tx, subject, key, forget(body))


async def _rewrite_answer(tx: Transaction, subject: str, key: str, body: bytes) -> None:
    await tx.driver.execute(
        "UPDATE creations SET body = $3, fingerprint = '', key = 'erased ' || gen_random_uuid() WHERE subject = $1 AND key = $2",
        subject, key, body,
    )  # fmt: skip


async def rewrite_outbox(tx: Transaction, partition: int, customer: UUID, forget: Forget) -> None:
    """Write what was told of a customer anew without what may be personal; each keeps its place and number."""
    query = "SELECT ordinal, body FROM outbox WHERE partition = $1 AND customer = $2"
    for ordinal, body in await tx.driver.fetch(query, partition, customer):
        await tx.driver.execute("UPDATE outbox SET body = $3 WHERE partition = $1 AND ordinal = $2", partition, ordinal, forget(body))


async def rewrite_said_of_others(tx: Transaction, nameless: Callable[[Any], Any]) -> None:
    """Let what is said of many, or of the work itself, name nobody who is forgotten; `nameless` takes JSON and gives it without names."""
    for table, key, column, value, instead in SAID_OF_OTHERS:
        at = " AND ".join(f"{name} = ${number}" for number, name in enumerate(key.split(", "), start=2))
        for *place, said in await tx.driver.fetch(f"SELECT {key}, to_jsonb({column})::text FROM {table}"):
            if (left := nameless(before := orjson.loads(said))) != before:
                new = orjson.dumps(left if instead is None else instead).decode()
                await tx.driver.execute(f"UPDATE {table} SET {column} = {value} WHERE {at}", new, *place)
    for subject, key, body in await tx.driver.fetch("SELECT subject, key, body FROM creations WHERE case_id IS NULL AND body <> ''"):
        if (left := nameless(before := orjson.loads(body))) != before:
            await _rewrite_answer(tx, subject, key, orjson.dumps(left))
