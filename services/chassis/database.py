"""Postgres: one engine a process, one transaction a batch, values in and values out.

SQLAlchemy opens what people ask for; a batch is opened by the asyncpg connection beneath it, at half the cost (`driven`),
and works with that (COPY, unnest). Where SQLAlchemy opens, the driver is inside the transaction only once a statement has run.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import Executable, Row, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from contracts.metrics import SNAPSHOT, Reading
from services.chassis.settings import Settings

if TYPE_CHECKING:
    Driver = asyncpg.Connection[asyncpg.Record]
else:
    Driver = asyncpg.Connection


@dataclass(frozen=True, slots=True)
class Transaction:
    """One open transaction: `connection` for SQLAlchemy Core, `driver` for COPY and unnest."""

    connection: AsyncConnection
    driver: Driver
    opening: Sequence[Row[Any]]
    """What the transaction's first statement returned."""

    async def copy(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Append rows to a table of this service's schema by COPY."""
        if rows:
            await self.driver.copy_records_to_table(table, records=rows, columns=list(columns))


# A batch looks up rows by their keys. A plan made while a table was small would scan it whole, and go on doing so.
BY_KEY = {"random_page_cost": "1.1", "enable_hashjoin": "off", "enable_mergejoin": "off"}


def create_engine(settings: Settings, service: str, *, pool_size: int = 8, batches: bool = False) -> AsyncEngine:
    """The engine of one process; its sessions look into the service's own schema and never wait for ever."""
    url = make_url(settings.database).set(drivername="postgresql+asyncpg")
    server = {
        "application_name": f"makegood-{service}",
        "search_path": service,
        "timezone": "UTC",
        "jit": "off",
        "lock_timeout": str(int(settings.takeover_after * 1000)),
        "statement_timeout": "30000",
        "idle_in_transaction_session_timeout": "5000",
    } | (BY_KEY if batches else {})
    arguments = {"server_settings": server, "timeout": 5, "command_timeout": 60}
    engine = create_async_engine(url, pool_size=pool_size, max_overflow=0, pool_timeout=10, connect_args=arguments)
    event.listen(engine.sync_engine, "checkout", _refuse_cut)
    return engine


def _refuse_cut(connection: Any, *_: Any) -> None:
    """What was cut while it waited in the pool is not handed out: each would cost a try, and what cut one may have cut the others."""
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


@asynccontextmanager
async def transaction(engine: AsyncEngine, first: Executable, values: Mapping[str, Any]) -> AsyncIterator[Transaction]:
    """One transaction that opens with the given statement and commits when the block ends well."""
    async with engine.begin() as connection:
        result = await connection.execute(first, values)
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        if driver is None or not driver.is_in_transaction():
            message = "the driver's connection is not inside the transaction; SQLAlchemy changed how it begins one"
            raise RuntimeError(message)
        yield Transaction(connection, driver, result.all())


@asynccontextmanager
async def driven(engine: AsyncEngine, first: str, *values: Any) -> AsyncIterator[tuple[Transaction, asyncpg.Record | None]]:
    """The same by the driver alone, thousands of times a minute; yields also the row that the first statement returned.

    What SQLAlchemy runs on the connection is in the transaction, too: it is told not to begin any of its own.
    """
    async with reading(engine) as connection:
        driver = await driver_of(connection)
        begun = driver.transaction()
        await begun.start()
        try:
            yield Transaction(connection, driver, ()), await driver.fetchrow(first, *values)
            await begun.commit()
        except BaseException:
            # What was cut off in the middle of something cannot even roll back: its connection is thrown away.
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                await begun.rollback()
            raise


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection for statements that need no transaction around them: each is one way there and back, and no more."""
    async with engine.connect() as connection:
        driver = await driver_of(connection)
        try:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")
        finally:
            if driver.is_closed() or driver.is_in_transaction():  # SQLAlchemy does not know what became of it
                await connection.invalidate()


_OLDEST_SNAPSHOT = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 FROM pg_stat_activity
WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()
"""


async def oldest_snapshot(engine: AsyncEngine) -> Sequence[Reading]:
    """Seconds since the oldest transaction of the service's role began; 0 where none is open."""
    async with reading(engine) as connection:
        return [Reading(SNAPSHOT, await (await driver_of(connection)).fetchval(_OLDEST_SNAPSHOT))]


async def answers(engine: AsyncEngine) -> str | None:
    """What is missing for the database to be used, None where nothing is."""
    async with reading(engine) as connection:
        found = await (await driver_of(connection)).fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()")
    return None if found else "its schema is not migrated yet"


async def driver_of(connection: AsyncConnection) -> Driver:
    """The driver beneath a connection that is only read from."""
    driver: Driver | None = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    return driver
