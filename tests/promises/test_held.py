"""Held, not guessed: what was not read withholds a verdict until it is read, given up, or the limit is reached (DESIGN 3.7)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.instants import text_of
from services.promises.store import published, sources
from tests.driving import NOON, rows
from tests.promises.conftest import ANA, FAST, SLOW, Partition, promise, response

HOUR, MINUTE, MILLISECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(milliseconds=1)
DUE = NOON + 2 * HOUR
RECORD = "touchpoints/0/7"
Make = Callable[..., Partition]


@pytest.fixture
async def lane(partition: Make, engine: AsyncEngine) -> Partition:
    await promise(engine, "in-time", {"response": response()})
    await declare(engine, "shop")
    return await partition().start()


async def declare(engine: AsyncEngine, source: str, heartbeat: str = "10 minutes", **spec: Any) -> None:
    document = {
        "apiVersion": "makegood/v1", "kind": "Source", "metadata": {"name": "s"},
        "spec": {"source": source, "heartbeat": heartbeat} | spec,
    }  # fmt: skip
    await sources.publish_source(engine, source, orjson.dumps(document), "ana", NOON)


def refuse(lane: Partition, at: datetime, record: str = RECORD, customer: UUID = ANA) -> None:
    """A record of the customer is refused."""
    data = {"record": record, "arrival": text_of(at), "reason": "no-time"}
    lane.event("makegood.journey.held", at, customer=customer, data=data)


def settle(lane: Partition, at: datetime, until: datetime, how: str = "dismissed", record: str = RECORD, customer: UUID = ANA) -> None:
    """It is settled."""
    data = {"record": record, "arrival": text_of(at), "until": text_of(until), "how": how}
    lane.event("makegood.journey.unheld", until, customer=customer, data=data)


def miss(lane: Partition, since: datetime, until: datetime, source: str = "shop", by: str = FAST) -> None:
    """A lane hears a source again."""
    data = {"source": source, "lane": by, "since": text_of(since), "until": text_of(until)}
    lane.event("makegood.source.unheard", until, lane=by, customer=UUID(int=99), data=data)


async def states(lane: Partition) -> dict[UUID, str]:
    return dict(await rows(lane.engine, "commitments", "customer, state"))


async def test_a_refused_record_holds_whom_it_names_at_due_and_nobody_else(lane: Partition) -> None:
    """Breaks if a record of one customer delayed another's verdict, or broken were said of whom it may have kept."""
    other = UUID(int=13)
    lane.event("placed")
    lane.event("placed", customer=other)
    refuse(lane, NOON + HOUR)
    lane.marker(DUE)
    assert await lane.pass_over() == ["opened", "opened", "held", "broken"]
    assert await states(lane) == {ANA: "held", other: "broken"}
    lane.marker(DUE + HOUR)
    assert (await lane.pass_over())[4:] == []
    held = next(each for each in await lane.facts() if each["type"].endswith("held"))
    assert (held["data"]["judgement"], held["data"]["verdict"], held["data"]["barrier"]) == ("held", 0, text_of(DUE))
    assert held["data"]["unread"] == [{"what": f"{RECORD} was not read: no-time", "since": text_of(NOON + HOUR), "until": None}]


async def test_what_is_released_keeps_and_nobody_ever_heard_broken(lane: Partition) -> None:
    lane.event("placed")
    refuse(lane, NOON + HOUR)
    lane.marker(DUE)
    lane.event("delivered", NOON + HOUR, NOON + HOUR)
    settle(lane, NOON + HOUR, DUE + HOUR, "released")
    lane.marker(DUE + 5 * HOUR)
    lane.marker(DUE + 6 * HOUR)
    assert await lane.pass_over() == ["opened", "held", "kept"]


async def test_what_is_dismissed_is_said_once_the_barrier_has_been_past_it_for_as_long_as_it_was_blind(lane: Partition) -> None:
    """Breaks if a source that catches up after its silence were given no time to."""
    lane.event("placed")
    refuse(lane, NOON + HOUR)
    lane.marker(DUE)
    settle(lane, NOON + HOUR, DUE + HOUR)
    lane.marker(DUE + 3 * HOUR - MILLISECOND)
    assert await lane.pass_over() == ["opened", "held"]
    lane.marker(DUE + 3 * HOUR)
    assert await lane.pass_over() == ["opened", "held", "broken"]
    assert (await lane.facts())[-1]["data"]["unread"][0]["until"] == text_of(DUE + HOUR)


