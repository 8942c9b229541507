"""Serving: a stopping process ends what is under way, then returns to whoever has more to close."""

import asyncio
import os
import signal
import socket

import httpx2
from fastapi import APIRouter

from services.chassis.http import create_app, serve
from services.chassis.settings import Settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def answers(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/healthz")).status_code == 200
    except httpx2.ConnectError:
        return False


async def test_a_request_under_way_ends_after_sigterm_and_serve_returns() -> None:
    """Breaks if the signal were raised again once the server has stopped: nothing behind `serve` would be closed."""
    entered, leave = asyncio.Event(), asyncio.Event()
    router = APIRouter()

    @router.get("/slow", operation_id="slow")
    async def slow() -> str:
        entered.set()
        await leave.wait()
        return "done"

    port = free_port()
    settings = Settings(kafka="127.0.0.1:1", database="postgresql://u:p@127.0.0.1:1/d", http_port=port)
    app = create_app("test", settings, [router], access={"slow": frozenset({"public"})})
    served = asyncio.create_task(serve(app, settings))
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        async with asyncio.timeout(20):
            while not await answers(client):  # noqa: ASYNC110 - a socket that listens tells nobody
                await asyncio.sleep(0)
        response = asyncio.create_task(client.get("/slow"))
        await entered.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        leave.set()
        assert (await response).json() == "done"
    await asyncio.wait_for(served, 20)
