"""The only SQL of the workbench."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine


async def answers(engine: AsyncEngine) -> str | None:
    """What is missing for the database to be used, None where nothing is."""
    async with engine.connect() as connection:
        found = await connection.scalar(sa.text("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"))
        return None if found else "its schema is not migrated yet"
