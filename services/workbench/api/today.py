"""The first page: what is due next for whoever is signed in, and what is asked of them."""

import asyncio
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from services.workbench.api.page import SignedIn

router = APIRouter()
_SHOWN: Final = 50
_FREE: Final = 10
OWED: Final = {
    "pledge": "pledges", "task": "tasks", "help": "help_requests", "approval": "approvals", "compensation": "compensations",
}  # fmt: skip
"""What falls due in a case, and where the case has it."""


@router.get("/")
async def show_today(page: SignedIn) -> Response:
    """My cases and what falls due in them, approvals and help asked of me, and the cases that nobody has."""
    me = page.someone.principal.subject
    mine, free, approvals, helping = await asyncio.gather(
        page.look("recovery", "/v1/cases", owner=me, limit=_SHOWN, state=["open", "owned", "remedied"]),
        page.look("recovery", "/v1/cases", state="open", limit=_FREE),
        page.look("recovery", "/v1/approvals", limit=_SHOWN),
        page.look("recovery", "/v1/help-requests", limit=_SHOWN),
    )
    cases = _items(mine)
    unowned = [each for each in _items(free) if each["owner"] is None]
    return page.render(
        "today.html", cases=cases, due=due_next(cases), free=unowned, approvals=_items(approvals), helping=_items(helping),
        forbidden=mine is None, more=free is not None and free["next"] is not None,
    )  # fmt: skip


def due_next(cases: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """What falls due in these cases and is still open: (kind, thing, case), the next first."""
    found = [(kind, thing, case) for case in cases for kind, name in OWED.items() for thing in case[name] if thing["state"] == "open"]
    return sorted(found, key=lambda each: (each[1]["due"], each[1]["id"]))


def _items(answer: Any) -> list[dict[str, Any]]:
    return [] if answer is None else list(answer["items"])
