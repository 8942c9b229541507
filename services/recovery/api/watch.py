"""Cases as they go on: server-sent events of one case, and of all that somebody has on their list."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from services.chassis.cursors import MALFORMED_CURSOR
from services.chassis.problems import Kind, Problem
from services.chassis.watching import LONGEST_PLACE, STREAM, EventStream, LastEventId, Told
from services.recovery import live, store
from services.recovery.acting import NoSuchCaseError
from services.recovery.api.views import act_view
from services.recovery.audit import Entry
from services.recovery.domain.case import State
from services.recovery.live import Live, PlaceIsGoneError, Step
from services.recovery.store.lists import Filter
from services.recovery.store.live import News

router = APIRouter(prefix="/v1", tags=["recovery"])
PROBLEMS: Final = {PlaceIsGoneError: Kind(410, "place-is-gone", "What came behind that place is not kept any more")}
_FACT: Final = "makegood.case."
_MOVES: Final = frozenset({"owned", "reopened", "unmerged", *(each.value for each in State)})
"""Kinds of act that may take a case off a list; they are told whatever the list is of."""
_BIGGEST: Final = 2**31 - 1
After = Annotated[str | None, Query(max_length=LONGEST_PLACE, description="where to go on; `Last-Event-ID` goes before it")]


@router.get("/cases/events", operation_id="watch_cases", response_class=StreamingResponse, responses=STREAM)
async def watch_cases(
    request: Request,
    state: Annotated[list[State] | None, Query()] = None,
    owner: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]+$")] = None,
    customer: UUID | None = None,
    after: After = None,
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    """Every act on cases of a list, as it is done, with how the case stands behind it; `listed` is false where it has left the list."""
    watched: Live = request.app.state.live
    place = last_event_id or after
    try:
        at = None if place is None else live.read(place)
    except ValueError as error:
        raise Problem(MALFORMED_CURSOR, "Start again without a place.") from error
    chosen = Filter(state or (), owner=owner, customer=customer)
    steps = watched.cases(await watched.from_place(at), lambda news: _concerns(news, chosen))
    return EventStream(watched, _told(steps, chosen))


@router.get("/cases/{case_id}/events", operation_id="watch_case", response_class=StreamingResponse, responses=STREAM)
async def watch_case(case_id: UUID, request: Request, after: After = None, last_event_id: LastEventId = None) -> StreamingResponse:
    """Every act of a case as it is done; its `id` is the number of the act, and the version that the case then has."""
    watched: Live = request.app.state.live
    engine, place = request.app.state.engine, last_event_id or after
    partition = await store.partition_of_case(engine, case_id)
    if partition is None:
        raise NoSuchCaseError(NoSuchCaseError.__doc__)
    if place is None:
        found = await store.case_with_trail(engine, case_id)
        place = str(found[0].case.version if found else 0)
    if not place.isascii() or not place.isdecimal() or len(place) > len(str(_BIGGEST)) or int(place) > _BIGGEST:
        raise Problem(MALFORMED_CURSOR, "Start again without a place.")
    return EventStream(watched, _told(watched.case(case_id, partition, int(place))))


async def _told(steps: AsyncIterator[Step], chosen: Filter | None = None) -> AsyncIterator[Told]:
    async for place, news in steps:
        match news:
            case Entry():
                yield place, [act_view(news).model_dump_json()]
            case News():
                yield place, [orjson.dumps(_view(news, chosen or Filter())).decode()]
            case _:
                yield place, []


def _concerns(news: News, chosen: Filter) -> bool:
    fact = news.fact
    if not fact["type"].startswith(_FACT):
        return False
    if chosen.customer is not None and fact["customer"] != str(chosen.customer):
        return False
    return fact["type"].removeprefix(_FACT) in _MOVES or _is_listed(fact["data"], chosen)


def _is_listed(data: dict[str, Any], chosen: Filter) -> bool:
    return (not chosen.states or data["state"] in chosen.states) and chosen.owner in {None, data["owner"]}


def _view(news: News, chosen: Filter) -> dict[str, Any]:
    fact, data = news.fact, news.fact["data"]
    shown = {name: data[name] for name in ("case", "customer", "state", "severity", "owner")}
    return shown | {"kind": fact["type"].removeprefix(_FACT), "at": fact["time"], "listed": _is_listed(data, chosen)}
