"""The stream, event by event in the order of arrival, and a backtest of the same events agree commitment by commitment."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.keys import event_key
from services.chassis.relay import MARKER_HEADER
from services.promises.backtest import Backtest, arrived
from services.promises.compile import Catalogue, Compiled
from services.promises.language import read
from services.promises.language.declarations import Promise
from tests.driving import NOON, clear, rows
from tests.promises.conftest import TABLES, Partition
from tests.promises.test_handlers_properties import events, markers, publish, write

ROWS = "p.name, c.customer::text, c.trigger_event::text, c.state, c.reason, c.due, c.decided_by::text, c.late, c.standing"
logs = some.lists(some.one_of(events, events, events, markers), min_size=1, max_size=40)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(script=logs, size=some.integers(1, 12))
async def test_the_stream_and_a_backtest_say_the_same_of_every_commitment(
    script: list[tuple[Any, ...]], size: int, partition: Callable[..., Partition], engine: AsyncEngine
) -> None:
    """Breaks if arrival, or where a batch ends, bears on a final verdict, or if one of the two forgets evidence that bears on it."""
    await publish(engine)
    await clear(engine, *TABLES)
    lane = await write(partition(), script).start()
    while lane.lane.progress.position < len(lane.log):
        await lane.deliver(size)
    assert await said_by_stream(engine) == await said_by_backtest(engine, lane)


async def said_by_stream(engine: AsyncEngine) -> list[tuple[Any, ...]]:
    """Every commitment as its row has it; one whose opening turned out not to have happened counts nowhere."""
    found = await rows(engine, "commitments c JOIN promises p ON p.id = c.promise", ROWS)
    return [each for each in found if each[4] != "not-opened"]


async def said_by_backtest(engine: AsyncEngine, lane: Partition, as_of: datetime = NOON + timedelta(days=3)) -> list[tuple[Any, ...]]:
    """What a backtest says of the same promises and events, at the barrier that the stream has reached."""
    documents = await rows(engine, "promises", "document")
    promises = [each.declares for (document,) in documents for each in read(document.decode(), "p.json")]
    versions = [Compiled(each) for each in promises if isinstance(each, Promise)]
    tested = Backtest(Catalogue(versions), lambda origin: event_key(origin.source, origin.id))
    seen = [orjson.loads(each.value or b"") for each in lane.log if MARKER_HEADER not in each.headers]
    times, arrivals = ([instant(each[name]) for each in seen] for name in ("time", "recordedtime"))
    tested.take(arrived([each["customer"] for each in seen], seen, times, arrivals))
    found = []
    for version in versions:
        for verdict in tested.verdicts(version, as_of):
            judgement, (customer, _) = verdict.judgement, verdict.strand
            decided_by = None if judgement.decided_by is None else str(judgement.decided_by)
            named = (version.name, str(customer), str(verdict.trigger.event))
            found.append((*named, str(judgement.state), judgement.reason, judgement.due, decided_by, judgement.late, judgement.standing))
    return sorted(found, key=repr)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
