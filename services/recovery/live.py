"""Watching cases: one look at the lanes a tick, however many watch; each reads from the place they have come to."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.settings import WatchedSettings
from services.chassis.watching import Watching
from services.recovery.audit import Entry
from services.recovery.store import live as store
from services.recovery.store.live import Lanes, News

_LANE: Final = re.compile(r"([0-9]{1,4}):([0-9]{1,18})")


class PlaceIsGoneError(Exception):
    """What came behind that place is not kept any more; read the list again, and watch from now on."""


class Step(NamedTuple):
    """Something to be told, or nothing as a sign of life; and the place behind it."""

    place: str
    news: News | Entry | None


class Live(Watching[int]):
    """All who watch cases in this process, by the lanes that they wait for."""

    def __init__(self, engine: AsyncEngine, settings: WatchedSettings, leaving: asyncio.Event) -> None:
        """Everybody is let go once the process is `leaving`."""
        super().__init__(settings, leaving)
        self._engine = engine
        self._seen: Lanes | None = None

    async def step(self) -> None:
        """Look once how far the lanes have come, and wake those for whom there may be something new."""
        if not self.watchers:
            self._seen = None
            return
        now, before = await store.reached(self._engine), self._seen
        self.wake(list(self.watchers) if before is None else [lane for lane, end in now.items() if end != before.get(lane)])
        self._seen = now

    async def from_place(self, place: Lanes | None) -> dict[int, int]:
        """Where to begin: at a place, or now. Raises `PlaceIsGoneError`."""
        now = await store.reached(self._engine)
        if place is not None and not await store.are_kept(self._engine, place, now):
            raise PlaceIsGoneError(PlaceIsGoneError.__doc__)
        return now if place is None else dict.fromkeys(now, 0) | dict(place)

    async def cases(self, at: dict[int, int], concerns: Callable[[News], bool]) -> AsyncIterator[Step]:
        """What happens in all cases from a place on, of what concerns whoever watches; ends when the process leaves."""
        yield Step(written(at), None)
        with self.waiting(at) as watcher:
            while not self.leaving.is_set():
                watcher.news.clear()
                for lane, end in sorted((await store.reached(self._engine)).items()):
                    async for each in self._of_lane(lane, at, end):
                        if concerns(each):
                            yield Step(written(at), each)
                if not await self.has_news(watcher):
                    yield Step(written(at), None)

    async def _of_lane(self, lane: int, at: dict[int, int], end: int) -> AsyncIterator[News]:
        while at.setdefault(lane, 0) < end and not self.leaving.is_set():
            news = await store.news_of_lane(self._engine, lane, at[lane], end)
            for each in news:
                at[lane] = each.ordinal
                yield each
            if len(news) < store.AT_ONCE:
                at[lane] = end

    async def case(self, case: UUID, lane: int, number: int) -> AsyncIterator[Step]:
        """The acts of one case behind a number; ends when the process leaves."""
        yield Step(str(number), None)
        with self.waiting([lane]) as watcher:
            while not self.leaving.is_set():
                watcher.news.clear()
                while news := await store.acts_behind(self._engine, case, number):
                    for each in news:
                        number = each.number
                        yield Step(str(number), each)
                if not await self.has_news(watcher):
                    yield Step(str(number), None)


def written(place: Lanes) -> str:
    """A place as text."""
    return ",".join(f"{lane}:{number}" for lane, number in sorted(place.items()))


def read(text: str) -> dict[int, int]:
    """The place that was written; `ValueError` where it is none."""
    found = {}
    for each in text.split(","):
        known = _LANE.fullmatch(each)
        if known is None:
            raise ValueError(text)
        found[int(known[1])] = int(known[2])
    return found
