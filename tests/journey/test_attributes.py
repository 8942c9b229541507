"""What is known of a customer is stamped on their later events; the word of the latest event counts, whichever came first."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Relay
from services.journey import api
from services.journey.attributes import DESCRIBED, Attributes
from services.journey.settings import JourneySettings
from tests.driving import NOON, rows, touchpoint
from tests.journey.conftest import ORDER, Raw, declare
from tests.serving import bearer, in_front_of, said, trusting

HOUR = timedelta(hours=1)


def described(id_: str, subject: str = "crm:ana", hours: int = 0, **attributes: Any) -> bytes:
    """What a company system knows, as of so many hours before noon."""
    return touchpoint(id_, DESCRIBED, subject=subject, time=(NOON - hours * HOUR).isoformat(), data={"attributes": attributes})


async def stamps(lane: Raw) -> dict[str, Any]:
    """What each journey event is stamped with, by its id."""
    return {each["id"]: orjson.loads(each.get("customerattributes", "null")) for each in await lane.journal()}


@pytest.fixture
async def lane(raw: Callable[..., Raw]) -> Raw:
    return await raw().start()


async def test_later_events_of_the_customer_are_stamped_and_nobody_elses(lane: Raw) -> None:
    lane.add(touchpoint("before", subject="crm:ana"))
    lane.add(described("d", tier="gold", age=44, share=0.5, newsletter=True))
    lane.add(touchpoint("after", subject="crm:ana"))
    lane.add(touchpoint("of-bob", subject="crm:bob"))
    await lane.deliver()
    lane.add(touchpoint("later", subject="crm:ana"))
    await lane.deliver()
    known = {"age": 44, "newsletter": True, "share": 0.5, "tier": "gold"}
    assert await stamps(lane) == {"before": None, "d": known, "after": known, "of-bob": None, "later": known}


async def test_an_older_word_that_comes_later_changes_nothing_and_null_removes(lane: Raw) -> None:
    """Breaks if the order of arrival decided what is known, or a removed attribute came back with an older word."""
    lane.add(described("d2", hours=2, tier="silver", zone="Europe/Madrid"))
    lane.add(described("d1", hours=1, tier="gold"))
    lane.add(described("d3", hours=3, tier="bronze", since=2020))
    await lane.deliver(2)
    await lane.deliver()
    assert (await stamps(lane))["d3"] == {"since": 2020, "tier": "gold", "zone": "Europe/Madrid"}
    lane.add(described("d0", tier=None, zone=None, since=None))
    lane.add(described("d4", hours=4, tier="wood"))
    lane.add(touchpoint("after", subject="crm:ana"))
    await lane.deliver(1)
    await lane.deliver()
    found = await stamps(lane)
    assert (found["d0"], found["d4"], found["after"]) == (None, None, None)


async def test_what_an_emitter_stamps_itself_is_taken_off(lane: Raw) -> None:
    """Breaks if a company system could say what only journey may: who is gold, what was released, what opens nothing."""
    lane.add(
        touchpoint("e", subject="crm:ana", customerattributes='{"tier":"gold"}', releasedtime="2026-01-01T00:00:00Z", evidenceonly=True)
    )
    await lane.deliver()
    (event,) = await lane.journal()
    assert event.keys() == {"specversion", "id", "source", "type", "time", "subject", "customer", "recordedtime"}


async def test_every_lane_learns_that_there_is_something_to_be_known(raw: Callable[..., Raw], lane: Raw) -> None:
    """Breaks if a lane that had found nothing described once never asked again."""
    other = await raw(1).start()
    for each in (lane, other):
        each.add(touchpoint(f"before-{each.partition}", subject="crm:ana"))
        await each.deliver()
    lane.add(described("d", tier="gold"))
    await lane.deliver()
    other.add(touchpoint("after", subject="crm:ana"))
    await other.deliver()
    assert (await stamps(lane))["after"] == {"tier": "gold"}


async def test_where_nothing_was_ever_described_nothing_is_asked(lane: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if events without attributes cost a query."""

    async def asked(*_: Any) -> None:
        pytest.fail("nothing was described")

    monkeypatch.setattr("services.journey.store.read_attributes", asked)
    for number in range(20):
        lane.add(touchpoint(f"e{number}", subject="crm:ana"))
    await lane.deliver(5)
    await lane.deliver()
    assert lane.counts()["applied"] == 20


async def test_what_was_known_of_an_order_is_known_of_whom_it_joins(lane: Raw) -> None:
    await declare(lane.engine, "order.seen", ORDER)
    lane.add(touchpoint("of-thing", "order.seen", data={"order": "o1"}))
    lane.add(described("d1", "order:o1", hours=1, channel="web", tier="silver"))
    lane.add(described("d2", "crm:ana", hours=0, tier="gold"))
    lane.add(touchpoint("link", "order.seen", subject="crm:ana", data={"order": "o1"}))
    await lane.deliver(3)
    await lane.deliver()
    lane.add(touchpoint("after", subject="crm:ana"))
    await lane.deliver()
    found = await stamps(lane)
    assert found["link"] == found["after"] == {"channel": "web", "tier": "gold"}


WRONG: list[Any] = [
    None, [], {}, {"attributes": None}, {"attributes": {}}, {"attributes": {"a.b": 1}}, {"attributes": {"": 1}},
    {"attributes": {"a": [1]}}, {"attributes": {"a": {}}}, {"attributes": {"a": "x" * 257}},
    {"attributes": {f"a{number}": 1 for number in range(33)}},
]  # fmt: skip


@pytest.mark.parametrize("data", WRONG)
async def test_what_describes_nobody_is_refused(lane: Raw, data: Any) -> None:
    lane.add(touchpoint("d", DESCRIBED, subject="crm:ana", data=data))
    await lane.deliver()
    assert await rows(lane.engine, "quarantine", "reason, place") == [("bad-attributes", "data")]


@pytest.fixture
async def system(settings: JourneySettings, engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    own = trusting(settings, tmp_path)
    async with in_front_of(api.build(own, engine, Relay(own)), bearer(tmp_path, "system")) as client:
        yield client


async def test_the_front_door_refuses_what_the_lane_would(system: httpx2.AsyncClient) -> None:
    content = touchpoint("d", DESCRIBED, subject="crm:ana", data={"attributes": []})
    answer = await system.post("/v1/touchpoints", content=content, headers={"content-type": "application/cloudevents+json"})
    assert said(answer)["errors"][0]["detail"].startswith("bad-attributes")


values = some.one_of(some.none(), some.booleans(), some.integers(-5, 5), some.text(max_size=3))
words = some.tuples(some.integers(0, 3), some.integers(0, 3), some.dictionaries(some.sampled_from("abc"), values, min_size=1))


@given(described=some.lists(words, max_size=6), data=some.data())
def test_no_order_of_reading_makes_a_difference(described: list[tuple[int, int, dict[str, Any]]], data: some.DataObject) -> None:
    """Breaks if of two words at one time the one that came first, or last, won."""
    unique = {(hour, number): attributes for hour, number, attributes in described}
    one, other = Attributes(), Attributes()
    for known, order in ((one, list(unique)), (other, data.draw(some.permutations(list(unique))))):
        for hour, number in order:
            known.describe("ana", {"attributes": unique[hour, number]}, NOON + hour * HOUR, UUID(int=number))
    assert one.text("ana") == other.text("ana")