async def test_after_the_limit_the_verdict_is_said_with_what_was_not_read(lane: Partition) -> None:
    lane.event("placed")
    refuse(lane, NOON + HOUR)
    limit = NOON + 25 * HOUR
    lane.marker(DUE)
    lane.marker(limit - MILLISECOND)
    assert await lane.pass_over() == ["opened", "held"]
    lane.marker(limit)
    assert await lane.pass_over() == ["opened", "held", "broken"]
    assert (await lane.facts())[-1]["data"]["unread"] == [
        {"what": f"{RECORD} was not read: no-time", "since": text_of(NOON + HOUR), "until": None}
    ]


async def test_records_refused_together_hold_together_however_they_are_settled(lane: Partition) -> None:
    """Breaks if two records of one arrival could not be weighed, or the time in which both were unread counted twice."""
    lane.event("placed")
    for number in range(3):
        refuse(lane, NOON + HOUR, f"touchpoints/0/{number}")
    lane.marker(DUE)
    settle(lane, NOON + HOUR, DUE + HOUR, record="touchpoints/0/1")
    lane.marker(DUE + HOUR)
    assert await lane.pass_over() == ["opened", "held"]
    for number in (0, 2):
        settle(lane, NOON + HOUR, DUE + HOUR, record=f"touchpoints/0/{number}")
    lane.marker(DUE + 2 * HOUR)
    lane.marker(DUE + 3 * HOUR - MILLISECOND)
    assert await lane.pass_over() == ["opened", "held"]
    lane.marker(DUE + 3 * HOUR)
    assert await lane.pass_over() == ["opened", "held", "broken"]


async def test_what_was_settled_before_the_trigger_arrived_holds_nothing(lane: Partition) -> None:
    refuse(lane, NOON - 2 * HOUR)
    settle(lane, NOON - 2 * HOUR, NOON - HOUR)
    lane.event("placed")
    lane.marker(DUE)
    assert await lane.pass_over() == ["opened", "broken"]
    assert "unread" not in (await lane.facts())[-1]["data"]


async def test_a_source_that_is_silent_holds_what_depends_on_it_and_nothing_else(partition: Make, engine: AsyncEngine) -> None:
    await promise(engine, "in-time", {"response": response()})
    await promise(engine, "of-others", {"response": response(when={"type": "placed", "source": "till"}, expect={"type": "paid"})})
    await declare(engine, "shop", types=["delivered"])
    lane = await partition().start()
    lane.event("placed", source="till")
    lane.marker(NOON, sources={"shop": NOON})
    lane.marker(DUE, sources={"shop": NOON + 95 * MINUTE})
    await lane.deliver()
    said = [(each["type"].rpartition(".")[2], each["data"]["promise"]) for each in await lane.facts()][2:]
    assert sorted(said) == [("broken", "of-others"), ("held", "in-time")]
    lane.event("delivered", DUE - MINUTE, DUE + HOUR)
    assert (await lane.told())[4:] == []
    assert (await lane.pass_over())[4:] == ["kept"]


async def test_a_source_that_returns_is_given_as_long_as_it_was_silent(lane: Partition) -> None:
    lane.event("placed")
    last, back = NOON + 90 * MINUTE, DUE + HOUR
    lane.marker(NOON + 90 * MINUTE, sources={"shop": last})
    lane.marker(DUE, sources={"shop": last})
    miss(lane, last, back)
    lane.marker(back, sources={"shop": back})
    said = back + (back - last - 10 * MINUTE)
    lane.marker(said - MILLISECOND, sources={"shop": said - MINUTE})
    assert await lane.pass_over() == ["opened", "held"]
    lane.marker(said, sources={"shop": said - MINUTE})
    assert await lane.pass_over() == ["opened", "held", "broken"]
    assert await rows(lane.engine, "blind_spots", 'start, "end"') == [(last + 10 * MINUTE, back)]


@pytest.mark.parametrize("batch", [1, 2, 100])
async def test_a_backlog_is_judged_as_it_would_have_been_live(lane: Partition, batch: int) -> None:
    """Breaks I6: a silence that is over when its records are read must delay the verdict as one that is lived through."""
    lane.event("placed")
    last, back = NOON + 90 * MINUTE, DUE + HOUR
    lane.marker(NOON + 90 * MINUTE, lanes=2, sources={"shop": last})
    miss(lane, last, back)
    lane.marker(DUE + 2 * HOUR, lanes=2, sources={"shop": DUE + 2 * HOUR})
    lane.marker(DUE + 2 * HOUR, SLOW, lanes=2)
    while lane.ahead(1):
        await lane.deliver(batch)
    assert await lane.told() == ["opened", "held"]
    lane.marker(DUE + 3 * HOUR, lanes=2, sources={"shop": DUE + 3 * HOUR})
    lane.marker(DUE + 3 * HOUR, SLOW, lanes=2)
    assert await lane.pass_over() == ["opened", "held", "broken"]


