"""What is measured of promises: verdicts by promise and kind, corrections, who is held, which sources are silent."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.metrics import CORRECTIONS, HELD, SILENCE, VERDICTS
from services.chassis.sampling import Sampler
from services.chassis.telemetry import Telemetry
from services.promises.handlers import JourneyHandler
from services.promises.settings import PromisesSettings
from services.promises.store import gauges
from tests.driving import NOON
from tests.measuring import emitted, shown
from tests.promises.conftest import Partition, promise, response

HOURS = timedelta(hours=1)
SOURCE = (
    b'{"apiVersion": "makegood/v1", "kind": "Source", "metadata": {"name": "shop", "owner": "shop"}, "spec": {"heartbeat": "10 minutes"}}'
)


async def test_verdicts_corrections_holds_and_silences_are_measured(
    settings: PromisesSettings, engine: AsyncEngine, partition: Callable[..., Any]
) -> None:
    reader = InMemoryMetricReader()
    telemetry = Telemetry(settings, "promises", [reader])
    await promise(engine, "in-time", {"response": response()})
    lane = Partition(engine, settings, lambda: JourneyHandler(settings, telemetry))
    await lane.start()
    lane.event("placed")
    lane.marker(NOON + 3 * HOURS)
    await lane.deliver()
    lane.event("delivered", NOON + HOURS, NOON + 3 * HOURS)
    lane.marker(NOON + 4 * HOURS)
    await lane.deliver()
    async with engine.begin() as connection:  # both told by rows that other tests write by handlers
        await connection.execute(text("UPDATE commitments SET state = 'held'"))
        await connection.execute(
            text("INSERT INTO sources (source, version, published_at, published_by, document) VALUES ('shop', 1, now(), 'ana', :document)"),
            {"document": SOURCE},
        )
        await connection.execute(
            text("INSERT INTO blind_spots (partition, subject, record, start, why) VALUES (0, 'source:shop', 'shop', :start, 'silent')"),
            {"start": NOON + 3 * HOURS},
        )
    await Sampler(telemetry, 0.01, [lambda: gauges.measured(engine)]).step()
    found = emitted(reader)
    shown(found, __file__)
    assert found[VERDICTS] == {("in-time", "opened"): 1, ("in-time", "broken"): 1, ("in-time", "corrected"): 1}
    assert found[CORRECTIONS] == {("in-time", "kept"): 1}
    assert found[HELD] == {("in-time",): 1}
    assert found[SILENCE] == {("shop",): 3600}
