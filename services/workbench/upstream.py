"""The three services' REST APIs, asked in the name of whoever is signed in. Nothing is decided here."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

import httpx2
import orjson

from services.chassis.preconditions import etag
from services.workbench.sessions import Session
from services.workbench.settings import WorkbenchSettings

TIMEOUT_SECONDS: Final = 10.0
_UNAUTHENTICATED: Final = 401
_REFUSALS: Final = 400
_NOT_FOR_THEM: Final = frozenset({403, 404})
_SILENT_SECONDS: Final = 60.0
"""A stream that gives no sign of life for so long is broken."""
Told = tuple[str, list[dict[str, Any]]]
"""The place behind it, and what is told; of nothing it is a sign of life."""


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

    def __init__(self, settings: WorkbenchSettings, client: httpx2.AsyncClient, streams: httpx2.AsyncClient) -> None:
        """At the addresses that the settings name; `streams` is for answers without an end."""
        self._client, self._streams = client, streams
        self._bases = {"journey": settings.journey_url, "promises": settings.promises_url, "recovery": settings.recovery_url}

    async def get(self, session: Session | None, service: str, path: str, **query: Any) -> Any:
        """Read something; raises `RefusedError`, `SignInAgainError` or `UnreachableError`."""
        asked = {name: value for name, value in query.items() if value is not None}
        return await self._send(session, service, "GET", path, params=asked)

    async def look(self, session: Session | None, service: str, path: str, **query: Any) -> Any:
        """Read what a page is whole without: None where they may not see it, it is not there, or the service does not answer."""
        try:
            return await self.shown(session, service, path, **query)
        except UnreachableError:
            return None

    async def shown(self, session: Session | None, service: str, path: str, **query: Any) -> Any:
        """Read what is not for everybody: None where they may not see it. Where the service does not answer, that is raised."""
        try:
            return await self.get(session, service, path, **query)
        except RefusedError as refused:
            if refused.status in _NOT_FOR_THEM:
                return None
            raise

    async def post(
        self,
        session: Session,
        service: str,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        version: int | None = None,
        key: str | None = None,
    ) -> Any:
        """Do something; `version` is the one that the person has seen, `key` makes a creation happen once."""
        headers = {} if version is None else {"If-Match": etag(version)}
        headers |= {} if key is None else {"Idempotency-Key": key}
        return await self._send(session, service, "POST", path, headers=headers, **({} if body is None else {"json": dict(body)}))

    async def attach(self, session: Session, path: str, content: bytes, *, version: int, key: str, **query: Any) -> Any:
        """Hand a file on to recovery, as it came."""
        headers = {"If-Match": etag(version), "Idempotency-Key": key, "Content-Type": "application/octet-stream"}
        return await self._send(session, "recovery", "POST", path, params=query, content=content, headers=headers)

    async def file(self, session: Session, service: str, path: str) -> httpx2.Response:
        """A file, whole; raises like `get`."""
        return await self._answer(session, service, "GET", path)

    async def watch(self, session: Session, service: str, path: str, after: str | None, **query: Any) -> AsyncGenerator[Told]:
        """What a service tells whoever watches, from a place on; ends when the service does. Raises like `get`."""
        asked = {name: value for name, value in {**query, "after": after}.items() if value}
        headers, patience = {"Authorization": f"Bearer {session.token}"}, httpx2.Timeout(TIMEOUT_SECONDS, read=_SILENT_SECONDS)
        try:
            async with self._streams.stream("GET", self._bases[service] + path, params=asked, headers=headers, timeout=patience) as answer:
                if answer.status_code >= _REFUSALS:
                    await answer.aread()
                self._check(session, answer)
                async with aclosing(_events(answer)) as events:
                    async for each in events:
                        yield each
        except httpx2.HTTPError as error:
            raise UnreachableError(service) from error

    async def place(self, session: Session, service: str, path: str) -> str | None:
        """From where on to watch for what is not known yet; None where nobody says."""
        try:
            async with aclosing(self.watch(session, service, path, None)) as told:
                async for place, _ in told:
                    return place
        except (RefusedError, UnreachableError):
            pass
        return None

    async def put(self, session: Session, service: str, path: str, body: Mapping[str, Any], *, version: int | None = None) -> Any:
        """Put something in the place of what was there; `version` is the one that the person has seen."""
        headers = {} if version is None else {"If-Match": etag(version)}
        return await self._send(session, service, "PUT", path, json=dict(body), headers=headers)

    async def delete(self, session: Session, service: str, path: str) -> None:
        """Take something back."""
        await self._send(session, service, "DELETE", path)

    async def csv(self, session: Session | None, service: str, path: str, **query: Any) -> str:
        """A table as spreadsheets read it; raises like `get`."""
        asked = {name: value for name, value in query.items() if value is not None}
        return (await self._answer(session, service, "GET", path, params=asked, headers={"Accept": "text/csv"})).text

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
        answer = await self._answer(session, service, method, path, **how)
        return answer.json() if answer.content else None

    async def _answer(self, session: Session | None, service: str, method: str, path: str, **how: Any) -> httpx2.Response:
        headers = how.pop("headers", {}) | ({} if session is None else {"Authorization": f"Bearer {session.token}"})
        try:
            answer = await self._client.request(method, self._bases[service] + path, headers=headers, **how)
        except httpx2.HTTPError as error:
            raise UnreachableError(service) from error
        self._check(session, answer)
        return answer

    @staticmethod
    def _check(session: Session | None, answer: httpx2.Response) -> None:
        if answer.status_code == _UNAUTHENTICATED and session is not None:
            raise SignInAgainError
        if answer.status_code >= _REFUSALS:
            raise RefusedError(answer.status_code, _problem(answer))


async def _events(answer: httpx2.Response) -> AsyncGenerator[Told]:
    """The events of a stream: an `id`, and lines of JSON."""
    place, things = "", list[dict[str, Any]]()
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            place = value
        elif name == "data":
            things.append(orjson.loads(value))
        elif not line and place:
            yield place, things
            things = []


def _problem(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"title": answer.reason_phrase}
