"""One owned input partition: apply its records, commit position and effects together, then publish.

A service's `Handler` says what a batch means; the lane says when it counts. Whatever goes wrong in between, the lane
forgets what it believed and reads the progress row again, so a redone batch has the same effects under the same ids.
"""

import time
from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Driver, Transaction
from services.chassis.faults import WORLD, LostOwnershipError, crash_point
from services.chassis.progress import Progress, claimed, read_progress, save_progress
from services.chassis.records import Record
from services.chassis.relay import Outgoing, Relay
from services.chassis.settings import Settings


class Handler(Protocol):
    """What a service does with the records of one topic. `memory` is its in-memory state of one partition.

    The first three every handler has; of the others it inherits that there is nothing to do.
    """

    topic: str
    pace: float
    """Seconds; batches are at least so far apart, where nobody waits for what they bring."""

    async def recall(self, engine: AsyncEngine, progress: Progress) -> Any:
        """Read a partition's memory from the database; called whenever a lane is (re)opened."""

    def absorb(self, memory: Any, progress: Progress, record: Record) -> bool:
        """Take in a record that has no effect but on `memory` and `progress`; False: it needs a transaction."""

    async def apply(self, tx: Transaction, progress: Progress, memory: Any, records: Sequence[Record]) -> list[Outgoing]:
        """Load, decide, save; move `progress` (position, arrival, ordinal, state) past what was applied.

        May stop early, leaving `progress.position` at the first record that was not applied.
        Returns what is to be published, in the order of its ordinals.
        """

    def unfinished(self, memory: Any) -> bool:  # noqa: ARG002
        """Whether part of what was begun is left to `apply`, which is called again and again until it is not, with or without records."""
        return False

    async def unpublished(self, driver: Driver, progress: Progress, limit: int) -> list[tuple[int, Outgoing]]:  # noqa: ARG002
        """Read committed effects after `progress.published`, with their ordinals, at most `limit`."""
        return []

    def markers(self, memory: Any, progress: Progress) -> list[Outgoing]:  # noqa: ARG002
        """What this lane vouches for, built from what is committed and published."""
        return []

    def ticks(self, progress: Progress) -> list[Outgoing]:  # noqa: ARG002
        """What to send into a lane that has been silent, so that its clock moves."""
        return []


