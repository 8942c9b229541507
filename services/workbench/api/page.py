"""One page for one reader: who is signed in, in which language it is written, and how it is rendered."""

import functools
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.chassis.problems import Problem
from services.workbench import sessions
from services.workbench.house import House
from services.workbench.reader import WORKING, Hours, Reader, reader_of, translations
from services.workbench.sessions import COOKIE, Session
from services.workbench.upstream import Services, SignInAgainError

STATIC: Final = Path(__file__).parents[1] / "static"
SEE_OTHER: Final = 303
_NAMED: Final = 5
"""Of what failed in a case, so much is named in one line."""
_LEADS: Final = frozenset({"lead", "manager"})


@functools.cache
def environment(language: str) -> Environment:
    """The templates with their messages in a language."""
    made = Environment(
        loader=PackageLoader("services.workbench"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )  # fmt: skip
    made.filters["failed"] = failed
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]  # of the extension
    return made


def failed(failures: Iterable[Mapping[str, Any]], reported: str) -> str:
    """What failed in a case, in one line: each name once, of many the first few; `reported` is what has no name."""
    standing = (each for each in failures if not each["withdrawn"])
    names = list(dict.fromkeys(each["promise"] or each["what"] or reported for each in standing))
    return ", ".join([*names[:_NAMED], *(["…"] if names[_NAMED:] else [])])


@dataclass(frozen=True, slots=True)
class Page:
    """What every page is made of."""

    request: Request
    reader: Reader
    services: Services
    session: Session | None

    @property
    def someone(self) -> Session:
        """Whoever is signed in; raises `SignInAgainError` where nobody is."""
        if self.session is None:
            raise SignInAgainError
        return self.session

    @property
    def roles(self) -> frozenset[str]:
        """What they are to the company."""
        return self.session.principal.roles if self.session else frozenset()

    @property
    def leads(self) -> bool:
        """Whether the reader leads others, as far as what they are shown depends on it; the services decide what they may do."""
        return not self.roles.isdisjoint(_LEADS)

    def get(self, service: str, path: str, **query: Any) -> Awaitable[Any]:
        """Read something in their name."""
        return self.services.get(self.session, service, path, **query)

    def look(self, service: str, path: str, **query: Any) -> Awaitable[Any]:
        """Read what the page is whole without; None where there is nothing to be read."""
        return self.services.look(self.session, service, path, **query)

    def shown(self, service: str, path: str, **query: Any) -> Awaitable[Any]:
        """Read what is not for everybody; None where it is not for them."""
        return self.services.shown(self.session, service, path, **query)

    async def worked(self, start: datetime, end: datetime) -> Hours:
        """When the house works between two instants; nothing where that cannot be told."""
        house: House = self.request.app.state.house
        return await house.between(self.session, start, end)

    def render(self, template: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any) -> HTMLResponse:
        """Write the page."""
        state = self.request.app.state
        text = environment(self.reader.language).get_template(template).render(
            reader=self.reader, session=self.session, roles=self.roles, path=self.request.url.path, asset=state.served.address,
            page=template.removesuffix(".html"), clock=state.settings.clock,
            working=self.reader.text(WORKING), hours=_compact(self.reader.hours), **values
        )  # fmt: skip
        return HTMLResponse(text, status, headers)

    def to(self, path: str) -> Response:
        """Send the browser to another page of ours."""
        return RedirectResponse(own_path(path), SEE_OTHER)


def _compact(hours: Hours) -> str:
    """Working hours as a script reads them: seconds of the epoch."""
    return " ".join(f"{start.timestamp():.0f}-{end.timestamp():.0f}" for start, end in hours)


def spreadsheet(name: str, table: str) -> Response:
    """A table that the browser keeps as a file."""
    return Response(table, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}.csv"'})


def own_path(path: str) -> str:
    """That path where it is one of ours, the first page otherwise: nobody is sent to another site from here."""
    parts = urlsplit(path)
    ours = path.startswith("/") and not path.startswith("//") and "\\" not in path and not parts.scheme and not parts.netloc
    return path if ours and path.isprintable() else "/"


async def anybody(request: Request) -> Page:
    """A page that needs nobody to be signed in."""
    state = request.app.state
    session = await _session(request, await sessions.read(state.engine, request.cookies.get(COOKIE)))
    now = await state.house.now(session)
    hours = await state.house.hours(session, now)
    reader = reader_of(request.cookies, request.headers.get("accept-language", ""), state.settings.zone, now, hours)
    return Page(request, reader, state.services, session)


async def _session(request: Request, kept: dict[str, Any] | None) -> Session | None:
    if kept is None or "token" not in kept:
        return None
    try:
        return Session(await request.app.state.gate.identify(kept["token"]), kept["token"])
    except Problem:
        return None


async def signed_in(page: Annotated[Page, Depends(anybody)]) -> Page:
    """A page for whoever is signed in."""
    if page.session is None:
        raise SignInAgainError
    return page


Anybody = Annotated[Page, Depends(anybody)]
SignedIn = Annotated[Page, Depends(signed_in)]
