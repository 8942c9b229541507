"""What is done to the servers below a running system: they are killed, stopped, cut off, filled up; and come back.

Services that are to reach a server through a proxy are started anew, with its address.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import psutil

from deploy.local import kafka, postgres, processes, programs, stack, state
from deploy.local.kafka import Beside
from tests.faults import proxy
from tests.faults.driver import READERS, System
from tests.faults.faults import CONSUMERS, moves_on
from tests.faults.proxy import Proxy

FAST: Final = signal.SIGINT
"""PostgreSQL ends its sessions and writes down what it has."""
IMMEDIATE: Final = signal.SIGQUIT
"""PostgreSQL ends at once, and must read its log when it comes back."""
FILE_SYSTEM: Final = "64m"


async def end_postgres(system: System, number: signal.Signals = signal.SIGKILL) -> None:
    """End the server by a signal; SIGKILL goes to its sessions too, so that nobody writes anything any more."""
    sessions = _sessions(system)
    os.kill(system.running.pids[stack.POSTGRES], number)
    if number == signal.SIGKILL:
        for session in sessions:
            with suppress(psutil.NoSuchProcess):
                session.kill()
    system.done["server ends"] += 1
    await system.died(stack.POSTGRES)


async def start_postgres(system: System) -> None:
    """Start the server again on the same data and port."""
    roles = tuple(service.name for service in programs.SERVICES)
    port = urlsplit(system.running.database["admin"]).port
    server = await asyncio.to_thread(
        postgres.start,
        system.data / "postgres",
        system.data / "postgres.log",
        state.passwords(system.data, roles),
        port=port,
        record=lambda started: system.running.note(stack.POSTGRES, started),
    )
    assert server.port == port, "the server's port was taken meanwhile"
    state.write(system.data, system.running)


@asynccontextmanager
async def frozen_postgres(system: System) -> AsyncIterator[None]:
    """Stop the server and all its sessions for the length of the block."""
    frozen = [*_sessions(system), psutil.Process(system.running.pids[stack.POSTGRES])]
    for each in frozen:
        each.suspend()
    system.done["freezes"] += 1
    try:
        yield
    finally:
        for each in frozen:
            each.resume()


async def cut_sessions(system: System) -> int:
    """End every session of the services, as an operator or a failover does; returns how many there were."""
    async with system.database() as database:
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'makegood-%'"
        return int(await database.fetchval(query))


def _sessions(system: System) -> Sequence[psutil.Process]:
    return psutil.Process(system.running.pids[stack.POSTGRES]).children()


async def end_broker(system: System) -> None:
    """SIGKILL the broker."""
    os.kill(system.running.pids[stack.KAFKA], signal.SIGKILL)
    system.done["server ends"] += 1
    await system.died(stack.KAFKA)


async def start_broker(system: System, beside: Beside | None = None) -> None:
    """Start the broker again on the same data and port."""
    port = int(system.running.kafka.rpartition(":")[2])
    broker = await asyncio.to_thread(
        kafka.start,
        system.data / "kafka",
        system.data / "kafka.log",
        port=port,
        record=lambda started: system.running.note(stack.KAFKA, started),
        beside=beside,
    )
    assert broker.port == port, "the broker's port was taken meanwhile"
    state.write(system.data, system.running)


@asynccontextmanager
async def stopped_broker(system: System) -> AsyncIterator[None]:
    """Stop the broker for the length of the block: it accepts connections and answers nobody."""
    os.kill(system.running.pids[stack.KAFKA], signal.SIGSTOP)
    system.done["freezes"] += 1
    try:
        yield
    finally:
        os.kill(system.running.pids[stack.KAFKA], signal.SIGCONT)


async def kill_everything(system: System, *, broker: bool) -> None:
    """SIGKILL every process of every service and PostgreSQL at the same moment, and the broker if told so."""
    names = [name for name in system.running.living() if name not in (stack.POSTGRES, stack.KAFKA)]
    for name in names:
        os.kill(system.running.pids[name], signal.SIGKILL)
    system.done["kills"] += len(names)
    await end_postgres(system)
    if broker:
        await end_broker(system)
    for name in names:
        await system.died(name)
    if broker:
        await start_broker(system)
    await start_postgres(system)
    again(system, names)


def again(system: System, names: Sequence[str]) -> None:
    """Start processes that were killed; what only people need stays away."""
    for name in names:
        if name.partition("-")[0] in READERS:
            system.start(name)
        else:
            system.forget(name)


async def all_move_on(system: System, seconds: float) -> None:
    """Wait until every lane of every service has moved."""
    async with asyncio.TaskGroup() as group:
        for name in CONSUMERS:
            group.create_task(moves_on(system, name, seconds))


@asynccontextmanager
async def away_from_postgres(system: System, names: Sequence[str] = CONSUMERS) -> AsyncIterator[Proxy]:
    """Let these consumers reach PostgreSQL through a proxy, for the length of the block."""
    urls = system.running.database
    async with proxy.before(urlsplit(urls["admin"]).port or 0) as before:
        through = {name: _through(urls[name.partition("-")[0]], before.port) for name in names}
        async with _started_with(system, {name: {"MAKEGOOD_DATABASE": url} for name, url in through.items()}):
            yield before


def _through(url: str, port: int) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()


@asynccontextmanager
async def away_from_broker(system: System, names: Sequence[str] = CONSUMERS, **others: str) -> AsyncIterator[Proxy]:
    """Let these consumers reach the broker through a proxy, for the length of the block; the load goes straight to it."""
    own = processes.free_port()
    async with AsyncExitStack() as after:
        before = await after.enter_async_context(proxy.before(own))
        await end_broker(system)
        await start_broker(system, Beside(own, before.port))
        told = {"MAKEGOOD_KAFKA": f"127.0.0.1:{before.port}", **others}
        await after.enter_async_context(_started_with(system, dict.fromkeys(names, told)))
        yield before


@asynccontextmanager
async def _started_with(system: System, told: dict[str, dict[str, str]]) -> AsyncIterator[None]:
    """Start these processes anew, told so; and once more without, when the block has ended."""
    for each in (told, {name: dict[str, str]() for name in told}):
        for name, others in each.items():
            if name in system.running.living():
                await system.kill(name)
            system.start(name, **others)
        await asyncio.gather(*(system.ready(name) for name in each))
        if each is told:
            yield


@contextmanager
def small_file_system() -> Iterator[Path]:
    """A file system that is soon full; only root can make one."""
    folder = Path(tempfile.mkdtemp(prefix="makegood-small-", dir="/var/tmp"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={FILE_SYSTEM},mode=0777", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(folder)


@asynccontextmanager
async def kept_in(system: System, folder: Path) -> AsyncIterator[None]:
    """Keep the database's tables in this folder for the length of the block; nobody works meanwhile they move."""
    os.chown(folder, psutil.Process(system.running.pids[stack.POSTGRES]).uids().real, -1)
    await _move(system, f"CREATE TABLESPACE small LOCATION '{folder}'", "small")
    try:
        yield
    finally:
        await _move(system, "CHECKPOINT", "pg_default")
        async with _aside(system) as database:
            await database.execute("DROP TABLESPACE small")


