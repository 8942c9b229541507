"""A calendar that is put right moves what falls due under it, and not what was promised before; what moves is said, once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import takewhile

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.promises.store import published
from tests.driving import NOON, clear, rows
from tests.promises.conftest import TABLES, Partition, document, response

MINUTE = timedelta(minutes=1)
CLOSED, OPEN_AGAIN = 120, 240
"""Minutes after noon between which nobody works, as the calendar says that was put right."""


async def calendar(engine: AsyncEngine, effective_from: datetime | None, *, fixed: bool) -> None:
    closures = {"closures": [{"from": "2026-03-01T14:00", "until": "2026-03-01T16:00"}]} if fixed else {}
    written = {
        "apiVersion": "makegood/v1", "kind": "Calendar", "metadata": {"name": "office"},
        "spec": {"zone": "UTC", "week": {"mon-sun": ["00:00-24:00"]}, "valid": {"from": "2026-01-01", "until": "2026-12-31"}} | closures,
    }  # fmt: skip
    await published.publish_calendar(engine, published.News("office", orjson.dumps(written), "ana", NOON, effective_from))


def due(trigger: int, fixed_from: int) -> datetime:
    """Two working hours after a trigger, by hand: under the calendar that was in force then."""
    if trigger < fixed_from or trigger >= OPEN_AGAIN or trigger + 120 <= CLOSED:
        return NOON + (trigger + 120) * MINUTE
    worked = max(CLOSED - trigger, 0)
    return NOON + (OPEN_AGAIN + 120 - worked) * MINUTE


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    fixed_from=some.integers(0, 250), published_after=some.integers(0, 5), open_=some.sampled_from(["each", "first"]),
    triggers=some.lists(some.tuples(some.integers(0, 300), some.sampled_from(["o1", "o2"])), min_size=1, max_size=5, unique=True),
)  # fmt: skip
async def test_moved_is_said_exactly_when_the_due_time_that_is_shown_changes(
    partition: Callable[..., Partition], engine: AsyncEngine, fixed_from: int, published_after: int, open_: str,
    triggers: list[tuple[int, str]],
) -> None:  # fmt: skip
    """Breaks if a fix reached back to what was promised before it, or moved something of which nobody is told, or told of what stays."""
    await clear(engine, *TABLES, "promises", "calendars")
    await calendar(engine, None, fixed=False)
    spec = {"response": response(within="2 business hours", open=open_), "calendar": "office"}
    await published.publish(engine, published.News("in-time", document("in-time", spec), "ana", NOON, None), "office")
    lane = await partition().start()
    known = sum(1 for _ in takewhile(lambda each: each[0] < fixed_from, triggers))  # a fix is known before what it judges arrives
    for number, (minute, order) in enumerate(triggers):
        if number == min(published_after, known):
            await calendar(engine, NOON + fixed_from * MINUTE, fixed=True)
        lane.event("placed", NOON + minute * MINUTE, NOON, data={"order": order})
        await lane.deliver()
    shown: dict[str, str] = {}
    for fact in await lane.facts():
        word, data = fact["type"].rpartition(".")[2], fact["data"]
        assert (word == "moved") == (data["commitment"] in shown and shown[data["commitment"]] != data["due"])
        shown[data["commitment"]] = data["due"]
    kept = {str(id_): at for id_, at in await rows(engine, "commitments", "id, due")}
    assert {id_: datetime.fromisoformat(text) for id_, text in shown.items()} == kept
    by_order = {order: sorted(minute for minute, its in triggers if its == order) for _, order in triggers}
    anchors = [minute for its in by_order.values() for minute in (its if open_ == "each" else its[:1])]
    assert sorted(kept.values()) == sorted(due(minute, fixed_from) for minute in anchors)
