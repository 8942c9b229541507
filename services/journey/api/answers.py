"""What a customer answers on their status page: a touchpoint of their own, taken once for a case as it stands.

Nobody is known here but by the link, so another site's page cannot answer with what a browser carries along; each link is paced.
"""

import asyncio
import math
import time
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.responses import Response

from services.chassis.access import FORBIDDEN
from services.chassis.instants import to_milliseconds
from services.chassis.problems import INVALID, MALFORMED, UNAVAILABLE, UNSUPPORTED_MEDIA_TYPE, Fault, Kind, Problem
from services.chassis.settings import Clock
from services.journey.api import touchpoints
from services.journey.api.status import PAGE, PRIVATE, Token, answered, gone, look, opened, page_of, prefers_page
from services.journey.records import TOUCHPOINTS, forwarded
from services.journey.status.answers import Answer, touchpoint
from services.journey.status.making_good import MakingGood, making_good
from services.journey.status.stands import zone_named
from services.journey.store import facts
from services.journey.store.links import Link

MOVED_ON = Kind(409, "case-moved-on", "It stands otherwise by now")
PACE, AT_ONCE = 6.0, 10
"""Seconds until a link has one more answer, and how many it has at once."""
SHOWN_WITHIN, LOOK = 2.0, 0.05
"""Seconds that an answer is waited for until it is taken in, so that the page shows it when it is loaded again; and between two looks."""
LONGEST: Final = 4096
_FORM: Final = {
    "type": "object", "required": ["to", "answer"], "additionalProperties": False,
    "properties": {"to": {"type": "string", "format": "uuid"}, "answer": {"type": "string", "enum": list(Answer)}},
}  # fmt: skip
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {each: {"schema": _FORM} for each in ("application/json", "application/x-www-form-urlencoded")},
    }
}

router = APIRouter(prefix="/v1", tags=["journey"])


class Answered(BaseModel):
    """An answer to what the status page asks."""

    model_config = ConfigDict(extra="forbid")
    to: UUID
    answer: Answer


class Taken(BaseModel):
    """The answer that counts: the first one that was given."""

    to: UUID
    answer: Answer


@router.post(
    "/status/{token}", operation_id="answer_customer_status", response_model=Taken, openapi_extra=_BODY, responses=PAGE | {303: {}}
)
async def answer_customer_status(token: Token, request: Request) -> Response:
    """Take the customer's own answer to a case: good, not good, or nothing more is wanted; the first one counts."""
    link = await opened(request, token)
    if link is None:
        return gone(request)
    _require_own_page(request)
    if wait := request.app.state.answers.take(str(link.id)):
        raise Problem(touchpoints.BUSY, "Try again in a moment.", headers=PRIVATE | {"Retry-After": str(math.ceil(wait))})
    said = await _said(request)
    counts, is_in = await _take(request, link, said)
    if prefers_page(request):
        if is_in:  # shown by the page itself, which may be loaded again without sending anything
            return Response(status_code=303, headers=PRIVATE | {"Location": token})
        seen = await look(request, link)  # it is on its way, and nobody shall believe that nothing was said
        cases = [each._replace(given=counts) if each.question.id == said.to else each for each in seen.cases]
        return page_of(request, seen._replace(cases=cases))
    return Response(Taken(to=said.to, answer=counts).model_dump_json(), headers=PRIVATE, media_type="application/json")


def _require_own_page(request: Request) -> None:
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Problem(FORBIDDEN, "Answer on the status page itself.", headers=PRIVATE)


async def _said(request: Request) -> Answered:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if len(body) > LONGEST:
        raise Problem(INVALID, f"An answer has at most {LONGEST} bytes.", headers=PRIVATE)
    try:
        match media:
            case "application/x-www-form-urlencoded":
                fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=10)
                content: Any = dict(fields) if len(dict(fields)) == len(fields) else None
            case "application/json":
                content = orjson.loads(body)
            case _:
                raise Problem(UNSUPPORTED_MEDIA_TYPE, "Send a form or JSON with `to` and `answer`.", headers=PRIVATE)
    except ValueError as error:
        raise Problem(MALFORMED, "Send `to` and `answer`, each once.", headers=PRIVATE) from error
    try:
        return Answered.model_validate(content)
    except ValidationError as wrong:
        faults = [Fault(each["msg"], ".".join(map(str, each["loc"])) or None) for each in wrong.errors()]
        raise Problem(INVALID, "Nothing was taken.", faults, PRIVATE) from None


async def _take(request: Request, link: Link, said: Answered) -> tuple[Answer, bool]:
    """Send the answer on unless there is one; returns the one that counts, and whether it is taken in."""
    case = await _asked(request, link, said)
    if case.given is not None:
        return case.given, True
    if said.answer not in case.question.answers:
        allowed = ", ".join(f"`{each}`" for each in case.question.answers)
        raise Problem(INVALID, "Nothing was taken.", [Fault(f"as it stands the answers are {allowed}", "answer")], PRIVATE)
    now = await touchpoints.present(request)
    if now is None:
        raise Problem(UNAVAILABLE, "The clock has not begun; try again.", headers=PRIVATE | {"Retry-After": "1"})
    relay = request.app.state.relay
    stamp = to_milliseconds(now) if request.app.state.settings.clock is Clock.REPLAY else None
    await touchpoints.publish(relay, [forwarded(touchpoint(case.question, said.answer, now), await relay.partitions(TOUCHPOINTS), stamp)])
    heard = await _heard(request, link, case)
    return heard or said.answer, heard is not None


async def _asked(request: Request, link: Link, said: Answered) -> MakingGood:
    engine: AsyncEngine = request.app.state.engine
    cases = list(map(orjson.loads, await facts.read_cases(engine, link.customer)))
    for each in making_good(cases, (), {}, zone_named("UTC")):
        if each.question.id == said.to and each.question.answers:
            return (await answered(engine, link.customer, [each]))[0]
    raise Problem(MOVED_ON, "Look at the page again; there may be something else to answer.", headers=PRIVATE)


async def _heard(request: Request, link: Link, case: MakingGood) -> Answer | None:
    """The answer once it is taken in; None where that takes longer."""
    until = time.monotonic() + SHOWN_WITHIN
    while time.monotonic() < until:
        (now,) = await answered(request.app.state.engine, link.customer, [case])
        if now.given is not None:
            return now.given
        await asyncio.sleep(LOOK)
    return None
