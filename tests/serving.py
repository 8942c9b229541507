"""Somebody in front of a service's API, with a token of the local stack's own issuer."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import uvicorn
from fastapi import FastAPI

from deploy.local import issuer, processes
from services.chassis.settings import Settings

S = TypeVar("S", bound=Settings)
PROBLEM = "application/problem+json"


def trusting(settings: S, keys: Path) -> S:
    """Settings of a service that takes the tokens of an issuer whose keys lie in this folder."""
    jwks = issuer.ensure_keys(keys)
    return settings.model_copy(update={"jwks": jwks, "issuer": issuer.ISSUER, "audience": issuer.AUDIENCE})


def bearer(keys: Path, *roles: str, subject: str = "ana") -> dict[str, str]:
    """What somebody with these roles sends along."""
    return {"authorization": f"Bearer {issuer.token(keys, subject=subject, name=subject.capitalize(), roles=roles)}"}


@asynccontextmanager
async def in_front_of(app: FastAPI, headers: Mapping[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application; an exception in it is a 500, as for everybody."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://makegood", headers=dict(headers)) as client:
        yield client


def said(response: httpx2.Response) -> dict[str, Any]:
    """The problem of an answer, which has to be one."""
    assert response.headers["content-type"] == PROBLEM
    problem: dict[str, Any] = response.json()
    assert problem["status"] == response.status_code
    return problem


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """An application on a port of loopback; its address."""
    port = processes.free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None))
    work = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 - it tells nobody that it listens
            await asyncio.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await work


async def blocks_of(answer: httpx2.Response) -> AsyncIterator[dict[str, str]]:
    """Everything told by server-sent events, blocks without data too."""
    block: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            block[name] = value
        elif block:
            yield block
            block = {}
