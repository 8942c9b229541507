"""A timeline as it goes on: server-sent events, taken up again where they stopped."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import StreamingResponse

from services.chassis.access import Who
from services.chassis.cursors import MALFORMED_CURSOR
from services.chassis.problems import Problem
from services.chassis.watching import LONGEST_PLACE, STREAM, EventStream, LastEventId, Told
from services.journey.api.timeline import Chosen, view
from services.journey.api.viewers import shown_to, viewer_of
from services.journey.store.timeline import Entry
from services.journey.timeline import live
from services.journey.timeline.kinds import Types
from services.journey.timeline.live import Live, Step

router = APIRouter(prefix="/v1", tags=["journey"])


class WatchAsked(Chosen):
    """Which entries to be told of, and from where on."""

    after: str | None = Field(
        default=None, max_length=LONGEST_PLACE, description="`live` of a timeline; `Last-Event-ID`, which browsers send, goes before it"
    )


@router.get("/customers/{customer_id}/timeline/events", operation_id="watch_timeline", response_class=StreamingResponse, responses=STREAM)
async def watch_timeline(
    customer_id: UUID,
    request: Request,
    who: Who,
    asked: Annotated[WatchAsked, Query()],
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    """Each entry as it becomes known, whatever its time; with `Last-Event-ID` what came since then, each once."""
    watched: Live = request.app.state.live
    place = last_event_id or asked.after
    try:
        at = None if place is None else live.read(place)
    except ValueError as error:
        raise Problem(MALFORMED_CURSOR, "Start again without a place.") from error
    steps = watched.watch(customer_id, Types(asked.type, asked.kind), at)
    shown = partial(shown_to, request.app.state.engine, customer_id, viewer_of(who))
    return EventStream(watched, told(steps, shown))


async def told(steps: AsyncIterator[Step], shown: Callable[[Sequence[Entry]], Awaitable[list[Entry]]]) -> AsyncIterator[Told]:
    """Each step as it is told to somebody who is shown no more than they may see."""
    async for place, entry in steps:
        yield place, [view(each).model_dump_json() for each in await shown([] if entry is None else [entry])]
