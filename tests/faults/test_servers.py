"""The servers below die, stop, lose answers and run full: nothing is lost, doubled or falsely broken, and all comes back in time."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from signal import Signals

import httpx2
import pytest

from deploy.local import issuer
from tests.faults import servers
from tests.faults.conftest import Judged
from tests.faults.driver import System, until
from tests.faults.faults import CONSUMERS
from tests.faults.orders import Plan
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.faults
LONG = 600.0
DATABASE_BACK, BROKER_BACK = 15.0, 30.0
COMMIT, PRODUCE = b"COMMIT", b"\0\0"
"""PostgreSQL's word; Kafka's number for what is sent, behind the four bytes of a request's length."""


@asynccontextmanager
async def loaded(system: System, seed: int, name: str, back: float) -> AsyncIterator[None]:
    """Load before, during and after what the block does; when it ends, every lane moves on within so many seconds."""
    async with system.load(Plan(seed, name, LONG, 20)):
        await servers.all_move_on(system, 60)
        yield
        await servers.all_move_on(system, back)


@pytest.mark.row(2)
@pytest.mark.parametrize("broker", [False, True], ids=["the-broker-stays", "the-broker-too"])
async def test_everything_killed_at_once_comes_back_as_it_was(system: System, seed: int, judged: Judged, *, broker: bool) -> None:
    """Breaks if anything is believed that was not written, or anything written that was not meant together."""
    async with loaded(system, seed, f"everything-{broker}", BROKER_BACK):
        await servers.kill_everything(system, broker=broker)
    await judged(system)


@pytest.mark.row(9)
@pytest.mark.parametrize("number", [servers.FAST, servers.IMMEDIATE], ids=["fast", "immediate"])
async def test_a_database_that_is_restarted_costs_nothing_but_time(system: System, seed: int, judged: Judged, number: Signals) -> None:
    """Breaks if what the world does is taken for a record's fault, or a connection that was cut is used again."""
    async with loaded(system, seed, f"restart-{number}", DATABASE_BACK):
        await servers.end_postgres(system, number)
        await servers.start_postgres(system)
    await judged(system)


@pytest.mark.row(9)
async def test_sessions_that_are_ended_again_and_again_cost_nothing_but_time(system: System, seed: int, judged: Judged) -> None:
    """Breaks if a transaction that was cut off is taken for committed, or for undone, without asking."""
    async with loaded(system, seed, "sessions", DATABASE_BACK):
        ended = 0
        for _ in range(10):
            ended += await servers.cut_sessions(system)
            await asyncio.sleep(1)
        assert ended > 10
    await judged(system)


@pytest.mark.row(9)
async def test_a_database_frozen_for_a_minute_is_answered_for_and_comes_back(system: System, seed: int, judged: Judged) -> None:
    """Breaks if a request waits for ever, gets a 500, or a lane whose transaction hung is not opened anew."""
    async with loaded(system, seed, "frozen", DATABASE_BACK):
        async with servers.frozen_postgres(system):
            answers = await asyncio.gather(_ask(system, "promises", "/v1/commitments"), asyncio.sleep(60))
        assert (answers[0].status_code, "retry-after" in answers[0].headers) == (503, True)
        for name in CONSUMERS:  # the watchdog may have ended who was stuck; whoever supervises it starts another
            if name not in system.running.living():
                system.start(name)
    await judged(system)


@pytest.mark.row(9)
async def test_while_the_database_is_away_every_service_says_when_to_come_back(system: System, seed: int, judged: Judged) -> None:
    """Breaks if an outage is anything but a 503 with Retry-After."""
    async with loaded(system, seed, "away", DATABASE_BACK):
        await servers.end_postgres(system, servers.FAST)
        paths = {"journey": "/v1/touchpoints", "promises": "/v1/commitments", "recovery": "/v1/cases"}
        found = {name: await _ask(system, name, path) for name, path in paths.items()}
        await servers.start_postgres(system)
        assert {name: (each.status_code, "retry-after" in each.headers) for name, each in found.items()} == dict.fromkeys(
            paths, (503, True)
        )
        again = [await _ask(system, name, path) for name, path in paths.items()]
        assert [each.status_code for each in again] == [200, 200, 200]
    await judged(system)


async def _ask(system: System, service: str, path: str) -> httpx2.Response:
    keys = Path(system.running.keys)
    bearer = issuer.token(keys, subject="faults", name="faults", roles=["manager", "agent", "operations", "auditor", "lead"])
    base = system.running.health[f"{service}-api"]
    async with httpx2.AsyncClient(base_url=base, headers={"authorization": f"Bearer {bearer}"}, timeout=90) as client:
        return await client.get(path, params={"limit": 1})


@pytest.mark.row(9)
async def test_commits_whose_answer_is_lost_are_neither_lost_nor_done_twice(system: System, seed: int, judged: Judged) -> None:
    """Breaks if whoever does not hear of its commit believes either that it happened or that it did not."""
    async with servers.away_from_postgres(system) as between, system.load(Plan(seed, "commits", LONG, 20)):
        await _answers_lost(system, between, lambda data: COMMIT in data, DATABASE_BACK)
    await judged(system)


