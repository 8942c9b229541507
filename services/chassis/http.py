"""The HTTP side of every service: one way to build the application, to serve it, and to say alive and ready."""

import asyncio
import math
import re
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import uvicorn
from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.chassis.access import Gate, OperationWithoutAccessError, Table, authorize
from services.chassis.instants import text_of
from services.chassis.preconditions import REQUIRED_HEADERS
from services.chassis.problems import MEDIA_TYPE, TOO_LARGE, TOO_SLOW, UNAVAILABLE, Fault, Kind, Problem, ProblemDocument, install
from services.chassis.rates import Rates
from services.chassis.serving import patient
from services.chassis.settings import Settings
from services.chassis.tokens import Checker, Keys, KeysAtAddress, KeysInFile

_LAST = {"Connection": "close"}
BODY_LIMIT_BYTES = 64 * 1024
CHECK_SECONDS = 2.0
GOOD_SECONDS = 3.0
"""For so long it is not asked again whether everything is there."""
BAD_SECONDS = 0.5
"""Nor what is missing; shorter, since somebody waits for it."""
OF_OTHERS = {"database": "its database", "kafka": "its broker"}
"""Checks whose failing is no fault of the process that was asked."""

Check = Callable[[], Awaitable[str | None]]
"""Answers what is missing, or None."""
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    title: str,
    settings: Settings,
    routers: Sequence[APIRouter],
    *,
    access: Table,
    lifespan: Lifespan | None = None,
    checks: Mapping[str, Check] | None = None,
    problems: Mapping[type[Exception], Kind] | None = None,
    refusals: Mapping[str, str] | None = None,
    body_limit: int = BODY_LIMIT_BYTES,
    larger: Mapping[str, int] | None = None,
) -> FastAPI:
    """One service's application.

    Every operation needs an id with a row in `access`; `problems` says which kind of problem each exception of the
    service's own is; `refusals` says why where a role is not enough for an operation; `checks` are what readiness
    depends on; a body beyond `body_limit` bytes is refused as it comes; `larger` are the limits of paths (regular
    expressions) that take files.
    """
    app = _Application(
        title=f"Makegood: {title}",
        version="v1",
        lifespan=lifespan,
        middleware=[Middleware(_BodyLimit, limit=body_limit, larger=larger or {}, within=settings.body_within)],
        telemetry={"operation_spans": False, "exclude": _is_health},
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={"default": {"model": ProblemDocument, "description": "What went wrong (RFC 9457)"}},
    )
    _require_rows(routers, access)
    app.state.leaving = asyncio.Event()
    app.state.gate = Gate(_checker(settings), access, refusals or {})
    app.state.rates = Rates(settings.rate, settings.burst)
    for router in routers:
        app.include_router(router, dependencies=[Depends(authorize)])
    app.include_router(_health(checks or {}))
    install(app, problems or {})
    return app


def _checker(settings: Settings) -> Checker | None:
    keys: Keys | None = KeysAtAddress(settings.jwks_url) if settings.jwks_url else None
    keys = KeysInFile(settings.jwks) if settings.jwks else keys
    return Checker(keys, settings.issuer, settings.audience) if keys else None


