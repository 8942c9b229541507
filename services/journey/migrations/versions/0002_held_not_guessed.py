"""Held, not guessed: whom a refused record names, what operators do about it; sources and attributes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from services.chassis.migrate import create_api_keys

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is held, and what is declared and described."""
    op.add_column(
        "quarantine",
        sa.Column("held", sa.ARRAY(sa.Uuid()), server_default="{}", nullable=False, comment="customers who got its hold"),
    )
    op.create_table(
        "quarantine_acts",
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False, comment="release or dismiss"),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it was dismissed"),
        sa.Column(
            "event",
            postgresql.BYTEA(),
            nullable=True,
            comment="JSON of the corrected event; NULL where the original was released, and once erased",
        ),
        sa.Column("answer", postgresql.BYTEA(), nullable=False, comment="JSON of what came of it; names customers by key only"),
        sa.PrimaryKeyConstraint("lane", "position"),
    )
    op.create_table(
        "sources",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", postgresql.BYTEA(), comment="JSON of the Source document; NULL: retired by this version"),
        sa.PrimaryKeyConstraint("source", "version"),
    )
    op.create_table(
        "attributes",
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", postgresql.BYTEA(), nullable=True, comment="JSON; NULL: removed, or erased"),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False, comment="of the event that said so; a later one wins"),
        sa.Column("event", sa.Uuid(), nullable=False, comment="of two at one time the greater wins, whichever came first"),
        sa.PrimaryKeyConstraint("customer", "name"),
    )
    for table in ("event_types", "sources", "feeds"):
        op.add_column(table, sa.Column("published_at", sa.DateTime(timezone=True), nullable=False))
        op.add_column(table, sa.Column("published_by", sa.Text(), nullable=False))
    op.alter_column("identity_epoch", "epoch", comment="moves whenever what a lane remembers may no longer be so")
    create_api_keys()
