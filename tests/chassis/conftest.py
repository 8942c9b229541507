"""A raw lane of journey as an example of a lane, on a real database and a real Kafka."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import create_engine
from services.chassis.settings import Clock
from services.chassis.telemetry import Telemetry
from services.journey.handlers import TouchpointHandler
from services.journey.records import TOUCHPOINTS
from services.journey.settings import JourneySettings
from tests.driving import Raw

PARTITIONS = 6


@pytest.fixture
async def settings(database: Callable[[str], Awaitable[str]]) -> JourneySettings:
    return JourneySettings(kafka="127.0.0.1:9", database=await database("journey"), clock=Clock.REPLAY)


@pytest.fixture
async def engine(settings: JourneySettings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings, "journey")
    yield engine
    await engine.dispose()


@pytest.fixture
def handler(settings: JourneySettings) -> TouchpointHandler:
    return TouchpointHandler(TOUCHPOINTS, 1, PARTITIONS, settings, Telemetry(settings, "journey"))


@pytest.fixture
async def raw(engine: AsyncEngine, settings: JourneySettings) -> Raw:
    telemetry = Telemetry(settings, "journey")
    lane = Raw(engine, settings, lambda: TouchpointHandler(TOUCHPOINTS, 1, PARTITIONS, settings, telemetry))
    await lane.start()
    return lane
