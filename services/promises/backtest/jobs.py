"""What somebody asked for over HTTP and takes its time: a process does one after the other, and tells how far it has come.

It says every few seconds that it still does; what falls silent is lost, and is asked for again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Protocol
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.faults import WORLD
from services.promises.store.runs import Runs

log = logging.getLogger(__name__)

BEAT_SECONDS: Final = 3.0
Say = Callable[[], Awaitable[None]]
"""Tell how far it has come."""


class GivenUpError(Exception):
    """It cannot be done; the message says why, and what could be."""


class Job(Protocol):
    """One piece of work: of so many records so many are read."""

    id: UUID
    runs: Runs
    read: int
    total: int

    async def do(self, say: Say) -> Any:
        """Do it; returns what it came to, as JSON has it."""


class Jobs:
    """What this process was asked for."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Nothing yet."""
        self._engine = engine
        self._turn = asyncio.Lock()
        self._jobs: dict[UUID, tuple[Job, asyncio.Task[None]]] = {}
        self._beating: asyncio.Task[None] | None = None

    def start(self, job: Job) -> None:
        """Do it when its turn has come."""
        task = asyncio.create_task(self._run(job))
        self._jobs[job.id] = job, task
        task.add_done_callback(lambda _: self._jobs.pop(job.id, None))
        if self._beating is None or self._beating.done():
            self._beating = asyncio.create_task(self._beat())

    async def stop(self, id_: UUID) -> None:
        """End one that nobody wants any more, if it is this process's."""
        if id_ in self._jobs:
            _, task = self._jobs[id_]
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def close(self) -> None:
        """End all of them: they are lost, and say so once they have been silent for long enough."""
        for id_ in list(self._jobs):
            await self.stop(id_)
        if self._beating is not None:
            self._beating.cancel()

    async def _beat(self) -> None:
        while self._jobs:
            with suppress(*WORLD):
                for runs in {job.runs for job, _ in self._jobs.values()}:
                    mine = {id_ for id_, (job, _) in self._jobs.items() if job.runs is runs}
                    for id_ in mine - await runs.beat(self._engine, mine):
                        self._jobs[id_][1].cancel()
            await asyncio.sleep(BEAT_SECONDS)

    async def _run(self, job: Job) -> None:
        try:
            async with self._turn:
                outcome = await job.do(lambda: self._say(job, "running"))
            await self._say(job, "done", outcome)
        except GivenUpError as error:
            await self._say(job, "failed", {"problem": str(error)})
        except Exception as error:
            log.exception("a job failed", extra={"job": str(job.id)})
            with suppress(*WORLD):
                problem = f"It was given up: {type(error).__name__}. Ask for it again."
                await self._say(job, "failed", {"problem": problem})

    async def _say(self, job: Job, state: str, outcome: Any = None) -> None:
        body = None if outcome is None else orjson.dumps(outcome)
        await job.runs.come_to(self._engine, job.id, state, job.read, job.total, body)