class Lane:
    """One partition as its present owner drives it; `step` is the whole of it."""

    REPUBLISH = 5000
    LONGEST_PACE = 0.8
    MANY = 800
    """Records a second of one lane, from which on it is worth while to wait for more."""

    def __init__(self, engine: AsyncEngine, relay: Relay, settings: Settings, handler: Handler, partition: int) -> None:
        """A lane that is opened by its first step."""
        self.handler, self.partition = handler, partition
        self._engine, self._relay, self._settings = engine, relay, settings
        self.progress = Progress(self.name, partition)
        self._memory: Any = None
        self._opened = False
        self._marked_at = self._flushed_at = self._heard_at = time.monotonic()
        self._dirty = False
        self._waiting: list[Record] = []
        self._applied_at = float("-inf")
        self._took, self._taken = 0.0, 0
        """How long the last batch took, and how many records it had."""
        self.most = settings.batch_records
        """Records that one transaction takes: half of what failed, and a quarter more after each that went well."""
        self.transactions: list[float] = []
        """Seconds that the transactions took which nobody has measured yet; of one step there are few."""
        self.gap_seen_at = -1
        """The position at which offsets were found missing since the lane was opened; found missing again, they do not exist."""

    @property
    def name(self) -> str:
        """What its progress row is named by: its topic, where nobody else of this service reads that."""
        return self.handler.topic

    async def open(self) -> int:
        """Read where the lane stands, publish what its last owner left unpublished, return the offset to read from."""
        self._opened = False
        self._waiting = []
        self.gap_seen_at = -1  # what was fetched before this opening lies behind the position, and is no second finding
        self.progress = await read_progress(self._engine, self.name, self.partition)
        self._memory = await self.handler.recall(self._engine, self.progress)
        self._dirty = False
        await self._republish()
        self._opened, self._marked_at = True, 0.0
        self._heard_at = self._flushed_at = time.monotonic()
        return self.progress.position

    def due(self, records: Sequence[Record]) -> Sequence[Record]:
        """What is to be applied now of what was read and what waits; nothing where more is likely to come in time."""
        now, found = time.monotonic(), [*self._waiting, *records]
        if len(found) < self._settings.batch_records and now - self._applied_at < self._pace:
            self._waiting = found
            return []
        self._waiting = []
        if found:
            self._applied_at = now
        return found

    @property
    def _pace(self) -> float:
        """Seconds between batches: where they are large and take long all the same, larger ones cost less."""
        return max(self.handler.pace, min(3 * self._took, self._taken / self.MANY, self.LONGEST_PACE))

    @property
    def following(self) -> int:
        """The offset behind all that was read."""
        return self._waiting[-1].offset + 1 if self._waiting else self.progress.position

    @property
    def unfinished(self) -> bool:
        """Whether there is something to do without any record."""
        return self._opened and self.handler.unfinished(self._memory)

    async def step(self, records: Sequence[Record]) -> None:
        """Apply records read from the lane's position on, or do a piece of what is left. After an exception it must be opened again."""
        if not self._opened:
            message = f"{self.progress.lane} was not opened"
            raise LostOwnershipError(message)
        fresh = _from(records, self.progress.position)
        if fresh:
            self._heard_at = time.monotonic()
        elif self.unfinished:
            await self._commit([])
        while fresh:
            before = self.progress.position, self.progress.rev
            fresh = await self._advance(fresh)
            if fresh and before == (self.progress.position, self.progress.rev):
                message = f"{self.progress.lane} made no progress at offset {self.progress.position}"
                raise RuntimeError(message)

    async def _advance(self, records: Sequence[Record]) -> Sequence[Record]:
        """Absorb what has no effect, apply the rest in one transaction; returns what is left of the records."""
        for index, record in enumerate(records):
            if not self.handler.absorb(self._memory, self.progress, record):
                return await self._commit(records[index:])
            self.progress.position = record.offset + 1
            self._dirty = True
        return []

    async def _commit(self, records: Sequence[Record]) -> Sequence[Record]:
        self._opened, began = False, time.monotonic()
        moving = self.progress
        try:
            async with claimed(self._engine, moving) as (tx, row):
                moving.rev, moving.published = row.rev, row.published
                outgoing = await self.handler.apply(tx, moving, self._memory, records)
                await save_progress(tx, moving)
        except WORLD:  # it may have been more than a transaction's time is enough for, and would be again
            self.most = max(len(records) // 2, 1) if records else self.most
            raise
        self.transactions.append(time.monotonic() - began)
        self.most = min(self.most + self.most // 4 + 1, self._settings.batch_records)
        self._flushed_at, self._dirty = time.monotonic(), False
        await self._publish(outgoing)
        self._opened = True
        if records:
            self._took, self._taken = time.monotonic() - began, len(records)
        return _from(records, moving.position)

    async def _publish(self, outgoing: Sequence[Outgoing]) -> None:
        if outgoing:
            await self._relay.publish(outgoing)
            crash_point("after-publish")
            self.progress.published = self.progress.ordinal
            self._dirty = True

    async def _republish(self) -> None:
        """Publish again from the pointer: what is sent twice is dropped by its number, what is missing is not."""
        while self.progress.published < self.progress.ordinal:
            async with self._engine.connect() as connection:
                await connection.exec_driver_sql("SELECT 1")
                driver = (await connection.get_raw_connection()).driver_connection
                assert driver is not None
                rows = await self.handler.unpublished(driver, self.progress, self.REPUBLISH)
            if not rows:
                break
            await self._relay.publish([outgoing for _, outgoing in rows])
            self.progress.published = rows[-1][0]
            self._dirty = True

    def signals(self) -> list[Outgoing]:
        """The markers that are due, and a tick where the lane has been silent; to be sent between steps."""
        now, due = time.monotonic(), []
        if now - self._marked_at >= self._settings.marker_interval:
            self._marked_at = now
            due += self.handler.markers(self._memory, self.progress)
        if now - self._heard_at >= self._settings.tick_after:
            self._heard_at = now
            due += self.handler.ticks(self.progress)
        return due

    async def flush(self) -> None:
        """Save a position that moved without effects, where it is time to; called between steps."""
        now = time.monotonic()
        if now - self._flushed_at >= self._settings.flush_interval:
            self._flushed_at = now
            await self._flush()

    async def _flush(self) -> None:
        """Save the position and the pointer, and notice effects that others committed on this lane (people's acts)."""
        if self._dirty:
            await self._commit([])
            self._dirty = False
        else:
            row = await read_progress(self._engine, self.name, self.partition)
            if row.rev != self.progress.rev:
                message = f"{self.progress.lane} was moved by a person's act"
                raise LostOwnershipError(message)


def _from(records: Sequence[Record], position: int) -> Sequence[Record]:
    """The records from an offset on; they are in the order of their offsets."""
    if records and records[0].offset >= position:
        return records
    return [record for record in records if record.offset >= position] if records and records[-1].offset >= position else []
