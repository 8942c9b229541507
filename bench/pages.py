"""What the workbench's pages are like with very many open cases: how long the first takes, and five hundred that go on by themselves."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

import httpx2

from bench.latency import quantile
from bench.stack import Say
from bench.timeline import milliseconds
from bench.watch import Watch
from contracts.roles import Role
from deploy.local.state import State
from services.cli.client import Client

PEOPLE: Final = ("promoter", "lead", "director", "auditor")
"""Of the local stack's sign-in."""
ROUNDS: Final = 100
VIEWERS: Final = 500
_PATIENCE: Final = 60.0
_AT_ONCE: Final = 25
"""Pages that are opened at a time."""


async def measure(running: State, watch: Watch, say: Say, case: str) -> dict[str, Any]:
    """How long pages take for people of every role, and how soon all who look at a case hear of an act."""
    found: dict[str, Any] = {}
    for person in PEOPLE:
        async with _signed_in(running, person) as browser:

            async def first(browser: httpx2.AsyncClient = browser) -> None:
                (await browser.get("/")).raise_for_status()

            taken = await milliseconds(first, ROUNDS)
            found |= {f"page_first_{person}_p50_ms": quantile(taken, 0.5), f"page_first_{person}_p95_ms": quantile(taken, 0.95)}
            say(f"first page of the {person}: p50 {quantile(taken, 0.5):.1f} ms, p95 {quantile(taken, 0.95):.1f} ms")
    return found | await _viewed(running, watch, say, case)


async def _viewed(running: State, watch: Watch, say: Say, case: str) -> dict[str, Any]:
    """Open a case's stream so often, do one act, and wait until everybody has heard of it."""
    async with _signed_in(running, PEOPLE[0]) as browser:
        with Client(running, "viewed", [Role.AGENT]) as person:
            read = person.call("GET", "recovery", f"/v1/cases/{case}")
            before, ready, opening = watch.look(), asyncio.Semaphore(0), asyncio.Semaphore(_AT_ONCE)
            address = f"/cases/{case}/live?customer={read.json()['customer']}&after={read.json()['version']}%7C"
            viewers = [asyncio.create_task(_view(browser, address, opening, ready)) for _ in range(VIEWERS)]
            for _ in range(VIEWERS):
                await asyncio.wait_for(ready.acquire(), _PATIENCE)
            began = time.perf_counter()
            headers = {"If-Match": read.headers["ETag"], "Idempotency-Key": str(uuid4())}
            await asyncio.to_thread(person.call, "POST", "recovery", f"/v1/cases/{case}/notes", headers=headers, json={"text": "x"})
        heard = [each - began for each in await asyncio.wait_for(asyncio.gather(*viewers), _PATIENCE)]
    used = watch.look().since(before)
    say(f"{len(heard)} viewers heard of an act: half within {quantile(heard, 0.5):.2f} s, all within {max(heard):.2f} s")
    found = {"viewers": len(heard), "viewers_p50_s": quantile(heard, 0.5), "viewers_all_s": max(heard)}
    return found | {"viewers_cpu_s": used, "viewers_rss_mib": {name: watch.peak[name] for name in ("workbench-api", "recovery-api")}}


async def _view(browser: httpx2.AsyncClient, address: str, opening: asyncio.Semaphore, ready: asyncio.Semaphore) -> float:
    """Watch, and say when news came."""
    async with opening:
        stream = browser.stream("GET", address, timeout=_PATIENCE)
        answer = await stream.__aenter__()
    try:
        async for line in answer.aiter_lines():
            if line.startswith("id: "):
                ready.release()
            if line.startswith("data: "):
                return time.perf_counter()
    finally:
        await stream.__aexit__(None, None, None)
    message = "a stream ended before there was news"
    raise AssertionError(message)


@asynccontextmanager
async def _signed_in(running: State, person: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser in which somebody has signed in; its cookie is for https alone, so that over loopback it is sent by hand."""
    async with httpx2.AsyncClient(base_url=running.apis["workbench"], limits=httpx2.Limits(), timeout=_PATIENCE) as browser:
        away = await browser.get("/sign-in/begin")
        secret = away.headers["set-cookie"].partition(";")[0]
        asked = dict(httpx2.URL(away.headers["location"]).params)
        chosen = await browser.post(f"{running.health['identity']}/authorize", data=asked | {"person": person})
        done = await browser.get(chosen.headers["location"], headers={"Cookie": secret})
        browser.cookies.clear()
        browser.headers["Cookie"] = done.headers["set-cookie"].partition(";")[0]
        yield browser
