"""Backfills: asking for one, saying that it is complete, and seeing who asked for what."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID, uuid5

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.access import Who
from services.chassis.problems import NOT_FOUND, Problem
from services.chassis.relay import Relay
from services.chassis.settings import Clock
from services.journey.api.touchpoints import present, publish
from services.journey.backfills import ENDED, STARTED, brackets
from services.journey.domain import CUSTOMERS
from services.journey.records import TOUCHPOINTS
from services.journey.store import backfills as store
from services.journey.store.backfills import Backfill

router = APIRouter(prefix="/v1", tags=["journey"])
Words = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00]+$")]
Once = Annotated[str, Header(min_length=1, max_length=200, description="the same key again asks for the same backfill")]


class NewBackfill(BaseModel):
    """Whose history is to be filled in, and why."""

    model_config = ConfigDict(extra="forbid")
    source: Words = Field(description="`source` of all its events")
    reason: Words


class BackfillView(BaseModel):
    """A backfill; its events carry its id as the extension attribute `backfill`."""

    id: UUID
    source: str
    reason: str
    by: str
    asked_at: datetime
    ended_at: datetime | None = Field(description="when it was said to be complete; null: it is under way")


class Backfills(BaseModel):
    """The backfills, the latest first."""

    items: list[BackfillView]


@router.post("/backfills", operation_id="start_backfill", status_code=201)
async def start_backfill(body: NewBackfill, request: Request, who: Who, idempotency_key: Once) -> BackfillView:
    """Open every lane for history of one source: its events may be of any age, and its commitments wait for the end and open no case."""
    id_ = uuid5(CUSTOMERS, f"backfill\0{who.subject}\0{idempotency_key}")
    asked = Backfill(id_, body.source, body.reason, who.subject, await _now(request))
    found = await store.register(request.app.state.engine, asked)
    if found.ended_at is None:
        await _tell(request, STARTED, found)
    return BackfillView(**found._asdict())


@router.post("/backfills/{backfill}/end", operation_id="end_backfill")
async def end_backfill(backfill: UUID, request: Request) -> BackfillView:
    """Say that all of it has been sent and acknowledged: what it brought is judged. Saying so again changes nothing."""
    engine: AsyncEngine = request.app.state.engine
    found = await store.find(engine, backfill)
    if found is None:
        raise Problem(NOT_FOUND, "Nobody has asked for that backfill.")
    now = await _now(request)
    await _tell(request, ENDED, found)  # noted behind it: who dies between the two, or is not heard, says it again
    return BackfillView(**(await store.end(engine, backfill, now))._asdict())


@router.get("/backfills", operation_id="list_backfills")
async def list_backfills(request: Request) -> Backfills:
    """Who brought which history in, and why."""
    return Backfills(items=[BackfillView(**each._asdict()) for each in await store.all_of_them(request.app.state.engine)])


async def _now(request: Request) -> datetime:
    return await present(request) or datetime.now(UTC)


async def _tell(request: Request, type_: str, found: Backfill) -> None:
    relay: Relay = request.app.state.relay
    stamped = request.app.state.settings.clock is Clock.REPLAY
    lanes = await relay.partitions(TOUCHPOINTS)
    await publish(relay, brackets(type_, found.id, found.source, await _now(request), lanes, stamped=stamped))
