"""The migrations make the schema that the store expects, and no other."""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.promises.store import UPDATES
from services.promises.store.tables import metadata


def _differences(connection: Connection) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True}
    found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    return [each for each in found if not (each[0] == "remove_table" and each[1].name == "alembic_version")]


async def test_the_migrated_schema_is_the_one_that_the_tables_declare(engine: AsyncEngine) -> None:
    """Breaks when a table is changed and its migration is forgotten, or the other way round."""
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_what_changes_together_of_a_commitment_has_a_type_of_its_columns(engine: AsyncEngine) -> None:
    """Breaks when a column is judged and its place in the type that carries updates is forgotten, or another's."""
    query = (
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), format_type(c.atttypid, c.atttypmod) FROM pg_attribute a "
        "JOIN pg_attribute c ON c.attname = a.attname AND c.attrelid = 'commitments'::regclass "
        "WHERE a.attrelid = CAST(:kind AS regclass) ORDER BY a.attnum"
    )
    for kind, columns in UPDATES.items():
        async with engine.connect() as connection:
            found = (await connection.execute(text(query), {"kind": kind})).all()
        assert [name for name, _, _ in found] == ["id", *columns]
        assert all(mine == theirs for _, mine, theirs in found)
