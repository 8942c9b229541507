"""What makes a page go on by itself: the streams behind it, relayed in the name of whoever reads it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.responses import Response, StreamingResponse

from services.workbench import live
from services.workbench.api.page import Anybody, Page
from services.workbench.live import LONGEST_PLACE, Stream

router = APIRouter()
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_NO_MORE: Final = 204
"""A browser that is told so does not come back."""
_ANYBODY_S: Final = ("owned", "offered", "approval_", "help_", "merged", "unmerged")
"""What concerns people beside the owner of a case: kinds of act begin so."""
After = Annotated[str | None, Query(max_length=LONGEST_PLACE)]
LastEventId = Annotated[str | None, Header(max_length=LONGEST_PLACE)]


@router.get("/today/live")
async def watch_today(page: Anybody, after: After = None, last_event_id: LastEventId = None) -> Response:
    """Whether there is something new among what the first page shows somebody."""
    if page.session is None:
        return Response(status_code=_NO_MORE)
    me = page.session.principal.subject

    def concerns(news: Mapping[str, Any]) -> bool:
        return news["owner"] in {None, me} or str(news["kind"]).startswith(_ANYBODY_S)

    (place,) = live.places(last_event_id or after, 1)
    return _stream(page, [Stream("recovery", "/v1/cases/events", place, concerns)])


@router.get("/cases/{case_id}/live")
async def watch_case(
    case_id: UUID, page: Anybody, customer: UUID, after: After = None, last_event_id: LastEventId = None
) -> Response:  # fmt: skip
    """Whether there is something new in a case, or in what its customer lives with us."""
    acts, line = live.places(last_event_id or after, 2)
    return _stream(
        page,
        [
            Stream("recovery", f"/v1/cases/{case_id}/events", acts),
            Stream("journey", f"/v1/customers/{customer}/timeline/events", line),
        ],
    )


def _stream(page: Page, streams: Sequence[Stream]) -> Response:
    if page.session is None:
        return Response(status_code=_NO_MORE)
    telling = live.relay(page.services, page.session, streams, page.request.app.state.viewers)
    return StreamingResponse(telling, headers=_HEADERS, media_type="text/event-stream")
