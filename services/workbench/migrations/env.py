"""Alembic's entry for the workbench schema."""

from services.chassis.migrate import run_migrations
from services.workbench.store.rights import RIGHTS
from services.workbench.store.tables import metadata

run_migrations("workbench", metadata, RIGHTS)
