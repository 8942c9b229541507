"""Playbooks: published like promises, every version kept."""

from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field, TypeAdapter

from contracts.acts import Name as Text
from services.chassis import cursors
from services.chassis.access import Who
from services.chassis.cursors import Cursor
from services.chassis.documents import ProblemsFoundError
from services.chassis.preconditions import IdempotencyKey, Once
from services.chassis.problems import INVALID, NOT_FOUND, Fault, Problem
from services.recovery import language
from services.recovery.api.acts import answer
from services.recovery.store import playbooks as store

router = APIRouter(prefix="/v1", tags=["playbooks"])
NAME: TypeAdapter[Text] = TypeAdapter(Text)
VERSION: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=0, le=2**31 - 1)])
Limit = Annotated[int, Query(ge=1, le=200)]
Name = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]+$")]


class PlaybookVersion(BaseModel):
    """One version of a playbook as it was published; the same document again stays the same version."""

    name: str
    version: int
    document: dict[str, Any]
    published_at: datetime
    published_by: str


class PlaybookVersions(BaseModel):
    """Playbooks, each in the versions asked for, by name and version; `next` continues behind them."""

    items: list[PlaybookVersion]
    next: str | None


@router.post("/playbooks", operation_id="publish_playbook", status_code=201, response_model=PlaybookVersion)
async def publish_playbook(request: Request, who: Who, document: dict[str, Any], key: IdempotencyKey) -> Response:
    """Publish a playbook; cases that are open go on by the version they began with."""
    try:
        found = language.read(orjson.dumps(document).decode(), "body", request.app.state.settings.plain)
    except orjson.JSONEncodeError as error:
        detail = "It holds what JSON cannot be kept with: half a character, or a whole number of more than 64 bits."
        raise Problem(INVALID, detail) from error
    except ProblemsFoundError as problems:
        raise Problem(INVALID, "This is not a playbook yet.", [Fault(str(each)) for each in problems.findings]) from None
    assert found.name is not None, "a document has a name"
    once = Once.of(who.subject, key, "publish_playbook", document)
    return answer(await store.publish(request.app.state.engine, once, found.name, document, datetime.now(UTC), _rendered))


@router.get("/playbooks", operation_id="list_playbooks")
async def list_playbooks(request: Request, limit: Limit = 50, cursor: Cursor = None) -> PlaybookVersions:
    """The latest version of every playbook, by name."""
    found = await store.latest(request.app.state.engine, cursors.behind(cursor, NAME) or "", limit + 1)
    items, following = cursors.page(found, limit, lambda each: each.name)
    return PlaybookVersions(items=[_view(each) for each in items], next=following)


@router.get("/playbooks/{name}", operation_id="get_playbook")
async def get_playbook(name: Name, request: Request, limit: Limit = 50, cursor: Cursor = None) -> PlaybookVersions:
    """Every version of one playbook, the first one first."""
    found = await store.versions(request.app.state.engine, name, cursors.behind(cursor, VERSION) or 0, limit + 1)
    if not found and cursor is None:
        raise Problem(NOT_FOUND, f"There is no playbook {name}.")
    items, following = cursors.page(found, limit, lambda each: each.version)
    return PlaybookVersions(items=[_view(each) for each in items], next=following)


def _rendered(published: store.Published) -> bytes:
    return _view(published).model_dump_json().encode()


def _view(published: store.Published) -> PlaybookVersion:
    return PlaybookVersion.model_validate(published._asdict())
