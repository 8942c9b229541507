"""What an export reads of a customer: what was owed to them, what was agreed with them, and what was said about excusing it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.promises.correlations import strands_of
from services.promises.store.tables import commitments as commitments_table
from services.promises.store.tables import evidence as evidence_table
from services.promises.store.tables import excuse_acts, promises
from services.promises.store.tables import terms as terms_table

Records = AsyncIterator[dict[str, Any]]


def _theirs(table: sa.Table, customer: UUID) -> sa.ColumnElement[bool]:
    return table.c.strand.between(*strands_of(customer))


async def _rows(engine: AsyncEngine, query: sa.Select[Any]) -> Sequence[Mapping[Any, Any]]:
    """All rows at once: whoever reads the export may go away between two of its lines, and no connection is to wait for them."""
    async with engine.connect() as connection:
        found: Sequence[Mapping[Any, Any]] = (await connection.execute(query)).mappings().all()
        return found


async def is_known(engine: AsyncEngine, customer: UUID) -> bool:
    """Whether anything was ever owed to this customer, or agreed with them."""
    known = sa.select(sa.exists().where(_theirs(evidence_table, customer)) | sa.exists().where(terms_table.c.customer == customer))
    async with engine.connect() as connection:
        return bool(await connection.scalar(known))


async def commitments(engine: AsyncEngine, customer: UUID) -> Records:
    """What was owed to them, and how it is judged."""
    table = commitments_table
    columns = [table.c[name] for name in ("id", "trigger_id", "trigger_type", "trigger_time", "state", "reason", "due", "segment")]
    query = sa.select(promises.c.name, promises.c.version, table.c.correlation, *columns).join(promises, promises.c.id == table.c.promise)
    query = query.where(_theirs(table, customer), table.c.customer == customer).order_by(table.c.trigger_time, table.c.id)
    for row in await _rows(engine, query):
        yield {**row, "correlation": orjson.loads(row["correlation"])}


async def evidence(engine: AsyncEngine, customer: UUID) -> Records:
    """The events that bear on it, by what their source calls them."""
    table = evidence_table
    query = sa.select(table.c.id, table.c.type, table.c.time, table.c.arrival).where(_theirs(table, customer))
    for row in await _rows(engine, query.order_by(table.c.time, table.c.event)):
        yield dict(row)


async def terms(engine: AsyncEngine, customer: UUID) -> Records:
    """What was agreed with them."""
    table = terms_table
    columns = [table.c[name] for name in ("promise", "within", "valid_from", "valid_until", "published_at")]
    for row in await _rows(engine, sa.select(*columns).where(table.c.customer == customer).order_by(table.c.id)):
        yield dict(row)


async def excuses(engine: AsyncEngine, customer: UUID) -> Records:
    """What was said about excusing what was broken."""
    theirs = sa.select(commitments_table.c.id).where(_theirs(commitments_table, customer), commitments_table.c.customer == customer)
    table = excuse_acts
    query = sa.select(table.c.commitment, table.c.kind, table.c.at, table.c.content).where(table.c.commitment.in_(theirs))
    for row in await _rows(engine, query.order_by(table.c.commitment, table.c.number)):
        yield {**row, "content": orjson.loads(row["content"])}
