"""Durations: what they read as, and that calendar time is counted as `whenever` counts it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from whenever import Instant

from services.promises.durations import Calendar, Elapsed, NotADurationError, NotSupportedYetError, duration

MADRID = ZoneInfo("Europe/Madrid")
ZONES = ["UTC", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Caracas"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("48 hours", Elapsed(timedelta(hours=48))),
        ("1 hour", Elapsed(timedelta(hours=1))),
        ("90 minutes", Elapsed(timedelta(minutes=90))),
        ("0.5 seconds", Elapsed(timedelta(milliseconds=500))),
        ("PT48H", Elapsed(timedelta(hours=48))),
        ("PT1H30M", Elapsed(timedelta(minutes=90))),
        ("2 days", Calendar(0, 2, MADRID)),
        ("P2D", Calendar(0, 2, MADRID)),
        ("2 weeks", Calendar(0, 14, MADRID)),
        ("1 month", Calendar(1, 0, MADRID)),
        ("P1M", Calendar(1, 0, MADRID)),
        ("P1Y2M", Calendar(14, 0, MADRID)),
        ("P1DT2H", Calendar(0, 1, MADRID, timedelta(hours=2))),
    ],
)
def test_durations_read_as_elapsed_or_calendar_time(text: str, expected: object) -> None:
    assert duration(text, MADRID) == expected


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "5", "5 fortnights", "1.5 days", "-1 hour", "hours 5"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(NotADurationError):
        duration(text, MADRID)


@pytest.mark.parametrize("text", ["10 business hours", "90 business minutes", "2 business days"])
def test_business_time_is_not_supported_yet_and_says_so(text: str) -> None:
    with pytest.raises(NotSupportedYetError):
        duration(text, MADRID)


def test_a_day_is_not_24_hours_when_the_clocks_change() -> None:
    noon_before = datetime(2026, 3, 28, 11, tzinfo=UTC)
    assert duration("1 day", MADRID).after(noon_before) == noon_before + timedelta(hours=23)
    assert duration("24 hours", MADRID).after(noon_before) == noon_before + timedelta(hours=24)


def test_a_skipped_clock_time_is_the_end_of_the_gap_and_a_doubled_one_the_first() -> None:
    skipped = duration("1 day", MADRID).after(datetime(2026, 3, 28, 1, 30, tzinfo=UTC))
    assert skipped == datetime(2026, 3, 29, 1, tzinfo=UTC)
    doubled = duration("1 day", MADRID).after(datetime(2026, 10, 24, 0, 30, tzinfo=UTC))
    assert doubled == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_months_end_is_clipped() -> None:
    assert duration("1 month", MADRID).after(datetime(2026, 1, 31, 12, tzinfo=UTC)) == datetime(2026, 2, 28, 12, tzinfo=UTC)


@given(
    st.datetimes(datetime(1975, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001 - Hypothesis wants them naive
    st.sampled_from(ZONES),
    st.integers(0, 30),
    st.integers(0, 800),
)
def test_calendar_time_is_counted_as_whenever_counts_it(start: datetime, zone: str, months: int, days: int) -> None:
    instant = start.replace(tzinfo=UTC)
    ours = Calendar(months, days, ZoneInfo(zone)).after(instant)
    local = Instant(instant).to_tz(zone).to_plain().add(months=months, days=days)
    theirs = local.assume_tz(zone, disambiguation="earlier")
    in_a_gap = theirs.to_plain() != local
    if not in_a_gap:
        assert ours == theirs.to_instant().to_stdlib()
    else:
        before, after = (ours + timedelta(microseconds=each) for each in (-1, 0))
        zoned = ZoneInfo(zone)
        assert before.astimezone(zoned).replace(tzinfo=None) < local.to_stdlib() < after.astimezone(zoned).replace(tzinfo=None)


@given(st.datetimes(datetime(1975, 1, 1), datetime(2037, 1, 1)), st.sampled_from(ZONES), st.integers(0, 400), st.integers(0, 10**7))  # noqa: DTZ001
def test_a_later_start_is_never_due_earlier(start: datetime, zone: str, days: int, seconds: int) -> None:
    within, instant = Calendar(0, days, ZoneInfo(zone)), start.replace(tzinfo=UTC)
    assert within.after(instant) <= within.after(instant + timedelta(seconds=seconds))
