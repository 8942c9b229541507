"""What protects a page: the headers that every answer has, and the refusal of whatever another site sends here."""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Images may stand in an address, as Pico's ticks and arrows do: no script runs in an image, and it asks nobody for anything."""
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS: Final = frozenset({"same-origin", "none"})


class Guard:
    """ASGI middleware: one strict policy, nothing of a person's pages kept anywhere, and forms from our own pages alone."""

    def __init__(self, app: ASGIApp, site: str) -> None:
        """Around an application that browsers know by the address `site`."""
        self._app = app
        parts = urlsplit(site)
        self._origin = f"{parts.scheme}://{parts.netloc}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what comes from another site; add the headers to what goes out."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if scope["method"] in _READING or self._is_ours(Headers(scope=scope)):
            await self._app(scope, receive, headed)
        else:
            await PlainTextResponse("This form was sent from another site.", 403)(scope, receive, headed)

    def _is_ours(self, headers: Headers) -> bool:
        """Every browser in use sends one of the two with a form; what sends neither is no browser, and has no cookie of one."""
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is None and origin is None:
            return False
        return site in {None, *_OURS} and origin in {None, self._origin}
