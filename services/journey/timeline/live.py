"""Watching timelines: who waits for news of which customer, and when to look for it.

One poll of the database a tick, however many watch: it says how far all lanes have come and which of the watched customers
have news. Whoever watches reads these for themselves, from the place they have come to, so that a slow one holds up nobody
and one who comes back goes on exactly where they stopped.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.settings import WatchedSettings
from services.chassis.watching import Watcher, Watching
from services.journey.store import live as store
from services.journey.store.live import Lanes, Reached
from services.journey.store.timeline import ERASED, Entry
from services.journey.timeline.kinds import Types

_LANE, _NUMBER = re.compile(r"[a-z.]+/[0-9]{1,9}"), re.compile(r"[0-9]{1,19}")


class Step(NamedTuple):
    """Something to be told to one who watches: an entry, or that there was none; and the place behind it."""

    place: str
    entry: Entry | None


class Live(Watching[UUID]):
    """All who watch timelines in this process, by customer key."""

    def __init__(self, engine: AsyncEngine, settings: WatchedSettings, leaving: asyncio.Event) -> None:
        """Everybody is let go once the process is `leaving`."""
        super().__init__(settings, leaving)
        self._engine = engine
        self._seen: Reached | None = None

    async def step(self) -> None:
        """Look once how far the lanes have come, and wake those for whom there is something new."""
        if not self.watchers:
            self._seen = None
            return
        now, before = await store.reached(self._engine), self._seen
        if before is None or now.epoch != before.epoch:
            self.wake(self.watchers)
        elif now.lanes != before.lanes:
            self.wake(await store.who_has_news(self._engine, self.watchers.keys(), before.lanes, now.lanes))
        self._seen = now

    async def watch(self, customer: UUID, types: Types, place: Lanes | None) -> AsyncIterator[Step]:
        """Everything new of a person from a place on, from now on without one; ends when the process leaves."""
        reached = await store.reached(self._engine)
        at = dict(reached.lanes if place is None else place)
        yield Step(written(at), None)
        while not self.leaving.is_set():
            person = await store.read_keys(self._engine, customer)
            with self.waiting(person) as watcher:
                async for step in self._follow(person, types, at, watcher):
                    yield step

    async def _follow(self, person: Sequence[UUID], types: Types, at: dict[str, int], watcher: Watcher) -> AsyncIterator[Step]:
        """Tell what is new of these keys, until they may no longer be all of the person's."""
        epoch: int | None = None
        while not self.leaving.is_set():
            watcher.news.clear()
            now = await store.reached(self._engine)
            if epoch not in {None, now.epoch}:
                return
            epoch, done = now.epoch, False
            while not done and not self.leaving.is_set():
                news, done = await store.read_news(self._engine, person, at, now.lanes)
                for lane, behind, entry in news:
                    at[lane] = behind
                    if (ERASED if entry.body is None else entry.body["type"]) in types:
                        yield Step(written(at), entry)
            at |= now.lanes if done else {}
            if not await self.has_news(watcher):
                yield Step(written(at), None)


def written(place: Lanes) -> str:
    """A place as text."""
    return ",".join(f"{lane}:{number}" for lane, number in sorted(place.items()) if number)


def read(text: str) -> dict[str, int]:
    """The place that was written; `ValueError` where it is none."""
    found = {}
    for each in text.split(",") if text else ():
        lane, _, number = each.rpartition(":")
        if not _LANE.fullmatch(lane) or not _NUMBER.fullmatch(number) or int(number) >= 2**63:
            raise ValueError(text)
        found[lane] = int(number)
    return found
