"""Cases: the list, one case with its line of time, and every act on it, made from the table of acts."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

from fastapi import APIRouter, Query
from pydantic import AwareDatetime
from starlette.responses import Response

from contracts.acts import BY_NAME
from services.workbench import forms
from services.workbench.api.page import Page, SignedIn
from services.workbench.api.today import OWED
from services.workbench.drawing import Picture, Point, draw
from services.workbench.live import BETWEEN
from services.workbench.reader import parsed

router = APIRouter(prefix="/cases")
PAGE: Final = 50
_LINE: Final = 200
"""Entries of the line of time that are drawn and listed; the customer's page has all."""
_BROKEN: Final = "makegood.commitment.broken"
_EXPLAINED: Final = 5
"""Of the failures of a case, so many are explained on its page, the latest; what came of all is a link away."""
_STATES: Final = (
    "open", "owned", "remedied", "confirmed", "watching", "restored", "not_restored", "unknown", "declined", "withdrawn", "merged",
)  # fmt: skip
THINGS: Final = {**OWED, "gesture": "gestures", "entry": "ledger", "message": "messages"}


@router.get("")
async def list_cases(
    page: SignedIn,
    state: Annotated[str | None, Query(max_length=40)] = None,
    owner: Annotated[str | None, Query(max_length=200)] = None,
    mass_failure: UUID | None = None,
    since: AwareDatetime | None = None,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> Response:
    """Cases by what is due next."""
    chosen = {
        "state": state or None, "owner": owner or None, "mass_failure": mass_failure and str(mass_failure),
        "opened_since": since and since.isoformat(),
    }  # fmt: skip
    found = await page.get("recovery", "/v1/cases", limit=PAGE, cursor=cursor, **chosen)
    return page.render("cases.html", cases=found["items"], following=found["next"], states=_STATES, chosen=chosen)


@router.get("/{case_id}")
async def show_case(
    case_id: UUID, page: SignedIn,
    done: Annotated[str | None, Query(max_length=40)] = None, version: Annotated[int | None, Query(ge=1)] = None,
) -> Response:  # fmt: skip
    """One case: what was promised and what happened, what is owed, and everything that can be done."""
    return await render_case(page, case_id, done=done if done in BY_NAME else None, acted=version)


async def render_case(page: Page, case_id: UUID, status: int = 200, *, attempt: Any = None, **told: Any) -> Response:
    """The page of a case; `attempt` is an act that was not done, `told` what came of one."""
    case = await page.get("recovery", f"/v1/cases/{case_id}")
    customer = case["customer"]
    line, relationship, whys = await asyncio.gather(
        page.look("journey", f"/v1/customers/{customer}/timeline", limit=_LINE, order="newest", ahead=True),
        page.look("journey", f"/v1/customers/{customer}/relationship"),
        asyncio.gather(*(_why(page, each) for each in case["failures"][-_EXPLAINED:])),
    )
    entries = [] if line is None else line["items"][::-1]
    ahead = [] if line is None else line["ahead"] or []
    things = {kind: _with_forms(case[name], kind, case["state"], page.roles) for kind, name in THINGS.items()}
    ways = forms.of_case(case["state"], page.roles)
    offered = [*ways, *(form for each in things.values() for thing in each for form in thing["forms"])]
    return page.render(
        "case.html", status, case=case, things=things, entries=entries, ahead=ahead, picture=await picture_of(entries, ahead, page),
        line_known=line is not None, more=line is not None and line["next"] is not None, relationship=relationship,
        whys=[each for each in whys if each], more_whys=len(case["failures"]) > _EXPLAINED, forms=ways,
        key=str(uuid4()), attempt=attempt, changed=changed(case, attempt),
        stray=_stray(attempt, offered), may_attach=forms.may("attach_file", page.roles),
        place=BETWEEN.join([str(case["version"]), "" if line is None else line["live"]]),
        **{"done": None, "acted": None, "file_refused": None} | told,
    )  # fmt: skip


def changed(case: Mapping[str, Any], attempt: Any) -> list[Any]:
    """What others did since the version on which somebody tried to act."""
    return [] if not attempt or attempt["since"] is None else [each for each in case["acts"] if each["number"] > attempt["since"]]


def _stray(attempt: Any, offered: Iterable[forms.Form]) -> forms.Form | None:
    """What was tried, where the case as it stands now no longer offers it: what was written must not be lost."""
    if not attempt or any((each.act, each.thing) == (attempt["act"], attempt["thing"]) for each in offered):
        return None
    return forms.one(attempt["act"], attempt["thing"])


async def _why(page: Page, failure: Mapping[str, Any]) -> Any:
    """Why a promise counts as broken; a failure that somebody reported has no commitment to explain."""
    if failure["promise"] is None:
        return None
    return await page.look("promises", f"/v1/commitments/{failure['commitment']}/explanation")


def _with_forms(things: Iterable[dict[str, Any]], kind: str, state: str, roles: Iterable[str]) -> list[dict[str, Any]]:
    return [each | {"forms": [] if each.get("done") and kind != "help" else forms.of_thing(kind, each, state, roles)} for each in things]


async def picture_of(entries: Iterable[Mapping[str, Any]], ahead: Iterable[Mapping[str, Any]], page: Page) -> Picture:
    """The line of time of some entries, and of what is still due; closed hours are shaded."""
    been = [Point(parsed(each["time"]), _sort(each), each["type"], parsed(each["arrival"])) for each in entries]
    coming = [Point(parsed(each["due"]), "ahead", each["promise"]) for each in ahead if each["due"]]
    times = [each.time for each in been]
    replayed = max(times, default=page.reader.now)
    now = max(replayed, min(page.reader.now, max((each.time for each in coming), default=replayed)))
    drawn = [now, *times, *(each.time for each in coming)]
    return draw([*been, *coming], now, await page.worked(min(drawn), max(drawn)))


def _sort(entry: Mapping[str, Any]) -> str:
    """As what something is drawn: what was promised, and broken, is told apart."""
    return "broken" if entry["type"] == _BROKEN else str(entry["kind"])
