"""The tables of schema `workbench`: sessions, and nothing of customers.

No table names its schema: every session looks into the service's own (its search path), and Alembic compares it so.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

metadata = sa.MetaData()

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("digest", BYTEA, primary_key=True, comment="of the key that the cookie holds"),
    sa.Column("sealed", BYTEA, nullable=False, comment="whose session it is, and their tokens, encrypted"),
    sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
    sa.Index("sessions_by_expiry", "expires"),
)
