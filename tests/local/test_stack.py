"""The local stack, with a stand-in for the services: what is started is told, kept and ended."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import httpx2
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy import topics
from deploy.errors import StackError
from deploy.local import stack, state
from deploy.local.processes import ProcessDiedError, Started
from deploy.local.programs import WORKBENCH, Service, ready
from deploy.local.state import State
from deploy.topics import Topic

ROOT = Path(__file__).parents[2]
FAKE = (Service("journey", "tests.local.fake_service"),)
TOPICS = [Topic("makegood.touchpoints", 2, raw=True), Topic("makegood.journey", 2, raw=False)]
UP = "from pathlib import Path; from deploy.local import stack; stack.up(Path({data!r}), 'live', print, ())"


@pytest.fixture
def data(servers: Path, numbers: Iterator[int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder of the test's own; whatever still runs on it afterwards is stopped."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(topics, "read", lambda: TOPICS)
    folder = servers / f"data-{next(numbers)}"
    yield folder
    for each in (folder, folder.with_suffix(".second")):
        stack.down(each, print)


def up(data: Path, services: tuple[Service, ...] = FAKE, clock: str = "live") -> State:
    return stack.up(data, clock, print, services)


def below(folder: Path) -> list[str]:
    """Return the command lines of all processes that have to do with a data folder."""
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline", "status"])
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(str(folder) in part for part in process.info["cmdline"] or [])
    ]


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


async def write(running: State, line: str) -> None:
    """Leave a line in both servers, acknowledged as durable."""
    connection = await asyncpg.connect(running.database["journey"])
    await connection.execute("INSERT INTO kept VALUES ($1)", line)
    await connection.close()
    async with AIOKafkaProducer(bootstrap_servers=running.kafka, acks="all") as producer:
        await producer.send_and_wait("makegood.touchpoints", line.encode(), partition=0)


async def read(running: State) -> tuple[list[str], list[str]]:
    connection = await asyncpg.connect(running.database["journey"])
    rows = [row["line"] for row in await connection.fetch("SELECT line FROM kept ORDER BY line")]
    await connection.close()
    consumer = AIOKafkaConsumer("makegood.touchpoints", bootstrap_servers=running.kafka, auto_offset_reset="earliest")
    async with consumer:
        records: list[str] = []
        while len(records) < len(rows):
            record = await consumer.getone()
            records.append((record.value or b"").decode())
    return rows, sorted(records)


async def test_up_answers_on_every_address_it_tells_and_down_leaves_no_process(data: Path) -> None:
    running = await asyncio.to_thread(up, data)
    assert sorted(running.pids) == ["journey-api", "journey-consume", "kafka", "postgres"]
    assert all(ready(int(address.rpartition(":")[2])) for address in (*running.apis.values(), *running.health.values()))
    await write(running, "a line")
    assert await read(running) == (["a line"], ["a line"])

    assert stack.down(data, print)

    assert running.living() == []
    assert below(data) == []
    assert state.read(data) is None
    assert not stack.down(data, print)


async def test_what_was_acknowledged_survives_a_kill_of_everything(data: Path) -> None:
    """Breaks if a server runs without durability, or if its remains keep it from starting again."""
    running = await asyncio.to_thread(up, data)
    await write(running, "before")
    for pid in running.pids.values():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not running.living())

    again = await asyncio.to_thread(up, data)

    await write(again, "later")
    assert await read(again) == (["before", "later"], ["before", "later"])
    assert (again.kafka, again.database) == (running.kafka, running.database)


def test_a_second_up_says_that_it_is_up_and_changes_nothing(data: Path) -> None:
    running = up(data)
    with pytest.raises(stack.AlreadyUpError, match="it is up already, on the live clock"):
        up(data)
    assert state.read(data) == running
    assert running.dead() == []


def test_up_after_a_part_was_lost_starts_the_whole_anew(data: Path) -> None:
    running = up(data)
    os.kill(running.pids["journey-consume"], signal.SIGKILL)
    wait_for(running.dead)
    again = up(data)
    assert running.living() == []
    assert again.dead() == []


def test_a_pid_that_now_belongs_to_another_process_is_not_ended(data: Path) -> None:
    """Breaks if `down` trusts a pid alone: after a reboot it may be anybody's."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        data.mkdir()
        stale = State("live")
        stale.note("kafka", Started(stranger.pid, Started.of(stranger.pid).created - 100))
        state.write(data, stale)
        assert stack.down(data, print)
        assert stranger.poll() is None
        stranger.kill()


