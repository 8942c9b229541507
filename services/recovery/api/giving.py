"""What waits for somebody's decision, and what all cases cost."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter

from services.chassis import csvs, cursors
from services.chassis.access import Who
from services.chassis.cursors import Cursor
from services.recovery.acting import time_of
from services.recovery.api.acts import actor
from services.recovery.store import giving as store
from services.recovery.store import people

router = APIRouter(prefix="/v1", tags=["giving"])
POSITION: TypeAdapter[store.Position] = TypeAdapter(store.Position)
PLACE: TypeAdapter[store.Place] = TypeAdapter(store.Place)
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
    """What all cases cost, by who bore it, currency, promise and kind; `next` continues behind them."""

    items: list[TotalView]
    next: str | None


@router.get("/approvals", operation_id="list_approvals")
async def list_approvals(
    request: Request, who: Who, limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 50, cursor: Cursor = None
) -> AskedPage:
    """What waits for your decision, by your own authority or that of whoever is away and lent you theirs."""
    engine = request.app.state.engine
    covers = await people.covered_now(engine, who.subject, await time_of(engine, request.app.state.settings))
    found = await store.open_approvals(engine, (actor(who), *covers), cursors.behind(cursor, POSITION), limit + 1)
    items, following = cursors.page(found, limit, lambda each: (each.due, each.id))
    return AskedPage(items=[AskedView.model_validate(each._asdict()) for each in items], next=following)


@router.get("/ledger", operation_id="get_ledger_totals", response_model=Totals, responses=csvs.DESCRIBED)
async def get_ledger_totals(
    request: Request,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = LARGEST_PAGE,
    cursor: Cursor = None,
) -> Totals | Response:
    """What all cases cost, by who bore it, currency, promise and kind; `until` itself does not count. A table in CSV is whole."""
    engine = request.app.state.engine
    if csvs.wanted(request):
        rows: list[dict[str, Any]] = [each._asdict() for each in await store.totals(engine, since, until)]
        return Response(csvs.render(store.Total._fields, rows), media_type=csvs.MEDIA_TYPE)
    found = await store.totals(engine, since, until, cursors.behind(cursor, PLACE), limit + 1)
    items, following = cursors.page(found, limit, lambda each: each.place)
    return Totals(items=[TotalView.model_validate(each._asdict()) for each in items], next=following)
