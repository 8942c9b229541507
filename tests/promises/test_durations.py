"""Durations: what they read as, what each kind counts, and that calendar time is counted as `whenever` counts it."""

import pickle
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from whenever import Instant

from services.promises.calendars.durations import (
    Amount,
    BusinessDays,
    BusinessTime,
    CalendarTime,
    Duration,
    Elapsed,
    InCustomersZone,
    NoCalendarError,
    NotADurationError,
    Timekeeping,
    Unit,
    UnknownZoneError,
    duration,
    is_in_business_days,
    read,
)
from tests.promises.opening import calendar, utc

MADRID = ZoneInfo("Europe/Madrid")
ZONES = ["UTC", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Caracas"]
OFFICE = calendar(zone="Europe/Madrid", week={"mon-fri": ["09:00-13:00", "15:00-19:00"]})
CUSTOMERS = calendar(zone="customer", week={"mon-fri": ["09:00-17:00"]})
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("48 hours", Elapsed(timedelta(hours=48))),
        ("1 hour", Elapsed(timedelta(hours=1))),
        ("90 minutes", Elapsed(timedelta(minutes=90))),
        ("0.5 seconds", Elapsed(timedelta(milliseconds=500))),
        ("PT48H", Elapsed(timedelta(hours=48))),
        ("PT1H30M", Elapsed(timedelta(minutes=90))),
        ("2 days", CalendarTime(0, 2, MADRID)),
        ("P2D", CalendarTime(0, 2, MADRID)),
        ("2 weeks", CalendarTime(0, 14, MADRID)),
        ("1 month", CalendarTime(1, 0, MADRID)),
        ("P1M", CalendarTime(1, 0, MADRID)),
        ("P1Y2M", CalendarTime(14, 0, MADRID)),
        ("P1W", CalendarTime(0, 7, MADRID)),
        ("P1DT2H", CalendarTime(0, 1, MADRID, timedelta(hours=2))),
        ("500 years", CalendarTime(6000, 0, MADRID)),
    ],
)
def test_durations_read_as_elapsed_or_calendar_time(text: str, expected: object) -> None:
    assert duration(text, MADRID) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10 business hours", Amount(Unit.BUSINESS_TIME, timedelta(hours=10))),
        ("1.5 Business Hours", Amount(Unit.BUSINESS_TIME, timedelta(minutes=90))),
        ("90 business minutes", Amount(Unit.BUSINESS_TIME, timedelta(minutes=90))),
        ("2 business days", Amount(Unit.BUSINESS_DAYS, days=2)),
        ("1 business day", Amount(Unit.BUSINESS_DAYS, days=1)),
    ],
)
def test_durations_read_as_business_time(text: str, expected: Amount) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "P", "PT", "P1DT", "5", "5 fortnights", "1.5 days", "-1 hour", "hours 5", "P1H", "\u0665 hours"),
        *("1.5 business days", "2 business weeks", "1 business month", "5 business seconds", "5 business"),
    ],
)
def test_what_is_no_duration_is_refused_and_told_how_to_say_it(text: str) -> None:
    with pytest.raises(NotADurationError, match="say it as `48 hours`"):
        read(text)


@pytest.mark.parametrize(
    "text", ["501 years", "6001 months", "5000000 hours", "5000000 business hours", "1000000 business days", "9" * 400 + " hours"]
)
def test_nobody_promises_more_than_500_years(text: str) -> None:
    with pytest.raises(NotADurationError, match="longer than 500 years"):
        read(text)


def test_a_day_is_not_24_hours_when_the_clocks_change() -> None:
    noon_before = datetime(2026, 3, 28, 11, tzinfo=UTC)
    assert duration("1 day", MADRID).after(noon_before) == noon_before + timedelta(hours=23)
    assert duration("24 hours", MADRID).after(noon_before) == noon_before + timedelta(hours=24)
    assert duration("1 day", MADRID).before(noon_before + timedelta(hours=23)) == noon_before


def test_a_skipped_clock_time_is_the_end_of_the_gap_and_a_doubled_one_the_first() -> None:
    skipped = duration("1 day", MADRID).after(datetime(2026, 3, 28, 1, 30, tzinfo=UTC))
    assert skipped == datetime(2026, 3, 29, 1, tzinfo=UTC)
    doubled = duration("1 day", MADRID).after(datetime(2026, 10, 24, 0, 30, tzinfo=UTC))
    assert doubled == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert duration("1 day", ZoneInfo("Pacific/Apia")).after(utc("2011-12-29T18:00")) == utc("2011-12-30T10:00"), "it had no 30 December"


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
    ours = CalendarTime(months, days, ZoneInfo(zone)).after(instant)
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
def test_a_later_start_is_never_due_earlier_unless_its_clock_time_came_twice(start: datetime, zone: str, days: int, seconds: int) -> None:
    within, first = CalendarTime(0, days, ZoneInfo(zone)), start.replace(tzinfo=UTC)
    later = first + timedelta(seconds=seconds)
    assume(later.astimezone(ZoneInfo(zone)).fold == 0)
    assert within.after(first) <= within.after(later)


