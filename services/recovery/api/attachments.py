"""Files of a case: taken in once they are small, known for what they are and found clean; given out to be saved, never to open here."""

import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Final, get_args
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from contracts.acts import BY_NAME
from services.chassis.access import Who
from services.chassis.preconditions import IdempotencyKey, IfMatch, Once
from services.chassis.problems import NOT_FOUND, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, Problem
from services.recovery import scanning, store
from services.recovery.acting import NoSuchCaseError, People, Wish
from services.recovery.api.acts import actor, answer, render
from services.recovery.api.views import CaseView
from services.recovery.erasure import CustomerErasedError
from services.recovery.files import MediaType, media_type
from services.recovery.settings import RecoverySettings
from services.recovery.store import CREATED, attachments

router = APIRouter(prefix="/v1", tags=["acts"])
ATTACH: Final = BY_NAME["attach_file"]
PATH: Final = r"/v1/cases/[^/]+/attachments"
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_TYPES: Final = dict.fromkeys(get_args(MediaType), _BINARY)
FileName = Annotated[str, Query(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]+$", description="what the file is called")]
_SAFE: Final = {
    "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "private, no-store",
}  # fmt: skip


@router.post(
    "/cases/{case_id}/attachments",
    operation_id=ATTACH.name,
    status_code=CREATED,
    response_model=CaseView,
    openapi_extra={"requestBody": {"required": True, "content": _TYPES}},
)
async def attach_file(case_id: UUID, name: FileName, request: Request, who: Who, seen: IfMatch, key: IdempotencyKey) -> Response:
    """Put a file into a case; what it is, its bytes say, whatever it is called."""
    settings: RecoverySettings = request.app.state.settings
    content = await _content(request, settings.attachment_bytes)
    kind = media_type(content)
    if kind is None or kind not in settings.attachment_types:
        allowed = ", ".join(sorted(settings.attachment_types))
        raise Problem(UNSUPPORTED_MEDIA_TYPE, f"The file is none of {allowed}, by what is in it.")
    await scanning.scan(settings.attachment_scanner, content, settings.scan_seconds)
    needs = {"name": name, "media_type": kind, "size": len(content), "digest": hashlib.sha256(content).hexdigest()}
    once = Once.of(who.subject, key, f"{ATTACH.name} {case_id}", needs)
    people: People = request.app.state.people
    return answer(await people.do(Wish(case_id, ATTACH, actor(who), seen, needs, once, content), render))


async def _content(request: Request, most: int) -> bytes:
    content = await request.body()
    if len(content) > most:
        raise Problem(TOO_LARGE, f"A file has at most {most} bytes.")
    return content


@router.get(
    "/cases/{case_id}/attachments/{attachment_id}",
    operation_id="get_attachment",
    response_class=StreamingResponse,
    responses={200: {"content": _TYPES}},
)
async def get_attachment(case_id: UUID, attachment_id: UUID, request: Request) -> StreamingResponse:
    """A file of a case, to be saved: no browser opens it as a page of ours."""
    engine = request.app.state.engine
    async with engine.connect() as connection:
        found = await store.case_of(connection, case_id)
    if found is None:
        raise NoSuchCaseError(NoSuchCaseError.__doc__)
    known = found.case.attachments.get(attachment_id)
    if known is None:
        raise Problem(NOT_FOUND, "The case has no such file.")
    body = attachments.read(engine, attachment_id)
    first = await anext(body, None)
    if first is None:
        raise CustomerErasedError(CustomerErasedError.__doc__)
    named = f"attachment; filename*=UTF-8''{quote(known.name, safe='')}"
    headers = _SAFE | {"Content-Disposition": named, "Content-Length": str(known.size)}
    return StreamingResponse(_whole(first, body), media_type=known.media_type, headers=headers)


async def _whole(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for each in rest:
        yield each
