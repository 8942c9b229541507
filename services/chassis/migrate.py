"""Running a service's Alembic migrations in its own schema."""

import asyncio

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql

from services.chassis.database import create_engine
from services.chassis.rights import Rights, grant
from services.chassis.settings import Settings


def run_migrations(service: str, metadata: sa.MetaData, rights: Rights) -> None:
    """What every `migrations/env.py` calls, as the schema's owner; the settings come from whoever started Alembic, or the environment."""
    settings = context.config.attributes.get("settings") or Settings()  # type: ignore[call-arg]  # from the environment
    asyncio.run(_run(service, metadata, rights, settings))


async def _run(service: str, metadata: sa.MetaData, rights: Rights, settings: Settings) -> None:
    engine = create_engine(settings, service, pool_size=1)
    async with engine.begin() as connection:
        schemas = await connection.execute(sa.text("SELECT to_regnamespace(:name)"), {"name": service})
        if schemas.scalar_one() is None:
            await connection.execute(sa.schema.CreateSchema(service))
        await connection.run_sync(_migrate, metadata)
        await connection.run_sync(grant, service, rights)
    await engine.dispose()


def _migrate(connection: Connection, metadata: sa.MetaData) -> None:
    # The search path is the service's schema, so nothing here names it.
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()


def add_incarnations() -> None:
    """Where an incarnation began, and on which server: NULL until the row is read for the first time."""
    begun = sa.Column(
        "begun", sa.BigInteger(), server_default="0", nullable=False, comment="the ordinal behind which this incarnation began"
    )
    server = sa.Column(
        "server", sa.Text(), nullable=True, comment="system identifier and timeline of the server that wrote this incarnation"
    )
    op.add_column("progress", begun)
    op.add_column("progress", server)


def create_api_keys() -> None:
    """The first shape of the table of keys, for the migration that brings it to a schema; what changes it is a step of its own."""
    op.create_table(
        "api_keys",
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="the system that holds it"),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False, comment="the operations that it opens"),
        sa.Column("hash", postgresql.BYTEA(), nullable=False, comment="SHA-256 of the secret"),
        sa.Column("former", postgresql.BYTEA(), nullable=True, comment="that of the secret before, while both open"),
        sa.Column("former_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True, comment="NULL: never"),
        sa.Column("last_used", sa.DateTime(timezone=True), nullable=True, comment="to the minute"),
        sa.Column("revoked_by", sa.Text(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("prefix"),
    )
    op.create_index("api_keys_in_force", "api_keys", ["name"], unique=True, postgresql_where=sa.text("revoked_at IS NULL"))
