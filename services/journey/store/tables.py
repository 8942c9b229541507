"""The tables of schema `journey`; the rows that are appended to them stand in `rows`.

`journal`, `quarantine` and `quarantine_acts` are append-only; only erasing a person empties what is personal in them.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import BYTEA

from services.chassis.apikeys import api_keys_table
from services.chassis.progress import progress_table
from services.chassis.topics import topology_table

metadata = sa.MetaData()
UTC_TIME = sa.DateTime(timezone=True)

progress = progress_table(metadata)
journal = sa.Table(
    "journal",
    metadata,
    sa.Column("lane", sa.Text, primary_key=True),
    sa.Column("ordinal", sa.BigInteger, primary_key=True, comment="counts a lane's effects"),
    sa.Column("partition", sa.SmallInteger, nullable=False, comment="of makegood.journey"),
    sa.Column("incarnation", sa.Integer, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False, comment="counts per lane and partition"),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("event", sa.Uuid, nullable=False),
    sa.Column("time", UTC_TIME, nullable=False),
    sa.Column("arrival", UTC_TIME, nullable=False),
    sa.Column("copied", sa.Boolean, nullable=False, comment="evidence for another key of the same person"),
    sa.Column("body", BYTEA, comment="the record as published; the only place of personal payload, NULL once erased"),
    sa.Index("journal_of_customer", "customer", "time"),
)
seen = sa.Table(
    "seen",
    metadata,
    sa.Column("day", sa.Date, primary_key=True, comment="UTC day of event time"),
    sa.Column("event", sa.Uuid, primary_key=True),
    sa.Column("digest", sa.BigInteger, nullable=False),
)
quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("lane", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, comment="offset of the raw record"),
    sa.Column("ordinal", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("source", sa.Text),
    sa.Column("arrival", UTC_TIME, nullable=False),
    sa.Column("key", BYTEA),
    sa.Column("value", BYTEA, comment="the original bytes"),
    sa.Column("headers", BYTEA, nullable=False, comment="JSON list of [name, hexadecimal value]"),
    sa.Column("held", sa.ARRAY(sa.Uuid), nullable=False, server_default="{}", comment="customers who got its hold"),
    sa.Index("quarantine_of_lane", "lane", "ordinal"),
    sa.Index("quarantine_by_arrival", "arrival"),
)
quarantine_acts = sa.Table(
    "quarantine_acts",
    metadata,
    sa.Column("lane", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    sa.Column("act", sa.Text, nullable=False, comment="release or dismiss"),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", UTC_TIME, nullable=False),
    sa.Column("reason", sa.Text, comment="why it was dismissed"),
    sa.Column("event", BYTEA, comment="JSON of the corrected event; NULL where the original was released, and once erased"),
    sa.Column("answer", BYTEA, nullable=False, comment="JSON of what came of it; names customers by key only"),
)
customers = sa.Table(
    "customers",
    metadata,
    sa.Column("key", sa.Uuid, primary_key=True),
    sa.Column("provisional", sa.Boolean, nullable=False),
    sa.Column("joined", sa.Uuid, comment="the person this provisional customer turned out to be"),
    sa.Column("person", sa.Uuid, comment="the same for all customers that are one person, the least of their keys; NULL: only this one"),
    sa.Column("since", UTC_TIME, nullable=False),
    sa.Index("customers_joined", "joined", postgresql_where=sa.text("joined IS NOT NULL")),
    sa.Index("customers_of_person", "person", postgresql_where=sa.text("person IS NOT NULL")),
)
identifiers = sa.Table(
    "identifiers",
    metadata,
    sa.Column("identifier", sa.Text, primary_key=True),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("person", sa.Boolean, nullable=False),
    sa.Index("identifiers_of_customer", "customer"),
)
holdings = sa.Table(
    "holdings",
    metadata,
    sa.Column("thing", sa.Uuid, primary_key=True, comment="key of a thing that many hold; its own events are journalled under it"),
    sa.Column("customer", sa.Uuid, primary_key=True),
    sa.Column("since", UTC_TIME, nullable=False, comment="time of the first event that names both"),
    sa.Index("holdings_of_customer", "customer"),
)
statements = sa.Table(
    "statements",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False, comment="counts statements as they were applied"),
    sa.Column("one", sa.Uuid, primary_key=True),
    sa.Column("other", sa.Uuid, primary_key=True),
    sa.Column("same", sa.Boolean, comment="whether they are one person; NULL: it says nothing of persons"),
    sa.Column("kind", sa.Text, nullable=False, comment="type of the event"),
    sa.Column("event", sa.Uuid, nullable=False),
    sa.Column("time", UTC_TIME, nullable=False, comment="of the event; the latest word on two customers counts"),
    sa.Column("arrival", UTC_TIME, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("said", BYTEA, comment="JSON of the event's id, subject and data; NULL once erased"),
    sa.Index("statements_of_one", "one"),
    sa.Index("statements_of_other", "other"),
)
backfills = sa.Table(
    "backfills", metadata, sa.Column("id", sa.Uuid, primary_key=True),
    *(sa.Column(each, sa.Text, nullable=False) for each in ("source", "reason", "by")), sa.Column("asked_at", UTC_TIME, nullable=False),
    sa.Column("ended_at", UTC_TIME, comment="when it was said to be complete; NULL: it is under way"),
)  # fmt: skip
backfilled = sa.Table(
    "backfilled", metadata, sa.Column("lane", sa.Text, primary_key=True), sa.Column("backfill", sa.Uuid, primary_key=True),
    sa.Column("customer", sa.Uuid, primary_key=True, comment="who is held for it there"), sa.Column("since", UTC_TIME, nullable=False),
)  # fmt: skip
erased = sa.Table(
    "erased", metadata, sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("identifier", sa.Uuid, primary_key=True, comment="keyed hash of an identifier of an erased customer"),
)  # fmt: skip
conflicts = sa.Table(
    "conflicts",
    metadata,
    sa.Column("event", sa.Uuid, primary_key=True),
    sa.Column("customer", sa.Uuid, primary_key=True, comment="whom the event went to"),
    sa.Column("other", sa.Uuid, primary_key=True, comment="another person that the event names"),
    sa.Column("arrival", UTC_TIME, nullable=False),
    sa.Column("decided", sa.Text, comment="same or other, as was said since; NULL: nobody has said so yet"),
    sa.Index("conflicts_of_customer", "customer"),
    sa.Index("conflicts_of_other", "other"),
)
identity_epoch = sa.Table(
    "identity_epoch", metadata, sa.Column("only", sa.Boolean, primary_key=True, server_default="true"),
    sa.Column("epoch", sa.BigInteger, nullable=False, comment="moves whenever what a lane remembers may no longer be so"),
)  # fmt: skip


def _published() -> list[sa.Column[Any]]:
    """Who published a version, or retired by it, and when."""
    return [sa.Column("published_at", UTC_TIME, nullable=False), sa.Column("published_by", sa.Text, nullable=False)]


event_types = sa.Table(
    "event_types",
    metadata,
    sa.Column("type", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("document", BYTEA, comment="JSON of the EventType document; NULL: retired by this version"),
    *_published(),
)
sources = sa.Table(
    "sources",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("document", BYTEA, comment="JSON of the Source document; NULL: retired by this version"),
    *_published(),
)
principles = sa.Table(
    "principles",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("document", BYTEA, comment="JSON of the Principle document; NULL: retired by this version"),
    sa.Column("published_at", UTC_TIME, nullable=False),
    sa.Column("published_by", sa.Text, nullable=False),
)
promise_documents = sa.Table(
    "promise_documents",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, comment="as promises numbers it"),
    sa.Column("document", BYTEA, nullable=False, comment="JSON of the Promise document"),
    sa.Column("retired_from", UTC_TIME, comment="made to nobody any more, from then on"),
)
feeds = sa.Table(
    "feeds",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("document", BYTEA, comment="JSON of the Feed document; NULL: retired by this version"),
    *_published(),
)
feed_standings = sa.Table(
    "feed_standings",
    metadata,
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("caught_up", UTC_TIME, comment="when it was seen last to have sent on everything there was"),
    sa.Column("trouble", sa.Text, comment="what keeps it from reading; NULL: nothing does"),
)
indicator_groups = sa.Table(
    "indicator_groups",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False, comment="commitment, contact or pulse"),
    sa.Column("named", sa.Text, nullable=False, comment="JSON of what the counted units have in common"),
    sa.UniqueConstraint("kind", "named"),
)
indicator_counts = sa.Table(
    "indicator_counts",
    metadata,
    sa.Column("grp", sa.Integer, primary_key=True),
    sa.Column("quarter", sa.Integer, primary_key=True, comment="quarter of an hour since 1970, UTC; -1: all of them"),
    sa.Column("what", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)
indicator_commitments = sa.Table(
    "indicator_commitments",
    metadata,
    sa.Column("commitment", sa.Uuid, primary_key=True),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("verdict", sa.Integer, nullable=False),
    sa.Column("warned", sa.Boolean, nullable=False, comment="a warning was said behind that verdict"),
    sa.Column("at", UTC_TIME, nullable=False, comment="of the latest word"),
    sa.Column("grp", sa.Integer, nullable=False),
    sa.Column("quarter", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("priced", sa.Uuid, nullable=False, comment="what a price would be told under"),
    sa.Index("indicator_commitments_priced", "customer", "priced"),
)
indicator_prices = sa.Table(
    "indicator_prices",
    metadata,
    sa.Column("key", sa.Uuid, primary_key=True, comment="customer, promise and correlation"),
    sa.Column("time", UTC_TIME, nullable=False),
    sa.Column("event", sa.Uuid, nullable=False),
    sa.Column("cost", sa.Double, nullable=False, comment="beyond the ordinary course"),
)
indicator_contacts = sa.Table(
    "indicator_contacts",
    metadata,
    sa.Column("customer", sa.Uuid, primary_key=True),
    sa.Column("contact", sa.Uuid, primary_key=True),
    sa.Column("channel", sa.Text),
    *(sa.Column(name, UTC_TIME) for name in ("begun", "greeted", "attended", "ended")),
    sa.Column("first", sa.Boolean, nullable=False, comment="counted as the person's first one"),
    sa.Column("under", sa.Uuid, nullable=False, comment="the least of the keys of one person with which it counts as one"),
    sa.Index("indicator_contacts_begun", "customer", "begun", "contact"),
    sa.Index("indicator_contacts_under", "under", "contact"),
    sa.Index("indicator_contacts_first", "customer", postgresql_where=sa.text("first")),
)
attributes = sa.Table(
    "attributes",
    metadata,
    sa.Column("customer", sa.Uuid, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", BYTEA, comment="JSON; NULL: removed, or erased"),
    sa.Column("time", UTC_TIME, nullable=False, comment="of the event that said so; a later one wins"),
    sa.Column("event", sa.Uuid, nullable=False, comment="of two at one time the greater wins, whichever came first"),
)
packs = sa.Table(
    "packs",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.SmallInteger, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, comment="offset of the first fact in it"),
    sa.Column("bodies", BYTEA, nullable=False, comment="facts of promises or recovery as they were read, packed"),
)
facts = sa.Table(
    "facts",
    metadata,
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("time", UTC_TIME, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.SmallInteger, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False, comment="of the pack that holds them"),
    sa.Column("place", sa.SmallInteger, nullable=False, comment="of the first of them in the pack"),
    sa.Column("number", sa.SmallInteger, nullable=False, comment="how many facts of one customer and time follow each other there"),
    sa.Column("said", BYTEA, comment="of promises: 8 bytes a fact, which commitment it is of and what it says"),
    sa.Index("facts_of_customer", "customer", "time"),
)
projections = sa.Table(
    "projections",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("pointers", BYTEA, nullable=False, server_default="{}", comment="JSON: how far each lane and partition of facts was read"),
)
erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("customer", sa.Uuid, primary_key=True, comment="a key of somebody who was erased"),
    sa.Column("person", sa.Uuid, nullable=False, comment="the key that was asked for; those of one person share it"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", UTC_TIME, nullable=False, comment="the lane's arrival: nothing of the customer is read behind it"),
    sa.Column("asked_at", UTC_TIME, nullable=False),
    sa.Column("work", BYTEA, comment="JSON of what is left to do, the identifiers among it; NULL once nothing is"),
    sa.Column("emptied", sa.BigInteger, nullable=False, server_default="0", comment="events and facts emptied so far"),
    sa.Column("done_at", UTC_TIME),
    sa.Column("promises_at", UTC_TIME, comment="when promises said that it has erased its part"),
    sa.Column("recovery_at", UTC_TIME, comment="when recovery said so"),
    sa.Index("erasures_of_person", "person"),
    sa.Index("erasures_under_way", "asked_at", postgresql_where=sa.text("work IS NOT NULL")),
)
erasure_key = sa.Table(
    "erasure_key",
    metadata,
    sa.Column("only", sa.Boolean, primary_key=True, server_default="true"),
    sa.Column("key", BYTEA, nullable=False, comment="32 random bytes"),
)
status_links = sa.Table(
    "status_links",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("customer", sa.Uuid, nullable=False),
    sa.Column("zone", sa.Text, comment="IANA name of the customer's zone, where whoever made the link said so"),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("made_at", UTC_TIME, nullable=False),
    sa.Column("expires", UTC_TIME, nullable=False),
    sa.Column("revoked_by", sa.Text),
    sa.Column("revoked_at", UTC_TIME),
    sa.Index("status_links_of_customer", "customer"),
)
picture_documents = sa.Table(
    "picture_documents",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("document", BYTEA, comment="JSON of a JourneyMap or a Relationship; NULL: retired by this version"),
    sa.Column("published_at", UTC_TIME, nullable=False),
    sa.Column("published_by", sa.Text, nullable=False),
)
picture_dirty = sa.Table(
    "picture_dirty",
    metadata,
    sa.Column("customer", sa.Uuid, primary_key=True, comment="whose picture has to be made anew"),
    sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False, comment="counts as they were met"),
    sa.Index("picture_dirty_in_order", "number"),
)
pictures = sa.Table(
    "pictures",
    metadata,
    sa.Column("customer", sa.Uuid, primary_key=True),
    sa.Column("again", UTC_TIME, comment="when time alone changes it"),
    sa.Column("tally", BYTEA, nullable=False, comment="JSON: the customer's part in each total"),
    sa.Index("pictures_by_time", "again"),
)
picture_items = sa.Table(
    "picture_items",
    metadata,
    sa.Column("list", sa.Text, primary_key=True),
    sa.Column("customer", sa.Uuid, primary_key=True),
    sa.Column("event", sa.Uuid, primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("time", UTC_TIME, nullable=False),
    sa.Column("owner", sa.Text),
    sa.Column("further", BYTEA, nullable=False, comment="JSON; nothing personal"),
    sa.Index("picture_items_by_time", "list", "time", "customer", "event"),
    sa.Index("picture_items_of_topic", "list", "topic", "time", "customer", "event"),
    sa.Index("picture_items_of_customer", "customer"),
)
tallies = sa.Table(
    "tallies",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
topology = topology_table(metadata)
api_keys = api_keys_table(metadata)
