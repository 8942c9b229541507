"""Operations: is it healthy, how far behind is it, and what waits for a person."""

import asyncio
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from services.workbench.api.page import SignedIn

router = APIRouter(prefix="/operations")
_SERVICES: Final = ("journey", "promises", "recovery")
_SHOWN: Final = 50


@router.get("")
async def show_operations(page: SignedIn) -> Response:
    """Every lane, what is behind, silent sources, and refused records."""
    missing, sources, quarantine, *statuses = await asyncio.gather(
        page.services.missing(), page.look("journey", "/v1/sources"), page.look("journey", "/v1/quarantine", limit=_SHOWN),
        *(page.look(each, "/v1/status") for each in _SERVICES),
    )  # fmt: skip
    return page.render(
        "operations.html", missing=missing, statuses=dict(zip(_SERVICES, statuses, strict=True)),
        sources=[] if sources is None else sources["items"], quarantine=None if quarantine is None else quarantine["items"],
    )  # fmt: skip
