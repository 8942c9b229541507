"""The whole system on one machine: Kafka, PostgreSQL and the services, up and down.

One data folder carries one stack; folders share nothing, so any number of them run side by side. Nothing is told to
end but the processes noted in the folder's `state.json`.
"""

import asyncio
import fcntl
import shutil
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy import topics
from deploy.errors import StackError
from deploy.local import issuer, kafka, postgres, processes, programs, state
from deploy.local.processes import Command, Say, Started
from deploy.local.programs import API, IDENTITY, SERVICES, WORKBENCH, Service, Surroundings
from deploy.local.state import State

DATABASE = "makegood"
DRAIN_SECONDS = 10
KAFKA = "kafka"
POSTGRES = "postgres"
STORED = (POSTGRES, KAFKA, "logs")


class AlreadyUpError(StackError):
    """A stack runs on this data folder already."""

    def __init__(self, data: Path, running: State) -> None:
        """Say on which clock, and how to stop it."""
        super().__init__(f"it is up already, on the {running.clock} clock with its data in {data}. `makegood down` stops it.")


def up(data: Path, clock: str, say: Say, services: Sequence[Service] = SERVICES) -> State:
    """Start everything on a data folder and wait until it is ready; whatever fails, nothing is left running."""
    data = data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    with _alone(data):
        _refuse_if_up(data, say)
        state.settle_clock(data, clock)
        starting = _Starting(data, State(clock), say)
        try:
            _start_servers(starting)
            _start_services(starting, services)
        except BaseException:
            with _uninterrupted():
                say("stopping what was started")
                _stop(data, starting.state)
            raise
        starting.state.ready = True
        state.write(data, starting.state)
        return starting.state


def down(data: Path, say: Say) -> bool:
    """Stop what was started on a data folder; False when nothing was."""
    data = data.resolve()
    if not data.is_dir():
        return False
    with _alone(data):
        running = state.read(data)
        if running is None:
            return False
        with _uninterrupted():
            say(f"stopping {', '.join(running.living()) or 'nothing: all of it had ended'}")
            _stop(data, running)
        return True


def start_again(data: Path, running: State, name: str) -> None:
    """Start a service's process that has ended, as it was started before; return before it is ready."""
    service, _, role = name.partition("-")
    around = surroundings(data, running)
    port = int(running.health[name].rpartition(":")[2])
    command = programs.command(next(each for each in SERVICES if each.name == service), role, around, port)
    with _alone(data):
        running.note(name, processes.spawn(command))
        state.write(data, running)


def surroundings(data: Path, running: State) -> Surroundings:
    """What the processes of a running stack are told."""
    public = Path(running.keys) / issuer.PUBLIC
    return Surroundings(
        running.clock, running.kafka, running.database, public, data / "logs", running.apis, running.health.get(IDENTITY, "")
    )


def wipe(data: Path) -> None:
    """Remove what a stopped stack has stored; its keys, passwords and ports stay."""
    data = data.resolve()
    if not data.is_dir():
        return
    with _alone(data):
        if state.read(data) is not None:
            raise StackError(f"a stack runs on {data}; stop it first (`makegood down`)")
        for name in STORED:
            shutil.rmtree(data / name, ignore_errors=True)
        (data / "settings.json").unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Starting:
    """A stack while it starts."""

    data: Path
    state: State
    say: Say

    def record(self, name: str, started: Started) -> None:
        self.state.note(name, started)
        state.write(self.data, self.state)


def _refuse_if_up(data: Path, say: Say) -> None:
    """Refuse a second start; what is left of a stack that lost a part is stopped first."""
    running = state.read(data)
    if running is None:
        return
    living = running.living()
    if running.ready and living and not running.dead():
        raise AlreadyUpError(data, running)
    if living:
        lost = ", ".join(running.dead()) or "its starter"
        say(f"a stack that lost {lost} is still here; stopping {', '.join(living)}")
    _stop(data, running)


def _start_servers(starting: _Starting) -> None:
    data, now = starting.data, starting.state
    before = state.ports(data)
    now.keys = str(issuer.ensure_keys(data / "keys").parent)
    starting.say("starting PostgreSQL")
    names = tuple(service.name for service in SERVICES)
    roles = postgres.with_owners(names)
    server = postgres.start(
        data / "postgres",
        data / "postgres.log",
        state.passwords(data, roles),
        port=before.get(POSTGRES),
        record=lambda started: starting.record(POSTGRES, started),
    )
    postgres.prepare_now(server, DATABASE, names)
    now.database = {role: server.url(role, DATABASE) for role in roles} | {"admin": server.url(database=DATABASE)}
    starting.say("starting Kafka")
    broker = kafka.start(
        data / "kafka",
        data / "kafka.log",
        port=before.get(KAFKA),
        say=starting.say,
        record=lambda started: starting.record(KAFKA, started),
    )
    now.kafka = broker.bootstrap
    starting.say("making the topics")
    asyncio.run(topics.create(broker.bootstrap, topics.read(), now.clock))
    state.keep_ports(data, before | {KAFKA: broker.port, POSTGRES: server.port})
    state.write(data, now)


def _start_services(starting: _Starting, services: Sequence[Service]) -> None:
    data, now = starting.data, starting.state
    logs = data / "logs"
    logs.mkdir(exist_ok=True)
    runs = [(each, role) for each in services for role in each.roles_on(now.clock)]
    ports = _ports(data, [IDENTITY, *(f"{service.name}-{role}" for service, role in runs)])
    at = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    now.apis = {service.name: at[f"{service.name}-{role}"] for service, role in runs if role == API}
    now.health = {IDENTITY: at[IDENTITY]} if WORKBENCH in now.apis else {}
    around = surroundings(data, now)
    starting.say("preparing the services' tables")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda service: programs.migrate(service, around), services))
    commands = [programs.command(service, role, around, ports[f"{service.name}-{role}"]) for service, role in runs]
    if WORKBENCH in now.apis:
        commands.insert(0, programs.identity(around, ports[IDENTITY]))
    started: dict[str, tuple[Command, Started, int]] = {}
    for command in commands:
        starting.say(f"starting {command.name}")
        started[command.name] = (command, process := processes.spawn(command), ports[command.name])
        now.health[command.name] = at[command.name]
        starting.record(command.name, process)
    starting.say("waiting until all are ready")
    programs.wait_ready(started)


def _ports(data: Path, names: Sequence[str]) -> dict[str, int]:
    """Choose a port for each process before any of them starts: they are told each other's addresses."""
    ports = state.ports(data)
    for name in names:
        ports[name] = _own_port(ports, name)
    state.keep_ports(data, ports)
    return ports


def _own_port(ports: dict[str, int], name: str) -> int:
    """Choose a port that no other process of this stack was given: they listen on theirs a moment later."""
    others = {port for other, port in ports.items() if other != name}
    port = processes.free_port(ports.get(name))
    while port in others:
        port = processes.free_port()
    return port


def _stop(data: Path, running: State) -> None:
    """End services first, so that they can finish what they hold; then the servers below them."""
    services = [name for name in running.pids if name not in {KAFKA, POSTGRES}]
    processes.stop([running.started(name) for name in services], DRAIN_SECONDS)
    if KAFKA in running.pids:
        kafka.stop(running.started(KAFKA))
    if POSTGRES in running.pids:
        postgres.stop(running.started(POSTGRES))
    state.forget(data)


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Keep two commands from starting and stopping the same stack at once."""
    with (data / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"another command is starting or stopping the stack in {data}; wait for it") from None
        yield


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let no second Ctrl-C leave processes behind while the first one is being obeyed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
