"""The consume loop of every service: `while not stopping: await step()`.

Kafka assigns partitions, Postgres decides who owns them. Group offsets are committed only so that lag tools work;
every lane starts at the position its progress row names.
"""

import asyncio
import contextlib
import gc
import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import inf

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.metrics import BARRIER_AGE, LANE_BEHIND, OUTBOX, TRANSACTION_SECONDS, Reading
from services.chassis.brokers import reaching
from services.chassis.faults import WORLD, BadDeployError, LostOwnershipError, UnusableTopicError
from services.chassis.lane import Handler, Lane
from services.chassis.records import Record, read_some
from services.chassis.redaction import told
from services.chassis.relay import Relay
from services.chassis.settings import Clock, Settings
from services.chassis.telemetry import Telemetry
from services.chassis.topics import require_count

log = logging.getLogger(__name__)

# A fetch that comes back with a handful of records costs as much as one that is worth its while.
FETCH_BYTES = 64 * 1024
# What our own services send is compressed to a tenth: this is thousands of records.
PARTITION_BYTES = 256 * 1024
# Batches leave no cycles (75 objects of 45,000 touchpoints), and to look costs milliseconds for what is in use: only where much was left.
LEFT_BEHIND = 500_000
SWEEP_INTERVAL = 300.0
LONGEST_BACKOFF = 5.0
COMMIT_INTERVAL = 5.0
# Partitions that were added are noticed before most senders, who ask every five minutes, put anything into them.
METADATA_AGE = 10.0
STUCK_EXIT_CODE = 70


