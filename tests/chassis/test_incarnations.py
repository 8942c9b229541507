"""A database that another server carries on begins a new incarnation of its lanes: its numbers begin anew, its ordinals go on."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.numbering import number_of
from services.chassis.progress import Progress, read_progress
from services.promises.facts import Fact, fact_record, marker
from tests.driving import NOON, Raw, read_once, rows, touchpoint


async def restore(engine: AsyncEngine) -> None:
    """What restoring does to a row: it was written by a server on another timeline."""
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE progress SET server = server || '0'"))


async def test_a_row_stays_in_its_incarnation_as_long_as_its_server_goes_on(engine: AsyncEngine) -> None:
    """Breaks if a lane began anew whenever it is opened: readers would take what is sent again for news."""
    first = await read_progress(engine, "makegood.touchpoints", 0)
    assert (first.incarnation, first.rev) == (1, 0)
    assert await read_progress(engine, "makegood.touchpoints", 0) == first


async def test_rows_of_a_release_that_knew_no_servers_stay_in_their_incarnation(engine: AsyncEngine) -> None:
    await read_progress(engine, "makegood.touchpoints", 0)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE progress SET server = NULL"))
    assert (await read_progress(engine, "makegood.touchpoints", 0)).incarnation == 1
    assert all(server for (server,) in await rows(engine, "progress", "server"))


async def test_a_restored_lane_numbers_anew_and_loses_nothing_that_was_not_published(raw: Raw, engine: AsyncEngine) -> None:
    """Breaks if numbers went on: whoever has read the same numbers before the restoration would drop what is said after it."""
    for each in range(3):
        raw.add(touchpoint(f"e{each}", subject="crm:1"))
    await raw.deliver()
    await restore(engine)
    await raw.start()
    progress = raw.lane.progress
    assert (progress.incarnation, progress.ordinal, progress.state.get("seqs")) == (2, 3, None)
    raw.add(touchpoint("e3", subject="crm:1"))
    await raw.deliver()
    numbers = [number for each in raw.wire.sent if each.topic == "makegood.journey" and (number := number_of(each.headers))]
    assert (numbers[-1].incarnation, numbers[-1].seq) == (2, 1)
    assert [each.seq for each in numbers if each.incarnation == 1][-3:] == [1, 2, 3]
    assert sum(map(len, read_once(raw.wire.sent, "makegood.journey").values())) == 4


@pytest.mark.parametrize(("begun", "incarnation"), [(0, 1), (40, 2)])
def test_facts_are_numbered_from_where_their_incarnation_began(begun: int, incarnation: int) -> None:
    """Breaks if a marker named a number that no fact before it has: its readers would wait for ever."""
    progress = Progress("makegood.journey", 3, ordinal=41, begun=begun, incarnation=incarnation)
    fact: Any = Fact(41, "6b2b4c0e-5a53-5d0c-9c0a-0c7f5f8f2a11", b"{}")
    (lane, *_) = fact_record(progress, fact).headers
    assert lane == ("lane", b"promises/3/%d/%d" % (incarnation, 41 - begun))
    assert f'"seq":{41 - begun}'.encode() in marker(progress, NOON).value
