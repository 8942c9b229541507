"""Business time at its edges: closures over midnight of a year, entries of iCalendar texts, gaps of clocks, and what people are told."""

import zoneinfo
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.chassis.documents import ProblemsFoundError
from services.promises.calendars import ics
from services.promises.calendars.clocks import UnknownZoneError, clock_time, instant, zone_named
from services.promises.calendars.days_off import Closure, Country, DaysOff, wrong_country, wrong_subdivision
from services.promises.calendars.durations import (
    BusinessDays,
    BusinessTime,
    CalendarTime,
    Elapsed,
    InCustomersZone,
    NotADurationError,
    Timekeeping,
    Unit,
    read,
)
from tests.promises.opening import calendar, utc, working_time

HOUR = timedelta(hours=1)
MADRID = ZoneInfo("Europe/Madrid")
EVENTS = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n{}END:VCALENDAR\r\n"
EVENT = "BEGIN:VEVENT\r\nUID:{0}\r\nSUMMARY:{0}\r\n{1}END:VEVENT\r\n"


def entries(*events: str) -> str:
    return EVENTS.format("".join(EVENT.format(place, each) for place, each in enumerate(events)))


def test_zones_are_those_of_the_pinned_package_and_never_the_machines() -> None:
    assert zoneinfo.TZPATH == ()


def test_an_instant_is_in_utc_and_a_clock_time_in_no_zone_whether_or_not_the_clocks_change() -> None:
    skipped = instant(datetime(2026, 3, 29, 2, 30), MADRID)  # noqa: DTZ001 - a clock time
    assert (skipped, skipped.tzinfo) == (utc("2026-03-29T01:00"), UTC)
    twice = clock_time(utc("2026-10-25T01:30"), MADRID)
    assert (twice.tzinfo, twice.fold) == (None, 0)


def test_a_closure_over_new_year_closes_the_first_hours_of_a_calendar_that_begins_then() -> None:
    opened = working_time(
        "UTC", week={"mon-sun": ["09:00-17:00"]}, valid={"from": "2026-01-01", "until": "2026-12-31"},
        closures=[{"from": "2025-12-31T00:00", "until": "2026-01-01T12:00"}],
    )  # fmt: skip
    assert opened.elapsed(utc("2026-01-01T00:00"), utc("2026-01-02T00:00")) == 5 * HOUR


def test_hours_that_overlap_are_told_once() -> None:
    with pytest.raises(ProblemsFoundError) as problems:
        working_time("UTC", week={"mon": ["09:00-12:00", "11:00-13:00"]})
    assert len(problems.value.findings) == 1


def test_holidays_are_named_in_english_wherever_they_are() -> None:
    assert "Christmas Day" in Country("ES").holidays(2026).values()


@pytest.mark.parametrize(
    ("code", "right"),
    [
        ("germany", "did you mean `DE`?"), ("de", "did you mean `DE`?"), ("united states", "did you mean `US`?"),
        ("United_States", "did you mean `US`?"),
        ("Atlantis", "say it as its ISO code, as in `DE`"), ("DE", None),
    ],
)  # fmt: skip
def test_a_country_that_is_not_known_is_told_what_was_probably_meant(code: str, right: str | None) -> None:
    assert wrong_country(code) == right


def test_a_part_of_a_country_that_is_not_known_is_told_all_that_are() -> None:
    told = wrong_subdivision(Country("AU", "XX")) or ""
    assert told.startswith("it must be one of `ACT`, `NSW`, ")
    assert wrong_subdivision(Country("DE", "de-by")) == "did you mean `BY`?"


@pytest.mark.parametrize("kind", [Elapsed, CalendarTime, BusinessTime, BusinessDays, InCustomersZone])
def test_a_duration_cannot_be_altered_and_holds_nothing_else(kind: Any) -> None:
    assert kind.__dataclass_params__.frozen
    assert {each.name for each in fields(kind)} <= {name for each in kind.__mro__ for name in getattr(each, "__slots__", ())}
    assert "__dict__" not in kind.__slots__


def test_the_kinds_of_durations_are_called_as_people_call_them() -> None:
    assert [each.value for each in Unit] == ["elapsed", "calendar", "business time", "business days"]


