"""A restored server begins a new incarnation of every lane by itself."""

from services.chassis.migrate import add_incarnations

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add where an incarnation began, and on which server."""
    add_incarnations()
