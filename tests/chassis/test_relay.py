"""Publishing on a real Kafka: a refused batch with an accepted marker behind it leaves no hole (FAULTS 5)."""

import asyncio
import time
from base64 import b85encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from random import Random

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.topics import read as read_topics
from services.chassis.database import create_engine
from services.chassis.instants import to_milliseconds
from services.chassis.keys import partition_of
from services.chassis.lane import Lane
from services.chassis.numbering import HighWater, number_of
from services.chassis.progress import Progress
from services.chassis.relay import CONTENT_TYPE, NotAcknowledgedError, Outgoing, Relay
from services.chassis.telemetry import Telemetry
from services.journey.domain import customer_key
from services.journey.handlers import TouchpointHandler
from services.journey.records import DEAD_LETTERS, JOURNEY, TOUCHPOINTS
from services.journey.refusals import LARGEST_KEPT
from services.journey.settings import JourneySettings
from services.promises.handlers import JourneyHandler
from services.promises.settings import PromisesSettings
from tests.chassis.conftest import PARTITIONS
from tests.driving import NOON, Raw, Wire, reading, rows, touchpoint

PARTITION = partition_of(customer_key("crm:1"), PARTITIONS)
Topics = Callable[..., Awaitable[None]]


def noise(size: int) -> bytes:
    """Printable bytes that no codec makes much smaller."""
    return b85encode(Random(size).randbytes(size * 4 // 5 + 4))[:size]


def big(id_: str, kilobytes: int) -> bytes:
    return touchpoint(id_, subject="crm:1", data=[noise(1000 + each)[:1000].decode() for each in range(kilobytes)])


async def configure(kafka: str, topic: str, **values: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        named = {name.replace("_", "."): value for name, value in values.items()}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, named)])
    finally:
        await admin.close()


def before_the_hole(progress: Progress) -> bool:
    """Whether a reader stands before what was refused, the second of its lane, and has believed no marker."""
    return progress.arrival is None and progress.state.get("marks", {}).get("touchpoints/0", [1, 0])[1] <= 1


async def until_kafka_refuses(relay: Relay, size: int) -> None:
    """A broker applies what it was told about a topic a moment later."""
    probe = Outgoing(JOURNEY, (PARTITION + 1) % PARTITIONS, None, noise(size), [])
    async with asyncio.timeout(20):
        with suppress(NotAcknowledgedError):
            while True:
                await relay.publish([probe])


async def until_kafka_takes(lane: Lane) -> None:
    """Open a lane, as often as it takes."""
    async with asyncio.timeout(20):
        while True:
            with suppress(NotAcknowledgedError):
                await lane.open()
                return


@pytest.fixture
async def relay(settings: JourneySettings, kafka: str) -> AsyncIterator[Relay]:
    relay = Relay(settings.model_copy(update={"kafka": kafka}))
    yield relay
    await relay.close()


@pytest.fixture
async def judging(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Lane]:
    settings = PromisesSettings(kafka="127.0.0.1:9", database=await database("promises"))
    engine = create_engine(settings, "promises")
    lane = Lane(engine, Wire(settings), settings, JourneyHandler(settings, Telemetry(settings, "promises")), PARTITION)
    await lane.open()
    yield lane
    await engine.dispose()


async def test_a_refused_batch_is_sent_again_from_the_pointer_and_no_marker_passes_the_hole(
    raw: Raw,
    handler: TouchpointHandler,
    relay: Relay,
    judging: Lane,
    kafka: str,
    topics: Topics,
    settings: JourneySettings,
) -> None:
    """Breaks if a publisher went on behind what Kafka refused, or a consumer believed the marker behind it."""
    await topics("replay")
    await configure(kafka, JOURNEY, max_message_bytes="190000", message_timestamp_type="CreateTime")
    await until_kafka_refuses(relay, 300_000)
    for name, kilobytes in (("first", 130), ("refused", 250), ("behind", 150), ("last", 1)):
        raw.add(big(name, kilobytes))
    lane = Lane(raw.engine, relay, settings, handler, 0)
    await lane.open()
    with pytest.raises(NotAcknowledgedError):
        await lane.step(raw.log)
    await relay.publish(handler.markers(lane._memory, lane.progress))  # as a process would that did not notice
    async with reading(kafka, JOURNEY) as records:
        first = [each for each in await records() if each.partition == PARTITION]
        await judging.step(first)
        assert orjson.loads(first[-1].value or b"")["type"] == "makegood.journey.progress"
        assert before_the_hole(judging.progress)
        await configure(kafka, JOURNEY, max_message_bytes="1000000", message_timestamp_type="CreateTime")
        await until_kafka_takes(lane)
        lane._marked_at = float("-inf")
        await relay.publish(lane.signals())
        second = [each for each in await records() if each.partition == PARTITION]
        await judging.step(second)
    assert judging.progress.state["marks"] == {"touchpoints/0": [1, 4]}
    assert judging.progress.arrival == NOON - timedelta(milliseconds=1)
    marks = HighWater({})
    numbered = [(each, number) for each in first + second if (number := number_of(each.headers))]
    applied = [orjson.loads(each.value or b"")["id"] for each, number in numbered if marks.accepts(number)]
    assert applied == ["first", "refused", "behind", "last"]


