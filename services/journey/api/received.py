"""What was taken in of all customers, for those who run the system and those who look over their shoulder."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field, TypeAdapter

from services.chassis import cursors
from services.chassis.access import Who
from services.chassis.problems import Problem
from services.journey.api.paging import LARGEST_PAGE, PAGE_SIZE, Counted, Moment, Text
from services.journey.api.timeline import TimelineEntry, TypeName, view
from services.journey.api.viewers import shown_of_all, viewer_of
from services.journey.store import received
from services.journey.store.received import Sought
from services.journey.timeline.kinds import Types

CURSOR = r"^[A-Za-z0-9_-]{1,4096}$"
"""Longer than others: it names every lane."""
POSITION: TypeAdapter[tuple[bool, dict[Text, Counted]]] = TypeAdapter(tuple[bool, dict[Text, Counted]])

router = APIRouter(prefix="/v1", tags=["journey"])


class Touchpoints(BaseModel):
    """Some touchpoints, in the order asked for."""

    items: list[TimelineEntry]
    next: str | None = Field(description="continues behind them; with a filter there may be more where a page is short, or empty")


class TouchpointsAsked(BaseModel):
    """Which touchpoints are asked for; ranges include where they begin, and not where they end."""

    type: list[TypeName] = Field(default=[], max_length=20, description="only these types; in `order.*` the `*` is any run of characters")
    source: list[TypeName] = Field(default=[], max_length=20, description="only what these systems said; repeat it for several")
    since: Moment | None = Field(default=None, alias="from", description="what happened then or later")
    until: Moment | None = Field(default=None, alias="to", description="what happened before")
    arrived_from: Moment | None = Field(default=None, description="what arrived then or later")
    arrived_to: Moment | None = Field(default=None, description="what arrived before")
    limit: int = Field(default=PAGE_SIZE, ge=1, le=LARGEST_PAGE)
    order: Literal["newest", "oldest"] = Field(default="newest", description="which come first, by arrival")
    cursor: str | None = Field(default=None, pattern=CURSOR, description="`next` of another page, asked for alike")


@router.get("/touchpoints", operation_id="list_touchpoints")
async def list_touchpoints(request: Request, who: Who, asked: Annotated[TouchpointsAsked, Query()]) -> Touchpoints:
    """What was taken in, of all customers, each once; what is discreet only to whom it names. Pages stay whole while more comes in."""
    backwards = asked.order == "newest"
    after = None
    if asked.cursor:
        was_backwards, after = cursors.decode(asked.cursor, POSITION)
        if was_backwards != backwards:
            raise Problem(cursors.MALFORMED_CURSOR, "It is of the other order; ask for that, or start again without a cursor.")
    sought = Sought(Types(asked.type), asked.source, asked.since, asked.until, asked.arrived_from, asked.arrived_to, backwards)
    found = await received.read_page(request.app.state.engine, sought, after, asked.limit)
    shown = await shown_of_all(request.app.state.engine, viewer_of(who), found.entries)
    return Touchpoints(items=list(map(view, shown)), next=cursors.encode((backwards, found.place)) if found.more else None)
