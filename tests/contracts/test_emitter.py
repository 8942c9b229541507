"""The client for emitters in front of a real API, Kafka and PostgreSQL; and the lines of docs/emitting.md, taken from there and run."""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from contracts.emitter import AsyncEmitter, EmitError, Emitter, InvalidTouchpointError, NotAllowedError, RefusedError, UnavailableError
from deploy.local import issuer
from services.chassis.cloudevents import decode
from services.chassis.database import create_engine
from services.chassis.relay import Relay
from services.journey import api
from services.journey.records import TOUCHPOINTS
from services.journey.settings import JourneySettings
from tests.driving import reading
from tests.serving import served, trusting

PAGE = (Path(__file__).parents[2] / "docs" / "emitting.md").read_text()


def lines(test: str) -> list[str]:
    """The lines of the page that are marked so."""
    return re.findall(rf"<!-- test: {test} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)


class Front(NamedTuple):
    """Journey's API as company systems see it."""

    address: str
    token: str
    kafka: str


@pytest.fixture
async def front(
    kafka: str, database: Callable[[str], Awaitable[str]], topics: Callable[..., Awaitable[None]], tmp_path: Path
) -> AsyncIterator[Front]:
    await topics("live")
    settings = trusting(JourneySettings(kafka=kafka, database=await database("journey")), tmp_path)
    engine, relay = create_engine(settings, "journey"), Relay(settings)
    async with served(api.build(settings, engine, relay)) as address:
        yield Front(address, issuer.token(tmp_path, subject="shop", name="Shop", roles=["system"]), kafka)
    await relay.close()
    await engine.dispose()


async def sent(front: Front) -> list[dict[str, Any]]:
    async with reading(front.kafka, TOUCHPOINTS) as all_now:
        return [orjson.loads(each.value) for each in await all_now()]


async def test_what_is_emitted_is_in_kafka_in_batches(front: Front) -> None:
    def work() -> None:
        with Emitter(front.address, source="shop", token=lambda: front.token, batch=40) as emitter:
            for number in range(100):
                emitter.emit("order.placed", subject="crm:1", id=f"e{number}", data={"n": number, "name": "Zoë"})

    await asyncio.to_thread(work)
    assert sorted(each["data"]["n"] for each in await sent(front)) == list(range(100))


async def test_the_same_said_again_has_the_same_id(front: Front) -> None:
    emitter = Emitter(front.address, source="shop", token=front.token)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    first, again, other = (emitter.touchpoint("a", subject="b", time=at, data={"n": each})["id"] for each in (1, 1, 2))
    assert first == again != other


async def test_what_is_refused_is_named_by_its_field_and_the_rest_is_accepted(front: Front) -> None:
    def work() -> RefusedError:
        emitter = Emitter(front.address, source="shop", token=front.token)
        emitter.emit("order.placed", subject="crm:1", id="good")
        emitter.emit("order.placed", subject="crm:1", id="old", time=datetime(2020, 1, 1, tzinfo=UTC))
        emitter.emit("makegood.tick", subject="crm:1", id="ours")
        emitter.emit("order.placed", subject="x" * 600, id="long")
        emitter.emit("order.placed", subject="crm:1", id="last")
        with pytest.raises(RefusedError) as raised:
            emitter.flush()
        assert emitter.flush() == 0
        emitter.close()
        return raised.value

    refused = await asyncio.to_thread(work)
    assert {each.event["id"]: each.field for each in refused.faults} == {"old": "time", "ours": "type", "long": "subject"}
    assert sorted(each["id"] for each in await sent(front)) == ["good", "last"]


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"subject": ""}, "subject"), ({"subject": None}, "subject"), ({"type": ""}, "type"), ({"time": datetime(2026, 3, 1)}, "time"),  # noqa: DTZ001 - that is what is wrong
        ({"data": {1, 2}}, "data"), ({"data": float("nan")}, "data"), ({"data": "\ud800"}, "data"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_told_at_once(attributes: dict[str, Any], field: str) -> None:
    emitter = Emitter("http://127.0.0.1:9", source="shop", token="t")
    given = {"type": "a", "subject": "b"} | attributes
    with pytest.raises(InvalidTouchpointError) as raised:
        emitter.emit(given.pop("type"), **given)
    assert raised.value.field == field


async def test_without_a_right_token_nothing_is_accepted_and_it_says_so(front: Front) -> None:
    def work() -> None:
        emitter = Emitter(front.address, source="shop", token="none")
        emitter.emit("order.placed", subject="crm:1")
        with pytest.raises(NotAllowedError):
            emitter.flush()
        emitter.close()

    await asyncio.to_thread(work)


async def test_asyncio_has_the_same(front: Front) -> None:
    async with AsyncEmitter(front.address, source="shop", token=front.token) as emitter:
        await asyncio.gather(*(emitter.emit("order.placed", subject="crm:1", id=f"e{number}") for number in range(20)))
        assert await emitter.flush() == 20
    assert len(await sent(front)) == 20


@contextmanager
def answering(*answers: tuple[int, dict[str, str]]) -> Iterator[tuple[str, list[bytes]]]:
    """Somebody who gives these answers, the last for ever, and hears what is sent."""
    heard: list[bytes] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers = answers[min(len(heard), len(answers)) - 1]
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_it_tries_again_when_it_is_asked_to_wait_with_the_same_ids() -> None:
    with answering((503, {"Retry-After": "0.1"}), (429, {"Retry-After": "soon"}), (502, {}), (202, {})) as (address, heard):
        with Emitter(address, source="shop", token="t") as emitter:
            emitter.emit("order.placed", subject="crm:1")
        assert len(heard) == 4
        assert len(set(heard)) == 1


def test_it_gives_up_in_time_and_keeps_what_was_not_accepted() -> None:
    with answering((503, {"Retry-After": "3600"}), (202, {})) as (address, heard):
        emitter = Emitter(address, source="shop", token="t", patience=1)
        emitter.emit("order.placed", subject="crm:1")
        with pytest.raises(UnavailableError):
            emitter.flush()
        assert emitter.flush() == 1
        assert heard[0] == heard[1]
        emitter.close()


def test_nobody_there_is_told_too() -> None:
    emitter = Emitter("http://127.0.0.1:9", source="shop", token="t", patience=0.1)
    emitter.emit("order.placed", subject="crm:1")
    with pytest.raises(EmitError):
        emitter.flush()


async def test_the_curl_line_of_the_page_is_accepted(front: Front) -> None:
    (line,) = lines("curl")
    assert shutil.which("curl"), "curl is not installed here"
    around = {**os.environ, "MAKEGOOD_URL": front.address, "MAKEGOOD_TOKEN": front.token, "no_proxy": "*"}
    done = await asyncio.to_thread(subprocess.run, ["sh", "-c", line], env=around, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, '{"accepted":1}'), done.stderr
    (event,) = await sent(front)
    assert (event["subject"], event["data"]) == ("crm:4711", {"order": "o1"})


async def test_the_python_lines_of_the_page_are_accepted(front: Front) -> None:
    (line,) = lines("python")
    await asyncio.to_thread(exec, line, {"url": front.address, "token": front.token})
    assert [each["id"] for each in await sent(front)] == ["o1-placed"]


@pytest.mark.parametrize("line", lines("kcat"))
def test_the_kcat_lines_of_the_page_say_events(line: str) -> None:
    """Breaks if what the page writes into Kafka were not what journey reads; kcat itself need not be installed."""
    words = shlex.split(line.replace("\\\n", " "))
    value = words[words.index("%s") + 1].encode()
    headers = [words[index + 1].partition("=") for index, word in enumerate(words) if word == "-H"]
    found = decode(value, [(name, content.encode()) for name, _, content in headers])
    assert (found.id, found.type, found.subject, found.attributes["data"]) == ("o1-placed", "order.placed", "crm:4711", {"order": "o1"})
    assert words[words.index("-t") + 1] == TOUCHPOINTS
