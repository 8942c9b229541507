"""Letting go of history: what is older than a company keeps it goes from the journal and from timelines, the oldest first.

What was sent on stays sent, what was counted stays counted, and what is still owed stays known, however old. What goes of a pack of
facts is emptied as erasing does, and the pack itself goes with the next run: whoever reads a timeline meanwhile finds it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction
from services.chassis.redaction import impersonal
from services.journey.projections.projector import Projection
from services.journey.store import history as store
from services.journey.store import lock_identity, projections
from services.journey.store.history import Pack
from services.journey.timeline.said import Place

ROWS_AT_ONCE: Final = 5000
PACKS_AT_ONCE: Final = 50


async def let_go(engine: AsyncEngine, before: datetime, known: Sequence[Projection]) -> dict[str, int]:
    """Let go of what arrived, or was said, before a moment; how many rows of which table went."""
    async with store.step(engine) as tx:
        reached = await _read_by_all(tx, known)
    gone = {"journal": 0, "facts": 0}
    for lane, until in reached.items():
        if lane.startswith(projections.PREFIX):
            gone["facts"] += await _facts(engine, lane, until, before)
        else:
            gone["journal"] += await _journal(engine, lane, until, before)
    return gone


async def _read_by_all(tx: Transaction, known: Sequence[Projection]) -> dict[str, int]:
    """How far each lane was sent on, and read by every projection that a document asks for."""
    reached = await store.published(tx.driver)
    for each in known:
        if await each.wanted(tx):
            pointers = await projections.pointers(tx, each.name)
            reached = {lane: min(end, pointers.get(lane, 0)) for lane, end in reached.items()}
    return reached


async def _journal(engine: AsyncEngine, lane: str, until: int, before: datetime) -> int:
    total, more = 0, True
    while more:
        async with store.step(engine) as tx:
            await lock_identity(tx, exclusive=False)
            customers, number = await store.drop_journal(tx, lane, until, before, ROWS_AT_ONCE)
            await store.mark(tx, customers)
        total, more = total + number, number == ROWS_AT_ONCE
    return total


async def _facts(engine: AsyncEngine, lane: str, until: int, before: datetime) -> int:
    total, after, more = 0, -1, True
    while more:
        async with store.step(engine) as tx:
            await lock_identity(tx, exclusive=False)
            found = await _packs(tx, lane, after, until)
            owed = await store.undecided(tx, {run.customer for each in found for run in each.runs})
            for each in found:
                total += await _let_go_of(tx, each, owed, before)
            await store.mark(tx, {run.customer for each in found for run in each.runs if run.time < before})
        after = found[-1].place.position if found else after
        more = len(found) == PACKS_AT_ONCE and (not found[-1].runs or any(run.time < before for run in found[-1].runs))
    return total


async def _packs(tx: Transaction, lane: str, after: int, until: int) -> list[Pack]:
    found = await store.packs(tx, lane, after, until, PACKS_AT_ONCE)
    if not found:
        return []
    whose = {UUID(orjson.loads(body)["customer"]) for _, bodies in found for body in bodies}
    runs = await store.runs(tx, [place for place, _ in found], whose)
    return [Pack(place, bodies, runs[place]) for place, bodies in found]


async def _let_go_of(tx: Transaction, found: Pack, owed: set[Place], before: datetime) -> int:
    """What is old of a pack and not owed any more is no longer shown, and emptied; one of which nothing was shown before goes."""
    if not found.runs:
        if datetime.fromisoformat(orjson.loads(found.bodies[-1])["time"]) < before:
            await store.rewrite(tx, found.place, [])
        return 0
    old = [run for run in found.runs if run.time < before and owed.isdisjoint(_places(found, run.place, run.number))]
    if old:
        bodies = list(found.bodies)
        for run in old:
            for at in range(run.place, run.place + run.number):
                bodies[at] = impersonal(bodies[at])
        await store.rewrite(tx, found.place, bodies)
        await store.drop_facts(tx, old)
    return sum(run.number for run in old)


def _places(found: Pack, first: int, number: int) -> set[Place]:
    return {Place(*found.place, at) for at in range(first, first + number)}
