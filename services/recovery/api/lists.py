"""Cases as lists: filtered as somebody asks, or by a queue that a person or a team has saved."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, model_validator

from contracts.acts import Name, Needs
from services.chassis import cursors
from services.chassis.access import Principal, Who
from services.chassis.cursors import Cursor
from services.chassis.preconditions import IdempotencyKey, IfMatch, Once, etag
from services.chassis.problems import NOT_FOUND, Kind, Problem
from services.recovery.acting import time_of
from services.recovery.api.acts import answer
from services.recovery.api.views import CasePage, view
from services.recovery.domain.case import Severity, State
from services.recovery.store import lists, queues
from services.recovery.store.lists import Filter
from services.recovery.store.queues import Queue

router = APIRouter(prefix="/v1", tags=["lists"])
NOT_YOUR_TEAM = Kind(403, "not-your-team", "A team's queue is its own")
NO_QUEUE = "There is no such queue of yours, or of a team of yours."
POSITION: TypeAdapter[lists.Position] = TypeAdapter(lists.Position)
QUEUE_POSITION: TypeAdapter[queues.Position] = TypeAdapter(queues.Position)
PAGE_SIZE, LARGEST_PAGE = 50, 200
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]


class CaseFilter(Needs):
    """Which cases are shown: those of which all of it holds. What is left out does not matter."""

    state: list[State] = Field(default=[], max_length=len(State), description="one of these")
    severity: list[Severity] = Field(default=[], max_length=len(Severity), description="one of these")
    owner: Name | None = None
    whose: Literal["mine", "nobodys"] | None = Field(default=None, description="yours, or those that nobody has")
    customer: UUID | None = None
    mass_failure: UUID | None = Field(default=None, description="in this group of one cause")
    promise: Name | None = Field(default=None, description="about a failure of this promise that stands")
    due_before: AwareDatetime | None = Field(default=None, description="something falls due before it")
    due_within_hours: Annotated[int, Field(ge=0, le=100_000)] | None = Field(
        default=None, description="something falls due so soon, seen from when the list is read"
    )
    opened_since: AwareDatetime | None = Field(default=None, description="opened then or later")
    asked: bool = Field(default=False, description="only those that ask somebody to decide")
    watched: bool = Field(default=False, description="only those at which you look on")
    offered: bool = Field(default=False, description="only those that were offered to you")

    @model_validator(mode="after")
    def _says_one_thing_once(self) -> Self:
        if None not in (self.owner, self.whose) or None not in (self.due_before, self.due_within_hours):
            message = "say either `owner` or `whose`, and either `due_before` or `due_within_hours`"
            raise ValueError(message)
        return self


class CaseQuery(CaseFilter):
    """A filter, and which part of what it finds."""

    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE
    cursor: str | None = Field(default=None, pattern=cursors.PATTERN, description="`next` of the page before")


class NewQueue(Needs):
    """A filter to come back to."""

    name: Name
    team: Name | None = Field(default=None, description="a team of yours whose it is; your own where it is left out")
    filter: CaseFilter


class ChangedQueue(Needs):
    """A queue as it is to be."""

    name: Name
    filter: CaseFilter


class QueueView(BaseModel):
    """A saved queue, and how many cases are in it for whoever reads it."""

    id: UUID
    version: int
    name: str
    subject: str | None = Field(description="whose it is; null where it is a team's")
    team: str | None
    filter: CaseFilter
    created_by: str
    created_at: datetime
    cases: int


class QueuePage(BaseModel):
    """Some queues, by name; `next` continues behind them."""

    items: list[QueueView]
    next: str | None


@router.get("/cases", operation_id="list_cases")
async def list_cases(request: Request, who: Who, asked: Annotated[CaseQuery, Query()]) -> CasePage:
    """Cases, those due next first, then the oldest."""
    return await _page(request, await _chosen(request, who, asked), asked.limit, asked.cursor)


@router.post("/queues", operation_id="create_queue", status_code=201, response_model=QueueView)
async def create_queue(body: NewQueue, request: Request, who: Who, key: IdempotencyKey) -> Response:
    """Save a filter as a queue of your own, or of a team of yours."""
    if body.team is not None and body.team not in who.teams:
        raise Problem(NOT_YOUR_TEAM, "Save it for yourself, or for a team that you are in.")
    asked = body.model_dump(mode="json")
    engine, subject = request.app.state.engine, who.subject if body.team is None else None
    now, cases = await time_of(engine, request.app.state.settings), await _count(request, who, body.filter)

    def render(made: Queue) -> bytes:
        return _view(made, cases).model_dump_json().encode()

    new = queues.new(body.name, subject, body.team, asked["filter"], who.subject, now)
    return answer(await queues.create_queue(engine, Once.of(who.subject, key, "create_queue", asked), new, render))


@router.get("/queues", operation_id="list_queues")
async def list_queues(request: Request, who: Who, limit: Limit = PAGE_SIZE, cursor: Cursor = None) -> QueuePage:
    """Your queues and those of your teams, each with how many cases are in it now."""
    found = await queues.of(request.app.state.engine, who.subject, who.teams, cursors.behind(cursor, QUEUE_POSITION), limit + 1)
    shown, following = cursors.page(found, limit, lambda each: (each.name, each.id))
    return QueuePage(items=[await _counted(request, who, each) for each in shown], next=following)


@router.get("/queues/{queue_id}", operation_id="get_queue")
async def get_queue(queue_id: UUID, request: Request, response: Response, who: Who) -> QueueView:
    """One queue, and how many cases are in it now."""
    found = await _visible(request, who, queue_id)
    response.headers["ETag"] = etag(found.version)
    return await _counted(request, who, found)


@router.get("/queues/{queue_id}/cases", operation_id="list_queue_cases")
async def list_queue_cases(queue_id: UUID, request: Request, who: Who, limit: Limit = PAGE_SIZE, cursor: Cursor = None) -> CasePage:
    """The cases of a queue, those due next first; what is `mine` in a team's queue is the reader's."""
    found = await _visible(request, who, queue_id)
    return await _page(request, await _chosen(request, who, _filter(found)), limit, cursor)


@router.put("/queues/{queue_id}", operation_id="change_queue")
async def change_queue(queue_id: UUID, body: ChangedQueue, request: Request, response: Response, who: Who, seen: IfMatch) -> QueueView:
    """Call a queue otherwise, or let it find others."""
    _require_theirs(await _visible(request, who, queue_id), who)
    asked = body.model_dump(mode="json")
    changed = await queues.change(request.app.state.engine, queue_id, seen, asked["name"], asked["filter"])
    if changed is None:
        raise Problem(NOT_FOUND, NO_QUEUE)
    response.headers["ETag"] = etag(changed.version)
    return await _counted(request, who, changed)


@router.delete("/queues/{queue_id}", operation_id="delete_queue", status_code=204)
async def delete_queue(queue_id: UUID, request: Request, who: Who, seen: IfMatch) -> Response:
    """Save it no longer; its cases stay."""
    _require_theirs(await _visible(request, who, queue_id), who)
    await queues.remove(request.app.state.engine, queue_id, seen)
    return Response(status_code=204)


async def _visible(request: Request, who: Principal, identity: UUID) -> Queue:
    found = await queues.queue(request.app.state.engine, identity)
    if found is None or (found.subject != who.subject and found.team not in who.teams):
        raise Problem(NOT_FOUND, NO_QUEUE)
    return found


def _require_theirs(found: Queue, who: Principal) -> None:
    if found.team is not None and found.created_by != who.subject and {"lead", "manager"}.isdisjoint(who.roles):
        raise Problem(NOT_YOUR_TEAM, "Whoever saved a team's queue changes it, or a lead of the team.")


async def _chosen(request: Request, who: Principal, asked: CaseFilter) -> Filter:
    due_before = asked.due_before
    if asked.due_within_hours is not None:
        now = await time_of(request.app.state.engine, request.app.state.settings)
        due_before = now + timedelta(hours=asked.due_within_hours)
    return Filter(
        asked.state, asked.severity, who.subject if asked.whose == "mine" else asked.owner, asked.whose == "nobodys", asked.customer,
        asked.promise, due_before, asked.asked, who.subject if asked.watched else None, who.subject if asked.offered else None,
        asked.mass_failure, asked.opened_since,
    )  # fmt: skip


async def _page(request: Request, chosen: Filter, limit: int, cursor: str | None) -> CasePage:
    found = await lists.page(request.app.state.engine, chosen, cursors.behind(cursor, POSITION), limit + 1)
    items, following = cursors.page(found, limit, lambda each: lists.position_of(each.case))
    return CasePage(items=[view(each.case) for each in items], next=following)


async def _count(request: Request, who: Principal, asked: CaseFilter) -> int:
    return await lists.count(request.app.state.engine, await _chosen(request, who, asked))


async def _counted(request: Request, who: Principal, found: Queue) -> QueueView:
    return _view(found, await _count(request, who, _filter(found)))


def _filter(found: Queue) -> CaseFilter:
    return CaseFilter.model_validate_json(found.filter)


def _view(found: Queue, cases: int) -> QueueView:
    said: dict[str, Any] = found._asdict() | {"filter": _filter(found)}
    return QueueView.model_validate(said | {"cases": cases})
