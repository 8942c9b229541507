"""Working time: equal to an oracle that counts by the clocks of `whenever`, and true to the rules that hold for any calendar."""

import pickle
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.promises.calendars.working_time import OutsideCalendarError, WorkingTime
from tests.promises.opening import DAY, calendar, counted, intervals, moments, openings, utc, working_time

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
OFFICE = {"mon-fri": ["09:00-12:00", "13:00-17:00"]}
AMOUNTS = st.integers(0, 200 * 3600).map(lambda seconds: seconds * SECOND)
drawn = st.data()


@given(openings(), drawn)
@settings(deadline=None)
def test_working_time_is_what_the_clocks_of_whenever_count(opened: WorkingTime, data: st.DataObject) -> None:
    start, end = sorted(data.draw(st.tuples(moments(opened), moments(opened))))
    assert opened.elapsed(start, end) == counted(opened, start, end)


@given(openings(), drawn, AMOUNTS)
@settings(deadline=None)
def test_a_deadline_is_the_first_instant_at_which_the_oracle_has_counted_the_budget(
    opened: WorkingTime, data: st.DataObject, amount: timedelta
) -> None:
    start = data.draw(moments(opened))
    due = _due(opened, start, amount)
    assert counted(opened, start, due) == amount
    assert amount == timedelta(0) or counted(opened, start, due - timedelta(microseconds=1)) < amount


@given(openings(), drawn, AMOUNTS)
@settings(deadline=None)
def test_the_working_time_until_a_deadline_is_its_budget_and_so_it_is_backwards(
    opened: WorkingTime, data: st.DataObject, amount: timedelta
) -> None:
    start = data.draw(moments(opened))
    assert opened.elapsed(start, _due(opened, start, amount)) == amount
    try:
        back = opened.back(start, amount)
    except OutsideCalendarError:
        return
    assert opened.elapsed(back, start) == amount
    assert amount == timedelta(0) or opened.elapsed(back + timedelta(microseconds=1), start) < amount


@given(openings(), drawn, AMOUNTS, AMOUNTS)
@settings(deadline=None)
def test_a_deadline_is_later_for_more_and_for_a_later_start_and_goes_on_where_it_stopped(
    opened: WorkingTime, data: st.DataObject, first: timedelta, second: timedelta
) -> None:
    start, later = sorted(data.draw(st.tuples(moments(opened), moments(opened))))
    less, more = sorted((first, second))
    assert _due(opened, start, less) <= _due(opened, start, more) <= _due(opened, later, more)
    assert _due(opened, _due(opened, start, first), second) == _due(opened, start, first + second) or second == timedelta(0)


@given(openings(), drawn)
@settings(deadline=None)
def test_working_time_adds_up_and_is_negative_backwards(opened: WorkingTime, data: st.DataObject) -> None:
    one, two, three = data.draw(st.tuples(moments(opened), moments(opened), moments(opened)))
    assert opened.elapsed(one, two) + opened.elapsed(two, three) == opened.elapsed(one, three)
    assert opened.elapsed(one, two) == -opened.elapsed(two, one)


@given(openings(), drawn)
@settings(deadline=None)
def test_every_second_is_either_working_time_or_closed_for_a_reason(opened: WorkingTime, data: st.DataObject) -> None:
    start, end = sorted(data.draw(st.tuples(moments(opened), moments(opened))))
    closed = opened.closures(start, end)
    assert sum((each.end - each.start for each in closed), timedelta(0)) + opened.elapsed(start, end) == end - start
    assert all(opened.elapsed(each.start, each.end) == timedelta(0) and each.start < each.end for each in closed)
    assert all(one.end <= other.start for one, other in pairwise(closed))


@given(openings(), drawn, st.integers(0, 15))
@settings(deadline=None)
def test_the_closing_of_the_nth_working_day_is_the_last_of_that_day(opened: WorkingTime, data: st.DataObject, number: int) -> None:
    start = data.draw(moments(opened))
    try:
        due = opened.working_day(start, number, closing=True)
    except OutsideCalendarError:
        assume(False)
    ends = {}
    for opens, closes in intervals(opened):
        if closes > start:
            ends[opens.astimezone(opened.zone).date()] = closes
    # a closure may leave of a night only its small hours, which are still of the day before
    if not list(opened.rules.exceptions.closures(date.min, date.max, opened.zone)):
        assert due == sorted(ends.values())[number]


