"""What promises makes of its partition's records, in their order, on a real PostgreSQL."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.driving import NOON, rows
from tests.promises.conftest import FAST, SLOW, Partition, promise, response

HOUR, MINUTE, MILLISECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(milliseconds=1)
DUE = NOON + 2 * HOUR
Make = Callable[..., Partition]


@pytest.fixture
async def lane(partition: Make, engine: AsyncEngine) -> Partition:
    await promise(engine, "in-time", {"response": response()})
    return await partition().start()


async def test_the_barrier_is_the_minimum_over_all_lanes(lane: Partition) -> None:
    """Breaks if the failure's lane alone could break a promise whose evidence is still in a slower one (FAULTS 10)."""
    lane.event("placed")
    lane.marker(NOON + 9 * HOUR, FAST, lanes=2)
    lane.marker(NOON + HOUR, SLOW, lanes=2)
    assert await lane.pass_over() == ["opened"]
    assert lane.lane.progress.arrival == NOON + HOUR
    lane.event("delivered", NOON + HOUR, NOON + 3 * HOUR, lane=SLOW)
    lane.marker(NOON + 9 * HOUR, SLOW, lanes=2)
    assert await lane.pass_over() == ["opened", "kept"]


async def test_a_lane_that_was_not_heard_holds_the_barrier_back(lane: Partition) -> None:
    lane.event("placed")
    for _ in range(3):
        lane.marker(NOON + 9 * HOUR, FAST, lanes=2)
    assert await lane.pass_over() == ["opened"]
    assert lane.lane.progress.arrival is None
    lane.marker(DUE, SLOW, lanes=2)
    assert await lane.pass_over() == ["opened", "broken"]


async def test_behind_a_hole_nothing_is_applied_and_no_marker_counts_until_it_is_filled(lane: Partition) -> None:
    """Breaks if a consumer passed what its publisher could not send yet (FAULTS 5)."""
    lane.event("placed", seq=1)
    lane.event("delivered", NOON + 30 * MINUTE, seq=3, id_="third")
    lane.marker(NOON + 9 * HOUR)
    assert await lane.pass_over() == ["opened"]
    assert lane.lane.progress.arrival is None
    lane.event("noticed", seq=2)
    lane.event("delivered", NOON + 30 * MINUTE, seq=3, id_="third")
    lane.marker(NOON + 9 * HOUR)
    assert await lane.pass_over() == ["opened", "kept"]


async def test_what_is_sent_again_is_dropped_by_its_number(lane: Partition) -> None:
    lane.event("placed", seq=1, id_="one")
    lane.event("placed", seq=1, id_="again, as if it were another")
    lane.event("placed", seq=1, id_="one")
    assert await lane.pass_over() == ["opened"]


async def test_a_marker_that_is_sent_late_does_not_take_the_barrier_back(lane: Partition) -> None:
    lane.marker(NOON + 5 * HOUR)
    lane.marker(NOON + HOUR)
    await lane.deliver()
    assert lane.lane.progress.arrival == NOON + 5 * HOUR


async def test_broken_is_said_when_the_barrier_reaches_due_and_not_a_millisecond_before(lane: Partition) -> None:
    lane.event("placed")
    lane.marker(DUE - MILLISECOND)
    assert await lane.pass_over() == ["opened"]
    lane.marker(DUE)
    assert await lane.pass_over() == ["opened", "broken"]
    assert (await lane.facts())[-1]["data"]["barrier"] == "2026-03-01T14:00:00.000Z"


async def test_broken_waits_for_the_arrival_of_the_trigger_and_for_grace(partition: Make, engine: AsyncEngine) -> None:
    """Breaks if A were due alone: what keeps a promise may arrive with the trigger, after due."""
    await promise(engine, "in-time", {"response": response(), "grace": "10 minutes"})
    lane = await partition().start()
    lane.event("placed", NOON, NOON + 5 * HOUR)
    lane.marker(NOON + 5 * HOUR + 10 * MINUTE - MILLISECOND)
    assert await lane.pass_over() == ["opened"]
    lane.marker(NOON + 5 * HOUR + 10 * MINUTE)
    assert await lane.pass_over() == ["opened", "broken"]


