"""The pages of the local stack's sign-in: plain, readable without a script, and with nothing that a page could be made to run."""

from collections.abc import Iterable, Mapping
from html import escape

from starlette.responses import HTMLResponse

from deploy.local.people import Person

STYLE = """\
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { margin: 0 auto; max-width: 36rem; padding: 2rem 1rem }
button { display: block; width: 100%; margin: 0 0 .75rem; padding: .75rem 1rem; font: inherit; text-align: start;
  color: CanvasText; background: Canvas; border: 1px solid GrayText; border-radius: .25rem; cursor: pointer }
button:hover, button:focus-visible { outline: 3px solid Highlight; outline-offset: 2px }
strong { display: block }
"""


def choose(people: Iterable[Person], request: Mapping[str, str], returns_to: str) -> HTMLResponse:
    """Ask who it is; the answer brings what was asked for with it."""
    hidden = "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in request.items())
    buttons = "".join(
        f'<button name="person" value="{escape(each.subject)}"><strong>{escape(each.name)}</strong> {escape(each.does)}</button>'
        for each in people
    )
    told = "<p>This is a system on your own machine: its people are made up, and there are no passwords.</p>"
    return _page("Who are you?", f'{told}<form method="post" action="/authorize">{hidden}{buttons}</form>', returns_to=returns_to)


def refused(why: str) -> HTMLResponse:
    """Say that nobody can be signed in for this, where it would be wrong to send the browser on."""
    return _page("This sign-in cannot go on", f"<p>{escape(why)}</p><p>Begin again at the workbench.</p>", status=400)


def signed_out(workbench: str) -> HTMLResponse:
    """Say that it is done, and the way back."""
    return _page("You are signed out", f'<p><a href="{escape(workbench)}">Back to the workbench</a></p>')


def _page(title: str, body: str, *, status: int = 200, returns_to: str = "") -> HTMLResponse:
    # Browsers hold a form to `form-action` also where its answer sends them on.
    policy = f"default-src 'none'; style-src 'self'; form-action 'self' {returns_to}".rstrip()
    headers = {
        "Content-Security-Policy": f"{policy}; base-uri 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title} · Makegood</title>'
    style = '<link rel="stylesheet" href="/style.css">'
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head>{head}{style}</head><body><main><h1>{title}</h1>{body}</main></body></html>', status, headers
    )