async def test_what_is_known_of_silences_outlives_the_process(lane: Partition) -> None:
    """Breaks if a process that takes over forgot a gap that the barrier has not passed yet."""
    lane.event("placed")
    last, back = NOON + 90 * MINUTE, DUE + HOUR
    miss(lane, last, back)
    lane.marker(DUE + 2 * HOUR, lanes=2, sources={"shop": DUE + 2 * HOUR})
    await lane.deliver()
    await lane.save()
    await lane.start()
    lane.marker(DUE + 2 * HOUR, SLOW, lanes=2)
    assert await lane.pass_over() == ["opened", "held"]


async def test_beyond_the_end_of_its_calendar_a_source_holds_nobody_and_the_line_goes_on(partition: Make, engine: AsyncEngine) -> None:
    """Breaks if a heartbeat that cannot be counted stopped the partition."""
    calendar = {
        "apiVersion": "makegood/v1", "kind": "Calendar", "metadata": {"name": "office"},
        "spec": {"zone": "UTC", "week": {"mon-sun": ["00:00-24:00"]}, "valid": {"from": "2026-01-01", "until": "2026-03-01"}},
    }  # fmt: skip
    await published.publish_calendar(engine, published.News("office", orjson.dumps(calendar), "ana", NOON, None))
    await promise(engine, "in-time", {"response": response()})
    await declare(engine, "shop", "20 business hours", calendar="office")
    lane = await partition().start()
    lane.event("placed")
    lane.marker(DUE, sources={"shop": NOON})
    assert await lane.pass_over() == ["opened", "broken"]


async def retire(lane: Partition, at: datetime, source: str = "shop") -> None:
    """A source is declared no longer, and journey passes that on."""
    await sources.retire_source(lane.engine, source, "ana", at)
    lane.event("makegood.source.retired", at, customer=UUID(int=99), data={"source": source})


async def test_a_source_that_is_retired_while_silent_holds_nothing_any_more(lane: Partition) -> None:
    """Breaks if what was held went on waiting for somebody whom nobody expects to speak, or waited as long again."""
    lane.event("placed")
    lane.marker(DUE, sources={"shop": NOON + 90 * MINUTE})
    assert await lane.pass_over() == ["opened", "held"]
    await retire(lane, DUE + HOUR)
    lane.marker(DUE + HOUR + MILLISECOND)
    assert await lane.pass_over() == ["opened", "held", "broken"]
    assert await rows(lane.engine, "blind_spots", '"end" IS NULL') == [(False,)]
    lane.event("placed", DUE + HOUR, data={"order": "o2"})
    lane.marker(DUE + 3 * HOUR)
    assert (await lane.pass_over())[3:] == ["opened", "broken"]


async def test_a_silence_that_was_over_delays_nothing_any_more_once_its_source_is_retired(lane: Partition) -> None:
    lane.event("placed")
    lane.marker(DUE, sources={"shop": NOON + 90 * MINUTE})
    miss(lane, NOON + 90 * MINUTE, DUE + HOUR)
    lane.marker(DUE + HOUR, sources={"shop": DUE + HOUR})
    assert await lane.pass_over() == ["opened", "held"]
    await retire(lane, DUE + 61 * MINUTE)
    lane.marker(DUE + 62 * MINUTE)
    assert await lane.pass_over() == ["opened", "held", "broken"]


async def test_declared_again_a_source_is_waited_for_from_when_it_is_heard(lane: Partition) -> None:
    """Breaks if what was heard of it before, by a lane that says so late, made the time between a silence."""
    lane.marker(NOON, sources={"shop": NOON})
    await retire(lane, NOON + MINUTE)
    await lane.deliver()
    await lane.save()
    await lane.start()
    await declare(lane.engine, "shop")
    lane.event("placed", NOON + HOUR)
    miss(lane, NOON, NOON + 80 * MINUTE)
    lane.marker(NOON + 3 * HOUR, sources={"shop": NOON + 175 * MINUTE})
    assert await lane.pass_over() == ["opened", "broken"]
    lane.event("placed", NOON + 3 * HOUR, data={"order": "o3"})
    lane.marker(NOON + 6 * HOUR, sources={"shop": NOON + 4 * HOUR})
    assert (await lane.pass_over())[2:] == ["opened", "held"]
