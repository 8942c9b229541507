"""Drives lanes by hand: records as Kafka hands them over, and what a lane sends, seen where it leaves the lane.

`Wire` stands at the seam of `Lane`, for tests that need a crash between two sends; it is no Kafka.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from deploy.local.postgres import owner_of
from services.chassis import lane as lane_module
from services.chassis import progress as progress_module
from services.chassis.faults import LostOwnershipError
from services.chassis.instants import to_milliseconds
from services.chassis.lane import Handler, Lane
from services.chassis.numbering import HighWater, Number, number_of
from services.chassis.records import Record, read_some
from services.chassis.relay import CONTENT_TYPE, NotAcknowledgedError, Outgoing, Relay
from services.chassis.settings import Settings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CRASH_POINTS = ("before-claim", "after-claim", "before-commit", "after-commit", "after-publish")


class Crash(BaseException):
    """The process died here."""


class Wire(Relay):
    """Keeps what was sent, in order; `fails_after` records the next send is not acknowledged."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.sent: list[Outgoing] = []
        self.fails_after: int | None = None

    async def publish(self, records: Sequence[Outgoing]) -> None:
        if records and self.fails_after is not None:
            self.sent += records[: self.fails_after]
            self.fails_after = None
            raise NotAcknowledgedError
        self.sent += records


@contextmanager
def crashing_at(point: str) -> Iterator[None]:
    """Die at a named crash point; nothing but the database is left."""

    def crash_point(name: str) -> None:
        if name == point:
            raise Crash(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lane_module, "crash_point", crash_point)
        patch.setattr(progress_module, "crash_point", crash_point)
        yield


def record(
    topic: str, partition: int, offset: int, value: bytes | None, *,
    arrival: datetime = NOON, key: bytes | None = None, headers: Sequence[tuple[str, Any]] = (CONTENT_TYPE,),
) -> Record:  # fmt: skip
    """One record as Kafka's client hands it over."""
    return Record(topic, partition, offset, to_milliseconds(arrival), key, value, headers)


def touchpoint(id_: str, type_: str = "order.placed", **attributes: Any) -> bytes:
    """One CloudEvent in structured mode; an attribute that is None is left out."""
    event = {"specversion": "1.0", "id": id_, "source": "shop", "type": type_, "time": NOON.isoformat()} | attributes
    return orjson.dumps({name: value for name, value in event.items() if value is not None})


@dataclass
class Driven:
    """One lane over a log, as processes come and go; each process has a handler of its own."""

    engine: AsyncEngine
    settings: Settings
    make: Callable[[], Handler]
    partition: int = 0
    log: list[Record] = field(default_factory=list)
    wire: Wire = field(init=False)
    lane: Lane = field(init=False)

    def __post_init__(self) -> None:
        self.wire = Wire(self.settings)

    async def start(self) -> Self:
        """A new process takes the lane over."""
        self.lane = Lane(self.engine, self.wire, self.settings, self.make(), self.partition)
        await self.lane.open()
        return self

    def ahead(self, count: int | None = None, back: int = 0) -> list[Record]:
        """The next records of the log, `back` of them read before."""
        start = max(self.lane.progress.position - back, 0)
        end = len(self.log) if count is None else self.lane.progress.position + count
        return self.log[start:end]

    async def deliver(self, count: int | None = None, back: int = 0) -> None:
        """Read and apply; where the lane was lost, it is opened again and reads from where it stands."""
        for _ in range(10):
            try:
                await self.lane.step(self.ahead(count, back))
                while self.lane.unfinished:
                    await self.lane.step([])
            except (LostOwnershipError, NotAcknowledgedError):
                with suppress(NotAcknowledgedError):
                    await self.lane.open()
            else:
                return
        raise AssertionError("the lane does not get its records through")

    async def crash(self, point: str, count: int) -> None:
        """Die at a point of the next step; another process takes over."""
        with crashing_at(point), suppress(Crash, LostOwnershipError):
            await self.lane.step(self.ahead(count))
        await self.start()

    async def fail_sending(self, after: int, count: int) -> None:
        """Kafka takes some records of the next send, and not the rest."""
        self.wire.fails_after = after
        await self.deliver(count)
        self.wire.fails_after = None

    async def meet_zombie(self, count: int, zombies: int) -> None:
        """Another owner moves the lane on; the old one still believes in itself."""
        zombie, stale = self.lane, self.ahead(zombies)
        await self.start()
        await self.deliver(count)
        with suppress(LostOwnershipError):
            await zombie.step(stale)
        await self.wire.publish(zombie.handler.markers(zombie._memory, zombie.progress))

    async def vouch(self) -> None:
        """Send markers, as between steps."""
        await self.wire.publish(self.lane.handler.markers(self.lane._memory, self.lane.progress))

    async def save(self) -> None:
        """Save a position that moved without effects; a lane that was lost meanwhile is opened again."""
        self.lane._flushed_at = float("-inf")
        try:
            await self.lane.flush()
        except LostOwnershipError:
            await self.lane.open()


