"""A surge: how what comes stands to what people can put right, what comes first, and what will be missed at this pace."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from services.workbench.api.page import SignedIn

router = APIRouter(prefix="/surge")
_SHOWN: Final = 50


@router.get("")
async def show_surge(
    page: SignedIn, days: Annotated[int | None, Query(ge=1, le=366)] = None, cursor: Annotated[str | None, Query(max_length=2000)] = None
) -> Response:
    """Cases in the order of triage, with the earliest date that is honest for each."""
    found = await page.get("recovery", "/v1/surge", days=days, limit=_SHOWN, cursor=cursor)
    return page.render("surge.html", found=found, days=days)