@given(
    st.datetimes(datetime(1975, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001
    st.timedeltas(timedelta(0), timedelta(days=400)),
)
def test_elapsed_time_is_counted_as_whenever_counts_it(start: datetime, length: timedelta) -> None:
    ours = Elapsed(length).after(start.replace(tzinfo=UTC))
    assert ours == Instant(start.replace(tzinfo=UTC)).add(microseconds=length // timedelta(microseconds=1)).to_stdlib()
    assert Elapsed(length).before(ours) == start.replace(tzinfo=UTC)


FRIDAY = utc("2026-01-30T16:00")
"""17:00 in Madrid, two hours before closing."""
ALL_KINDS = ["10 hours", "2 days", "1 month", "P1DT2H", "10 business hours", "30 business minutes", "2 business days"]


def by_office(text: str, *, closing: bool = False) -> Duration:
    return Timekeeping(calendar=OFFICE).duration(text, closing=closing)


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("2 business hours", "2026-01-30T18:00"),
        ("2.5 business hours", "2026-02-02T08:30"),
        ("90 business minutes", "2026-01-30T17:30"),
        ("1 business day", "2026-02-02T16:00"),
        ("3 days", "2026-02-02T16:00"),
        ("72 hours", "2026-02-02T16:00"),
    ],
)
def test_a_calendar_counts_its_own_time_and_days_in_its_own_zone(text: str, due: str) -> None:
    assert by_office(text).after(FRIDAY) == utc(due)


def test_business_days_may_end_at_closing_and_nothing_else_may() -> None:
    assert by_office("1 business day", closing=True).after(FRIDAY) == utc("2026-02-02T18:00")
    assert by_office("1 business day", closing=True).times(2).after(FRIDAY) == utc("2026-02-03T18:00")
    for text in ("8 business hours", "1 day", "24 hours"):
        with pytest.raises(NotADurationError, match="`end: closing` goes with business days"):
            by_office(text, closing=True)


@pytest.mark.parametrize("text", [each for each in ALL_KINDS if each != "1 month"])
def test_every_kind_but_clipped_months_goes_back_where_it_came_from(text: str) -> None:
    within = by_office(text)
    assert within.before(within.after(FRIDAY)) == FRIDAY


@pytest.mark.parametrize("text", ALL_KINDS)
def test_what_is_spent_until_an_instant_is_used_up_there_when_the_clock_goes_on(text: str) -> None:
    """A pause takes nothing from the rest and adds nothing to it, whenever the clock goes on."""
    within = by_office(text)
    due, pause = within.after(FRIDAY), FRIDAY + timedelta(minutes=20)
    rest = within.spent(pause, due)
    assert within.resumed(pause, rest) == due
    assert within.spent(FRIDAY, pause) + rest == within.spent(FRIDAY, due)
    resumed = pause + timedelta(days=3)
    assert within.spent(resumed, within.resumed(resumed, rest)) == rest


@pytest.mark.parametrize("text", ALL_KINDS)
def test_the_whole_of_a_budget_is_used_at_its_due_instant_and_half_of_it_at_half_its_time(text: str) -> None:
    within = by_office(text)
    due, half = within.after(FRIDAY), within.at_share(FRIDAY, 0.5)
    assert within.at_share(FRIDAY, 1) == due
    assert within.spent(FRIDAY, half) == within.spent(half, due)


def test_the_whole_of_business_days_is_used_at_their_due_instant_even_outside_working_time() -> None:
    shorter = calendar(zone="UTC", week={"fri": ["09:00-17:00"], "sat": ["09:00-12:00"]})
    within = Timekeeping(calendar=shorter).duration("1 business day")
    assert within.at_share(FRIDAY, 1) == within.after(FRIDAY) == utc("2026-01-31T16:00")


def test_half_of_ten_business_hours_is_five_of_them() -> None:
    assert by_office("10 business hours").at_share(FRIDAY, 0.5) == by_office("5 business hours").after(FRIDAY) == utc("2026-02-02T11:00")
    assert by_office("2 business days").spent(FRIDAY, utc("2026-02-03T16:00")) == timedelta(hours=16)
    assert by_office("2 days").spent(FRIDAY, utc("2026-02-01T16:00")) == timedelta(hours=48)


@pytest.mark.parametrize(
    ("text", "threefold"),
    [("10 hours", "30 hours"), ("P1DT2H", "P3DT6H"), ("10 business hours", "30 business hours"), ("2 business days", "6 business days")],
)
def test_a_multiple_counts_at_once(text: str, threefold: str) -> None:
    assert by_office(text).times(3) == by_office(threefold)


def test_months_are_counted_from_the_start_and_not_one_after_another() -> None:
    end_of_january = utc("2026-01-31T12:00")
    assert by_office("1 month").times(2).after(end_of_january) == utc("2026-03-31T11:00")


@pytest.mark.parametrize("text", ALL_KINDS)
def test_a_duration_is_a_value(text: str) -> None:
    within = by_office(text)
    assert within == by_office(text)
    assert hash(within) == hash(by_office(text))
    anew = pickle.loads(pickle.dumps(within))
    assert anew == within
    assert anew.after(FRIDAY) == within.after(FRIDAY)
    assert by_office(f"P{7}D") != within


def test_only_business_days_are_counted_in_business_days() -> None:
    assert [is_in_business_days(each) for each in ("2 business days", "2 business hours", "2 days", "soon")] == [True, False, False, False]


def test_a_duration_is_made_once() -> None:
    time = Timekeeping(calendar=OFFICE)
    assert time.duration("2 business days") is time.duration("2 business days")
    assert time.duration("2 business days", closing=True) != time.duration("2 business days")
    anew = pickle.loads(pickle.dumps(time))
    assert anew == time
    assert anew.duration("1 business hour") == time.duration("1 business hour")


@pytest.mark.parametrize("text", ["10 business hours", "90 business minutes", "2 business days"])
def test_without_a_calendar_there_is_no_business_time(text: str) -> None:
    with pytest.raises(NoCalendarError, match=f"`{text}` needs a `calendar`"):
        duration(text, MADRID)


def test_a_calendar_in_the_customers_zone_counts_there() -> None:
    time = Timekeeping(calendar=CUSTOMERS)
    start = utc("2026-01-30T00:00")
    assert time.duration("1 business hour", "Europe/Madrid").after(start) == utc("2026-01-30T09:00")
    assert time.duration("1 business hour", "Asia/Kolkata").after(start) == utc("2026-01-30T04:30")
    assert time.duration("1 day", "America/New_York").after(utc("2026-03-07T17:00")) == utc("2026-03-08T16:00")
    assert isinstance(time.duration("1 business hour", "Asia/Kolkata"), BusinessTime)
    assert isinstance(time.duration("1 business day", "Asia/Kolkata"), BusinessDays)


def test_a_calendar_with_a_zone_of_its_own_does_not_ask_for_the_customers() -> None:
    time = Timekeeping(calendar=OFFICE)
    assert [time.of_customer, Timekeeping(calendar=CUSTOMERS).of_customer, Timekeeping(None).of_customer] == [False, True, True]
    assert time.duration("1 business hour", "Asia/Kolkata") == time.duration("1 business hour")


@pytest.mark.parametrize("text", ["2 days", "2 business days", "10 business hours"])
def test_a_customers_zone_that_is_missing_or_unknown_is_an_error_of_its_own(text: str) -> None:
    time = Timekeeping(calendar=CUSTOMERS)
    with pytest.raises(UnknownZoneError, match="the customer's zone is not known"):
        time.duration(text)
    with pytest.raises(UnknownZoneError, match="`Madrid` is not a zone; did you mean `Europe/Madrid`"):
        time.duration(text, "Madrid")
    with pytest.raises(UnknownZoneError, match="say it as in `Europe/Madrid`"):
        time.duration(text, "../../etc/passwd")


def test_a_duration_that_waits_for_the_customers_zone_is_counted_there_and_nowhere_else() -> None:
    waiting = InCustomersZone("1 business day", Timekeeping(calendar=CUSTOMERS), closing=True)
    assert waiting.in_zone("Asia/Kolkata").after(utc("2026-01-30T00:00")) == utc("2026-02-02T11:30")
    for ask in (waiting.after, waiting.before, lambda _: waiting.times(2)):
        with pytest.raises(UnknownZoneError):
            ask(FRIDAY)


def test_elapsed_time_needs_no_zone() -> None:
    assert Timekeeping(zone=None).duration("48 hours", None).after(FRIDAY) == FRIDAY + timedelta(hours=48)
