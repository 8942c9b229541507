"""Improvements: what is changed so that a cause does not come again, and whether that is proven."""

import asyncio
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.workbench import sheets
from services.workbench.api.filling import Values, fill_in, version
from services.workbench.api.page import Page, SignedIn

router = APIRouter(prefix="/improvements")
_BASE: Final = "/v1/improvements"
_SHOWN: Final = 50
Wanted = Annotated[str, Query(max_length=200)]


@router.get("")
async def list_improvements(
    page: SignedIn,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
    promise: Wanted = "",
    component: Wanted = "",
    because: Wanted = "",
) -> Response:
    """Improvements, those due next first, and the causes that come again."""
    known = {"promise": promise or None, "component": component or None, "because": because or None}
    return await _list(page, sheets.as_sent(sheets.BEGIN, known, page.reader), cursor=cursor, begun=bool(component))


async def _list(page: Page, attempt: Any, status: int = 200, *, cursor: str | None = None, begun: bool = False) -> Response:
    found, causes = await asyncio.gather(page.get("recovery", _BASE, limit=_SHOWN, cursor=cursor), page.look("recovery", "/v1/causes"))
    return page.render(
        "improvements.html", status, items=found["items"], following=found["next"], causes=None if causes is None else causes["items"],
        form=sheets.BEGIN, attempt=attempt, begun=begun, key=str(uuid4()), leads=page.leads,
    )  # fmt: skip


@router.post("")
async def begin_improvement(request: Request, page: SignedIn) -> Response:
    """Begin one."""

    async def begin(body: dict[str, Any], sent: Values) -> Any:
        return await page.services.post(page.someone, "recovery", _BASE, body, key=sent.get("key"))

    done = await fill_in(page, request, sheets.BEGIN, begin)
    return (
        page.to(f"/improvements/{done.answer['id']}") if done.attempt is None else await _list(page, done.attempt, done.status, begun=True)
    )


@router.get("/{improvement}")
async def show_improvement(improvement: UUID, page: SignedIn) -> Response:
    """One improvement, and by how much the broken share changed."""
    return await _page(page, improvement)


async def _page(page: Page, improvement: UUID, attempt: Any = None, status: int = 200) -> Response:
    found = await page.get("recovery", f"{_BASE}/{improvement}")
    return page.render(
        "improvement.html", status, found=found, form=sheets.IMPROVE, leads=page.leads, failed=attempt is not None,
        attempt=attempt or sheets.as_sent(sheets.IMPROVE, found, page.reader),
    )  # fmt: skip


@router.post("/{improvement}")
async def change_improvement(improvement: UUID, request: Request, page: SignedIn) -> Response:
    """Say how it stands."""

    async def change(body: dict[str, Any], sent: Values) -> Any:
        return await page.services.put(page.someone, "recovery", f"{_BASE}/{improvement}", body, version=version(sent))

    done = await fill_in(page, request, sheets.IMPROVE, change)
    return page.to(f"/improvements/{improvement}") if done.attempt is None else await _page(page, improvement, done.attempt, done.status)
