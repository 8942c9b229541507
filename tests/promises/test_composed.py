"""Promises composed freely, over random histories: every way of judging them says the same of every commitment."""

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.keys import event_key
from services.promises.backtest import Backtest, Tally, arrived, outcome_of, verdict_line
from services.promises.compile import Catalogue, Compiled
from services.promises.language import read
from services.promises.language.declarations import Promise
from tests.driving import clear
from tests.promises.composing import HAPPENINGS, promises
from tests.promises.conftest import TABLES, Partition, document, promise
from tests.promises.test_handlers_properties import crowding
from tests.promises.test_oracle_stream import said_by_backtest, said_by_stream

NIGHT = datetime(2026, 3, 8, 4, tzinfo=UTC)
"""In New York the clocks change three hours later."""
STEP = timedelta(minutes=20)
END = NIGHT + timedelta(days=3)
histories = st.lists(HAPPENINGS, min_size=1, max_size=14)
History = list[tuple[Any, ...]]


def _data(order: Any, value: Any, number: Any, due: int) -> dict[str, Any]:
    nested = {} if number == "missing" else {"nested": {"number": number}}
    return {"order": order, "value": value, "due": (NIGHT + due * STEP).isoformat()} | nested


def _in_order_of_arrival(history: History) -> History:
    return sorted(history, key=lambda each: each[1] + each[2])


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(specs=st.lists(promises(), min_size=1, max_size=3), history=histories, size=st.integers(1, 9), crowded=st.booleans())
async def test_the_stream_and_a_backtest_agree_on_promises_composed_freely(
    specs: list[dict[str, Any]], history: History, size: int, crowded: bool,  # noqa: FBT001
    partition: Callable[..., Partition], engine: AsyncEngine,
) -> None:  # fmt: skip
    """Breaks if two modifiers get in each other's way in one of the two only."""
    await clear(engine, "promises", *TABLES)
    for number, spec in enumerate(specs):
        await promise(engine, f"p{number}", spec)
    lane = partition()
    for type_, at, delay, order, value, number, due in _in_order_of_arrival(history):
        arrival = NIGHT + (at + delay) * STEP
        lane.event(type_, NIGHT + at * STEP, arrival, data=_data(order, value, number, due), customer=UUID(int=7))
        lane.marker(arrival - timedelta(milliseconds=1))
    lane.marker(END)
    with crowding() if crowded else nullcontext():
        await lane.start()
        while lane.lane.progress.position < len(lane.log):
            await lane.deliver(size)
    assert await said_by_stream(engine) == await said_by_backtest(engine, lane, END)


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(specs=st.lists(promises(), min_size=1, max_size=3), history=histories, copies=st.sampled_from([1, 40]), end=st.integers(0, 60))
def test_a_report_counts_what_its_verdicts_say_of_promises_composed_freely(
    specs: list[dict[str, Any]], history: History, copies: int, end: int
) -> None:
    """Breaks if strands that are counted together, as very many alike are, come to something else than one by one; or very long ones."""
    versions = [_compiled(document(f"p{number}", spec)) for number, spec in enumerate(specs)]
    tested = Backtest(Catalogue(versions), lambda origin: event_key(origin.source, origin.id))
    happened = [(customer, each) for customer in range(copies) for each in history]
    events = [_event(place, each) for place, (_, each) in enumerate(happened)]
    times, arrivals = ([NIGHT + sum(each[1:last]) * STEP for _, each in happened] for last in (2, 3))
    tested.take(arrived([customer for customer, _ in happened], events, times, arrivals))
    as_of = NIGHT + end * STEP
    for version, report in zip(versions, tested.reports(as_of), strict=True):
        counted: dict[str | None, Tally] = {}
        for verdict in tested.verdicts(version, as_of):
            counted.setdefault(verdict.trigger.segment, Tally(Counter())).said[outcome_of(verdict.judgement)] += 1
        assert report.segments == counted
        with crowding():
            crowded = [verdict_line(version, each) for each in tested.verdicts(version, as_of)]
        assert crowded == [verdict_line(version, each) for each in tested.verdicts(version, as_of)]


def _compiled(text: bytes) -> Compiled:
    (found,) = read(text.decode(), "p.json")
    assert isinstance(found.declares, Promise)
    return Compiled(found.declares)


def _event(place: int, each: tuple[Any, ...]) -> dict[str, Any]:
    type_, _, _, order, value, number, due = each
    return {"id": str(place), "source": "test", "type": type_, "data": orjson.loads(orjson.dumps(_data(order, value, number, due)))}
