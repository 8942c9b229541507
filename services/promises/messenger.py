"""Tells the engine of people's excuses: as touchpoints, through journey's front door, until Kafka has acknowledged them."""

import asyncio
import logging
import zlib

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.faults import WORLD
from services.chassis.instants import to_milliseconds
from services.chassis.redaction import told
from services.chassis.relay import CONTENT_TYPE, Outgoing, Relay
from services.chassis.settings import Clock
from services.promises.store import excuses

log = logging.getLogger(__name__)

TOUCHPOINTS = "makegood.touchpoints"
AT_ONCE = 100
RETRY_SECONDS = 5.0


class Messenger:
    """What one process has to tell; what another process tells at the same time is recognised by its id."""

    def __init__(self, engine: AsyncEngine, relay: Relay, clock: Clock) -> None:
        """For the touchpoints of this service's database."""
        self._engine, self._relay, self._clock = engine, relay, clock

    async def tell(self) -> None:
        """Send everything that is not known to be acknowledged; raises `NotAcknowledgedError` where Kafka is away."""
        while rows := await excuses.untold(self._engine, AT_ONCE):
            partitions = await self._relay.partitions(TOUCHPOINTS)
            await self._relay.publish([self._record(each, partitions) for each in rows])
            await excuses.told(self._engine, rows)

    async def keep_telling(self) -> None:
        """Do so again and again, for what a request could not get through."""
        while True:
            try:
                await self.tell()
            except WORLD as error:
                log.warning("excuses wait for the world", extra={"error": told(error)})
            await asyncio.sleep(RETRY_SECONDS)

    def _record(self, untold: excuses.Untold, partitions: int) -> Outgoing:
        # by commitment: what is granted comes before it is taken back
        key = str(untold.commitment).encode()
        stamp = to_milliseconds(untold.at) if self._clock is Clock.REPLAY else None
        return Outgoing(TOUCHPOINTS, zlib.crc32(key) % partitions, key, untold.event, [CONTENT_TYPE], stamp)
