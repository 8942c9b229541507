"""The consume loop on a real Kafka: lanes are shared, handed over and taken up again without loss; refusals are clear."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, ClassVar

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.consume import STUCK_EXIT_CODE, Consumer
from services.chassis.database import Transaction, create_engine
from services.chassis.faults import UnusableTopicError
from services.chassis.instants import to_milliseconds
from services.chassis.progress import Progress, read_progress
from services.chassis.records import Record
from services.chassis.relay import CONTENT_TYPE, Outgoing
from services.chassis.settings import Clock
from services.chassis.telemetry import Telemetry
from services.chassis.topics import check_clock, check_partitions, find_topics
from services.journey.handlers import TouchpointHandler
from services.journey.identity.attribution import Identity
from services.journey.records import JOURNEY, TOUCHPOINTS
from services.journey.settings import JourneySettings
from services.journey.store import tables
from tests.chassis.conftest import PARTITIONS
from tests.driving import NOON, as_owner, reading, rows, touchpoint

Start = Callable[[], Consumer]


@pytest.fixture
async def near(settings: JourneySettings, kafka: str, topics: Callable[..., Awaitable[None]]) -> JourneySettings:
    """Settings that lead to a real Kafka with empty topics."""
    await topics("replay")
    return settings.model_copy(update={"kafka": kafka, "session_timeout": 6.0, "batch_records": 20, "flush_interval": 0.05})


@asynccontextmanager
async def running(
    settings: JourneySettings, group: str, kind: type[TouchpointHandler] = TouchpointHandler, telemetry: Telemetry | None = None
) -> AsyncIterator[tuple[Consumer, asyncio.Task[None]]]:
    """One process of the service, as far as consuming goes."""
    telemetry = telemetry or Telemetry(settings, "journey")
    handler = kind(TOUCHPOINTS, PARTITIONS, PARTITIONS, settings, telemetry)
    consumer = Consumer(settings, create_engine(settings, "journey"), group, [handler], telemetry)
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer, task
    finally:
        consumer.stop()
        await asyncio.wait({task})


async def send(kafka: str, numbers: range) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True) as producer:
        at = to_milliseconds(NOON)
        sent = [
            await producer.send(
                TOUCHPOINTS, touchpoint(f"e{number}", subject=f"crm:{number % 50}"), partition=number % PARTITIONS,
                timestamp_ms=at, headers=[CONTENT_TYPE],
            )
            for number in numbers
        ]  # fmt: skip
        await asyncio.gather(*sent)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(40):
        while not await condition():  # noqa: ASYNC110 - what is waited for happens in servers
            await asyncio.sleep(0.01)


async def applied(engine: AsyncEngine) -> int:
    ((count,),) = await rows(engine, "journal", "count(*)")
    return int(count)


async def test_two_consumers_share_the_lanes_and_hand_them_over_without_loss(near: JourneySettings, engine: AsyncEngine) -> None:
    """Breaks if a rebalance lost what was in hand, applied it twice, or left a lane without an owner (FAULTS 6)."""
    async with AsyncExitStack() as processes:
        first, _ = await processes.enter_async_context(running(near, "share"))
        await send(near.kafka, range(200))
        await until(lambda: reached(engine, 50))
        async with running(near, "share") as (second, _):
            await send(near.kafka, range(200, 400))

            async def shared() -> bool:
                return len(list(first.lanes)) == len(list(second.lanes)) == PARTITIONS // 2

            await until(shared)
            await send(near.kafka, range(400, 600))
            await until(lambda: reached(engine, 600))
        await send(near.kafka, range(600, 800))
        await until(lambda: reached(engine, 800))
        await until(lambda: saved(engine, 800))
    assert await applied(engine) == len({event for (event,) in await rows(engine, "journal", "event")}) == 800
    async with reading(near.kafka, JOURNEY) as records:
        assert len({(each.partition, dict(each.headers)["lane"]) for each in await records() if "lane" in dict(each.headers)}) == 800


async def reached(engine: AsyncEngine, count: int) -> bool:
    return await applied(engine) >= count


async def saved(engine: AsyncEngine, published: int) -> bool:
    """Whether every lane knows what it has published and ends where its partition ends."""
    found = await rows(engine, "progress", "published, position")
    return [sum(column) for column in zip(*found, strict=True)] == [published, published]


async def test_a_lane_whose_database_connections_are_cut_takes_up_where_it_stood(near: JourneySettings, engine: AsyncEngine) -> None:
    """Breaks if the world's fault ended the process, skipped a batch, or were taken for the records' fault (FAULTS 9)."""
    cut = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    async with running(near, "cut") as (_, task):
        for start in range(0, 600, 200):
            await send(near.kafka, range(start, start + 200))
            await until(lambda: reached(engine, 50))
            async with engine.connect() as connection:
                await connection.execute(cut)
        await until(lambda: reached(engine, 600))
        assert not task.done()
    assert await applied(engine) == 600
    assert await rows(engine, "quarantine") == []


class Hanging(TouchpointHandler):
    """One lane's transaction does not end until it is told to."""

    may_end: ClassVar[asyncio.Event]

    async def apply(self, tx: Transaction, progress: Progress, memory: Any, records: Sequence[Record]) -> Any:
        if progress.partition == 0:
            await self.may_end.wait()
        return await super().apply(tx, progress, memory, records)


