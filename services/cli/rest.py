"""Knowing when everything that was sent has been judged and its consequences have come to rest.

Stage by stage along the flow: what a stage had written when it was done is what the next one must have read. Around
again for as long as recovery sends acts of its own into the front door, which make work like any touchpoint.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from contracts.topics import ACTS, JOURNEY, PROMISES, RECOVERY, TOUCHPOINTS
from deploy.errors import StackError
from deploy.local.state import State
from services.chassis import rfc3339
from services.chassis.instants import MILLISECOND, text_of
from services.chassis.offsets import Ends, Offsets
from services.chassis.settings import Clock
from services.cli.client import Client

POLL: Final = 0.2
_RAW: Final = (TOUCHPOINTS, ACTS)
Tell = Callable[[str], None]
Lane = tuple[str, int]
Missing = list[str]


@dataclass(frozen=True, slots=True)
class Row:
    """Where a service stands with one partition."""

    position: int
    arrival: datetime | None
    effects: int
    outbox: int
    ticks: int

    @property
    def published(self) -> int:
        """The number of the last effect that Kafka is known to have."""
        return self.effects - self.outbox


_NOWHERE: Final = Row(0, None, 0, 0, 0)


class NotAtRestError(StackError):
    """Something is still under way at the end of the patience."""

    def __init__(self, stage: str, missing: Missing) -> None:
        """Say what it is."""
        super().__init__(f"not at rest in time: {stage}\n" + "\n".join(f"  {each}" for each in missing))


class Rest:
    """Waits for a running system to come to rest."""

    def __init__(self, client: Client, stack: State, tell: Tell = lambda _: None) -> None:
        """`tell` hears at every look what is being waited for."""
        self._client, self._stack, self._tell = client, stack, tell
        self._deadline = 0.0

    async def wait(self, seconds: float) -> None:
        """Return when everything sent before this call is judged and at rest; raise `NotAtRestError` otherwise."""
        self._deadline = time.monotonic() + seconds
        async with Offsets(self._stack.kafka) as offsets:
            done, before = self._acts(), -1
            while before != done:
                before = done
                await self._round(offsets)
                done = self._acts()

    async def read(self, seconds: float) -> None:
        """Return when journey has read everything sent before this call."""
        self._deadline = time.monotonic() + seconds
        async with Offsets(self._stack.kafka) as offsets:
            await self._reads("journey", await offsets.ends(_RAW))

    async def _round(self, offsets: Offsets) -> None:
        await self._reads("journey", await offsets.ends(_RAW))
        await self._does_the_rest("promises")
        vouched = self._vouched()
        await self._publishes("journey", _RAW)
        journey = await offsets.ends([JOURNEY])
        await self._reads("promises", journey)
        await self._reaches(vouched, journey)
        await self._publishes("promises", [JOURNEY])
        promises = await offsets.ends([PROMISES])
        await self._reads("recovery", promises)
        await self._reads("journey", promises)
        await self._publishes("recovery", [PROMISES])
        await self._reads("journey", await offsets.ends([RECOVERY, ACTS]))
        await self._does_the_rest("journey")

    async def _does_the_rest(self, service: str) -> None:
        """Wait for what a service does beside its lanes: look-back, what is kept of all customers, erasures."""

        def missing() -> Missing:
            return [f"{what}: {number:,}" for what, number in self._client.get(service, "/v1/status")["waiting"].items() if number]

        await self._until(f"{service} does the rest", missing)

    async def _reads(self, service: str, ends: Ends) -> None:
        def missing() -> Missing:
            rows = self.rows(service)
            where = {lane: rows.get(lane, _NOWHERE).position for lane in ends}
            return [f"{_name(lane)} at {where[lane]:,} of {end:,}" for lane, end in ends.items() if where[lane] < end]

        await self._until(f"{service} reads {_topics(ends)}", missing)

    async def _publishes(self, service: str, topics: Sequence[str]) -> None:
        """Wait until Kafka has every effect that is committed now."""
        goals = {lane: row.effects for lane, row in self.rows(service).items() if lane[0] in topics}

        def missing() -> Missing:
            rows = self.rows(service)
            return [
                f"{_name(lane)} has published {rows[lane].published:,} of {goal:,} effects"
                for lane, goal in goals.items()
                if rows[lane].published < goal
            ]

        await self._until(f"{service} publishes", missing)

    async def _reaches(self, vouched: datetime | None, partitions: Ends) -> None:
        if vouched is None:
            return

        def missing() -> Missing:
            rows = self.rows("promises")
            barriers = {lane: rows.get(lane, _NOWHERE).arrival for lane in partitions}
            behind = {lane: at for lane, at in barriers.items() if at is None or at < vouched}
            return [f"{_name(lane)} at {'the beginning' if at is None else text_of(at)}" for lane, at in behind.items()]

        await self._until(f"promises reaches the barrier {text_of(vouched)}", missing)

    def _vouched(self) -> datetime | None:
        """The barrier that what was read comes to: on the live clock ticks bring all lanes there, else the slowest decides."""
        arrivals = [row.arrival for lane, row in self.rows("journey").items() if lane[0] in _RAW]
        heard = [each for each in arrivals if each is not None]
        if self._stack.clock == Clock.LIVE:
            return max(heard, default=None)
        return min(heard) - MILLISECOND if heard and len(heard) == len(arrivals) else None

    def _acts(self) -> int:
        """How many of recovery's own touchpoints journey has read; ticks do not count."""
        rows = self.rows("journey")
        return sum(row.position - row.ticks for (topic, _), row in rows.items() if topic == ACTS)

    async def _until(self, stage: str, missing: Callable[[], Missing]) -> None:
        while left := missing():
            if time.monotonic() > self._deadline:
                raise NotAtRestError(stage, left)
            self._tell(f"waiting: {stage}; {left[0]}")
            await asyncio.sleep(POLL)

    def rows(self, service: str) -> dict[Lane, Row]:
        """Where a service stands, partition by partition."""
        return {(each["topic"], each["partition"]): _row(each) for each in self._client.get(service, "/v1/status")["lanes"]}


def _row(lane: Mapping[str, Any]) -> Row:
    arrival = rfc3339.parse(lane["arrival"]) if lane["arrival"] else None
    return Row(lane["position"], arrival, lane["effects"], lane["outbox"], lane["counts"].get("ignored", 0))


def _name(lane: Lane) -> str:
    return f"{lane[0]}/{lane[1]}"


def _topics(ends: Ends) -> str:
    return " and ".join(dict.fromkeys(topic for topic, _ in ends))
