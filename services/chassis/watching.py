"""Server-sent events: who waits for news of what, one look for all of them, and answers without an end that can be taken up again.

A service says what it looks at (`step`) and what it tells of it. Whoever watches reads for themselves, from the place they have come to,
so that a slow one holds up nobody; every event's id is the place behind it, and `Last-Event-ID` goes on there.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Header
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.chassis.faults import WORLD
from services.chassis.problems import Kind
from services.chassis.redaction import told
from services.chassis.settings import WatchedSettings

log = logging.getLogger(__name__)
LONGEST_PLACE: Final = 4096
STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "server-sent events"}
}
"""What an operation's `responses` say of it in OpenAPI."""
LastEventId = Annotated[str | None, Header(max_length=LONGEST_PLACE, description="the last `id` that was received")]
_RETRY_MILLISECONDS: Final = 2000
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
Key = TypeVar("Key")
Told = tuple[str, Sequence[str]]
"""The place behind it, and the JSON of each thing that is told; of none it is a sign of life."""


class TooManyWatchersError(Exception):
    """As many watch as this process lets; try again later, or at another one."""


PROBLEMS: Final = {TooManyWatchersError: Kind(429, "too-many-watchers", "As many watch as can")}


@dataclass(slots=True, eq=False)
class Watcher:
    """One who waits."""

    news: asyncio.Event = field(default_factory=asyncio.Event)


class Watching(ABC, Generic[Key]):
    """All who watch in this process."""

    def __init__(self, settings: WatchedSettings, leaving: asyncio.Event) -> None:
        """Look as often as the settings say; everybody is let go once the process is `leaving`."""
        self._settings, self.leaving = settings, leaving
        self.watchers: dict[Key, set[Watcher]] = {}
        self.watching = 0

    @abstractmethod
    async def step(self) -> None:
        """Look once, and `wake` those for whom there is something new; nobody watching, nothing is asked."""

    async def run(self) -> None:
        """Look until the process leaves."""
        while not self.leaving.is_set():
            try:
                await self.step()
            except WORLD as error:
                log.warning("nobody is told of news for now", extra={"error": told(error)})
            with suppress(TimeoutError):
                await asyncio.wait_for(self.leaving.wait(), self._settings.live_pause)
        self.wake(self.watchers)

    def wake(self, keys: Iterable[Key]) -> None:
        """There is something new of these."""
        for watcher in {each for key in keys for each in self.watchers.get(key, ())}:
            watcher.news.set()

    @contextmanager
    def waiting(self, keys: Iterable[Key]) -> Iterator[Watcher]:
        """One who is woken by news of these, for as long as the block lasts."""
        watcher, of = Watcher(), list(keys)
        for key in of:
            self.watchers.setdefault(key, set()).add(watcher)
        try:
            yield watcher
        finally:
            for key in of:
                self.watchers[key].discard(watcher)
                if not self.watchers[key]:
                    del self.watchers[key]

    async def has_news(self, watcher: Watcher) -> bool:
        """Wait for news; False where there was none for so long that a sign of life is due."""
        try:
            await asyncio.wait_for(watcher.news.wait(), self._settings.live_heartbeat)
        except TimeoutError:
            return False
        return True

    def admit(self) -> None:
        """Take one more in, who has to be let go; raises `TooManyWatchersError`."""
        if self.watching >= self._settings.watchers:
            raise TooManyWatchersError
        self.watching += 1

    def let_go(self) -> None:
        """One who was admitted is gone."""
        self.watching -= 1


class EventStream(StreamingResponse):
    """Tells what comes, and counts as one who watches for as long as it is being sent."""

    def __init__(self, watching: Watching[Any], telling: AsyncIterator[Told]) -> None:
        """Raises `TooManyWatchersError` where no more may watch."""
        watching.admit()
        super().__init__(events(telling), headers=_HEADERS, media_type="text/event-stream")
        self._watching = watching

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until there is no more, or nobody listens."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._watching.let_go()


async def events(telling: AsyncIterator[Told]) -> AsyncIterator[bytes]:
    """What is told, in the form of server-sent events."""
    yield f"retry: {_RETRY_MILLISECONDS}\n\n".encode()
    with suppress(*WORLD):  # the database is away: whoever watches comes back, and goes on where they were
        async for place, things in telling:
            data = "".join([f"data: {each}\n" for each in things])
            yield f"id: {place}\n{data}\n".encode()
