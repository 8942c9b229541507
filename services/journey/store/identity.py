"""Who is whom: customers that are one person, what was said of them, and what is erased.

Whoever changes any of it holds the identity lock alone, and moves the epoch.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.chassis.database import Transaction
from services.journey.identity.persons import Word

Others = dict[UUID, dict[UUID, bool]]
"""The other customers that are one person with each; True: a thing that joined them."""


class Known(NamedTuple):
    """A customer as stored; `head` is the customer that their identifiers lead to, themselves but for things that joined."""

    key: UUID
    head: UUID
    person: UUID | None
    provisional: bool


class StatementRow(NamedTuple):
    """What one statement says of two customers, in the order of COPY."""

    number: int
    one: UUID
    other: UUID
    same: bool | None
    kind: str
    event: UUID
    time: datetime
    arrival: datetime
    source: str
    said: bytes


async def erasure_key(tx: Transaction) -> bytes:
    """What identifiers of erased customers are hashed with."""
    found: bytes = await tx.driver.fetchval("SELECT key FROM erasure_key")
    return found


async def erased(tx: Transaction, marks: Collection[UUID]) -> dict[UUID, UUID]:
    """Whom the identifiers with these marks led to, of those who were erased."""
    rows = await tx.driver.fetch("SELECT identifier, customer FROM erased WHERE identifier = ANY($1::uuid[])", list(marks))
    return {row[0]: row[1] for row in rows}


async def erase(tx: Transaction, marks: Mapping[UUID, UUID], customers: Collection[UUID]) -> None:
    """Let the identifiers of customers name nobody from now on, and keep marks of them, each with the customer it led to.

    Whoever calls this holds the identity lock alone and moves the epoch.
    """
    await tx.driver.execute(
        "INSERT INTO erased (identifier, customer) SELECT * FROM unnest($1::uuid[], $2::uuid[]) ON CONFLICT DO NOTHING",
        list(marks), list(marks.values()),
    )  # fmt: skip
    await tx.driver.execute("DELETE FROM identifiers WHERE customer = ANY($1::uuid[])", list(customers))


async def join(tx: Transaction, provisional: UUID, person: UUID) -> None:
    """Let a provisional customer's identifiers lead to the person from now on."""
    await tx.driver.execute("UPDATE identifiers SET customer = $2 WHERE customer = $1", provisional, person)
    await tx.driver.execute("UPDATE customers SET joined = $2 WHERE key = $1 OR joined = $1", provisional, person)
    await tx.driver.execute(
        "WITH of AS (SELECT key FROM customers WHERE key = ANY($1::uuid[]) OR person IN "
        "(SELECT person FROM customers WHERE key = ANY($1::uuid[]) AND person IS NOT NULL)) "
        "UPDATE customers SET person = (SELECT key FROM of ORDER BY key LIMIT 1) WHERE key IN (SELECT key FROM of)",
        [provisional, person],
    )


async def others_of(tx: Transaction, keys: Iterable[UUID]) -> Others:
    """The other customers that are one person with each of these, in the order of their keys."""
    rows = await tx.driver.fetch(
        "SELECT c.key, o.key, o.joined IS NOT NULL FROM customers c JOIN customers o ON o.person = c.person AND o.key <> c.key "
        "WHERE c.key = ANY($1::uuid[]) AND c.person IS NOT NULL ORDER BY 1, 2",
        list(keys),
    )
    found: Others = {}
    for key, other, joined in rows:
        found.setdefault(key, {})[other] = joined
    return found


