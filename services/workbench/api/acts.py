"""Doing something with a case: every act of the table as a form, by itself or within another page. What was written is never lost."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from contracts.acts import BY_NAME
from services.workbench import forms
from services.workbench.api.cases import THINGS, changed, render_case
from services.workbench.api.page import Page, SignedIn, own_path
from services.workbench.forms import NotFilledError
from services.workbench.upstream import RefusedError

router = APIRouter(prefix="/cases/{case_id}/acts")
_STALE: Final = 412
_UNREADABLE: Final = 422
_HOLDER: Final = re.compile(r"[a-z]+-[a-z]+-[0-9a-f-]{36}")
_FIELDS: Final = 60


@dataclass(frozen=True, slots=True)
class Sent:
    """A form as it was sent."""

    act: str
    values: Mapping[str, str]

    @property
    def thing(self) -> str:
        """The id of what it is about; raises `ValueError` where it is none."""
        thing = self.values.get("thing", "")
        return str(UUID(thing)) if thing else ""

    @property
    def version(self) -> int:
        """The version of the case on which it was filled in; raises `ValueError`."""
        return int(self.values.get("version", ""))

    def attempt(self, **more: Any) -> dict[str, Any]:
        """What a page shows of it where it was not done."""
        return {
            "act": self.act,
            "thing": self.values.get("thing", ""),
            "sent": self.values,
            "error": None,
            "field": None,
            "since": None,
        } | more


@router.get("/{name}")
async def show_act(
    case_id: UUID, name: str, page: SignedIn,
    thing: Annotated[str, Query(max_length=36)] = "", then: Annotated[str, Query(max_length=200)] = "/",
    holder: Annotated[str, Query(max_length=80)] = "",
) -> Response:  # fmt: skip
    """One act alone, to be filled in; afterwards one is led to `then`."""
    if name not in forms.NAMES:
        return page.render("nothing.html", 404)
    sent = Sent(name, {"thing": thing, "then": then, "holder": holder})
    return await _render(page, case_id, sent, 200, None)


@router.post("/{name}")
async def do_act(case_id: UUID, name: str, request: Request, page: SignedIn) -> Response:
    """Do an act as it was filled in. Where somebody else was faster, what was written stays, beside what they did."""
    if name not in forms.NAMES:
        return page.render("nothing.html", 404)
    async with request.form(max_files=0, max_fields=_FIELDS) as form:
        sent = Sent(name, {key: value for key, value in form.items() if isinstance(value, str)})
    try:
        body = forms.filled(name, sent.values, page.reader.zone)
        path = f"/v1/cases/{case_id}/{forms.path_of(name, sent.thing)}"
        key = sent.values.get("key") if BY_NAME[name].creates else None
        case = await page.services.post(page.someone, "recovery", path, body, version=sent.version, key=key)
    except NotFilledError as error:
        return await _refused(page, case_id, sent, _UNREADABLE, field=error.field, right=error.right)
    except RefusedError as error:
        since = sent.version if error.status == _STALE else None
        return await _refused(page, case_id, sent, error.status, error=error, since=since)
    except ValueError:
        return page.render("nothing.html", 404)
    then = sent.values.get("then")
    return page.to(f"{own_path(then)}?done={name}" if then else f"/cases/{case_id}?done={name}&version={case['version']}")


async def _refused(page: Page, case_id: UUID, sent: Sent, status: int, **why: Any) -> Response:
    attempt = sent.attempt(**why)
    if "then" in sent.values:
        return await _render(page, case_id, sent, status, attempt)
    return await render_case(page, case_id, status, attempt=attempt)


async def _render(page: Page, case_id: UUID, sent: Sent, status: int, attempt: dict[str, Any] | None) -> Response:
    """The act alone; within another page htmx puts it where the line has its place for it."""
    case = await page.get("recovery", f"/v1/cases/{case_id}")
    thing = sent.values.get("thing", "")
    holder = sent.values.get("holder", "")
    held = _HOLDER.fullmatch(holder) is not None
    headers = {"HX-Retarget": f"#{holder}", "HX-Reselect": ".doing", "HX-Reswap": "innerHTML"} if held else {}
    return page.render(
        "act.html", status, headers, case=case, form=forms.one(sent.act, thing), about=_about(case, sent.act, thing), attempt=attempt,
        changed=changed(case, attempt), key=str(uuid4()), then=own_path(sent.values.get("then", "/")), holder=holder if held else "",
    )  # fmt: skip


def _about(case: Mapping[str, Any], act: str, thing: str) -> Any:
    kind = BY_NAME[act].thing
    return next((each for each in case[THINGS[kind]] if each["id"] == thing), None) if kind in THINGS else None
