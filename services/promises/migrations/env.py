"""Alembic's entry for the promises schema."""

from services.chassis.migrate import run_migrations
from services.promises.store.rights import RIGHTS
from services.promises.store.tables import metadata

run_migrations("promises", metadata, RIGHTS)
