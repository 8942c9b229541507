"""Gauges of one process, looked at every few seconds beside its work: an export that asked for them would wait for the database."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

from contracts.metrics import LOOP_LAG, Reading
from services.chassis.faults import WORLD
from services.chassis.redaction import told
from services.chassis.telemetry import Telemetry

log = logging.getLogger(__name__)

Look = Callable[[], Coroutine[None, None, Sequence[Reading]]]
_PULSE: Final = 0.25
"""Seconds between two looks at whether the event loop is late."""


class Sampler:
    """Looks, and tells what it found."""

    def __init__(self, telemetry: Telemetry, every: float, looks: Sequence[Look]) -> None:
        """Every so many seconds at each of these."""
        self._telemetry, self._every, self._looks = telemetry, every, looks

    async def run(self) -> None:
        """Sample until cancelled; nothing where nobody reads it."""
        while self._telemetry.measuring:
            await self.step()

    async def step(self) -> None:
        """Watch the event loop for one interval, then look at everything once."""
        self._telemetry.tell(LOOP_LAG, await _lateness(self._every))
        for look in self._looks:
            try:
                for metric, value, labels in await look():
                    self._telemetry.tell(metric, value, *labels)
            except WORLD as error:
                log.warning("not measured", extra={"error": told(error)})


async def _lateness(seconds: float) -> float:
    """The longest that the event loop was late within so many seconds."""
    ends, worst = time.monotonic() + seconds, 0.0
    while (began := time.monotonic()) < ends:
        await asyncio.sleep(min(_PULSE, seconds))
        worst = max(worst, time.monotonic() - began - min(_PULSE, seconds))
    return worst
