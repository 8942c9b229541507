"""Alembic's entry for the recovery schema."""

from services.chassis.migrate import run_migrations
from services.recovery.store.rights import RIGHTS
from services.recovery.store.tables import metadata

run_migrations("recovery", metadata, RIGHTS)
