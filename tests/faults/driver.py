"""A live-clock system of the test's own, the load on it, and the faults that are done to its processes.

Nothing here judges: when all is quiet again, the oracle does.
"""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx2
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from ruamel.yaml import YAML

from deploy.local import issuer, processes, programs, stack, state
from deploy.local.programs import SERVICES, Service
from deploy.local.state import State
from tests.faults.orders import Plan

HERE: Final = Path(__file__).parent
DOCUMENTS: Final = (HERE / "promises.yaml", HERE.parents[1] / "promises" / "recovery.yaml")
TOUCHPOINTS: Final = "makegood.touchpoints"
STRUCTURED: Final = [("content-type", b"application/cloudevents+json")]
MADE_TO_BE_REFUSED: Final = ("made", b"to be refused")
"""The header by which the oracle knows a record that nobody can take; the product knows nothing of it."""
PARTITIONS: Final = {TOUCHPOINTS: 6, "makegood.acts": 2, "makegood.journey": 6, "makegood.promises": 6, "makegood.recovery": 6}
READERS: Final = {
    "journey": (TOUCHPOINTS, "makegood.acts", "makegood.promises", "makegood.recovery"),
    "promises": ("makegood.journey",),
    "recovery": ("makegood.promises",),
}
EFFECTS: Final = (
    "SELECT count(*) FROM journey.journal",
    "SELECT sum(number) FROM journey.facts",
    "SELECT count(*) FROM journey.quarantine",
    "SELECT sum(last - first + 1) FROM promises.outbox",
    "SELECT count(*) FROM recovery.outbox",
)
LONGEST: Final = 6.5
"""Seconds from an order's last event until nothing about it is due any more."""
SESSION: Final = 6.0
"""The shortest session that the broker allows."""
ENVIRONMENT: Final = {"MAKEGOOD_SESSION_TIMEOUT": str(SESSION), "MAKEGOOD_LOG_LEVEL": "INFO"}
KILLED: Final = 137
POLL: Final = 0.02


class NotInTimeError(AssertionError):
    """Something that was waited for did not happen."""


