"""A moment's ownership of a partition, for what is done to it beside the log: its owner notices, reads again and goes on."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction
from services.chassis.faults import LostOwnershipError
from services.chassis.progress import Progress, claimed, read_progress, save_progress

Result = TypeVar("Result")
JOURNEY: Final = "makegood.journey"
ATTEMPTS: Final = 100


class LaneIsBusyError(Exception):
    """The partition moved on at every attempt to have a turn on it; try again when less comes in."""


async def take_turn(engine: AsyncEngine, partition: int, work: Callable[[Transaction, Progress], Awaitable[Result]]) -> Result:
    """Do something in a transaction of the partition's lane; tried again where the lane moved on."""
    for _ in range(ATTEMPTS):
        believed = await read_progress(engine, JOURNEY, partition)
        try:
            async with claimed(engine, believed) as (tx, progress):
                result = await work(tx, progress)
                await save_progress(tx, progress)
                return result
        except LostOwnershipError:
            continue
    raise LaneIsBusyError(LaneIsBusyError.__doc__)
