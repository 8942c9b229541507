"""Events of the journey service, and the touchpoints that other systems send it."""

from typing import Final, Literal
from uuid import UUID

from pydantic import Field

from contracts import topics
from contracts.envelope import Envelope, EventType, JourneyEvent, Marker, Model, NumberedFact, Tick, Time, Touchpoint, example

SOURCE: Final = "makegood/journey"


class LaneProgress(Model):
    """One raw lane's progress, told to one partition of `makegood.journey`."""

    lane: str = Field(pattern=r"^[a-z]+/\d+$", description="raw topic's short name and partition, such as `touchpoints/3`")
    lanes: int = Field(ge=1, description="how many lanes there are in all; the barrier waits for each")
    incarnation: int = Field(ge=1, description="counts restorations of journey's database; numbers begin anew with each")
    seq: int = Field(ge=0, description="the last number of this lane in this partition; 0 where there is none yet")
    arrival: Time = Field(description="every arrival of the lane up to here has been applied")
    sources: dict[str, Time] | None = Field(
        default=None, description="the last arrival in this lane of each declared source; left out where none is known"
    )


class JourneyFact(NumberedFact):
    """Something that journey itself has to say, numbered and in order among the customer's events."""

    recordedtime: Time = Field(description="the lane's arrival when it was said")
    evidenceonly: bool = Field(default=False, description="told to another key of the same person, too")
    kinship: int | None = Field(default=None, description="as of every evidence of another key")
    retracted: bool = Field(default=False, description="as of every evidence of another key: it is so no longer")


class Heartbeat(Envelope):
    """A sign of life of a company system; needs no subject and no time."""


class Described(Model):
    """What a company system knows of a customer."""

    attributes: dict[str, str | int | float | bool | None] = Field(
        min_length=1, max_length=32, description="values by name; null removes; of two events the later one counts, by event time"
    )


class WhoIsWhom(Model):
    """What a trusted source says of identifiers: that the subject's customer and theirs are one person, or are not."""

    identifiers: list[str] = Field(min_length=1, max_length=16, description="the other identifiers, beside `subject`")
    reason: str | None = Field(default=None, description="why")
    by: str | None = Field(default=None, description="who decided it")


RECORD = r"^[a-z]+/\d+/[0-9a-f-]+$"


class Bracket(Model):
    """Where the history of one source begins or ends in a lane."""

    backfill: UUID = Field(description="its id, which its events carry as the extension attribute `backfill`")
    source: str = Field(description="`source` of all of its events")


class Held(Model):
    """A record that names the customer and could not be taken."""

    record: str = Field(pattern=RECORD, description="lane and offset, such as `touchpoints/3/4711`; of a backfill lane and its id")
    reason: str = Field(description="why it could not be taken, as a slug")
    arrival: Time = Field(description="when it arrived: what depends on this customer is held from then on")
    source: str | None = Field(default=None, description="the system that sent it, as far as it could be read")
    type: str | None = Field(default=None, description="its type, as far as it could be read; none: it may be of any")


class Unheld(Model):
    """What an operator did about a record that could not be taken."""

    record: str = Field(pattern=RECORD, description="as the hold named it; of one that was never held it changes nothing")
    how: Literal["released", "dismissed", "complete"] = Field(
        description="whether it was taken after all, in which case its event came before this; `complete`: all of a backfill is there"
    )
    arrival: Time = Field(description="when it had arrived")
    until: Time = Field(description="the lane's arrival when it was settled: the end of the interval in which it was not read")


class SourceStanding(Model):
    """How a declared source stands."""

    source: str = Field(description="`source` of its events")
    since: Time = Field(description="when its silence passed its heartbeat, or when it was heard again")
    last: Time = Field(description="its last arrival known")


class Unheard(Model):
    """For how long one lane had not heard a declared source; it was silent where no lane heard it."""

    source: str = Field(description="`source` of its events")
    lane: str = Field(pattern=r"^[a-z]+/\d+$", description="the lane that hears it again")
    since: Time | None = Field(description="its last arrival in this lane before that; none: it was never heard there")
    until: Time = Field(description="its arrival now")


class SourceRetired(Model):
    """A source that nobody waits for any more."""

    source: str = Field(description="`source` of its events")


class CustomerErased(Model):
    """Somebody is to be forgotten."""

    reason: str = Field(description="why, as a slug; whoever asked is in journey's own audit")


_CUSTOMER: Final = "6b2b4c0e-5a53-5d0c-9c0a-0c7f5f8f2a11"
_PLACED = example(
    "order.placed",
    "shop/orders",
    "order-4711-placed",
    subject="crm:4711",
    time="2026-01-31T08:30:00.000Z",
    datacontenttype="application/json",
    data={"order": "4711", "total": 59.9},
)

