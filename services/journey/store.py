"""All SQL of the journey service: values in, values out."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Driver, Transaction
from services.chassis.progress import progress_table
from services.chassis.topics import topology_table
from services.journey.domain import Customer, EventType, Identifier

metadata = sa.MetaData()
UTC_TIME = sa.DateTime(timezone=True)

progress = progress_table(metadata)
journal = sa.Table(
    "journal",
    metadata,
    sa.Column("lane", sa.Text, primary_key=True),
    sa.Column("ordinal", sa.BigInteger, primary_key=True, comment="counts a lane's effects"),
    sa.Column("partition", sa.SmallInteger, nullable=False, comment="of makegood.journey"),
    sa.Column("incarnation", sa.Integer, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False, comment="counts per lane and partition"),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("event", sa.Uuid, nullable=False),
    sa.Column("time", UTC_TIME, nullable=False),
    sa.Column("arrival", UTC_TIME, nullable=False),
    sa.Column("copied", sa.Boolean, nullable=False, comment="evidence for another key of the same person"),
    sa.Column("body", BYTEA, comment="the record as published; the only place of personal payload, NULL once erased"),
    sa.Index("journal_of_customer", "customer", "time"),
)
seen = sa.Table(
    "seen",
    metadata,
    sa.Column("day", sa.Date, primary_key=True, comment="UTC day of event time"),
    sa.Column("event", sa.Uuid, primary_key=True),
    sa.Column("digest", sa.BigInteger, nullable=False),
)
quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("lane", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, comment="offset of the raw record"),
    sa.Column("ordinal", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("source", sa.Text),
    sa.Column("arrival", UTC_TIME, nullable=False),
    sa.Column("key", BYTEA),
    sa.Column("value", BYTEA, comment="the original bytes"),
    sa.Column("headers", BYTEA, nullable=False, comment="JSON list of [name, hexadecimal value]"),
    sa.Index("quarantine_of_lane", "lane", "ordinal"),
    sa.Index("quarantine_by_arrival", "arrival"),
)
customers = sa.Table(
    "customers",
    metadata,
    sa.Column("key", sa.Uuid, primary_key=True),
    sa.Column("provisional", sa.Boolean, nullable=False),
    sa.Column("joined", sa.Uuid, comment="the person this provisional customer turned out to be"),
    sa.Column("since", UTC_TIME, nullable=False),
    sa.Index("customers_joined", "joined", postgresql_where=sa.text("joined IS NOT NULL")),
)
identifiers = sa.Table(
    "identifiers",
    metadata,
    sa.Column("identifier", sa.Text, primary_key=True),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("person", sa.Boolean, nullable=False),
    sa.Index("identifiers_of_customer", "customer"),
)
conflicts = sa.Table(
    "conflicts",
    metadata,
    sa.Column("event", sa.Uuid, primary_key=True),
    sa.Column("customer", sa.Uuid, primary_key=True, comment="whom the event went to"),
    sa.Column("other", sa.Uuid, primary_key=True, comment="another person that the event names"),
    sa.Column("arrival", UTC_TIME, nullable=False),
)
identity_epoch = sa.Table(
    "identity_epoch",
    metadata,
    sa.Column("only", sa.Boolean, primary_key=True, server_default="true"),
    sa.Column("epoch", sa.BigInteger, nullable=False, comment="moves whenever an identifier changes its customer"),
)
event_types = sa.Table(
    "event_types",
    metadata,
    sa.Column("type", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("document", BYTEA, nullable=False, comment="JSON of the EventType document"),
)
facts = sa.Table(
    "facts",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.SmallInteger, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True),
    sa.Column("incarnation", sa.Integer, primary_key=True),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("time", UTC_TIME, nullable=False),
    sa.Column("body", BYTEA, nullable=False),
    sa.Index("facts_of_customer", "customer", "time"),
)
topology = topology_table(metadata)

IDENTITY_LOCK = 0x6D616B65
"""Advisory lock: batches hold it shared, whatever changes an identifier's customer holds it exclusively."""


