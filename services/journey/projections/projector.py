"""The projector: reads the journal and the facts in order, behind a pointer, for whatever is kept of all customers.

A projection says what it makes of a chunk; the projector sees to it that chunk and pointer commit together, so that a crash
repeats a chunk whole or not at all, and that of several processes one takes a step at a time (the lock on the projection's row).
Each lane of the journal, and each partition of the facts, comes in its own order and once. Between lanes there is no order, so a
projection must make the same of them however they interleave: fold per customer, or add up. A late event is simply the next row
of its lane; a customer who turns out to be another's comes as rows copied under that other's key. A projection that no document
asks for costs one small query a step. Nothing is remembered between steps: every step may be the first of its process.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction, transaction
from services.chassis.faults import WORLD, crash_point
from services.chassis.redaction import told
from services.journey.store import lock_identity, projections
from services.journey.store.projections import Fact, Journalled, Reached

log = logging.getLogger(__name__)

ROWS, PACKS = 2000, 16
"""Of all lanes in one chunk, and of one partition of facts (a pack holds at most 128 facts)."""
LONGEST_PAUSE = 30.0
STATEMENTS = (b'"customer.linked"', b'"customer.merged"', b'"customer.unmerged"')
"""As they stand in what was journalled, for those to whom it makes a difference; a text that looks like one is about nobody."""


@dataclass(slots=True)
class Chunk:
    """What is new to a projection. `now` is the arrival that all raw lanes have reached: the only present time there is."""

    now: datetime | None
    journal: list[Journalled] = field(default_factory=list)
    """Own events and copied ones alike; whoever counts events passes over `copied`."""
    facts: list[Fact] = field(default_factory=list)


class Projection(Protocol):
    """Something kept of all customers."""

    name: str
    """Names its pointers' row for good."""

    async def wanted(self, tx: Transaction) -> bool:
        """Whether any published document asks for it; asked first in every step, so it has to be cheap."""

    async def take(self, tx: Transaction, chunk: Chunk) -> None:
        """Make of a chunk what is to be kept, in the transaction that moves the pointer past it; the chunk is not empty."""

    async def settle(self, tx: Transaction, now: datetime | None) -> bool:
        """Do a bounded piece of what is left to do once everything was read, such as what time alone brings; whether there is more."""


class Projector:
    """Takes projections forward, a chunk of each at a time."""

    def __init__(self, engine: AsyncEngine, projections: Sequence[Projection], pause: float = 1.0) -> None:
        """For these projections; `pause` is how many seconds pass between looks where nothing is new."""
        self._engine, self._projections, self._pause = engine, projections, pause
        self._known: set[str] = set()

    async def run(self) -> None:
        """Step until cancelled. Where there is much to do it works half of the time, since batches share this process."""
        failed = 0
        while True:
            began = time.monotonic()
            try:
                more = await self.step()
                failed = 0
            except Exception as error:  # noqa: BLE001 - our own failure must not stop the lanes beside us; it is told, and tried again
                failed, more = failed + 1, False
                (log.warning if isinstance(error, WORLD) else log.exception)("a projection waits", extra={"error": told(error)})
            pause = time.monotonic() - began if more else min(self._pause * 2**failed, LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def step(self) -> bool:
        """Take each projection one chunk forward; whether any has more before it."""
        return any([await self._advance(each) for each in self._projections])

    async def catch_up(self) -> None:
        """Step until nothing is new."""
        while await self.step():
            pass

    async def _advance(self, projection: Projection) -> bool:
        if projection.name not in self._known:
            await projections.ensure(self._engine, projection.name)
            self._known.add(projection.name)
        async with transaction(self._engine, projections.CLAIM, {"name": projection.name}) as tx:
            if not tx.opening or not await projection.wanted(tx):
                return False
            await lock_identity(tx, exclusive=False)  # nothing is written of a customer behind the erasure that would have emptied it
            pointers: dict[str, int] = orjson.loads(tx.opening[0].pointers)
            reached = await projections.reached(tx.driver)
            chunk = Chunk(reached.now)
            more = await _read(tx, chunk, pointers, reached)
            if chunk.journal or chunk.facts:
                await projection.take(tx, chunk)
            if not more:  # what comes of many chunks is done once
                more = await projection.settle(tx, reached.now)
            await _move(tx, projection.name, pointers)
            crash_point("before-projection-commit")
        return more


async def _read(tx: Transaction, chunk: Chunk, pointers: dict[str, int], reached: Reached) -> bool:
    """Fill a chunk and move the pointers behind it; whether more is there already."""
    behind = {lane: end for lane, end in reached.lanes.items() if pointers.get(lane, 0) < end}
    raw = [lane for lane in behind if not lane.startswith(projections.PREFIX)]
    limit = max(ROWS // max(len(raw), 1), 1)
    for lane, end in behind.items():
        start = pointers.get(lane, 0)
        if lane in raw:
            rows = await projections.journalled(tx.driver, lane, start, end, limit)
            chunk.journal += rows
            pointers[lane] = rows[-1].ordinal if len(rows) == limit else end
        else:
            found, pointers[lane] = await projections.facts(tx.driver, lane, start, end, PACKS)
            chunk.facts += found
    return any(pointers[lane] < end for lane, end in behind.items())


async def _move(tx: Transaction, name: str, pointers: dict[str, int]) -> None:
    if orjson.loads(tx.opening[0].pointers) != pointers:
        await projections.save_pointers(tx, name, pointers)
