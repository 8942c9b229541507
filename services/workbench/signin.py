"""Signing in with the company's OpenID provider: authorization code with PKCE, as RFC 7636 and OpenID Connect Core have it."""

import secrets
import time
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.workbench.settings import WorkbenchSettings

SCOPE: Final = "openid profile"
DONE: Final = "/sign-in/done"
_ALGORITHMS: Final = ["ES256", "RS256"]
_KNOWN_SECONDS: Final = 300.0


class SignInFailedError(Exception):
    """Signing in did not work; begin again."""


class Beginning(NamedTuple):
    """What the browser is sent away with, and what has to be known when it comes back."""

    url: str
    kept: dict[str, str]


class Provider:
    """The OpenID provider; what it says of itself is asked anew every few minutes."""

    def __init__(self, settings: WorkbenchSettings, client: httpx2.AsyncClient, transport: httpx2.AsyncBaseTransport | None) -> None:
        """The provider at `settings.oidc_url`, asked through this client; the exchange of a code has one of its own, over `transport`."""
        self._settings, self._client, self._transport = settings, client, transport
        self._known: dict[str, Any] = {}
        self._asked = float("-inf")

    async def begin(self, then: str) -> Beginning:
        """Where to send the browser; `then` is the page it wanted."""
        about, verifier, nonce = await self._about(), secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        async with self._oauth() as oauth:
            url, state = oauth.create_authorization_url(about["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
        return Beginning(url, {"state": state, "verifier": verifier, "nonce": nonce, "then": then})

    async def finish(self, kept: dict[str, str], state: str, code: str, issuer: str | None) -> dict[str, Any]:
        """The tokens for what the provider sent the browser back with; raises `SignInFailedError`."""
        about = await self._about()
        if not secrets.compare_digest(kept.get("state", "").encode(), state.encode()) or issuer not in {None, about["issuer"]}:
            raise SignInFailedError
        try:
            async with self._oauth() as oauth:
                tokens: dict[str, Any] = await oauth.fetch_token(about["token_endpoint"], code=code, code_verifier=kept["verifier"])
            await self._check(tokens["id_token"], about, kept["nonce"])
        except (AuthlibBaseError, JoseError, KeyError, ValueError) as error:
            raise SignInFailedError from error
        return tokens

    async def farewell(self) -> str | None:
        """Where the provider's own session ends (OpenID Connect RP-Initiated Logout); None where it has none, or does not answer.

        The client is named instead of an `id_token_hint`: no token goes through the browser.
        """
        try:
            address = (await self._about()).get("end_session_endpoint")
        except SignInFailedError:
            return None
        home = f"{self._settings.workbench_url}/"
        return f"{address}?{urlencode({'client_id': self._settings.oidc_client, 'post_logout_redirect_uri': home})}" if address else None

    def _oauth(self) -> AsyncOAuth2Client:
        settings = self._settings
        secret = settings.oidc_secret.get_secret_value() if settings.oidc_secret else None
        return AsyncOAuth2Client(
            settings.oidc_client, secret, scope=SCOPE, redirect_uri=settings.workbench_url + DONE, code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if secret else "none", transport=self._transport,
        )  # fmt: skip

    async def _about(self) -> dict[str, Any]:
        if time.monotonic() - self._asked > _KNOWN_SECONDS:
            found: dict[str, Any] = await self._json(f"{self._settings.oidc_url.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self._settings.oidc_url.rstrip("/"):
                raise SignInFailedError(f"the provider at {self._settings.oidc_url} calls itself {found.get('issuer')}")
            self._known, self._asked = found, time.monotonic()
        return self._known

    async def _check(self, id_token: str, about: dict[str, Any], nonce: str) -> None:
        keys = KeySet.import_key_set(await self._json(about["jwks_uri"]))
        claims = jwt.decode(id_token, keys, algorithms=_ALGORITHMS).claims
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": about["issuer"]},
            aud={"essential": True, "value": self._settings.oidc_client},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(claims)

    async def _json(self, url: str) -> Any:
        try:
            answer = await self._client.get(url)
            answer.raise_for_status()
            return answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise SignInFailedError(f"the OpenID provider at {self._settings.oidc_url} does not answer as one") from error