async def test_a_lane_that_takes_long_holds_no_other_one(near: JourneySettings, engine: AsyncEngine) -> None:
    """Breaks if the loop waited for all lanes before it reads again, or took a lane's records while it has others in hand."""
    Hanging.may_end = asyncio.Event()
    others = 1 - 1 / PARTITIONS
    async with running(near, "long", Hanging) as (_, task):
        for start in range(0, 600, 200):
            await send(near.kafka, range(start, start + 200))
            await until(partial(reached, engine, int((start + 200) * others)))
        Hanging.may_end.set()
        await until(lambda: reached(engine, 600))
        assert not task.done()
    assert await applied(engine) == len({event for (event,) in await rows(engine, "journal", "event")}) == 600


async def test_one_lane_that_hangs_ends_the_process_though_the_others_go_on(
    near: JourneySettings, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if the watchdog listened to the loop alone: a lane that stands still would stand for ever."""
    Hanging.may_end, codes = asyncio.Event(), list[int]()
    monkeypatch.setattr("services.chassis.consume.os._exit", codes.append)

    async def ended() -> bool:
        return bool(codes)

    async with running(near.model_copy(update={"watchdog_timeout": 2.0}), "hung", Hanging):
        await send(near.kafka, range(200))
        await until(lambda: reached(engine, int(200 * (1 - 1 / PARTITIONS))))
        await until(ended)
        Hanging.may_end.set()
    assert set(codes) == {STUCK_EXIT_CODE}


class Unlucky(TouchpointHandler):
    """The world fails each lane again and again at the same place, then no more."""

    failures = 0

    async def apply(self, *arguments: Any) -> Any:
        if Unlucky.failures:
            Unlucky.failures -= 1
            raise ConnectionResetError
        return await super().apply(*arguments)


async def test_what_the_world_refuses_twice_at_one_place_is_not_taken_for_offsets_that_do_not_exist(
    near: JourneySettings, engine: AsyncEngine
) -> None:
    """Breaks if what was fetched while the lane waited, behind its position, told a second time that nothing lies between."""
    sent, Unlucky.failures = 0, 12 * PARTITIONS
    async with running(near, "unlucky", Unlucky):
        while Unlucky.failures:
            await send(near.kafka, range(sent, sent + 24))
            sent += 24
        await send(near.kafka, range(sent, sent + 24))
        await until(lambda: ended(engine, sent + 24))
    assert await applied(engine) == sent + 24


async def ended(engine: AsyncEngine, count: int) -> bool:
    """Whether every lane stands at the end of its partition."""
    ((position,),) = await rows(engine, "progress", "sum(position)")
    return int(position or 0) >= count


class Slow(TouchpointHandler):
    """Needs time for each record, and the database gives a transaction time for a few."""

    sizes: ClassVar[list[int]] = []

    async def apply(self, tx: Transaction, progress: Progress, memory: Identity, records: Sequence[Record]) -> list[Outgoing]:
        self.sizes.append(len(records))
        await tx.driver.execute("SET LOCAL statement_timeout = '200ms'")
        await tx.driver.execute("SELECT pg_sleep($1)", 0.03 * len(records))
        return await super().apply(tx, progress, memory, records)


async def test_a_batch_that_takes_longer_than_a_transaction_may_is_halved_until_it_fits(near: JourneySettings, engine: AsyncEngine) -> None:
    """Breaks if the same batch is tried for ever: a lane with a rush of what is slow would never get through (DESIGN 4)."""
    await send(near.kafka, range(40 * PARTITIONS))
    Slow.sizes.clear()
    async with running(near, "slow", Slow):
        await until(lambda: reached(engine, 40 * PARTITIONS))
    assert max(Slow.sizes) == near.batch_records, "nothing was too much"


async def test_a_position_behind_the_end_of_its_partition_is_refused(near: JourneySettings, engine: AsyncEngine) -> None:
    """Breaks if a topic that was made anew were read from its beginning, or from its end (FAULTS 8)."""
    await read_progress(engine, TOUCHPOINTS, 0)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE progress SET position = 50"))
    async with running(near, "anew") as (_, task):
        with pytest.raises(UnusableTopicError, match=r"holds offsets 0 to 0, but our position is 50"):
            await asyncio.wait_for(task, 30)
    assert (await read_progress(engine, TOUCHPOINTS, 0)).position == 50


async def test_offsets_that_were_removed_before_they_were_read_are_refused(near: JourneySettings, engine: AsyncEngine) -> None:
    await send(near.kafka, range(60))
    admin = AIOKafkaAdminClient(bootstrap_servers=near.kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(TOUCHPOINTS, 2): RecordsToDelete(before_offset=4)})
    await admin.close()
    async with running(near, "removed") as (_, task):
        with pytest.raises(UnusableTopicError, match=r"touchpoints/2 holds offsets 4 to 10, but our position is 0"):
            await asyncio.wait_for(task, 30)


async def test_other_partition_counts_than_at_the_first_start_are_refused(near: JourneySettings, engine: AsyncEngine) -> None:
    found = await find_topics(near, [TOUCHPOINTS, JOURNEY])
    await check_partitions(engine, tables.topology, found)
    await check_partitions(engine, tables.topology, found)
    more = found | {JOURNEY: found[JOURNEY]._replace(partitions=7)}
    with pytest.raises(UnusableTopicError, match="has 7 partitions, but this system was created with 6"):
        await check_partitions(engine, tables.topology, more)


async def test_partitions_that_a_topic_is_given_under_a_running_process_stop_it_and_can_be_accepted(
    near: JourneySettings, engine: AsyncEngine
) -> None:
    """Breaks if a lane of which no marker tells were read, or a barrier reached without it (FAULTS 8)."""
    await check_partitions(engine, tables.topology, await find_topics(near, [TOUCHPOINTS]))
    async with running(near, "grown") as (_, task):
        await send(near.kafka, range(60))
        await until(lambda: reached(engine, 60))
        admin = AIOKafkaAdminClient(bootstrap_servers=near.kafka)
        await admin.start()
        await admin.create_partitions({TOUCHPOINTS: NewPartitions(PARTITIONS + 1)})
        await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=near.kafka) as producer:
            await producer.send_and_wait(
                TOUCHPOINTS, touchpoint("beyond", subject="crm:1"), partition=PARTITIONS, timestamp_ms=to_milliseconds(NOON),
                headers=[CONTENT_TYPE],
            )  # fmt: skip
        with pytest.raises(UnusableTopicError, match="has 7 partitions, but this system was created with 6"):
            await asyncio.wait_for(task, 40)
    assert await applied(engine) == 60
    found = await find_topics(near, [TOUCHPOINTS])
    with pytest.raises(UnusableTopicError):
        await check_partitions(engine, tables.topology, found)
    async with as_owner(engine) as connection:  # as docs/operations.md says
        await connection.execute(text(f"UPDATE topology SET partitions = 7 WHERE topic = '{TOUCHPOINTS}'"))
    await check_partitions(engine, tables.topology, found)
    async with running(near, "grown"):
        await until(lambda: reached(engine, 61))


async def test_topics_of_another_clock_are_refused(near: JourneySettings) -> None:
    found = await find_topics(near, [TOUCHPOINTS])
    check_clock(near, found)
    with pytest.raises(UnusableTopicError, match="stamped by CreateTime, but MAKEGOOD_CLOCK=live needs LogAppendTime"):
        check_clock(near.model_copy(update={"clock": Clock.LIVE}), found)


async def test_a_topic_that_does_not_exist_is_named(near: JourneySettings) -> None:
    with pytest.raises(UnusableTopicError, match=r"no topic makegood\.nowhere"):
        await find_topics(near, [TOUCHPOINTS, "makegood.nowhere"])
