"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from services.chassis.migrate import create_api_keys

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
        sa.Column(
            "wake",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="barrier at which the row is looked at; behind the one reached, nothing hangs on it",
        ),
        sa.Column("settled", sa.DateTime(timezone=True), nullable=True, comment="no event of a later time matters; NULL: any may"),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("standing", sa.Boolean(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Integer(), nullable=False, comment="number of the latest verdict, 0 before any"),
        sa.Column("verdict_state", sa.Text(), nullable=True, comment="what the latest verdict said"),
        sa.Column("trace", sa.Text(), nullable=True),
        sa.Column("held", sa.Boolean(), sa.Computed("state = 'held'", persisted=True), nullable=True),
        sa.Column("said", sa.Text(), nullable=False, comment="ordinals of the facts about it, in the outbox"),
        sa.PrimaryKeyConstraint("id"),
        postgresql_with={"fillfactor": 50},
    )
    op.execute(
        "CREATE TYPE judged AS (id uuid, state text, reason text, due timestamptz, sayable timestamptz, next_at timestamptz, "
        "wake timestamptz, settled timestamptz, decided_by uuid, late boolean, standing boolean, verdict integer, verdict_state text, "
        "trace text, said text)"
    )
    op.execute(
        "CREATE TYPE anchored AS (id uuid, promise integer, trigger_event uuid, trigger_id text, trigger_type text, "
        "trigger_time timestamptz, segment text)"
    )
    op.create_index(
        "commitments_due",
        "commitments",
        ["partition", "wake"],
        unique=False,
        postgresql_where=sa.text("wake IS NOT NULL"),
    )
    op.create_index("commitments_held", "commitments", ["partition"], unique=False, postgresql_where=sa.text("held"))
    op.create_index("commitments_of_strand", "commitments", ["strand"], unique=False)
    op.create_table(
        "blind_spots",
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False, comment="customer:KEY or source:NAME"),
        sa.Column("record", sa.Text(), nullable=False, comment="lane and offset of what was not read, or the source"),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end", sa.DateTime(timezone=True), nullable=True, comment="NULL: still not read"),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "subject", "record", "start"),
    )
    op.create_table(
        "look_backs",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("promise", sa.Integer(), nullable=False, comment="id of the version"),
        sa.Column("partition", sa.SmallInteger(), nullable=False, comment="whose evidence from before it was published is kept for it"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("promise", "partition"),
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("document", postgresql.BYTEA(), comment="JSON of the Source document; NULL: retired by this version"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "version"),
    )
    op.create_table(
        "evidence",
        sa.Column("strand", sa.Uuid(), nullable=False, comment="customer and correlation"),
        sa.Column("event", sa.Uuid(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arrival", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Text(), nullable=False, comment="what its source calls the event"),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("marks", postgresql.BYTEA(), nullable=False, comment="JSON: promise id -> what it sees, the roles first"),
        sa.PrimaryKeyConstraint("strand", "event"),
    )
    op.create_table(
        "outbox",
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False, comment="ordinal of the last fact in it"),
        sa.Column("first", sa.BigInteger(), nullable=False, comment="ordinal of the first fact in it"),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("bodies", postgresql.BYTEA(), nullable=False, comment="the facts as published, packed"),
        sa.PrimaryKeyConstraint("partition", "last"),
    )
    op.execute("ALTER TABLE outbox ALTER COLUMN bodies SET STORAGE EXTERNAL")
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
        sa.Column(
            "document",
            postgresql.BYTEA(),
            nullable=True,
            comment="JSON of the Promise document; NULL: that version is retired from effective_from on",
        ),
        sa.Column("calendar", sa.Integer(), nullable=True, comment="id of the calendar's version that it is judged by"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("promises_version", "promises", ["name", "version"], unique=True, postgresql_where=sa.text("document IS NOT NULL"))
    op.create_table(
        "calendars",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("effective_from", sa.DateTime(timezone=True), nullable=True, comment="NULL: from the beginning"),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("document", postgresql.BYTEA(), nullable=False, comment="JSON of the Calendar document"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", "version"),
    )
    op.create_table(
        "terms",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("promise", sa.Text(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("within", sa.Text(), nullable=True, comment="the negotiated duration; NULL: nothing is negotiated from valid_from on"),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True, comment="NULL: from the beginning"),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="whose request it was, and its Idempotency-Key"),
        sa.Column("fingerprint", postgresql.BYTEA(), nullable=False, comment="of that request"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("terms_of_customer", "terms", ["customer", "promise"], unique=False)
    op.create_table(
        "excuse_acts",
        sa.Column("commitment", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", postgresql.BYTEA(), nullable=False, comment="JSON of what was said"),
        sa.Column("key", sa.Text(), nullable=False, comment="whose request it was, and its Idempotency-Key"),
        sa.Column("fingerprint", postgresql.BYTEA(), nullable=False, comment="of that request"),
        sa.Column("event", postgresql.BYTEA(), nullable=True, comment="the touchpoint that tells of it"),
        sa.Column("acknowledged", sa.Boolean(), nullable=False, comment="Kafka has the touchpoint, or there is none"),
        sa.PrimaryKeyConstraint("commitment", "number"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("excuse_acts_untold", "excuse_acts", ["commitment"], unique=False, postgresql_where=sa.text("NOT acknowledged"))
    for name in ("backtests", "rejudgement_runs"):
        op.create_table(
            name,
            sa.Column("id", sa.Uuid(), nullable=False),
            sa.Column("state", sa.Text(), nullable=False),
            sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("asked_by", sa.Text(), nullable=False),
            sa.Column(
                "heard_at", sa.DateTime(timezone=True), nullable=False, comment="when whoever runs it last said so, by the database's clock"
            ),
            sa.Column("about", sa.Text(), nullable=True, comment="the promise that it is about, if it is about one"),
            sa.Column("request", postgresql.BYTEA(), nullable=False, comment="JSON: what is to be judged, over which time"),
            sa.Column("read", sa.BigInteger(), nullable=False, comment="records read so far"),
            sa.Column("total", sa.BigInteger(), nullable=False, comment="records to be read"),
            sa.Column("outcome", postgresql.BYTEA(), nullable=True, comment="JSON: what it came to, or why it came to nothing"),
            sa.Column("key", sa.Text(), nullable=False, comment="whose request it was, and its Idempotency-Key"),
            sa.Column("fingerprint", postgresql.BYTEA(), nullable=False, comment="of that request"),
            sa.PrimaryKeyConstraint("id"),
            sa.UniqueConstraint("key"),
        )
    op.create_table(
        "rejudgements",
        sa.Column("run", sa.Uuid(), nullable=False),
        sa.Column("commitment", sa.Uuid(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("correlation", sa.Text(), nullable=False),
        sa.Column("trigger_event", sa.Uuid(), nullable=False),
        sa.Column("trigger_id", sa.Text(), nullable=False),
        sa.Column("trigger_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first", sa.Text(), nullable=True, comment="how it stood judged under its own version; NULL: no commitment was opened"),
        sa.Column("changed", sa.Boolean(), nullable=False, comment="whether the second judgement is another one"),
        sa.Column("judgement", sa.Text(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False, comment="the barrier of both judgements"),
        sa.PrimaryKeyConstraint("run", "commitment"),
    )
    op.create_index("rejudgements_of_commitment", "rejudgements", ["commitment"], unique=False)
    op.create_index("rejudgements_changed", "rejudgements", ["run", "commitment"], unique=False, postgresql_where=sa.text("changed"))
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
        "lent",
        sa.Column("strand", sa.Uuid(), nullable=False),
        sa.Column("event", sa.Uuid(), nullable=False, comment="of another key of the same person"),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="statements of who is whom there had been"),
        sa.Column("retracted", sa.Boolean(), nullable=False, comment="it is evidence no longer; the row of the greatest number counts"),
        sa.PrimaryKeyConstraint("strand", "event", "number"),
    )
    op.create_table(
        "payments",
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("promise", sa.Text(), nullable=False, comment="name of the promise that was broken"),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False, comment="compensation paid in all"),
        sa.PrimaryKeyConstraint("partition", "promise", "currency"),
    )
    op.create_table(
        "erasures",
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="the barrier: nothing of the customer is read behind it"),
        sa.Column("work", postgresql.BYTEA(), nullable=True, comment="JSON of what is left to do; NULL once nothing is"),
        sa.Column("emptied", sa.BigInteger(), server_default="0", nullable=False, comment="facts and evidence emptied so far"),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("customer"),
    )
    op.create_index("erasures_under_way", "erasures", ["at"], unique=False, postgresql_where=sa.text("work IS NOT NULL"))
    create_api_keys()
    op.create_table(
        "topology",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partitions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("topic"),
    )
