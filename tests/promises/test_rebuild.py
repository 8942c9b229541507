"""The rows of commitments are the fold of what is append-only: taken away or altered, they come back as they were."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.instants import text_of
from services.chassis.keys import event_key
from services.promises.rebuild import Difference, Rebuild
from services.promises.store import COMMITMENT
from tests.driving import NOON, clear, rows
from tests.promises.conftest import ANA, FAST, SLOW, TABLES, Partition, promise, response
from tests.promises.test_handlers_properties import by_commitment, outcome
from tests.promises.test_held import declare, refuse, settle

STEP, HOUR = timedelta(minutes=20), timedelta(hours=1)
LANES = [FAST, SLOW]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JUDGED = ("state", "reason", "due", "sayable", "next_at", "settled", "decided_by", "late", "standing")
TYPES = [
    "placed", "placed", "placed", "delivered", "cancelled", "failed", "left", "paused", "resumed", "again", "urgent", "flood",
]  # fmt: skip
events = some.tuples(
    some.just("event"), some.sampled_from(LANES), some.sampled_from(TYPES), some.sampled_from(["o1", "o1", "o2"]), some.integers(1, 2),
    some.integers(-6, 0), some.sampled_from([None, None, TRACE]),
)  # fmt: skip
words = some.tuples(some.just("excuse"), some.sampled_from(LANES), some.integers(0, 20), some.booleans())
markers = some.tuples(some.just("marker"), some.sampled_from(LANES), some.integers(1, 6), some.booleans())
blindness = some.tuples(some.sampled_from(["refuse", "settle"]), some.integers(1, 2), some.integers(0, 1))
logs = some.lists(some.one_of(events, events, events, events, markers, markers, words, blindness), min_size=1, max_size=30)
sizes = some.lists(some.integers(1, 6), min_size=1, max_size=6)


def write(partition: Partition, script: Sequence[tuple[Any, ...]]) -> Partition:
    """Write a log in which everything happens that a row may have to be made again from."""
    now, placed, refused = dict.fromkeys(LANES, NOON), [event_key("shop", "none")], dict[tuple[int, int], datetime | None]()
    for kind, *arguments in script:
        if kind == "event":
            lane, type_, order, customer, ago, trace = arguments
            data = {"order": order, "due": text_of(NOON + 9 * STEP), "priority": 1 if type_ == "urgent" else 2, "team": type_[0]}
            data |= {"amount": "much" if ago == -6 else 1}
            extra: dict[str, Any] = {} if trace is None else {"traceparent": trace}
            partition.event(type_, now[lane] + ago * STEP, now[lane], lane=lane, customer=UUID(int=customer), data=data, **extra)
            if type_ == "placed":
                placed.append(event_key("shop", f"{lane}-{partition.seqs[lane]}"))
        elif kind == "excuse":
            lane, which, granted = arguments
            say_of(partition, placed[which % len(placed)], now[lane], lane, granted=granted)
        elif kind == "marker":
            lane, steps, heard = arguments
            now[lane] += steps * STEP
            sources: dict[str, Any] = {"sources": {"shop": now[lane] - STEP}} if heard else {}
            partition.marker(now[lane] - timedelta(milliseconds=1), lane, lanes=2, **sources)
        elif kind == "refuse":
            customer, number = arguments
            if (customer, number) not in refused:  # a record is refused once, and settled once
                refused[customer, number] = now[FAST]
                refuse(partition, now[FAST], f"touchpoints/0/{number}", UUID(int=customer))
        elif (since := refused.get((arguments[0], arguments[1]))) is not None:
            refused[arguments[0], arguments[1]] = None
            settle(partition, since, now[FAST], record=f"touchpoints/0/{arguments[1]}", customer=UUID(int=arguments[0]))
    return partition


def say_of(partition: Partition, trigger: UUID, at: datetime, lane: str, *, granted: bool) -> None:
    """Somebody excuses a commitment, or takes that back."""
    name = f"{trigger}:granted"
    about = str(trigger) if granted else str(event_key("makegood/promises", name))
    data = {"promise": "each", "correlation": "o1", "about": about}
    kind = "granted" if granted else "taken_back"
    id_ = name if granted else f"{trigger}:taken_back:{partition.seqs.get(lane, 0)}"
    said: dict[str, Any] = {"source": "makegood/promises"}
    partition.event(f"promises.excuse.{kind}", at, at, lane=lane, customer=UUID(int=1), data=data, id_=id_, **said)


def finish(partition: Partition) -> None:
    """Let every barrier be reached."""
    for days in (3, 6):
        for lane in LANES:
            partition.marker(NOON + timedelta(days=days), lane, lanes=2)


@pytest.fixture
async def line(engine: AsyncEngine) -> AsyncEngine:
    """A database in which promises of every kind are published."""
    around = {"pause": {"type": "paused"}, "resume": {"type": "resumed"}, "escalate_target": {"type": "urgent"}, "holder": "data.team"}
    targets = {"targets": [{"where": {"data.priority": 1}, "within": "30 minutes"}]}
    excuse = {"excuse": {"type": "flood"}}
    warn = {"warn": ["50%", "10 minutes"], "grace": "15 minutes"}
    calls_off = {"cancel": {"type": "cancelled"}, "broken_by": {"type": "failed"}}
    await promise(engine, "each", {"response": response()} | around | targets | excuse | warn | {"segment": "data.team"})
    await promise(engine, "first", {"response": response(open="first", within=None, by="data.due")} | calls_off)
    await promise(engine, "first", {"response": response(open="first", within="1 hour")} | calls_off | excuse, NOON - 2 * STEP)
    await promise(engine, "anew", {"response": response(), "reset": {"type": "again"}, "segment": "data.team"} | warn)
    await promise(engine, "anew-first", {"response": response(open="first"), "reset": {"type": "again"}})
    never = {"when": {"type": "placed"}, "never": {"type": "left"}, "correlate": "data.order"}
    await promise(engine, "never", {"absence": never | {"until": {"type": "delivered"}}, "cancel": {"type": "cancelled"}})
    await promise(engine, "never-ever", {"absence": never})
    await promise(engine, "seldom", {"limit": {"event": {"type": "left"}, "at_most": 1, "in": "1 hour", "correlate": "data.order"}})
    before = {"event": {"type": "delivered"}, "after": {"type": "placed"}, "no_sooner_than": "30 minutes", "correlate": "data.order"}
    await promise(engine, "before", {"precedence": before} | excuse)
    recurs = {"when": {"type": "placed"}, "expect": {"type": ["delivered", "left"]}, "every": "1 hour", "until": {"type": "cancelled"}}
    await promise(engine, "recurs", {"recurrence": recurs})
    adds_up = {"must": "sum(events, 'data.amount') >= 2.0", "collect": {"type": ["delivered", "left"]}, "within": "2 hours"}
    await promise(engine, "adds-up", {"settlement": {"when": {"type": "placed"}, "correlate": "data.order"} | adds_up})
    steps = [
        {"name": "on-its-way", "expect": {"type": "left"}, "within": "1 hour"},
        {"name": "there", "expect": {"type": "delivered"}, "within": "1 hour", "from": "previous"},
    ]
    milestones = {"when": {"type": "placed"}, "correlate": "data.order", "steps": steps}
    await promise(engine, "steps", {"milestones": milestones} | warn | excuse)
    await declare(engine, "shop", "3 hours")
    return engine


async def rebuild(engine: AsyncEngine, *, check: bool = False) -> list[Difference]:
    return [each async for each in Rebuild(engine, 0).run(check=check)]


async def rows_by_id(engine: AsyncEngine) -> dict[UUID, dict[str, Any]]:
    """Every row; of those about to be judged, what judging does not change."""
    ((barrier,),) = await rows(engine, "progress", "arrival")
    found = {}
    for row in await rows(engine, "commitments", ", ".join(COMMITMENT)):
        values = dict(zip(COMMITMENT, row, strict=True))
        if values["next_at"] is not None and barrier is not None and values["next_at"] <= barrier:
            values |= dict.fromkeys(JUDGED)
        blind = bool(await rows(engine, "blind_spots"))
        if values["settled"] is not None or blind:
            del values["sayable"]
        if blind:
            del values["next_at"]
        del values["wake"]  # as good where it is earlier
        found[values["id"]] = values
    return found


async def judge_in_batches(lane: Partition, batches: Sequence[int]) -> None:
    """Deliver the log in batches of these sizes, again and again; after each, the rows are those that are made again."""
    number = 0
    while lane.ahead(1):
        await lane.deliver(batches[number % len(batches)])
        await lane.save()
        assert await rebuild(lane.engine, check=True) == []
        number += 1


DAMAGES = (
    "DELETE FROM commitments WHERE mod(hashtext(id::text || :seed), 3) = 0",
    """UPDATE commitments SET state = 'kept', verdict = verdict + 1, said = '', due = now(), trace = 'none', segment = 'other'
       WHERE mod(hashtext(id::text || :seed), 3) = 1""",
    """UPDATE commitments SET trigger_time = trigger_time - interval '1 day', next_at = NULL, partition = 1,
       strand = '00000000-0000-0000-0000-000000000001' WHERE mod(hashtext(id::text || :seed), 5) = 1""",
    f"""INSERT INTO commitments ({", ".join(COMMITMENT)}) SELECT {", ".join(f"(r).{name}" for name in COMMITMENT)} FROM (
         SELECT jsonb_populate_record(c, jsonb_build_object('id', md5(c.id::text || :seed)::uuid)) r FROM commitments c WHERE partition = 0 LIMIT 2) s""",  # noqa: E501
)
"""Rows are lost, altered, moved elsewhere, and there are some that nobody opened."""


async def damage(engine: AsyncEngine, seed: int) -> None:
    async with engine.begin() as connection:
        for statement in DAMAGES:
            await connection.execute(text(statement), {"seed": str(seed)})


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(script=logs, batches=sizes)
async def test_at_every_moment_the_rows_are_those_that_are_made_again(
    script: list[tuple[Any, ...]], batches: list[int], partition: Callable[..., Partition], line: AsyncEngine
) -> None:
    """Breaks if a column held what neither facts nor evidence say."""
    await clear(line, *TABLES, "blind_spots")
    lane = write(partition(), script)
    finish(lane)
    await lane.start()
    await judge_in_batches(lane, batches)


AT_ONE_MOMENT: list[tuple[Any, ...]] = [("event", FAST, "placed", "o1", 1, 0, None), ("marker", SLOW, 5, False)]
"""Several commitments fall due at one moment, and some of them are to be looked at again later."""
HELD_IN_PIECES: list[tuple[Any, ...]] = [
    ("event", FAST, "placed", "o1", 1, 0, None), ("marker", FAST, 1, True), ("marker", SLOW, 6, False), ("refuse", 1, 0),
]  # fmt: skip
"""Several commitments are held at one moment; a source falls silent between that and the moment the last of them is looked at."""


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(script=logs, size=some.integers(1, 20), limit=some.sampled_from([1, 2, 5000]), seed=some.integers(0, 9))
@example(script=AT_ONE_MOMENT, size=20, limit=1, seed=0)
@example(script=HELD_IN_PIECES, size=1, limit=1, seed=0)
async def test_damaged_rows_come_back_as_they_were_and_the_line_goes_on_as_if_nothing_had_been(
    script: list[tuple[Any, ...]], size: int, limit: int, seed: int, partition: Callable[..., Partition], line: AsyncEngine
) -> None:
    """Breaks if what is rebuilt in the middle of the log leads to another end."""

    async def run(*, damaged: bool) -> dict[str, list[Any]]:
        await clear(line, *TABLES, "blind_spots")
        lane = write(partition(due_at_once=limit), script)
        await lane.start()
        await lane.deliver(size)
        await lane.save()
        if damaged:
            before = await rows_by_id(line)
            await damage(line, seed)
            found = await rebuild(line)
            assert bool(found) == bool(before)
            assert {name: before[name] for name in before} == await rows_by_id(line)
            assert await rebuild(line, check=True) == []
            await lane.save()  # it notices
        finish(lane)
        await lane.deliver()
        await lane.save()
        end = await outcome(lane)  # what falls due at once may be said in another order, where it is read in chunks
        told = by_commitment(await rows(line, "commitments", "id, said"), end.pop("outbox"))
        columns = ", ".join(name for name in COMMITMENT if name not in ("wake", "said"))
        return end | {"commitments": await rows(line, "commitments", columns), "told": list(told.items())}

    undamaged = await run(damaged=False)
    assert await run(damaged=True) == undamaged


async def placed(partition: Callable[..., Partition], engine: AsyncEngine) -> Partition:
    await promise(engine, "in-time", {"response": response()})
    lane = await partition().start()
    lane.event("placed")
    lane.marker(NOON + HOUR)
    await lane.deliver()
    await lane.save()
    return lane


async def test_a_check_writes_nothing_and_says_what_is_stored_and_what_it_would_be(
    partition: Callable[..., Partition], engine: AsyncEngine
) -> None:
    await placed(partition, engine)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE commitments SET state = 'broken'"))
    ((revision,),) = await rows(engine, "progress", "rev")
    for _ in range(2):
        (found,) = await rebuild(engine, check=True)
        assert (found.what, found.columns) == ("different", (("state", "broken", "on_track"),))
    assert await rows(engine, "progress", "rev") == [(revision,)]
    assert (await rebuild(engine))[0].columns == found.columns
    assert await rebuild(engine, check=True) == []


async def test_whoever_judges_the_partition_meanwhile_notices_and_reads_again(
    partition: Callable[..., Partition], engine: AsyncEngine
) -> None:
    """Breaks if an owner went on with rows that are no longer in the table."""
    lane = await placed(partition, engine)
    await clear(engine, "commitments")
    await rebuild(engine)
    lane.event("delivered", NOON + HOUR)
    assert await lane.pass_over() == ["opened", "kept"]


async def test_what_fell_due_while_its_row_was_lost_is_said_once_it_is_back(
    partition: Callable[..., Partition], engine: AsyncEngine
) -> None:
    """Breaks if a rebuild took for said what nobody was told, or told it behind the owner's back."""
    lane = await placed(partition, engine)
    await clear(engine, "commitments")
    await lane.start()  # an owner who remembers it would say it
    lane.marker(NOON + 5 * HOUR)
    assert await lane.pass_over() == ["opened"]
    await lane.save()
    assert [each.what for each in await rebuild(engine)] == ["missing"]
    assert await lane.told() == ["opened"]
    assert await rebuild(engine, check=True) == []
    await lane.save()
    lane.marker(NOON + 5 * HOUR + timedelta(seconds=1))
    assert await lane.pass_over() == ["opened", "broken"]


