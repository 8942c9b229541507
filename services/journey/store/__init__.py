"""All SQL of the journey service: values in, values out. Here what a batch loads and saves; beside it what people ask."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

import orjson

from services.chassis.database import Driver, Transaction
from services.chassis.progress import Progress
from services.journey.domain import Customer, Identifier
from services.journey.store.rows import JournalRow, QuarantineRow

NOT_YET = datetime.min.replace(tzinfo=UTC)
"""Before every arrival: not all lanes have been read."""
IDENTITY_LOCK = 0x6D616B65
"""Advisory lock: batches hold it shared, whatever changes an identifier's customer holds it exclusively."""


async def lock_identity(tx: Transaction, *, exclusive: bool) -> int:
    """Hold the identity lock until the transaction ends; returns the epoch of what identifiers mean."""
    function = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
    await tx.driver.execute(f"SELECT {function}($1)", IDENTITY_LOCK)
    epoch: int = await tx.driver.fetchval("SELECT epoch FROM identity_epoch")
    return epoch


class WhatThereIs(NamedTuple):
    """What a batch need not ask for as long as there is none of it anywhere."""

    joins: bool
    """Some customers are one person."""
    describes: bool
    """Something was described of some customer."""
    erases: bool
    """Some customer has been erased."""
    statements: int
    """How many statements there were of who is whom."""


async def what_there_is(tx: Transaction) -> WhatThereIs:
    """What there is of what most systems have nothing of."""
    row = await tx.driver.fetchrow(
        "SELECT EXISTS (SELECT FROM customers WHERE person IS NOT NULL), EXISTS (SELECT FROM attributes), EXISTS (SELECT FROM erased), "
        "(SELECT coalesce(max(number), 0) FROM statements)"
    )
    assert row is not None
    return WhatThereIs(*row)


async def move_epoch(tx: Transaction) -> None:
    """Let every lane forget what it remembers."""
    await tx.driver.execute("UPDATE identity_epoch SET epoch = epoch + 1")


async def first_seen(tx: Transaction, keys: Sequence[tuple[date, UUID, int]]) -> set[tuple[date, UUID]]:
    """Note events as seen; returns those that nobody had noted before. `keys` are (day, event, digest), sorted."""
    rows = await tx.driver.fetch(
        "INSERT INTO seen (day, event, digest) SELECT * FROM unnest($1::date[], $2::uuid[], $3::bigint[]) "
        "ON CONFLICT DO NOTHING RETURNING day, event",
        *map(list, zip(*keys, strict=True)),
    )
    return {(row[0], row[1]) for row in rows}


