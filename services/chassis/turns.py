"""A moment's ownership of a lane, for what people do to it beside the log: its owner notices, reads again and goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction
from services.chassis.faults import LostOwnershipError
from services.chassis.progress import Progress, claimed, read_progress, save_progress

Result = TypeVar("Result")
PAUSE: Final = 0.005
"""Seconds; each attempt waits so much longer than the one before."""


class LaneIsBusyError(Exception):
    """The lane moved on at every attempt to have a turn on it; try again when less comes in."""


async def take_turn(
    engine: AsyncEngine, topic: str, partition: int, attempts: int, work: Callable[[Transaction, Progress], Awaitable[Result]]
) -> Result:
    """Do something in a transaction of a partition's lane, whose owner notices and publishes; tried again where the lane moved on.

    Raises `LaneIsBusyError` after so many attempts; whatever `work` raises undoes what it did.
    """
    for attempt in range(attempts):
        await asyncio.sleep(PAUSE * attempt)
        believed = await read_progress(engine, topic, partition)
        try:
            async with claimed(engine, believed) as (tx, progress):
                result = await work(tx, progress)
                await save_progress(tx, progress)
                return result
        except LostOwnershipError:
            continue
    raise LaneIsBusyError(LaneIsBusyError.__doc__)
