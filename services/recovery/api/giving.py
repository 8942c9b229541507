"""What waits for somebody's decision, what all cases cost, and who stands in for whom."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter

from contracts.acts import Name, Needs
from services.chassis import csvs, cursors
from services.chassis.access import Principal, Who
from services.chassis.cursors import Cursor
from services.chassis.problems import INVALID, NOT_FOUND, Problem
from services.recovery.api.acts import actor
from services.recovery.api.people import NOT_YOURSELF, Subject
from services.recovery.handlers import time_of
from services.recovery.store import giving as store

router = APIRouter(prefix="/v1", tags=["giving"])
POSITION: TypeAdapter[store.Position] = TypeAdapter(store.Position)
LARGEST_PAGE = 200


class AskedView(BaseModel):
    """An approval that waits for a decision; what it asks for stands in its case."""

    id: UUID
    case_id: UUID
    asked_by: str
    roles: list[str] = Field(description="one of which decides")
    due: datetime


class AskedPage(BaseModel):
    """Some of what waits, what is due first; `next` continues behind them."""

    items: list[AskedView]
    next: str | None


class TotalView(BaseModel):
    """What cases cost, borne by one, in one currency, for one promise and one kind of thing."""

    bearer: str = Field(description="unit, supplier or employee")
    borne_by: str
    currency: str
    promise: str | None = Field(description="the promise that was broken; null where it was reported")
    kind: str
    entries: int
    amount: Decimal
    to_repay: Decimal = Field(description="of it, what employees paid of their own and wait for")


class Totals(BaseModel):
    """What all cases cost."""

    items: list[TotalView]


class NewDelegation(Needs):
    """Who has somebody's authority while they are away."""

    to: Name = Field(description="who decides in their place")
    until: AwareDatetime


class DelegationView(BaseModel):
    """Who has somebody's authority, and until when."""

    subject: str
    stand_in: str
    roles: list[str]
    until: datetime


@router.get("/approvals", operation_id="list_approvals")
async def list_approvals(
    request: Request, who: Who, limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 50, cursor: Cursor = None
) -> AskedPage:
    """What waits for your decision, by your own authority or that of whoever you stand in for."""
    after = cursors.decode(cursor, POSITION) if cursor else None
    engine = request.app.state.engine
    lent = await store.lent_now(engine, who.subject, await time_of(engine, request.app.state.settings))
    found = await store.open_approvals(engine, (actor(who), *lent), after, limit + 1)
    items = [AskedView.model_validate(each._asdict()) for each in found[:limit]]
    following = cursors.encode((items[-1].due, items[-1].id)) if len(found) > limit else None
    return AskedPage(items=items, next=following)


@router.get("/ledger", operation_id="get_ledger_totals", response_model=Totals, responses=csvs.DESCRIBED)
async def get_ledger_totals(request: Request, since: AwareDatetime | None = None, until: AwareDatetime | None = None) -> Totals | Response:
    """What all cases cost, by who bore it, currency, promise and kind; `until` itself does not count."""
    rows: list[dict[str, Any]] = [each._asdict() for each in await store.totals(request.app.state.engine, since, until)]
    if csvs.wanted(request):
        return Response(csvs.render(store.Total._fields, rows), media_type=csvs.MEDIA_TYPE)
    return Totals(items=[TotalView.model_validate(each) for each in rows])


@router.get("/people/{subject}/delegation", operation_id="get_delegation")
async def get_delegation(subject: Subject, request: Request) -> DelegationView:
    """Who has somebody's authority while they are away."""
    found = await store.delegation_of(request.app.state.engine, subject)
    if found is None:
        raise Problem(NOT_FOUND, f"{subject} has lent their authority to nobody.")
    return DelegationView.model_validate(found._asdict())


@router.put("/people/{subject}/delegation", operation_id="set_delegation")
async def set_delegation(subject: Subject, body: NewDelegation, request: Request, who: Who) -> DelegationView:
    """Lend your own authority to another until a time; what you asked yourself they still cannot grant by it."""
    _require_oneself(subject, who)
    engine = request.app.state.engine
    if body.to == subject or body.until <= await time_of(engine, request.app.state.settings):
        raise Problem(INVALID, "Authority is lent to another, until a time that is still to come.")
    made = store.Delegation(subject, body.to, sorted(who.roles), body.until)
    await store.delegate(engine, made)
    return DelegationView.model_validate(made._asdict())


@router.delete("/people/{subject}/delegation", operation_id="end_delegation", status_code=204)
async def end_delegation(subject: Subject, request: Request, who: Who) -> None:
    """Take your authority back; where it was not lent, nothing changes."""
    _require_oneself(subject, who)
    await store.return_authority(request.app.state.engine, subject)


def _require_oneself(subject: str, who: Principal) -> None:
    if subject != who.subject:
        raise Problem(NOT_YOURSELF, "Everybody lends their own authority.")