class Consumer(ConsumerRebalanceListener):
    """All the lanes that this process owns at the moment."""

    def __init__(
        self, settings: Settings, engine: AsyncEngine, group: str, handlers: Sequence[Handler], telemetry: Telemetry,
        lane: type[Lane] = Lane,
    ) -> None:  # fmt: skip
        """A consumer in Kafka group `group`; each handler has a topic of its own."""
        self._lane = lane
        self._settings, self._engine, self._telemetry = settings, engine, telemetry
        self._handlers: Mapping[str, Handler] = {handler.topic: handler for handler in handlers}
        self._relay = Relay(settings)
        self._lanes: dict[TopicPartition, Lane] = {}
        self._retry_at: dict[TopicPartition, tuple[float, float]] = {}
        self._unusable: Exception | None = None
        self._counts: dict[str, int] = {}
        """How many partitions each topic had when this process was assigned some for the first time."""
        self._ready = self._stopping = False
        self._places = asyncio.Semaphore(settings.lanes_at_once)
        self._in_hand: dict[TopicPartition, asyncio.Task[None]] = {}
        self._beats: dict[TopicPartition, float] = {}
        """When each lane that is in hand last got on."""
        self._beat = time.monotonic()
        self._committed_at = 0.0
        self._swept_at = time.monotonic()
        self._kafka = AIOKafkaConsumer(
            **reaching(settings.kafka),
            group_id=group,
            auto_offset_reset="none",
            enable_auto_commit=False,
            isolation_level="read_committed",
            session_timeout_ms=int(settings.session_timeout * 1000),
            heartbeat_interval_ms=int(settings.session_timeout * 300),
            max_partition_fetch_bytes=PARTITION_BYTES,
            fetch_min_bytes=FETCH_BYTES,
            fetch_max_wait_ms=int(settings.pace * 1000),
            metadata_max_age_ms=int(METADATA_AGE * 1000),
        )

    def missing(self) -> list[str]:
        """What keeps this process from being ready; empty when nothing does."""
        waiting = [f"{name.topic}/{name.partition}" for name in self._retry_at]
        return [f"lane {name} waits to try again" for name in waiting] + ([] if self._ready else ["not in its group yet"])

    async def broker(self) -> str | None:
        """None where the broker answers; raises `KafkaError` where it does not."""
        await self._kafka.topics()
        return None

    @property
    def lanes(self) -> Iterable[Lane]:
        """The lanes owned now."""
        return self._lanes.values()

    def measured(self) -> list[Reading]:
        """Where the lanes owned now stand, from memory: how far behind, how old what they have applied, what waits to be published."""
        now = datetime.now(UTC) if self._settings.clock is Clock.LIVE else None
        found = []
        for name, lane in self._lanes.items():
            where, arrival, end = (name.topic, str(name.partition)), lane.progress.arrival, self._kafka.highwater(name)
            found.append(Reading(OUTBOX, lane.progress.ordinal - lane.progress.published, where))
            if end is not None:
                found.append(Reading(LANE_BEHIND, max(0, end - lane.progress.position), where))
            if now is not None and arrival is not None:
                found.append(Reading(BARRIER_AGE, (now - arrival).total_seconds(), where))
        return found

    async def run(self) -> None:
        """Consume until stopped; returns after what was in hand is finished, within the drain time."""
        self._watch()
        try:
            await self._kafka.start()
            self._kafka.subscribe(topics=list(self._handlers), listener=self)
            while not self._stopping:
                await asyncio.gather(self.step(), asyncio.sleep(0 if self._unfinished else self._settings.pace))
        finally:
            with contextlib.suppress(asyncio.TimeoutError, *WORLD):
                await asyncio.wait_for(self._close(), self._settings.drain_timeout)

    def stop(self) -> None:
        """End the loop after the step in hand."""
        self._stopping = True

    async def step(self) -> None:
        """Read what has come for every lane that is free, take it through, and do what is due between records.

        No lane waits for another one: what takes longer than a step's pace is in hand for the next steps too.
        """
        self._beat = time.monotonic()
        free = self._free
        try:
            batches = await read_some(self._kafka, *free, timeout_ms=0 if self._unfinished else 50) if free or not self._lanes else {}
        except NoOffsetForPartitionError:
            batches = {}  # assigned this moment, and the position follows from the progress row; or not usable at all
        except KafkaError as error:
            log.warning("reading failed, trying again", extra={"error": told(error)})
            await asyncio.sleep(0.5)
            return
        if self._unusable is not None:
            raise self._unusable
        await self._reopen()
        for name, lane in free.items():
            self._beats[name] = self._beat
            self._in_hand[name] = asyncio.create_task(self._drive(name, lane, batches.get(name, [])))
        await self._wait(self._settings.pace)
        await self._signal()
        await self._commit_for_lag_tools()
        self._sweep()

    @property
    def _free(self) -> dict[TopicPartition, Lane]:
        """The lanes of which nothing is in hand."""
        return {name: lane for name, lane in self._lanes.items() if name not in self._in_hand}

    @property
    def _unfinished(self) -> bool:
        """Whether a free lane has more to do than was read: then nothing is waited for."""
        return any(lane.unfinished for lane in self._free.values())

    async def _wait(self, seconds: float) -> None:
        """Wait at most so long for what is in hand; what failed for good fails here."""
        if self._in_hand:
            await asyncio.wait(self._in_hand.values(), timeout=seconds)
        for name in [name for name, task in self._in_hand.items() if task.done()]:
            del self._beats[name]
            await self._in_hand.pop(name)

    async def _drive(self, name: TopicPartition, lane: Lane, records: Sequence[Record]) -> None:
        if name in self._retry_at or self._lanes.get(name) is not lane:
            return
        if records and records[0].offset > lane.following and not await self._gap_is_real(name, lane, records):
            return
        try:
            if (due := lane.due(records)) or lane.unfinished:
                self._beats[name] = inf  # it waits for others, which are watched themselves
                async with self._places:
                    self._beats[name] = time.monotonic()
                    await self._apply(name, lane, due)
            await lane.flush()
        except LostOwnershipError as lost:
            log.info("lane moved on without us", extra={"lane": lane.progress.lane, "why": str(lost)})
            if self._lanes.get(name) is lane:
                await self._try_opening(name, lane)
        except WORLD as error:
            self._back_off(name, error)
        except BadDeployError:
            log.exception("stopping: our own code fails on valid records", extra={"lane": lane.progress.lane})
            raise

    async def _signal(self) -> None:
        """Send what all lanes have to say between batches, together: a request for each would cost as much as its data."""
        signals = {name: lane.signals() for name, lane in self._free.items() if name not in self._retry_at}
        try:
            await self._relay.publish([each for sent in signals.values() for each in sent])
        except WORLD as error:
            for name in [name for name, sent in signals.items() if sent]:
                self._back_off(name, error)

    async def _apply(self, name: TopicPartition, lane: Lane, records: Sequence[Record]) -> None:
        left = records
        while True:
            batch, left = left[: lane.most], left[lane.most :]
            with self._telemetry.batch(name.topic, name.partition, batch):
                lane.transactions.clear()
                await lane.step(batch)
                for seconds in lane.transactions:
                    self._telemetry.tell(TRANSACTION_SECONDS, seconds, name.topic)
            self._beats[name] = time.monotonic()
            if not left:
                return

    async def _gap_is_real(self, name: TopicPartition, lane: Lane, records: Sequence[Record]) -> bool:
        """Tell offsets that do not exist (control batches) from a fetch that began behind our position."""
        position = lane.following
        if lane.gap_seen_at == position:
            return True
        lane.gap_seen_at = position
        log.info("offsets missing, reading again", extra={"lane": lane.progress.lane, "next": records[0].offset})
        self._kafka.seek(name, position)
        return False

    def _back_off(self, name: TopicPartition, error: Exception) -> None:
        _, delay = self._retry_at.get(name, (0.0, 0.05))
        delay = min(delay * 2, LONGEST_BACKOFF)
        self._retry_at[name] = (time.monotonic() + delay, delay)
        log.warning("lane waits for the world", extra={"lane": f"{name.topic}/{name.partition}", "error": told(error)})

    async def _reopen(self) -> None:
        now = time.monotonic()
        due = [name for name, (at, _) in self._retry_at.items() if at <= now]
        await asyncio.gather(*(self._try_opening(name, self._lanes[name]) for name in due if name in self._lanes))

    async def _try_opening(self, name: TopicPartition, lane: Lane) -> None:
        """Open a lane at its position, or leave it to be tried again."""
        try:
            position = await lane.open()
            await self._check_offsets(name, position)
        except WORLD as error:
            self._back_off(name, error)
            position = 0
        except UnusableTopicError as error:
            self._unusable = error
            return
        else:
            self._retry_at.pop(name, None)
        if name in self._kafka.assignment():
            self._kafka.seek(name, position)

    async def _check_offsets(self, name: TopicPartition, position: int) -> None:
        first = (await self._kafka.beginning_offsets([name]))[name]
        end = (await self._kafka.end_offsets([name]))[name]
        if not first <= position <= end:
            message = (
                f"{name.topic}/{name.partition} holds offsets {first} to {end}, but our position is {position}: records "
                "were removed before they were read, or the topic was made anew. Nothing was skipped; restore the topic, "
                "or set the position in the progress table on purpose."
            )
            raise UnusableTopicError(message)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Forget the lanes; what is in hand either commits or loses its compare-and-set."""
        for name in revoked:
            self._lanes.pop(name, None)
            self._retry_at.pop(name, None)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Open every assigned lane where its progress row says. Kafka's client swallows exceptions raised here."""
        lanes = {
            name: self._lane(self._engine, self._relay, self._settings, self._handlers[name.topic], name.partition) for name in assigned
        }
        self._lanes, self._retry_at = {}, {}
        try:
            self._require_counts()
            await asyncio.gather(*(self._try_opening(name, lane) for name, lane in lanes.items()))
        except Exception as error:  # noqa: BLE001 - kept and raised by the next step
            self._unusable = error
        self._lanes = lanes
        self._ready = True

    def _require_counts(self) -> None:
        """Refuse topics that were given further partitions: the barrier would be reached without what is in them."""
        for topic in self._handlers:
            now = len(self._kafka.partitions_for_topic(topic) or ())
            if now:
                require_count(topic, now, self._counts.setdefault(topic, now))

    async def _commit_for_lag_tools(self) -> None:
        if time.monotonic() - self._committed_at < COMMIT_INTERVAL:
            return
        self._committed_at = time.monotonic()
        await self._return()
        positions = {name: lane.progress.position for name, lane in self._free.items() if name not in self._retry_at}
        if positions:
            with contextlib.suppress(KafkaError):
                await self._kafka.commit(positions)

    async def _return(self) -> None:
        """Go back where Kafka's client reads on from its group's offset, which a restored database has not come to yet."""
        for name, lane in self._free.items():
            with contextlib.suppress(asyncio.TimeoutError, KafkaError):
                ahead = await asyncio.wait_for(self._kafka.position(name), 0.05) > lane.following
                if ahead and name not in self._retry_at and lane.gap_seen_at != lane.following:
                    lane.gap_seen_at = lane.following
                    self._kafka.seek(name, lane.following)

    def _sweep(self) -> None:
        """Free what only refers to itself: what batches left, and once in a while what has grown old."""
        if self._beat - self._swept_at > SWEEP_INTERVAL:
            self._swept_at = self._beat
            gc.collect()
        elif gc.get_count()[0] > LEFT_BEHIND:
            gc.collect(1)

    async def _close(self) -> None:
        try:
            await self._wait(self._settings.drain_timeout)
            for lane in list(self._free.values()):
                with contextlib.suppress(LostOwnershipError):  # it is another owner's already
                    await lane.flush()
            await self._signal()
        finally:  # a member of the group that reads no more would keep its partitions from others
            await self._kafka.stop()
            await self._relay.close()
            await self._engine.dispose()

    def _watch(self) -> None:
        """End the process when the loop makes no step: a stuck consumer helps nobody, a restarted one does."""

        def watch() -> None:
            while not self._stopping:
                time.sleep(min(1.0, self._settings.watchdog_timeout / 4))
                silent = time.monotonic() - min([self._beat, *self._beats.values()])
                if silent > self._settings.watchdog_timeout:
                    log.critical("consumer stuck, ending this process", extra={"seconds": round(silent)})
                    os._exit(STUCK_EXIT_CODE)

        threading.Thread(target=watch, name="watchdog", daemon=True).start()