async def test_a_failure_that_is_seen_breaks_when_the_barrier_reaches_its_arrival(partition: Make, engine: AsyncEngine) -> None:
    await promise(engine, "in-time", {"response": response(), "broken_by": {"type": "failed"}})
    lane = await partition().start()
    lane.event("placed")
    lane.event("failed", NOON + 10 * MINUTE, NOON + 30 * MINUTE)
    lane.marker(NOON + 30 * MINUTE - MILLISECOND)
    assert await lane.pass_over() == ["opened"]
    lane.marker(NOON + 30 * MINUTE)
    assert await lane.pass_over() == ["opened", "broken"]


async def test_late_evidence_corrects_a_verdict_once(lane: Partition) -> None:
    """Breaks I7: a second copy, or later evidence still, must not correct again."""
    lane.event("placed")
    lane.marker(DUE)
    lane.event("delivered", NOON + HOUR, NOON + 3 * HOUR, id_="late")
    assert await lane.pass_over() == ["opened", "broken", "corrected"]
    lane.event("delivered", NOON + HOUR, NOON + 4 * HOUR, id_="late")
    lane.event("delivered", NOON + 30 * MINUTE, NOON + 5 * HOUR, id_="later, and earlier")
    lane.marker(NOON + 9 * HOUR)
    assert await lane.pass_over() == ["opened", "broken", "corrected"]
    corrected = (await lane.facts())[-1]["data"]
    assert (corrected["was"], corrected["judgement"], corrected["verdict"]) == ("broken", "kept", 2)


async def test_what_late_evidence_puts_in_doubt_is_taken_back_and_said_again_once_it_is_sure(partition: Make, engine: AsyncEngine) -> None:
    """Called off after it was lost, it is broken by the loss alone: whatever may have come before that may still be on its way."""
    around = {"broken_by": {"type": "failed"}, "cancel": {"type": "cancelled"}, "grace": "2 hours"}
    await promise(engine, "in-time", {"response": response()} | around)
    lane = await partition().start()
    lane.event("placed")
    lane.event("failed", NOON + HOUR, DUE + HOUR)
    lane.marker(DUE + 2 * HOUR)
    assert await lane.pass_over() == ["opened", "moved", "broken"]
    lane.event("cancelled", NOON + 90 * MINUTE, DUE + 2 * HOUR + MINUTE)
    assert await lane.pass_over() == ["opened", "moved", "broken", "corrected"]
    lane.marker(DUE + 3 * HOUR - MILLISECOND)
    assert await lane.pass_over() == ["opened", "moved", "broken", "corrected"]
    lane.marker(DUE + 3 * HOUR)
    assert await lane.pass_over() == ["opened", "moved", "broken", "corrected", "broken"]
    told = [(each["data"]["was"], each["data"]["judgement"], each["data"]["verdict"]) for each in await lane.facts()]
    assert told[2:] == [(None, "broken", 1), ("broken", "on_track", 2), (None, "broken", 3)]


async def test_evidence_that_is_late_for_due_too_leaves_the_verdict_and_marks_it_late(lane: Partition) -> None:
    lane.event("placed")
    lane.marker(DUE)
    lane.event("delivered", DUE + MINUTE, NOON + 3 * HOUR)
    assert await lane.pass_over() == ["opened", "broken"]
    assert await rows(lane.engine, "commitments", "state, late") == [("broken", True)]


async def test_a_barrier_that_jumps_fires_everything_in_chunks(partition: Make, engine: AsyncEngine) -> None:
    """Breaks if what is due beyond one chunk were forgotten, or held in one transaction (FAULTS 17)."""
    await promise(engine, "in-time", {"response": response()})
    lane = await partition(due_at_once=50, remembered=0).start()
    for number in range(330):
        lane.event("placed", NOON + number * MINUTE, customer=UUID(int=number))
    lane.event("placed", NOON + timedelta(days=9), id_="behind")
    lane.marker(NOON + timedelta(days=9))
    await lane.deliver(331)
    before = lane.lane.progress.rev
    told = await lane.pass_over()
    assert (told.count("opened"), told.count("broken")) == (331, 330)
    assert lane.lane.progress.rev - before == 7
    fired = [each["data"]["due"] for each in await lane.facts() if each["type"].endswith("broken")]
    assert fired == sorted(fired)


