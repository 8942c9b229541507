"""Cases, their acts, and what is told of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from services.chassis.migrate import create_api_keys

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Cases, their acts, and what is told of them."""
    op.create_table(
        "cases",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False, comment="of the lane that every act on the case goes through"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("ask", sa.Text(), nullable=True, comment="what a person must decide"),
        sa.Column("offered_to", sa.Text(), nullable=True),
        sa.Column("merged_into", sa.Uuid(), nullable=True, comment="the case in which it goes on"),
        sa.Column("watchers", sa.ARRAY(sa.Text()), server_default="{}", nullable=False, comment="who looks on"),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False, comment="of what is owed next; the year 9999 where nothing is"),
        sa.Column("version", sa.Integer(), nullable=False, comment="number of acts"),
        sa.Column("fold", postgresql.JSONB(), nullable=False, comment="the whole case as its acts make it"),
        sa.Column("digest", postgresql.BYTEA(), nullable=False, comment="of the last act of the audit trail"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("cases_by_due", "cases", ["due", "opened_at", "id"], unique=False)
    op.create_index("cases_of_state_by_due", "cases", ["state", "due", "opened_at", "id"], unique=False)
    op.create_index(
        "cases_by_triage", "cases",
        [sa.text("array_position(ARRAY['critical'::text, 'high'::text, 'medium'::text, 'low'::text], severity)"), "due", "opened_at", "id"],
        unique=False, postgresql_include=["severity", "owner"],
        postgresql_where=sa.text("state = ANY (ARRAY['open'::text, 'owned'::text])"),
    )  # fmt: skip
    op.create_index(
        "cases_by_opening", "cases", ["opened_at"], unique=False, postgresql_include=["owner"],
        postgresql_where=sa.text("state <> 'merged'::text"),
    )  # fmt: skip
    op.create_index(
        "cases_in_work",
        "cases",
        ["customer"],
        unique=True,
        postgresql_where=sa.text("state = ANY (ARRAY['open'::text, 'owned'::text, 'remedied'::text])"),
    )
    op.create_index("cases_offered_to", "cases", ["offered_to"], unique=False, postgresql_where=sa.text("offered_to IS NOT NULL"))
    op.create_index("cases_merged_into", "cases", ["merged_into"], unique=False, postgresql_where=sa.text("merged_into IS NOT NULL"))
    op.create_index(
        "cases_of_watcher",
        "cases",
        ["watchers"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("watchers <> '{}'::text[]"),
    )
    op.create_index("cases_of_customer", "cases", ["customer"], unique=False)
    op.create_index("cases_of_owner", "cases", ["owner"], unique=False, postgresql_where=sa.text("owner IS NOT NULL"))
    op.create_table(
        "people",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("teams", sa.ARRAY(sa.Text()), nullable=False, comment="as their token said when they last spoke of themselves"),
        sa.Column("skills", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("languages", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("serves", sa.Text(), nullable=False, comment="how they want to serve, in their own words"),
        sa.Column("avoids", sa.Text(), nullable=False, comment="what they do not want, in their own words"),
        sa.Column("willing", sa.Boolean(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=True),
        sa.Column("away_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("away_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cover", sa.Text(), nullable=True, comment="who acts in their place while they are away"),
        sa.Column(
            "lends",
            sa.ARRAY(sa.Text()),
            server_default="{}",
            nullable=False,
            comment="their roles by which the cover decides then",
        ),
        sa.Column(
            "works", postgresql.JSONB(), server_default="[]", nullable=False, comment="when they are there each week; empty: nobody knows"
        ),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.create_index("people_covered", "people", ["cover"], unique=False, postgresql_where=sa.text("cover IS NOT NULL"))
    op.create_table(
        "outbox",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True, comment="counts what goes to makegood.recovery; touchpoints have none"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "ordinal"),
    )
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
    create_api_keys()
    op.create_table(
        "topology",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partitions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("topic"),
    )
    op.create_table(
        "acts",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=True, comment="what may be personal; NULL once erased"),
        sa.Column("payload_digest", postgresql.BYTEA(), nullable=False),
        sa.Column("digest", postgresql.BYTEA(), nullable=False, comment="over this act and the digest before it"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.PrimaryKeyConstraint("case_id", "number"),
    )
    op.create_index(
        "acts_of_pace",
        "acts",
        ["at"],
        unique=False,
        postgresql_where=sa.text("kind = ANY (ARRAY['remedied'::text, 'pledge_postponed'::text])"),
    )
    op.create_index(
        "acts_milestones",
        "acts",
        ["case_id", "kind", "at"],
        unique=False,
        postgresql_where=sa.text(
            "kind = ANY (ARRAY['owned'::text, 'message_sent'::text, 'remedied'::text, 'confirmed'::text, 'restored'::text, "
            "'not_restored'::text, 'repeated'::text]) OR kind = 'contact_recorded'::text AND (content ->> 'reached'::text) = 'true'::text"
        ),
    )
    op.create_table(
        "attachment_chunks",
        sa.Column("attachment", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("body", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("attachment", "number"),
    )
    op.create_index("attachment_chunks_of_customer", "attachment_chunks", ["customer"], unique=False)
    op.create_table(
        "erasures",
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer"),
    )
    op.create_table(
        "creations",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", postgresql.BYTEA(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=True, comment="NULL where what was created belongs to no case"),
        sa.Column("version", sa.Integer(), nullable=False, comment="of what the stored answer shows"),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", postgresql.BYTEA(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.PrimaryKeyConstraint("subject", "key"),
    )
    op.create_index("creations_of_case", "creations", ["case_id"], unique=False)
    op.create_index("creations_by_age", "creations", ["at"], unique=False)
    op.create_table(
        "failures",
        sa.Column("commitment", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("promise", sa.Text(), nullable=True, comment="NULL where it was reported"),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("broken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("at_risk", sa.Boolean(), nullable=False, comment="not broken yet"),
        sa.Column("component", sa.Text(), nullable=True),
        sa.Column("segment", sa.Text(), nullable=True, comment="by which its promise is counted"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.PrimaryKeyConstraint("commitment", "case_id"),
    )
    op.create_index("failures_at_risk", "failures", ["commitment"], unique=False, postgresql_where=sa.text("at_risk AND NOT withdrawn"))
    op.create_index("failures_by_time", "failures", ["broken_at"], unique=False)
    op.create_index("failures_of_case", "failures", ["case_id"], unique=False)
    op.create_index("failures_of_promise", "failures", ["promise"], unique=False, postgresql_where=sa.text("NOT withdrawn"))
    op.create_table(
        "owed",
        sa.Column("id", sa.Uuid(), nullable=False, comment="what verdicts about it are correlated by"),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="pledge, task, approval, compensation"),
        sa.Column("assignee", sa.Text(), nullable=True, comment="who is to do it, where that is not the owner"),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("done", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("owed_by_due", "owed", ["assignee", "due"], unique=False, postgresql_where=sa.text("done IS NULL"))
    op.create_index("owed_pledges", "owed", ["due"], unique=False, postgresql_where=sa.text("kind = 'pledge'::text AND done IS NULL"))
    op.create_index("owed_of_case", "owed", ["case_id"], unique=False)
    op.create_table(
        "approvals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("roles", sa.ARRAY(sa.Text()), nullable=False, comment="one of which decides"),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True, comment="NULL while it is open"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("approvals_by_due", "approvals", ["due", "id"], unique=False, postgresql_where=sa.text("decision IS NULL"))
    op.create_table(
        "ledger",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("bearer", sa.Text(), nullable=False, comment="unit, supplier, employee"),
        sa.Column("borne_by", sa.Text(), nullable=False),
        sa.Column("promise", sa.Text(), nullable=True, comment="the broken one; NULL where it was reported"),
        sa.Column("playbook", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "spent_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the company spent it; NULL where an employee waits for it, or a supplier bore it",
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ledger_by_time", "ledger", ["at"], unique=False)
    op.create_index("ledger_of_playbook", "ledger", ["playbook", "currency", "spent_at"], unique=False)
    op.create_table(
        "playbooks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", postgresql.BYTEA(), nullable=False, comment="JSON of the Playbook document"),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version"),
    )
    op.create_table(
        "causes",
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=True, comment="of people: what they lacked"),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.PrimaryKeyConstraint("case_id"),
    )
    op.create_table(
        "recognitions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False, comment="who did it"),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False, comment="who has seen it"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fingerprint", postgresql.BYTEA(), nullable=False, comment="of the request; empty once erased"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("recognitions_of_person", "recognitions", ["person"], unique=False)
    op.create_index("recognitions_of_customer", "recognitions", ["customer"], unique=False)
    op.create_table(
        "coaching_notes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("lead", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("fingerprint", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("coaching_notes_of_person", "coaching_notes", ["person"], unique=False)
    op.create_table(
        "queues",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True, comment="whose it is; NULL where it is a team's"),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("filter", postgresql.JSONB(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("queues_of_subject", "queues", ["subject"], unique=False, postgresql_where=sa.text("subject IS NOT NULL"))
    op.create_index("queues_of_team", "queues", ["team"], unique=False, postgresql_where=sa.text("team IS NOT NULL"))
    op.create_table(
        "tallies",
        sa.Column("promise", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="of UTC, on which the commitments fell due"),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("decided", sa.BigInteger(), nullable=False, comment="kept or broken, by their latest verdicts"),
        sa.Column("broken", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("promise", "day", "partition"),
    )
    op.create_table(
        "improvements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("promise", sa.Text(), nullable=True),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("days", sa.Integer(), nullable=False, comment="before and after it, of which verdicts are counted"),
        sa.Column("before_decided", sa.Integer(), nullable=True),
        sa.Column("before_broken", sa.Integer(), nullable=True),
        sa.Column("after_decided", sa.Integer(), nullable=True),
        sa.Column("after_broken", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fingerprint", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", sa.ARRAY(sa.Text()), nullable=False, comment="which facts it is told; * is any run of characters"),
        sa.Column("secret", postgresql.BYTEA(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="message, notice, webhook"),
        sa.Column("about", sa.Uuid(), nullable=False, comment="the message, the case, or the webhook"),
        sa.Column("mail", sa.Uuid(), nullable=False, comment="what goes out together"),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False, comment="the customer's address, or who of the company"),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", postgresql.BYTEA(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, sent, failed, discarded"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="nobody tries it before"),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True, comment="why the last attempt failed"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("deliveries_waiting", "deliveries", ["due"], unique=False, postgresql_where=sa.text("state = 'waiting'::text"))
    op.create_index("deliveries_of_customer", "deliveries", ["customer"], unique=False)
    op.create_index("deliveries_about", "deliveries", ["about"], unique=False)
    op.create_index("deliveries_of_mail", "deliveries", ["mail"], unique=False)
