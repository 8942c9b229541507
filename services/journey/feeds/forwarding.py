"""Sends on what feeds read in the topics of others: `python -m services.journey feed`.

Records go out before the position that stands behind them is committed: a feed that is killed sends some again, under the same
ids, and they are recognised. A source is heard from only while everything that was in its topics has been sent on.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.metrics import BEHIND
from services.chassis.cloudevents import Event
from services.chassis.consume import Consumer
from services.chassis.database import Transaction, create_engine
from services.chassis.faults import WORLD, FaultBudget, UnusableTopicError, crash_point
from services.chassis.instants import from_milliseconds
from services.chassis.lane import Handler, Lane
from services.chassis.offsets import Ends
from services.chassis.peek import Onlooker
from services.chassis.process import Context
from services.chassis.progress import Progress
from services.chassis.records import Record
from services.chassis.redaction import told
from services.chassis.relay import Outgoing, Relay
from services.chassis.settings import Clock
from services.journey.feeds import foreign
from services.journey.feeds.document import Feed, Kafka
from services.journey.feeds.mapping import Outcome, Refused, Skipped
from services.journey.records import TOUCHPOINTS, Origin, forwarded, heartbeat, origin, unmapped
from services.journey.settings import JourneySettings
from services.journey.store import documents, feeds

log = logging.getLogger(__name__)

LONGEST_BETWEEN_BEATS: Final = timedelta(seconds=10)
BEATS_A_HEARTBEAT: Final = 4
CONNECTIONS: Final = 4
LONGEST_BACKOFF: Final = 60.0
"""Seconds between two attempts to read a topic that cannot be read."""


@dataclass(slots=True)
class Sent:
    """What became of the records that were sent on and are not committed yet."""

    counts: dict[str, int] = field(default_factory=dict)


class FeedHandler(Handler):
    """Sends on the records of one feed's topic."""

    pace = 0.05

    def __init__(self, feed: Feed, partitions: int) -> None:
        """Of a Kafka feed, in a system with so many raw lanes."""
        assert isinstance(feed.origin, Kafka)
        self.topic, self.feed = feed.origin.topic, feed
        self._partitions = partitions
        self._budget = FaultBudget()

    async def recall(self, engine: AsyncEngine, progress: Progress) -> Sent:  # noqa: ARG002
        """Nothing is remembered."""
        return Sent()

    def absorb(self, memory: Sent, progress: Progress, record: Record) -> bool:  # noqa: ARG002
        """Every record needs its position committed behind it."""
        return False

    def forward(self, memory: Sent, records: Sequence[Record]) -> list[Outgoing]:
        """What the records become, in their order; counted until they are committed."""
        found: list[Outgoing] = []
        memory.counts = {"forwarded": 0, "refused": 0, "skipped": 0}
        for record in records:
            outcome = self._map(record)
            where = _origin(record)
            if isinstance(outcome, Skipped):
                memory.counts["skipped"] += 1
            elif isinstance(outcome, Event):
                memory.counts["forwarded"] += 1
                found.append(forwarded(outcome, self._partitions, where=where))
            else:
                memory.counts["refused"] += 1
                found.append(unmapped(outcome, record.value or b"", where, self._partitions))
        return found

    def _map(self, record: Record) -> Outcome:
        place = (record.topic, record.partition, record.offset)
        try:
            found = foreign.of_kafka(self.feed.mapping, place, record.timestamp, record.key, record.value, record.headers)
        except Exception as error:  # our own fault: the budget decides whether the feed stops
            self._budget.failed(error)
            log.exception("our own code failed", extra={"feed": self.feed.name, "offset": record.offset})
            return Refused("unexpected", f"our own code failed on it: {type(error).__name__}", "", {"source": self.feed.source})
        self._budget.passed(1)
        return found

    async def apply(self, tx: Transaction, progress: Progress, memory: Sent, records: Sequence[Record]) -> list[Outgoing]:  # noqa: ARG002
        """Move the position behind what was sent on."""
        if records:
            counts = progress.state.setdefault("counts", {})
            for name, count in memory.counts.items():
                counts[name] = counts.get(name, 0) + count
            progress.arrival = from_milliseconds(max(records[-1].timestamp, 0))
            progress.position = records[-1].offset + 1
        return []