class _BodyLimit:
    """Counts the bytes of a body, and the seconds it takes, as it comes. FastAPI's own limit would answer plain text, not a problem."""

    def __init__(self, app: ASGIApp, limit: int, larger: Mapping[str, int], within: float) -> None:
        self._app = app
        self._limit = limit
        self._within = within
        self._larger = {re.compile(path): most for path, most in larger.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received, whole, deadline = 0, False, asyncio.get_running_loop().time() + self._within
        path = scope.get("path", "")
        limit = next((most for each, most in self._larger.items() if each.fullmatch(path)), self._limit)

        async def counted() -> Message:
            nonlocal received, whole
            try:
                async with asyncio.timeout_at(None if whole else deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(TOO_SLOW.status, f"Send the body within {self._within:g} seconds.", _LAST) from None
            whole = not message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(TOO_LARGE.status, f"At most {limit} bytes are read.", _LAST)
            return message

        await self._app(scope, counted, send)


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, its problems under the media type they are sent with."""
        if self.openapi_schema is None:
            document = get_openapi(title=self.title, version=self.version, routes=self.routes)
            for operations in document["paths"].values():
                for operation in operations.values():
                    content = operation["responses"]["default"]["content"]
                    content[MEDIA_TYPE] = content.pop("application/json")
                    for parameter in operation.get("parameters", []):
                        _require(parameter)
            self.openapi_schema = document
        return self.openapi_schema


def _require(parameter: dict[str, Any]) -> None:
    """Say that a precondition's header is required: its absence has an answer of its own, so FastAPI cannot know."""
    if pattern := REQUIRED_HEADERS.get(parameter["name"]):
        parameter["required"] = True
        parameter["schema"] = {"type": "string", "pattern": pattern}


def _require_rows(routers: Sequence[APIRouter], access: Table) -> None:
    operations = [route.operation_id or route.path for router in routers for route in router.routes if isinstance(route, APIRoute)]
    if missing := [operation for operation in operations if operation not in access]:
        raise OperationWithoutAccessError(missing)


def _is_health(scope: Mapping[str, Any]) -> bool:
    return scope.get("path") in {"/healthz", "/readyz"}


def _health(checks: Mapping[str, Check]) -> APIRouter:
    router, readiness = APIRouter(tags=["health"]), _Readiness(checks)

    @router.get("/healthz", operation_id="alive")
    async def alive() -> dict[str, str]:
        """Answers as long as the process does its work; asks nothing of others."""
        return {"status": "alive"}

    @router.get("/readyz", operation_id="ready")
    async def ready() -> dict[str, str]:
        """Answers 503 with what is missing, whose fault that is and since when, until everything the service needs is there."""
        missing = await readiness.missing()
        if missing:
            errors = [Fault(f"{name}: {answer}; seen first at {text_of(since)}") for name, (answer, since) in missing.items()]
            raise Problem(UNAVAILABLE, _whose(missing), errors, {"Retry-After": "1"})
        return {"status": "ready"}

    return router


class _Readiness:
    """What was found missing, asked for seldom however often it is looked at."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._missing: dict[str, tuple[str, datetime]] = {}
        self._good_until = -math.inf
        self._asking = asyncio.Lock()

    async def missing(self) -> Mapping[str, tuple[str, datetime]]:
        """By the name of the check what is missing, and when that was seen first."""
        async with self._asking:
            if time.monotonic() >= self._good_until:
                answers = await asyncio.gather(*(_ask(check) for check in self._checks.values()))
                now, before = datetime.now(UTC), self._missing
                found = {name: answer for name, answer in zip(self._checks, answers, strict=True) if answer}
                self._missing = {name: (answer, before[name][1] if name in before else now) for name, answer in found.items()}
                self._good_until = time.monotonic() + (BAD_SECONDS if found else GOOD_SECONDS)
        return self._missing


def _whose(missing: Iterable[str]) -> str:
    """Whether it is this process that is not ready, or what it stands on: then to start it again mends nothing."""
    others = [whose for name, whose in OF_OTHERS.items() if name in missing]
    return f"Waits for {' and '.join(others)}." if others else "Is itself not ready."


async def _ask(check: Check) -> str | None:
    try:
        return await asyncio.wait_for(check(), CHECK_SECONDS)
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 - whatever a check meets is what is missing
        return type(error).__name__


class _Server(uvicorn.Server):
    """Uvicorn's own handlers raise the signal again once it has stopped, which would kill what is still to be closed.

    `leaving` tells answers without an end that theirs has come: uvicorn waits for them before anything else is told.
    """

    def __init__(self, config: uvicorn.Config, leaving: asyncio.Event) -> None:
        super().__init__(config)
        self._leaving = leaving

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._leaving.set()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


async def serve(app: FastAPI, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way get `drain_timeout` seconds to end."""
    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        http=patient(settings.headers_within, settings.stalled_for),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=math.ceil(settings.drain_timeout),
    )
    await _Server(config, app.state.leaving).serve()
