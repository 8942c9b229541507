"""What bears on a commitment where a strand has seen very many events: nothing that could make a difference is left out."""

from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.promises import pool
from services.promises.bearing import Bearing
from services.promises.calendars.durations import Elapsed
from services.promises.commitment import Commitment
from services.promises.domain import (
    MANY,
    Absence,
    AllOf,
    Evidence,
    Judgement,
    Limit,
    Mark,
    Precedence,
    Recurrence,
    Response,
    Role,
    State,
    Terms,
    history,
    in_slot,
    judge,
)  # fmt: skip
from services.promises.domain.model import Pattern
from tests.driving import NOON, rows
from tests.promises.conftest import Partition, promise, response

MINUTE = timedelta(minutes=1)
ROLES: list[int] = [
    Role.TRIGGER, Role.EXPECT, Role.NEVER, Role.UNTIL, Role.PAUSE, Role.RESUME, Role.CANCEL, Role.FAILURE, Role.EXCUSE,
    Role.TRIGGER | Role.EXPECT, Role.RESUME | Role.EXPECT, in_slot(Role.EXPECT, 1),
]  # fmt: skip
HOUR = Elapsed(timedelta(hours=1))
PATTERNS: list[Pattern] = [
    Response(HOUR), Response(count=2), Precedence(), Precedence(no_sooner_than=Elapsed(10 * MINUTE), within=HOUR), Precedence(within=HOUR),
    Absence(HOUR), Absence(until=True), Absence(), Limit(2, HOUR), Limit(3), Recurrence(Elapsed(20 * MINUTE), until=True),
    AllOf((Response(HOUR), Precedence())), AllOf((Precedence(within=HOUR), Response(HOUR)), in_order=True),
]  # fmt: skip
events = some.tuples(some.sampled_from(ROLES), some.integers(0, 90), some.integers(0, 30), some.booleans())


def marks_of(history: list[tuple[int, int, int, bool]]) -> list[Mark]:
    """Events of one strand; a person's excuse may name the first of them."""
    return [
        Mark(UUID(int=number), NOON + at * MINUTE, NOON + (at + late) * MINUTE, int(role),
             about=UUID(int=0) if role is Role.EXCUSE and named else None)
        for number, (role, at, late, named) in enumerate(history)
    ]  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(
    at_most=some.integers(0, 3), minutes=some.integers(1, 5), barrier=some.integers(0, 30),
    history=some.lists(some.tuples(some.integers(0, 12), some.integers(0, 3)), min_size=2, max_size=9),
    others=some.lists(events, max_size=3),
)  # fmt: skip
def test_an_event_that_is_one_of_few_leaves_a_limit_as_it_stood(
    at_most: int, minutes: int, barrier: int, history: list[tuple[int, int]], others: list[tuple[int, int, int, bool]]
) -> None:
    """Breaks if one that is too many were passed over, or one that makes others too many."""
    terms, at = Terms(Limit(at_most, Elapsed(minutes * MINUTE)), first=True), NOON + barrier * MINUTE
    *before, last = marks_of([*others, *((Role.TRIGGER, *each, False) for each in history)])
    trigger = min((each for each in [*before, last] if each.roles & Role.TRIGGER), key=lambda each: (each.time, each.event))
    open_ = {each.name: None for each in fields(Commitment)} | {"id": trigger.event, "trigger_time": trigger.time}
    bearing = Bearing(terms, before, [Commitment(**open_)])  # type: ignore[arg-type]
    bearing.add(last)
    if not bearing.touched_by(last) and trigger is not last:
        assert judge(terms, Evidence(trigger, (*before, last)), at) == judge(terms, Evidence(trigger, tuple(before)), at)