async def test_a_row_whose_trigger_is_no_longer_in_evidence_stays_as_it_is(
    partition: Callable[..., Partition], engine: AsyncEngine
) -> None:
    await placed(partition, engine)
    before = await rows(engine, "commitments")
    await clear(engine, "evidence")
    work = Rebuild(engine, 0)
    assert [each async for each in work.run(check=False)] == []
    assert (work.rows, work.unsupported) == (0, 1)
    assert await rows(engine, "commitments") == before


@pytest.mark.parametrize("value", [1, 1.5, 2.0, 'é\u2028"', True, {"b": [1.0, None], "a": "x"}, 2**53 + 1])
async def test_any_correlation_leads_back_to_its_strand(value: object, partition: Callable[..., Partition], engine: AsyncEngine) -> None:
    await promise(engine, "one", {"response": response()})
    await promise(engine, "two", {"response": response(correlate=["data.order", "data.item"])})
    await promise(engine, "customer", {"response": response(correlate=None)})
    lane = await partition().start()
    lane.event("placed", customer=ANA, data={"order": value, "item": [value]})
    await lane.deliver()
    before = await rows(engine, "commitments")
    assert len(before) == 3
    await clear(engine, "commitments")
    await rebuild(engine)
    assert await rows(engine, "commitments") == before
