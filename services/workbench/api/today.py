"""The first page: what is due next for whoever is signed in, and what is asked of them."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Final
from uuid import uuid4

from fastapi import APIRouter, Query
from starlette.responses import Response

from contracts.acts import BY_NAME
from services.workbench import forms
from services.workbench.api.page import SignedIn
from services.workbench.reader import Hours

router = APIRouter()
_SHOWN: Final = 50
_FREE: Final = 10
_A_NIGHT: Final = timedelta(hours=6)
"""A pause in the working hours that is at least so long is a night; a shorter one, a break."""
_A_DAY: Final = timedelta(days=1)
OWED: Final = {
    "pledge": "pledges", "task": "tasks", "help": "help_requests", "approval": "approvals", "compensation": "compensations",
}  # fmt: skip
"""What falls due in a case, and where the case has it."""


@router.get("/")
async def show_today(page: SignedIn, done: Annotated[str | None, Query(max_length=40)] = None) -> Response:
    """My cases and what falls due in them, approvals and help asked of me, and the cases that nobody has."""
    me = page.someone.principal.subject
    place = await page.services.place(page.someone, "recovery", "/v1/cases/events")  # before the lists: nothing is missed between
    night = night_before(page.reader.hours, page.reader.now)
    mine, free, fresh, approvals, helping = await asyncio.gather(
        page.look("recovery", "/v1/cases", owner=me, limit=_SHOWN, state=["open", "owned", "remedied"]),
        page.look("recovery", "/v1/cases", state="open", limit=_FREE),
        page.look("recovery", "/v1/cases", state="open", opened_since=night.isoformat(), limit=_FREE),
        page.look("recovery", "/v1/approvals", limit=_SHOWN),
        page.look("recovery", "/v1/help-requests", limit=_SHOWN),
    )
    cases = _items(mine)
    unowned = [each for each in _items(free) if each["owner"] is None]
    return page.render(
        "today.html", cases=cases, due=due_next(cases), free=unowned, approvals=_items(approvals), helping=_items(helping),
        night=night, fresh=_items(fresh), more_fresh=fresh is not None and fresh["next"] is not None,
        forbidden=mine is None, more=free is not None and free["next"] is not None, place=place, done=done in BY_NAME,
        key=str(uuid4()), ways=lambda kind: _ways(kind, page.reader.text, page.roles),
    )  # fmt: skip


def _ways(kind: str, text: Callable[[str], str], roles: Iterable[str]) -> list[tuple[str, str, bool]]:
    """What somebody may do to a line of a kind: the act, a word for it, and whether it needs nothing to be filled in."""
    return [(name, text(word), not forms.fields_of(name)) for name, word in forms.WAYS[kind].items() if forms.may(name, roles)]


def due_next(cases: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """What falls due in these cases and is still open: (kind, thing, case), the next first."""
    found = [(kind, thing, case) for case in cases for kind, name in OWED.items() for thing in case[name] if thing["state"] == "open"]
    return sorted(found, key=lambda each: (each[1]["due"], each[1]["id"]))


def night_before(hours: Hours, now: datetime) -> datetime:
    """When the house closed for the last night; a day ago where its hours are not known."""
    closed = [end for (_, end), (start, _) in pairwise(hours) if end <= now and start - end >= _A_NIGHT]
    return max(closed, default=now - _A_DAY)


def _items(answer: Any) -> list[dict[str, Any]]:
    return [] if answer is None else list(answer["items"])
