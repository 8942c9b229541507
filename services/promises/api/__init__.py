"""The HTTP side of promises, one module a noun; here it is put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.access import table
from services.chassis import keyring
from services.chassis.apikeys import ApiKeys
from services.chassis.http import create_app
from services.chassis.problems import Kind
from services.chassis.relay import Relay
from services.promises.api import (
    backtests,
    calendars,
    commitments,
    customers,
    excuses,
    lint,
    performance,
    promises,
    register,
    rejudgements,
    sources,
    terms,
)
from services.promises.api.shared import Surroundings
from services.promises.backtest.jobs import Jobs
from services.promises.excuses import (
    ExcuseUnderWayError,
    NothingToDecideError,
    NothingToExcuseError,
    NothingToTakeBackError,
    NotTheApproverError,
    OwnApprovalError,
)
from services.promises.lookback import LookBack
from services.promises.messenger import Messenger
from services.promises.settings import PromisesSettings
from services.promises.store import reads
from services.promises.store.runs import TooManyError

DOCUMENT_LIMIT = 256 * 1024
_PARTS = (promises, lint, terms, performance, register, calendars, sources, commitments, customers, excuses, backtests, rejudgements)
ROUTERS = [*(each.router for each in _PARTS), keyring.router]
PROBLEMS: dict[type[Exception], Kind] = {
    NothingToExcuseError: Kind(409, "nothing-to-excuse", "There is nothing to excuse"),
    ExcuseUnderWayError: Kind(409, "excuse-under-way", "There is an excuse already"),
    OwnApprovalError: Kind(422, "own-approval", "An excuse needs somebody else's approval"),
    NotTheApproverError: Kind(403, "not-the-approver", "Only the named approver may do this"),
    NothingToDecideError: Kind(409, "nothing-to-decide", "There is nothing to decide"),
    NothingToTakeBackError: Kind(409, "nothing-to-take-back", "There is nothing to take back"),
    TooManyError: Kind(429, "too-many-requests", "Too many of these at once"),
}


def build(settings: PromisesSettings, engine: AsyncEngine, relay: Relay) -> FastAPI:
    """The application of `python -m services.promises api`."""
    jobs, messenger, look_back = Jobs(engine), Messenger(engine, relay, settings.clock), LookBack(engine, settings.kafka)

    async def database() -> str | None:
        await reads.barrier(engine)
        return None

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        beside = [asyncio.create_task(each) for each in (messenger.keep_telling(), look_back.keep_reading())]
        yield
        for each in beside:
            each.cancel()
            with suppress(asyncio.CancelledError):
                await each
        await jobs.close()
        await relay.close()

    app = create_app(
        "promises",
        settings,
        ROUTERS,
        access=table(),
        lifespan=lifespan,
        checks={"database": database},
        problems=PROBLEMS,
        body_limit=DOCUMENT_LIMIT,
    )
    app.state.gate.api_keys = ApiKeys(engine)
    app.state.around = Surroundings(settings, engine, messenger, jobs, look_back)
    return app


def openapi() -> dict[str, Any]:
    """The OpenAPI document of this service, as committed."""
    settings = PromisesSettings(kafka="none:0", database="postgresql://none")
    return create_app("promises", settings, ROUTERS, access=table()).openapi()
