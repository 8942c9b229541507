"""Recovery is heard from: it says when everything that its lanes have committed is in Kafka, since others judge by it (DESIGN 2).

The lane of partition 0 is the herald. What every lane had committed at one look must be published at the next; then, and
only then, a heartbeat goes into every partition of makegood.acts, behind all of it.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.faults import WORLD
from services.chassis.instants import to_milliseconds
from services.chassis.progress import Progress, read_all_progress
from services.chassis.redaction import told
from services.chassis.relay import CONTENT_TYPE, Outgoing
from services.chassis.settings import Clock
from services.recovery.events import TOUCHPOINTS, heartbeat
from services.recovery.settings import RecoverySettings

log = logging.getLogger(__name__)

HERALD: Final = 0


class Seen(NamedTuple):
    """What the lanes had committed at a look, and the barrier that all of them had acted on."""

    committed: dict[tuple[str, int], int]
    barrier: datetime | None


class Herald:
    """Looks every few seconds, and has the heartbeats ready for the lane that sends them."""

    def __init__(self, partitions: int, settings: RecoverySettings) -> None:
        """For a system with so many partitions of makegood.acts."""
        self._partitions, self._settings = partitions, settings
        self._before: Seen | None = None
        self._ready: list[Outgoing] = []
        self._look_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    def beats(self, engine: AsyncEngine) -> list[Outgoing]:
        """The heartbeats that have become ready; begins to look for the next ones where it is time."""
        now = time.monotonic()
        if now >= self._look_at and (self._looking is None or self._looking.done()):
            self._look_at = now + self._settings.heartbeat_every
            self._looking = asyncio.create_task(self._try_looking(engine))
        ready, self._ready = self._ready, []
        return ready

    async def _try_looking(self, engine: AsyncEngine) -> None:
        try:
            await self.look(engine)
        except WORLD as error:
            log.warning("no heartbeat, trying again", extra={"error": told(error)})

    async def look(self, engine: AsyncEngine) -> None:
        """Make heartbeats ready where what was committed at the look before is published."""
        lanes = await read_all_progress(engine)
        before = self._before
        self._before = Seen({(each.topic, each.partition): each.ordinal for each in lanes}, _barrier(lanes))
        if before is not None and all(each.published >= before.committed.get((each.topic, each.partition), 0) for each in lanes):
            self._ready = self._heartbeats(before.barrier)

    def _heartbeats(self, barrier: datetime | None) -> list[Outgoing]:
        """One for each partition; on the replay clock as of the barrier that was acted on, and none before there is one."""
        replayed = self._settings.clock is Clock.REPLAY
        at = barrier if replayed else datetime.now(UTC)
        if at is None:
            return []
        timestamp = to_milliseconds(at) if replayed else None
        return [
            Outgoing(TOUCHPOINTS, partition, None, heartbeat(partition, at), [CONTENT_TYPE], timestamp)
            for partition in range(self._partitions)
        ]


def _barrier(lanes: Sequence[Progress]) -> datetime | None:
    reached = [each.arrival for each in lanes if each.arrival is not None]
    return min(reached) if reached and len(reached) == len(lanes) else None