@given(openings(), drawn, AMOUNTS)
@settings(deadline=None)
def test_what_was_asked_before_does_not_change_an_answer(opened: WorkingTime, data: st.DataObject, amount: timedelta) -> None:
    start, other = data.draw(st.tuples(moments(opened), moments(opened)))
    anew = pickle.loads(pickle.dumps(opened))
    assert anew == opened
    assert hash(anew) == hash(opened)
    opened.elapsed(other, start)
    assert _due(opened, start, amount) == _due(anew, start, amount)


def _due(opened: WorkingTime, start: datetime, amount: timedelta) -> datetime:
    try:
        return opened.due(start, amount)
    except OutsideCalendarError:
        assume(False)
        raise


def test_years_are_built_as_they_are_asked_for_in_either_direction() -> None:
    opened, whole = (working_time("Europe/Berlin", week={"mon-sun": ["22:00-06:00"]}) for _ in range(2))
    whole.elapsed(utc("2015-06-01"), utc("2026-06-01"))
    for year in (2020, 2018, 2022, 2016, 2024):
        night = datetime(year, 1, 1, 2, tzinfo=UTC)
        assert opened.due(night, 5 * HOUR) == whole.due(night, 5 * HOUR) == datetime(year, 1, 1, 23, tzinfo=UTC)
        assert opened.back(night, 5 * HOUR) == whole.back(night, 5 * HOUR) == datetime(year - 1, 12, 31, 21, tzinfo=UTC)
    assert opened.elapsed(utc("2016-01-01"), utc("2025-01-01")) == whole.elapsed(utc("2016-01-01"), utc("2025-01-01"))


def test_a_budget_that_ends_at_closing_is_due_at_closing_and_one_second_more_after_the_next_opening() -> None:
    opened = working_time("Etc/UTC", week=OFFICE)
    friday = utc("2026-01-30T13:00")
    assert opened.due(friday, 4 * HOUR) == utc("2026-01-30T17:00")
    assert opened.due(friday, 4 * HOUR + SECOND) == utc("2026-02-02T09:00:01")
    assert opened.back(utc("2026-02-02T12:00"), 3 * HOUR) == utc("2026-02-02T09:00")
    assert opened.back(utc("2026-02-02T12:00"), 3 * HOUR + SECOND) == utc("2026-01-30T16:59:59")


def test_no_budget_is_due_at_once_even_when_closed() -> None:
    opened = working_time("Etc/UTC", week=OFFICE)
    assert opened.due(utc("2026-01-31T13:00"), timedelta(0)) == utc("2026-01-31T13:00")
    assert opened.back(utc("2026-01-31T13:00"), timedelta(0)) == utc("2026-01-31T13:00")


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2023-03-26", 7),
        ("Europe/Berlin", "2023-10-29", 9),
        ("Australia/Lord_Howe", "2023-10-01", 7.5),
        ("Australia/Lord_Howe", "2023-04-02", 8.5),
        ("Africa/Casablanca", "2023-03-19", 9),
        ("Africa/Casablanca", "2023-04-23", 7),
        ("America/Caracas", "2016-05-01", 7.5),
        ("America/Caracas", "2007-12-09", 8.5),
        ("Pacific/Apia", "2011-12-29", 2),
        ("Pacific/Apia", "2011-12-30", 0),
        ("Pacific/Apia", "2011-12-31", 8),
    ],
)
def test_a_night_is_as_long_as_the_clocks_make_it(zone: str, day: str, hours: float) -> None:
    """The night is that into the day of the change: 22:00 to 06:00; at the date line Apia never had 30 December 2011."""
    name = date.fromisoformat(day) if zone == "Pacific/Apia" else date.fromisoformat(day) - DAY
    week = {f"{name:%a}".lower(): ["22:00-06:00"]}
    opened = working_time(zone, week=week)
    noon = datetime(name.year, name.month, name.day, tzinfo=UTC)
    assert opened.elapsed(noon - DAY, noon + 3 * DAY) == hours * HOUR