async def digests(tx: Transaction, keys: Sequence[tuple[date, UUID]]) -> dict[tuple[date, UUID], int]:
    """The digests under which events were seen first."""
    rows = await tx.driver.fetch(
        "SELECT s.day, s.event, s.digest FROM unnest($1::date[], $2::uuid[]) k(day, event) JOIN seen s USING (day, event)",
        *map(list, zip(*keys, strict=True)),
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def lookup(tx: Transaction, texts: Sequence[str]) -> dict[str, Customer]:
    """Whom these identifiers lead to."""
    rows = await tx.driver.fetch(
        "SELECT i.identifier, i.customer, c.provisional FROM unnest($1::text[]) t(identifier) "
        "JOIN identifiers i USING (identifier) JOIN customers c ON c.key = i.customer",
        list(texts),
    )
    return {row[0]: Customer(row[1], row[2]) for row in rows}


async def provisional(tx: Transaction, keys: Iterable[UUID]) -> set[UUID]:
    """Which of these customers are known by things only, and have not joined a person."""
    rows = await tx.driver.fetch("SELECT key FROM customers WHERE key = ANY($1::uuid[]) AND provisional AND joined IS NULL", list(keys))
    return {row[0] for row in rows}


async def attach(tx: Transaction, new: Sequence[tuple[Identifier, UUID]]) -> int:
    """Attach identifiers met for the first time, in sorted order; returns how many nobody had attached meanwhile."""
    ordered = sorted(new, key=lambda each: each[0].text)
    rows = await tx.driver.fetch(
        "INSERT INTO identifiers (identifier, customer, person) SELECT * FROM unnest($1::text[], $2::uuid[], $3::bool[]) "
        "ON CONFLICT DO NOTHING RETURNING identifier",
        [each.text for each, _ in ordered],
        [customer for _, customer in ordered],
        [each.person for each, _ in ordered],
    )
    return len(rows)


async def save_customers(tx: Transaction, found: Sequence[tuple[UUID, bool, datetime]]) -> None:
    """Add customers met for the first time, as (key, provisional, since); one who is a person stays one."""
    await tx.driver.execute(
        "INSERT INTO customers (key, provisional, since) SELECT * FROM unnest($1::uuid[], $2::bool[], $3::timestamptz[]) "
        "ON CONFLICT (key) DO UPDATE SET provisional = false WHERE customers.provisional AND NOT excluded.provisional",
        *map(list, zip(*sorted(found), strict=True)),
    )


async def stored_events(tx: Transaction, keys: Iterable[UUID], *, copied: bool = False) -> list[tuple[UUID, UUID, datetime, bytes]]:
    """The events journalled under these keys as their own, or as copies, as (key, event, time, body), oldest arrival first."""
    rows = await tx.driver.fetch(
        "SELECT customer, event, time, body FROM journal WHERE customer = ANY($1::uuid[]) AND copied = $2 AND body IS NOT NULL "
        "ORDER BY arrival, lane, ordinal",
        list(keys),
        copied,
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def save_conflicts(tx: Transaction, rows: Sequence[tuple[UUID, UUID, UUID, datetime]]) -> None:
    """Put before a person that one event names several persons: (event, whom it went to, the other, arrival)."""
    if rows:
        await tx.driver.execute(
            "INSERT INTO conflicts (event, customer, other, arrival) "
            "SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[]) ON CONFLICT DO NOTHING",
            *map(list, zip(*rows, strict=True)),
        )


async def read_attributes(tx: Transaction, keys: Iterable[UUID]) -> list[tuple[UUID, str, bytes | None, datetime, UUID]]:
    """What was described of these customers: (customer, attribute, JSON of its value, when, by which event)."""
    rows = await tx.driver.fetch("SELECT customer, name, value, time, event FROM attributes WHERE customer = ANY($1::uuid[])", list(keys))
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


async def save_attributes(tx: Transaction, rows: Sequence[tuple[UUID, str, bytes | None, datetime, UUID]]) -> None:
    """Save last words on attributes, as read; one that another lane has learnt meanwhile, and is later, stays."""
    await tx.driver.execute(
        "INSERT INTO attributes (customer, name, value, time, event) "
        "SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::timestamptz[], $5::uuid[]) "
        "ON CONFLICT (customer, name) DO UPDATE SET value = excluded.value, time = excluded.time, event = excluded.event "
        "WHERE (attributes.time, attributes.event) < (excluded.time, excluded.event)",
        *map(list, zip(*sorted(rows, key=lambda row: row[:2]), strict=True)),
    )


async def append(tx: Transaction, rows: Sequence[JournalRow], refused: Sequence[QuarantineRow]) -> None:
    """Append to the journal and the quarantine."""
    await tx.copy("journal", JournalRow._fields, rows)
    await tx.copy("quarantine", QuarantineRow._fields, refused)


async def unpublished(driver: Driver, lane: str, after: int, limit: int) -> tuple[list[JournalRow], list[QuarantineRow]]:
    """A lane's committed effects after an ordinal."""
    page = "WHERE lane = $1 AND ordinal > $2 ORDER BY ordinal LIMIT $3"
    rows = await driver.fetch(f"SELECT {', '.join(JournalRow._fields)} FROM journal {page}", lane, after, limit)
    refused = await driver.fetch(f"SELECT {', '.join(QuarantineRow._fields)} FROM quarantine {page}", lane, after, limit)
    return [JournalRow(*row) for row in rows], [QuarantineRow(*row) for row in refused]


async def standing_of_lanes(tx: Transaction, topics: Sequence[str], lanes: int, own: Progress) -> tuple[datetime, dict[str, datetime]]:
    """The arrival up to which every raw lane was read, and when each declared source was heard last; `own` as it will be saved."""
    rows = await tx.driver.fetch("SELECT topic, partition, arrival, state FROM progress WHERE topic = ANY($1::text[])", list(topics))
    others = [(row[2], orjson.loads(row[3])) for row in rows if (row[0], row[1]) != (own.topic, own.partition)]
    found = [(own.arrival, own.state), *others]
    arrivals = [arrival for arrival, _ in found if arrival is not None]
    last: dict[str, datetime] = {}
    for _, state in found:
        for source, text in state.get("sources", {}).items():
            last[source] = max(last.get(source, NOT_YET), datetime.fromisoformat(text))
    return (min(arrivals) if len(arrivals) >= lanes else NOT_YET), last
