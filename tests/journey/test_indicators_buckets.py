"""Where days, weeks and months begin, by the zone of whoever reads."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Relay
from services.journey import api
from services.journey.indicators.buckets import buckets
from services.journey.settings import JourneySettings
from tests.serving import bearer, in_front_of


def test_days_begin_where_the_zone_has_them_begin() -> None:
    """In Berlin a day of March has 23 hours and one of October 25; in Kathmandu days begin at a quarter past."""
    berlin = buckets(datetime(2026, 3, 28).date(), datetime(2026, 3, 31).date(), "day", ZoneInfo("Europe/Berlin"))  # noqa: DTZ001 - a day
    assert [(b - a) / 4 for a, b in zip(berlin.bounds, berlin.bounds[1:], strict=False)] == [24, 23, 24]
    kathmandu = buckets(datetime(2026, 3, 28).date(), datetime(2026, 3, 29).date(), "week", ZoneInfo("Asia/Kathmandu"))  # noqa: DTZ001 - a day
    assert str(kathmandu.starts[0]) == "2026-03-23"
    assert kathmandu.bounds[0] % 4 == 1
    months = buckets(datetime(2025, 12, 31).date(), datetime(2026, 3, 2).date(), "month", ZoneInfo("UTC"))  # noqa: DTZ001 - a day
    assert [str(each) for each in months.starts] == ["2025-12-01", "2026-01-01", "2026-02-01", "2026-03-01"]


async def test_a_period_that_cannot_be_shown_is_refused_with_what_would_be_right(
    engine: AsyncEngine, own: JourneySettings, tmp_path: Path
) -> None:
    relay = Relay(own)
    async with in_front_of(api.build(own, engine, relay), bearer(tmp_path, "manager")) as manager:
        anywhere = ("zone=Nowhere/At%20All", "zone=..%2Fetc", "since=2026-02-01&until=2026-02-01", "bucket=day&since=2020-01-01")
        for query in (*anywhere, "since=0001-01-01", "by=stage", "by=colour"):
            for path in ("indicators",) if "by" in query else ("indicators", "indicators/teams"):
                answer = await manager.get(f"/v1/{path}?{query}")
                assert answer.status_code == 422, query
                assert answer.json().get("detail") or answer.json()["errors"]
    await relay.close()
