"""What a customer sees who has a status link: JSON, or a small page for those who ask for one."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.responses import HTMLResponse, Response

from services.chassis.keys import event_key
from services.chassis.problems import NOT_FOUND, Problem
from services.journey.records import SOURCE
from services.journey.status import links, page
from services.journey.status.answers import Answer, Question, answer_of
from services.journey.status.links import NoSecretError
from services.journey.status.making_good import MakingGood, Step, making_good
from services.journey.status.stands import MOST_DECIDED, Promised, Stand, Words, promised, zone_named
from services.journey.store import facts, reads
from services.journey.store import links as store
from services.journey.store.links import Link
from services.journey.timeline.ahead import Standing, lately_decided, standing
from services.journey.timeline.said import latest

LOOKED_AT = 5 * MOST_DECIDED
"""Decided commitments looked at in each partition, to find enough that were promised to the customer."""
AHEAD = timedelta(days=1)
"""No answer is looked for that is said to be longer than this before what it answers; clocks differ."""
PRIVATE = {
    "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex", "X-Content-Type-Options": "nosniff",
    "Vary": "Accept, Accept-Language", "Content-Security-Policy": page.POLICY,
}  # fmt: skip
PAGE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
Token = Annotated[str, Path(max_length=512, description="out of a status link")]

router = APIRouter(prefix="/v1", tags=["journey"])


class PromisedView(BaseModel):
    """Something that was promised to the customer, and where it stands; times are in their zone."""

    statement: str = Field(description="the promise in the words it was published in; what was pledged to this customer, in its own")
    stand: Stand
    since: datetime = Field(description="when it began to apply")
    due: datetime | None = Field(description="the next date: by when it will be done; none where nothing fixes that, or it is over")
    settled: datetime | None = Field(description="when it was decided; none while it is open")
    times: int = Field(description="how often; of what is open and has no date, all that reads alike is told once, since the first")


class QuestionView(BaseModel):
    """What the customer may answer to a case as it stands, at this same address."""

    id: UUID = Field(description="what an answer names as `to`")
    answers: list[Answer] = Field(description="one of these; none where there is nothing to answer")


class MakingGoodView(BaseModel):
    """A failure, and how it is made good; times are in their zone."""

    about: list[str] = Field(description="the promises that were not kept, in the words they were published in")
    step: Step
    since: datetime = Field(description="when it came to stand so")
    next: datetime | None = Field(description="the next date that the customer was given within it; none where nothing fixes one")
    pledged: str | None = Field(description="what was pledged to be done by then, in the words it was pledged in")
    question: QuestionView
    given: Answer | None = Field(description="what the customer answered already")


class StatusView(BaseModel):
    """How it stands with what was promised to a customer."""

    as_of: datetime | None = Field(description="what had happened by then is in it")
    zone: str
    making_good: list[MakingGoodView] = Field(description="what is being made good, the latest first; then what came to an end lately")
    items: list[PromisedView] = Field(description="what is open, the earliest due first; then what was decided lately")


class Seen(NamedTuple):
    """What a customer sees at one moment, in their zone."""

    cases: list[MakingGood]
    items: list[Promised]
    as_of: datetime | None
    zone: ZoneInfo


@router.get("/status/{token}", operation_id="get_customer_status", response_model=StatusView, responses=PAGE)
async def get_customer_status(token: Token, request: Request) -> Response:
    """What was promised to whoever has this link, where it stands, and the next date; nothing of others, and nothing internal."""
    link = await opened(request, token)
    if link is None:
        return gone(request)
    seen = await look(request, link)
    if prefers_page(request):
        return page_of(request, seen)
    return Response(_json(seen), headers=PRIVATE, media_type="application/json")


async def look(request: Request, link: Link) -> Seen:
    """What the customer of a link sees now."""
    engine: AsyncEngine = request.app.state.engine
    zone = zone_named(link.zone, await store.zone_of(engine, link.customer))
    cases, items = await _shown(engine, link.customer, zone)
    reached = await reads.latest_arrival(engine)
    return Seen(cases, items, None if reached is None else reached.astimezone(zone), zone)


def page_of(request: Request, seen: Seen) -> HTMLResponse:
    """The page, in the language that the browser would rather have."""
    language = page.language_of(request.headers.get("accept-language", ""))
    return HTMLResponse(page.status_page(seen.cases, seen.items, seen.as_of, str(seen.zone), language), headers=PRIVATE)


def gone(request: Request) -> Response:
    """What whoever has no valid link is told."""
    if prefers_page(request):
        language = page.language_of(request.headers.get("accept-language", ""))
        return HTMLResponse(page.gone_page(language), NOT_FOUND.status, PRIVATE)
    raise Problem(NOT_FOUND, "The link is not valid, or no longer. Ask for a new one.", headers=PRIVATE)


async def opened(request: Request, token: str) -> Link | None:
    """The link that a token is of, while it is good."""
    try:
        secret = links.secret_of(request.app.state.settings)
    except NoSecretError:
        return None
    now = datetime.now(UTC)
    ticket = links.read(token, secret, now)
    return None if ticket is None else await store.valid(request.app.state.engine, ticket.link, now)


async def _shown(engine: AsyncEngine, customer: UUID, zone: ZoneInfo) -> tuple[list[MakingGood], list[Promised]]:
    standings = await _standings(engine, customer)
    cases = list(map(orjson.loads, await facts.read_cases(engine, customer)))
    words = await _words(engine, customer) if cases else {}
    told = await answered(engine, customer, making_good(cases, standings, words, zone))
    return told, promised(standings, words, zone)


async def answered(engine: AsyncEngine, customer: UUID, cases: Sequence[MakingGood]) -> list[MakingGood]:
    """Cases with what the customer answered to them as they stand."""
    asked = [each for each in cases if each.question.answers]
    since = min((each.since for each in asked), default=datetime.max.replace(tzinfo=UTC))
    heard = await store.heard(engine, customer, map(event_of, (each.question for each in asked)), since - AHEAD)
    return [each._replace(given=answer_of(heard.get(event_of(each.question), ""))) for each in cases]


def event_of(question: Question) -> UUID:
    """The key of the event that an answer becomes."""
    return event_key(SOURCE, str(question.id))


async def _words(engine: AsyncEngine, customer: UUID) -> Words:
    """What was pledged, in words, by pledge."""
    pledges = [orjson.loads(each)["data"] for each in await facts.read_pledges(engine, customer)]
    return {each["pledge_id"]: each["what"] for each in pledges if each.get("what")}


async def _standings(engine: AsyncEngine, customer: UUID) -> list[Standing]:
    found = latest(await facts.read_said(engine, customer))
    places = found.undecided + lately_decided(found.decided, LOOKED_AT)
    return [standing(orjson.loads(each)) for each in await facts.read_facts(engine, places)]


def _json(seen: Seen) -> str:
    made_good = [MakingGoodView.model_validate(each, from_attributes=True) for each in seen.cases]
    items = [PromisedView.model_validate(each, from_attributes=True) for each in seen.items]
    return StatusView(as_of=seen.as_of, zone=str(seen.zone), making_good=made_good, items=items).model_dump_json()


def prefers_page(request: Request) -> bool:
    """Whether HTML is named, and JSON is not named before it or as well liked: browsers name it, programs hardly ever."""
    names = [each.partition(";")[0].strip().lower() for each in request.headers.get("accept", "").split(",")]
    return "text/html" in names and "application/json" not in names[: names.index("text/html")]
