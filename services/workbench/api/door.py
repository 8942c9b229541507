"""The door: signing in and out, and in which language and zone one reads."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from services.workbench import sessions
from services.workbench.api.page import Anybody, own_path
from services.workbench.reader import LANGUAGE_COOKIE, LANGUAGES, ZONE_COOKIE, zone_of
from services.workbench.sessions import COOKIE
from services.workbench.signin import SignInFailedError

router = APIRouter()
_TO_SIGN_IN: Final = timedelta(minutes=10)
_A_DAY: Final = timedelta(hours=12)
_A_YEAR: Final = 365 * 24 * 3600


@router.get("/sign-in")
async def show_door(page: Anybody, then: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """Say what this is, and where to sign in; whoever is signed in already goes on."""
    if page.session is not None:
        return page.to(then)
    return page.render("door.html", then=own_path(then))


@router.get("/sign-in/begin")
async def begin_sign_in(request: Request, then: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """Send the browser to the provider. It is a link: where a form leads to is bound to our own pages."""
    beginning = await request.app.state.provider.begin(own_path(then))
    secret = await sessions.begin(request.app.state.engine, beginning.kept, _TO_SIGN_IN)
    answer = Response(status_code=303, headers={"Location": beginning.url})
    _remember(answer, secret, _TO_SIGN_IN)
    return answer


@router.get("/sign-in/done")
async def finish_sign_in(
    request: Request,
    page: Anybody,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=2000)] = "",
    iss: Annotated[str | None, Query(max_length=2000)] = None,
) -> Response:
    """Take what the provider sent the browser back with; the session gets a secret of its own."""
    kept = await sessions.end(request.app.state.engine, request.cookies.get(COOKIE))
    if kept is None or "verifier" not in kept:
        raise SignInFailedError
    tokens = await request.app.state.provider.finish(kept, state, code, iss)
    lasting = min(_A_DAY, timedelta(seconds=int(tokens.get("expires_in", _A_DAY.total_seconds()))))
    secret = await sessions.begin(request.app.state.engine, {"token": tokens["access_token"]}, lasting)
    answer = page.to(kept["then"])
    _remember(answer, secret, lasting)
    return answer


@router.post("/sign-out")
async def sign_out(request: Request, page: Anybody) -> Response:
    """End the session here, then at the provider: by a page, since where a form leads to is bound to our own."""
    await sessions.end(request.app.state.engine, request.cookies.get(COOKIE))
    answer = page.to("/sign-out/done")
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


@router.get("/sign-out/done")
async def finish_sign_out(request: Request, page: Anybody) -> Response:
    """Go on to the provider, to be signed out there, too; it leads back to the first page."""
    farewell = await request.app.state.provider.farewell()
    return page.to("/sign-in") if farewell is None else page.render("farewell.html", farewell=farewell)


@router.post("/reading")
async def choose_reading(
    page: Anybody,
    language: Annotated[str, Form(max_length=10)] = "",
    zone: Annotated[str, Form(max_length=60)] = "",
    then: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """In which language and zone this browser reads."""
    answer = page.to(then)
    if language in LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, language, _A_YEAR, secure=True, httponly=True, samesite="lax")
    if zone and zone_of(zone, "UTC").key == zone:
        answer.set_cookie(ZONE_COOKIE, zone, _A_YEAR, secure=True, httponly=True, samesite="lax")
    return answer


def _remember(answer: Response, secret: str, lasting: timedelta) -> None:
    """Lax, since the way back from the provider begins on another site."""
    answer.set_cookie(COOKIE, secret, int(lasting.total_seconds()), path="/", secure=True, httponly=True, samesite="lax")
