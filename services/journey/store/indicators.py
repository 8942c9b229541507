"""What indicators are made of: the latest word on each commitment and contact, prices, and the counts by quarters of an hour."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.database import Driver, Transaction
from services.journey.indicators.counting import Delta, Price, Said
from services.journey.indicators.encounters import Contact, Place
from services.journey.indicators.series import Count
from services.journey.store.projections import CLAIM_NOW
from services.journey.store.tables import indicator_counts, indicator_groups, projections

PROJECTION = "indicators"
EVER = -1
"""In the place of a quarter: all of them together."""
_SAID = (
    "SELECT c.commitment, c.customer, c.verdict, c.warned, c.at, g.named, c.quarter, c.state, c.priced "
    "FROM indicator_commitments c JOIN indicator_groups g ON g.id = c.grp WHERE"
)
_CONTACT = ", ".join(Contact._fields)


async def said(driver: Driver, commitments: Collection[UUID], priced: Collection[tuple[UUID, UUID]]) -> dict[UUID, Said]:
    """The latest word on these commitments, and on those of these (customer, key of a price)."""
    rows = await driver.fetch(f"{_SAID} c.commitment = ANY($1)", list(commitments)) if commitments else []
    if priced:
        named = map(list, zip(*priced, strict=True))
        rows += await driver.fetch(f"{_SAID} (c.customer, c.priced) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))", *named)
    return {row[0]: Said(*row) for row in rows}


async def said_of_customers(driver: Driver, customers: Collection[UUID]) -> dict[UUID, Said]:
    """The latest word on each commitment of these."""
    return {row[0]: Said(*row) for row in await driver.fetch(f"{_SAID} c.customer = ANY($1::uuid[])", list(customers))}


async def contacts_of_customers(driver: Driver, customers: Collection[UUID]) -> dict[Place, Contact]:
    """All contacts of these, with all that they count with."""
    members = "SELECT under, contact FROM indicator_contacts WHERE customer = ANY($1::uuid[])"
    rows = await driver.fetch(f"SELECT {_CONTACT} FROM indicator_contacts WHERE (under, contact) IN ({members})", list(customers))
    return {(row[0], row[1]): Contact(*row) for row in rows}


async def prices(driver: Driver, keys: Collection[UUID]) -> dict[UUID, Price]:
    """What was told under these keys."""
    rows = await driver.fetch("SELECT key, time, event, cost FROM indicator_prices WHERE key = ANY($1)", list(keys)) if keys else []
    return {row[0]: Price(*row) for row in rows}


_CONTACTS = f"""
WITH who AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::uuid[]) w(customer, person)),
     moved AS (SELECT w.person, c.customer, c.contact, c.under FROM who w JOIN indicator_contacts c USING (customer)
               WHERE w.customer = ANY($5::uuid[])),
     near AS (SELECT w.person, h.contact FROM unnest($3::uuid[], $4::uuid[]) h(customer, contact) JOIN who w USING (customer)
              UNION SELECT w.person, c.contact FROM who w JOIN indicator_contacts c USING (customer) WHERE c.first
              UNION SELECT w.person, f.contact FROM who w CROSS JOIN LATERAL (
                SELECT contact FROM indicator_contacts c WHERE c.customer = w.customer AND begun IS NOT NULL ORDER BY begun, contact LIMIT 1
              ) f
              UNION SELECT person, contact FROM moved WHERE under <> customer
              UNION SELECT person, contact FROM moved GROUP BY person, contact HAVING count(*) > 1),
     members AS (SELECT c.* FROM near JOIN who USING (person)
                 JOIN indicator_contacts c ON c.customer = who.customer AND c.contact = near.contact)
