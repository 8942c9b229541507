"""Connections of people who take their time: who sends or takes nothing that can be used is let go, and costs a socket until then."""

import asyncio
import sys
from typing import Final

import h11
import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from services.chassis.problems import HEADERS_TOO_LARGE, MALFORMED, MEDIA_TYPE, TOO_SLOW, Kind

HEADER_BYTES: Final = 32 * 1024


def patient(headers_within: float, stalled_for: float) -> type[H11Protocol]:
    """The protocol of a server that waits so many seconds for whole headers, and for somebody to take any of an answer."""

    class Patient(_Patient):
        headers_seconds = headers_within
        stalled_seconds = stalled_for

    return Patient


class _Patient(H11Protocol):
    headers_seconds: float
    stalled_seconds: float
    _headers: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None

    def __init__(self, config: Config, *arguments: object, **named: object) -> None:
        config.h11_max_incomplete_event_size = HEADER_BYTES
        super().__init__(config, *arguments, **named)  # type: ignore[arg-type]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_on()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait_on()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY:  # a body that nobody reads any more
            self._wait_on()

    def _wait_on(self) -> None:
        """Let the time run for as long as a request is not whole: headers under way, or a body whose answer was given."""
        answered = self._cycle_is_over()
        if self.conn.their_state is h11.IDLE or (answered and self.conn.their_state is h11.SEND_BODY):
            if self._headers is None:
                self._headers = self.loop.call_later(self.headers_seconds, self._give_up)
        elif self._headers is not None:
            self._headers.cancel()
            self._headers = None

    def _cycle_is_over(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _give_up(self) -> None:
        if self.transport.is_closing():
            return
        if self.conn.our_state is h11.IDLE:
            self._refuse(TOO_SLOW, f"Send the headers within {self.headers_seconds:g} seconds.")
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        large = getattr(sys.exception(), "error_status_hint", 400) == HEADERS_TOO_LARGE.status
        self._refuse(HEADERS_TOO_LARGE if large else MALFORMED, f"At most {HEADER_BYTES} bytes are read." if large else msg)
        self.transport.close()

    def _refuse(self, kind: Kind, detail: str) -> None:
        problem = {"type": f"urn:makegood:problem:{kind.slug}", "title": kind.title, "status": kind.status, "detail": detail}
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
        for event in (h11.Response(status_code=kind.status, headers=headers), h11.Data(data=orjson.dumps(problem)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall = self.loop.call_later(self.stalled_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def connection_lost(self, exc: Exception | None) -> None:
        for each in (self._headers, self._stall):
            if each is not None:
                each.cancel()
        super().connection_lost(exc)
