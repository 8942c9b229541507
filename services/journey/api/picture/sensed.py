"""What was sensed of one customer: needs, aspirations, what matters to them. Each viewer sees what they may see of it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from services.chassis.access import Who
from services.journey.api.picture.shared import as_seen_by, rules_of, subject_of
from services.journey.api.viewers import viewer_of
from services.journey.picture.aspirations import Aspiration, aspirations
from services.journey.picture.consent import ASPIRATIONS, SERVICE
from services.journey.picture.expectation import Effort, Expectation, effort, efforts_of_failures, expectations, spent, within
from services.journey.picture.history import Touchpoint
from services.journey.picture.needs import Need, State, needs
from services.journey.picture.stages import travel
from services.journey.picture.whole import seconds

MOST_FAILURES = 100

router = APIRouter(prefix="/v1", tags=["picture"])
PurposeAsked = Annotated[str, Query(min_length=1, max_length=100, description="what it is to be used for")]


class Evidence(BaseModel):
    """A touchpoint that something rests on."""

    event: UUID = Field(description="its key")
    id: str
    type: str
    time: datetime
    by: str | None
    team: str | None
    words: str | None


class Observation(Evidence):
    """Somebody sensed a need."""

    kind: str | None = Field(description="manifest, latent or inferred")
    sure: float | None
    discretion: str | None
    because: list[str] = Field(description="ids of the events that it was concluded from")


class NeedView(BaseModel):
    """One need."""

    need: str
    kind: str = Field(description="manifest as soon as it was said, latent before inferred")
    state: State
    sure: float = Field(description="1 once confirmed or met, 0 once denied; else one less the chance that all who sensed it were wrong")
    observations: list[Observation]
    probes: list[Evidence]
    met: list[Evidence]


class NeedsView(BaseModel):
    """A customer's needs, as far as whoever asks may see them."""

    customer: UUID
    purpose: str
    items: list[NeedView]
    withheld: int = Field(description="recorded for another purpose, or the customer does not agree to theirs")


class Served(Evidence):
    """What came of an aspiration."""

    promise: str | None
    product: str | None


class AspirationView(BaseModel):
    """One plan or wish of a customer, which they agreed that we keep."""

    aspiration: str
    consent: UUID | None = Field(description="the touchpoint by which they agreed")
    consent_until: datetime | None
    come_back: datetime | None = Field(description="when to come back to it")
    due: bool = Field(description="that time has come")
    recorded: list[Evidence]
    revisited: list[Evidence]
    served: list[Served]
    refused: list[Evidence] = Field(description="when we said that we do not do what it takes")


class AspirationsView(BaseModel):
    """A customer's aspirations, as far as whoever asks may see them and the customer agrees."""

    customer: UUID
    purpose: str
    items: list[AspirationView]
    withheld: int = Field(description="for another purpose, or without the customer's consent: nothing of them is shown")


class ExpectationView(BaseModel):
    """A dimension of service that matters to this customer."""

    dimension: Literal["quality", "quantity", "timeliness", "cost"]
    how: Literal["said", "inferred"]
    evidence: list[Evidence]


class EffortView(BaseModel):
    """What something cost the customer."""

    contacts: int
    repetitions: int
    passed_on: int
    waits: int
    waited_seconds: int
    evidence: list[UUID]


class JourneyEffort(EffortView):
    """What a journey cost the customer: in the touchpoints within its visits."""

    map: str


class FailureEffort(EffortView):
    """What a failure cost the customer, from the trigger until its case came to an end."""

    commitment: UUID
    promise: str
    since: datetime
    until: datetime | None


class ExpectationsView(BaseModel):
    """What matters to a customer, and what the relation costs them."""

    customer: UUID
    items: list[ExpectationView] = Field(description="what was said before what was inferred")
    effort: EffortView
    journeys: list[JourneyEffort]
    failures: list[FailureEffort] = Field(description=f"the last {MOST_FAILURES}")


@router.get("/customers/{customer_id}/needs", operation_id="get_customer_needs")
async def get_customer_needs(customer_id: UUID, request: Request, who: Who, purpose: PurposeAsked = SERVICE) -> NeedsView:
    """What a customer needs, said or not, for the purpose that it is asked for."""
    subject = await subject_of(request, customer_id)
    found = needs(subject.history, viewer_of(who), subject.now, purpose)
    return NeedsView(customer=subject.key, purpose=purpose, items=[_need(each) for each in found.items], withheld=found.withheld)


