"""The local stack's own OpenID provider: the people of `people.py`, chosen from a list, without passwords.

`python -m deploy.local.identity`, on loopback and for MAKEGOOD_ENV=local only. One client, one address that people are sent
back to, authorization code with PKCE (S256). It remembers nothing but codes on their way: there is no session here to end.
"""

import argparse
import hashlib
import os
import secrets
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from deploy.local import issuer, people, sign_in
from deploy.local.people import Person

HOST = "127.0.0.1"
CODE_SECONDS = 60
BODY_LIMIT_BYTES = 16 * 1024
CHALLENGE_LENGTH = 43
"""Of a SHA-256 in base64url."""
SEE_OTHER = 303
PASSED_ON = ("response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method")


class MalformedError(Exception):
    """A request that cannot be read, or that must not be answered at the address it names."""


class SentBackError(Exception):
    """A request for a sign-in that is refused to whoever asked (RFC 6749, 4.1.2.1; OpenID Connect, 3.1.2.6)."""

    def __init__(self, error: str, why: str) -> None:
        """With the error's registered name, and a sentence."""
        super().__init__(why)
        self.error = error


class TokenError(Exception):
    """A request for tokens that is refused (RFC 6749, 5.2)."""

    def __init__(self, error: str, why: str, status: int = 400) -> None:
        """With the error's registered name, and a sentence."""
        super().__init__(why)
        self.error, self.status = error, status


