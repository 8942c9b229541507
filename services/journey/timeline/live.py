"""Watching timelines: who waits for news of which customer, and when to look for it.

One poll of the database a tick, however many watch: it says how far all lanes have come and which of the watched customers
have news. Whoever watches reads these for themselves, from the place they have come to, so that a slow one holds up nobody
and one who comes back goes on exactly where they stopped.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.faults import WORLD
from services.chassis.redaction import told
from services.journey.store import live as store
from services.journey.store.live import Lanes, Reached
from services.journey.store.timeline import ERASED, Entry
from services.journey.timeline.kinds import Types

log = logging.getLogger(__name__)
_LANE, _NUMBER = re.compile(r"[a-z.]+/[0-9]{1,9}"), re.compile(r"[0-9]{1,19}")


class TooManyWatchersError(Exception):
    """As many watch as this process lets; try again later, or at another one."""


class Step(NamedTuple):
    """Something to be told to one who watches: an entry, or that there was none; and the place behind it."""

    place: str
    entry: Entry | None


@dataclass(slots=True, eq=False)
class Watcher:
    """One who waits."""

    news: asyncio.Event = field(default_factory=asyncio.Event)


class Live:
    """All who watch in this process."""

    def __init__(self, engine: AsyncEngine, pause: float, heartbeat: float, most: int, leaving: asyncio.Event) -> None:
        """A poll every `pause` seconds, a sign of life every `heartbeat`; everybody is let go once the process is `leaving`."""
        self._engine, self._pause, self._heartbeat, self._most, self._leaving = engine, pause, heartbeat, most, leaving
        self._watchers: dict[UUID, set[Watcher]] = {}
        self._seen: Reached | None = None
        self.watching = 0

    async def run(self) -> None:
        """Poll until the process leaves; nobody watching, nothing is asked."""
        while not self._leaving.is_set():
            try:
                await self.step()
            except WORLD as error:
                log.warning("nobody is told of news for now", extra={"error": told(error)})
            try:
                await asyncio.wait_for(self._leaving.wait(), self._pause)
            except TimeoutError:
                continue
        self._wake(self._watchers)

    async def step(self) -> None:
        """Look once how far the lanes have come, and wake those for whom there is something new."""
        if not self._watchers:
            self._seen = None
            return
        now, before = await store.reached(self._engine), self._seen
        if before is None or now.epoch != before.epoch:
            self._wake(self._watchers)
        elif now.lanes != before.lanes:
            self._wake(await store.who_has_news(self._engine, self._watchers.keys(), before.lanes, now.lanes))
        self._seen = now

    def _wake(self, keys: Sequence[UUID] | set[UUID] | dict[UUID, set[Watcher]]) -> None:
        for watcher in {each for key in keys for each in self._watchers.get(key, ())}:
            watcher.news.set()

    @contextmanager
    def _as_watcher(self, person: Sequence[UUID]) -> Iterator[Watcher]:
        watcher = Watcher()
        for key in person:
            self._watchers.setdefault(key, set()).add(watcher)
        try:
            yield watcher
        finally:
            for key in person:
                self._watchers[key].discard(watcher)
                if not self._watchers[key]:
                    del self._watchers[key]

    def admit(self) -> None:
        """Take one more in, who has to be let go; raises `TooManyWatchersError`."""
        if self.watching >= self._most:
            raise TooManyWatchersError
        self.watching += 1

    def let_go(self) -> None:
        """One who was admitted is gone."""
        self.watching -= 1

    async def watch(self, customer: UUID, types: Types, place: Lanes | None) -> AsyncIterator[Step]:
        """Everything new of a person from a place on, from now on without one; ends when the process leaves."""
        reached = await store.reached(self._engine)
        at = dict(reached.lanes if place is None else place)
        yield Step(written(at), None)
        while not self._leaving.is_set():
            person = await store.read_keys(self._engine, customer)
            with self._as_watcher(person) as watcher:
                async for step in self._follow(person, types, at, watcher):
                    yield step

    async def _follow(self, person: Sequence[UUID], types: Types, at: dict[str, int], watcher: Watcher) -> AsyncIterator[Step]:
        """Tell what is new of these keys, until they may no longer be all of the person's."""
        epoch: int | None = None
        while not self._leaving.is_set():
            watcher.news.clear()
            now = await store.reached(self._engine)
            if epoch not in {None, now.epoch}:
                return
            epoch, done = now.epoch, False
            while not done and not self._leaving.is_set():
                news, done = await store.read_news(self._engine, person, at, now.lanes)
                for lane, behind, entry in news:
                    at[lane] = behind
                    if (ERASED if entry.body is None else entry.body["type"]) in types:
                        yield Step(written(at), entry)
            at |= now.lanes if done else {}
            try:
                await asyncio.wait_for(watcher.news.wait(), self._heartbeat)
            except TimeoutError:
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
