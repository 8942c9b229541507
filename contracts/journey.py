"""Events of the journey service, and the touchpoints that other systems send it."""

from typing import Final

from pydantic import Field

from contracts import topics
from contracts.envelope import EventType, JourneyEvent, Marker, Model, Tick, Time, Touchpoint, example

SOURCE: Final = "makegood/journey"


class LaneProgress(Model):
    """One raw lane's progress, told to one partition of `makegood.journey`."""

    lane: str = Field(pattern=r"^[a-z]+/\d+$", description="raw topic's short name and partition, such as `touchpoints/3`")
    lanes: int = Field(ge=1, description="how many lanes there are in all; the barrier waits for each")
    incarnation: int = Field(ge=1, description="counts restorations of journey's database; numbers begin anew with each")
    seq: int = Field(ge=0, description="the last number of this lane in this partition; 0 where there is none yet")
    arrival: Time = Field(description="every arrival of the lane up to here has been applied")


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
        example=_PLACED | {"customer": "6b2b4c0e-5a53-5d0c-9c0a-0c7f5f8f2a11", "recordedtime": "2026-01-31T08:30:01.250Z"},
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
