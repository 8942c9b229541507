"""Cases: the list, one case with its line of time, and every act on it, made from the table of acts."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from contracts.acts import BY_NAME
from services.workbench import forms
from services.workbench.api.page import Page, SignedIn
from services.workbench.api.today import OWED
from services.workbench.drawing import Picture, Point, draw
from services.workbench.forms import NotFilledError
from services.workbench.reader import parsed
from services.workbench.upstream import RefusedError

router = APIRouter(prefix="/cases")
PAGE: Final = 50
_LINE: Final = 200
"""Entries of the line of time that are drawn and listed; the customer's page has all."""
_STALE: Final = 412
_STATES: Final = (
    "open", "owned", "remedied", "confirmed", "watching", "restored", "not_restored", "unknown", "declined", "withdrawn", "merged",
)  # fmt: skip
THINGS: Final = {**OWED, "gesture": "gestures", "entry": "ledger", "message": "messages"}


@router.get("")
async def list_cases(
    page: SignedIn,
    state: Annotated[str | None, Query(max_length=40)] = None,
    owner: Annotated[str | None, Query(max_length=200)] = None,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> Response:
    """Cases by what is due next."""
    chosen = {"state": state or None, "owner": owner or None}
    found = await page.get("recovery", "/v1/cases", limit=PAGE, cursor=cursor, **chosen)
    return page.render("cases.html", cases=found["items"], following=found["next"], states=_STATES, chosen=chosen)


@router.get("/{case_id}")
async def show_case(case_id: UUID, page: SignedIn, done: Annotated[str | None, Query(max_length=40)] = None) -> Response:
    """One case: what was promised and what happened, what is owed, and everything that can be done."""
    return await _case(page, case_id, done=done if done in BY_NAME else None)


@router.post("/{case_id}/acts/{name}")
async def do_act(case_id: UUID, name: str, request: Request, page: SignedIn) -> Response:
    """Do an act as it was filled in. Where somebody else was faster, what was written stays, beside what they did."""
    if name not in BY_NAME:
        return page.render("nothing.html", 404)
    async with request.form(max_files=0, max_fields=60) as form:
        sent = {key: value for key, value in form.items() if isinstance(value, str)}
    thing, version = sent.get("thing", ""), sent.get("version", "")
    attempt = {"act": name, "thing": thing, "sent": sent, "error": None, "field": None, "since": None}
    try:
        body = forms.filled(name, sent, page.reader.zone)
        await page.services.post(
            page.someone, "recovery", f"/v1/cases/{case_id}/{forms.path_of(name, str(UUID(thing)) if thing else '')}", body,
            version=int(version), key=sent.get("key") if BY_NAME[name].creates else None,
        )  # fmt: skip
    except NotFilledError as error:
        return await _case(page, case_id, 422, attempt=attempt | {"field": error.field, "right": error.right})
    except RefusedError as error:
        since = int(version) if error.status == _STALE else None
        return await _case(page, case_id, error.status, attempt=attempt | {"error": error, "since": since})
    except ValueError:
        return page.render("nothing.html", 404)
    return page.to(f"/cases/{case_id}?done={name}")


async def _case(page: Page, case_id: UUID, status: int = 200, *, done: str | None = None, attempt: Any = None) -> Response:
    case = await page.get("recovery", f"/v1/cases/{case_id}")
    customer = case["customer"]
    line, relationship, whys = await asyncio.gather(
        page.look("journey", f"/v1/customers/{customer}/timeline", limit=_LINE, order="newest", ahead=True),
        page.look("journey", f"/v1/customers/{customer}/relationship"),
        asyncio.gather(*(_why(page, each) for each in case["failures"])),
    )
    entries = [] if line is None else line["items"][::-1]
    ahead = [] if line is None else line["ahead"] or []
    things = {kind: _with_forms(case[name], kind, case["state"], page.roles) for kind, name in THINGS.items()}
    return page.render(
        "case.html", status, case=case, things=things, entries=entries, ahead=ahead, picture=picture_of(entries, ahead, page),
        line_known=line is not None,
        relationship=relationship, whys=[each for each in whys if each], done=done, attempt=attempt, key=str(uuid4()),
        forms=forms.of_case(case["state"], page.roles), more=line is not None and line["next"] is not None,
        changed=[] if not attempt or attempt["since"] is None else [each for each in case["acts"] if each["number"] > attempt["since"]],
    )  # fmt: skip


async def _why(page: Page, failure: Mapping[str, Any]) -> Any:
    """Why a promise counts as broken; a failure that somebody reported has no commitment to explain."""
    if failure["promise"] is None:
        return None
    return await page.look("promises", f"/v1/commitments/{failure['commitment']}/explanation")


def _with_forms(things: Iterable[dict[str, Any]], kind: str, state: str, roles: Iterable[str]) -> list[dict[str, Any]]:
    return [each | {"forms": [] if each.get("done") and kind != "help" else forms.of_thing(kind, each, state, roles)} for each in things]


def picture_of(entries: Iterable[Mapping[str, Any]], ahead: Iterable[Mapping[str, Any]], page: Page) -> Picture:
    """The line of time of some entries, and of what is still due."""
    been = [Point(parsed(each["time"]), each["kind"], each["type"], parsed(each["arrival"])) for each in entries]
    coming = [Point(parsed(each["due"]), "ahead", each["promise"]) for each in ahead if each["due"]]
    times = [each.time for each in been]
    replayed = max(times, default=page.reader.now)
    return draw([*been, *coming], max(replayed, min(page.reader.now, max((each.time for each in coming), default=replayed))))
