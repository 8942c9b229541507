"""What is too much, too slow or too often is refused by its name, and whoever stays within is not."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from services.chassis.http import create_app, serve
from services.chassis.rates import MOST_BUCKETS, Rates
from services.chassis.settings import Settings
from services.journey import api as journey
from services.promises import api as promises
from services.recovery import api as recovery
from tests.chassis.test_http_serving import free_port
from tests.serving import in_front_of

HEADERS, BODY, STALL = 0.3, 0.6, 0.6
PATIENCE = 20


class Body(BaseModel):
    words: dict[str, Any]


def _router() -> APIRouter:
    router = APIRouter()

    @router.post("/body", operation_id="body")
    async def body(body: Body) -> dict[str, int]:
        return {"words": len(body.words)}

    @router.post("/unread", operation_id="unread")
    async def unread() -> str:
        return "done"

    @router.get("/large", operation_id="large")
    async def large() -> PlainTextResponse:
        return PlainTextResponse("x" * 30_000_000)

    return router


def _settings(**changed: Any) -> Settings:
    return Settings(
        kafka="", database="postgresql://u:p@127.0.0.1:1/d", headers_within=HEADERS, body_within=BODY, stalled_for=STALL, **changed
    )


ACCESS = dict.fromkeys(("body", "unread", "large"), frozenset({"public"}))


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    settings = _settings(http_port=free_port())
    app = create_app("test", settings, [_router()], access=ACCESS)
    served = asyncio.create_task(serve(app, settings))
    async with asyncio.timeout(PATIENCE):
        while not await _listens(settings.http_port):  # noqa: ASYNC110 - a socket that listens tells nobody
            await asyncio.sleep(0.01)
    yield settings.http_port
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(served, PATIENCE)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def said(port: int, *pieces: bytes, every: float = 0.0, most: int = 1000) -> bytes:
    """What a server answers to pieces that come one after another for as long as it listens."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send() -> None:
        for number in range(most):
            writer.write(pieces[min(number, len(pieces) - 1)])
            await writer.drain()
            await asyncio.sleep(every)

    sending = asyncio.create_task(send())
    answer = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while piece := await reader.read(65536):
                answer += piece
    except ConnectionResetError:
        pass
    finally:
        sending.cancel()
        await asyncio.wait({sending})
        writer.close()
    return answer


def slug(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer
    text = body[body.index(b"{") : body.rindex(b"}") + 1]
    return int(head.split()[1]), json.loads(text)["type"].rpartition(":")[2]


async def test_headers_that_drip_are_cut_off(port: int) -> None:
    """Breaks where each new byte would begin the wait anew (slowloris)."""
    assert slug(await said(port, b"GET /large HTTP/1.1\r\n", b"x-a: b\r\n", every=0.02)) == (408, "too-slow")


async def test_who_says_nothing_is_let_go(port: int) -> None:
    assert slug(await said(port, b"", every=0.05)) == (408, "too-slow")


async def test_headers_that_drip_behind_a_whole_request_are_cut_off(port: int) -> None:
    whole = b"POST /unread HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"
    answer = await said(port, whole + b"GET /unr", b"x", every=0.02)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" in answer


async def test_a_body_that_drips_is_refused_and_its_connection_ends(port: int) -> None:
    head = b"POST /body HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n"
    assert slug(await said(port, head, b" ", every=0.02)) == (408, "too-slow")


async def test_a_body_that_nobody_reads_does_not_keep_its_connection(port: int) -> None:
    head = b"POST /unread HTTP/1.1\r\nhost: h\r\ncontent-length: 5000\r\n\r\n"
    assert (await said(port, head, b" ", every=0.02)).startswith(b"HTTP/1.1 200")


async def test_who_takes_nothing_of_an_answer_is_let_go(port: int) -> None:
    """Breaks where an answer that nobody reads is kept in memory for as long as they like."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET /large HTTP/1.1\r\nhost: h\r\n\r\n")
    await asyncio.sleep(STALL * 3)  # the wait itself is what is tried
    taken = 0
    async with asyncio.timeout(PATIENCE):
        try:
            while piece := await reader.read(1_000_000):
                taken += len(piece)
        except ConnectionResetError:
            pass
    assert taken < 30_000_000
    writer.close()


async def test_headers_that_are_too_large_are_refused_by_that_name(port: int) -> None:
    assert slug(await said(port, b"GET /large HTTP/1.1\r\nhost: h\r\nx-a: " + b"a" * 40_000, most=1)) == (431, "headers-too-large")


@pytest.mark.parametrize(
    "request_line",
    [b"GET / HTTP/x.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET /x\x00y HTTP/1.1\r\nhost: h\r\n\r\n",
     b"POST /body HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n", b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
     b"POST /body HTTP/1.1\r\nhost: h\r\ncontent-length: -1\r\n\r\n", b"GET / HTTP/1.1\r\nhost: h\r\n x: folded\r\nx y: z\r\n\r\n"],
)  # fmt: skip
async def test_what_is_no_request_is_a_problem_like_every_other(port: int, request_line: bytes) -> None:
    assert slug(await said(port, request_line, most=1)) == (400, "malformed-request")


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"a":' * 10_000, b'{"words": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"])
async def test_what_is_nested_without_end_is_the_clients_fault(body: bytes) -> None:
    async with in_front_of(create_app("test", _settings(), [_router()], access=ACCESS), {}) as client:
        answer = await client.post("/body", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}


async def test_who_asks_too_often_is_told_when_to_come_back_and_others_are_not() -> None:
    app = create_app("test", _settings(rate=0.5, burst=3), [_router()], access=ACCESS)
    async with in_front_of(app, {}) as client:
        answers = [await client.post("/unread") for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429]
        assert answers[-1].json()["type"] == "urn:makegood:problem:too-many-requests"
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
        assert not app.state.rates.take("somebody else")
        assert (await client.get("/healthz")).status_code == 200


def test_a_bucket_fills_as_time_goes_by_and_never_beyond_its_burst() -> None:
    now = [100.0]
    rates = Rates(2.0, 5, lambda: now[0])
    assert [rates.take("ana") for _ in range(6)] == [0, 0, 0, 0, 0, 0.5]
    now[0] += 0.5
    assert (rates.take("ana"), rates.take("ana")) == (0, 0.5)
    now[0] += 1000
    assert [rates.take("ana") for _ in range(6)] == [0, 0, 0, 0, 0, 0.5]
    assert [Rates(0, 1).take("ana") for _ in range(3)] == [0, 0, 0]


def test_as_many_names_as_somebody_makes_up_do_not_fill_the_memory() -> None:
    now = [100.0]
    rates = Rates(10.0, 1, lambda: now[0])
    for each in range(MOST_BUCKETS * 3):
        rates.take(f"made-up-{each}")
        now[0] += 0.001
    assert len(rates._full_at) <= MOST_BUCKETS


@pytest.mark.parametrize("service", [journey, promises, recovery], ids=lambda each: each.__name__)
def test_every_list_says_how_long_a_page_may_be(service: Any) -> None:
    """Breaks when somebody may ask for all of it at once."""
    for path, operations in service.openapi()["paths"].items():
        for each in operations.values():
            for parameter in each.get("parameters", []):
                if parameter["name"] == "limit":
                    assert parameter["schema"]["maximum"] <= 1000, path