@pytest.mark.parametrize(
    ("hours", "opens", "closes"),
    [
        ("02:30-05:00", "2023-03-26T01:00", "2023-03-26T03:00"),
        ("00:30-02:30", "2023-03-25T23:30", "2023-03-26T01:00"),
        ("02:10-02:50", None, None),
    ],
)
def test_opening_hours_in_a_skipped_hour_begin_and_end_where_the_clock_goes_on(hours: str, opens: str | None, closes: str | None) -> None:
    opened = working_time("Europe/Berlin", week={"sun": [hours]})
    start, end = utc("2023-03-25"), utc("2023-03-28")
    if opens is None or closes is None:
        assert opened.elapsed(start, end) == timedelta(0)
        return
    assert opened.back(end, SECOND) + SECOND == utc(closes)
    assert opened.due(start, SECOND) - SECOND == utc(opens)


def test_a_stretch_that_was_skipped_takes_nothing_from_the_rest_of_its_day() -> None:
    opened = working_time("Europe/Berlin", week={"sun": ["02:10-02:50", "09:00-10:00"]})
    assert opened.elapsed(utc("2023-03-25"), utc("2023-03-28")) == HOUR


def test_opening_hours_in_a_doubled_hour_begin_and_end_at_the_first() -> None:
    opened = working_time("Europe/Berlin", week={"sun": ["00:00-02:30", "02:45-04:00"]})
    assert opened.elapsed(utc("2023-10-29T00:30"), utc("2023-10-29T00:45")) == timedelta(0)
    assert opened.elapsed(utc("2023-10-28T12:00"), utc("2023-10-29T12:00")) == 2.5 * HOUR + 2.25 * HOUR


def test_a_holiday_removes_the_night_that_starts_on_it_and_leaves_the_one_that_ends_on_it() -> None:
    opened = working_time("Etc/UTC", week={"mon-sun": ["22:00-06:00"]}, holidays={"add": ["2026-01-07"]})
    assert opened.elapsed(utc("2026-01-07T00:00"), utc("2026-01-07T12:00")) == 6 * HOUR
    assert opened.elapsed(utc("2026-01-07T12:00"), utc("2026-01-08T12:00")) == timedelta(0)
    assert [str(each.reason) for each in opened.closures(utc("2026-01-07T12:00"), utc("2026-01-08T12:00"))] == [
        "outside opening hours",
        "holiday 2026-01-07",
        "outside opening hours",
    ]


@pytest.mark.parametrize(
    ("start", "number", "due", "closing"),
    [
        ("2026-01-30T14:00", 1, "2026-02-02T14:00", "2026-02-02T17:00"),
        ("2026-01-30T14:00", 0, "2026-01-30T14:00", "2026-01-30T17:00"),
        ("2026-01-30T12:30", 1, "2026-02-02T13:00", "2026-02-02T17:00"),
        ("2026-01-30T17:00", 1, "2026-02-03T09:00", "2026-02-03T17:00"),
        ("2026-01-31T17:00", 2, "2026-02-05T09:00", "2026-02-05T17:00"),
    ],
    ids=["over a weekend", "the same day", "in the break", "at closing", "closed, with a holiday between"],
)
def test_business_days_count_working_days_and_keep_the_clock_time(start: str, number: int, due: str, closing: str) -> None:
    opened = working_time("Etc/UTC", week=OFFICE, holidays={"add": ["2026-02-03"]} if number == 2 else {})
    assert opened.working_day(utc(start), number) == utc(due)
    assert opened.working_day(utc(start), number, closing=True) == utc(closing)


def test_a_working_day_at_the_same_clock_time_may_be_shorter_or_have_another_offset() -> None:
    opened = working_time("Europe/Berlin", week={"mon-fri": ["09:00-17:00"], "sat": ["09:00-12:00"], "sun": ["02:00-03:00"]})
    assert opened.working_day(utc("2023-03-24T15:00"), 1) == utc("2023-03-25T15:00")
    assert opened.working_day(utc("2023-03-24T15:00"), 2) == utc("2023-03-27T14:00"), "the only hour of that Sunday was skipped"


