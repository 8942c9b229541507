"""What a raw lane vouches for: monotone arrivals, a clock that does not run away, markers that name what is there."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.settings import Clock
from services.chassis.telemetry import Telemetry
from services.journey.domain import customer_key
from services.journey.handlers import LaneAheadError, TouchpointHandler
from services.journey.records import JOURNEY, TOUCHPOINTS
from services.journey.settings import JourneySettings
from tests.driving import NOON, rows, touchpoint
from tests.journey.conftest import LANES, PARTITIONS, Raw

TICK = touchpoint("t", "makegood.tick", source="makegood/journey")
SECOND = timedelta(seconds=1)


@pytest.fixture
async def live(settings: JourneySettings, engine: AsyncEngine) -> Raw:
    own = settings.model_copy(update={"clock": Clock.LIVE})
    return Raw(engine, own, lambda: TouchpointHandler(TOUCHPOINTS, LANES, PARTITIONS, own, Telemetry(own, "journey")))


async def test_arrival_never_goes_back_along_a_lane(raw: Callable[..., Raw]) -> None:
    """Breaks if a record that Kafka stamped earlier than the one before it took the lane's clock back."""
    lane = await raw().start()
    for number, seconds in enumerate((0, 5, 3, 7)):
        lane.add(touchpoint(f"e{number}", subject="crm:1"), arrival=NOON + seconds * SECOND)
    await lane.deliver(2)
    await lane.deliver()
    journalled = await rows(lane.engine, "journal", "lpad(ordinal::text, 3, '0'), arrival")
    assert [arrival - NOON for _, arrival in journalled] == [0 * SECOND, 5 * SECOND, 5 * SECOND, 7 * SECOND]


async def test_a_marker_names_the_last_number_of_its_lane_and_the_arrival_before_the_last(raw: Callable[..., Raw]) -> None:
    lane = await raw(1).start()
    for number in range(7):
        lane.add(touchpoint(f"e{number}", subject=f"crm:{number}"), arrival=NOON + number * SECOND)
    lane.add(TICK, arrival=NOON + timedelta(minutes=1))
    await lane.deliver()
    await lane.vouch()
    told = [(each.partition, orjson.loads(each.value)["data"]) for each in lane.wire.sent if each.key is None and each.topic == JOURNEY]
    until = (NOON + timedelta(minutes=1) - timedelta(milliseconds=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    numbers = [sum(customer_key(f"crm:{number}").int % PARTITIONS == partition for number in range(7)) for partition in range(PARTITIONS)]
    assert told == [
        (partition, {"lane": "touchpoints/1", "lanes": LANES, "incarnation": 1, "seq": numbers[partition], "arrival": until})
        for partition in range(PARTITIONS)
    ]


async def test_a_lane_that_has_read_nothing_vouches_for_nothing(raw: Callable[..., Raw]) -> None:
    lane = await raw().start()
    await lane.vouch()
    assert lane.wire.sent == []


async def test_ticks_move_the_clock_without_a_transaction_and_are_accounted_for(raw: Callable[..., Raw]) -> None:
    lane = await raw().start()
    before = lane.lane.progress.rev
    lane.add(TICK, arrival=NOON + SECOND)
    await lane.deliver()
    assert (lane.lane.progress.rev, lane.lane.progress.arrival, lane.counts()) == (before, NOON + SECOND, {"ignored": 1})
    await lane.save()
    await lane.start()
    assert (lane.lane.progress.position, lane.counts()) == (1, {"ignored": 1})


@pytest.mark.parametrize("value", [TICK, touchpoint("e", subject="crm:1")])
async def test_a_live_lane_that_runs_ahead_of_our_clock_is_held(live: Raw, value: bytes) -> None:
    """Breaks if a broker's clock that jumps could make promises fall due."""
    await live.start()
    live.add(value, arrival=datetime.now(UTC) + timedelta(minutes=2))
    with pytest.raises(LaneAheadError):
        await live.lane.step(live.ahead())
    assert await live.lane.open() == 0
    assert live.lane.progress.arrival is None
    assert await rows(live.engine, "journal") == []


async def test_a_silent_live_lane_is_ticked_and_a_replayed_one_is_not(live: Raw, raw: Callable[..., Raw]) -> None:
    for lane, ticks in ((live, 1), (raw(), 0)):
        await lane.start()
        lane.lane._heard_at = float("-inf")
        assert [each.topic for each in lane.lane.signals()] == [TOUCHPOINTS] * ticks


async def test_a_customer_has_one_partition_and_numbers_count_up_in_it(raw: Callable[..., Raw]) -> None:
    lane = await raw().start()
    for number in range(40):
        lane.add(touchpoint(f"e{number}", subject=f"crm:{number % 9}"))
    await lane.deliver(13)
    await lane.deliver()
    numbers = await rows(lane.engine, "journal", "partition, lpad(seq::text, 3, '0'), customer")
    assert all(customer.int % PARTITIONS == partition for partition, _, customer in numbers)
    for partition in range(PARTITIONS):
        counted = [int(seq) for where, seq, _ in numbers if where == partition]
        assert counted == list(range(1, len(counted) + 1))