async def test_one_partition_that_refuses_does_not_reorder_the_others(relay: Relay, kafka: str, topics: Topics) -> None:
    """Breaks if a new producer sent what the old one still held behind what it sends itself."""
    await topics("replay")

    def numbered(partition: int, number: int, size: int = 10) -> Outgoing:
        return Outgoing(JOURNEY, partition, None, noise(size), [("lane", f"touchpoints/0/1/{number}".encode())])

    everything = [numbered(partition, number) for number in range(1, 200) for partition in (0, 1)]
    with pytest.raises(NotAcknowledgedError):
        await relay.publish([*everything, numbered(1, 200, 1_400_000)])
    await relay.publish([*everything, numbered(1, 200)])
    async with reading(kafka, JOURNEY) as records:
        found = await records()
    for partition, last in ((0, 199), (1, 200)):
        marks = HighWater({})
        for each in found:
            if each.partition == partition and (number := number_of(each.headers)):
                marks.accepts(number)
        assert marks.marks == {"touchpoints/0": [1, last]}


@pytest.mark.parametrize("compressed", [None, "gzip"])
async def test_a_refused_record_of_any_size_reaches_the_dead_letters(
    raw: Raw, handler: TouchpointHandler, relay: Relay, kafka: str, topics: Topics, settings: JourneySettings, compressed: str | None
) -> None:
    """Breaks if a record as large as Kafka takes, or larger once unpacked, could not be told and stopped its lane for ever."""
    await topics("replay")
    size = 5_000_000 if compressed else 1_048_300
    sent = b"\xff" + (b"x" * size if compressed else noise(size))
    async with AIOKafkaProducer(
        bootstrap_servers=kafka, compression_type=compressed, max_request_size=9_000_000, enable_idempotence=True
    ) as producer:
        for value in (sent, touchpoint("e", subject="crm:1")):
            at = to_milliseconds(NOON)
            await producer.send_and_wait(TOUCHPOINTS, value, partition=0, timestamp_ms=at, headers=[CONTENT_TYPE])
    async with reading(kafka, TOUCHPOINTS) as records:
        raw.log += await records()
    lane = Lane(raw.engine, relay, settings, handler, 0)
    await lane.open()
    await lane.step(raw.log)
    assert lane.progress.published == 2
    async with reading(kafka, DEAD_LETTERS) as records:
        (dead,) = await records()
    headers = dict(dead.headers)
    assert headers["makegood-origin"] == b"touchpoints/0/0"
    assert (dead.value or b"")[:1000] == sent[:1000]
    ((length,),) = await rows(raw.engine, "quarantine", "length(value)")
    assert length == min(size + 1, LARGEST_KEPT)
    assert headers.get("makegood-cut", str(size + 1).encode()) == str(size + 1).encode()


async def test_what_somebody_sends_whose_clock_is_a_day_ahead_is_taken(relay: Relay, topics: Topics) -> None:
    """Breaks if Kafka went by the sender's clock: it refuses what is stamped an hour ahead, and that sender would stand still."""
    await topics("live")
    tomorrow = int((time.time() + 86_400) * 1000)
    await relay.publish([Outgoing(each.name, 0, None, b"{}", [], tomorrow) for each in read_topics()])


async def test_a_kafka_that_is_away_is_the_worlds_fault(settings: JourneySettings, engine: AsyncEngine) -> None:
    relay = Relay(settings)
    with pytest.raises(NotAcknowledgedError):
        await relay.publish([Outgoing(JOURNEY, 0, None, b"", [])])
    with pytest.raises(NotAcknowledgedError):
        await relay.partitions(JOURNEY)