@dataclass(frozen=True, slots=True)
class Grant:
    """What a code stands for until `until`, seconds of the provider's clock."""

    person: Person
    challenge: str
    nonce: str | None
    until: float


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider for one client."""

    url: str
    client: str
    redirect: str
    keys: Path
    clock: Callable[[], float] = time.monotonic
    grants: dict[str, Grant] = field(default_factory=dict)
    """By code."""

    @property
    def workbench(self) -> str:
        """Where the client is at home."""
        at = urlsplit(self.redirect)
        return f"{at.scheme}://{at.netloc}"

    def described(self) -> dict[str, Any]:
        """Say what the provider can do (OpenID Connect Discovery)."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks.json",
            "end_session_endpoint": f"{self.url}/sign-out",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "scopes_supported": ["openid", "profile"],
            "claims_supported": ["sub", "name"],
            "authorization_response_iss_parameter_supported": True,
            "request_uri_parameter_supported": False,
        }

    def check(self, asked: Mapping[str, str]) -> None:
        """Refuse a request for a sign-in that this provider must not answer, or cannot."""
        if asked.get("client_id") != self.client:
            raise MalformedError(f"The client is not known here; it would be {self.client}.")
        if asked.get("redirect_uri") != self.redirect:
            raise MalformedError("The address to come back to (redirect_uri) is not the one that this provider was started with.")
        if asked.get("response_type") != "code":
            raise SentBackError("unsupported_response_type", "response_type must be code")
        if "request" in asked or "request_uri" in asked:
            raise SentBackError("request_not_supported", "a request is made by its parameters here")
        if "openid" not in asked.get("scope", "").split():
            raise SentBackError("invalid_scope", "scope must hold openid")
        if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != CHALLENGE_LENGTH:
            raise SentBackError("invalid_request", "PKCE is required: code_challenge with code_challenge_method S256 (RFC 7636)")
        if asked.get("prompt") == "none":
            raise SentBackError("login_required", "somebody has to say who they are")

    def grant(self, person: Person, asked: Mapping[str, str]) -> str:
        """Return a code for somebody; those that nobody fetched in time are forgotten."""
        now = self.clock()
        for code in [code for code, each in self.grants.items() if each.until <= now]:
            del self.grants[code]
        code = secrets.token_urlsafe(32)
        self.grants[code] = Grant(person, asked["code_challenge"], asked.get("nonce"), now + CODE_SECONDS)
        return code

    def redeem(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Return the tokens that a code stands for; whatever the answer, the code is used up."""
        if asked.get("grant_type") != "authorization_code":
            raise TokenError("unsupported_grant_type", "grant_type must be authorization_code")
        if asked.get("client_id") != self.client:
            raise TokenError("invalid_client", "this client is not known here", 401)
        if missing := [name for name in ("code", "redirect_uri", "code_verifier") if name not in asked]:
            raise TokenError("invalid_request", f"missing: {', '.join(missing)}")
        grant = self.grants.pop(asked["code"], None)
        if grant is None or grant.until <= self.clock():
            raise TokenError("invalid_grant", f"the code is not known, was used, or is older than {CODE_SECONDS} s")
        if asked["redirect_uri"] != self.redirect:
            raise TokenError("invalid_grant", "the code was given for another redirect_uri")
        if not secrets.compare_digest(_challenge(asked["code_verifier"]), grant.challenge.encode()):
            raise TokenError("invalid_grant", "code_verifier is not what code_challenge was made of")
        return self._tokens(grant)

    def _tokens(self, grant: Grant) -> dict[str, Any]:
        person, now = grant.person, int(time.time())
        access = issuer.token(self.keys, subject=person.subject, name=person.name, roles=person.roles, teams=person.teams)
        claims = {"iss": self.url, "aud": self.client, "sub": person.subject, "name": person.name, "iat": now, "exp": now + issuer.HOUR}
        nonce = {} if grant.nonce is None else {"nonce": grant.nonce}
        identity = issuer.sign(self.keys, claims | nonce, "JWT")
        return {"access_token": access, "token_type": "Bearer", "expires_in": issuer.WORKING_DAY, "id_token": identity}


def build(provider: Provider) -> Starlette:
    """Return the provider's application."""
    app = Starlette(
        routes=[
            Route("/authorize", _authorize, methods=["GET", "POST"]),
            Route("/token", _token, methods=["POST"]),
            Route("/sign-out", _sign_out),
            Route("/jwks.json", lambda _: FileResponse(provider.keys / issuer.PUBLIC)),
            Route("/.well-known/openid-configuration", lambda _: JSONResponse(provider.described())),
            Route("/style.css", lambda _: Response(sign_in.STYLE, media_type="text/css")),
            Route("/readyz", lambda _: JSONResponse({"status": "ready"})),
        ],
        # What is asked for under another name, which leads here, is not ours to answer.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST])],
    )
    app.state.provider = provider
    return app


async def _authorize(request: Request) -> Response:
    """Ask who it is; once somebody was chosen, send the browser back with a code."""
    provider: Provider = request.app.state.provider
    asked: dict[str, str] = {}
    try:
        asked = _once(await _form(request) if request.method == "POST" else request.url.query)
        provider.check(asked)
    except MalformedError as error:
        return sign_in.refused(str(error))
    except SentBackError as error:
        return _back(provider, asked, {"error": error.error, "error_description": str(error)})
    person = people.find(asked.get("person", "")) if request.method == "POST" else None
    if person is None:
        again = {name: asked[name] for name in PASSED_ON if name in asked}
        return sign_in.choose(people.PEOPLE, again, provider.workbench)
    return _back(provider, asked, {"code": provider.grant(person, asked)})


async def _token(request: Request) -> Response:
    provider: Provider = request.app.state.provider
    try:
        status, answer = 200, provider.redeem(_once(await _form(request)))
    except MalformedError as error:
        status, answer = 400, {"error": "invalid_request", "error_description": str(error)}
    except TokenError as error:
        status, answer = error.status, {"error": error.error, "error_description": str(error)}
    return JSONResponse(answer, status, {"Cache-Control": "no-store"})


async def _sign_out(request: Request) -> Response:
    """Send the browser home where that is asked for (OpenID Connect RP-Initiated Logout); there is nothing to end."""
    provider: Provider = request.app.state.provider
    home = f"{provider.workbench}/"
    if request.query_params.get("post_logout_redirect_uri") != home:
        return sign_in.signed_out(home)
    state = request.query_params.get("state")
    return RedirectResponse(f"{home}?{urlencode({'state': state})}" if state else home, SEE_OTHER)


def _back(provider: Provider, asked: Mapping[str, str], answer: Mapping[str, str]) -> Response:
    """Send the browser back to the client, with who says so (RFC 9207)."""
    state = {"state": asked["state"]} if "state" in asked else {}
    address = f"{provider.redirect}?{urlencode({**answer, **state, 'iss': provider.url})}"
    return RedirectResponse(address, SEE_OTHER, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


async def _form(request: Request) -> str:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_LIMIT_BYTES:
            raise MalformedError(f"At most {BODY_LIMIT_BYTES} bytes are read.")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise MalformedError("The body must be application/x-www-form-urlencoded.")
    return body.decode("utf-8", "replace")


def _once(text: str) -> dict[str, str]:
    """Return parameters by name; none may stand twice (RFC 6749, 3.1)."""
    pairs = parse_qsl(text)
    asked = dict(pairs)
    if len(asked) != len(pairs):
        raise MalformedError("A parameter stands in the request more than once.")
    return asked


def _challenge(verifier: str) -> bytes:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.identity", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--client", required=True, help="the client's id")
    parser.add_argument("--redirect", required=True, help="where people are sent back to, exactly")
    parser.add_argument("--keys", type=Path, required=True, help="folder of the key pair that tokens are signed with")
    asked = parser.parse_args()
    if os.environ.get("MAKEGOOD_ENV") != "local":
        sys.exit("deploy.local.identity: anybody can be anybody here, so it is for MAKEGOOD_ENV=local only")
    issuer.ensure_keys(asked.keys)
    app = build(Provider(f"http://{HOST}:{asked.port}", asked.client, asked.redirect, asked.keys))
    uvicorn.run(app, host=HOST, port=asked.port, access_log=False, server_header=False, proxy_headers=False, log_level="warning")


if __name__ == "__main__":
    main()
