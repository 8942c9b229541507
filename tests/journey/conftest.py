"""Raw lanes of journey on a real database, driven record by record."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import create_engine
from services.chassis.settings import Clock
from services.chassis.telemetry import Telemetry
from services.journey.handlers import TouchpointHandler
from services.journey.records import TOUCHPOINTS
from services.journey.settings import JourneySettings
from services.journey.store import documents
from tests.driving import NOON, Raw
from tests.serving import trusting

LANES, PARTITIONS = 3, 2
TABLES = (
    "journal", "seen", "quarantine", "quarantine_acts", "identifiers", "customers", "statements", "holdings", "erased", "conflicts",
    "attributes", "progress", "packs", "facts",
)  # fmt: skip
ORDER = {"order": {"path": "data.order", "of": "thing"}, "email": {"path": "data.email"}}


@pytest.fixture
async def settings(database: Callable[[str], Awaitable[str]]) -> JourneySettings:
    return JourneySettings(kafka="127.0.0.1:9", database=await database("journey"), clock=Clock.REPLAY)


@pytest.fixture
def own(settings: JourneySettings, tmp_path: Path) -> JourneySettings:
    """Settings of an API that takes tokens made here."""
    return trusting(settings, tmp_path)


@pytest.fixture
async def engine(settings: JourneySettings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings, "journey")
    yield engine
    await engine.dispose()


@pytest.fixture
def raw(settings: JourneySettings, engine: AsyncEngine) -> Callable[..., Raw]:
    """Give what makes a raw lane; it is to be started."""
    telemetry = Telemetry(settings, "journey")

    def make(partition: int = 0, topic: str = TOUCHPOINTS) -> Raw:
        return Raw(engine, settings, lambda: TouchpointHandler(topic, LANES, PARTITIONS, settings, telemetry), partition)

    return make


async def declare(engine: AsyncEngine, type_: str, identifiers: dict[str, dict[str, str]], **others: str) -> None:
    """Publish an event type that names customers in its data."""
    document = {
        "apiVersion": "makegood/v1", "kind": "EventType", "metadata": {"name": type_},
        "spec": {"type": type_, "identifiers": identifiers} | others,
    }  # fmt: skip
    await documents.publish_event_type(engine, type_, orjson.dumps(document), "ana", NOON)


__all__ = ["NOON", "ORDER", "TABLES", "Raw", "declare"]
