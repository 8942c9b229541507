"""The HTTP side of journey: touchpoints in, the customer and their timeline out; refused records; documents."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.access import table
from services.chassis import keyring, watching
from services.chassis.apikeys import ApiKeys
from services.chassis.cloudevents import MAX_BATCH_BYTES
from services.chassis.http import create_app
from services.chassis.rates import Rates
from services.chassis.relay import Relay
from services.chassis.status import Status, read_status
from services.journey.api import (
    answers,
    backfills,
    customers,
    documents,
    erasure,
    feeds,
    identity,
    indicators,
    links,
    picture,
    principles,
    quarantine,
    received,
    status,
    timeline,
    touchpoints,
    watch,
)
from services.journey.projections.kept import waiting
from services.journey.settings import JourneySettings
from services.journey.store import reads
from services.journey.timeline.live import Live

router = APIRouter(prefix="/v1", tags=["journey"])
ROUTERS = [
    touchpoints.router,
    received.router,
    customers.router,
    timeline.router,
    watch.router,
    identity.router,
    links.router,
    answers.router,
    status.router,
    erasure.router,
    quarantine.router,
    documents.router,
    feeds.router,
    backfills.router,
    *picture.ROUTERS,
    principles.router,
    indicators.router,
    keyring.router,
    router,
]


def build(settings: JourneySettings, engine: AsyncEngine, relay: Relay) -> FastAPI:
    """The application of `python -m services.journey api`."""

    async def database() -> str | None:
        await reads.latest_arrival(engine)
        return None

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        polling = asyncio.create_task(app.state.live.run())
        yield
        app.state.leaving.set()
        await polling
        await relay.close()

    app = create_app(
        "journey",
        settings,
        ROUTERS,
        access=table(),
        lifespan=lifespan,
        checks={"database": database},
        problems=quarantine.PROBLEMS | erasure.PROBLEMS | identity.PROBLEMS | watching.PROBLEMS | links.PROBLEMS,
        body_limit=MAX_BATCH_BYTES,
    )
    app.state.settings, app.state.engine, app.state.relay = settings, engine, relay
    app.state.gate.api_keys = ApiKeys(engine)
    app.state.live = Live(engine, settings, app.state.leaving)
    app.state.answers = Rates(1 / answers.PACE, answers.AT_ONCE)
    app.state.places = asyncio.Semaphore(settings.requests_in_flight)
    return app


@router.get("/status", operation_id="get_status")
async def get_status(request: Request) -> Status:
    """Where every lane stands, and what is done beside them."""
    engine: AsyncEngine = request.app.state.engine
    return await read_status(engine, "journey", await waiting(engine))


def openapi() -> dict[str, Any]:
    """The OpenAPI document of this service, as committed."""
    settings = JourneySettings(kafka="none:0", database="postgresql://none")
    return create_app("journey", settings, ROUTERS, access=table()).openapi()
