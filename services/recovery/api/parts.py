"""The parts of a case by themselves, each below the path at which acts change it: what they show, a case shows too."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, create_model

from services.chassis.preconditions import etag
from services.recovery import store
from services.recovery.acting import NoSuchCaseError
from services.recovery.api.views import CaseView, members

router = APIRouter(prefix="/v1", tags=["recovery"])
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "owner": ("owner", "offered_to"),
    "pledges": ("pledges",),
    "tasks": ("tasks",),
    "gestures": ("gestures",),
    "ledger": ("ledger", "sums", "fair"),
    "approvals": ("approvals",),
    "compensations": ("compensations",),
    "help-requests": ("help_requests",),
    "messages": ("messages",),
    "contacts": ("contacts",),
    "notes": ("notes",),
    "cause": ("cause",),
}
"""Each path below a case, and the members of the case that it shows."""


def _endpoint(shown: type[BaseModel]) -> Callable[..., Awaitable[Any]]:
    async def read(case_id: UUID, request: Request, response: Response) -> Any:
        async with request.app.state.engine.connect() as connection:
            found = await store.case_of(connection, case_id)
        if found is None:
            raise NoSuchCaseError(NoSuchCaseError.__doc__)
        response.headers["ETag"] = etag(found.case.version)
        return shown.model_validate(members(found.case))

    read.__doc__ = shown.__doc__
    return read


def _model(path: str, names: tuple[str, ...]) -> type[BaseModel]:
    fields: dict[str, Any] = {each: (CaseView.model_fields[each].annotation, CaseView.model_fields[each]) for each in ("version", *names)}
    title = path.title().replace("-", "")
    return create_model(f"{title}OfCase", __doc__=f"The {path.replace('-', ' ')} of a case, as it stands.", **fields)


for _path, _names in PARTS.items():
    _shown = _model(_path, _names)
    router.add_api_route(
        f"/cases/{{case_id}}/{_path}", _endpoint(_shown), operation_id=f"get_case_{_path.replace('-', '_')}", response_model=_shown
    )
