"""Files of a case: handed on to recovery as they come, and given out to be saved."""

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from services.workbench.api.cases import render_case
from services.workbench.api.page import SignedIn
from services.workbench.upstream import RefusedError

PATH: Final = r"/cases/[^/]+/files"
_GIVEN: Final = ("content-type", "content-disposition", "content-security-policy", "x-content-type-options")
router = APIRouter(prefix="/cases/{case_id}/files")


@router.post("")
async def attach_file(case_id: UUID, request: Request, page: SignedIn) -> Response:
    """Put a file into the case; whether it is taken, and why not, recovery says."""
    someone = page.someone
    async with request.form(max_files=1, max_fields=10) as form:
        file, version, key = form.get("file"), str(form.get("version", "")), str(form.get("key", ""))
        if not isinstance(file, UploadFile) or not file.filename or not version.isdecimal():
            return page.render("nothing.html", 404)
        name, content = file.filename, await file.read()
    try:
        path = f"/v1/cases/{case_id}/attachments"
        await page.services.attach(someone, path, content, version=int(version), key=key, name=name)
    except RefusedError as refused:
        return await render_case(page, case_id, refused.status, file_refused=refused)
    return page.to(f"/cases/{case_id}?done=attach_file")


@router.get("/{attachment_id}")
async def save_file(case_id: UUID, attachment_id: UUID, page: SignedIn) -> Response:
    """A file, to be saved: no browser opens it as a page of ours."""
    answer = await page.services.file(page.someone, "recovery", f"/v1/cases/{case_id}/attachments/{attachment_id}")
    headers = {name: answer.headers[name] for name in _GIVEN if name in answer.headers}
    return Response(answer.content, headers=headers)