async def test_a_limit_of_very_many_events_is_judged_when_too_many_come_together(
    partition: Callable[..., Partition], engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if the cost of an event grew with the number of those before it; or if the one too many were passed over."""
    await promise(engine, "few", {"limit": {"event": {"type": "called"}, "at_most": 2, "in": "1 hours"}})
    looked_at: list[int] = []

    def counting(terms: Terms, evidence: Evidence, *rest: object) -> Judgement:
        looked_at.append(len(evidence.marks))
        return judge(terms, evidence, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(pool, "judge", counting)
    lane = await partition().start()
    for number in range(500):
        lane.event("called", NOON + 40 * number * MINUTE)
    lane.event("called", NOON + 40 * 400 * MINUTE + MINUTE)
    lane.marker(NOON + 40 * 500 * MINUTE)
    while lane.ahead(1):
        await lane.deliver(100)
    assert await lane.told() == ["opened", "broken"]
    assert len(looked_at) <= MANY + 5


async def test_a_customer_of_very_many_events_is_not_judged_anew_from_all_of_them(
    partition: Callable[..., Partition], engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if the cost of an event grew with the number of those before it."""
    await promise(engine, "answered", {"response": response(correlate=None)})
    looked_at: list[int] = []

    def counting(terms: Terms, evidence: Evidence, *rest: object) -> Judgement:
        looked_at.append(len(evidence.marks))
        return judge(terms, evidence, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(pool, "judge", counting)
    lane = await partition().start()
    for number in range(1500):
        lane.event("placed", NOON + 2 * number * MINUTE)
        lane.event("delivered", NOON + (2 * number + 1) * MINUTE)
        lane.marker(NOON + (2 * number + 1) * MINUTE)
    while lane.ahead(1):
        await lane.deliver(300)
    assert (await lane.told()).count("kept") == 1500
    assert max(looked_at) <= MANY
    (strand,) = lane.lane._memory.remembered.strands.values()
    assert len(strand.origins) <= 1024


async def test_a_customer_of_very_many_resets_costs_as_much_for_the_last_as_for_the_first(
    partition: Callable[..., Partition], engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if each reset had all that were before it looked at again: a hundred of them took a transaction longer than it may."""
    await promise(engine, "answered", {"response": response(correlate=None), "reset": {"type": "asked-again"}})
    looked_at: list[int] = []

    def counting(terms: Terms, evidence: Evidence, *rest: object) -> Judgement:
        looked_at.append(len(evidence.marks))
        return judge(terms, evidence, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(pool, "judge", counting)
    monkeypatch.setattr(history, "judge", counting)
    lane = await partition().start()
    lane.event("placed", NOON)
    for number in range(600):
        lane.event("asked-again", NOON + (number + 1) * MINUTE)
    lane.event("delivered", NOON + 610 * MINUTE)
    while lane.ahead(1):
        await lane.deliver(300)
    assert await lane.told() == ["opened", *["opened", "withdrawn"] * 600, "kept"]
    assert max(looked_at) <= MANY
    assert len(looked_at) <= 10 * 602
    assert [state for _, _, state in await judged(lane)].count(State.KEPT) == 1


async def judged(lane: Partition) -> list[tuple[str, str, str]]:
    """Each commitment as (trigger, reason, judgement)."""
    return [tuple(each) for each in await rows(lane.engine, "commitments", "trigger_id, reason, state")]


async def test_what_came_before_a_trigger_is_read_for_a_precedence_among_several_patterns(
    partition: Callable[..., Partition], engine: AsyncEngine
) -> None:
    """Breaks if it were read for a precedence alone only: what had come long before was not found, and a kept promise was called broken."""
    patterns = [{"precedence": {"after": {"type": "agreed"}}}, {"response": {"expect": {"type": "delivered"}, "within": "2 hours"}}]
    await promise(engine, "agreed-and-delivered", {"all_of": {"when": {"type": "placed"}, "patterns": patterns}})
    lane = await partition(remembered=0).start()
    for number, type_ in enumerate(("agreed", "placed", "delivered")):
        lane.event(type_, NOON + number * MINUTE)
        lane.marker(NOON + number * MINUTE)
        await lane.deliver()
    lane.marker(NOON + 4 * HOUR.length)
    await lane.deliver()
    assert await lane.told() == ["opened", "kept"]
