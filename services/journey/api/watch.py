"""A timeline as it goes on: server-sent events, taken up again where they stopped."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from pydantic import Field
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.chassis.access import Who
from services.chassis.cursors import MALFORMED_CURSOR
from services.chassis.faults import WORLD
from services.chassis.problems import Kind, Problem
from services.journey.api.timeline import Chosen, view
from services.journey.api.viewers import shown_to, viewer_of
from services.journey.store.timeline import Entry
from services.journey.timeline import live
from services.journey.timeline.kinds import Types
from services.journey.timeline.live import Live, Step, TooManyWatchersError

PROBLEMS = {TooManyWatchersError: Kind(429, "too-many-watchers", "As many watch as can")}
RETRY_MILLISECONDS = 2000
LONGEST_PLACE = 4096
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "server-sent events"}
}

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
    last_event_id: Annotated[str | None, Header(max_length=LONGEST_PLACE, description="the last `id` that was received")] = None,
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
    return _Stream(watched, _events(steps, shown))


class _Stream(StreamingResponse):
    """Counts as one who watches for as long as it is being sent."""

    def __init__(self, watched: Live, events: AsyncIterator[bytes]) -> None:
        watched.admit()
        super().__init__(events, headers=HEADERS, media_type="text/event-stream")
        self._watched = watched

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._watched.let_go()


async def _events(steps: AsyncIterator[Step], shown: Callable[[Sequence[Entry]], Awaitable[list[Entry]]]) -> AsyncIterator[bytes]:
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    try:
        async for place, entry in steps:
            data = "".join([f"data: {view(each).model_dump_json()}\n" for each in await shown([] if entry is None else [entry])])
            yield f"id: {place}\n{data}\n".encode()
    except WORLD:
        return  # the database is away: whoever watches comes back, and goes on where they were
