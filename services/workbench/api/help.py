"""Help: what the pages are for, a first round through them, and the keys."""

from fastapi import APIRouter
from starlette.responses import Response

from services.workbench.api.page import Anybody

router = APIRouter()


@router.get("/help")
async def show_help(page: Anybody) -> Response:
    """For newcomers, and for whoever works with the keyboard."""
    return page.render("help.html")
