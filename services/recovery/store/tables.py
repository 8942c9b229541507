"""The tables of schema `recovery`. The current fold of a case stands in columns; its acts are the truth behind it.

No table names its schema: every session looks into the service's own (its search path), and Alembic compares it so.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB

from services.chassis.apikeys import api_keys_table
from services.chassis.progress import progress_table
from services.chassis.topics import topology_table

IN_WORK_CONDITION: Final = "state = ANY (ARRAY['open'::text, 'owned'::text, 'remedied'::text])"
WAITING_CONDITION: Final = "state = ANY (ARRAY['open'::text, 'owned'::text])"
TRIAGE: Final = "array_position(ARRAY['critical'::text, 'high'::text, 'medium'::text, 'low'::text], severity)"
"""The most severe comes first."""
MILESTONES: Final = (
    "kind = ANY (ARRAY['owned'::text, 'message_sent'::text, 'remedied'::text, 'confirmed'::text, 'restored'::text, "
    "'not_restored'::text, 'repeated'::text]) OR kind = 'contact_recorded'::text AND (content ->> 'reached'::text) = 'true'::text"
)
"""The acts that measures go by: of contacts those alone in which the customer was reached."""

metadata = sa.MetaData()
UTC_TIME = sa.DateTime(timezone=True)

progress = progress_table(metadata)
topology = topology_table(metadata)
api_keys = api_keys_table(metadata)
cases = sa.Table(
    "cases",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False, comment="of the lane that every act on the case goes through"),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("owner", sa.Text),
    sa.Column("ask", sa.Text, comment="what a person must decide"),
    sa.Column("offered_to", sa.Text),
    sa.Column("merged_into", sa.Uuid, comment="the case in which it goes on"),
    sa.Column("watchers", ARRAY(sa.Text), nullable=False, server_default="{}", comment="who looks on"),
    sa.Column("opened_at", UTC_TIME, nullable=False),
    sa.Column("changed_at", UTC_TIME, nullable=False),
    sa.Column("due", UTC_TIME, nullable=False, comment="of what is owed next; the year 9999 where nothing is"),
    sa.Column("version", sa.Integer, nullable=False, comment="number of acts"),
    sa.Column("fold", JSONB, nullable=False, comment="the whole case as its acts make it"),
    sa.Column("digest", BYTEA, nullable=False, comment="of the last act of the audit trail"),
    sa.Index("cases_in_work", "customer", unique=True, postgresql_where=sa.text(IN_WORK_CONDITION)),
    sa.Index("cases_of_customer", "customer"),
    sa.Index("cases_of_owner", "owner", postgresql_where=sa.text("owner IS NOT NULL")),
    sa.Index("cases_offered_to", "offered_to", postgresql_where=sa.text("offered_to IS NOT NULL")),
    sa.Index("cases_merged_into", "merged_into", postgresql_where=sa.text("merged_into IS NOT NULL")),
    sa.Index("cases_of_watcher", "watchers", postgresql_using="gin", postgresql_where=sa.text("watchers <> '{}'::text[]")),
    sa.Index("cases_by_due", "due", "opened_at", "id"),
    sa.Index("cases_by_opening", "opened_at", postgresql_include=["owner"], postgresql_where=sa.text("state <> 'merged'::text")),
    sa.Index("cases_of_state_by_due", "state", "due", "opened_at", "id"),
    sa.Index(
        "cases_by_triage",
        sa.text(TRIAGE),
        "due",
        "opened_at",
        "id",
        postgresql_include=["severity", "owner"],
        postgresql_where=sa.text(WAITING_CONDITION),
    ),
)
acts = sa.Table(
    "acts",
    metadata,
    sa.Column("case_id", sa.Uuid, sa.ForeignKey(cases.c.id), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", UTC_TIME, nullable=False),
    sa.Column("content", JSONB, nullable=False),
    sa.Column("payload", JSONB, comment="what may be personal; NULL once erased"),
    sa.Column("payload_digest", BYTEA, nullable=False),
    sa.Column("digest", BYTEA, nullable=False, comment="over this act and the digest before it"),
    sa.Index("acts_of_pace", "at", postgresql_where=sa.text("kind = ANY (ARRAY['remedied'::text, 'pledge_postponed'::text])")),
    sa.Index("acts_milestones", "case_id", "kind", "at", postgresql_where=sa.text(MILESTONES)),
)
failures = sa.Table(
    "failures",
    metadata,
    sa.Column("commitment", sa.Uuid, primary_key=True),
    sa.Column("case_id", sa.Uuid, sa.ForeignKey(cases.c.id), primary_key=True),
    sa.Column("promise", sa.Text, comment="NULL where it was reported"),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("broken_at", UTC_TIME, nullable=False),
    sa.Column("withdrawn", sa.Boolean, nullable=False),
    sa.Column("at_risk", sa.Boolean, nullable=False, comment="not broken yet"),
    sa.Column("component", sa.Text),
    sa.Column("segment", sa.Text, comment="by which its promise is counted"),
    sa.Index("failures_by_time", "broken_at"),
    sa.Index("failures_of_case", "case_id"),
    sa.Index("failures_at_risk", "commitment", postgresql_where=sa.text("at_risk AND NOT withdrawn")),
    sa.Index("failures_of_promise", "promise", postgresql_where=sa.text("NOT withdrawn")),
)
owed = sa.Table(
    "owed",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True, comment="what verdicts about it are correlated by"),
    sa.Column("case_id", sa.Uuid, sa.ForeignKey(cases.c.id), nullable=False),
    sa.Column("kind", sa.Text, nullable=False, comment="pledge, task, approval, compensation"),
    sa.Column("assignee", sa.Text, comment="who is to do it, where that is not the owner"),
    sa.Column("due", UTC_TIME, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("done", UTC_TIME),
    sa.Index("owed_of_case", "case_id"),
    sa.Index("owed_pledges", "due", postgresql_where=sa.text("kind = 'pledge'::text AND done IS NULL")),
    sa.Index("owed_by_due", "assignee", "due", postgresql_where=sa.text("done IS NULL")),
)
approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("case_id", sa.Uuid, sa.ForeignKey(cases.c.id), nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("roles", ARRAY(sa.Text), nullable=False, comment="one of which decides"),
    sa.Column("due", UTC_TIME, nullable=False),
    sa.Column("decision", sa.Text, comment="NULL while it is open"),
    sa.Index("approvals_by_due", "due", "id", postgresql_where=sa.text("decision IS NULL")),
)
ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("case_id", sa.Uuid, sa.ForeignKey(cases.c.id), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("amount", sa.Numeric, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("bearer", sa.Text, nullable=False, comment="unit, supplier, employee"),
    sa.Column("borne_by", sa.Text, nullable=False),
    sa.Column("promise", sa.Text, comment="the broken one; NULL where it was reported"),
    sa.Column("playbook", sa.Text),
    sa.Column("at", UTC_TIME, nullable=False),
    sa.Column("spent_at", UTC_TIME, comment="when the company spent it; NULL where an employee waits for it, or a supplier bore it"),
    sa.Index("ledger_by_time", "at"),
    sa.Index("ledger_of_playbook", "playbook", "currency", "spent_at"),
)
playbooks = sa.Table(
    "playbooks",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("document", BYTEA, nullable=False, comment="JSON of the Playbook document"),
    sa.Column("published_at", UTC_TIME, nullable=False),
    sa.Column("published_by", sa.Text, nullable=False),
)
people = sa.Table(
    "people",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("teams", sa.ARRAY(sa.Text), nullable=False, comment="as their token said when they last spoke of themselves"),
    sa.Column("skills", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("languages", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("serves", sa.Text, nullable=False, comment="how they want to serve, in their own words"),
    sa.Column("avoids", sa.Text, nullable=False, comment="what they do not want, in their own words"),
    sa.Column("willing", sa.Boolean, nullable=False),
    sa.Column("peer", sa.Text),
    sa.Column("away_from", UTC_TIME),
    sa.Column("away_until", UTC_TIME),
    sa.Column("cover", sa.Text, comment="who acts in their place while they are away"),
    sa.Column("lends", sa.ARRAY(sa.Text), nullable=False, server_default="{}", comment="their roles by which the cover decides then"),
    sa.Column("works", JSONB, nullable=False, server_default="[]", comment="when they are there each week; empty: nobody knows"),
    sa.Index("people_covered", "cover", postgresql_where=sa.text("cover IS NOT NULL")),
)
causes = sa.Table(
    "causes",
    metadata,
    sa.Column("case_id", sa.Uuid, sa.ForeignKey(cases.c.id), primary_key=True),
    sa.Column("component", sa.Text, nullable=False),
    sa.Column("because", sa.Text, comment="of people: what they lacked"),
    sa.Column("said_at", UTC_TIME, nullable=False),
)
recognitions = sa.Table(
    "recognitions",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("case_id", sa.Uuid, sa.ForeignKey(cases.c.id), nullable=False),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("person", sa.Text, nullable=False, comment="who did it"),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False, comment="who has seen it"),
    sa.Column("at", UTC_TIME, nullable=False),
    sa.Column("fingerprint", BYTEA, nullable=False, comment="of the request; empty once erased"),
    sa.Index("recognitions_of_person", "person"),
    sa.Index("recognitions_of_customer", "customer"),
)
coaching_notes = sa.Table(
    "coaching_notes",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("lead", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", UTC_TIME, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("fingerprint", BYTEA, nullable=False),
    sa.Index("coaching_notes_of_person", "person"),
)
queues = sa.Table(
    "queues",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, comment="whose it is; NULL where it is a team's"),
    sa.Column("team", sa.Text),
    sa.Column("filter", JSONB, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", UTC_TIME, nullable=False),
    sa.Index("queues_of_subject", "subject", postgresql_where=sa.text("subject IS NOT NULL")),
    sa.Index("queues_of_team", "team", postgresql_where=sa.text("team IS NOT NULL")),
)
improvements = sa.Table(
    "improvements",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("promise", sa.Text),
    sa.Column("component", sa.Text, nullable=False),
    sa.Column("because", sa.Text),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("due", UTC_TIME, nullable=False),
    sa.Column("done_at", UTC_TIME),
    sa.Column("days", sa.Integer, nullable=False, comment="before and after it, of which verdicts are counted"),
    sa.Column("before_decided", sa.Integer),
    sa.Column("before_broken", sa.Integer),
    sa.Column("after_decided", sa.Integer),
    sa.Column("after_broken", sa.Integer),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", UTC_TIME, nullable=False),
    sa.Column("fingerprint", BYTEA, nullable=False),
)
tallies = sa.Table(
    "tallies",
    metadata,
    sa.Column("promise", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True, comment="of UTC, on which the commitments fell due"),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("decided", sa.BigInteger, nullable=False, comment="kept or broken, by their latest verdicts"),
    sa.Column("broken", sa.BigInteger, nullable=False),
)
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("ordinal", sa.BigInteger, primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("incarnation", sa.Integer, nullable=False),
    sa.Column("seq", sa.BigInteger, comment="counts what goes to makegood.recovery; touchpoints have none"),
    sa.Column("at", UTC_TIME, nullable=False),
    sa.Column("body", BYTEA, nullable=False),
)
webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("types", sa.ARRAY(sa.Text), nullable=False, comment="which facts it is told; * is any run of characters"),
    sa.Column("secret", BYTEA, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", UTC_TIME, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
)
deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, comment="message, notice, webhook"),
    sa.Column("about", sa.Uuid, nullable=False, comment="the message, the case, or the webhook"),
    sa.Column("mail", sa.Uuid, nullable=False, comment="what goes out together"),
    sa.Column("case_id", sa.Uuid, nullable=False),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("target", sa.Text, nullable=False, comment="the customer's address, or who of the company"),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("body", BYTEA, nullable=False),
    sa.Column("due", UTC_TIME, nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="waiting, sent, failed, discarded"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_at", UTC_TIME, nullable=False, server_default=sa.text("now()"), comment="nobody tries it before"),
    sa.Column("settled_at", UTC_TIME),
    sa.Column("reason", sa.Text, comment="why the last attempt failed"),
    sa.Index("deliveries_waiting", "due", postgresql_where=sa.text("state = 'waiting'::text")),
    sa.Index("deliveries_of_customer", "customer"),
    sa.Index("deliveries_about", "about"),
    sa.Index("deliveries_of_mail", "mail"),
)
mass_failures = sa.Table(
    "mass_failures",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False, comment="number of acts"),
    sa.Column("state", sa.Text, nullable=False, comment="open, closed"),
    sa.Column("declared_at", UTC_TIME, nullable=False),
    sa.Column("since", UTC_TIME, nullable=False, comment="failures before it do not belong"),
    sa.Column("until", UTC_TIME, comment="nor those from then on; NULL: it goes on"),
    sa.Column("promises", ARRAY(sa.Text), nullable=False, comment="one of which failed; empty: any"),
    sa.Column("components", ARRAY(sa.Text), nullable=False),
    sa.Column("segments", ARRAY(sa.Text), nullable=False),
    sa.Column("fold", JSONB, nullable=False, comment="the whole of it as its acts make it"),
    sa.Column("digest", BYTEA, nullable=False, comment="of the last act of its audit trail"),
    sa.Column("fingerprint", BYTEA, nullable=False),
    sa.Index("mass_failures_open", "declared_at", "id", postgresql_where=sa.text("state = 'open'::text")),
)
mass_acts = sa.Table(
    "mass_acts",
    metadata,
    sa.Column("mass_failure", sa.Uuid, sa.ForeignKey(mass_failures.c.id), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", UTC_TIME, nullable=False),
    sa.Column("content", JSONB, nullable=False),
    sa.Column("payload", JSONB, nullable=False),
    sa.Column("payload_digest", BYTEA, nullable=False),
    sa.Column("digest", BYTEA, nullable=False),
)
mass_members = sa.Table(
    "mass_members",
    metadata,
    sa.Column("mass_failure", sa.Uuid, sa.ForeignKey(mass_failures.c.id), primary_key=True),
    sa.Column("case_id", sa.Uuid, sa.ForeignKey(cases.c.id), primary_key=True),
    sa.Column("inside", sa.Boolean, nullable=False, comment="false: somebody took it out, and no rule puts it in again"),
    sa.Index("mass_failures_of_case", "case_id"),
)
bulk_runs = sa.Table(
    "bulk_runs",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("act", sa.Text, nullable=False, comment="of the table of acts"),
    sa.Column("needs", JSONB, nullable=False, comment="what it needs, the same for all cases; empty once it has ended"),
    sa.Column("within", sa.Interval, comment="what it makes is due so long after it is done in a case"),
    sa.Column("made_by", sa.Uuid, comment="the earlier run whose thing in each case it is about"),
    sa.Column("mass_failure", sa.Uuid, comment="whose members it is done to, those too that join later"),
    sa.Column("subject", sa.Text, nullable=False, comment="who does it"),
    sa.Column("roles", ARRAY(sa.Text), nullable=False, comment="theirs, as their token said"),
    sa.Column("teams", ARRAY(sa.Text), nullable=False),
    sa.Column("at", UTC_TIME, nullable=False, server_default=sa.text("clock_timestamp()")),
    sa.Column("finished_at", UTC_TIME, comment="NULL while it, or its mass failure, goes on"),
    sa.Column("fingerprint", BYTEA, nullable=False),
    sa.Index("bulk_runs_going_on", "at", "id", postgresql_where=sa.text("finished_at IS NULL")),
    sa.Index("bulk_runs_of_mass_failure", "mass_failure", "at"),
)
bulk_items = sa.Table(
    "bulk_items",
    metadata,
    sa.Column("run", sa.Uuid, sa.ForeignKey(bulk_runs.c.id), primary_key=True),
    sa.Column("case_id", sa.Uuid, primary_key=True),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("seen", sa.Integer, comment="the version that it was decided on; NULL: whichever it is"),
    sa.Column("state", sa.Text, nullable=False, comment="waiting, done, refused"),
    sa.Column("reason", sa.Text, comment="why it was refused"),
    sa.Index("bulk_items_waiting", "run", "partition", postgresql_where=sa.text("state = 'waiting'::text")),
)
attachment_chunks = sa.Table(
    "attachment_chunks",
    metadata,
    sa.Column("attachment", sa.Uuid, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("body", BYTEA, nullable=False),
    sa.Index("attachment_chunks_of_customer", "customer"),
)
erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("customer", sa.Uuid, primary_key=True),
    sa.Column("at", UTC_TIME, nullable=False),
)
creations = sa.Table(
    "creations",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", BYTEA, nullable=False),
    sa.Column("case_id", sa.Uuid, sa.ForeignKey(cases.c.id), comment="NULL where what was created belongs to no case"),
    sa.Column("version", sa.Integer, nullable=False, comment="of what the stored answer shows"),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("body", BYTEA, nullable=False),
    sa.Column("at", UTC_TIME, nullable=False, server_default=sa.text("now()")),
    sa.Index("creations_of_case", "case_id"),
    sa.Index("creations_by_age", "at"),
)
