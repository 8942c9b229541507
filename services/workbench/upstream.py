"""The three services' REST APIs, asked in the name of whoever is signed in. Nothing is decided here."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import httpx2

from services.chassis.preconditions import etag
from services.workbench.sessions import Session
from services.workbench.settings import WorkbenchSettings

TIMEOUT_SECONDS: Final = 10.0
_UNAUTHENTICATED: Final = 401
_REFUSALS: Final = 400
_NOT_FOR_THEM: Final = frozenset({403, 404})


class SignInAgainError(Exception):
    """The session's token is not taken any more."""


class UnreachableError(Exception):
    """A service does not answer."""

    def __init__(self, service: str) -> None:
        """Say which."""
        super().__init__(service)
        self.service = service


class RefusedError(Exception):
    """A service refused, and says why in the words of its problem document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        """Take the problem as it came."""
        super().__init__(str(problem.get("title", status)))
        self.status = status
        self.title = str(problem.get("title", ""))
        self.detail = str(problem.get("detail", ""))
        self.errors: list[Mapping[str, Any]] = list(problem.get("errors", ()))


class Services:
    """The three services, over one pool of connections."""

    def __init__(self, settings: WorkbenchSettings, client: httpx2.AsyncClient) -> None:
        """At the addresses that the settings name."""
        self._client = client
        self._bases = {"journey": settings.journey_url, "promises": settings.promises_url, "recovery": settings.recovery_url}

    async def get(self, session: Session | None, service: str, path: str, **query: Any) -> Any:
        """Read something; raises `RefusedError`, `SignInAgainError` or `UnreachableError`."""
        asked = {name: value for name, value in query.items() if value is not None}
        return await self._send(session, service, "GET", path, params=asked)

    async def look(self, session: Session | None, service: str, path: str, **query: Any) -> Any:
        """Read what a page is whole without: None where they may not see it, it is not there, or the service does not answer."""
        try:
            return await self.get(session, service, path, **query)
        except UnreachableError:
            return None
        except RefusedError as refused:
            if refused.status in _NOT_FOR_THEM:
                return None
            raise

    async def post(
        self, session: Session, service: str, path: str, body: Mapping[str, Any], *, version: int | None = None, key: str | None = None
    ) -> Any:
        """Do something; `version` is the one that the person has seen, `key` makes a creation happen once."""
        headers = {} if version is None else {"If-Match": etag(version)}
        headers |= {} if key is None else {"Idempotency-Key": key}
        return await self._send(session, service, "POST", path, json=dict(body), headers=headers)

    async def missing(self) -> dict[str, str]:
        """Which services are not ready, and why."""
        names = list(self._bases)
        answers = await asyncio.gather(*(self._ready(each) for each in names))
        return {name: answer for name, answer in zip(names, answers, strict=True) if answer}

    async def _ready(self, service: str) -> str | None:
        try:
            answer = await self._client.get(self._bases[service] + "/readyz")
        except httpx2.HTTPError as error:
            return type(error).__name__
        return None if answer.is_success else str(answer.status_code)

    async def _send(self, session: Session | None, service: str, method: str, path: str, **how: Any) -> Any:
        headers = how.pop("headers", {}) | ({} if session is None else {"Authorization": f"Bearer {session.token}"})
        try:
            answer = await self._client.request(method, self._bases[service] + path, headers=headers, **how)
        except httpx2.HTTPError as error:
            raise UnreachableError(service) from error
        if answer.status_code == _UNAUTHENTICATED and session is not None:
            raise SignInAgainError
        if answer.status_code >= _REFUSALS:
            raise RefusedError(answer.status_code, _problem(answer))
        return answer.json() if answer.content else None


def _problem(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"title": answer.reason_phrase}