async def test_two_stacks_run_side_by_side(data: Path) -> None:
    first = await asyncio.to_thread(up, data)
    second = await asyncio.to_thread(up, data.with_suffix(".second"), clock="replay")
    await write(first, "first")
    await write(second, "second")
    assert (await read(first), await read(second)) == ((["first"], ["first"]), (["second"], ["second"]))
    stack.down(data, print)
    assert second.dead() == []


async def test_whoever_people_sign_in_to_is_told_where_everybody_is_and_the_provider_sends_them_there(data: Path) -> None:
    """Breaks if the workbench of a stack is led to another one's APIs, or people are led back to where nobody listens."""
    with_pages = (*FAKE, Service(WORKBENCH, "tests.local.fake_service", ("api",), speaks_to=("journey",)))
    running = await asyncio.to_thread(up, data, with_pages)
    assert sorted(running.pids) == ["identity", "journey-api", "journey-consume", "kafka", "postgres", "workbench-api"]
    told = psutil.Process(running.pids["workbench-api"]).environ()
    assert told["MAKEGOOD_JOURNEY_URL"] == running.apis["journey"]
    assert told["MAKEGOOD_WORKBENCH_URL"] == running.apis["workbench"]
    asked = {"client_id": told["MAKEGOOD_OIDC_CLIENT"], "redirect_uri": f"{running.apis['workbench']}/sign-in/done"}
    answer = httpx2.get(f"{told['MAKEGOOD_OIDC_URL']}/authorize", params=asked)
    assert (answer.status_code, answer.headers["location"].startswith(asked["redirect_uri"])) == (303, True)

    stack.down(data, print)

    assert below(data) == []


def test_a_service_that_does_not_start_is_told_with_its_last_words_and_nothing_is_left(data: Path) -> None:
    dying = (Service("journey", "tests.local.fake_service", ("consume", "die")),)
    with pytest.raises(ProcessDiedError, match=r"journey-die ended while starting(?s:.*)the reason why"):
        up(data, dying)
    assert state.read(data) is None
    assert below(data) == []


@pytest.mark.parametrize("moment", ["postgres", "kafka"])
def test_an_interrupted_start_cleans_up(data: Path, moment: str) -> None:
    """Breaks if a process is started before `up` can be interrupted in order, or is not noted down at once."""
    with subprocess.Popen([sys.executable, "-c", UP.format(data=str(data))], stderr=subprocess.DEVNULL) as starting:
        wait_for(lambda: (running := state.read(data)) and moment in running.pids)
        starting.send_signal(signal.SIGINT)
        assert starting.wait(30) != 0
    assert state.read(data) is None
    assert below(data) == []


def test_a_start_that_was_killed_is_cleaned_up_by_down(data: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", UP.format(data=str(data))]) as starting:
        wait_for(lambda: (running := state.read(data)) and "kafka" in running.pids)
        starting.kill()
    stack.down(data, print)
    assert below(data) == []


def test_a_data_folder_stays_on_its_clock(data: Path) -> None:
    data.mkdir()
    state.settle_clock(data, "replay")
    with pytest.raises(StackError, match="made on the replay clock"):
        up(data)


def test_what_is_secret_can_be_read_by_its_owner_only(data: Path) -> None:
    up(data, ())
    for secret in ("state.json", "secrets.json", "keys/issuer.pem"):
        assert (data / secret).stat().st_mode & 0o077 == 0
