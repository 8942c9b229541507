"""What a process measures of its lanes, on a real Kafka and a real database; and that every declared metric is emitted somewhere."""

from pathlib import Path

from aiokafka import AIOKafkaProducer
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.metrics import (
    BARRIER_AGE,
    LANE_BEHIND,
    METRICS,
    OUTBOX,
    OUTCOMES,
    QUARANTINE,
    RECORDS,
    SNAPSHOT,
    TRANSACTION_SECONDS,
    in_promql,
)
from services.chassis.database import oldest_snapshot
from services.chassis.sampling import Sampler
from services.chassis.settings import Clock
from services.chassis.telemetry import Telemetry
from services.journey.records import TOUCHPOINTS
from services.journey.settings import JourneySettings
from services.journey.store import gauges
from tests.chassis import test_consume
from tests.chassis.conftest import PARTITIONS
from tests.measuring import SHOWN_BY, emitted, shown

near = test_consume.near


async def test_a_consumer_measures_its_lanes_its_batches_and_its_event_loop(near: JourneySettings, engine: AsyncEngine) -> None:
    """Breaks if anything declared of lanes were counted by nobody, or under other labels than declared."""
    reader = InMemoryMetricReader()
    live = near.model_copy(update={"clock": Clock.LIVE})
    telemetry = Telemetry(live, "journey", [reader])
    async with test_consume.running(live, "measured", telemetry=telemetry) as (consumer, _):

        async def measured() -> list[object]:
            return consumer.measured()  # type: ignore[return-value]

        await test_consume.send(near.kafka, range(60))
        async with AIOKafkaProducer(bootstrap_servers=near.kafka) as producer:
            await producer.send_and_wait(TOUCHPOINTS, b"no event", partition=0)
        await test_consume.until(lambda: test_consume.reached(engine, 60))
        await test_consume.until(lambda: _refused(engine))
        looks = [measured, lambda: gauges.measured(engine), lambda: oldest_snapshot(engine)]
        async with engine.begin() as connection:
            await connection.execute(text("SELECT 1"))
            await Sampler(telemetry, 0.05, looks).step()  # type: ignore[arg-type]
    found = emitted(reader)
    shown(found, __file__)
    lanes = {(TOUCHPOINTS, str(number)) for number in range(PARTITIONS)}
    assert set(found[BARRIER_AGE]) == set(found[OUTBOX]) == set(found[LANE_BEHIND]) == lanes
    assert sum(found[RECORDS].values()) >= 61
    assert found[OUTCOMES][("applied",)] == 60
    assert sum(found[QUARANTINE].values()) == 1
    assert found[TRANSACTION_SECONDS][(TOUCHPOINTS,)] >= PARTITIONS
    assert found[SNAPSHOT][()] >= 0.05
    assert all(age >= 0 for age in found[BARRIER_AGE].values())


async def test_a_transaction_that_has_ended_holds_nothing_back(engine: AsyncEngine) -> None:
    """Breaks if connections that only wait in the pool, or other databases, were taken for snapshots."""
    async with engine.begin() as connection:
        await connection.execute(text("SELECT 1"))
        ((_, held, _),) = await oldest_snapshot(engine)
    assert held > 0
    assert [each.value for each in await oldest_snapshot(engine)] == [0]


async def _refused(engine: AsyncEngine) -> bool:
    return any(each.value for each in await gauges.measured(engine))


def test_every_declared_metric_is_seen_to_be_emitted() -> None:
    """Breaks if a metric were declared, drawn and alerted on, and nothing ever counted it."""
    assert sorted(name for names in SHOWN_BY.values() for name in names) == sorted(each.name for each in METRICS)
    for test in SHOWN_BY:
        assert "shown(" in (Path(__file__).parents[2] / test).read_text()


def test_no_label_can_name_a_customer() -> None:
    words = {"promise", "kind", "verdict", "source", "reason", "state", "outcome", "feed"}
    assert {label for each in METRICS for label in each.labels} <= words | {
        "messaging.destination.name", "messaging.destination.partition.id",
    }  # fmt: skip


def test_names_in_promql_follow_the_translation_of_the_collector() -> None:
    """As pkg/translator/prometheus of the collector says: dots to underscores, the unit's word, `_total`; {units} in braces are dropped."""
    names = {each.name: in_promql(each) for each in METRICS}
    assert names["makegood.records.applied"] == ("makegood_records_applied_total",)
    assert names["makegood.barrier.age"] == ("makegood_barrier_age_seconds",)
    assert names["makegood.outbox.depth"] == ("makegood_outbox_depth",)
    assert names["makegood.batch.duration"][0] == "makegood_batch_duration_seconds_bucket"
