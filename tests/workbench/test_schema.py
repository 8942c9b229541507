"""The migrations make the schema that the store expects, and no other."""

from collections.abc import Awaitable, Callable
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from services.chassis.database import create_engine
from services.chassis.settings import Settings
from services.workbench.store.tables import metadata


def _differences(connection: Connection) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True}
    found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    return [each for each in found if not (each[0] == "remove_table" and each[1].name == "alembic_version")]


async def test_the_migrated_schema_is_the_one_that_the_tables_declare(database: Callable[[str], Awaitable[str]]) -> None:
    """Breaks when a table is changed and its migration is forgotten, or the other way round."""
    engine = create_engine(Settings(kafka="", database=await database("workbench")), "workbench")
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []
    await engine.dispose()
