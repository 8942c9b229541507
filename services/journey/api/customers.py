"""Customers and their timelines out."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter

from services.chassis import cursors
from services.chassis.cursors import Cursor
from services.journey.api.paging import LARGEST_PAGE, PAGE_SIZE, Text
from services.journey.domain import RESERVED_TYPES
from services.journey.store import reads, timeline

Moment = Annotated[AwareDatetime, Field(gt=datetime(1, 1, 3, tzinfo=UTC), lt=datetime(9999, 12, 30, tzinfo=UTC))]
POSITION: TypeAdapter[tuple[datetime, int, str]] = TypeAdapter(tuple[Moment, Literal[0, 1], Text])

router = APIRouter(prefix="/v1", tags=["journey"])


class CustomerView(BaseModel):
    """A customer as found; `provisional` while only things lead to them."""

    key: UUID
    provisional: bool


class Customers(BaseModel):
    """The customers found."""

    items: list[CustomerView]


class TimelineEntry(BaseModel):
    """One thing that happened to a customer, or that was said of it."""

    time: datetime
    arrival: datetime | None
    kind: Literal["touchpoint", "fact"]
    type: str
    source: str
    id: str
    data: Any = None


class Timeline(BaseModel):
    """A part of a customer's timeline, oldest first; `next` continues behind it."""

    items: list[TimelineEntry]
    next: str | None


@router.get("/customers", operation_id="find_customers")
async def find_customers(
    request: Request, identifier: Annotated[str, Query(min_length=1, max_length=512, pattern=r"^[^\x00]+$")]
) -> Customers:
    """The customer that an identifier leads to, as emitters write it: `crm:4711`, `order:o1`."""
    found = await reads.find_customer(request.app.state.engine, identifier)
    return Customers(items=[] if found is None else [CustomerView(key=found[0], provisional=found[1])])


@router.get("/customers/{customer_id}/timeline", operation_id="get_timeline")
async def get_timeline(
    customer_id: UUID,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE,
    cursor: Cursor = None,
) -> Timeline:
    """What happened to a customer and what was made of it, in order of time."""
    after = cursors.decode(cursor, POSITION) if cursor else None
    found = await timeline.read_timeline(request.app.state.engine, customer_id, after, limit + 1)
    shown = found[:limit]
    following = cursors.encode((shown[-1].time, shown[-1].kind, shown[-1].key)) if len(found) > limit else None
    return Timeline(items=[_entry(each) for each in shown], next=following)


def _entry(entry: timeline.Entry) -> TimelineEntry:
    body = orjson.loads(entry.body) if entry.body else {"type": "erased", "source": "", "id": entry.key}
    own = entry.kind or body["type"].startswith(RESERVED_TYPES)  # a hold is journalled, and is nothing that a company system tells
    kind: Literal["touchpoint", "fact"] = "fact" if own else "touchpoint"
    return TimelineEntry(
        time=entry.time,
        arrival=entry.arrival,
        kind=kind,
        type=body["type"],
        source=body["source"],
        id=body["id"],
        data=body.get("data"),
    )