EVENTS: Final = (
    EventType(
        name="touchpoint",
        topic=topics.TOUCHPOINTS,
        envelope=Touchpoint,
        data=None,
        any_type=True,
        meaning="Something happened to a customer; any type that does not begin with `makegood.`",
        example=_PLACED,
    ),
    EventType(
        name="journey-event",
        topic=topics.JOURNEY,
        envelope=JourneyEvent,
        data=None,
        any_type=True,
        meaning="A touchpoint that was accepted, deduplicated and attributed to a customer; its type is the emitter's.",
        example=_PLACED | {"customer": _CUSTOMER, "recordedtime": "2026-01-31T08:30:01.250Z", "customerattributes": '{"tier":"gold"}'},
    ),
    EventType(
        name="customer.described",
        topic=topics.TOUCHPOINTS,
        envelope=Touchpoint,
        data=Described,
        meaning="A company system says what it knows of a customer; journey stamps it on their later events.",
        example=example(
            "customer.described",
            "shop/accounts",
            "account-4711-7",
            subject="crm:4711",
            time="2026-01-31T08:00:00.000Z",
            data={"attributes": {"tier": "gold", "age": 44, "newsletter": None}},
        ),
    ),
    *(
        EventType(
            name=f"customer.{kind}",
            topic=topics.TOUCHPOINTS,
            envelope=Touchpoint,
            data=WhoIsWhom,
            meaning=f"A trusted source says: {meaning}. Of two words on the same two customers the later one counts, by event time.",
            example=example(
                f"customer.{kind}",
                "company/crm",
                f"contact-4711-{kind}",
                subject="crm:4711",
                time="2026-01-31T08:00:00.000Z",
                data={"identifiers": ["card:9988"], "reason": "the same passport"},
            ),
        )
        for kind, meaning in (
            ("linked", "these identifiers are one person's"),
            ("merged", "these identifiers are one person's, whose records it has merged"),
            ("unmerged", "the subject is another person than these identifiers, whatever was said before"),
        )
    ),
    EventType(
        name="source.heartbeat",
        topic=topics.TOUCHPOINTS,
        envelope=Heartbeat,
        data=None,
        meaning="A company system has nothing to say and is alive; it is about nobody, and only its arrival counts.",
        example=example("source.heartbeat", "shop/orders", "2026-01-31T08:30:00Z"),
    ),
    EventType(
        name="makegood.journey.held",
        topic=topics.JOURNEY,
        envelope=JourneyFact,
        data=Held,
        source=SOURCE,
        meaning="A record that names the customer could not be taken: what depends on it is held, not guessed.",
        example=example(
            "makegood.journey.held",
            SOURCE,
            "touchpoints/3/4711:held",
            subject=f"customer:{_CUSTOMER}",
            time="2026-01-31T08:30:01.250Z",
            customer=_CUSTOMER,
            recordedtime="2026-01-31T08:30:01.250Z",
            data={
                "record": "touchpoints/3/4711",
                "reason": "bad-time",
                "arrival": "2026-01-31T08:30:01.250Z",
                "source": "shop/orders",
                "type": "order.delivered",
            },
        ),
    ),
    EventType(
        name="makegood.journey.unheld",
        topic=topics.JOURNEY,
        envelope=JourneyFact,
        data=Unheld,
        source=SOURCE,
        meaning="A record for which the customer was held has been taken after all, or was dismissed.",
        example=example(
            "makegood.journey.unheld",
            SOURCE,
            "touchpoints/3/4711:unheld",
            subject=f"customer:{_CUSTOMER}",
            time="2026-01-31T09:10:00.000Z",
            customer=_CUSTOMER,
            recordedtime="2026-01-31T09:10:00.000Z",
            data={
                "record": "touchpoints/3/4711",
                "how": "released",
                "arrival": "2026-01-31T08:30:01.250Z",
                "until": "2026-01-31T09:10:00.000Z",
            },
        ),
    ),
    *(
        EventType(
            name=f"makegood.source.{kind}",
            topic=topics.JOURNEY,
            envelope=JourneyFact,
            data=SourceStanding,
            source=SOURCE,
            meaning=meaning,
            example=example(
                f"makegood.source.{kind}",
                SOURCE,
                f"0f0a4c0e-5a53-5d0c-9c0a-0c7f5f8f2a12:{kind}",
                subject="source:shop/orders",
                time=since,
                customer="a2b1c0de-5a53-5d0c-9c0a-0c7f5f8f2a13",
                recordedtime="2026-01-31T09:10:00.250Z",
                data={"source": "shop/orders", "since": since, "last": last},
            ),
        )
        for kind, meaning, since, last in (
            (
                "silent",
                "A declared source has not been heard for longer than its heartbeat. `customer` is the key of the source itself.",
                "2026-01-31T08:40:00.000Z",
                "2026-01-31T08:30:00.000Z",
            ),
            (
                "returned",
                "A declared source that was silent has been heard again. `customer` is the key of the source itself.",
                "2026-01-31T09:10:00.000Z",
                "2026-01-31T09:10:00.000Z",
            ),
        )
    ),
    EventType(
        name="makegood.source.unheard",
        topic=topics.JOURNEY,
        envelope=JourneyFact,
        data=Unheard,
        source=SOURCE,
        meaning="A lane had not heard a declared source for a time; told in every partition, whose readers compare the lanes.",
        example=example(
            "makegood.source.unheard",
            SOURCE,
            "0f0a4c0e-5a53-5d0c-9c0a-0c7f5f8f2a14:unheard:2",
            subject="source:shop/orders",
            time="2026-01-31T09:10:00.000Z",
            customer="a2b1c0de-5a53-5d0c-9c0a-0c7f5f8f2a15",
            recordedtime="2026-01-31T09:10:00.000Z",
            data={
                "source": "shop/orders",
                "lane": "touchpoints/3",
                "since": "2026-01-31T08:30:00.000Z",
                "until": "2026-01-31T09:10:00.000Z",
            },
        ),
    ),
    EventType(
        name="makegood.source.retired",
        topic=topics.JOURNEY,
        envelope=JourneyFact,
        data=SourceRetired,
        source=SOURCE,
        meaning="A source is declared no longer: its silence, and that until now, holds nothing any more. Told in every partition.",
        example=example(
            "makegood.source.retired",
            SOURCE,
            "0f0a4c0e-5a53-5d0c-9c0a-0c7f5f8f2a16:retired:2",
            subject="source:shop/orders",
            time="2026-01-31T09:20:00.000Z",
            customer="a2b1c0de-5a53-5d0c-9c0a-0c7f5f8f2a15",
            recordedtime="2026-01-31T09:20:00.000Z",
            data={"source": "shop/orders"},
        ),
    ),
    EventType(
        name="makegood.customer.erased",
        topic=topics.JOURNEY,
        envelope=JourneyFact,
        data=CustomerErased,
        source=SOURCE,
        meaning="The customer is erased: who reads this forgets what is personal of them, and whatever else comes under this key.",
        example=example(
            "makegood.customer.erased",
            SOURCE,
            f"{_CUSTOMER}:erased",
            subject=f"customer:{_CUSTOMER}",
            time="2026-05-04T09:00:00.000Z",
            customer=_CUSTOMER,
            recordedtime="2026-05-04T09:00:00.000Z",
            data={"reason": "request"},
        ),
    ),
    EventType(
        name="makegood.journey.erased",
        topic=topics.JOURNEY,
        envelope=JourneyFact,
        data=None,
        source=SOURCE,
        meaning="Stands where an event of an erased customer had its number and was not sent before they were erased; nothing to judge.",
        example=example(
            "makegood.journey.erased",
            SOURCE,
            "touchpoints/3/1/4711:erased",
            subject=f"customer:{_CUSTOMER}",
            time="2026-01-31T08:30:00.000Z",
            customer=_CUSTOMER,
            recordedtime="2026-01-31T08:30:01.250Z",
        ),
    ),
    EventType(
        name="makegood.tick",
        topic=topics.TOUCHPOINTS,
        envelope=Tick,
        data=None,
        source=SOURCE,
        meaning="Moves the clock of a lane that has been silent; only its arrival counts.",
        example=example("makegood.tick", SOURCE, "makegood.touchpoints/3/2026-01-31T08:30:00.500Z", time="2026-01-31T08:30:00.500Z"),
    ),
    *(
        EventType(
            name=f"makegood.backfill.{which}",
            topic=topics.TOUCHPOINTS,
            envelope=Envelope,
            data=Bracket,
            source=SOURCE,
            meaning=f"In this lane a backfill has {which}: events of any age between the two, judged behind the end, open no case.",
            example=example(
                f"makegood.backfill.{which}",
                SOURCE,
                f"{_CUSTOMER}:{which}",
                subject=f"backfill:{_CUSTOMER}",
                time="2026-01-31T08:30:00Z",
                data={"backfill": _CUSTOMER, "source": "shop/orders"},
            ),
        )
        for which in ("started", "ended")
    ),
    EventType(
        name="makegood.journey.progress",
        topic=topics.JOURNEY,
        envelope=Marker,
        data=LaneProgress,
        source=SOURCE,
        meaning="A lane says how far it has come; a reader's barrier is the least of all lanes.",
        example=example(
            "makegood.journey.progress",
            SOURCE,
            "touchpoints/3:1:2:4711:2026-01-31T08:30:01.249Z",
            time="2026-01-31T08:30:01.249Z",
            data={"lane": "touchpoints/3", "lanes": 8, "incarnation": 1, "seq": 4711, "arrival": "2026-01-31T08:30:01.249Z"},
        ),
    ),
)
