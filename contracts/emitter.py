"""How a company system says what happened: a client for `POST /v1/touchpoints`, of the standard library alone.

    with Emitter("https://makegood.example", source="shop", token=token) as emitter:
        emitter.emit("order.placed", subject="crm:4711", id="o1-placed", data={"order": "o1"})

What is sent again has the same id, and counts once: whoever is not sure that something arrived sends it again.
"""

import asyncio
import json
import random
import ssl
import time as clock
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final, Self
from urllib.parse import urlsplit
from uuid import UUID, uuid5

IDS: Final = UUID("5b0ac9b6-9ad0-5d57-8d2c-7f2d9e0c1a44")
"""Namespace of the ids of touchpoints that were given none: the same content has the same id."""
PATH: Final = "/v1/touchpoints"
MOST_EVENTS: Final = 500
MOST_BYTES: Final = 2 * 1024 * 1024
PASSING: Final = frozenset({429, 502, 503, 504})
SECONDS: Final = 30
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 10.0
Token = str | Callable[[], str]


class EmitError(Exception):
    """Something was not accepted."""


class InvalidTouchpointError(EmitError):
    """A touchpoint cannot even be sent; `field` says which attribute is wrong."""

    def __init__(self, field: str, detail: str) -> None:
        """Say which attribute is wrong, and what would be right."""
        super().__init__(f"{field}: {detail}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Fault:
    """One touchpoint that was refused: which field of it is wrong, where that is known, and what would be right."""

    event: Mapping[str, Any]
    field: str | None
    detail: str


class RefusedError(EmitError):
    """Some touchpoints were refused, and will be again as they are; all others were accepted. `faults` says what is wrong."""

    def __init__(self, faults: list[Fault]) -> None:
        """Tell the first of them."""
        first = faults[0]
        others = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        super().__init__(f"{first.event.get('id')}: {first.detail}{others}")
        self.faults = tuple(faults)


class NotAllowedError(EmitError):
    """The token is missing, is not valid any more, or may not send touchpoints: get another one."""


class UnavailableError(EmitError):
    """Makegood was not there in time. What was not accepted is kept: `flush` sends it again, under the same ids."""


class Emitter:
    """Sends touchpoints in batches; not to be shared between threads. Leaving its block sends what is left."""

    def __init__(self, address: str, *, source: str, token: Token, batch: int = MOST_EVENTS, patience: float = 60.0) -> None:
        """To a Makegood at an address, on behalf of a source; it tries for `patience` seconds before it gives up."""
        self._address, self._source, self._token = urlsplit(address), source, token
        self._batch, self._patience = min(batch, MOST_EVENTS), patience
        self._waiting: list[dict[str, Any]] = []
        self._bytes = 0
        self._connection: HTTPConnection | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Send what is left, unless something else went wrong; close."""
        try:
            if kind is None:
                self.flush()
        finally:
            self.close()

    def emit(
        self, type: str, *, subject: str, data: Any = None, time: datetime | None = None, id: str | None = None,  # noqa: A002
    ) -> str:  # fmt: skip
        """Take a touchpoint to be sent with its batch; return its id. Raises `InvalidTouchpointError`, and what `flush` raises."""
        event = self.touchpoint(type, subject=subject, data=data, time=time, id=id)
        size = len(_json(event))
        if len(self._waiting) >= self._batch or self._bytes + size > MOST_BYTES:
            self.flush()
        self._waiting.append(event)
        self._bytes += size
        return str(event["id"])

    def touchpoint(
        self, type: str, *, subject: str, data: Any = None, time: datetime | None = None, id: str | None = None,  # noqa: A002
    ) -> dict[str, Any]:  # fmt: skip
        """Return a touchpoint as a CloudEvent; without an id of its own it has one made of what it says."""
        moment = time or datetime.now(UTC)
        if moment.tzinfo is None:
            raise InvalidTouchpointError("time", "it has no offset; use an aware datetime")
        said: dict[str, Any] = {"source": self._source, "type": type, "subject": subject, "time": moment.astimezone(UTC).isoformat()}
        for field, value in said.items():
            if not isinstance(value, str) or not value:
                raise InvalidTouchpointError(field, "it must be a text that is not empty")
        try:
            content = _json([*said.values(), data])
        except (TypeError, ValueError, RecursionError):
            raise InvalidTouchpointError("data", "it holds what JSON cannot say") from None
        event = {"specversion": "1.0", "id": id or str(uuid5(IDS, content.decode())), **said}
        return event if data is None else event | {"data": data}

    def flush(self) -> int:
        """Send all that waits; return how many were accepted. Raises `RefusedError`, `NotAllowedError`, `UnavailableError`."""
        faults: list[Fault] = []
        accepted = 0
        while self._waiting:
            wrong = self._send(self._waiting)
            if not wrong:
                accepted += len(self._waiting)
            faults += [Fault(self._waiting[index], *told) for index, told in sorted(wrong.items())]
            self._waiting = [each for index, each in enumerate(self._waiting) if index not in wrong] if wrong else []
        self._bytes = 0
        if faults:
            raise RefusedError(faults)
        return accepted

    def close(self) -> None:
        """Close the connection; what waits is not sent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, events: Iterable[Mapping[str, Any]]) -> dict[int, tuple[str | None, str]]:
        """Send a batch until it is accepted or refused; returns what is wrong with which, where none was accepted."""
        body = b"[" + b",".join(map(_json, events)) + b"]"
        until, pause = clock.monotonic() + self._patience, _FIRST_PAUSE
        while True:
            status, headers, answer = self._post(body)
            if status == 202:  # noqa: PLR2004 - accepted
                return {}
            if status in (401, 403):
                raise NotAllowedError(_detail(answer, status))
            if status and status not in PASSING:
                return _wrong(answer, status)
            wait = max(_seconds(headers.get("retry-after")), pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            if clock.monotonic() + wait > until:
                raise UnavailableError(f"not accepted within {self._patience:g} s: {_detail(answer, status)}")
            clock.sleep(wait)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _post(self, body: bytes) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and the answer's JSON; status 0 where nobody answered."""
        token = self._token if isinstance(self._token, str) else self._token()
        headers = {"Content-Type": "application/cloudevents-batch+json", "Authorization": f"Bearer {token}"}
        try:
            connection = self._connection = self._connection or self._connect()
            connection.request("POST", self._address.path.rstrip("/") + PATH, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException) as error:
            self.close()
            return 0, {}, {"detail": type(error).__name__}
        try:
            read = json.loads(content)
        except ValueError:
            read = {}
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, read if isinstance(read, dict) else {}

    def _connect(self) -> HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        if self._address.scheme == "https":
            return HTTPSConnection(host, port, timeout=SECONDS, context=ssl.create_default_context())
        return HTTPConnection(host, port, timeout=SECONDS)


class AsyncEmitter:
    """The same for asyncio: what waits for the network waits in a thread."""

    def __init__(self, address: str, *, source: str, token: Token, batch: int = MOST_EVENTS, patience: float = 60.0) -> None:
        """As `Emitter`."""
        self._emitter = Emitter(address, source=source, token=token, batch=batch, patience=patience)
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        """Send what is left, unless something else went wrong; close."""
        try:
            if kind is None:
                await self.flush()
        finally:
            self._emitter.close()

    async def emit(self, type: str, **attributes: Any) -> str:  # noqa: A002
        """As `Emitter.emit`."""
        async with self._turn:
            return await asyncio.to_thread(self._emitter.emit, type, **attributes)

    async def flush(self) -> int:
        """As `Emitter.flush`."""
        async with self._turn:
            return await asyncio.to_thread(self._emitter.flush)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _wrong(answer: Mapping[str, Any], status: int) -> dict[int, tuple[str | None, str]]:
    found: dict[int, tuple[str | None, str]] = {}
    for fault in answer.get("errors") or ():
        if isinstance(index := fault.get("index"), int):
            pointer = fault.get("pointer")
            found.setdefault(index, (pointer.removeprefix("attribute ") if pointer else None, str(fault.get("detail"))))
    if not found:
        raise EmitError(_detail(answer, status))
    return found


def _detail(answer: Mapping[str, Any], status: int) -> str:
    return " ".join(str(each) for each in (answer.get("title"), answer.get("detail")) if each) or f"HTTP {status}"


def _seconds(text: str | None) -> float:
    try:
        return max(float(text or 0), 0.0)
    except ValueError:
        return 0.0
