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
        "conflicts",
        sa.Column("event", sa.Uuid(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False, comment="whom the event went to"),
        sa.Column("other", sa.Uuid(), nullable=False, comment="another person that the event names"),
        sa.Column("arrival", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided", sa.Text(), nullable=True, comment="same or other, as was said since; NULL: nobody has said so yet"),
        sa.PrimaryKeyConstraint("event", "customer", "other"),
    )
    op.create_index("conflicts_of_customer", "conflicts", ["customer"], unique=False)
    op.create_index("conflicts_of_other", "conflicts", ["other"], unique=False)
    op.create_table(
        "customers",
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("joined", sa.Uuid(), nullable=True, comment="the person this provisional customer turned out to be"),
        sa.Column(
            "person",
            sa.Uuid(),
            nullable=True,
            comment="the same for all customers that are one person, the least of their keys; NULL: only this one",
        ),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("customers_of_person", "customers", ["person"], unique=False, postgresql_where=sa.text("person IS NOT NULL"))
    op.create_index("customers_joined", "customers", ["joined"], unique=False, postgresql_where=sa.text("joined IS NOT NULL"))
    op.create_table(
        "erasures",
        sa.Column("customer", sa.Uuid(), nullable=False, comment="a key of somebody who was erased"),
        sa.Column("person", sa.Uuid(), nullable=False, comment="the key that was asked for; those of one person share it"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), nullable=False, comment="the lane's arrival: nothing of the customer is read behind it"
        ),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "work", postgresql.BYTEA(), nullable=True, comment="JSON of what is left to do, the identifiers among it; NULL once nothing is"
        ),
        sa.Column("emptied", sa.BigInteger(), server_default="0", nullable=False, comment="events and facts emptied so far"),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("promises_at", sa.DateTime(timezone=True), nullable=True, comment="when promises said that it has erased its part"),
        sa.Column("recovery_at", sa.DateTime(timezone=True), nullable=True, comment="when recovery said so"),
        sa.PrimaryKeyConstraint("customer"),
    )
    op.create_index("erasures_of_person", "erasures", ["person"], unique=False)
    op.create_index("erasures_under_way", "erasures", ["asked_at"], unique=False, postgresql_where=sa.text("work IS NOT NULL"))
    op.create_table(
        "backfills",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="when it was said to be complete; NULL: it is under way"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "backfilled",
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("backfill", sa.Uuid(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False, comment="who is held for it there"),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("lane", "backfill", "customer"),
    )
    op.create_table(
        "erased",
        sa.Column("identifier", sa.Uuid(), nullable=False, comment="keyed hash of an identifier of an erased customer"),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("identifier"),
    )
    op.create_table(
        "erasure_key",
        sa.Column("only", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("key", postgresql.BYTEA(), nullable=False, comment="32 random bytes"),
        sa.PrimaryKeyConstraint("only"),
    )
    op.create_table(
        "event_types",
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", postgresql.BYTEA(), comment="JSON of the EventType document; NULL: retired by this version"),
        sa.PrimaryKeyConstraint("type", "version"),
    )
    op.create_table(
        "facts",
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="of the pack that holds them"),
        sa.Column("place", sa.SmallInteger(), nullable=False, comment="of the first of them in the pack"),
        sa.Column("number", sa.SmallInteger(), nullable=False, comment="how many facts of one customer and time follow each other there"),
        sa.Column(
            "said",
            postgresql.BYTEA(),
            nullable=True,
            comment="of promises: 8 bytes a fact, which commitment it is of and what it says",
        ),
    )
    op.create_index("facts_of_customer", "facts", ["customer", "time"], unique=False)
    op.create_table(
        "feed_standings",
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column(
            "caught_up", sa.DateTime(timezone=True), nullable=True, comment="when it was seen last to have sent on everything there was"
        ),
        sa.Column("trouble", sa.Text(), nullable=True, comment="what keeps it from reading; NULL: nothing does"),
        sa.PrimaryKeyConstraint("feed"),
    )
    op.create_table(
        "feeds",
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", postgresql.BYTEA(), comment="JSON of the Feed document; NULL: retired by this version"),
        sa.PrimaryKeyConstraint("feed", "version"),
    )
    op.create_table(
        "identifiers",
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("person", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("identifier"),
    )
    op.create_index("identifiers_of_customer", "identifiers", ["customer"], unique=False)
    op.create_table(
        "identity_epoch",
        sa.Column("only", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False, comment="moves whenever an identifier changes its customer"),
        sa.PrimaryKeyConstraint("only"),
    )
    op.create_table(
        "journal",
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False, comment="counts a lane's effects"),
        sa.Column("partition", sa.SmallInteger(), nullable=False, comment="of makegood.journey"),
        sa.Column("incarnation", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="counts per lane and partition"),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("event", sa.Uuid(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arrival", sa.DateTime(timezone=True), nullable=False),
        sa.Column("copied", sa.Boolean(), nullable=False, comment="evidence for another key of the same person"),
        sa.Column(
            "body",
            postgresql.BYTEA(),
            nullable=True,
            comment="the record as published; the only place of personal payload, NULL once erased",
        ),
        sa.PrimaryKeyConstraint("lane", "ordinal"),
    )
    op.create_index("journal_of_customer", "journal", ["customer", "time"], unique=False)
    op.create_table(
        "packs",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="offset of the first fact in it"),
        sa.Column("bodies", postgresql.BYTEA(), nullable=False, comment="facts of promises or recovery as they were read, packed"),
        sa.PrimaryKeyConstraint("topic", "partition", "position"),
    )
    op.execute("ALTER TABLE packs ALTER COLUMN bodies SET STORAGE EXTERNAL")
    op.create_table(
        "picture_documents",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "document", postgresql.BYTEA(), nullable=True, comment="JSON of a JourneyMap or a Relationship; NULL: retired by this version"
        ),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "version"),
    )
    op.create_table(
        "picture_dirty",
        sa.Column("customer", sa.Uuid(), nullable=False, comment="whose picture has to be made anew"),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="counts as they were met"),
        sa.PrimaryKeyConstraint("customer"),
    )
    op.create_index("picture_dirty_in_order", "picture_dirty", ["number"], unique=False)
    op.create_table(
        "picture_items",
        sa.Column("list", sa.Text(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("event", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("further", postgresql.BYTEA(), nullable=False, comment="JSON; nothing personal"),
        sa.PrimaryKeyConstraint("list", "customer", "event"),
    )
    op.create_index("picture_items_by_time", "picture_items", ["list", "time", "customer", "event"], unique=False)
    op.create_index("picture_items_of_topic", "picture_items", ["list", "topic", "time", "customer", "event"], unique=False)
    op.create_index("picture_items_of_customer", "picture_items", ["customer"], unique=False)
    op.create_table(
        "pictures",
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("again", sa.DateTime(timezone=True), nullable=True, comment="when time alone changes it"),
        sa.Column("tally", postgresql.BYTEA(), nullable=False, comment="JSON: the customer's part in each total"),
        sa.PrimaryKeyConstraint("customer"),
    )
    op.create_index("pictures_by_time", "pictures", ["again"], unique=False)
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
        "projections",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "pointers",
            postgresql.BYTEA(),
            server_default="{}",
            nullable=False,
            comment="JSON: how far each lane and partition of facts was read",
        ),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "quarantine",
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="offset of the raw record"),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("arrival", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", postgresql.BYTEA(), nullable=True),
        sa.Column("value", postgresql.BYTEA(), nullable=True, comment="the original bytes"),
        sa.Column("headers", postgresql.BYTEA(), nullable=False, comment="JSON list of [name, hexadecimal value]"),
        sa.PrimaryKeyConstraint("lane", "position"),
    )
    op.create_index("quarantine_by_arrival", "quarantine", ["arrival"], unique=False)
    op.create_index("quarantine_of_lane", "quarantine", ["lane", "ordinal"], unique=False)
    op.create_table(
        "seen",
        sa.Column("day", sa.Date(), nullable=False, comment="UTC day of event time"),
        sa.Column("event", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "event"),
    )
    op.create_table(
        "tallies",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "status_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=True, comment="IANA name of the customer's zone, where whoever made the link said so"),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_by", sa.Text(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("status_links_of_customer", "status_links", ["customer"], unique=False)
    _identity()
    op.create_table(
        "topology",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partitions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("topic"),
    )
    op.execute("INSERT INTO identity_epoch (epoch) VALUES (0)")
    op.execute("INSERT INTO erasure_key (key) SELECT sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'))")
    _indicators()


def _identity() -> None:
    op.create_table(
        "holdings",
        sa.Column("thing", sa.Uuid(), nullable=False, comment="key of a thing that many hold; its own events are journalled under it"),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False, comment="time of the first event that names both"),
        sa.PrimaryKeyConstraint("thing", "customer"),
    )
    op.create_index("holdings_of_customer", "holdings", ["customer"], unique=False)
    op.create_table(
        "statements",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="counts statements as they were applied"),
        sa.Column("one", sa.Uuid(), nullable=False),
        sa.Column("other", sa.Uuid(), nullable=False),
        sa.Column("same", sa.Boolean(), nullable=True, comment="whether they are one person; NULL: it says nothing of persons"),
        sa.Column("kind", sa.Text(), nullable=False, comment="type of the event"),
        sa.Column("event", sa.Uuid(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False, comment="of the event; the latest word on two customers counts"),
        sa.Column("arrival", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("said", postgresql.BYTEA(), nullable=True, comment="JSON of the event's id, subject and data; NULL once erased"),
        sa.PrimaryKeyConstraint("number", "one", "other"),
    )
    op.create_index("statements_of_one", "statements", ["one"], unique=False)
    op.create_index("statements_of_other", "statements", ["other"], unique=False)


def _indicators() -> None:
    op.create_table(
        "principles",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", postgresql.BYTEA(), nullable=True, comment="JSON of the Principle document; NULL: retired by this version"),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version"),
    )
    op.create_table(
        "promise_documents",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="as promises numbers it"),
        sa.Column("document", postgresql.BYTEA(), nullable=False, comment="JSON of the Promise document"),
        sa.Column("retired_from", sa.DateTime(timezone=True), nullable=True, comment="made to nobody any more, from then on"),
        sa.PrimaryKeyConstraint("name", "version"),
    )
    op.create_table(
        "indicator_commitments",
        sa.Column("commitment", sa.Uuid(), nullable=False),
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("verdict", sa.Integer(), nullable=False),
        sa.Column("warned", sa.Boolean(), nullable=False, comment="a warning was said behind that verdict"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, comment="of the latest word"),
        sa.Column("grp", sa.Integer(), nullable=False),
        sa.Column("quarter", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("priced", sa.Uuid(), nullable=False, comment="what a price would be told under"),
        sa.PrimaryKeyConstraint("commitment"),
    )
    op.create_index("indicator_commitments_priced", "indicator_commitments", ["customer", "priced"])
    op.create_table(
        "indicator_contacts",
        sa.Column("customer", sa.Uuid(), nullable=False),
        sa.Column("contact", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("begun", sa.DateTime(timezone=True), nullable=True),
        sa.Column("greeted", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first", sa.Boolean(), nullable=False, comment="counted as the person's first one"),
        sa.Column("under", sa.Uuid(), nullable=False, comment="the least of the keys of one person with which it counts as one"),
        sa.PrimaryKeyConstraint("customer", "contact"),
    )
    op.create_index("indicator_contacts_begun", "indicator_contacts", ["customer", "begun", "contact"])
    op.create_index("indicator_contacts_under", "indicator_contacts", ["under", "contact"])
    op.create_index("indicator_contacts_first", "indicator_contacts", ["customer"], postgresql_where=sa.text("first"))
    op.create_table(
        "indicator_counts",
        sa.Column("grp", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "quarter", sa.Integer(), autoincrement=False, nullable=False, comment="quarter of an hour since 1970, UTC; -1: all of them"
        ),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("grp", "quarter", "what"),
    )
    op.create_table(
        "indicator_groups",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="commitment, contact or pulse"),
        sa.Column("named", sa.Text(), nullable=False, comment="JSON of what the counted units have in common"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "named"),
    )
    op.create_table(
        "indicator_prices",
        sa.Column("key", sa.Uuid(), nullable=False, comment="customer, promise and correlation"),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.Uuid(), nullable=False),
        sa.Column("cost", sa.Double(), nullable=False, comment="beyond the ordinary course"),
        sa.PrimaryKeyConstraint("key"),
    )