class Raw(Driven):
    """One raw lane."""

    def add(self, value: bytes | None, **others: Any) -> None:
        """One more record in the lane."""
        self.log.append(record("makegood.touchpoints", self.partition, len(self.log), value, **others))

    def counts(self) -> dict[str, int]:
        """What became of the lane's records."""
        counts: dict[str, int] = self.lane.progress.state.get("counts", {})
        return counts

    async def journal(self) -> list[dict[str, Any]]:
        """The bodies of everything journalled, in order."""
        found = await rows(self.engine, "journal", "lane, lpad(ordinal::text, 9, '0'), body")
        return [orjson.loads(body) for _, _, body in found]


def read_once(sent: Iterable[Outgoing], topic: str) -> dict[tuple[str, int], list[bytes]]:
    """What a reader of a topic applies: (lane, partition) -> values in order; fails where a marker passes a hole."""
    marks: dict[int, HighWater] = {}
    found: dict[tuple[str, int], list[bytes]] = {}
    for each in sent:
        if each.topic != topic:
            continue
        mark = marks.setdefault(each.partition, HighWater({}))
        number = number_of(each.headers)
        if number is None:
            data = orjson.loads(each.value)["data"]
            lane = data.get("lane", f"promises/{each.partition}")
            assert mark.reached(Number(lane, data["incarnation"], data["seq"])), "a marker ran ahead of what it vouches for"
        elif mark.accepts(number):
            found.setdefault((number.lane, each.partition), []).append(each.value)
    return found


async def rows(engine: AsyncEngine, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    """A table's rows, in an order of their own."""
    async with engine.connect() as connection:
        return sorted((tuple(row) for row in await connection.execute(text(f"SELECT {columns} FROM {table}"))), key=repr)


def owning(url: str) -> str:
    """The address of a service's database, with the role that owns its schema."""
    role = make_url(url).username or ""
    return url.replace(f"//{role}:", f"//{owner_of(role)}:")


@asynccontextmanager
async def owner_engine(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """The same database for the schema's owner, who may do what the service's own role may not."""
    owner = create_async_engine(owning(engine.url.render_as_string(hide_password=False)))
    try:
        yield owner
    finally:
        await owner.dispose()


@asynccontextmanager
async def as_owner(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction of the schema's owner."""
    async with owner_engine(engine) as owner, owner.begin() as connection:
        yield connection


async def clear(engine: AsyncEngine, *tables: str) -> None:
    """Empty tables."""
    async with as_owner(engine) as connection:
        await connection.execute(text(f"TRUNCATE {', '.join(tables)}"))


@asynccontextmanager
async def reading(kafka: str, *topics: str) -> AsyncIterator[Callable[[], Any]]:
    """Give what reads the next records of these topics from Kafka, from their beginning on."""
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()

    async def all_now() -> list[Record]:
        found: list[Record] = []
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(where) < end for where, end in ends.items()]):
            for batch in (await read_some(consumer, timeout_ms=200)).values():
                found += batch
        return found

    try:
        yield all_now
    finally:
        await consumer.stop()


def on(topic: str, partition: int) -> TopicPartition:
    """A partition by name."""
    return TopicPartition(topic, partition)


@asynccontextmanager
async def holding(engine: AsyncEngine, table: str, waiters: int) -> AsyncIterator[None]:
    """Let nobody write a table until the block has ended and so many transactions wait for it or for each other."""
    async with as_owner(engine) as connection:
        await connection.execute(text(f"LOCK TABLE {table} IN EXCLUSIVE MODE"))
        yield
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()")
        async with asyncio.timeout(20):
            while (await connection.execute(waiting)).scalar_one() < waiters:  # noqa: ASYNC110 - a lock that is waited for tells nobody
                await asyncio.sleep(0)
        await connection.rollback()
