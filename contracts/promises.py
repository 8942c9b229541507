"""Events of the promises service: what is said of commitments, and people's excuses as touchpoints of its own."""

from typing import Any, Final, Literal
from uuid import UUID

from pydantic import Field

from contracts import topics
from contracts.envelope import EventType, Marker, Model, NumberedFact, OwnTouchpoint, Time, example

SOURCE: Final = "makegood/promises"

Judgement = Literal["on_track", "at_risk", "paused", "held", "kept", "broken", "excused", "withdrawn"]


class Trigger(Model):
    """The journey event that opened a commitment."""

    event: UUID = Field(description="event key: the same for the same source and id")
    id: str = Field(description="the event's CloudEvents id")
    type: str = Field(description="the event's CloudEvents type")
    time: Time = Field(description="when it happened")
    arrival: Time | None = Field(default=None, description="when it arrived")


class Unread(Model):
    """What was not read and may bear on a commitment: a record that was refused, or a source that was silent."""

    what: str = Field(description="which, in words")
    since: Time = Field(description="from when on")
    until: Time | None = Field(default=None, description="when it was read, given up or heard again; none: it still is not")


class AtStake(Model):
    """What the customer stands to lose, read from what opened the commitment."""

    amount: str = Field(description="an exact decimal")
    currency: str = Field(description="the ISO 4217 code")


class CommitmentFact(Model):
    """What is said of one commitment at one barrier."""

    commitment: UUID = Field(description="one application of a promise to one customer and one trigger")
    promise: str = Field(description="the promise's name")
    version: int = Field(ge=1, description="the promise's version in force at the trigger")
    audience: Literal["customer", "internal"] = Field(description="whom the promise is made to")
    owner: str | None = Field(default=None, description="the team that answers for the promise")
    component: str | None = Field(default=None, description="the component of service that the promise is about")
    correlation: Any = Field(default=None, description="what ties the evidence together: any JSON value, such as an order number")
    trigger: Trigger
    due: Time | None = Field(default=None, description="when it falls due; none while that is not fixed")
    judgement: Judgement = Field(description="what is said now")
    verdict: int = Field(ge=0, description="number of the verdict; a later one supersedes; 0 before any")
    was: Judgement | None = Field(default=None, description="in a correction, what had been said before")
    reason: str = Field(description="why, as a slug: `evidence`, `no-evidence-by-due`, `failure-seen` ...")
    decided_by: UUID | None = Field(default=None, description="event key of what decided it; none where it was time")
    barrier: Time | None = Field(default=None, description="every arrival up to here was known; none before every lane was heard")
    segment: str | None = Field(default=None, description="the group that performance is counted by")
    playbook: str | None = Field(default=None, description="how recovery is to go about a break")
    severity: str | None = Field(default=None, description="how much a break hurts")
    statement: str | None = Field(default=None, description="the promise in the words it was published in")
    at_stake: AtStake | None = Field(
        default=None,
        description="what the customer stands to lose; where it is broken, corrected or at risk, and the promise says how to read it",
    )
    backfill: bool = Field(
        default=False, description="it is of history that was brought in later, and so is the failure, where it is one: it opens no case"
    )
    unread: list[Unread] = Field(default=[], description="what was not read by the time that this may be said; left out where all was")


class RejudgedFact(CommitmentFact):
    """A second verdict on one commitment, under another version of its promise: `version`. The first one stands."""

    rejudgement: UUID = Field(description="the rejudgement that it is a result of")
    open_cases: bool = Field(description="whether a break is to be made good; without it nobody is to be bothered")


class PartitionProgress(Model):
    """How far one partition of `makegood.promises` has come."""

    partition: int = Field(ge=0, description="the partition it speaks for, and stands in")
    barrier: Time = Field(description="everything due up to here has been judged and published")
    incarnation: int = Field(ge=1, description="counts restorations of promises' database; numbers begin anew with each")
    seq: int = Field(ge=0, description="the last number published in this partition; 0 where there is none yet")


