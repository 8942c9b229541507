"""The benchmark's own system: fresh, on the live clock, durable, its promises published; and its processes in profile."""

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from bench.counters import PROMISES
from bench.latency import JOURNEY
from deploy.local import stack
from deploy.local.programs import SERVICES, Service
from deploy.local.state import State
from services.cli.publish import publish_to

DOCUMENTS = Path(__file__).with_name("promises.yaml")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Profiled(Service):
    """A service one of whose processes runs under `bench.profiled`."""

    role: str = ""
    folder: str = ""

    def argv(self, role: str) -> tuple[str, ...]:
        """The command line, the profiler before the module where it is the profiled role."""
        python, *rest = Service.argv(self, role)
        if role != self.role:
            return (python, *rest)
        return (python, "-m", "bench.profiled", self.folder, self.module, role)


@contextmanager
def fresh(data: Path, say: Say, profile: str | None = None) -> Iterator[State]:
    """A system without a past; whatever happens, nothing is left running."""
    remove(data, say)
    services = tuple(_profiled(each, profile, data.parent) if profile else each for each in SERVICES)
    running = stack.up(data, "live", say, services)
    try:
        yield running
    finally:
        stack.down(data, say)


def remove(data: Path, say: Say) -> None:
    """Stop what an interrupted run left, and remove its data."""
    stack.down(data, say)
    note = data / "postgres" / "elsewhere"
    if note.exists():
        shutil.rmtree(note.read_text().strip(), ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)


def _profiled(service: Service, profile: str, folder: Path) -> Service:
    name, _, role = profile.partition("-")
    if service.name != name:
        return service
    return Profiled(service.name, service.module, service.roles, service.live, role=role, folder=str(folder))


def profile_path(data: Path, profile: str) -> Path:
    """Where the profile of a process is written."""
    return data.parent / f"{profile}.txt"


def tell_profiled(running: State, profile: str | None, number: signal.Signals) -> None:
    """Let the profile begin (SIGUSR1) or end (SIGUSR2)."""
    if profile is not None:
        psutil.Process(running.pids[profile]).send_signal(number)


def publish(running: State) -> None:
    """Publish the benchmark's promises; nothing was judged yet, so they are in force from the beginning."""
    publish_to(running, [DOCUMENTS])


async def stamp_by_broker(kafka: str) -> None:
    """Let the broker stamp what journey and promises publish, so that both ends of a latency are by one clock."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        settings = {"message.timestamp.type": "LogAppendTime"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, settings) for name in (JOURNEY, PROMISES)])
    finally:
        await admin.close()
