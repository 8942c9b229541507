"""Feeds of foreign topics on a real Kafka and a real PostgreSQL: nothing lost, nothing doubled, and heard from only while caught up."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricReader
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy import topics as kafka_topics
from services.chassis.database import create_engine
from services.chassis.process import Context
from services.chassis.telemetry import Telemetry
from services.journey.feeds.forwarding import Feeding
from services.journey.records import TOUCHPOINTS
from services.journey.settings import JourneySettings
from services.journey.store import documents, feeds
from tests.driving import NOON, reading, rows
from tests.measuring import emitted, shown

NOW = datetime.now(UTC)
TOPIC = "shop.orders"
DOCUMENT: dict[str, Any] = {
    "apiVersion": "makegood/v1", "kind": "Feed", "metadata": {"name": "shop-orders"},
    "spec": {
        "source": "shop", "from": {"kafka": {"topic": TOPIC}}, "subject": {"path": "record.customer", "prefix": "crm:"},
        "type": {"path": "record.status", "map": {"P": "order.placed", "T": "skip"}}, "time": "record.at", "data": "record",
    },
}  # fmt: skip


def order(number: int, customer: int = 1, **others: Any) -> bytes:
    at = (NOW - timedelta(hours=1) + timedelta(milliseconds=number)).isoformat()
    return orjson.dumps({"customer": customer, "status": "P", "at": at, "number": number} | others)


@pytest.fixture
async def settings(kafka: str, database: Callable[[str], Awaitable[str]], topics: Callable[..., Awaitable[None]]) -> JourneySettings:
    await topics("live")
    return JourneySettings(kafka=kafka, database=await database("journey"), feed_interval=0.2, session_timeout=6.0)


@pytest.fixture
async def engine(settings: JourneySettings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings, "journey")
    yield engine
    await engine.dispose()


Write = Callable[..., Awaitable[None]]


@pytest.fixture
async def write(kafka: str) -> AsyncIterator[Write]:
    """Give what writes into a foreign topic; customers of one number are in one partition."""
    await kafka_topics.create(kafka, [kafka_topics.Topic(TOPIC, 2, raw=False)], "live")
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:

        async def send(*values: bytes | None, partition: int = 0) -> None:
            await asyncio.gather(*[await producer.send(TOPIC, value, b"k", partition=partition) for value in values])

        yield send
    await kafka_topics.delete(kafka, [TOPIC])


async def publish(engine: AsyncEngine, **spec: Any) -> None:
    document = DOCUMENT | {"spec": DOCUMENT["spec"] | spec}
    await documents.publish_feed(engine, "shop-orders", orjson.dumps(document), "ana", NOON)


async def declare(engine: AsyncEngine, heartbeat: str) -> None:
    document = {"metadata": {"name": "shop"}, "spec": {"source": "shop", "heartbeat": heartbeat}}
    await documents.publish_source(engine, "shop", orjson.dumps(document), "ana", NOON)


@asynccontextmanager
async def feeding(settings: JourneySettings, engine: AsyncEngine, *readers: MetricReader) -> AsyncIterator[Feeding]:
    running = Feeding(Context(settings, engine, Telemetry(settings, "journey", readers)))
    work = asyncio.create_task(running.run())
    try:
        yield running
    finally:
        running.stop()
        await work


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := await condition()):  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.05)
        return found


async def looks(running: Feeding, number: int) -> None:
    """Wait until a feed that is followed has been looked at so often."""
    seen: list[Any] = []

    async def looked() -> bool:
        for each in running._following.values():
            if not any(each.goal is goal for goal in seen):
                seen.append(each.goal)
        return len(seen) > number

    await until(looked)


async def counts(engine: AsyncEngine, least: int = 0, feed: str = "shop-orders") -> dict[str, int] | None:
    lanes = (await feeds.positions(engine)).get(feeds.reading(feed, TOPIC), {})
    found: dict[str, int] = {}
    for each in lanes.values():
        for name, count in each.state.get("counts", {}).items():
            found[name] = found.get(name, 0) + count
    return found if sum(found.values()) >= least else None


async def test_a_foreign_topic_is_sent_on_with_what_is_broken_in_its_place(
    settings: JourneySettings, engine: AsyncEngine, kafka: str, write: Write
) -> None:
    await write(order(1), b"{broken", order(2, status="?"), order(3, status="T"), None, order(4))
    await publish(engine)
    metrics = InMemoryMetricReader()
    async with feeding(settings, engine, metrics) as running, reading(kafka, TOUCHPOINTS) as all_now:
        await looks(running, 1)
        shown(emitted(metrics), __file__)
        assert await until(lambda: counts(engine, 6)) == {"forwarded": 2, "refused": 3, "skipped": 1}
        sent = sorted((dict(each.headers)["feed-origin"].decode(), each) for each in await all_now())
    assert [where.partition("@")[0] for where, _ in sent] == [f"{TOPIC}/0/{offset}" for offset in (0, 1, 2, 4, 5)]
    values = [each.value for _, each in sent]
    assert values[1] == b"{broken"
    named = orjson.loads(values[2])
    assert (named["subject"], named["data"]["number"], "specversion" in named) == ("crm:1", 2, False)  # whom it names is held
    assert [orjson.loads(values[index])["data"]["number"] for index in (0, 4)] == [1, 4]


async def test_it_goes_on_where_it_was_and_a_feed_that_begins_at_the_end_reads_nothing_old(
    settings: JourneySettings, engine: AsyncEngine, kafka: str, write: Write
) -> None:
    await write(order(1), order(2))
    await publish(engine, **{"from": {"kafka": {"topic": TOPIC, "start": "end"}}})
    async with feeding(settings, engine):
        await until(lambda: feeds.positions(engine))
        await write(order(3))
        assert await until(lambda: counts(engine, 1)) == {"forwarded": 1, "refused": 0, "skipped": 0}
    await write(order(4), partition=1)
    async with feeding(settings, engine), reading(kafka, TOUCHPOINTS) as all_now:
        await until(lambda: counts(engine, 2))
        assert sorted(orjson.loads(each.value)["data"]["number"] for each in await all_now()) == [3, 4]


async def test_a_new_version_is_followed_at_once_and_a_paused_one_is_not(
    settings: JourneySettings, engine: AsyncEngine, write: Write
) -> None:
    await publish(engine, paused=True)
    async with feeding(settings, engine) as running:
        await until(lambda: asyncio.sleep(0, not running.missing()))
        await write(order(1))
        assert await feeds.positions(engine) == {}
        await publish(engine)
        await until(lambda: counts(engine, 1))
        await publish(engine, data={"n": "record.number"})
        await until(lambda: asyncio.sleep(0, [each.version for each in running._following.values()] == [3]))
        await write(order(2))
        assert await until(lambda: counts(engine, 2)) == {"forwarded": 2, "refused": 0, "skipped": 0}


async def test_a_retired_feed_lets_its_topic_go_and_published_again_takes_it_up_where_it_stood(
    settings: JourneySettings, engine: AsyncEngine, write: Write
) -> None:
    """Breaks if what came after were sent on, or a feed that is taken back passed anything over, or sent it twice."""
    await write(order(1))
    await publish(engine)
    other = DOCUMENT | {"metadata": {"name": "again"}}
    await documents.publish_feed(engine, "again", orjson.dumps(other), "ana", NOON)
    async with feeding(settings, engine) as running:
        await until(lambda: counts(engine, 1))
        assert await documents.retire_feed(engine, "shop-orders", "olga", NOON)
        await until(lambda: asyncio.sleep(0, running._following.keys() == {"again"}))
        await write(order(2), order(3, status="T"))
        await until(lambda: counts(engine, 3, "again"))  # the one beside it has read on, so that there was time to
        assert await counts(engine) == {"forwarded": 1, "refused": 0, "skipped": 0}
        await publish(engine)
        assert await until(lambda: counts(engine, 3)) == {"forwarded": 2, "refused": 0, "skipped": 1}
        assert [each.version for name, each in running._following.items() if name == "shop-orders"] == [3]


async def test_a_topic_that_is_not_there_is_told_and_followed_once_it_is(
    settings: JourneySettings, engine: AsyncEngine, kafka: str
) -> None:
    async def trouble() -> str | None:
        return (await feeds.standings(engine, ["shop-orders"])).get("shop-orders", feeds.Standing()).trouble

    async def caught_up() -> datetime | None:
        return (await feeds.standings(engine, ["shop-orders"]))["shop-orders"].caught_up

    await publish(engine)
    async with feeding(settings, engine):
        assert TOPIC in await until(trouble)
        await kafka_topics.create(kafka, [kafka_topics.Topic(TOPIC, 1, raw=False)], "live")
        try:
            assert await until(caught_up)
            assert await trouble() is None
        finally:
            await kafka_topics.delete(kafka, [TOPIC])


async def test_a_topic_that_was_made_anew_stops_its_feed_and_no_other_and_nothing_is_passed_over(
    settings: JourneySettings, engine: AsyncEngine, kafka: str, write: Write
) -> None:
    """Breaks if a position beyond the end were moved without a word: what is in the new topic would never be read."""
    await write(order(1), order(2))
    await publish(engine)
    async with feeding(settings, engine):
        await until(lambda: counts(engine, 2))
    await declare(engine, "1 second")
    await kafka_topics.delete(kafka, [TOPIC])
    await kafka_topics.create(kafka, [kafka_topics.Topic(TOPIC, 2, raw=False)], "live")
    other = DOCUMENT | {"metadata": {"name": "again"}}
    await documents.publish_feed(engine, "again", orjson.dumps(other), "ana", NOON)
    async with feeding(settings, engine) as running:

        async def trouble() -> bool:
            return "made anew" in ((await feeds.standings(engine, ["shop-orders"])).get("shop-orders", feeds.Standing()).trouble or "")

        async def caught_up() -> Any:
            return (await feeds.standings(engine, ["again"])).get("again", feeds.Standing()).caught_up

        await until(trouble)
        await until(caught_up)
        assert await counts(engine) == {"forwarded": 2, "refused": 0, "skipped": 0}
        assert "shop" not in running._beaten  # both feeds are of one source: one that has caught up does not speak for the other


async def test_a_source_is_heard_from_only_while_all_that_its_topic_holds_has_been_sent_on(
    settings: JourneySettings, engine: AsyncEngine, kafka: str, write: Write
) -> None:
    """Breaks if a feed that lags said that its source is alive: its promises would be judged without what is still to come."""
    await write(order(1))
    await publish(engine)
    await declare(engine, "1 second")
    async with feeding(settings, engine) as running, reading(kafka, TOUCHPOINTS) as all_now:

        async def beat() -> bool:
            return any(b"source.heartbeat" in each.value for each in await all_now())

        await until(beat)
        async with engine.connect() as held:  # the feed cannot commit: it lags
            await held.execute(text("SELECT FROM progress WHERE topic LIKE 'feed:%' FOR UPDATE"))
            await write(order(2))
            await looks(running, 3)  # in one that is under way it may still have caught up
            await all_now()
            await looks(running, 8)  # time for six heartbeats
            lagging = await beat()
            await held.rollback()
        assert not lagging
        await until(beat)


@contextmanager
def process(settings: JourneySettings, role: str, crash_at: str = "") -> Iterator[subprocess.Popen[bytes]]:
    own = {
        "MAKEGOOD_KAFKA": settings.kafka, "MAKEGOOD_DATABASE": settings.database, "MAKEGOOD_HTTP_PORT": "0",
        "MAKEGOOD_ENV": "local", "MAKEGOOD_FEED_INTERVAL": "0.2",
        "MAKEGOOD_BATCH_RECORDS": "50", "MAKEGOOD_CRASH_AT": crash_at, "MAKEGOOD_SESSION_TIMEOUT": "6", "MAKEGOOD_LOG_LEVEL": "WARNING",
    }  # fmt: skip
    running = subprocess.Popen([sys.executable, "-m", "services.journey", role], env={**os.environ, **own})
    try:
        yield running
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGTERM)
        running.wait(30)


@pytest.mark.slow
@pytest.mark.parametrize("crash_at", ["after-forward:3", "after-claim:3", "before-commit:2", "after-commit:2"])
async def test_a_feed_killed_in_the_middle_sends_every_record_on_once_and_in_order(
    settings: JourneySettings, engine: AsyncEngine, write: Write, crash_at: str
) -> None:
    """Breaks if a position were committed before what it stands for was sent, or an id were not always the same."""
    values = [order(number, number % 7) if number % 10 else b"{broken %d" % number for number in range(300)]
    await write(*values[:150])
    await write(*values[150:], partition=1)
    await publish(engine)
    with process(settings, "feed", crash_at) as killed:
        assert await asyncio.to_thread(killed.wait, 60) == 137
    with process(settings, "consume"), process(settings, "feed"):

        async def all_taken() -> bool:
            return len(await rows(engine, "journal", "event")) >= 270 and len(await rows(engine, "quarantine", "position")) >= 30

        await until(all_taken, 60)
        await until(lambda: counts(engine, 300), 60)
    journal = [orjson.loads(body) for _, _, body in await rows(engine, "journal", "lane, lpad(ordinal::text, 9, '0'), body")]
    events = [each for each in journal if each["type"] == "order.placed"]
    assert sorted(each["data"]["number"] for each in events) == [number for number in range(300) if number % 10]
    for half in (range(150), range(150, 300)):  # a customer's records of one partition of theirs stay in order
        for customer in range(7):
            own = [each["data"]["number"] for each in events if each["data"]["customer"] == customer and each["data"]["number"] in half]
            assert own == sorted(own)
    refused = [bytes(value) for (value,) in await rows(engine, "quarantine", "value")]
    assert sorted(refused) == sorted(each for each in values if each.startswith(b"{broken"))


@pytest.mark.slow
async def test_a_feed_killed_from_outside_again_and_again_loses_and_doubles_nothing(
    settings: JourneySettings, engine: AsyncEngine, write: Write
) -> None:
    await publish(engine)
    with process(settings, "consume"), process(settings, "feed"):  # one that lives beside those that are killed
        for round_ in range(3):
            with process(settings, "feed") as killed:
                for number in range(round_ * 1000, round_ * 1000 + 1000, 100):
                    await write(*[order(each, each % 7) for each in range(number, number + 100)], partition=number // 100 % 2)
                await until(lambda least=round_ * 1000 + 50: counts(engine, least), 60)  # type: ignore[misc]
                killed.send_signal(signal.SIGKILL)
        with process(settings, "feed"):
            await until(lambda: counts(engine, 3000), 60)

            async def all_taken() -> bool:
                return len(await rows(engine, "journal", "event")) >= 3000

            await until(all_taken, 60)
    numbers = [orjson.loads(body)["data"]["number"] for (body,) in await rows(engine, "journal", "body")]
    assert sorted(numbers) == list(range(3000))