def test_what_is_no_duration_is_quoted_and_cut_off_where_it_is_long() -> None:
    with pytest.raises(NotADurationError) as wrong:
        read("x" * 200)
    assert str(wrong.value).startswith(f"`{'x' * 100}` is not a duration; say it as `48 hours`")
    with pytest.raises(NotADurationError) as long:
        read("9" * 200 + " days")
    assert str(long.value) == f"`{'9' * 100}` is longer than 500 years"


def test_what_cannot_end_at_closing_or_be_counted_without_a_zone_says_so() -> None:
    with pytest.raises(NotADurationError) as wrong:
        Timekeeping(MADRID).duration("2 hours", closing=True)
    assert str(wrong.value) == "`end: closing` goes with business days, and `2 hours` is none; say it as `2 business days`"
    with pytest.raises(UnknownZoneError) as unknown:
        InCustomersZone("2 days", Timekeeping(None)).after(utc("2026-03-01T00:00"))
    assert str(unknown.value) == "the customer's zone is not known, and this is counted in the customer's zone"
    assert InCustomersZone("2 days", Timekeeping(None)).in_zone("Europe/Madrid").after(utc("2026-03-01T00:00")) == utc("2026-03-03T00:00")


@pytest.mark.parametrize("often", ["HOURLY", "MINUTELY", "SECONDLY", "DAILY;BYHOUR=1,2", "DAILY;BYMINUTE=1", "DAILY;BYSECOND=1"])
def test_an_entry_that_repeats_more_often_than_daily_cannot_be_used(often: str) -> None:
    with pytest.raises(ics.BadEntriesError, match=r"^`0` repeats more often than daily"):
        ics.check(entries(f"DTSTART:20260101T000000Z\r\nDTEND:20260101T001000Z\r\nRRULE:FREQ={often}\r\n"))


def test_an_entry_of_whole_days_closes_those_days_and_no_other() -> None:
    text = entries("DTSTART;VALUE=DATE:20260101\r\n", "DTSTART;VALUE=DATE:20261230\r\nDTEND;VALUE=DATE:20270102\r\n")
    assert sorted(ics.days(text, 2026)) == [date(2026, 1, 1), date(2026, 12, 30), date(2026, 12, 31)]
    assert sorted(ics.days(text, 2027)) == [date(2027, 1, 1)]


def test_an_entry_that_ends_as_it_begins_is_its_day_and_may_stand_behind_one_with_times() -> None:
    text = entries("DTSTART:20260101T100000Z\r\nDTEND:20260101T110000Z\r\n", "DTSTART;VALUE=DATE:20260102\r\nDTEND;VALUE=DATE:20260102\r\n")
    found = ics.days(text.replace("SUMMARY:1\r\n", ""), 2026)
    assert [(day, reason.name) for day, reason in found.items()] == [(date(2026, 1, 2), "")]


def test_an_entry_without_a_zone_closes_hours_of_the_calendars_clock() -> None:
    text = entries("DTSTART:20260701T100000\r\nDTEND:20260701T120000\r\n", "DTSTART:20260702T100000Z\r\nDTEND:20260702T120000Z\r\n")
    found = sorted((each.start, each.end) for each in ics.stretches(text, date(2026, 7, 1), date(2026, 7, 2), MADRID))
    assert found == [
        (utc("2026-07-01T08:00"), utc("2026-07-01T10:00")), (utc("2026-07-02T10:00"), utc("2026-07-02T12:00")),
    ]  # fmt: skip
    assert all(start.tzinfo is UTC for start, _ in found)


def test_a_zone_that_is_not_known_is_told_what_was_probably_meant() -> None:
    for written in ("buenos aires", " Buenos Aires "):
        with pytest.raises(UnknownZoneError) as wrong:
            zone_named(written)
        assert str(wrong.value).endswith("did you mean `America/Argentina/Buenos_Aires`?")
    with pytest.raises(UnknownZoneError) as long:
        zone_named("x" * 200)
    assert str(long.value).startswith(f"`{'x' * 100}` is not a zone; ")