async def until(condition: Callable[[], Awaitable[object]], what: str, seconds: float = 60, poll: float = POLL) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            raise NotInTimeError(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(poll)


@dataclass(slots=True)
class System:
    """The running system. Processes are known by name: `journey-consume`, and `journey-consume-2` for a second one."""

    data: Path
    running: State
    done: Counter[str] = field(default_factory=Counter)
    """How many kills, freezes and the like there were since the oracle looked last."""
    seen: int = 0
    """How many raw records there were when it did."""

    def start(self, name: str, crash_at: str = "", bug: str = "", **others: str) -> None:
        """Start a service's process, one that dies at a crash point or has a bug if told so; returns before it is ready."""
        service_name, role, *_ = name.split("-")
        service = next(each for each in SERVICES if each.name == service_name)
        command = programs.command(service, role, stack.surroundings(self.data, self.running), processes.free_port())
        environment = {**command.environment, **ENVIRONMENT, "MAKEGOOD_CRASH_AT": crash_at, **others}
        argv = (sys.executable, "-m", "tests.faults.seeded", bug, service_name, role) if bug else command.argv
        started = processes.spawn(processes.Command(name, argv, self.data / "logs" / f"{name}.log", environment))
        self.running.note(name, started)
        self.running.health[name] = f"http://127.0.0.1:{environment['MAKEGOOD_HTTP_PORT']}"
        state.write(self.data, self.running)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Stop (SIGSTOP) or continue (SIGCONT) a process."""
        assert self.running.started(name).process() is not None, f"{name} has ended"
        os.kill(self.running.pids[name], number)
        self.done["freezes"] += number == signal.SIGSTOP

    async def died(self, name: str, seconds: float = 60) -> int:
        """Wait until a process of ours has ended; returns its exit code, or minus the signal that ended it."""
        pid = self.running.pids[name]
        code: int | None = None

        async def gone() -> bool:
            nonlocal code
            found, status = os.waitpid(pid, os.WNOHANG)  # noqa: ASYNC222  (it does not wait)
            if found:
                code = os.waitstatus_to_exitcode(status)
            return bool(found)

        await until(gone, f"the end of {name}", seconds)
        assert code is not None
        return code

    async def kill(self, name: str) -> None:
        """End a process at once, and wait until it is gone."""
        os.kill(self.running.pids[name], signal.SIGKILL)
        self.done["kills"] += 1
        await self.died(name)

    async def ready(self, name: str, seconds: float = 60) -> None:
        """Wait until a process is in its group and its lanes are open."""
        port = int(self.running.health[name].rpartition(":")[2])

        async def answers() -> bool:
            return await asyncio.to_thread(programs.ready, port)

        await until(answers, f"{name} is ready", seconds)

    async def restart(self, name: str, **others: str) -> None:
        """Start a process that was killed, and wait until it is ready."""
        self.start(name, **others)
        await self.ready(name)

    def forget(self, name: str) -> None:
        """Take a process that has ended out of the system."""
        for known in (self.running.pids, self.running.created, self.running.health):
            known.pop(name, None)
        state.write(self.data, self.running)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Any]:
        """A connection that sees every service's schema."""
        connection = await asyncpg.connect(self.running.database["admin"])
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def load(self, plan: Plan) -> AsyncIterator[None]:
        """Send a plan's records, each at its time, for as long as the block runs; at its end Kafka has acknowledged them."""
        playing = asyncio.create_task(self._play(plan, stop := asyncio.Event()))
        try:
            yield
        finally:
            stop.set()
            await playing

    async def play(self, plan: Plan) -> None:
        """Send a plan's records, each at its time, to the last."""
        await self._play(plan, asyncio.Event())

    async def burst(self, plan: Plan) -> None:
        """Send a plan's records at once, as if they had been under way since each happened."""
        start = time.time_ns() // 1_000_000 - max(each.at for each in plan)
        await self._play(plan, asyncio.Event(), start)

    async def _play(self, plan: Plan, stop: asyncio.Event, start: int | None = None) -> None:
        start = start or time.time_ns() // 1_000_000
        async with producer(self.running.kafka) as to:
            sent = []
            for each in plan:
                ahead = start + each.at - time.time_ns() // 1_000_000
                if ahead > 0:
                    await asyncio.sleep(ahead / 1000)
                if stop.is_set():
                    break
                sent.append(await to.send(TOUCHPOINTS, each.value(start), partition=each.lane, headers=STRUCTURED))
            await asyncio.gather(*sent)

    async def quiet(self, seconds: float = 90) -> None:
        """Wait until everything sent is judged, nothing is due, and what followed from it has come round."""
        last = time.time() + LONGEST
        async with self.database() as database:

            async def all_due() -> bool:
                barrier = await database.fetchval("SELECT extract(epoch FROM min(arrival)) FROM promises.progress")
                return barrier is not None and float(barrier) > last

            await until(all_due, "the barrier passes all that is due", seconds)
            before: list[int] = []
            while before != (before := await self._after_reading_all(database, seconds)):
                pass

    async def _after_reading_all(self, database: Any, seconds: float) -> list[int]:
        """Wait until all that is in Kafka now has been read; returns how many effects there are then.

        The same number again, and all is at rest.
        """
        ends = await self._ends()
        one = "SELECT '{0}', topic, partition, position, ordinal - published FROM {0}.progress"
        query = " UNION ALL ".join(one.format(name) for name in READERS)

        async def read() -> bool:
            rows = {(name, topic, partition): (position, left) for name, topic, partition, position, left in await database.fetch(query)}
            wanted = [(name, topic) for name, topics in READERS.items() for topic in topics]
            behind = [
                (name, topic, partition)
                for name, topic in wanted
                for (of, partition), end in ends.items()
                if of == topic and rows.get((name, topic, partition), (0, 0))[0] < end
            ]
            return not behind and not any(left for _, left in rows.values())

        await until(read, "everything is read and published", seconds)
        return [int(await database.fetchval(query) or 0) for query in EFFECTS]

    async def _ends(self) -> dict[tuple[str, int], int]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self.running.kafka)
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, each) for topic, number in PARTITIONS.items() for each in range(number)]
            return {(each.topic, each.partition): end for each, end in (await consumer.end_offsets(partitions)).items()}
        finally:
            await consumer.stop()


@asynccontextmanager
async def producer(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    """A company system that writes straight to Kafka."""
    sending = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await sending.start()
    try:
        yield sending
    finally:
        await sending.stop()


@contextmanager
def system(services: Sequence[Service] = SERVICES) -> Iterator[System]:
    """A system of the test's own with its promises published; at the end nothing of it is left."""
    data = Path(tempfile.mkdtemp(prefix="makegood-faults-"))
    data.chmod(0o711)  # PostgreSQL's user must be able to pass
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    try:
        running = System(data, stack.up(data, "live", print, services))
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    try:
        publish(running.running)
        yield running
    finally:
        _down(running)


def _down(system: System) -> None:
    """Stop everything; processes that were stopped go on first, so that they can end in order."""
    for name in system.running.living():
        os.kill(system.running.pids[name], signal.SIGCONT)
    stack.down(system.data, print)
    note = system.data / "postgres" / "elsewhere"
    if note.exists():
        shutil.rmtree(note.read_text().strip(), ignore_errors=True)
    shutil.rmtree(system.data)


def publish(running: State) -> None:
    """Publish the promises; nothing was judged yet, so they are in force from the beginning."""
    bearer = issuer.token(Path(running.keys), subject="faults", name="faults", roles=["manager"])
    with httpx2.Client(base_url=running.apis["promises"], headers={"authorization": f"Bearer {bearer}"}) as client:
        for path in DOCUMENTS:
            for document in YAML(typ="safe").load_all(path.read_text()):
                if document["kind"] == "Promise":
                    client.post("/v1/promises", json=_plain(_longer(document))).raise_for_status()


def _longer(document: Any) -> Any:
    """Nothing of what recovery owes inside the company falls due or is warned of while the oracle reads."""
    if document["metadata"]["owner"] == "recovery":
        document["spec"].pop("warn", None)
    if document["metadata"]["name"] == "case-owned":
        document["spec"]["response"]["within"] = "24 hours"
    return document


def _plain(value: object) -> object:
    """YAML's dates as text, as JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
