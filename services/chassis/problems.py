"""Errors as RFC 9457 problem details: every answer with a status of 400 or more is one, and its `type` is stable."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import sqlalchemy.exc
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

# Connection lost, operator intervention (shutdown, statement timeout), no resources, lock not had in time, deadlock.
_PASSING_SQLSTATES = ("08", "57", "53", "55P03", "40")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: what its `type`, `title` and `status` always are."""

    status: int
    slug: str
    title: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: in which item of a batch, at which JSON pointer, and what."""

    detail: str
    pointer: str | None = None
    index: int | None = None

    def document(self) -> dict[str, object]:
        """The fault without the members that do not apply."""
        members = {"index": self.index, "pointer": self.pointer, "detail": self.detail}
        return {name: value for name, value in members.items() if value is not None}


class Problem(Exception):
    """What went wrong, as the client will read it."""

    def __init__(self, kind: Kind, detail: str = "", errors: Iterable[Fault] = (), headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or kind.title)
        self.kind = kind
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


class FaultDocument(BaseModel):
    """One thing that is wrong with a request."""

    index: int | None = Field(default=None, description="which item of a batch")
    pointer: str | None = Field(default=None, description="JSON pointer into the body (or the item)")
    detail: str


class ProblemDocument(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(description="stable identifier, `urn:makegood:problem:...`")
    title: str
    status: int
    detail: str | None = None
    instance: str | None = Field(default=None, description="the path that was asked for")
    errors: list[FaultDocument] | None = None


MALFORMED = Kind(400, "malformed-request", "The request cannot be read")
INVALID = Kind(422, "invalid-request", "The request is not valid")
NOT_FOUND = Kind(404, "not-found", "There is nothing here")
METHOD_NOT_ALLOWED = Kind(405, "method-not-allowed", "This resource does not know that method")
TOO_LARGE = Kind(413, "body-too-large", "The body is too large")
TOO_SLOW = Kind(408, "too-slow", "The request took too long to arrive")
HEADERS_TOO_LARGE = Kind(431, "headers-too-large", "The headers are too large")
TOO_OFTEN = Kind(429, "too-many-requests", "Too many requests")
UNSUPPORTED_MEDIA_TYPE = Kind(415, "unsupported-media-type", "This media type is not accepted here")
UNAVAILABLE = Kind(503, "temporarily-unavailable", "Something this service needs is away; try again")
UNEXPECTED = Kind(500, "unexpected-error", "Something went wrong on our side")

_BY_STATUS = {kind.status: kind for kind in (NOT_FOUND, METHOD_NOT_ALLOWED, TOO_LARGE, TOO_SLOW, UNSUPPORTED_MEDIA_TYPE)}
_BY_STATUS[400] = MALFORMED


def respond(request: Request, problem: Problem) -> Response:
    """The answer to a request that met a problem."""
    kind = problem.kind
    body: dict[str, object] = {
        "type": f"urn:makegood:problem:{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "instance": request.url.path,
    }
    if problem.detail:
        body["detail"] = problem.detail
    if problem.errors:
        body["errors"] = [fault.document() for fault in problem.errors]
    return Response(orjson.dumps(body), kind.status, problem.headers, MEDIA_TYPE)


def install(app: FastAPI, table: Mapping[type[Exception], Kind]) -> None:
    """Make every error of the application a problem; `table` names the domain's own exceptions."""
    handlers: dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]] = {
        Problem: _known,
        RequestValidationError: _invalid,
        HTTPException: _http,
        sqlalchemy.exc.DBAPIError: _database,
        asyncpg.PostgresError: _driver,
        Exception: _unexpected,
    }
    for away in (OSError, sqlalchemy.exc.TimeoutError, asyncpg.InterfaceError):
        handlers[away] = _away
    handlers |= dict.fromkeys(table, _by_table(table))
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _by_table(table: Mapping[type[Exception], Kind]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        kind = next(table[each] for each in type(error).__mro__ if each in table)
        return respond(request, Problem(kind, str(error)))

    return handle


async def _known(request: Request, problem: Problem) -> Response:
    return respond(request, problem)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    """Says where each fault is, never what was sent: the value may be personal."""
    findings = error.errors()
    if any(each["type"] == "json_invalid" for each in findings):
        return respond(request, Problem(MALFORMED, "The body is not JSON."))
    if any(each["loc"][0] == "body" for each in findings) and not _is_json(request):
        return respond(request, Problem(UNSUPPORTED_MEDIA_TYPE, "Send application/json."))
    return respond(request, Problem(INVALID, errors=[_fault(each) for each in findings]))


def _is_json(request: Request) -> bool:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))


def _fault(finding: Mapping[str, Any]) -> Fault:
    where, *path = finding["loc"]
    if where == "body":
        pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
        return Fault(finding["msg"], pointer)
    return Fault(f"{where} {'.'.join(map(str, path))}: {finding['msg']}")


async def _http(request: Request, error: HTTPException) -> Response:
    kind = _BY_STATUS.get(error.status_code) or Kind(error.status_code, f"http-{error.status_code}", str(error.detail))
    headers = dict(error.headers or {})
    if kind is METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
    detail = "" if error.detail == kind.title else str(error.detail)
    return respond(request, Problem(kind, detail, headers=headers))


def _allowed(request: Request) -> list[str]:
    """Every method the path knows: the router names those of the first route it met only."""
    routes = request.app.router.routes
    return [method for method in METHODS if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)]


async def _database(request: Request, error: sqlalchemy.exc.DBAPIError) -> Response:
    state = getattr(error.orig, "sqlstate", None) or ""
    if error.connection_invalidated or state.startswith(_PASSING_SQLSTATES) or _is_away(error):
        return await _away(request, error)
    raise error


async def _driver(request: Request, error: asyncpg.PostgresError) -> Response:
    if (error.sqlstate or "").startswith(_PASSING_SQLSTATES):
        return await _away(request, error)
    raise error


def _is_away(error: sqlalchemy.exc.DBAPIError) -> bool:
    return isinstance(error, sqlalchemy.exc.OperationalError | sqlalchemy.exc.InterfaceError)


async def _away(request: Request, _error: Exception) -> Response:
    problem = Problem(UNAVAILABLE, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    return respond(request, problem)


async def _unexpected(request: Request, _error: Exception) -> Response:
    return respond(request, Problem(UNEXPECTED))
