"""`makegood lanes`: which lane is stuck."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.cli.lanes import behind, standing

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def lane(topic: str, partition: int, seconds: float | None) -> dict[str, Any]:
    """One that stood so many seconds before noon."""
    at = None if seconds is None else (NOON - timedelta(seconds=seconds)).isoformat()
    return {"topic": topic, "partition": partition, "arrival": at, "effects": 7, "outbox": 1}


FOUND = {
    "journey": [lane("makegood.touchpoints", 0, 0.5), lane("makegood.touchpoints", 1, 90), lane("feed:shop:orders", 0, 9000)],
    "promises": [lane("makegood.journey", 0, 91), lane("makegood.journey", 1, None)],
}


def test_the_lane_that_is_furthest_behind_stands_first_and_one_that_has_not_begun_has_no_age() -> None:
    """Breaks if a feed's last record, which may be old, passed for a lane that is stuck."""
    found = [(each.lane, None if each.age is None else each.age.total_seconds()) for each in standing(FOUND, NOON)]
    assert found == [
        ("makegood.journey/0", 91), ("makegood.touchpoints/1", 90), ("makegood.touchpoints/0", 0.5), ("makegood.journey/1", None),
    ]  # fmt: skip
    assert behind(standing(FOUND, NOON), 90) == ["makegood.journey/0"]
    assert behind(standing(FOUND, NOON), 91) == []


def test_on_a_clock_of_the_lanes_own_the_furthest_ahead_says_what_time_it_is() -> None:
    assert {each.lane: each.age for each in standing(FOUND, None)}["makegood.touchpoints/1"] == timedelta(seconds=89.5)
    assert standing({"journey": []}, None) == []
