"""Mass failures: proposed, declared by a lead, worked under one plan, and closed with how it ended for each customer."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID, uuid5

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, model_validator

from contracts.acts import Name, Needs, Words
from contracts.acts.learning import Component
from services.chassis import cursors
from services.chassis.access import Principal, Who
from services.chassis.cursors import Cursor
from services.chassis.preconditions import Expected, IdempotencyKey, IfMatch, Once, etag
from services.chassis.problems import INVALID, NOT_FOUND, Fault, Problem
from services.recovery.acting import time_of
from services.recovery.api.acts import actor
from services.recovery.api.bulk import BulkView, checked, run_id
from services.recovery.api.bulk import read as read_bulk
from services.recovery.api.bulk import view as bulk_view
from services.recovery.api.views import ActView, act_view
from services.recovery.domain import grouping
from services.recovery.domain.case import IN_WORK, Happened
from services.recovery.domain.grouping import MassFailure
from services.recovery.store import bulk, mass
from services.recovery.store.bulk import Run

router = APIRouter(prefix="/v1", tags=["mass failures"])
POSITION: TypeAdapter[tuple[datetime, UUID]] = TypeAdapter(tuple[datetime, UUID])
CLUSTER: TypeAdapter[mass.Place] = TypeAdapter(mass.Place)
LARGEST_PAGE = 200
AN_HOUR = timedelta(hours=1)
_ROOT = UUID("b2f8c4de-0d53-5c0e-8a2e-6c1d7f9e4a05")
Span = Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=366), description="as in PT48H or P2D")]


class Step(Needs):
    """One act that is done in every case, in those too that join later."""

    act: Name = Field(description="of the table of acts, as in `add_task`, `draft_message`, `send_message`, `own_case`, `remedy_case`")
    needs: dict[str, Any] = Field(default={}, description="what the act needs, the same for every case")
    within: Span | None = Field(default=None, description="what it makes is due so long after it is done in a case")


class Planned(Step):
    """One step of the plan."""

    of: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="the step above, counted from 0, whose message or task of each case it is about"
    )


class Ordered(Step):
    """One more act for every case."""

    of: UUID | None = Field(default=None, description="the earlier act on all cases whose message or task it is about")


class NewMassFailure(Needs):
    """Many failures that have one cause."""

    what: Words = Field(description="what went wrong, for all; no word of one customer")
    lead: Name | None = Field(default=None, description="who leads it, and acts for the owners in all cases; you, where left out")
    since: AwareDatetime = Field(description="failures before it do not belong")
    until: AwareDatetime | None = Field(default=None, description="nor those from then on; left out: it goes on")
    promises: list[Name] = Field(default=[], max_length=50, description="one of which failed; none: any")
    components: list[Component] = Field(default=[], max_length=6, description="of the promises that failed")
    segments: list[Name] = Field(default=[], max_length=200, description="by which the promises are counted: places, sources")
    plan: list[Planned] = Field(default=[], max_length=20, description="what is done in every case, in this order")

    @model_validator(mode="after")
    def _has_something_in_common(self) -> "NewMassFailure":
        if not (self.promises or self.components or self.segments):
            message = "say what the failures have in common: promises, components or segments"
            raise ValueError(message)
        return self


class Changed(Needs):
    """What it is, who leads it, and until when failures belong."""

    what: Words
    lead: Name
    until: AwareDatetime | None = None


class Closing(Needs):
    """How it ended."""

    why: Words = Field(description="why nothing more is to be done for all")


class MassFailureView(BaseModel):
    """A mass failure, and how its cases stand."""

    id: UUID
    version: int
    state: Literal["open", "closed"]
    what: str
    lead: str
    since: AwareDatetime
    until: AwareDatetime | None
    promises: list[str]
    components: list[str]
    segments: list[str]
    declared_by: str
    declared_at: AwareDatetime
    closed_at: AwareDatetime | None
    cases: int = Field(description="that are part of it now")
    states: dict[str, int] = Field(description="how many of these are in which state now: each customer is recovered alone")
    ended: dict[str, int] | None = Field(description="how they stood when it was closed")


class MassFailureWithPlan(MassFailureView):
    """A mass failure with what is done in all its cases; the first act puts them in."""

    acts: list[BulkView]


class MassFailures(BaseModel):
    """Mass failures, the latest first; `next` continues behind them."""

    items: list[MassFailureView]
    next: str | None


class ProposalView(BaseModel):
    """Failures that came close together and share what is not null."""

    promise: str | None
    component: str | None
    segment: str | None
    cases: int
    failures: int
    first: AwareDatetime
    last: AwareDatetime


class Proposals(BaseModel):
    """What may have one cause, the largest first, then the latest; `next` continues behind them."""

    items: list[ProposalView]
    next: str | None


class MassAudit(BaseModel):
    """The whole trail of a mass failure, to be verified by whoever reads it."""

    mass_failure: UUID
    version: int
    digest: str
    acts: list[ActView]


@router.get("/mass-failures/proposals", operation_id="propose_mass_failures")
async def propose_mass_failures(
    request: Request,
    since: AwareDatetime,
    pause: Annotated[timedelta, Query(gt=timedelta(0), le=timedelta(days=31), description="the longest without a failure")] = AN_HOUR,
    least: Annotated[int, Query(ge=2, le=1_000_000, description="cases")] = 10,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 100,
    cursor: Cursor = None,
) -> Proposals:
    """Where failures of one promise, component or segment came close together, and are part of no mass failure yet."""
    wanted = mass.Wanted(since, pause, least)
    found = await mass.clusters(request.app.state.engine, wanted, cursors.behind(cursor, CLUSTER), limit + 1)
    items, following = cursors.page(found, limit, lambda each: each.place)
    return Proposals(items=[ProposalView(**each._asdict()) for each in items], next=following)


@router.post("/mass-failures", operation_id="declare_mass_failure", status_code=201)
async def declare_mass_failure(
    body: NewMassFailure, request: Request, response: Response, who: Who, key: IdempotencyKey
) -> MassFailureWithPlan:
    """Say that many failures are one. What fits, now or later, becomes part of it, and what the plan says is done in every case."""
    once = Once.of(who.subject, key, "declare_mass_failure", body.model_dump(mode="json"))
    identity = uuid5(_ROOT, once.name)
    steps = [_first(identity, who, once), *_planned(body.plan, identity, who, once)]
    at = await time_of(request.app.state.engine, request.app.state.settings)
    values = body.model_dump(mode="json", include={"since", "until", "promises", "components", "segments"})
    declared = grouping.declare(identity, who.subject, at, values | {"lead": body.lead or who.subject}, body.what)
    async with request.app.state.engine.begin() as connection:
        if await mass.begin(connection, identity, declared, once):
            for each in steps:
                await bulk.begin(connection, each, once)
        return _shown(await mass.shown(connection, identity), response)


def _first(identity: UUID, who: Principal, once: Once) -> Run:
    return _run(identity, who, once, 0, (mass.GROUP, {"mass_failure": str(identity)}, None, None))


def _planned(plan: list[Planned], identity: UUID, who: Principal, once: Once) -> list[Run]:
    runs: list[Run] = []
    for number, step in enumerate(plan):
        if step.of is not None and step.of >= number:
            raise Problem(INVALID, errors=[Fault(pointer=f"/plan/{number}/of", detail="it names a step above, counted from 0")])
        act, needs = _checked(step, who, f"/plan/{number}", named=step.of is not None)
        runs.append(_run(identity, who, once, number + 1, (act, needs, step.within, None if step.of is None else runs[step.of].id)))
    return runs


def _run(identity: UUID, who: Principal, once: Once, number: int, step: tuple[str, dict[str, Any], timedelta | None, UUID | None]) -> Run:
    roles, teams = sorted(who.roles), sorted(who.teams)
    return Run(uuid5(run_id(once), str(number)), *step, identity, who.subject, roles, teams, once.fingerprint)


def _checked(step: Step, who: Principal, place: str, *, named: bool) -> tuple[str, dict[str, Any]]:
    act, needs = checked(step.act, step.needs, who, step.within, place)
    if (act.thing is not None) != named:
        about = f"about one {act.thing} of a case: say in `of` which act made it" if act.thing else "about nothing that another act made"
        raise Problem(INVALID, errors=[Fault(pointer=f"{place}/of", detail=f"{act.name} is {about}")])
    return act.name, needs


@router.get("/mass-failures", operation_id="list_mass_failures")
async def list_mass_failures(
    request: Request,
    state: Literal["open", "closed"] | None = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 50,
    cursor: Cursor = None,
) -> MassFailures:
    """Mass failures, the latest first; their cases are `/v1/cases?mass_failure=`."""
    after = cursors.behind(cursor, POSITION)
    async with request.app.state.engine.connect() as connection:
        found = await mass.page(connection, state, after, limit + 1)
        counted = await mass.states(connection, [each.id for each in found])
    shown, following = cursors.page(found, limit, lambda each: (each.declared_at, each.id))
    return MassFailures(items=[MassFailureView(**_members(each, counted[each.id])) for each in shown], next=following)


@router.get("/mass-failures/{mass_failure_id}", operation_id="get_mass_failure")
async def get_mass_failure(mass_failure_id: UUID, request: Request, response: Response) -> MassFailureWithPlan:
    """One mass failure, how its cases stand, and how far what is done in all has come."""
    async with request.app.state.engine.connect() as connection:
        return _shown(await mass.shown(connection, mass_failure_id), response)


@router.get("/mass-failures/{mass_failure_id}/audit", operation_id="get_mass_failure_audit")
async def get_mass_failure_audit(mass_failure_id: UUID, request: Request) -> MassAudit:
    """Every act of a mass failure with the hash chain over them; `makegood audit verify` computes it again."""
    async with request.app.state.engine.connect() as connection:
        found = _known(await mass.held(connection, mass_failure_id))
        acts = [act_view(each) for each in await mass.trail(connection, mass_failure_id)]
    return MassAudit(mass_failure=mass_failure_id, version=found.mass.version, digest=found.digest.hex(), acts=acts)


@router.put("/mass-failures/{mass_failure_id}", operation_id="change_mass_failure")
async def change_mass_failure(
    mass_failure_id: UUID, body: Changed, request: Request, response: Response, who: Who, seen: IfMatch
) -> MassFailureWithPlan:
    """Say anew what it is, who leads it, and until when failures belong."""

    def decide(before: MassFailure, _: Mapping[str, int], at: datetime) -> Happened:
        return grouping.change(before, actor(who), at, body.lead, body.until, body.what)

    return await _happen(request, response, mass_failure_id, seen, decide)


@router.post("/mass-failures/{mass_failure_id}/acts", operation_id="act_on_mass_failure", status_code=201)
async def act_on_mass_failure(
    mass_failure_id: UUID, body: Ordered, request: Request, who: Who, seen: IfMatch, key: IdempotencyKey
) -> BulkView:
    """Do one more act in every case, in those too that join later; whoever leads the mass failure speaks for the owners."""
    act, needs = _checked(body, who, "", named=body.of is not None)
    once = Once.of(who.subject, key, f"act_on_mass_failure {mass_failure_id}", body.model_dump(mode="json"))
    run = _run(mass_failure_id, who, once, 0, (act, needs, body.within, body.of))
    at = await time_of(request.app.state.engine, request.app.state.settings)
    async with request.app.state.engine.begin() as connection:
        before = _known(await mass.held(connection, mass_failure_id, lock=True))
        if body.of is not None and body.of not in {each.id for each in await mass.runs(connection, mass_failure_id)}:
            raise Problem(INVALID, errors=[Fault(pointer="/of", detail="it names an earlier act on all cases of this mass failure")])
        if await bulk.begin(connection, run, once):
            seen.require(before.mass.version)
            await mass.save(connection, before, grouping.order(before.mass, actor(who), at, act, run.id))
    return await read_bulk(request, run.id)


@router.post("/mass-failures/{mass_failure_id}/close", operation_id="close_mass_failure")
async def close_mass_failure(
    mass_failure_id: UUID, body: Closing, request: Request, response: Response, who: Who, seen: IfMatch
) -> MassFailureWithPlan:
    """End it once none of its cases is in work; how each customer stood then is kept."""

    def decide(before: MassFailure, states: Mapping[str, int], at: datetime) -> Happened:
        return grouping.close(before, actor(who), at, states, body.why, [each.value for each in IN_WORK])

    return await _happen(request, response, mass_failure_id, seen, decide)


Decide = Callable[[MassFailure, Mapping[str, int], datetime], Happened]
"""From the mass failure, how many of its cases are in which state, and the time."""


async def _happen(request: Request, response: Response, identity: UUID, seen: Expected, decide: Decide) -> MassFailureWithPlan:
    """What somebody does with a mass failure that nobody else changes meanwhile, in the version that they saw."""
    at = await time_of(request.app.state.engine, request.app.state.settings)
    async with request.app.state.engine.begin() as connection:
        before = _known(await mass.held(connection, identity, lock=True))
        seen.require(before.mass.version)
        states = (await mass.states(connection, [identity]))[identity]
        await mass.save(connection, before, decide(before.mass, states, at))
        return _shown(await mass.shown(connection, identity), response)


Found = TypeVar("Found")


def _known(found: Found | None) -> Found:
    if found is None:
        raise Problem(NOT_FOUND, "There is no such mass failure.")
    return found


def _shown(found: mass.Shown | None, response: Response) -> MassFailureWithPlan:
    shown = _known(found)
    response.headers["ETag"] = etag(shown.mass.version)
    return MassFailureWithPlan(**_members(shown.mass, shown.states), acts=[bulk_view(each, shown.counts[each.id]) for each in shown.runs])


def _members(found: MassFailure, states: Mapping[str, int]) -> dict[str, Any]:
    names = ("id", "version", "state", "what", "lead", "declared_by", "declared_at", "closed_at", "ended")
    rule = {each: getattr(found.rule, each) for each in ("since", "until")}
    shared = {each: list(getattr(found.rule, each)) for each in ("promises", "components", "segments")}
    return {each: getattr(found, each) for each in names} | rule | shared | {"cases": sum(states.values()), "states": states}