def test_the_small_hours_of_a_night_belong_to_the_working_day_before() -> None:
    opened = working_time("Etc/UTC", week={"mon-fri": ["22:00-06:00"]})
    assert opened.working_day(utc("2026-01-31T02:00"), 1) == utc("2026-02-03T02:00"), "from Friday's night to Monday's"
    assert opened.working_day(utc("2026-01-31T02:00"), 1, closing=True) == utc("2026-02-03T06:00")
    assert opened.working_day_back(utc("2026-02-03T02:00"), 1) == utc("2026-01-31T02:00")


def test_business_days_backwards_count_from_the_closing_before() -> None:
    opened = working_time("Etc/UTC", week=OFFICE)
    assert opened.working_day_back(utc("2026-02-02T14:00"), 1) == utc("2026-01-30T14:00")
    assert opened.working_day_back(utc("2026-02-02T17:00"), 1) == utc("2026-01-30T17:00")
    assert opened.working_day_back(utc("2026-02-01T14:00"), 1) == utc("2026-01-29T17:00")
    assert opened.working_day_back(utc("2026-02-02T09:00"), 1) == utc("2026-01-29T17:00")
    assert opened.working_day_back(utc("2026-01-01T09:00"), 2) == utc("2025-12-29T17:00")


SHORT: dict[str, Any] = {"week": OFFICE, "valid": {"from": "2026-01-05", "until": "2026-01-16"}}


@pytest.mark.parametrize(
    "ask",
    [
        lambda opened: opened.due(utc("2026-01-16T16:00"), HOUR + SECOND),
        lambda opened: opened.due(utc("2026-01-17T00:00:01"), SECOND),
        lambda opened: opened.working_day(utc("2026-01-16T16:00"), 1),
        lambda opened: opened.working_day(utc("2026-01-16T18:00"), 0),
        lambda opened: opened.elapsed(utc("2026-01-16"), utc("2026-01-18")),
        lambda opened: opened.closures(utc("2026-01-16"), utc("2026-01-18")),
    ],
)
def test_past_the_end_of_a_calendar_there_is_no_answer(ask: Any) -> None:
    with pytest.raises(OutsideCalendarError, match=r"past the end of the calendar `c`, which is valid from 2026-01-05 until 2026-01-16"):
        ask(working_time("Etc/UTC", **SHORT))


@pytest.mark.parametrize(
    "ask",
    [
        lambda opened: opened.back(utc("2026-01-05T10:00"), HOUR + SECOND),
        lambda opened: opened.working_day_back(utc("2026-01-05T10:00"), 1),
        lambda opened: opened.working_day_back(utc("2026-01-05T09:00"), 0),
        lambda opened: opened.elapsed(utc("2026-01-04T23:59"), utc("2026-01-08")),
        lambda opened: opened.due(utc("2026-01-04T23:59"), HOUR),
    ],
)
def test_before_the_beginning_of_a_calendar_there_is_no_answer(ask: Any) -> None:
    with pytest.raises(OutsideCalendarError, match="before the beginning of the calendar `c`"):
        ask(working_time("Etc/UTC", **SHORT))


def test_the_last_instant_of_a_calendar_can_still_be_due() -> None:
    opened = working_time("Etc/UTC", **SHORT)
    assert opened.due(utc("2026-01-16T16:00"), HOUR) == utc("2026-01-16T17:00")
    assert opened.working_day(utc("2026-01-16T16:00"), 0) == utc("2026-01-16T16:00")
    assert opened.elapsed(utc("2026-01-05T00:00"), utc("2026-01-17T00:00")) == 70 * HOUR
    night = working_time("Etc/UTC", week={"mon-sun": ["22:00-06:00"]}, valid=SHORT["valid"])
    assert night.due(utc("2026-01-16T23:00"), 7 * HOUR) == utc("2026-01-17T06:00"), "the last night is over when it is over"


def test_a_calendar_answers_from_its_first_instant_to_its_last() -> None:
    nights = {"week": {"mon-sun": ["22:00-06:00"]}, "valid": SHORT["valid"]}
    first, last = utc("2026-01-05T00:00"), utc("2026-01-17T06:00")
    assert working_time("Etc/UTC", **nights).elapsed(first, last) == 12 * 8 * HOUR
    closed = working_time("Etc/UTC", **nights).closures(first, first + DAY)
    assert [(each.start, each.end) for each in closed] == [(first, first + 22 * HOUR)], "the night into its first day is not its own"


