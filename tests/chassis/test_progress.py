"""Who owns a partition: the compare-and-set that every transaction opens with, for real, with two at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import create_engine
from services.chassis.faults import WORLD, LostOwnershipError
from services.chassis.progress import Progress, claimed, read_progress, save_progress
from services.journey.settings import JourneySettings

TOPIC = "makegood.touchpoints"


async def move(engine: AsyncEngine, believed: Progress, position: int) -> None:
    async with claimed(engine, believed) as (tx, row):
        row.position = position
        await save_progress(tx, row)


@pytest.fixture
async def hasty(settings: JourneySettings) -> AsyncIterator[AsyncEngine]:
    """Sessions that do not wait long for a row."""
    engine = create_engine(settings.model_copy(update={"takeover_after": 0.2}), "journey")
    yield engine
    await engine.dispose()


async def test_of_two_who_believe_the_same_one_wins_and_the_other_changes_nothing(engine: AsyncEngine) -> None:
    """Breaks if the position could be written without having moved `rev` from what was believed."""
    believed = await read_progress(engine, TOPIC, 0)
    answers = await asyncio.gather(*(move(engine, believed, position) for position in range(1, 9)), return_exceptions=True)
    assert sorted(str(type(each)) for each in answers) == sorted([str(type(None)), *[str(LostOwnershipError)] * 7])
    now = await read_progress(engine, TOPIC, 0)
    assert (now.rev, now.position) == (believed.rev + 1, 1 + answers.index(None))


async def test_who_waits_for_a_row_that_moves_meanwhile_has_lost_it(engine: AsyncEngine) -> None:
    believed = await read_progress(engine, TOPIC, 0)
    async with claimed(engine, believed) as (tx, row):
        other = asyncio.create_task(move(engine, believed, 7))
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        async with asyncio.timeout(20):
            while not (await tx.connection.execute(waiting)).scalar_one():  # noqa: ASYNC110 - as in tests.driving
                await asyncio.sleep(0)
        row.position = 3
        await save_progress(tx, row)
    with pytest.raises(LostOwnershipError):
        await other
    assert (await read_progress(engine, TOPIC, 0)).position == 3


async def test_a_batch_that_fails_leaves_the_lane_as_it_was(engine: AsyncEngine) -> None:
    believed = await read_progress(engine, TOPIC, 0)
    with suppress(ZeroDivisionError):
        async with claimed(engine, believed) as (tx, row):
            row.position = 5
            await save_progress(tx, row)
            raise ZeroDivisionError
    assert await read_progress(engine, TOPIC, 0) == believed


async def test_a_holder_frozen_inside_its_transaction_is_ended_and_the_next_try_succeeds(
    settings: JourneySettings, engine: AsyncEngine, hasty: AsyncEngine
) -> None:
    """Breaks if a process that is stopped while it holds the row could hold it for ever (FAULTS 4)."""
    believed = await read_progress(engine, TOPIC, 0)
    frozen = await asyncpg.connect(settings.database, server_settings={"search_path": "journey"})
    await frozen.execute("BEGIN")
    await frozen.execute("SET idle_in_transaction_session_timeout = 0")
    await frozen.execute("UPDATE progress SET rev = rev + 1, position = 99 WHERE topic = $1", TOPIC)
    with pytest.raises(asyncpg.LockNotAvailableError) as refused:
        await move(hasty, believed, 4)
    assert isinstance(refused.value, WORLD)
    await move(hasty, believed, 4)
    assert (await read_progress(engine, TOPIC, 0)).position == 4
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await frozen.execute("COMMIT")
    frozen.terminate()


async def test_the_pointer_of_what_was_published_never_goes_back(engine: AsyncEngine) -> None:
    first = await read_progress(engine, TOPIC, 0)
    first.published = 8
    await move(engine, first, 1)
    second = await read_progress(engine, TOPIC, 0)
    assert second.published == 8
    second.published = 3
    await move(engine, second, 2)
    assert (await read_progress(engine, TOPIC, 0)).published == 8