async def neighbourhood(tx: Transaction, start: Iterable[UUID]) -> tuple[dict[UUID, Known], list[Word]]:
    """These customers, all that anything was ever said of beside them, and those in turn; and what was said, of heads."""
    known: dict[UUID, Known] = {}
    words: set[Word] = set()
    asked: set[UUID] = set()
    ahead = set(start)
    while ahead:
        asked |= ahead
        for row in await tx.driver.fetch(_KNOWN, list(ahead)):
            known[row[0]] = Known(*row)
        for row in await tx.driver.fetch(_SAID, list(ahead | {row.head for row in known.values()})):
            words.add(Word(*row))
        named = {key for word in words for key in word[:2]} | {row.head for row in known.values()} | known.keys()
        ahead = named - asked
    heads = {key: row.head for key, row in known.items()}
    return known, [word._replace(one=heads.get(word.one, word.one), other=heads.get(word.other, word.other)) for word in words]


_KNOWN = "SELECT key, coalesce(joined, key), person, provisional FROM customers WHERE key = ANY($1::uuid[]) OR joined = ANY($1::uuid[])"
_SAID = "SELECT one, other, same, time, event FROM statements WHERE same IS NOT NULL AND (one = ANY($1::uuid[]) OR other = ANY($1::uuid[]))"


async def add_customers(tx: Transaction, keys: Iterable[UUID], since: datetime) -> None:
    """Add customers that were named by key alone, where they are not known."""
    await tx.driver.execute(
        "INSERT INTO customers (key, provisional, since) SELECT k, false, $2 FROM unnest($1::uuid[]) k ON CONFLICT DO NOTHING",
        sorted(keys),
        since,
    )


async def detach(tx: Transaction, identifiers: Sequence[str], key: UUID, since: datetime) -> None:
    """Let identifiers lead to a customer of their own from now on."""
    rows = await tx.driver.fetch(
        "UPDATE identifiers SET customer = $2 WHERE identifier = ANY($1::text[]) RETURNING person", identifiers, key
    )
    await tx.driver.execute(
        "INSERT INTO customers (key, provisional, since) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET joined = NULL",
        key,
        bool(rows) and not any(row[0] for row in rows),
        since,
    )


async def identifiers_of(tx: Transaction, customer: UUID) -> list[str]:
    """The identifiers that lead to a customer."""
    return [row[0] for row in await tx.driver.fetch("SELECT identifier FROM identifiers WHERE customer = $1", customer)]


async def save_persons(tx: Transaction, person: Mapping[UUID, UUID | None]) -> None:
    """Save which person customers are."""
    await tx.driver.execute(
        "UPDATE customers c SET person = n.person FROM unnest($1::uuid[], $2::uuid[]) n(key, person) WHERE c.key = n.key",
        list(person.keys()),
        list(person.values()),
    )


async def state(tx: Transaction, rows: Sequence[StatementRow]) -> None:
    """Keep what was said."""
    await tx.copy("statements", StatementRow._fields, rows)


async def conflicts_of(tx: Transaction, keys: Iterable[UUID]) -> list[tuple[UUID, UUID, UUID, str | None]]:
    """The conflicts between any of these customers: (event, customer, other, how it was decided)."""
    rows = await tx.driver.fetch(
        "SELECT event, customer, other, decided FROM conflicts WHERE customer = ANY($1::uuid[]) OR other = ANY($1::uuid[])", list(keys)
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def decide_conflicts(tx: Transaction, decided: Sequence[tuple[UUID, UUID, UUID, str | None]]) -> None:
    """Save how conflicts stand."""
    for row in decided:
        await tx.driver.execute("UPDATE conflicts SET decided = $4 WHERE (event, customer, other) = ($1, $2, $3)", *row)


async def empty_lent(tx: Transaction, customer: UUID) -> None:
    """Empty what was said of a customer who was erased, and what of theirs was evidence of those they are not one with any more."""
    known, _ = await neighbourhood(tx, [customer])
    await tx.driver.execute("UPDATE statements SET said = NULL WHERE one = $1 OR other = $1", customer)
    await tx.driver.execute(
        "UPDATE journal SET body = NULL WHERE customer = ANY($2::uuid[]) AND copied "
        "AND event IN (SELECT event FROM journal WHERE customer = $1 AND NOT copied)",
        customer,
        sorted(known.keys() - {customer}),
    )