class JournalRow(NamedTuple):
    """One journal row, in the order of COPY."""

    lane: str
    ordinal: int
    partition: int
    incarnation: int
    seq: int
    customer: UUID
    event: UUID
    time: datetime
    arrival: datetime
    copied: bool
    body: bytes


class QuarantineRow(NamedTuple):
    """One refused record, in the order of COPY; `value` is its original bytes."""

    lane: str
    position: int
    ordinal: int
    reason: str
    detail: str
    place: str
    source: str | None
    arrival: datetime
    key: bytes | None
    value: bytes | None
    headers: bytes


class FactRow(NamedTuple):
    """One fact of promises or recovery, in the order of COPY."""

    topic: str
    partition: int
    seq: int
    incarnation: int
    customer: UUID
    time: datetime
    body: bytes


async def lock_identity(tx: Transaction, *, exclusive: bool) -> int:
    """Hold the identity lock until the transaction ends; returns the epoch of what identifiers mean."""
    function = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
    await tx.driver.execute(f"SELECT {function}($1)", IDENTITY_LOCK)
    epoch: int = await tx.driver.fetchval("SELECT epoch FROM identity_epoch")
    return epoch


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


async def join(tx: Transaction, provisional: UUID, person: UUID) -> None:
    """Let a provisional customer's identifiers lead to the person from now on."""
    await tx.driver.execute("UPDATE identifiers SET customer = $2 WHERE customer = $1", provisional, person)
    await tx.driver.execute("UPDATE customers SET joined = $2 WHERE key = $1 OR joined = $1", provisional, person)
    await tx.driver.execute("UPDATE identity_epoch SET epoch = epoch + 1")


