"""Chores: work beside the lanes that is done in bounded steps, each of which may be the last of its process."""

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import ClassVar, Final

from services.chassis.faults import WORLD
from services.chassis.redaction import told

log = logging.getLogger(__name__)

PAUSE: Final = 1.0
"""Seconds between looks where nothing is left to do."""


class Chore(ABC):
    """Something to be done step by step, wherever the last process left off."""

    name: ClassVar[str]
    """What waits where a step fails, as it is logged."""

    @abstractmethod
    async def step(self) -> bool:
        """Do one bounded piece; False where there is none."""

    async def run(self) -> None:
        """Step until cancelled; rest where there is nothing to do."""
        while True:
            more = False
            try:
                more = await self.step()
            except Exception as error:  # noqa: BLE001 - told, and tried again: the lanes beside us go on
                (log.warning if isinstance(error, WORLD) else log.exception)(f"{self.name} waits", extra={"error": told(error)})
            await asyncio.sleep(0 if more else PAUSE)

    async def finish(self) -> None:
        """Step until nothing is left to do."""
        while await self.step():
            pass
