"""What people and systems sense of a customer, as touchpoints: needs, aspirations, expectations, encounters, feedback.

What is sensed is told in a customer's interest, and not for everybody: `discretion` says who may see it.
"""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field

from contracts import topics
from contracts.envelope import EventType, Model, Time, Touchpoint, example

SOURCE: Final = "bank/branch"
CUSTOMERS: Final = UUID("6b1f0c52-7f0e-5d0a-9a2b-7d3f6f1c9e10")
"""Namespace of customer keys: a customer's key is the UUIDv5 of the identifier they were first met under."""
Slug = Annotated[str, Field(min_length=1, max_length=100, description="what it is about, as a slug by which it is known again")]
Words = Annotated[str, Field(max_length=2000, description="in words")]
By = Annotated[str, Field(min_length=1, max_length=200, description="who of the company: the subject of their token")]
Purpose = Annotated[str, Field(min_length=1, max_length=100)]
Discretion = Literal["open", "team", "person"]


class Sensed(Model):
    """Something told of a customer, and who may see it."""

    by: By
    team: str | None = Field(default=None, max_length=200, description="their team")
    discretion: Discretion = Field(
        default="team", description="who may see it: everybody who serves the customer; the team of `by`; `by` alone"
    )
    seen_by: list[str] = Field(default=[], max_length=50, description="teams, or with `person` people, who may see it beside")


class NeedObserved(Sensed):
    """A customer needs something, said or not."""

    need: Slug
    kind: Literal["manifest", "latent", "inferred"] = Field(description="said by the customer; there and unsaid; concluded from something")
    words: Words = ""
    sure: float = Field(default=0.5, ge=0, le=1, description="how sure whoever sensed it is")
    purpose: Purpose = Field(default="service", description="what it may be used for; beyond `service` the customer has to consent")
    because: list[str] = Field(default=[], max_length=50, description="ids of the events that it was concluded from")


class NeedProbed(Sensed):
    """Somebody made sure of a need with a small probe instead of a blunt question."""

    need: Slug
    outcome: Literal["confirmed", "denied", "unclear"]
    words: Words = ""


class NeedMet(Sensed):
    """A need was met."""

    need: Slug
    how: Words = ""


class CustomerAnswer(Model):
    """The customer's own answer to how we make good."""

    case_id: str | None = Field(default=None, max_length=100, description="the case it is about; none: whichever is in work")
    channel: str | None = Field(default=None, max_length=100, description="where they said it, such as `status-page`")
    words: Words = ""


class Consent(Model):
    """The customer agrees to a purpose."""

    purpose: Purpose
    until: Time | None = Field(default=None, description="not beyond; none: until it is withdrawn")


class ConsentWithdrawn(Model):
    """The customer no longer agrees to a purpose."""

    purpose: Purpose


class AspirationRecorded(Sensed):
    """Where the customer is going: a plan or a wish of theirs, which they agreed that we keep."""

    aspiration: Slug
    words: Words = ""
    purpose: Purpose = Field(default="aspirations", description="what the customer agreed that it is used for")
    consent: bool = Field(default=False, description="they agreed when they told it; otherwise `customer.consent.given` has to say so")
    consent_until: Time | None = Field(default=None, description="not beyond; none: until it is withdrawn")
    come_back: Time | None = Field(default=None, description="when to come back to it")


class AspirationRevisited(Sensed):
    """Somebody came back to an aspiration."""

    aspiration: Slug
    words: Words = ""
    come_back: Time | None = Field(default=None, description="when next; none: not again")


class AspirationServed(Sensed):
    """What came of an aspiration."""

    aspiration: Slug
    promise: str | None = Field(default=None, description="name of the promise that was made of it")
    product: str | None = Field(default=None, description="the product or service that came of it")


class ExpectationObserved(Sensed):
    """Which dimension of service matters to this customer."""

    dimension: Literal["quality", "quantity", "timeliness", "cost"]
    how: Literal["said", "inferred"]
    words: Words = ""


class RequestRefused(Model):
    """We said that we do not do that."""

    request: Slug
    by: By
    team: str | None = Field(default=None, max_length=200)
    words: Words = ""
    aspiration: Slug | None = Field(default=None, description="the aspiration that this leaves unserved, if one is known")


class ExceptionGranted(Model):
    """A way was found: their way, not ours."""

    request: Slug
    by: By
    words: Words = ""