@router.get("/customers/{customer_id}/aspirations", operation_id="get_customer_aspirations")
async def get_customer_aspirations(customer_id: UUID, request: Request, who: Who, purpose: PurposeAsked = ASPIRATIONS) -> AspirationsView:
    """Where a customer is going, when to come back to it, and what came of it."""
    subject = await subject_of(request, customer_id)
    found = aspirations(subject.history, viewer_of(who), subject.now, purpose)
    items = [_aspiration(each, subject.now) for each in found.items]
    return AspirationsView(customer=subject.key, purpose=purpose, items=items, withheld=found.withheld)


@router.get("/customers/{customer_id}/expectations", operation_id="get_customer_expectations")
async def get_customer_expectations(customer_id: UUID, request: Request, who: Who) -> ExpectationsView:
    """Which dimension of service matters to a customer, and what effort they had: in all, per journey and per failure."""
    subject = as_seen_by(who, await subject_of(request, customer_id))
    costs = spent(rules_of(subject).efforts, subject.history)
    journeys = []
    for each in subject.declared.maps:
        spans = [(visit.entered, visit.left) for visit in travel(each, subject.history, subject.now).visits]
        journeys.append(JourneyEffort(map=each.name, **_numbers(effort(costs, within(spans)))))
    failures = efforts_of_failures(costs, subject.history, MOST_FAILURES)
    return ExpectationsView(
        customer=subject.key,
        items=[_expectation(each) for each in expectations(subject.history, viewer_of(who))],
        effort=EffortView(**_numbers(effort(costs))),
        journeys=journeys,
        failures=[
            FailureEffort(
                commitment=each.commitment.id,
                promise=each.commitment.promise,
                since=each.commitment.triggered,
                until=each.until,
                **_numbers(each.effort),
            )
            for each in failures
        ],
    )


def evidence(event: Touchpoint) -> dict[str, Any]:
    """How a touchpoint is named as evidence."""
    said = {name: event.text(name) for name in ("by", "team", "words")}
    return {"event": event.key, "id": event.body["id"], "type": event.type, "time": event.time, **said}


def _all(events: Iterable[Touchpoint]) -> list[Evidence]:
    return [Evidence(**evidence(each)) for each in events]


def _need(need: Need) -> NeedView:
    return NeedView(
        need=need.name,
        kind=need.kind,
        state=need.state,
        sure=need.sure,
        observations=[_observation(each) for each in need.observations],
        probes=_all(need.probes),
        met=_all(need.met),
    )


def _observation(event: Touchpoint) -> Observation:
    sure, because = event.data.get("sure"), event.data.get("because")
    return Observation(
        kind=event.text("kind"),
        sure=sure if isinstance(sure, int | float) else None,
        discretion=event.text("discretion"),
        because=[each for each in because if isinstance(each, str)] if isinstance(because, list) else [],
        **evidence(event),
    )


def _aspiration(each: Aspiration, now: datetime | None) -> AspirationView:
    return AspirationView(
        aspiration=each.name,
        consent=each.consent.evidence,
        consent_until=each.consent.until,
        come_back=each.come_back,
        due=each.come_back is not None and now is not None and each.come_back <= now,
        recorded=_all(each.recorded),
        revisited=_all(each.revisited),
        served=[Served(promise=one.text("promise"), product=one.text("product"), **evidence(one)) for one in each.served],
        refused=_all(one.event for one in each.refused),
    )


def _expectation(each: Expectation) -> ExpectationView:
    how: Literal["said", "inferred"] = "said" if each.said else "inferred"
    return ExpectationView(dimension=each.dimension, how=how, evidence=_all(each.evidence))  # type: ignore[arg-type]  # one of DIMENSIONS


def _numbers(cost: Effort) -> dict[str, Any]:
    parts = (cost.contacts, cost.repetitions, cost.passed_on, cost.waits)
    return {
        **dict(zip(("contacts", "repetitions", "passed_on", "waits"), map(len, parts), strict=True)),
        "waited_seconds": seconds(cost.waited),
        "evidence": list(dict.fromkeys(key for part in parts for key in part)),
    }