def test_the_first_opening_of_a_calendar_can_still_be_reached_backwards() -> None:
    opened = working_time("Etc/UTC", **SHORT)
    assert opened.back(utc("2026-01-05T10:00"), HOUR) == utc("2026-01-05T09:00")
    assert opened.working_day_back(utc("2026-01-06T10:00"), 1) == utc("2026-01-05T10:00")


def test_the_last_closing_of_a_year_counts_from_the_first_opening_of_the_next() -> None:
    assert working_time("Etc/UTC", week=OFFICE).working_day(utc("2025-12-31T17:00"), 0) == utc("2026-01-01T09:00")
    assert working_time("Etc/UTC", week=OFFICE).due(utc("2025-12-31T17:00"), HOUR) == utc("2026-01-01T10:00")


def test_a_microsecond_counts() -> None:
    opened, instant = working_time("Etc/UTC", week=OFFICE), timedelta(microseconds=1)
    assert opened.elapsed(utc("2026-01-30T16:00"), utc("2026-01-30T17:00") - instant) == HOUR - instant
    assert opened.elapsed(utc("2026-01-30T16:00"), utc("2026-01-30T17:00") + instant) == HOUR


def test_hours_whose_beginning_a_change_of_the_clocks_moved_into_the_next_day_still_count() -> None:
    """In Toronto the half hour before and the one after midnight were skipped on 30 March 1919."""
    opened = working_time("America/Toronto", week={"sun": ["23:40-01:40"]}, valid={"from": "1919-01-01", "until": "1919-12-31"})
    assert opened.elapsed(utc("1919-03-30T12:00"), utc("1919-03-31T12:00")) == timedelta(minutes=70)


def test_closures_are_joined_and_named() -> None:
    closed = [
        {"from": "2026-01-06T10:00", "until": "2026-01-06T11:00", "reason": "drill"},
        {"from": "2026-01-06T10:30", "until": "2026-01-06T14:00", "reason": "move"},
        {"from": "2026-01-06T14:00", "until": "2026-01-06T15:00", "reason": "move"},
    ]
    opened = working_time("Etc/UTC", week={"tue": ["09:00-17:00"]}, closures=closed)
    found = opened.closures(utc("2026-01-06T08:00"), utc("2026-01-06T18:00"))
    assert [(each.start.hour + each.start.minute / 60, each.end.hour, str(each.reason)) for each in found] == [
        (8, 9, "outside opening hours"),
        (10, 11, "closure drill"),
        (11, 15, "closure move"),
        (17, 18, "outside opening hours"),
    ]
    assert opened.elapsed(utc("2026-01-06"), utc("2026-01-07")) == 3 * HOUR


def test_a_day_that_a_closure_takes_whole_is_no_working_day_and_one_that_it_cuts_is() -> None:
    closed = [{"from": "2026-01-06T09:00", "until": "2026-01-06T17:00"}, {"from": "2026-01-07T10:00", "until": "2026-01-07T17:00"}]
    opened = working_time("Etc/UTC", week=OFFICE, closures=closed)
    assert opened.working_day(utc("2026-01-05T16:00"), 1) == utc("2026-01-07T16:00")
    assert opened.working_day(utc("2026-01-05T16:00"), 1, closing=True) == utc("2026-01-07T10:00")


def test_a_calendar_in_two_zones_is_two_working_times() -> None:
    both = calendar(zone="customer", week=OFFICE)
    berlin, kolkata = (both.working_time(ZoneInfo(zone)) for zone in ("Europe/Berlin", "Asia/Kolkata"))
    assert berlin != kolkata
    assert berlin is both.working_time(ZoneInfo("Europe/Berlin"))
    assert berlin.due(utc("2026-01-30T00:00"), HOUR) == utc("2026-01-30T09:00")
    assert kolkata.due(utc("2026-01-30T00:00"), HOUR) == utc("2026-01-30T04:30")
