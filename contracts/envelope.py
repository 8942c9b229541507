"""The outside of every event: CloudEvents 1.0 with our extension attributes. These models describe; the codec is the chassis's.

One load-bearing fact: readers ignore what they do not know, so an attribute or a field may be added and none taken away.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, create_model

type_name = r"^[^\s]+$"

Time = Annotated[AwareDatetime, Field(description="RFC 3339 with offset; ours are UTC with milliseconds")]
CustomerKey = Annotated[UUID, Field(description="customer key; what all of one customer's events are partitioned by")]


class Model(BaseModel):
    """What every contract model shares: names as on the wire, unknown fields ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Envelope(Model):
    """A CloudEvent in structured mode, without its data."""

    specversion: Literal["1.0"] = Field(description="the version of CloudEvents")
    id: str = Field(min_length=1, max_length=512, description="unique per source; the same id is the same event, sent again")
    source: str = Field(min_length=1, max_length=512, description="the system that emits the event, a URI reference")
    type: str = Field(min_length=1, max_length=512, pattern=type_name, description="what happened, such as `order.placed`")
    datacontenttype: str | None = Field(default=None, max_length=512, description="media type of data; JSON where it is left out")
    dataschema: str | None = Field(default=None, max_length=512, description="URI of the schema that data follows")
    traceparent: str | None = Field(default=None, description="W3C trace context of what caused the event")


class Touchpoint(Envelope):
    """What a company system tells of a customer."""

    subject: str = Field(
        min_length=1, max_length=512, description="an identifier of the customer or of a thing they have: `crm:4711`, `email:...`, or bare"
    )
    time: Time = Field(description="when it happened; at most 5 minutes after its arrival")
    data: Any = Field(default=None, description="what the emitter says of it: at most 256 KiB, 32 levels, 16 Ki characters a string")


class JourneyEvent(Touchpoint):
    """A touchpoint that was accepted, deduplicated and attributed to a customer: the emitter's event and attributes of ours."""

    subject: str | None = Field(default=None, description="as the emitter sent it")  # type: ignore[assignment]
    customer: CustomerKey
    recordedtime: Time = Field(description="when it arrived; monotone along its lane, but for what was released from quarantine")
    evidenceonly: bool = Field(default=False, description="told to this customer as evidence; it opens nothing")
    kinship: int | None = Field(
        default=None, description="of evidence: how many statements of who is whom there had been; of two records of it the greater counts"
    )
    retracted: bool = Field(default=False, description="it is no longer evidence of this customer, and as if it had never been")
    customerattributes: str | None = Field(
        default=None, description="what was known of the customer: a JSON object of simple values as text; left out where nothing was"
    )
    discreet: bool = Field(default=False, description="not for everybody: what follows from it is told without what it says")
    releasedtime: Time | None = Field(
        default=None, description="of an event that was released from quarantine: when; `recordedtime` is its original arrival"
    )


class Tick(Envelope):
    """A sign of life that moves a raw lane's clock; nothing in it counts but its arrival."""

    time: Time


class Marker(Envelope):
    """A progress marker: what its writer vouches for, in a partition's own order. It has the Kafka header `marker`."""

    time: Time


class NumberedFact(Envelope):
    """Something that one of our services decided about a customer. It has the Kafka header `lane`: topic/partition/incarnation/seq."""

    subject: str | None = Field(default=None, description="`customer:` and the customer key, or left out")
    customer: CustomerKey
    time: Time = Field(description="the barrier, or for an act of a person the moment, it was decided at")


class OwnTouchpoint(Touchpoint):
    """A touchpoint of our own services, judged and shown like any other. Its subject is `customer:` and the customer key."""


@dataclass(frozen=True, slots=True)
class EventType:
    """One row of the catalogue of events: one type, one version, one example."""

    name: str
    topic: str
    envelope: type[Envelope]
    data: type[Model] | None
    meaning: str
    example: dict[str, Any]
    source: str | None = None
    any_type: bool = False
    version: int = 1

    def model(self) -> type[Envelope]:
        """The model of the whole event, its type and its data included."""
        fields: dict[str, Any] = {}
        if not self.any_type:
            fields["type"] = (Literal[self.name], Field(description="always this"))
        if self.source is not None:
            fields["source"] = (Literal[self.source], Field(description="always this"))
        if self.data is not None:
            fields["data"] = (self.data, Field(description="what there is to say of it"))
        return create_model(self.title, __base__=self.envelope, __doc__=self.meaning, **fields)

    @property
    def title(self) -> str:
        """The name as a class has it: `makegood.commitment.at_risk` is `CommitmentAtRisk`."""
        words = self.name.removeprefix("makegood.").replace(".", "_").replace("-", "_").split("_")
        return "".join(word.capitalize() for word in words)


def example(kind: str, source: str, number: str, **members: Any) -> dict[str, Any]:
    """A whole example event; `members` are its further attributes and its data."""
    return {"specversion": "1.0", "id": number, "source": source, "type": kind, **members}
