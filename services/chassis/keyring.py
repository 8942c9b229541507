"""Keys of company systems over HTTP: made, listed, exchanged and revoked by whoever runs the system, at each service for its own."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from services.chassis import cursors
from services.chassis.access import SYSTEM, Gate, Who
from services.chassis.apikeys import ApiKey, ApiKeys
from services.chassis.cursors import Cursor, Limit
from services.chassis.problems import INVALID, NOT_FOUND, Fault, Kind, Problem

TAKEN = Kind(409, "name-taken", "Another key has that name")
NO_KEY = "There is no such key in force."
LONGEST_DAYS = 3650
LONGEST_OVERLAP = 30 * 24
POSITION: TypeAdapter[tuple[datetime, str]] = TypeAdapter(tuple[datetime, str])

router = APIRouter(prefix="/v1", tags=["keys"])


class NewApiKey(BaseModel):
    """A key that is wanted."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100, pattern=r"^[!-~]+( [!-~]+)*$", description="the system that will hold it")
    scopes: Annotated[list[str], Field(min_length=1, max_length=100)] = Field(description="the operations that it opens, by their ids")
    days: int | None = Field(default=None, ge=1, le=LONGEST_DAYS, description="how long it is good for; without it, until it is revoked")


class Rotation(BaseModel):
    """How a key is exchanged."""

    model_config = ConfigDict(extra="forbid")
    overlap_hours: int = Field(default=24, ge=0, le=LONGEST_OVERLAP, description="for so long the secret before opens it, too")


class ApiKeyView(BaseModel):
    """One key, without what opens it."""

    model_config = ConfigDict(from_attributes=True)
    prefix: str
    name: str
    scopes: list[str]
    made_by: str
    made_at: datetime
    rotated_at: datetime | None
    expires: datetime | None
    last_used: datetime | None = Field(description="to the minute")
    revoked_by: str | None
    revoked_at: datetime | None


class OpeningApiKey(ApiKeyView):
    """A key as it is given to the system that will hold it."""

    key: str = Field(description="sent as a bearer token; it is shown in this answer and nowhere else")


class ApiKeyViews(BaseModel):
    """Keys, the oldest first, those that were revoked among them; `next` continues behind them."""

    items: list[ApiKeyView]
    next: str | None


def _keys(request: Request) -> ApiKeys:
    keys: ApiKeys = request.app.state.gate.api_keys
    return keys


@router.post("/api-keys", operation_id="make_api_key", status_code=201)
async def make_api_key(body: NewApiKey, request: Request, who: Who) -> OpeningApiKey:
    """Give a company system a key for some operations of this service."""
    gate: Gate = request.app.state.gate
    open_to_systems = gate.operations_of(SYSTEM) & _operations(request)
    if wrong := [Fault(f"{each}: no operation of this service that a system may do", "/scopes") for each in body.scopes
                 if each not in open_to_systems]:  # fmt: skip
        raise Problem(INVALID, f"Scopes are among: {', '.join(sorted(open_to_systems))}.", wrong)
    expires = None if body.days is None else datetime.now(UTC) + timedelta(days=body.days)
    made = await _keys(request).make(body.name, body.scopes, who.subject, expires)
    if made is None:
        raise Problem(TAKEN, "A key in force is called so; rotate or revoke it, or name this one otherwise.")
    return _opening(*made)


def _operations(request: Request) -> frozenset[str]:
    paths = request.app.openapi()["paths"].values()
    return frozenset(operation["operationId"] for path in paths for operation in path.values())


@router.get("/api-keys", operation_id="list_api_keys")
async def list_api_keys(request: Request, limit: Limit = 50, cursor: Cursor = None) -> ApiKeyViews:
    """Every key of this service: who holds it, what it opens, when it was used last."""
    found = await _keys(request).listed(cursors.behind(cursor, POSITION), limit + 1)
    items, following = cursors.page(found, limit, lambda each: (each.made_at, each.prefix))
    return ApiKeyViews(items=[ApiKeyView.model_validate(each) for each in items], next=following)


@router.post("/api-keys/{prefix}/rotate", operation_id="rotate_api_key")
async def rotate_api_key(prefix: str, body: Rotation, request: Request) -> OpeningApiKey:
    """Exchange the secret of a key; for a while the one before opens it, too."""
    changed = await _keys(request).rotate(prefix, timedelta(hours=body.overlap_hours))
    if changed is None:
        raise Problem(NOT_FOUND, NO_KEY)
    return _opening(*changed)


@router.delete("/api-keys/{prefix}", operation_id="revoke_api_key", status_code=204)
async def revoke_api_key(prefix: str, request: Request, who: Who) -> Response:
    """Let a key open nothing any more; every process has heard of it after five seconds."""
    if not await _keys(request).revoke(prefix, who.subject):
        raise Problem(NOT_FOUND, NO_KEY)
    return Response(status_code=204)


def _opening(key: ApiKey, opens: str) -> OpeningApiKey:
    return OpeningApiKey(**key._asdict(), key=opens)
