"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The first schema."""
    op.create_table(
        "commitments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("promise", sa.Integer(), nullable=False),
        sa.Column("strand", sa.Uuid(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("correlation", sa.Text(), nullable=False),
        sa.Column("trigger_event", sa.Uuid(), nullable=False),
        sa.Column("trigger_id", sa.Text(), nullable=False),
        sa.Column("trigger_type", sa.Text(), nullable=False),
        sa.Column("trigger_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "sayable", sa.DateTime(timezone=True), nullable=True, comment="barrier from which broken, or kept by absence, may be said"
        ),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True, comment="barrier at which time alone changes the judgement"),
        sa.Column("settled", sa.DateTime(timezone=True), nullable=True, comment="no event of a later time matters; NULL: any may"),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("standing", sa.Boolean(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Integer(), nullable=False, comment="number of the latest verdict, 0 before any"),
        sa.Column("verdict_state", sa.Text(), nullable=True, comment="what the latest verdict said"),
        sa.Column("trace", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "commitments_due",
        "commitments",
        ["partition", "next_at"],
        unique=False,
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index("commitments_of_strand", "commitments", ["strand"], unique=False)
    op.create_table(
        "evidence",
        sa.Column("strand", sa.Uuid(), nullable=False, comment="customer and correlation"),
        sa.Column("event", sa.Uuid(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arrival", sa.DateTime(timezone=True), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("marks", postgresql.BYTEA(), nullable=False, comment="JSON: promise id -> [roles, due, holds, segment]"),
        sa.PrimaryKeyConstraint("strand", "event"),
    )
    op.create_table(
        "facts",
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("commitment", sa.Uuid(), nullable=False),
        sa.Column("body", postgresql.BYTEA(), nullable=False, comment="the fact as published"),
        sa.PrimaryKeyConstraint("partition", "ordinal"),
    )
    op.create_index("facts_of_commitment", "facts", ["commitment"], unique=False)
    op.create_table(
        "progress",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("rev", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("incarnation", sa.Integer(), server_default="1", nullable=False),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("arrival", sa.DateTime(timezone=True), nullable=True, comment="arrival applied, or the barrier reached"),
        sa.Column("ordinal", sa.BigInteger(), server_default="0", nullable=False, comment="last numbered effect"),
        sa.Column("published", sa.BigInteger(), server_default="0", nullable=False, comment="acknowledged by Kafka up to here"),
        sa.Column("state", postgresql.BYTEA(), server_default="{}", nullable=False, comment="JSON of the service's own"),
        sa.PrimaryKeyConstraint("topic", "partition"),
    )
    op.create_table(
        "promises",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("effective_from", sa.DateTime(timezone=True), nullable=True, comment="NULL: from the beginning"),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("document", postgresql.BYTEA(), nullable=False, comment="JSON of the Promise document"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", "version"),
    )
    op.create_table(
        "quarantine",
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="offset in makegood.journey"),
        sa.Column("promise", sa.Integer(), nullable=False, comment="0: for every promise"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("value", postgresql.BYTEA(), nullable=True, comment="the journey event"),
        sa.PrimaryKeyConstraint("partition", "position", "promise"),
    )
    op.create_table(
        "topology",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partitions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("topic"),
    )