SELECT {_CONTACT} FROM members
UNION SELECT {_CONTACT} FROM indicator_contacts WHERE (under, contact) IN (SELECT under, contact FROM members)
"""


async def contacts(
    driver: Driver, places: Collection[Place], persons: Mapping[UUID, UUID], moved: Collection[UUID]
) -> dict[Place, Contact]:
    """These contacts, and of each of these keys the one that began first and the one that is counted as first.

    `persons` says whose keys these are; of those in `moved`, who may be another's since, also what several keys of one person have or
    count together. Each comes with all that it counts with, and that it will count with.
    """
    customers, named = map(list, zip(*places, strict=True)) if places else ([], [])
    rows = await driver.fetch(_CONTACTS, list(persons), list(persons.values()), customers, named, list(moved))
    return {(row[0], row[1]): Contact(*row) for row in rows}


async def save(tx: Transaction, said: Iterable[Said], prices: Iterable[Price], contacts: Iterable[Contact], delta: Delta) -> None:
    """Keep the latest words, and move the counts."""
    moved = Counter(delta)
    for key, number in delta.items():
        moved[key._replace(quarter=EVER)] += number
    changed = sorted((key, number) for key, number in moved.items() if number)
    words = sorted(said)
    groups = await _groups(tx.driver, {key[:2] for key, _ in changed} | {("commitment", each.group) for each in words})
    columns = dict.fromkeys(("commitment", "customer"), "uuid") | {"verdict": "int", "warned": "bool", "at": "timestamptz"}
    columns |= {"grp": "int", "quarter": "int", "state": "text", "priced": "uuid"}
    placed = [(*each[:5], groups["commitment", each.group], *each[6:]) for each in words]
    await _upsert(tx, "indicator_commitments", columns, 1, placed)
    await _upsert(tx, "indicator_prices", {"key": "uuid", "time": "timestamptz", "event": "uuid", "cost": "float8"}, 1, sorted(prices))
    times = dict.fromkeys(("begun", "greeted", "attended", "ended"), "timestamptz") | {"first": "bool", "under": "uuid"}
    rows = sorted(contacts, key=lambda each: each[:2])
    await _upsert(tx, "indicator_contacts", {"customer": "uuid", "contact": "uuid", "channel": "text", **times}, 2, rows)
    if changed:
        await tx.driver.execute(
            "INSERT INTO indicator_counts (grp, quarter, what, number) "
            "SELECT * FROM unnest($1::int[], $2::int[], $3::text[], $4::bigint[]) "
            "ON CONFLICT (grp, quarter, what) DO UPDATE SET number = indicator_counts.number + excluded.number",
            *map(list, zip(*((groups[key[:2]], key.quarter, key.what, number) for key, number in changed), strict=True)),
        )


async def _upsert(tx: Transaction, table: str, columns: Mapping[str, str], keys: int, rows: Sequence[Sequence[Any]]) -> None:
    """Put rows in the place of those with the same first columns."""
    if not rows:
        return
    names = list(columns)
    given = ", ".join(f"${place}::{type_}[]" for place, type_ in enumerate(columns.values(), 1))
    news = ", ".join(f'"{name}" = excluded."{name}"' for name in names[keys:])
    listed = ", ".join(f'"{name}"' for name in names)
    await tx.driver.execute(
        f"INSERT INTO {table} ({listed}) SELECT * FROM unnest({given}) ON CONFLICT ({', '.join(names[:keys])}) DO UPDATE SET {news}",
        *map(list, zip(*rows, strict=True)),
    )


async def _groups(driver: Driver, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The numbers of these groups; those that are new get one."""
    if not wanted:
        return {}
    columns = list(map(list, zip(*sorted(wanted), strict=True)))
    await driver.execute(
        "INSERT INTO indicator_groups (kind, named) SELECT w.* FROM unnest($1::text[], $2::text[]) w(kind, named) "
        "WHERE NOT EXISTS (SELECT FROM indicator_groups g WHERE g.kind = w.kind AND g.named = w.named)",
        *columns,
    )
    rows = await driver.fetch(
        "SELECT g.kind, g.named, g.id FROM indicator_groups g JOIN unnest($1::text[], $2::text[]) w(kind, named) USING (kind, named)",
        *columns,
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def counts(connection: AsyncConnection, kind: str, bounds: Sequence[int]) -> list[Count]:
    """The counts between the first and the last of these quarters; bucket n is from the nth to before the next."""
    table = indicator_counts
    bucket = sa.func.width_bucket(table.c.quarter, sa.bindparam("bounds", list(bounds), ARRAY(sa.Integer)))
    within = sa.and_(table.c.quarter >= bounds[0], table.c.quarter < bounds[-1])
    return await _counted(connection, kind, bucket - 1, within)


async def ever(connection: AsyncConnection, kind: str) -> list[Count]:
    """The counts of all time, in bucket 0."""
    return await _counted(connection, kind, sa.literal(0), indicator_counts.c.quarter == EVER)


async def _counted(connection: AsyncConnection, kind: str, bucket: Any, where: sa.ColumnElement[bool]) -> list[Count]:
    table, total = indicator_counts, sa.func.sum(indicator_counts.c.number)
    query = sa.select(indicator_groups.c.named, bucket.label("bucket"), table.c.what, total)
    query = query.join(table, table.c.grp == indicator_groups.c.id).where(indicator_groups.c.kind == kind, where)
    rows = await connection.execute(query.group_by(indicator_groups.c.named, sa.text("bucket"), table.c.what).having(total != 0))
    return [Count(orjson.loads(named), int(place), what, int(number)) for named, place, what, number in rows]


async def begun(connection: AsyncConnection) -> bool:
    """Whether anything was read yet for indicators."""
    query = sa.select(projections.c.pointers).where(projections.c.name == PROJECTION)
    found = (await connection.execute(query)).scalar_one_or_none()
    return found not in {None, b"{}"}


async def hold(tx: Transaction) -> None:
    """Come between two steps of the projection, until the transaction ends."""
    await tx.connection.execute(CLAIM_NOW, {"name": PROJECTION})


async def sweep(tx: Transaction) -> None:
    """Remove groups in which nothing is counted any more, and with them their names."""
    await tx.driver.execute(
        "WITH gone AS (DELETE FROM indicator_groups g WHERE NOT EXISTS (SELECT FROM indicator_counts c WHERE c.grp = g.id AND number <> 0) "
        "RETURNING id) DELETE FROM indicator_counts WHERE grp IN (SELECT id FROM gone)"
    )
