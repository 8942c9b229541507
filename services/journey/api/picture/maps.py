"""Journey maps: published, how customers fare on each, and where one customer is."""

from collections import defaultdict
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.chassis.access import Who
from services.chassis.problems import NOT_FOUND, Problem
from services.journey.api.picture.shared import (
    Name,
    Outcomes,
    PublishedDocument,
    Subject,
    as_seen_by,
    outcomes,
    publish,
    retire,
    subject_of,
)
from services.journey.picture.stages import OUTSIDE, JourneyMap, Kept, Phase, Stage, Travel, Visit, travel
from services.journey.picture.whole import BANDS, EPOCH, LONGER, seconds
from services.journey.projections.pictures import declared_by
from services.journey.store import picture as store
from services.journey.store import projections
from services.journey.store.picture import Published

router = APIRouter(prefix="/v1", tags=["picture"])


class MapSummary(BaseModel):
    """A journey map in force."""

    name: str
    version: int
    title: str | None
    owner: str | None
    stages: list[str]
    published_at: datetime
    published_by: str


class Maps(BaseModel):
    """The journey maps in force, by name."""

    items: list[MapSummary]


class StageTotals(BaseModel):
    """How customers fare in one stage. Times are whole seconds; a mean is null where there is nothing to take it of."""

    name: str
    title: str | None
    phase: Phase
    standing: int = Field(description="customers who are there now")
    standing_seconds: int | None = Field(description="how long they have been there, in the mean")
    moved: int = Field(description="visits that ended in another stage")
    completed: int = Field(description="visits that ended the journey as it should end")
    fell_out: int = Field(description="visits after which nothing was heard for longer than the stage allows")
    seconds: int | None = Field(description="how long visits that ended took, in the mean")
    within: dict[str, int] = Field(description="visits that ended, by the first of these times that they did not exceed")
    promises: Outcomes


class MomentTotals(BaseModel):
    """How customers fare at one moment of truth."""

    name: str
    title: str | None
    met: int = Field(description="how often it came")
    promises: Outcomes


class Unmapped(BaseModel):
    """Touchpoints that belong to no stage, no moment and no end of the map."""

    type: str
    touchpoints: int


class MapTotals(MapSummary):
    """How all customers fare on one map."""

    as_of: datetime | None = Field(description="the arrival that all lanes have reached: what is `now` here")
    waiting: int = Field(description="customers of whom something new is known that is not in these figures yet")
    customers: int = Field(description="who have been in a stage at least once")
    unseen: int = Field(description="customers whom the map has not met")
    totals: list[StageTotals]
    outside: Outcomes = Field(description="promises that belong to no stage")
    moments: list[MomentTotals]
    unmapped: list[Unmapped]


class VisitView(BaseModel):
    """A time in one stage."""

    stage: str
    entered: datetime
    left: datetime | None
    how: Literal["standing", "moved", "completed", "fell_out"]
    seconds: int | None = Field(description="how long; of one who is there, until now")
    touchpoints: int
    evidence: UUID = Field(description="the touchpoint that began it")


class PartOutcomes(BaseModel):
    """How promises came out in one stage or at one moment."""

    name: str
    promises: Outcomes


class MomentMet(PartOutcomes):
    """A moment of truth of one customer."""

    evidence: list[UUID] = Field(description="its touchpoints")


class TravelView(BaseModel):
    """One customer's way through one map."""

    map: str
    standing: VisitView | None = Field(description="where the customer is now; null: nowhere, never begun, fallen out or done")
    fell_out: VisitView | None = Field(description="where they fell out, if that is the last that happened")
    visits: list[VisitView]
    stages: list[PartOutcomes]
    moments: list[MomentMet]
    unmapped: list[Unmapped]


class CustomerJourney(BaseModel):
    """One customer's way through every map."""

    customer: UUID
    as_of: datetime | None
    items: list[TravelView]


@router.post("/journey-maps", operation_id="publish_journey_map", status_code=201)
async def publish_journey_map(request: Request, who: Who, document: dict[str, Any]) -> PublishedDocument:
    """Publish a journey map; every customer is seen anew by it."""
    return await publish(request, who, "JourneyMap", document)


@router.put("/journey-maps/{name}/retirement", operation_id="retire_journey_map", status_code=204)
async def retire_journey_map(name: Name, request: Request, who: Who) -> None:
    """Follow nobody on this map any more; publishing it again takes that back."""
    await retire(request, who, "JourneyMap", name)


@router.get("/journey-maps", operation_id="list_journey_maps")
async def list_journey_maps(request: Request) -> Maps:
    """The journey maps in force."""
    async with request.app.state.engine.connect() as connection:
        found = [each for each in await store.published(connection) if each.kind == "JourneyMap"]
    return Maps(items=[MapSummary(**_summary(each, _map(each))) for each in found])


