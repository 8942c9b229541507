"""Alembic's entry for the journey schema."""

from services.chassis.migrate import run_migrations
from services.journey.store.rights import RIGHTS
from services.journey.store.tables import metadata

run_migrations("journey", metadata, RIGHTS)