async def test_warnings_are_said_once_each_before_the_verdict(partition: Make, engine: AsyncEngine) -> None:
    await promise(engine, "in-time", {"response": response(), "warn": ["50%", "10 minutes"]})
    lane = await partition().start()
    lane.event("placed")
    for minutes in (59, 60, 80, 110, 115, 120, 180):
        lane.marker(NOON + minutes * MINUTE)
    assert await lane.pass_over() == ["opened", "at_risk", "at_risk", "broken"]
    assert [each["data"]["barrier"][11:16] for each in (await lane.facts())[1:]] == ["13:00", "13:50", "14:00"]


async def test_an_event_that_a_promise_cannot_be_judged_on_is_quarantined_for_that_promise_alone(
    partition: Make, engine: AsyncEngine
) -> None:
    await promise(engine, "by", {"response": response(within=None, by="data.due")})
    await promise(engine, "in-time", {"response": response()})
    lane = await partition().start()
    lane.event("placed", data={"due": "tomorrow"})
    lane.event("placed", NOON + MINUTE, data={"due": "2026-03-01T13:00:00Z"}, id_="readable")
    lane.marker(NOON + 9 * HOUR)
    await lane.deliver()
    said = [(each["type"].rsplit(".")[-1], each["data"]["promise"]) for each in await lane.facts()]
    assert sorted(said) == sorted([("opened", "by"), ("broken", "by"), *[("opened", "in-time"), ("broken", "in-time")] * 2])
    ((position, reason, detail),) = await rows(engine, "quarantine", "position, reason, detail")
    assert (position, reason) == (0, "condition")
    assert "data.due" in detail


@pytest.mark.parametrize("due", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"])
@pytest.mark.parametrize("around", [{"grace": "2 days", "warn": ["1 hour", "50%"]}, {"warn": ["2 days"]}, {"grace": "48 hours"}])
async def test_no_due_time_that_an_event_may_carry_stops_the_partition(
    partition: Make, engine: AsyncEngine, due: str, around: dict[str, Any]
) -> None:
    """Breaks if the end of the calendar, or its beginning, raised in the judge."""
    await promise(engine, "by", {"response": response(within=None, by="data.due"), **around})
    await promise(engine, "in-time", {"response": response()})
    lane = await partition().start()
    lane.event("placed", data={"due": due})
    lane.marker(NOON + 9 * HOUR)
    await lane.deliver()
    assert ("broken", "in-time") in [(each["data"]["judgement"], each["data"]["promise"]) for each in await lane.facts()]


async def test_an_event_of_another_key_of_the_person_is_evidence_and_opens_nothing(lane: Partition) -> None:
    lane.event("placed", evidenceonly=True, id_="copied")
    assert await lane.pass_over() == []
    lane.event("placed", id_="own")
    lane.event("delivered", NOON + HOUR, evidenceonly=True)
    assert await lane.pass_over() == ["opened", "kept"]


async def test_customers_and_correlations_are_kept_apart(lane: Partition) -> None:
    for customer in (1, 2):
        for order in ("o1", "o2", 1, "1", 1.0):
            lane.event("placed", customer=UUID(int=customer), data={"order": order}, id_=f"{customer}{order!r}")
    lane.event("delivered", NOON + HOUR, customer=UUID(int=1), data={"order": 1})
    await lane.deliver()
    kept = await rows(lane.engine, "commitments WHERE state = 'kept'", "customer, correlation")
    assert kept == [(UUID(int=1), "1"), (UUID(int=1), "1")]
    assert len(await rows(lane.engine, "commitments")) == 10


async def test_one_event_serves_every_open_trigger_and_never_its_own(partition: Make, engine: AsyncEngine) -> None:
    await promise(engine, "again", {"response": response(expect={"type": ["placed", "delivered"]})})
    lane = await partition().start()
    lane.event("placed", NOON)
    lane.event("placed", NOON + MINUTE)
    assert await lane.pass_over() == ["opened", "kept", "opened"]
    lane.event("delivered", NOON + HOUR)
    assert (await lane.pass_over())[3:] == ["kept"]