@router.get("/journey-maps/{name}", operation_id="get_journey_map")
async def get_journey_map(name: Name, request: Request) -> MapTotals:
    """How many stand in each stage, how long, where customers fall out, which promises are kept there, and what is not mapped."""
    async with request.app.state.engine.connect() as connection:
        published = [each for each in await store.published(connection) if each.kind == "JourneyMap" and each.name == name]
        if not published:
            raise Problem(NOT_FOUND, "No journey map of that name was published.")
        tallies = await store.totals(connection, f"map:{name}:")
        now, waiting = await projections.present(connection), await store.waiting(connection)
    map_, sums = _map(published[0]), _Sums(tallies)
    return MapTotals(
        **_summary(published[0], map_),
        as_of=now,
        waiting=waiting,
        customers=sums.of("all", "customers", "travelled"),
        unseen=sums.of("all", "customers", "unseen"),
        totals=[_stage(each, sums, now) for each in map_.stages],
        outside=sums.outcomes("stage", OUTSIDE),
        moments=[
            MomentTotals(
                name=each.name, title=each.title, met=sums.of("moment", "met", each.name), promises=sums.outcomes("moment", each.name)
            )
            for each in map_.moments
        ],
        unmapped=_unmapped(sums.all("unmapped", "touchpoints")),
    )


@router.get("/customers/{customer_id}/journey", operation_id="get_customer_journey")
async def get_customer_journey(customer_id: UUID, request: Request, who: Who) -> CustomerJourney:
    """Where a customer is on every map, how long, and where they fell out; as far as whoever asks may see what happened."""
    subject = as_seen_by(who, await subject_of(request, customer_id))
    items = [_travel(each, subject) for each in subject.declared.maps]
    return CustomerJourney(customer=subject.key, as_of=subject.now, items=items)


class _Sums:
    """Totals by (part, what, which)."""

    def __init__(self, tallies: dict[str, int]) -> None:
        self._sums: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for name, number in tallies.items():
            part, what, which = name.split(":", 2)
            self._sums[part, what][which] = number

    def of(self, part: str, what: str, which: str) -> int:
        return self._sums[part, what].get(which, 0)

    def all(self, part: str, what: str) -> dict[str, int]:
        return self._sums[part, what]

    def outcomes(self, part: str, which: str) -> Outcomes:
        return outcomes(**{what: self.of(part, what, which) for what in Kept.__dataclass_fields__})


def _map(published: Published) -> JourneyMap:
    return declared_by([published]).maps[0]


def _summary(published: Published, map_: JourneyMap) -> dict[str, Any]:
    return {
        "name": map_.name,
        "version": published.version,
        "title": map_.title,
        "owner": map_.owner,
        "stages": [each.name for each in map_.stages],
        "published_at": published.published_at,
        "published_by": published.published_by,
    }


def _stage(stage: Stage, sums: _Sums, now: datetime | None) -> StageTotals:
    standing, ended = sums.of("stage", "standing", stage.name), 0
    counts = {how: sums.of("stage", how, stage.name) for how in ("moved", "completed", "fell_out")}
    ended = sum(counts.values())
    waited = None if now is None else seconds(now - EPOCH) * standing - sums.of("stage", "entered", stage.name)
    return StageTotals(
        name=stage.name,
        title=stage.title,
        phase=stage.phase,
        standing=standing,
        standing_seconds=waited // standing if standing and waited is not None else None,
        seconds=sums.of("stage", "seconds", stage.name) // ended if ended else None,
        within={each: sums.of("time", each, stage.name) for each in (*(name for name, _ in BANDS), LONGER)},
        promises=sums.outcomes("stage", stage.name),
        **counts,
    )


def _unmapped(numbers: dict[str, int]) -> list[Unmapped]:
    """The most frequent first."""
    return [Unmapped(type=each, touchpoints=number) for each, number in sorted(numbers.items(), key=lambda one: (-one[1], one[0]))]


def _travel(map_: JourneyMap, subject: Subject) -> TravelView:
    way = travel(map_, subject.history, subject.now)
    visits = [_visit(each, subject.now) for each in way.visits]
    last = visits[-1] if visits else None
    return TravelView(
        map=map_.name,
        standing=last if last is not None and last.how == "standing" else None,
        fell_out=last if last is not None and last.how == "fell_out" else None,
        visits=visits,
        stages=[PartOutcomes(name=each, promises=_outcomes(way.stages, each)) for each in way.stages],
        moments=_moments(map_, way),
        unmapped=_unmapped(way.unmapped),
    )


def _moments(map_: JourneyMap, way: Travel) -> list[MomentMet]:
    return [
        MomentMet(name=each.name, promises=_outcomes(way.moments, each.name), evidence=way.met.get(each.name, []))
        for each in map_.moments
        if each.name in way.met or each.name in way.moments
    ]


def _outcomes(found: dict[str, Kept], name: str) -> Outcomes:
    return outcomes(**asdict(found.get(name, Kept())))


def _visit(visit: Visit, now: datetime | None) -> VisitView:
    until = visit.left or now
    spent = None if until is None else max(until - visit.entered, timedelta(0))
    return VisitView(
        stage=visit.stage,
        entered=visit.entered,
        left=visit.left,
        how=visit.how,
        seconds=None if spent is None else seconds(spent),
        touchpoints=visit.touchpoints,
        evidence=visit.evidence,
    )
