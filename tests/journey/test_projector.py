"""Whatever happens to its process, a projection is given every row of the journal and every fact once, each lane in order."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction
from services.journey.projections import projector
from services.journey.projections.projector import Chunk, Projector
from services.journey.records import ACTS
from services.journey.settings import JourneySettings
from services.journey.timeline.projection import FactHandler
from tests.driving import NOON, Crash, Raw, as_owner, record, rows, touchpoint

PROMISES = "makegood.promises"
Make = Callable[..., Raw]


class Noted:
    """A projection that notes where everything stood that it was given."""

    name = "noted"

    def __init__(self, *, asked_for: bool = True) -> None:
        self.asked_for, self.nows = asked_for, list[datetime | None]()

    async def wanted(self, tx: Transaction) -> bool:
        return self.asked_for

    async def take(self, tx: Transaction, chunk: Chunk) -> None:
        found = [(each.lane, each.ordinal, 0) for each in chunk.journal]
        found += [(f"{each.topic}/{each.partition}", each.position, each.place) for each in chunk.facts]
        self.nows.append(chunk.now)
        await tx.copy("noted", ("lane", "ordinal", "place"), found)

    async def settle(self, tx: Transaction, now: datetime | None) -> bool:
        return False


@pytest.fixture
async def filled(
    engine: AsyncEngine, raw: Make, settings: JourneySettings, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], Awaitable[None]]:
    """Give what lets so many more things happen in two lanes and one partition of facts."""
    monkeypatch.setattr(projector, "ROWS", 6)
    monkeypatch.setattr(projector, "PACKS", 2)
    async with as_owner(engine) as connection:
        await connection.execute(text("CREATE TABLE noted (number int GENERATED ALWAYS AS IDENTITY, lane text, ordinal bigint, place int)"))
        await connection.execute(text("GRANT ALL ON noted TO journey"))
    lanes = [await raw(0).start(), await raw(1, ACTS).start()]
    facts = await Raw(engine, settings, lambda: FactHandler(PROMISES), 0).start()

    async def fill(many: int) -> None:
        for number in range(many):
            for lane in lanes:
                at = NOON + timedelta(seconds=len(lane.log) * (1 + lanes.index(lane)))
                lane.add(touchpoint(f"{lane.lane.progress.lane}-{len(lane.log)}", subject=f"crm:{number % 3}"), arrival=at)
            seq = len(facts.log)
            id_ = f"{UUID(int=seq)}:0:opened"
            body: dict[str, Any] = {"type": "makegood.commitment.opened", "id": id_, "time": NOON.isoformat(), "customer": "0" * 32}
            headers = [("lane", f"promises/0/1/{seq + 1}".encode())]
            facts.log.append(record(PROMISES, 0, seq, orjson.dumps(body), key=b"0" * 32, headers=headers))
        for lane in (*lanes, facts):
            await lane.deliver(5)
            await lane.deliver()

    return fill


async def noted(engine: AsyncEngine) -> list[tuple[str, int, int]]:
    return [(lane, ordinal, place) for _, lane, ordinal, place in sorted(await rows(engine, "noted"))]


async def test_everything_comes_once_and_each_lane_in_its_order(engine: AsyncEngine, filled: Callable[[int], Awaitable[None]]) -> None:
    projection = Noted()
    worker = Projector(engine, [projection])
    for many in (7, 0, 1, 12):
        await filled(many)
        await worker.catch_up()
    found = await noted(engine)
    raw = [each for each in found if not each[0].startswith("makegood.")]
    assert sorted(raw) == sorted((*each, 0) for each in await rows(engine, "journal", "lane, ordinal"))
    assert len(raw) == 40
    assert len([each for each in found if each[0] == f"{PROMISES}/0"]) == 20
    for lane in {each[0] for each in found}:
        own = [each for each in found if each[0] == lane]
        assert own == sorted(own)


async def test_a_crash_repeats_a_chunk_whole_or_not_at_all(
    engine: AsyncEngine, filled: Callable[[int], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if pointer and effect did not commit together."""
    await filled(9)
    left = iter([True, False, True, True, False])

    def crash_point(name: str) -> None:
        if next(left, False):
            raise Crash(name)

    monkeypatch.setattr(projector, "crash_point", crash_point)
    for _ in range(12):
        with suppress(Crash):
            await Projector(engine, [Noted()]).step()
    found = await noted(engine)
    assert len(found) == len(set(found)) == 27


async def test_several_processes_take_no_chunk_twice(engine: AsyncEngine, filled: Callable[[int], Awaitable[None]]) -> None:
    await filled(15)
    for _ in range(15):
        await asyncio.gather(*(Projector(engine, [Noted()]).step() for _ in range(3)))
    found = await noted(engine)
    assert len(found) == len(set(found)) == 45


async def test_its_present_is_what_every_lane_has_reached(engine: AsyncEngine, filled: Callable[[int], Awaitable[None]]) -> None:
    projection = Noted()
    await filled(5)
    await Projector(engine, [projection]).catch_up()
    assert set(projection.nows) == {NOON + timedelta(seconds=4)}


async def test_what_nobody_asks_for_reads_nothing(engine: AsyncEngine, filled: Callable[[int], Awaitable[None]]) -> None:
    await filled(5)
    projection = Noted(asked_for=False)
    assert not await Projector(engine, [projection]).step()
    assert await noted(engine) == []
    projection.asked_for = True
    await Projector(engine, [projection]).catch_up()
    assert len(await noted(engine)) == 15
