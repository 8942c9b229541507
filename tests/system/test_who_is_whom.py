"""From what company systems say of who is whom to what is judged: journey's lanes and promises' partitions, record by record."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import create_engine
from services.chassis.settings import Clock
from services.chassis.telemetry import Telemetry
from services.journey.domain import customer_key
from services.journey.handlers import TouchpointHandler
from services.journey.records import JOURNEY, TOUCHPOINTS
from services.journey.settings import JourneySettings
from services.promises.handlers import JourneyHandler
from services.promises.settings import PromisesSettings
from tests.driving import NOON, Driven, Raw, record, rows, touchpoint
from tests.journey.identities import say, trust
from tests.promises.conftest import promise, response

CARD, ANA = customer_key("card:1"), customer_key("crm:ana")
PARTITIONS, MINUTE = 2, timedelta(minutes=1)
TICK = touchpoint("t", "makegood.tick", source="makegood/journey")


class Line:
    """One raw lane, and every partition that it writes to."""

    def __init__(self, ours: JourneySettings, theirs: PromisesSettings, engines: tuple[AsyncEngine, AsyncEngine]) -> None:
        self.journey, self.promises = engines
        telemetry = Telemetry(ours, "journey"), Telemetry(theirs, "promises")
        self.raw = Raw(self.journey, ours, lambda: TouchpointHandler(TOUCHPOINTS, 1, PARTITIONS, ours, telemetry[0]))
        self.partitions = [
            Driven(self.promises, theirs, lambda: JourneyHandler(theirs, telemetry[1]), number) for number in range(PARTITIONS)
        ]
        self.passed = 0

    async def start(self) -> "Line":
        for each in (self.raw, *self.partitions):
            await each.start()
        return self

    async def at(self, minutes: int, *values: bytes) -> list[tuple[str, str | None]]:
        """Let this arrive then, and be judged; returns how the commitments under the card stand."""
        now = NOON + minutes * MINUTE
        for value in (*values, TICK):
            self.raw.add(value, arrival=now)
        await self.raw.deliver()
        await self.raw.vouch()
        for each in self.raw.wire.sent[self.passed :]:
            if each.topic == JOURNEY and each.partition is not None:
                log = self.partitions[each.partition].log
                log.append(record(JOURNEY, each.partition, len(log), each.value, key=each.key, headers=each.headers))
        self.passed = len(self.raw.wire.sent)
        for partition in self.partitions:
            await partition.deliver()
        return [each[1:] for each in await rows(self.promises, "commitments", "customer, state, verdict_state") if each[0] == CARD]


@pytest.fixture
async def line(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Line]:
    ours = JourneySettings(kafka="127.0.0.1:9", database=await database("journey"), clock=Clock.REPLAY)
    theirs = PromisesSettings(kafka="127.0.0.1:9", database=await database("promises"), clock=Clock.REPLAY)
    engines = create_engine(ours, "journey"), create_engine(theirs, "promises")
    await trust(engines[0])
    await promise(engines[1], "in-time", {"response": response()})
    yield await Line(ours, theirs, engines).start()
    for engine in engines:
        await engine.dispose()


def event(id_: str, type_: str, subject: str, minutes: int, **others: Any) -> bytes:
    return touchpoint(id_, type_, subject=subject, time=moment(minutes).isoformat(), data={"order": "o1"}, **others)


def moment(minutes: int) -> datetime:
    return NOON + minutes * MINUTE


async def test_a_promise_made_under_the_card_is_kept_under_the_name_and_no_longer_once_they_are_told_apart(line: Line) -> None:
    """Breaks if a commitment opened before a link is not kept by what comes after it, or an unmerge leaves a verdict standing."""
    assert await line.at(0, event("p", "placed", "card:1", 0)) == [("on_track", None)]
    assert await line.at(10, say("l", "linked", "crm:ana", "card:1", time=moment(10))) == [("on_track", None)]
    assert await line.at(30, event("d", "delivered", "crm:ana", 30)) == [("kept", "kept")]
    assert await line.at(60, say("u", "unmerged", "crm:ana", "card:1", time=moment(60))) == [("on_track", "kept")]
    assert await line.at(200) == [("broken", "broken")]
    assert await line.at(210, say("l2", "merged", "card:1", "crm:ana", time=moment(210))) == [("kept", "kept")]


async def test_what_had_come_under_the_name_before_the_link_keeps_it_too_and_opens_nothing_of_its_own(line: Line) -> None:
    await line.at(0, event("p", "placed", "card:1", 0), event("d", "delivered", "crm:ana", 3))
    assert await line.at(40, say("l", "linked", "crm:ana", "card:1", time=moment(40))) == [("kept", "kept")]
    assert await rows(line.promises, "commitments", "customer") == [(CARD,)]


async def test_a_verdict_that_the_link_would_have_changed_is_corrected_by_it(line: Line) -> None:
    await line.at(0, event("p", "placed", "card:1", 0), event("d", "delivered", "crm:ana", 3))
    assert await line.at(130) == [("broken", "broken")]
    assert await line.at(140, say("l", "linked", "card:1", "crm:ana", time=moment(140))) == [("kept", "kept")]