async def _answers_lost(system: System, between: Proxy, asked: Callable[[bytes], bool], back: float) -> None:
    """Lose the answer to what is asked so, eight times; every lane moves on each time."""
    for _ in range(8):
        before, between.loses = between.lost, asked
        await until(lambda: _more(between, before), "an answer is lost")  # noqa: B023  (it is waited for)
        between.loses = None
        await servers.all_move_on(system, back)


async def _more(between: Proxy, before: int) -> bool:
    return between.lost > before


async def _cut_in_the_middle(system: System, between: Proxy, after: Sequence[int], back: float) -> None:
    """Cut all connections once so many bytes have gone through, for each number; every lane moves on each time."""
    for number in after:
        between.cut(number)
        await servers.all_move_on(system, back)


async def _silent(system: System, between: Proxy, seconds: float, back: float) -> None:
    """Hand on nothing for so long; every lane moves on afterwards."""
    between.silence()
    await asyncio.sleep(seconds)
    between.heal()
    await servers.all_move_on(system, back)


@pytest.mark.row(9)
async def test_a_database_that_is_slow_falls_silent_and_is_cut_off_in_the_middle_comes_back(
    system: System, seed: int, judged: Judged
) -> None:
    """Breaks if half a message is taken for a whole one, or a connection that says nothing is waited for without an end."""
    async with servers.away_from_postgres(system) as between, system.load(Plan(seed, "network", LONG, 20)):
        between.delay = 0.05
        await servers.all_move_on(system, 60)
        between.heal()
        await _cut_in_the_middle(system, between, (1, 100, 3000, 20_000, 100_000), DATABASE_BACK)
        between.deaf = True
        await asyncio.sleep(5)
        between.heal()
        await servers.all_move_on(system, DATABASE_BACK)
        await _silent(system, between, 20, DATABASE_BACK)
    await judged(system)


@pytest.mark.row(9)
async def test_whoever_is_the_victim_of_a_deadlock_tries_again(system: System, seed: int, judged: Judged) -> None:
    """Breaks if a deadlock is anything but the world's fault."""
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    async with loaded(system, seed, "deadlock", DATABASE_BACK), system.database() as database:
        before = await database.fetchval(deadlocks)
        for table, topic in (("journey.journal", "makegood.touchpoints"), ("promises.outbox", "makegood.journey")):
            async with database.transaction():
                await database.execute("SET LOCAL deadlock_timeout = '1min'")  # so that it is the other one who finds it, and falls
                await database.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
                await asyncio.sleep(1)
                progress = f"SELECT 1 FROM {table.partition('.')[0]}.progress WHERE topic = $1 AND partition = 0 FOR UPDATE"
                await database.fetchval(progress, topic)
        await database.execute("SELECT pg_stat_clear_snapshot()")
        assert await database.fetchval(deadlocks) >= before + 2
    await judged(system)


@pytest.mark.row(9)
async def test_a_database_without_a_free_connection_is_waited_for(system: System, seed: int, judged: Judged) -> None:
    """Breaks if a start, or a lane that opens its connection anew, gives up where there is none."""
    async with loaded(system, seed, "crowded", DATABASE_BACK):
        async with servers.crowded(system):
            await servers.cut_sessions(system)
            await asyncio.sleep(10)
        await servers.all_move_on(system, DATABASE_BACK)
    await judged(system)


@pytest.mark.row(9)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file system of 64 MiB")
async def test_a_disk_that_runs_full_stops_everything_and_loses_nothing(system: System, seed: int, judged: Judged) -> None:
    """Breaks if a batch that could not be written is passed over."""
    with servers.small_file_system() as folder:
        async with servers.kept_in(system, folder), system.load(Plan(seed, "full", LONG, 20)):
            await servers.all_move_on(system, 60)
            ballast = servers.fill(folder)
            await until(lambda: servers.tells(system, "No space left on device"), "the disk is full")
            await asyncio.sleep(10)
            ballast.unlink()
            await servers.all_move_on(system, DATABASE_BACK)
        await judged(system)


@pytest.mark.row(5)
async def test_a_broker_that_is_killed_comes_back_with_everything(system: System, seed: int, judged: Judged) -> None:
    """Breaks if what was not acknowledged is taken for sent, or what was is sent under another number."""
    for each in range(3):
        async with loaded(system, seed, f"broker-{each}", BROKER_BACK):
            await servers.end_broker(system)
            await asyncio.sleep(each * 3)
            await servers.start_broker(system)
    await judged(system)


@pytest.mark.row(5)
async def test_a_broker_that_accepts_and_never_answers_is_waited_for(system: System, seed: int, judged: Judged) -> None:
    """Breaks if a process waits for an answer without an end: it comes back, or its watchdog ends it within a minute."""
    async with loaded(system, seed, "silent", BROKER_BACK), servers.stopped_broker(system):
        await asyncio.sleep(25)
    await judged(system)


@pytest.mark.row(5)
async def test_records_whose_acknowledgement_is_lost_are_there_once(system: System, seed: int, judged: Judged) -> None:
    """Breaks if what is sent again after a lost answer gets another number, or a marker overtakes it."""
    async with servers.away_from_broker(system) as between, system.load(Plan(seed, "acks", LONG, 20)):
        await servers.all_move_on(system, 60)
        await _answers_lost(system, between, lambda data: data[4:6] == PRODUCE, BROKER_BACK)
        await _cut_in_the_middle(system, between, (10, 1000, 30_000), BROKER_BACK)
        await _silent(system, between, 15, BROKER_BACK)
    await judged(system)