async def _move(system: System, first: str, to: str) -> None:
    services = [name for name in system.running.living() if name not in (stack.POSTGRES, stack.KAFKA)]
    for name in services:
        await system.kill(name)
    async with _aside(system) as database:
        await database.execute(first)
        await database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", stack.DATABASE)
        await database.execute(f'ALTER DATABASE "{stack.DATABASE}" SET TABLESPACE {to}')
    again(system, services)
    await asyncio.gather(*(system.ready(name) for name in CONSUMERS))


@asynccontextmanager
async def _aside(system: System) -> AsyncIterator[Any]:
    """A connection to another database of the server."""
    connection = await asyncpg.connect(urlsplit(system.running.database["admin"])._replace(path="/postgres").geturl())
    try:
        yield connection
    finally:
        await connection.close()


def fill(folder: Path) -> Path:
    """Fill a file system to its last page; returns the file to remove so that there is room again."""
    ballast, found = folder / "ballast", os.statvfs(folder)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize)
    return ballast


async def tells(system: System, what: str) -> bool:
    """Whether PostgreSQL's log tells something."""
    return what in await asyncio.to_thread((system.data / "postgres.log").read_text, errors="replace")


@asynccontextmanager
async def crowded(system: System) -> AsyncIterator[None]:
    """Let whoever is not an administrator have no connection that is not open already, for the length of the block."""
    async with _aside(system) as database:
        roles = [service.name for service in programs.SERVICES]
        for role in roles:
            await database.execute(f'ALTER ROLE "{role}" CONNECTION LIMIT 0')
        try:
            yield
        finally:
            for role in roles:
                await database.execute(f'ALTER ROLE "{role}" CONNECTION LIMIT -1')