class ExcuseData(Model):
    """A person's word on one commitment."""

    commitment: UUID = Field(description="the commitment it is about")
    promise: str = Field(description="the promise's name")
    version: int = Field(ge=1, description="the promise's version")
    correlation: Any = Field(default=None, description="what ties the commitment's evidence together: any JSON value")
    trigger: UUID = Field(description="event key of what opened the commitment")
    about: UUID = Field(description="event key of what it is about: the trigger; of an excuse that is taken back, the excuse")
    text: str = Field(description="why, in words")
    by: str = Field(description="who asked for the excuse, or took it back")


class ExcuseGranted(ExcuseData):
    """The company is not to answer for a break."""

    reason: str = Field(description="a code to count by, such as `force-majeure`")
    evidence: list[str] = Field(min_length=1, description="what shows it: references, addresses of documents")
    approver: str = Field(description="who granted it; never who asked for it")


class ExcuseTakenBack(ExcuseData):
    """An excuse was wrong."""

    excuse: str = Field(description="id of the event that granted it")


_KINDS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "opened": ("A promise applies to a customer from now on.", {"judgement": "on_track", "reason": "waiting"}),
    "at_risk": ("It will be broken unless something happens soon.", {"judgement": "at_risk", "reason": "waiting"}),
    "held": (
        "Its time has come, and something that may bear on it was not read: the verdict waits.",
        {
            "judgement": "held",
            "reason": "held",
            "unread": [{"what": "touchpoints/3/4711 was not read: no-time", "since": "2026-02-01T10:00:00.000Z", "until": None}],
        },
    ),
    "moved": (
        "It is due at another time than was last said, or at none while its clock stands still.",
        {"judgement": "on_track", "reason": "waiting", "due": "2026-02-03T10:00:00.000Z"},
    ),
    "kept": ("The promise was kept.", {"judgement": "kept", "verdict": 1, "reason": "evidence"}),
    "broken": ("The promise was broken.", {"judgement": "broken", "verdict": 1, "reason": "no-evidence-by-due"}),
    "withdrawn": ("What it applied to was called off.", {"judgement": "withdrawn", "verdict": 1, "reason": "cancelled"}),
    "excused": ("It was broken, and the company is not to answer for it.", {"judgement": "excused", "verdict": 1, "reason": "excused"}),
    "corrected": (
        "Late evidence changed the verdict: this one supersedes the one before.",
        {"judgement": "kept", "verdict": 2, "was": "broken", "reason": "evidence"},
    ),
}
_CUSTOMER: Final = "6b2b4c0e-5a53-5d0c-9c0a-0c7f5f8f2a11"
_COMMITMENT: Final = "2f0d8f0a-93fb-5c1b-8f55-3a4c1c6e7d90"
_TRIGGER: Final = "8d1e0c51-7a39-4f2e-a1d4-5f0a4b8c9e10"
_EVIDENCE: Final = "0b7c1f52-6f0e-4f6e-9d0f-2a8f0d7f4a33"


def _example(kind: str, changes: dict[str, Any]) -> dict[str, Any]:
    data = {
        "commitment": _COMMITMENT,
        "promise": "delivered-in-two-days",
        "version": 1,
        "audience": "customer",
        "owner": "logistics",
        "component": "procedures",
        "correlation": "4711",
        "trigger": {
            "event": _TRIGGER,
            "id": "order-4711-placed",
            "type": "order.placed",
            "time": "2026-01-31T08:30:00.000Z",
            "arrival": "2026-01-31T08:30:01.250Z",
        },
        "due": "2026-02-02T08:30:00.000Z",
        "verdict": 0,
        "was": None,
        "decided_by": _EVIDENCE if changes["reason"] == "evidence" else None,
        "barrier": "2026-02-02T08:35:00.000Z",
        "segment": "standard",
        "playbook": "late-parcel",
        "severity": "medium",
        "statement": "Your parcel is with you within two days.",
    }
    number = f"{_COMMITMENT}:{changes.get('verdict', 0)}:{kind}"
    data |= changes
    return example(f"makegood.commitment.{kind}", SOURCE, number, time="2026-02-02T08:35:00.000Z", customer=_CUSTOMER, data=data)


