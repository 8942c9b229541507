"""Evidence of another key of the same person: it keeps promises while they are one, and is as if it had never been afterwards."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.promises.lending import HeldBack
from services.promises.rebuild import Rebuild
from tests.driving import NOON, clear, rows
from tests.promises.conftest import FAST, SLOW, TABLES, Partition, promise, response
from tests.promises.test_handlers_properties import publish

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
FAR, LATER, STEP = NOON + 30 * HOUR, NOON + 3 * HOUR, 10 * MINUTE
DATA = {"due": (NOON + HOUR).isoformat(), "early": 5}
Make = Callable[..., Partition]


@pytest.fixture
async def lane(partition: Make, engine: AsyncEngine) -> Partition:
    await promise(engine, "in-time", {"response": response()})
    return await partition().start()


def lend(where: Partition, number: int, type_: str = "delivered", at: datetime = NOON + HOUR, **others: Any) -> None:
    """What another key has: since which statement, or with `retracted`, that it is lent no longer."""
    where.event(type_, at, **({"id_": "lent"} | others), evidenceonly=True, kinship=number)


def say(where: Partition, number: int, *, retracted: bool, **others: Any) -> None:
    """The same, whichever it is."""
    said: dict[str, Any] = {"retracted": True} if retracted else {}
    lend(where, number, **others, **said)


async def standing(lane: Partition) -> list[tuple[Any, ...]]:
    return await rows(lane.engine, "commitments", "state, verdict_state")


async def same_when_rebuilt(engine: AsyncEngine) -> bool:
    return [each async for each in Rebuild(engine, 0).run(check=True)] == []


async def test_what_another_key_lends_keeps_a_promise_until_it_is_taken_back(lane: Partition) -> None:
    lane.event("placed")
    lend(lane, 1)
    lane.marker(NOON + 90 * MINUTE)
    assert await lane.pass_over() == ["opened", "kept"]
    lend(lane, 2, retracted=True)
    lane.marker(NOON + 100 * MINUTE)
    assert await lane.pass_over() == ["opened", "kept"], "what was kept waits for the verdict that takes its place"
    lane.marker(FAR)
    assert await lane.pass_over() == ["opened", "kept", "corrected"]
    assert await standing(lane) == [("broken", "broken")]
    assert await same_when_rebuilt(lane.engine)


async def test_a_failure_that_another_key_lent_is_corrected_at_once_when_it_is_taken_back(partition: Make, engine: AsyncEngine) -> None:
    never = {"when": {"type": "placed"}, "never": {"type": "left"}, "within": "2 hours", "correlate": "data.order"}
    await promise(engine, "stays", {"absence": never})
    lane = await partition().start()
    lane.event("placed")
    lend(lane, 1, "left")
    lane.marker(NOON + 90 * MINUTE)
    assert await lane.pass_over() == ["opened", "broken"]
    lend(lane, 2, "left", retracted=True)
    lane.marker(FAR)
    assert (await lane.pass_over())[:3] == ["opened", "broken", "corrected"]
    assert [state for state, _ in await standing(lane)] == ["kept"]


@pytest.mark.parametrize(
    ("told", "verdict"),
    [("-2 1", "broken"), ("1 3 -2", "kept"), ("3 -2 1", "kept"), ("1 -2 3", "kept"), ("1 -2 -2 1", "broken"), ("-4 3 1 -2", "broken")],
)
async def test_lanes_may_overtake_each_other(lane: Partition, told: str, verdict: str) -> None:
    """Breaks if what was told last counted, and not what was said last."""
    lane.event("placed")
    for number in map(int, told.split()):
        say(lane, abs(number), retracted=number < 0)
        await lane.deliver()
    lane.marker(FAR)
    await lane.deliver()
    assert await standing(lane) == [(verdict, verdict)]
    assert await same_when_rebuilt(lane.engine)


async def test_what_was_taken_back_stays_out_of_what_is_judged_later(lane: Partition) -> None:
    """Breaks if stored evidence is read again with what is no longer evidence, in another batch or by another process."""
    lane.event("placed")
    lend(lane, 1)
    lend(lane, 2, retracted=True)
    await lane.deliver()
    await lane.save()
    await lane.start()
    lane.event("placed", NOON + 30 * MINUTE)
    lane.event("noticed", NOON + 40 * MINUTE)
    lane.marker(FAR)
    await lane.deliver()
    assert await standing(lane) == [("broken", "broken")] * 2


async def test_nobody_is_held_for_a_record_of_somebody_they_are_no_longer_one_with(lane: Partition) -> None:
    lane.event("placed")
    held = {"record": "touchpoints/0/9", "reason": "bad", "arrival": NOON.isoformat()}
    for number in (1, 2):
        say(lane, number, retracted=number == 2, type_="makegood.journey.held", id_="h", data=held, source="makegood/journey")
    lane.marker(FAR)
    assert await lane.pass_over() == ["opened", "broken"]


@given(told=some.permutations([(1, False), (2, True), (3, False), (4, True)]), count=some.integers(1, 4))
def test_who_reads_a_journal_is_handed_what_is_lent_in_the_end(told: list[tuple[int, bool]], count: int) -> None:
    """Breaks if a backtest over the journal saw what was taken back, whichever lane it stands in."""
    held = HeldBack[int]()
    said = [each for each in told if each[0] <= count]
    for number, retracted in said:
        event = {"customer": "c", "source": "s", "id": "e", "evidenceonly": True, "kinship": number, "retracted": retracted}
        assert held.holds(event, number)
    assert held.rest() == ([] if count % 2 == 0 else [count])
    assert not held.holds({"customer": "c", "source": "s", "id": "own"}, 0)


own = some.tuples(some.sampled_from(["placed", "delivered", "left", "again", "paused", "resumed"]), some.integers(0, 12))
borrowed = some.tuples(
    some.sampled_from(["placed", "delivered", "left", "again", "paused", "failed"]), some.integers(0, 12), some.integers(1, 4)
)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(data=some.data(), owns=some.lists(own, min_size=1, max_size=6), lents=some.lists(borrowed, min_size=1, max_size=4))
async def test_what_is_judged_in_the_end_is_what_it_would_be_by_what_is_lent_in_the_end(
    data: some.DataObject, owns: list[tuple[str, int]], lents: list[tuple[str, int, int]], partition: Make, engine: AsyncEngine
) -> None:
    """Breaks if a retraction leaves a trace in what is judged, of any pattern, in whatever order lanes bring it."""
    await publish(engine)
    told: list[tuple[int, int]] = [(place, number) for place, (_, _, count) in enumerate(lents) for number in range(1, count + 1)]
    steps: list[Any] = [*enumerate(owns), *((place, (number,)) for place, number in told)]

    async def judged(order: list[Any], *, whole: bool) -> list[tuple[Any, ...]]:
        await clear(engine, *TABLES, "lent")
        lane = await partition().start()
        for place, what in order:
            name = data.draw(some.sampled_from([FAST, SLOW])) if whole else FAST
            if len(what) == 2:
                lane.event(what[0], NOON + what[1] * STEP, LATER, id_=f"own-{place}", lane=name, data=DATA)
                continue
            type_, at, count = lents[place]
            if whole or (what[0] == count and count % 2):
                there: dict[str, Any] = {"type_": type_, "at": NOON + at * STEP, "id_": f"lent-{place}"}
                say(lane, what[0], retracted=what[0] % 2 == 0, **there, arrival=LATER, lane=name, data=DATA)
        for name in (FAST, SLOW):
            lane.marker(FAR, name, lanes=2)
        await lane.deliver(data.draw(some.integers(1, 9)) if whole else None)
        await lane.deliver()
        assert await same_when_rebuilt(engine)
        columns = "promise, trigger_id, state, reason, due::text, decided_by::text, late, standing"
        return [row for row in await rows(engine, "commitments", columns) if row[3] != "not-opened"]

    assert await judged(data.draw(some.permutations(steps)), whole=True) == await judged(steps, whole=False)
