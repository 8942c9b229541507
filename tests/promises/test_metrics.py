"""What is measured and traced of promises: verdicts by promise and kind, corrections, who is held, which sources are silent."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
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
from tests.promises.conftest import ANA, Partition, promise, response

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


async def test_spans_carry_what_the_collector_keeps_traces_by_and_no_customer(
    settings: PromisesSettings, engine: AsyncEngine, tmp_path: Path
) -> None:
    """Breaks if a broken promise were sampled away with what went well, or a span named the customer."""
    spans = tmp_path / "spans.jsonl"
    telemetry = Telemetry(settings.model_copy(update={"traces": str(spans)}), "promises")
    await promise(engine, "in-time", {"response": response()})
    lane = Partition(engine, settings, lambda: JourneyHandler(settings, telemetry))
    await lane.start()
    lane.event("placed", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    lane.marker(NOON + 3 * HOURS)
    await lane.deliver()
    lane.event("delivered", NOON + HOURS, NOON + 3 * HOURS)
    await lane.deliver()
    telemetry.close()
    written = spans.read_text()
    verdicts = [orjson.loads(line)["attributes"]["makegood.verdict"] for line in written.splitlines()]
    assert verdicts == ["broken", "corrected"]
    assert str(ANA) not in written
    assert "o1" not in [value for line in written.splitlines() for value in orjson.loads(line)["attributes"].values()]