def _excuse(kind: str, meaning: str, number: int, data: type[ExcuseData], further: dict[str, Any]) -> EventType:
    about = {"commitment": _COMMITMENT, "promise": "delivered-in-two-days", "version": 1, "correlation": "4711", "trigger": _TRIGGER}
    return EventType(
        name=f"promises.excuse.{kind}",
        topic=topics.TOUCHPOINTS,
        envelope=OwnTouchpoint,
        data=data,
        source=SOURCE,
        meaning=meaning,
        example=example(
            f"promises.excuse.{kind}",
            SOURCE,
            f"{_COMMITMENT}:excuse:{number}",
            subject=f"customer:{_CUSTOMER}",
            time="2026-02-03T10:00:00.000Z",
            datacontenttype="application/json",
            data=about | further,
        ),
    )


_GRANTED: Final = {
    "about": _TRIGGER,
    "reason": "force-majeure",
    "text": "The road was under water.",
    "evidence": ["https://police.example/closures/118"],
    "approver": "maria",
    "by": "ana",
}
_TAKEN_BACK: Final = {
    "about": "11264c44-101f-6282-9e96-f8b4952f8648",
    "excuse": f"{_COMMITMENT}:excuse:2",
    "text": "The road was open again in time.",
    "by": "maria",
}

EVENTS: Final = (
    *(
        EventType(
            name=f"makegood.commitment.{kind}",
            topic=topics.PROMISES,
            envelope=NumberedFact,
            data=CommitmentFact,
            source=SOURCE,
            meaning=meaning,
            example=_example(kind, changes),
        )
        for kind, (meaning, changes) in _KINDS.items()
    ),
    EventType(
        name="makegood.commitment.rejudged",
        topic=topics.PROMISES,
        envelope=NumberedFact,
        data=RejudgedFact,
        source=SOURCE,
        meaning="Under another version of its promise it was broken, and whoever had it judged so wants that made good.",
        example=_example(
            "rejudged",
            {"judgement": "broken", "version": 2, "verdict": 1, "was": "kept", "reason": "no-evidence-by-due"}
            | {"rejudgement": "5c1c7d0e-3f0e-4c55-9e58-27e5b4f2a6d1", "open_cases": True},
        ),
    ),
    EventType(
        name="makegood.promises.erased",
        topic=topics.PROMISES,
        envelope=NumberedFact,
        data=None,
        source=SOURCE,
        meaning="What promises kept of this customer is emptied; how they were judged stands, and nothing more is said of them.",
        example=example(
            "makegood.promises.erased", SOURCE, f"{_CUSTOMER}:erased", time="2026-05-04T09:00:05.000Z", customer=_CUSTOMER, data={}
        ),
    ),
    _excuse("granted", "The company is not to answer for a break: somebody asked, another granted it.", 2, ExcuseGranted, _GRANTED),
    _excuse("taken_back", "An excuse was wrong: the break counts again.", 3, ExcuseTakenBack, _TAKEN_BACK),
    EventType(
        name="makegood.promises.progress",
        topic=topics.PROMISES,
        envelope=Marker,
        data=PartitionProgress,
        source=SOURCE,
        meaning="Everything due up to the barrier has been judged and published in this partition.",
        example=example(
            "makegood.promises.progress",
            SOURCE,
            "2:1:815:2026-02-02T08:35:00.000Z",
            time="2026-02-02T08:35:00.000Z",
            data={"partition": 2, "barrier": "2026-02-02T08:35:00.000Z", "incarnation": 1, "seq": 815},
        ),
    ),
)
