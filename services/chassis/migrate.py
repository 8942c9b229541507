"""Running a service's Alembic migrations in its own schema."""

import asyncio

import sqlalchemy as sa
from alembic import context
from sqlalchemy import Connection

from services.chassis.database import create_engine
from services.chassis.settings import Settings


def run_migrations(service: str, metadata: sa.MetaData) -> None:
    """What every `migrations/env.py` calls; the settings come from whoever started Alembic, or the environment."""
    settings = context.config.attributes.get("settings") or Settings()  # type: ignore[call-arg]  # from the environment
    asyncio.run(_run(service, metadata, settings))


async def _run(service: str, metadata: sa.MetaData, settings: Settings) -> None:
    engine = create_engine(settings, service, pool_size=1)
    async with engine.begin() as connection:
        schemas = await connection.execute(sa.text("SELECT to_regnamespace(:name)"), {"name": service})
        if schemas.scalar_one() is None:
            await connection.execute(sa.schema.CreateSchema(service))
        await connection.run_sync(_migrate, metadata)
    await engine.dispose()


def _migrate(connection: Connection, metadata: sa.MetaData) -> None:
    # The search path is the service's schema, so nothing here names it.
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()
