"""All pages of the workbench."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx2
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import RedirectResponse, Response

from services.chassis.database import answers
from services.chassis.http import create_app
from services.workbench.api import (
    acts,
    cases,
    customers,
    door,
    drafts,
    failures,
    files,
    help,  # noqa: A004  (a page)
    improvements,
    indicators,
    operations,
    people,
    promises,
    surge,
    today,
    watch,
)
from services.workbench.api.page import SEE_OTHER, STATIC, anybody
from services.workbench.guard import Guard
from services.workbench.house import House
from services.workbench.live import Viewers
from services.workbench.served import BASE, Served
from services.workbench.settings import WorkbenchSettings
from services.workbench.signin import Provider, SignInFailedError
from services.workbench.upstream import TIMEOUT_SECONDS, RefusedError, Services, SignInAgainError, UnreachableError

_FORM_BYTES: Final = 64 * 1024
_AROUND_A_FILE: Final = 64 * 1024
_GZIP_LEVEL: Final = 5
"""Beyond this a page gets hardly smaller, and takes longer."""
_PAGES: Final = (
    door,
    today,
    watch,
    acts,
    files,
    cases,
    customers,
    promises,
    drafts,
    failures,
    improvements,
    people,
    surge,
    indicators,
    operations,
    help,
)


def build(settings: WorkbenchSettings, engine: AsyncEngine, transport: httpx2.AsyncBaseTransport | None = None) -> FastAPI:
    """The workbench's application; `transport` is how the services and the provider are reached, by default over the network."""
    client = httpx2.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False, transport=transport)
    streams = httpx2.AsyncClient(limits=httpx2.Limits(), follow_redirects=False, transport=transport)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with client, streams:
            yield

    app = create_app(
        "workbench", settings, [], access={}, lifespan=lifespan,
        checks={"database": lambda: answers(engine)}, body_limit=_FORM_BYTES,
        larger={files.PATH: settings.attachment_bytes + _AROUND_A_FILE},
    )  # fmt: skip
    app.state.settings, app.state.engine = settings, engine
    app.state.services, app.state.provider = Services(settings, client, streams), Provider(settings, client, transport)
    app.state.house, app.state.served = House(settings, app.state.services), Served([STATIC, settings.assets])
    app.state.viewers = Viewers(settings.viewers, app.state.leaving)
    for each in _PAGES:
        app.include_router(each.router, include_in_schema=False)
    app.mount(BASE, app.state.served)
    app.add_middleware(GZipMiddleware, compresslevel=_GZIP_LEVEL)
    app.add_middleware(Guard, site=settings.workbench_url)
    for kind, handler in ((SignInAgainError, _sign_in), (RefusedError, _refused), (UnreachableError, _unreachable),
                          (SignInFailedError, _failed), (HTTPException, _nothing), (RequestValidationError, _nothing)):  # fmt: skip
        app.add_exception_handler(kind, handler)
    return app


async def _sign_in(request: Request, _error: Exception) -> Response:
    """To the door, and back to this page afterwards; htmx is told to take the whole window there, or to say so beside what was written."""
    if "hx-request" in request.headers and request.method == "POST":
        page = await anybody(request)
        return page.render("signed_out.html", 401, {"HX-Retarget": "find .answer", "HX-Reselect": "#answer", "HX-Reswap": "innerHTML"})
    where = request.url_for("show_door").include_query_params(then=request.url.path if request.method == "GET" else "/")
    target = f"{where.path}?{where.query}"
    if "hx-request" in request.headers:
        return Response(headers={"HX-Redirect": target})
    return RedirectResponse(target, SEE_OTHER)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    page = await anybody(request)
    return page.render("refused.html", error.status, error=error)


async def _unreachable(request: Request, error: Exception) -> Response:
    assert isinstance(error, UnreachableError)
    page = await anybody(request)
    return page.render("unreachable.html", 503, service=error.service)


async def _failed(request: Request, error: Exception) -> Response:
    page = await anybody(request)
    return page.render("sign_in_failed.html", 502, why=str(error))


async def _nothing(request: Request, error: Exception) -> Response:
    page = await anybody(request)
    status = error.status_code if isinstance(error, HTTPException) else 404
    return page.render("nothing.html", status)