async def joined_to(tx: Transaction, keys: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """The other keys of the persons that these are keys of: of a person, of those who joined them, of each other."""
    rows = await tx.driver.fetch(
        "SELECT joined, key FROM customers WHERE joined = ANY($1::uuid[]) UNION ALL "
        "SELECT key, joined FROM customers WHERE key = ANY($1::uuid[]) AND joined IS NOT NULL UNION ALL "
        "SELECT c.key, o.key FROM customers c JOIN customers o ON o.joined = c.joined AND o.key <> c.key WHERE c.key = ANY($1::uuid[]) "
        "ORDER BY 1, 2",
        list(keys),
    )
    found: dict[UUID, list[UUID]] = {}
    for key, other in rows:
        found.setdefault(key, []).append(other)
    return found


async def stored_events(tx: Transaction, keys: Iterable[UUID]) -> list[tuple[UUID, UUID, datetime, bytes]]:
    """The events journalled under these keys as their own, as (customer, event, time, body), oldest arrival first."""
    rows = await tx.driver.fetch(
        "SELECT customer, event, time, body FROM journal WHERE customer = ANY($1::uuid[]) AND NOT copied AND body IS NOT NULL "
        "ORDER BY arrival, lane, ordinal",
        list(keys),
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


async def append_facts(tx: Transaction, rows: Sequence[FactRow]) -> None:
    """Append facts of promises and recovery to what timelines show."""
    await tx.copy("facts", FactRow._fields, rows)


async def read_event_types(tx: Transaction) -> list[EventType]:
    """The event types in force: the latest version of each."""
    rows = await tx.driver.fetch("SELECT DISTINCT ON (type) document FROM event_types ORDER BY type, version DESC")
    return [_event_type(orjson.loads(row[0])) for row in rows]


def _event_type(document: dict[str, Any]) -> EventType:
    spec = document["spec"]
    found = tuple(
        (name, tuple(each["path"].split(".")), each.get("of", "person") == "person") for name, each in spec.get("identifiers", {}).items()
    )
    return EventType(spec["type"], found)


class Entry(NamedTuple):
    """One entry of a timeline; `at` is (time, kind, text of its key) and orders it."""

    time: datetime
    kind: int
    key: str
    arrival: datetime | None
    body: bytes | None


async def read_timeline(engine: AsyncEngine, customer: UUID, after: tuple[datetime, int, str] | None, limit: int) -> list[Entry]:
    """A customer's touchpoints (kind 0) and the facts about them (kind 1), in order of their time."""
    touchpoints = sa.select(
        journal.c.time, sa.literal(0).label("kind"), sa.cast(journal.c.event, sa.Text).label("key"), journal.c.arrival, journal.c.body
    ).where(journal.c.customer == customer, sa.not_(journal.c.copied))
    key = sa.func.concat(facts.c.topic, "/", facts.c.partition, "/", sa.func.lpad(sa.cast(facts.c.seq, sa.Text), 19, "0"))
    told = sa.select(facts.c.time, sa.literal(1), key, sa.null(), facts.c.body).where(facts.c.customer == customer)
    if after is not None:
        touchpoints = touchpoints.where(journal.c.time >= after[0])
        told = told.where(facts.c.time >= after[0])
    both = sa.union_all(touchpoints, told).subquery()
    query = sa.select(both).order_by(both.c.time, both.c.kind, both.c.key).limit(limit)
    if after is not None:
        query = query.where(sa.tuple_(both.c.time, both.c.kind, both.c.key) > sa.tuple_(*map(sa.literal, after)))
    async with engine.connect() as connection:
        return [Entry(*row) for row in await connection.execute(query)]


async def find_customer(engine: AsyncEngine, identifier: str) -> tuple[UUID, bool] | None:
    """Whom an identifier leads to: (customer, provisional)."""
    query = (
        sa.select(customers.c.key, customers.c.provisional)
        .join(identifiers, identifiers.c.customer == customers.c.key)
        .where(identifiers.c.identifier == identifier)
    )
    async with engine.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row.key, row.provisional)


async def read_quarantine(engine: AsyncEngine, after: tuple[str, int] | None, limit: int) -> list[sa.Row[Any]]:
    """Refused records in order of lane and offset, without what was sent."""
    shown = [each for each in quarantine.c if each.name not in {"key", "value", "headers", "ordinal"}]
    query = sa.select(*shown).order_by(quarantine.c.lane, quarantine.c.position).limit(limit)
    if after is not None:
        query = query.where(sa.tuple_(quarantine.c.lane, quarantine.c.position) > sa.tuple_(*map(sa.literal, after)))
    async with engine.connect() as connection:
        return list(await connection.execute(query))


async def latest_arrival(engine: AsyncEngine) -> datetime | None:
    """How far the raw lanes have come: on the replay clock, its present time."""
    query = sa.select(sa.func.max(progress.c.arrival)).where(progress.c.topic.in_(("makegood.touchpoints", "makegood.acts")))
    async with engine.connect() as connection:
        found: datetime | None = (await connection.execute(query)).scalar_one()
    return found


async def published_event_types(engine: AsyncEngine) -> list[EventType]:
    """The event types in force, outside a batch."""
    query = sa.select(event_types).order_by(event_types.c.type, event_types.c.version)
    async with engine.connect() as connection:
        latest = {row.type: row.document for row in await connection.execute(query)}
    return [_event_type(orjson.loads(document)) for document in latest.values()]


async def publish_event_type(engine: AsyncEngine, type_: str, document: bytes) -> int:
    """Publish a version of an event type; the same document again changes nothing. Returns the version."""
    async with engine.begin() as connection:
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext(:type))"), {"type": type_})
        latest = (
            await connection.execute(
                sa.select(event_types.c.version, event_types.c.document)
                .where(event_types.c.type == type_)
                .order_by(event_types.c.version.desc())
                .limit(1)
            )
        ).one_or_none()
        if latest is not None and latest.document == document:
            return int(latest.version)
        version = 1 if latest is None else latest.version + 1
        await connection.execute(event_types.insert().values(type=type_, version=version, document=document))
        await connection.execute(sa.text("UPDATE identity_epoch SET epoch = epoch + 1"))
        return int(version)
