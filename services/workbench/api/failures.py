"""Mass failures: many failures that are one. Proposed, declared, worked under one plan in all cases, and closed."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.workbench import forms, sheets
from services.workbench.api.filling import Values, fill_in, version
from services.workbench.api.page import Page, SignedIn
from services.workbench.forms import Form

router = APIRouter(prefix="/mass-failures")
_BASE: Final = "/v1/mass-failures"
_SHOWN: Final = 50
_PROPOSED: Final = 25
"""Proposals on the page, those with the most cases."""
_LOOKED_BACK: Final = timedelta(days=30)
_SOON, _LATER = 2, 10
Cursor = Annotated[str | None, Query(max_length=2000)]
Wanted = Annotated[str, Query(max_length=200)]


@router.get("")
async def list_failures(page: SignedIn, state: Literal["open", "closed", ""] = "", cursor: Cursor = None) -> Response:
    """Mass failures, the latest first, and what may be one."""
    since = page.reader.now - _LOOKED_BACK
    found, proposed = await asyncio.gather(
        page.get("recovery", _BASE, state=state or None, limit=_SHOWN, cursor=cursor),
        page.look("recovery", _BASE + "/proposals", since=since.isoformat(), limit=_PROPOSED),
    )
    return page.render(
        "failures.html", items=found["items"], following=found["next"], state=state, since=since,
        proposals=None if proposed is None else proposed["items"], more=proposed is not None and proposed["next"] is not None,
        leads=page.leads,
    )  # fmt: skip


@router.get("/new")
async def begin_failure(page: SignedIn, since: Wanted = "", promise: Wanted = "", component: Wanted = "", segment: Wanted = "") -> Response:
    """Declare one, with what a proposal says filled in."""
    several = {"promises": promise, "components": component, "segments": segment}
    known = {name: [value] for name, value in several.items() if value} | {"since": _instant(since)}
    return _declaring(page, sheets.as_sent(sheets.DECLARE, known, page.reader))


def _instant(text: str) -> str | None:
    try:
        return forms.instant(text)
    except ValueError:
        return None


def _declaring(page: Page, attempt: dict[str, Any], status: int = 200) -> Response:
    return page.render("failure_new.html", status, form=sheets.DECLARE, attempt=attempt, key=str(uuid4()))


@router.post("")
async def declare_failure(request: Request, page: SignedIn) -> Response:
    """Say that many failures are one."""

    async def declare(body: dict[str, Any], sent: Values) -> Any:
        return await page.services.post(page.someone, "recovery", _BASE, body, key=sent.get("key"))

    done = await fill_in(page, request, sheets.DECLARE, declare)
    return page.to(f"/mass-failures/{done.answer['id']}") if done.attempt is None else _declaring(page, done.attempt, done.status)


@router.get("/{failure}")
async def show_failure(failure: UUID, page: SignedIn, act: Annotated[str, Query(max_length=40)] = "") -> Response:
    """One mass failure: how its customers stand, its plan and how far each act on all has come, and what can be done."""
    return await _page(page, failure, chosen=act if act in forms.NAMES else "")


async def _page(page: Page, failure: UUID, status: int = 200, *, attempt: Any = None, chosen: str = "") -> Response:
    found = await page.get("recovery", f"{_BASE}/{failure}")
    leads = page.leads and found["state"] == "open"
    return page.render(
        "failure.html", status, found=found, leads=leads, attempt=attempt, chosen=_for_all(chosen) if chosen else None, key=str(uuid4()),
        acts=[each for each in forms.FILLED_IN if forms.may(each.name, page.roles)] if leads else [],
        change=sheets.CHANGE, close=sheets.CLOSE, before=sheets.as_sent(sheets.CHANGE, found, page.reader),
        again=_again(found),
    )  # fmt: skip


def _again(found: Mapping[str, Any]) -> int | None:
    """After how many seconds the page looks again: soon while cases wait for an act, since others may join while it is open."""
    if found["state"] != "open":
        return None
    return _SOON if any(each["waiting"] for each in found["acts"]) else _LATER


def _for_all(name: str) -> Form:
    """An act as it is done in all cases: when it is due there is said by how long after it is done."""
    return Form(name, forms.one(name, "").meaning, tuple(each for each in forms.fields_of(name) if each.name != "due"), for_owner=False)


@router.post("/{failure}/acts/{name}")
async def act_on_all(failure: UUID, name: str, request: Request, page: SignedIn) -> Response:
    """Do one more act in every case."""
    if name not in forms.NAMES:
        return page.render("nothing.html", 404)

    async def order(needs: dict[str, Any], sent: Values) -> Any:
        body = {"act": name, "needs": needs, "within": sent.get("within") or None, "of": sent.get("of") or None}
        path = f"{_BASE}/{failure}/acts"
        return await page.services.post(page.someone, "recovery", path, body, version=version(sent), key=sent.get("key"))

    done = await fill_in(page, request, _for_all(name), order)
    if done.attempt is not None:
        return await _page(page, failure, done.status, attempt=done.attempt, chosen=name)
    return page.to(f"/mass-failures/{failure}")


@router.post("/{failure}/{what}")
async def change_failure(failure: UUID, what: Literal["change", "close"], request: Request, page: SignedIn) -> Response:
    """Say anew what it is, or end it."""

    async def change(body: dict[str, Any], sent: Values) -> Any:
        return await page.services.put(page.someone, "recovery", f"{_BASE}/{failure}", body, version=version(sent))

    async def close(body: dict[str, Any], sent: Values) -> Any:
        return await page.services.post(page.someone, "recovery", f"{_BASE}/{failure}/close", body, version=version(sent))

    form, do = (sheets.CHANGE, change) if what == "change" else (sheets.CLOSE, close)
    done = await fill_in(page, request, form, do)
    if done.attempt is not None:
        return await _page(page, failure, done.status, attempt=done.attempt)
    return page.to(f"/mass-failures/{failure}")


@router.get("/{failure}/acts/{run}")
async def show_act_on_all(failure: UUID, run: UUID, page: SignedIn, cursor: Cursor = None) -> Response:
    """How far an act on all cases has come, and the cases in which it was refused."""
    found, refused = await asyncio.gather(
        page.get("recovery", f"/v1/bulk-acts/{run}"),
        page.get("recovery", f"/v1/bulk-acts/{run}/cases", state="refused", limit=_SHOWN, cursor=cursor),
    )
    return page.render("bulk.html", failure=failure, found=found, items=refused["items"], following=refused["next"])
