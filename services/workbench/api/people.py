"""People: who carries what, how they want to serve, and what they did beyond duty; as far as the services show it to this reader."""

import asyncio
from typing import Annotated, Any, Final
from uuid import uuid4

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from services.workbench import sheets
from services.workbench.api.filling import Values, fill_in, version
from services.workbench.api.page import Page, SignedIn

router = APIRouter(prefix="/people")
_SHOWN: Final = 50
Cursor = Annotated[str | None, Query(max_length=2000)]
Subject = Annotated[str, Path(max_length=200, pattern=r"^[^/\\\x00]+$")]


@router.get("")
async def list_people(page: SignedIn, cursor: Cursor = None, praise: Cursor = None) -> Response:
    """Those whom one may see, what they carry, and what was seen of them; `praise` goes on with the latter."""
    return await _list(page, cursor=cursor, praise=praise)


async def _list(page: Page, attempt: Any = None, status: int = 200, *, cursor: str | None = None, praise: str | None = None) -> Response:
    people, recognitions = await asyncio.gather(
        page.shown("recovery", "/v1/people", limit=_SHOWN, cursor=cursor),
        page.shown("recovery", "/v1/recognitions", limit=_SHOWN, cursor=praise),
    )
    return page.render(
        "people.html", status, people=people, recognitions=recognitions, form=sheets.RECOGNISE, attempt=attempt, key=str(uuid4()),
        me=page.someone.principal.subject,
    )  # fmt: skip


@router.post("")
async def recognise(request: Request, page: SignedIn) -> Response:
    """Say what somebody did beyond duty."""

    async def say(body: dict[str, Any], sent: Values) -> Any:
        return await page.services.post(page.someone, "recovery", "/v1/recognitions", body, key=sent.get("key"))

    done = await fill_in(page, request, sheets.RECOGNISE, say)
    return page.to("/people") if done.attempt is None else await _list(page, done.attempt, done.status)


@router.get("/{subject}")
async def show_person(subject: Subject, page: SignedIn, cursor: Cursor = None) -> Response:
    """Somebody as they say of themselves, what they carry, and the notes between them and the reader; `cursor` goes on with those."""
    return await _page(page, subject, cursor=cursor)


async def _page(page: Page, subject: str, attempt: Any = None, status: int = 200, *, cursor: str | None = None) -> Response:
    person, notes = await asyncio.gather(
        page.get("recovery", f"/v1/people/{subject}"),
        page.shown("recovery", f"/v1/people/{subject}/coaching-notes", limit=_SHOWN, cursor=cursor),
    )
    failed = attempt is not None and attempt["act"] == sheets.DESCRIBE.act
    return page.render(
        "person.html", status, person=person, form=sheets.DESCRIBE, failed=failed, notes=notes, note=sheets.COACH, noted=attempt,
        attempt=attempt if failed else sheets.as_sent(sheets.DESCRIBE, person, page.reader), key=str(uuid4()),
        mine=subject == page.someone.principal.subject, leads=page.leads,
    )  # fmt: skip


@router.post("/{subject}/notes")
async def write_note(subject: Subject, request: Request, page: SignedIn) -> Response:
    """Write a note between a lead and this person."""

    async def write(body: dict[str, Any], sent: Values) -> Any:
        return await page.services.post(page.someone, "recovery", f"/v1/people/{subject}/coaching-notes", body, key=sent.get("key"))

    done = await fill_in(page, request, sheets.COACH, write)
    return page.to(f"/people/{subject}") if done.attempt is None else await _page(page, subject, done.attempt, done.status)


@router.post("/{subject}")
async def describe_person(subject: Subject, request: Request, page: SignedIn) -> Response:
    """Say how one wants to serve."""

    async def describe(body: dict[str, Any], sent: Values) -> Any:
        whole = {"skills": [], "languages": [], "serves": "", "avoids": "", "willing": True} | body
        return await page.services.put(page.someone, "recovery", f"/v1/people/{subject}", whole, version=version(sent))

    done = await fill_in(page, request, sheets.DESCRIBE, describe)
    return page.to(f"/people/{subject}") if done.attempt is None else await _page(page, subject, done.attempt, done.status)