def _origin(record: Record) -> Origin:
    """Where a record lies; with its timestamp, since a topic that is made anew begins to count anew."""
    place = f"{record.topic}/{record.partition}/{record.offset}@{record.timestamp}"
    return origin(place, from_milliseconds(max(record.timestamp, 0)).date())


class FeedLane(Lane):
    """A partition of somebody else's topic, as one feed reads it."""

    handler: FeedHandler

    @property
    def name(self) -> str:
        """Each feed has positions of its own."""
        return feeds.reading(self.handler.feed.name, self.handler.topic)

    async def _commit(self, records: Sequence[Record]) -> Sequence[Record]:
        """Send on, then commit: what is sent twice is recognised, what was never sent would be lost."""
        if records:
            await self._relay.publish(self.handler.forward(self._memory, records))
            crash_point("after-forward")
        return await super()._commit(records)


@dataclass(slots=True)
class Following:
    """One feed that is being read here."""

    feed: Feed
    version: int
    consumer: Consumer
    work: asyncio.Task[None]
    goal: Ends | None = None
    """Where its topic ended when it was looked at last."""


class Feeding:
    """Reads all published feeds, a consumer each: one that fails, or lags, keeps no other from reading."""

    def __init__(self, context: Context) -> None:
        """With what the process is composed of."""
        assert isinstance(context.settings, JourneySettings)
        self._settings, self._engine, self._telemetry = context.settings, context.engine, context.telemetry
        self._relay = Relay(context.settings)
        self._following: dict[str, Following] = {}
        self._onlooker = Onlooker(context.settings.kafka)
        self._beaten: dict[str, datetime] = {}
        self._retry_at: dict[str, tuple[float, float]] = {}
        self._stopping = asyncio.Event()
        self._missing = ["the feeds have not been looked at yet"]

    def missing(self) -> list[str]:
        """What keeps it from being ready."""
        return self._missing

    def stop(self) -> None:
        """End after what is in hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Look at the feeds again and again; on the replay clock, where history is sent as if live, there is nothing to follow."""
        if self._settings.clock is not Clock.LIVE:
            self._missing = []
            await self._stopping.wait()
        while not self._stopping.is_set():
            try:
                await self.step()
                self._missing = []
            except WORLD as error:
                log.warning("feeds wait for the world", extra={"error": told(error)})
                self._missing = ["the feeds wait for Kafka or Postgres"]
            await self._pause()
        for each in list(self._following):
            await self._leave(each)
        await self._onlooker.close()
        await self._relay.close()

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), self._settings.feed_interval)
        except TimeoutError:
            return

    async def step(self) -> None:
        """Follow what is published now, and say of whose sources everything has been sent on."""
        for name in [name for name, each in self._following.items() if each.work.done()]:
            await self._leave(name)
        published = await documents.published_feeds(self._engine)
        known = {name: (version, documents.feed_of(content)) for name, version, content in published}
        wanted = {name: each for name, each in known.items() if isinstance(each[1].origin, Kafka)}
        for name in [name for name, each in self._following.items() if self._is_over(each, wanted.get(name))]:
            await self._leave(name)
        topics = sorted({each.origin.topic for _, each in wanted.values() if isinstance(each.origin, Kafka)})
        first, ends = await self._onlooker.span(topics) if topics else ({}, {})
        caught_up = {name: await self._look(feed, version, first, ends) for name, (version, feed) in wanted.items()}
        await self._beat({name: feed.source for name, (_, feed) in wanted.items()}, caught_up)

    def _is_over(self, following: Following, wanted: tuple[int, Feed] | None) -> bool:
        return wanted is None or wanted[0] != following.version or wanted[1].paused

    async def _look(self, feed: Feed, version: int, first: Ends, ends: Ends) -> bool:
        """Follow one feed, and say whether all that was there at the look before has been sent on."""
        assert isinstance(feed.origin, Kafka)
        own = {partition: end for (topic, partition), end in ends.items() if topic == feed.origin.topic}
        if feed.paused or not own:
            await feeds.note(self._engine, feed.name, None if feed.paused else f"Kafka has no topic {feed.origin.topic}", None)
            return False
        if feed.name not in self._following and time.monotonic() < self._retry_at.get(feed.name, (0.0, 0.0))[0]:
            return False
        following = self._following.get(feed.name) or await self._follow(feed, version, first, own)
        name = feeds.reading(feed.name, feed.origin.topic)
        positions = {place: each.position for place, each in (await feeds.positions(self._engine)).get(name, {}).items()}
        self._telemetry.tell(BEHIND, sum(end - positions.get(place, 0) for place, end in own.items()), feed.name, feed.origin.topic)
        goal, following.goal = following.goal, {(feed.origin.topic, place): end for place, end in own.items()}
        # a position beyond the end is one in another topic of that name
        stands = not following.work.done() and goal is not None
        reached = stands and all(end <= positions.get(place, 0) <= own[place] for (_, place), end in (goal or {}).items())
        if reached:
            self._retry_at.pop(feed.name, None)
            await feeds.note(self._engine, feed.name, None, datetime.now(UTC))
        return reached

    async def _follow(self, feed: Feed, version: int, first: Ends, own: Mapping[int, int]) -> Following:
        """Begin to read: the first time where the feed says, and a partition that was added later from its beginning."""
        assert isinstance(feed.origin, Kafka)
        name = feeds.reading(feed.name, feed.origin.topic)
        known = (await feeds.positions(self._engine)).get(name)
        at_end = feed.origin.from_end and not known
        await feeds.begin(self._engine, name, own if at_end else {place: first[feed.origin.topic, place] for place in own})
        handler = FeedHandler(feed, await self._relay.partitions(TOUCHPOINTS))
        engine = create_engine(self._settings, "journey", pool_size=CONNECTIONS, batches=True)
        consumer = Consumer(self._settings, engine, f"makegood-feed-{feed.name}", [handler], self._telemetry, FeedLane)
        work = asyncio.create_task(consumer.run())
        self._following[feed.name] = found = Following(feed, version, consumer, work)
        log.info("following", extra={"feed": feed.name, "version": version, "topic": feed.origin.topic})
        return found

    async def _leave(self, name: str) -> None:
        """Stop reading a feed; what made it stop by itself is kept for people to read."""
        leaving = self._following[name]
        leaving.consumer.stop()
        (error,) = await asyncio.gather(leaving.work, return_exceptions=True)
        del self._following[name]
        if isinstance(error, Exception):
            delay = min(2 * self._retry_at.get(name, (0.0, 0.5))[1], LONGEST_BACKOFF)
            self._retry_at[name] = (time.monotonic() + delay, delay)
            log.error("feed stopped, trying again", extra={"feed": name, "error": told(error)})
            await feeds.note(self._engine, name, str(error) if isinstance(error, UnusableTopicError) else told(error), None)

    async def _beat(self, sources: Mapping[str, str], caught_up: Mapping[str, bool]) -> None:
        """Say that a source is heard from where all of its feeds have caught up; oftener than it promises to be."""
        now = datetime.now(UTC)
        behind = {sources[name] for name, reached in caught_up.items() if not reached}
        declared = documents.heartbeats(await documents.published_sources(self._engine))
        beats = []
        for source in sorted(set(sources.values()) & declared.keys() - behind):
            promised = declared[source]
            between = LONGEST_BETWEEN_BEATS if promised is None else min(promised / BEATS_A_HEARTBEAT, LONGEST_BETWEEN_BEATS)
            if source not in self._beaten or now - self._beaten[source] >= between:
                beats.append(heartbeat(source, now, await self._relay.partitions(TOUCHPOINTS)))
                self._beaten[source] = now
        await self._relay.publish(beats)
