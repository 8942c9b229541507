"""A customer's timeline out: the way travelled, page by page in both directions, and the way ahead."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field, TypeAdapter
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import cursors
from services.chassis.access import Who
from services.journey.api.paging import LARGEST_PAGE, PAGE_SIZE, Counted, Moment, Text
from services.journey.api.viewers import shown_to, viewer_of
from services.journey.store import facts, timeline
from services.journey.store import live as live_store
from services.journey.store.timeline import ERASED, Entry, Wanted
from services.journey.timeline.ahead import way_ahead
from services.journey.timeline.kinds import Kind, Types, kind_of
from services.journey.timeline.live import written
from services.journey.timeline.said import latest

_Small = Annotated[int, Field(ge=0, lt=2**15)]
_Touchpoint = tuple[Moment, Literal[0], UUID]
_Fact = tuple[Moment, Literal[1], Text, _Small, Counted, _Small]
POSITION: TypeAdapter[tuple[bool, _Touchpoint | _Fact]] = TypeAdapter(tuple[bool, _Touchpoint | _Fact])

TypeName = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00]+$")]

router = APIRouter(prefix="/v1", tags=["journey"])


class TimelineEntry(BaseModel):
    """One thing that happened to a customer, or that was said of it."""

    time: datetime = Field(description="when it happened, or was said")
    arrival: datetime = Field(description="when we came to know of it; what we say ourselves arrives when it is said")
    kind: Kind
    type: str
    source: str
    id: str
    customer: UUID = Field(description="which of the person's keys it went to")
    data: Any = None


class Ahead(BaseModel):
    """Something that is owed to a customer, as was said of it last."""

    commitment: UUID
    customer: UUID = Field(description="which of the person's keys it is owed to")
    promise: str
    version: int
    audience: Literal["customer", "internal"]
    owner: str | None
    statement: str | None
    correlation: Any = Field(description="what it is about: an order, a ticket, a pledge")
    segment: str | None
    trigger_id: str | None
    trigger_type: str
    trigger_time: datetime
    due: datetime | None = Field(description="by when; none where nothing fixes that, or it stands until it is broken")
    judgement: Literal["on_track", "at_risk", "paused", "held"]
    said: datetime = Field(description="when this was said; what moved since then without being said is not in it")


class Timeline(BaseModel):
    """A part of a customer's timeline, in the order asked for."""

    items: list[TimelineEntry]
    next: str | None = Field(description="continues behind the last item")
    previous: str | None = Field(description="what stands before the first item, in the same order")
    live: str = Field(description="where what is told as it happens goes on behind this page: `after` of `.../timeline/events`")
    ahead: list[Ahead] | None = Field(default=None, description="what is due to this customer when, the earliest first; where asked for")


class Chosen(BaseModel):
    """Which entries are asked for."""

    kind: list[Kind] = Field(default=[], max_length=len(Kind), description="only these kinds; repeat it for several")
    type: list[TypeName] = Field(default=[], max_length=20, description="only these types; in `order.*` the `*` is any run of characters")


class PageAsked(Chosen):
    """Which part of a timeline is asked for; ranges include where they begin, and not where they end."""

    since: Moment | None = Field(default=None, alias="from", description="what happened then or later")
    until: Moment | None = Field(default=None, alias="to", description="what happened before")
    arrived_from: Moment | None = Field(default=None, description="what arrived then or later")
    arrived_to: Moment | None = Field(default=None, description="what arrived before")
    limit: int = Field(default=PAGE_SIZE, ge=1, le=LARGEST_PAGE)
    order: Literal["oldest", "newest"] = Field(default="oldest", description="which entries come first")
    cursor: str | None = Field(default=None, pattern=cursors.PATTERN, description="`next` or `previous` of another page, asked for alike")
    ahead: bool = Field(default=False, description="say also what is due to this customer when, and by which promise")


@router.get("/customers/{customer_id}/timeline", operation_id="get_timeline")
async def get_timeline(customer_id: UUID, request: Request, who: Who, asked: Annotated[PageAsked, Query()]) -> Timeline:
    """What happened to a customer and what was made of it; what was sensed only to whom it names, while the customer agrees."""
    back, after = cursors.decode(asked.cursor, POSITION) if asked.cursor else (False, None)
    backwards = (asked.order == "newest") != back
    engine: AsyncEngine = request.app.state.engine
    reached = await live_store.reached(engine)
    wanted = Wanted(Types(asked.type, asked.kind), asked.since, asked.until, asked.arrived_from, asked.arrived_to, after, backwards)
    found = await timeline.read_page(engine, customer_id, wanted, asked.limit + 1)
    due = await _ahead(engine, customer_id) if asked.ahead else None
    more, shown = len(found) > asked.limit, found[: asked.limit]
    if back:
        shown.reverse()
    following, before = (True, more) if back else (more, after is not None)
    return Timeline(
        items=[view(each) for each in await shown_to(engine, customer_id, viewer_of(who), shown)],
        next=cursors.encode((False, shown[-1].where)) if shown and following else None,
        previous=cursors.encode((True, shown[0].where)) if shown and before else None,
        live=written(reached.lanes),
        ahead=due,
    )


async def _ahead(engine: AsyncEngine, customer: UUID) -> list[Ahead]:
    places = latest(await facts.read_said(engine, customer)).undecided
    owed = way_ahead(map(orjson.loads, await facts.read_facts(engine, places)))
    return [Ahead.model_validate(each, from_attributes=True) for each in owed]


def view(entry: Entry) -> TimelineEntry:
    """One entry as it is shown; of one that was erased only that it was there."""
    time, _, key, *_ = entry.where
    body = entry.body or {"type": ERASED, "source": "", "id": str(key)}
    return TimelineEntry(
        time=time,
        arrival=entry.arrival,
        kind=kind_of(body["type"]),
        type=body["type"],
        source=body["source"],
        id=body["id"],
        customer=entry.customer,
        data=body.get("data"),
    )
