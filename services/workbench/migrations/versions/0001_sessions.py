"""Sessions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Sessions."""
    op.create_table(
        "sessions",
        sa.Column("digest", postgresql.BYTEA(), nullable=False, comment="of the key that the cookie holds"),
        sa.Column("sealed", postgresql.BYTEA(), nullable=False, comment="whose session it is, and their tokens, encrypted"),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("sessions_by_expiry", "sessions", ["expires"], unique=False)