def test_a_country_whose_parts_are_alike_needs_no_part() -> None:
    assert wrong_subdivision(Country("EE", "X")) == "the holidays of EE are the same in all of its parts; leave `subdivision` out"


def test_a_calendar_without_a_week_is_no_calendar() -> None:
    with pytest.raises(ProblemsFoundError) as problems:
        calendar(zone="UTC")
    assert [each.message for each in problems.value.findings] == ["`spec` needs `week`"]


def test_what_cannot_be_read_of_an_icalendar_text_is_named() -> None:
    with pytest.raises(ics.BadEntriesError, match=r"^DTSTART: .+"):
        ics.check(entries("DTSTART:tomorrow\r\n"))
    with pytest.raises(ics.BadEntriesError, match="this is none"):
        ics.check("this is none")
    for key in ("DTSTART", "DTEND"):
        zoned = {"DTSTART": "DTSTART:20260101T100000Z", "DTEND": "DTEND:20260101T110000Z"}
        zoned[key] = f"{key};TZID=Mars:20260101T100000"
        text = entries("\r\n".join(zoned.values()) + "\r\n").replace("SUMMARY:0\r\n", "")
        with pytest.raises(ics.BadEntriesError, match=r"^`` is in the zone `Mars`, which is not known"):
            ics.check(text)


def test_working_time_is_shown_by_its_calendar_version_and_zone() -> None:
    opened = working_time("UTC", week={"mon-fri": ["09:00-17:00"]})
    assert repr(opened) == f"WorkingTime({opened.rules.name}, {opened.rules.version}, UTC)"


def told_of(week: dict[str, list[str]]) -> list[str]:
    try:
        calendar(zone="UTC", week=week)
    except ProblemsFoundError as problems:
        return [each.message for each in problems.findings]
    return []


@pytest.mark.parametrize(
    ("week", "told"),
    [
        ({"sun": ["22:00-06:00"], "mon": ["05:00-08:00"]}, "`05:00-08:00` overlaps with `22:00-06:00`; say what is in both once"),
        ({"tue": ["22:00-06:00"], "wed": ["05:00-08:00"]}, "`05:00-08:00` overlaps with `22:00-06:00`; say what is in both once"),
        ({"tue": ["09:00-12:00", "09:00-12:00"]}, "`09:00-12:00` overlaps with `09:00-12:00`; say what is in both once"),
        ({"mon": []}, 'this week is never open; say it as in `mon-fri: ["09:00-17:00"]`'),
        ({"mon": [], "tue": ["09:00-17:00"]}, None),
        ({"sun": ["22:00-06:00"], "mon": ["06:00-08:00"]}, None),
    ],
)
def test_hours_overlap_over_midnight_and_over_the_weeks_end_and_a_day_may_be_closed(week: dict[str, list[str]], told: str | None) -> None:
    assert told_of(week) == ([] if told is None else [told])


def test_every_stretch_of_hours_that_is_wrong_is_told() -> None:
    assert len(told_of({"mon": ["9-12", "10:00-11:00", "13-99"]})) == 2


def test_days_off_are_none_unless_they_are_named() -> None:
    assert (DaysOff().holidays(2026), list(DaysOff().closures(date(2026, 1, 1), date(2026, 1, 2), MADRID))) == ({}, [])
    assert DaysOff(Country("ES")).holidays(2026)
    noon, evening = datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 18)  # noqa: DTZ001 - clock times
    (closed,) = DaysOff(closed=(Closure(noon, evening),)).closures(noon.date(), noon.date(), MADRID)
    assert (closed.start, closed.end) == (utc("2026-01-01T11:00"), utc("2026-01-01T17:00"))
    assert Closure(datetime(2026, 1, 1), datetime(2026, 1, 2)).name == ""  # noqa: DTZ001 - clock times


def test_a_gap_of_the_clocks_ends_where_it_ends_in_a_zone_that_is_at_no_distance_from_utc() -> None:
    """Breaks if the zone of the machine, which is often UTC, were asked whether the clocks show a time."""
    assert instant(datetime(2026, 3, 29, 1, 30), ZoneInfo("Europe/London")) == utc("2026-03-29T01:00")  # noqa: DTZ001 - a clock time