class FeedbackGiven(Sensed):
    """What a customer lets us know, in whatever way."""

    discretion: Discretion = Field(default="open", description="who may see it")
    tone: float = Field(ge=-1, le=1, description="from -1, as bad as can be, to 1")
    expressed: Literal["explicit", "implicit"] = Field(default="explicit", description="said, or shown by what they do")
    told: Literal["direct", "indirect"] = Field(default="direct", description="to us, or to others")
    about: str | None = Field(default=None, max_length=200, description="what it is about, as a slug")
    employee: str | None = Field(default=None, max_length=200, description="whom it is about")
    owner: str | None = Field(default=None, max_length=200, description="the team that is to answer it")
    words: Words = ""


class FeedbackAnswered(Model):
    """Somebody did something about feedback."""

    feedback: str = Field(min_length=1, max_length=512, description="id of the event that it was given by")
    by: By
    how: Literal["acted", "explained", "declined"]
    words: Words = ""


_ANA: Final = {"by": "ana", "team": "branch"}
_LEAVING: Final = {"need": "moving-abroad", "kind": "latent", "words": "She is leaving for good.", "sure": 0.8, "discretion": "team"}
_HOUSE: Final = {"aspiration": "house-in-spain", "words": "A house by the sea, when the children are grown.", "consent": True}
_ANSWER: Final = {"case_id": "5b0f4f0e-65c8-5a0d-8a53-6b0c5b1a7f21", "channel": "status-page"}
_SAID: Final[tuple[tuple[str, type[Model], str, dict[str, Any]], ...]] = (
    ("customer.need.observed", NeedObserved, "Somebody sensed what the customer needs.", _ANA | _LEAVING),
    (
        "customer.need.probed",
        NeedProbed,
        "A small probe confirmed a need, or did not.",
        _ANA | {"need": "moving-abroad", "outcome": "confirmed", "words": "Shall I keep the account open while you are away?"},
    ),
    ("customer.need.met", NeedMet, "A need was met.", {"need": "moving-abroad", "by": "ana", "how": "An account for residents abroad."}),
    ("customer.consent.given", Consent, "The customer agrees to a purpose.", {"purpose": "aspirations"}),
    ("customer.consent.withdrawn", ConsentWithdrawn, "The customer no longer agrees to a purpose.", {"purpose": "aspirations"}),
    (
        "customer.aspiration.recorded",
        AspirationRecorded,
        "The customer told where they are going.",
        _ANA | _HOUSE | {"come_back": "2026-06-01T09:00:00.000Z"},
    ),
    (
        "customer.aspiration.revisited",
        AspirationRevisited,
        "Somebody came back to an aspiration.",
        {"aspiration": "house-in-spain", "by": "ana", "come_back": "2027-06-01T09:00:00.000Z"},
    ),
    (
        "customer.aspiration.served",
        AspirationServed,
        "A promise or a product came of an aspiration.",
        {"aspiration": "house-in-spain", "by": "ana", "product": "mortgage-abroad"},
    ),
    (
        "customer.expectation.observed",
        ExpectationObserved,
        "What matters to this customer.",
        _ANA | {"dimension": "timeliness", "how": "said", "words": "I fly on Wednesday.", "discretion": "open"},
    ),
    (
        "customer.request.refused",
        RequestRefused,
        "We said that we do not do that.",
        _ANA | {"request": "mortgage-abroad", "words": "We lend for houses in this country only.", "aspiration": "house-in-spain"},
    ),
    ("customer.exception.granted", ExceptionGranted, "A way was found.", {"request": "open-earlier", "by": "ana"}),
    (
        "feedback.given",
        FeedbackGiven,
        "The customer lets us know something.",
        _ANA | {"tone": 1, "about": "recovery", "employee": "ana", "words": "I had meant not to come back.", "discretion": "open"},
    ),
    ("customer.confirmed", CustomerAnswer, "The customer says, in a channel of their own, that it is made good.", _ANSWER),
    ("customer.disputed", CustomerAnswer, "The customer says, in a channel of their own, that it is not good yet.", _ANSWER),
    ("customer.declined", CustomerAnswer, "The customer says, in a channel of their own, that they want nothing more in this.", _ANSWER),
    ("feedback.answered", FeedbackAnswered, "Somebody did something about feedback.", {"feedback": "f-1", "by": "ana", "how": "acted"}),
)

EVENTS: Final = tuple(
    EventType(
        name=name,
        topic=topics.TOUCHPOINTS,
        envelope=Touchpoint,
        data=data,
        meaning=meaning,
        example=example(name, SOURCE, f"{name}-1", subject="crm:4711", time="2026-01-31T08:30:00.000Z", data=said),
    )
    for name, data, meaning, said in _SAID
)
