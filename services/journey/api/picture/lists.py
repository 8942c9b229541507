"""Lists and reports over all customers: feedback that was ignored, refusals and what they left unserved, kinds of encounter."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field, TypeAdapter

from services.chassis import cursors
from services.chassis.access import Who
from services.chassis.cursors import Cursor
from services.journey.api.paging import LARGEST_PAGE, PAGE_SIZE, Moment
from services.journey.api.viewers import viewer_of
from services.journey.picture.discretion import Viewer, may_see
from services.journey.picture.encounters import KINDS, OUTCOMES
from services.journey.picture.whole import COME_BACK, IGNORED, REFUSED, seconds
from services.journey.store import picture as store
from services.journey.store import projections
from services.journey.store.picture import Listed

POSITION: TypeAdapter[tuple[datetime, UUID, UUID]] = TypeAdapter(tuple[Moment, UUID, UUID])

router = APIRouter(prefix="/v1", tags=["picture"])


class IgnoredFeedback(BaseModel):
    """Feedback that asked for an answer and got none in time."""

    customer: UUID
    event: UUID
    name: str
    time: datetime
    age_seconds: int | None = Field(description="since it was given")
    owner: str | None
    tone: float
    expressed: str
    told: str


class IgnoredFeedbacks(BaseModel):
    """A page of what was collected and ignored, the oldest first; what is discreet, as far as whoever asks may see it."""

    as_of: datetime | None
    by_owner: dict[str, int] = Field(description="how many of this page each owner has; `nobody` where there is none")
    counts: dict[str, dict[str, int]] = Field(
        description="of all feedback, by name: how many are answered, waiting, ignored or ask for none"
    )
    items: list[IgnoredFeedback]
    next: str | None


class ComeBack(BaseModel):
    """An aspiration to come back to."""

    customer: UUID
    event: UUID = Field(description="the touchpoint that gave the date")
    aspiration: str
    come_back: datetime
    due: bool
    owner: str | None = Field(description="the team, else the person, who spoke of it last")


class ComeBacks(BaseModel):
    """A page of what to come back to, the earliest first."""

    as_of: datetime | None
    items: list[ComeBack]
    next: str | None


class RefusalCluster(BaseModel):
    """A request that we refuse."""

    request: str
    refused: int
    customers: int
    granted: int = Field(description="of these, how often a way was found after all")
    teams: dict[str, int]
    unserved: dict[str, int] = Field(
        description="aspirations that it left unserved, and how often; those that whoever asks may see, and the customer agrees to"
    )
    last: datetime


class Refusals(BaseModel):
    """What we do not do, the most frequent first."""

    items: list[RefusalCluster]
    requests: int = Field(description="how many requests we refuse in all")


class EncounterReport(BaseModel):
    """How encounters of one kind came out."""

    kind: str
    question: str
    encounters: int
    outcomes: dict[str, int]


class Encounters(BaseModel):
    """Encounters by kind."""

    as_of: datetime | None
    waiting: int
    items: list[EncounterReport]


class EffortTotal(BaseModel):
    """What something cost customers, all of them together."""

    number: int = Field(description="how many customers, or failures, this is of")
    contacts: int = Field(description="whatever systems tell of one contact is one")
    repetitions: int = Field(description="contacts that came again for the same reason")
    passed_on: int
    waits: int
    waited_seconds: int


class JourneyEffortTotal(EffortTotal):
    """What a journey cost the customers who travelled it."""

    map: str


class FailureEffortTotal(EffortTotal):
    """What the broken commitments of a promise cost customers, each from its trigger until its case came to an end."""

    promise: str


class Efforts(BaseModel):
    """What relations cost customers: in all, by journey, and by failure, the promise that cost most contacts first."""

    as_of: datetime | None
    waiting: int = Field(description="customers who are still to be seen anew before this is all that was read")
    customers: EffortTotal
    journeys: list[JourneyEffortTotal]
    failures: list[FailureEffortTotal]


QUESTIONS = {"first": "What do you want?", "second": "How do you want it?", "third": "Where are you going?"}


@router.get("/feedback", operation_id="list_ignored_feedback")
async def list_ignored_feedback(
    request: Request, who: Who, limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE, cursor: Cursor = None
) -> IgnoredFeedbacks:
    """Feedback that was collected and ignored, with age and owner."""
    after = cursors.behind(cursor, POSITION)
    async with request.app.state.engine.connect() as connection:
        found = await store.items(connection, IGNORED, after, limit + 1)
        sums, now = await store.totals(connection, "feedback:"), await projections.present(connection)
    page, following = cursors.page(found, limit, place_of)
    viewer = viewer_of(who)
    shown = [_ignored(each, now) for each in page if may_see(viewer, each.further)]
    return IgnoredFeedbacks(
        as_of=now,
        by_owner=dict(Counter(each.owner or "nobody" for each in shown)),
        counts=_counts(sums),
        items=shown,
        next=following,
    )


@router.get("/aspirations", operation_id="list_aspirations")
async def list_aspirations(
    request: Request, who: Who, limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE, cursor: Cursor = None
) -> ComeBacks:
    """To which aspirations to come back, and when: the earliest first, with consent and as far as whoever asks may see them."""
    after = cursors.behind(cursor, POSITION)
    async with request.app.state.engine.connect() as connection:
        found = await store.items(connection, COME_BACK, after, limit + 1)
        now = await projections.present(connection)
    page, following = cursors.page(found, limit, place_of)
    viewer = viewer_of(who)
    shown = [_come_back(each, now) for each in page if _may_come_back(viewer, each.further)]
    return ComeBacks(as_of=now, items=shown, next=following)


@router.get("/refusals", operation_id="list_refusals")
async def list_refusals(
    request: Request, who: Who, limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="how many requests to show")] = PAGE_SIZE
) -> Refusals:
    """What we say that we do not do, by request, with the aspirations that this leaves unserved; every refusal is counted."""
    clusters, viewer = dict[str, _Cluster](), viewer_of(who)
    async with request.app.state.engine.connect() as connection:
        async for found in store.all_items(connection, REFUSED):
            for each in found:
                if may_see(viewer, each.further):
                    clusters.setdefault(each.topic, _Cluster(each.time)).add(each, viewer)
    often = sorted(clusters.items(), key=lambda each: (-each[1].refused, each[0]))
    return Refusals(items=[each.view(name) for name, each in often[:limit]], requests=len(often))


@router.get("/encounters", operation_id="get_encounters")
async def get_encounters(request: Request) -> Encounters:
    """How encounters of each kind came out: right the first time, a yes found, an aspiration served."""
    async with request.app.state.engine.connect() as connection:
        sums = await store.totals(connection, "encounters:")
        now, waiting = await projections.present(connection), await store.waiting(connection)
    items = []
    for kind in KINDS:
        outcomes: dict[str, int] = {each: sums[f"{kind}:{each}"] for each in OUTCOMES if f"{kind}:{each}" in sums}
        items.append(EncounterReport(kind=kind, question=QUESTIONS[kind], encounters=sum(outcomes.values()), outcomes=outcomes))
    return Encounters(as_of=now, waiting=waiting, items=items)


@router.get("/efforts", operation_id="get_efforts")
async def get_efforts(request: Request) -> Efforts:
    """What relations cost all customers: contacts, repetitions, being passed on, waiting; once a Relationship is published."""
    async with request.app.state.engine.connect() as connection:
        sums = await store.totals(connection, "effort:")
        now, waiting = await projections.present(connection), await store.waiting(connection)
    parts: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: dict.fromkeys(EffortTotal.model_fields, 0)))
    for name, number in sums.items():
        part, _, rest = name.partition(":")
        which, _, what = rest.rpartition(":")
        parts[part][which][what] = number
    failures = [FailureEffortTotal(promise=name, **numbers) for name, numbers in parts["failure"].items()]
    return Efforts(
        as_of=now,
        waiting=waiting,
        customers=EffortTotal(**parts["all"][""]),
        journeys=[JourneyEffortTotal(map=name, **numbers) for name, numbers in sorted(parts["journey"].items())],
        failures=sorted(failures, key=lambda each: (-each.contacts, each.promise)),
    )


def place_of(entry: Listed) -> tuple[datetime, UUID, UUID]:
    """What lists are sorted by."""
    return entry.time, entry.customer, entry.event


def _may_come_back(viewer: Viewer, further: dict[str, Any]) -> bool:
    """An open word on a date does not open what was recorded for a few."""
    return may_see(viewer, further) and any(may_see(viewer, each) for each in further["recorded"])


def _come_back(each: Listed, now: datetime | None) -> ComeBack:
    due = now is not None and each.time <= now
    return ComeBack(customer=each.customer, event=each.event, aspiration=each.topic, come_back=each.time, due=due, owner=each.owner)


def _ignored(each: Listed, now: datetime | None) -> IgnoredFeedback:
    said: dict[str, Any] = each.further
    return IgnoredFeedback(
        customer=each.customer,
        event=each.event,
        name=each.topic,
        time=each.time,
        age_seconds=None if now is None else seconds(max(now - each.time, timedelta(0))),
        owner=each.owner,
        tone=said["tone"],
        expressed=said["expressed"],
        told=said["told"],
    )


def _counts(sums: dict[str, int]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for name, number in sums.items():
        state, _, which = name.partition(":")
        found[which][state] = number
    return found


@dataclass(slots=True)
class _Cluster:
    """What is known of the refusals of one request."""

    last: datetime
    refused: int = 0
    granted: int = 0
    customers: set[UUID] = field(default_factory=set)
    teams: Counter[str] = field(default_factory=Counter)
    unserved: Counter[str] = field(default_factory=Counter)

    def add(self, each: Listed, viewer: Viewer) -> None:
        """Count one more, as a viewer may see it."""
        self.last = max(self.last, each.time)
        self.refused += 1
        self.granted += each.further["granted"]
        self.customers.add(each.customer)
        self.teams[each.owner or "nobody"] += 1
        if (left := each.further.get("unserved")) is not None and may_see(viewer, left):
            self.unserved[left["aspiration"]] += 1

    def view(self, request: str) -> RefusalCluster:
        """As it is shown."""
        return RefusalCluster(
            request=request, refused=self.refused, customers=len(self.customers), granted=self.granted, teams=dict(self.teams),
            unserved=dict(self.unserved), last=self.last,
        )  # fmt: skip
