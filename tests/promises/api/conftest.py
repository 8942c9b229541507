"""Somebody in front of the promises API, on a database that a line of partitions has judged into."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Relay
from services.promises import api
from services.promises.settings import PromisesSettings
from tests.driving import NOON
from tests.promises.conftest import Partition, document, response
from tests.serving import bearer, in_front_of, trusting

HOUR = timedelta(hours=1)
Somebody = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]


def body(name: str = "in-time", effective_from: str | None = None, **spec: Any) -> dict[str, Any]:
    """A promise as it is sent."""
    given = {"response": response()} | spec
    found: dict[str, Any] = orjson.loads(document(name, {key: value for key, value in given.items() if value is not None}))
    if effective_from:
        found["metadata"]["effective_from"] = effective_from
    return found


@pytest.fixture
def served(settings: PromisesSettings, tmp_path: Path) -> PromisesSettings:
    """Settings of the process that serves."""
    return trusting(settings, tmp_path).model_copy(update={"register_age": 0.0})


@pytest.fixture
async def app(served: PromisesSettings, engine: AsyncEngine) -> FastAPI:
    return api.build(served, engine, Relay(served))


@pytest.fixture
def somebody(app: FastAPI, tmp_path: Path) -> Somebody:
    """Give a client with these roles and this name; without roles, one without a token."""

    def client(*roles: str, subject: str = "ana") -> AbstractAsyncContextManager[httpx2.AsyncClient]:
        return in_front_of(app, bearer(tmp_path, *roles, subject=subject) if roles else {})

    return client


@pytest.fixture
async def manager(somebody: Somebody) -> AsyncIterator[httpx2.AsyncClient]:
    async with somebody("manager") as client:
        yield client


@pytest.fixture
async def begun(manager: httpx2.AsyncClient, partition: Callable[..., Partition]) -> Partition:
    """A line that judges: two orders kept, one broken, one open, at a barrier four hours after noon."""
    objective = {"kept": "90%", "window": "30 days"}
    await manager.post("/v1/promises", json=body(segment="data.channel", objective=objective))
    lane = await partition().start()
    for number, hours in enumerate((0, 0, 0, 3)):
        data = {"order": f"o{number}", "channel": "web" if number else "shop"}
        lane.event("placed", NOON + hours * HOUR, data=data, id_=f"placed-{number}", customer=UUID(int=number % 2))
        if number < 2:
            lane.event("delivered", NOON + HOUR, data=data, customer=UUID(int=number % 2))
    lane.marker(NOON + 4 * HOUR)
    await lane.deliver()
    await lane.save()
    return lane
