"""What is done to many cases at once: bulk acts, and mass failures with their own audit trail."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "bulk_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False, comment="of the table of acts"),
        sa.Column("needs", postgresql.JSONB(), nullable=False, comment="what it needs, the same for all cases; empty once it has ended"),
        sa.Column("within", sa.Interval(), nullable=True, comment="what it makes is due so long after it is done in a case"),
        sa.Column("made_by", sa.Uuid(), nullable=True, comment="the earlier run whose thing in each case it is about"),
        sa.Column("mass_failure", sa.Uuid(), nullable=True, comment="whose members it is done to, those too that join later"),
        sa.Column("subject", sa.Text(), nullable=False, comment="who does it"),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=False, comment="theirs, as their token said"),
        sa.Column("teams", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True, comment="NULL while it, or its mass failure, goes on"),
        sa.Column("fingerprint", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("bulk_runs_going_on", "bulk_runs", ["at", "id"], unique=False, postgresql_where=sa.text("finished_at IS NULL"))
    op.create_index("bulk_runs_of_mass_failure", "bulk_runs", ["mass_failure", "at"], unique=False)
    op.create_table(
        "bulk_items",
        sa.Column("run", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=True, comment="the version that it was decided on; NULL: whichever it is"),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, done, refused"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it was refused"),
        sa.ForeignKeyConstraint(["run"], ["bulk_runs.id"]),
        sa.PrimaryKeyConstraint("run", "case_id"),
    )
    op.create_index(
        "bulk_items_waiting", "bulk_items", ["run", "partition"], unique=False, postgresql_where=sa.text("state = 'waiting'::text")
    )
    op.create_table(
        "mass_failures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="number of acts"),
        sa.Column("state", sa.Text(), nullable=False, comment="open, closed"),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, comment="failures before it do not belong"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True, comment="nor those from then on; NULL: it goes on"),
        sa.Column("promises", postgresql.ARRAY(sa.Text()), nullable=False, comment="one of which failed; empty: any"),
        sa.Column("components", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("segments", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("fold", postgresql.JSONB(), nullable=False, comment="the whole of it as its acts make it"),
        sa.Column("digest", postgresql.BYTEA(), nullable=False, comment="of the last act of its audit trail"),
        sa.Column("fingerprint", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "mass_failures_open", "mass_failures", ["declared_at", "id"], unique=False, postgresql_where=sa.text("state = 'open'::text")
    )
    op.create_table(
        "mass_acts",
        sa.Column("mass_failure", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("payload_digest", postgresql.BYTEA(), nullable=False),
        sa.Column("digest", postgresql.BYTEA(), nullable=False),
        sa.ForeignKeyConstraint(["mass_failure"], ["mass_failures.id"]),
        sa.PrimaryKeyConstraint("mass_failure", "number"),
    )
    op.create_table(
        "mass_members",
        sa.Column("mass_failure", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("inside", sa.Boolean(), nullable=False, comment="false: somebody took it out, and no rule puts it in again"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.ForeignKeyConstraint(["mass_failure"], ["mass_failures.id"]),
        sa.PrimaryKeyConstraint("mass_failure", "case_id"),
    )
    op.create_index("mass_failures_of_case", "mass_members", ["case_id"], unique=False)
