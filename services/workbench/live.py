"""Pages that go on by themselves: what services tell whoever watches is relayed as the one word that there is something new.

Nothing of a customer goes this way: a page that hears of news asks for itself again, as whoever reads it. The id of an event is the
place in every stream behind it, so that a browser that comes back goes on there.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from services.workbench.sessions import Session
from services.workbench.upstream import RefusedError, Services, SignInAgainError, UnreachableError

BETWEEN: Final = "|"
LONGEST_PLACE: Final = 8192
_TOGETHER_SECONDS: Final = 0.3
"""What comes within this is told as one."""
_LONGEST_SECONDS: Final = 900.0
"""After this a browser has to come back, and is asked again who it is."""
_SOON: Final = 2000
_LATER: Final = 30000
"""Milliseconds after which a browser comes back."""
_NOT_FOR_THEM: Final = frozenset({403, 404})
_GONE: Final = frozenset({400, 410})
_EACH_MILLISECONDS: Final = 40
"""What one page costs, about: so far apart pages ask that have heard of the same."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a service, from a place on; `concerns` says of what it tells whether the page shows it."""

    service: str
    path: str
    after: str | None
    concerns: Callable[[Mapping[str, Any]], bool] = lambda _: True


@dataclass(slots=True)
class Viewers:
    """How many pages go on by themselves in this process."""

    most: int
    leaving: asyncio.Event
    now: int = 0


@dataclass(slots=True)
class _Heard:
    """What was heard and not told yet."""

    places: list[str | None]
    news: bool = False
    over: bytes | None = None
    """The last words, once a stream has ended."""
    come: asyncio.Event = field(default_factory=asyncio.Event)


def places(text: str | None, number: int) -> list[str | None]:
    """The places that an event's id names; none where it is not one of ours."""
    found = (text or "").split(BETWEEN)
    return [each or None for each in found] if len(found) == number else [None] * number


async def relay(services: Services, session: Session, streams: Sequence[Stream], viewers: Viewers) -> AsyncGenerator[bytes]:
    """Server-sent events for one page, until a service ends its stream, this process leaves, or it is time to come back."""
    if viewers.now >= viewers.most:
        yield f"retry: {_LATER}\n\n".encode()
        return
    viewers.now += 1
    try:
        async with _listening(services, session, streams, viewers) as heard:
            yield f"retry: {_SOON}\n\n".encode()
            async with aclosing(_told(heard, viewers)) as told:
                async for each in told:
                    yield each
    finally:
        viewers.now -= 1


@asynccontextmanager
async def _listening(services: Services, session: Session, streams: Sequence[Stream], viewers: Viewers) -> AsyncGenerator[_Heard]:
    heard = _Heard([each.after for each in streams])
    tasks = [asyncio.create_task(_listen(services, session, each, number, heard)) for number, each in enumerate(streams)]
    tasks.append(asyncio.create_task(_leave(viewers.leaving, heard)))
    try:
        yield heard
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(services: Services, session: Session, stream: Stream, number: int, heard: _Heard) -> None:
    over = b""
    try:
        async for place, things in services.watch(session, stream.service, stream.path, stream.after):
            heard.places[number] = place
            heard.news |= any(map(stream.concerns, things))
            heard.come.set()
    except RefusedError as refused:
        if refused.status in _NOT_FOR_THEM:
            return
        # Where the place is gone, the page has to be read anew, and watched from there on; where too many watch, later.
        over = b"id\ndata: 0\n\n" if refused.status in _GONE else f"retry: {_LATER}\n\n".encode()
    except UnreachableError:
        await asyncio.sleep(_LATER / 1000)  # the other streams go on meanwhile
    except SignInAgainError:
        over = b"event: over\ndata: 0\n\n"
    heard.over = heard.over or over
    heard.come.set()


async def _leave(leaving: asyncio.Event, heard: _Heard) -> None:
    await leaving.wait()
    heard.over = heard.over or b""
    heard.come.set()


async def _told(heard: _Heard, viewers: Viewers) -> AsyncGenerator[bytes]:
    until = time.monotonic() + _LONGEST_SECONDS
    while heard.over is None and (left := until - time.monotonic()) > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(heard.come.wait(), left)
        if heard.news:
            await asyncio.sleep(_TOGETHER_SECONDS)
        heard.come.clear()
        news, heard.news = heard.news, False
        data = f"data: {viewers.now * _EACH_MILLISECONDS}\n" if news else ""
        yield f"id: {BETWEEN.join(each or '' for each in heard.places)}\n{data}\n".encode()
    if heard.over:
        yield heard.over
