"""When failures come faster than people can take them: what comes first, what will be missed, and which dates are honest."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter

from services.chassis import cursors
from services.chassis.cursors import Cursor
from services.recovery.acting import time_of
from services.recovery.domain.case import Severity
from services.recovery.store import surge as store

router = APIRouter(prefix="/v1", tags=["surge"])
POSITION: TypeAdapter[int] = TypeAdapter(int)
LARGEST_PAGE = 200
DAY = timedelta(days=1)


class WaitingView(BaseModel):
    """One case in the order of triage."""

    place: int = Field(description="1 comes first: the most severe, then what is due next, then the oldest")
    case_id: UUID
    owner: str | None
    severity: Severity
    due: AwareDatetime | None = Field(description="of what it owes next")
    reached_at: AwareDatetime | None = Field(description="when its turn comes at this pace: the earliest date that is honest")
    missed: bool = Field(description="its turn comes after what it owes is due: tell the customer a new date before")


class Surge(BaseModel):
    """How what comes stands to what people can put right."""

    since: AwareDatetime
    now: AwareDatetime
    opened_a_day: float
    remedied_a_day: float
    people: int = Field(description="who put cases right in this time")
    capacity_a_day: float | None = Field(description="what is reckoned with: what was put right, else the setting; null: nobody knows")
    measured: bool = Field(description="whether that is what people did, and not the setting")
    postponed: int = Field(description="pledges that were moved in this time")
    waiting: int
    days_of_work: float | None
    surge: bool = Field(description="more comes than is put right, and what waits is more than a day of work")
    missed: int = Field(description="cases whose next thing falls due before their turn, at this pace")
    pledges_missed: int = Field(description="pledges that are still to fall due and will before their case's turn, at this pace")
    items: list[WaitingView]
    next: str | None


@router.get("/surge", operation_id="get_surge")
async def get_surge(
    request: Request,
    days: Annotated[int, Query(ge=1, le=90, description="of which the pace is taken")] = 7,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 50,
    cursor: Cursor = None,
) -> Surge:
    """What waits in the order of triage, when each turn comes at the pace of the last days, and what will be missed."""
    state = request.app.state
    now = await time_of(state.engine, state.settings)
    since, after = now - timedelta(days=days), cursors.decode(cursor, POSITION) if cursor else 0
    async with state.engine.connect() as connection:
        pace = await store.pace(connection, since)
        capacity = pace.remedied / days or state.settings.cases_a_day or None
        each = None if capacity is None else DAY / capacity
        forecast = await store.forecast(connection, now, each)
        found = await store.page(connection, now, each, after, limit + 1)
    shown, following = cursors.page(found, limit, lambda one: one.place)
    arriving = pace.opened / days
    work = None if capacity is None else forecast.waiting / capacity
    return Surge(
        since=since, now=now, opened_a_day=arriving, remedied_a_day=pace.remedied / days, people=pace.people, capacity_a_day=capacity,
        measured=pace.remedied > 0, postponed=pace.postponed, waiting=forecast.waiting, days_of_work=work,
        surge=forecast.waiting > 0 and arriving > (capacity or 0) and (work is None or work > 1), missed=forecast.missed,
        pledges_missed=forecast.pledges_missed, items=[_view(one) for one in shown], next=following,
    )  # fmt: skip


def _view(one: store.Waiting) -> WaitingView:
    missed = one.due is not None and one.reached_at is not None and one.due < one.reached_at
    return WaitingView(
        place=one.place, case_id=one.id, owner=one.owner, severity=Severity(one.severity), due=one.due, reached_at=one.reached_at,
        missed=missed,
    )  # fmt: skip
