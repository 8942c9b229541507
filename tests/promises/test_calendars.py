"""Calendar documents: what they say, on what data they rest, and that every mistake is told with its place and what would be right."""

import pickle
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import orjson
import pytest

from services.chassis.documents import ProblemsFoundError
from services.promises import calendars
from services.promises.calendars import Calendar
from services.promises.calendars.working_time import OutsideCalendarError
from tests.promises.opening import calendar, document, read, utc, working_time

HOUR = timedelta(hours=1)
ALWAYS = {"mon-sun": ["00:00-24:00"]}
BRANCH = """apiVersion: makegood/v1
kind: Calendar
metadata: {name: branch-hours}
spec:
  zone: America/Caracas            # IANA
  week: {mon-fri: ["08:30-12:00", "13:00-16:30"], sat: ["09:00-12:00"]}
  holidays: {country: VE, subdivision: ~, add: ["2026-03-19"], remove: []}
  closures: [{from: 2026-12-22T12:00, until: 2026-12-27T00:00}]
  ics: holidays.ics
  valid: {from: 2020-01-01, until: 2030-12-31}
"""
ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:test
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20200105
DTEND;VALUE=DATE:20200107
RRULE:FREQ=YEARLY
SUMMARY:Stock taking
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART:20260210T090000
DTEND:20260210T100000
SUMMARY:Meeting
END:VEVENT
BEGIN:VEVENT
UID:3
DTSTART;TZID=Europe/Berlin:20260211T190000
DURATION:PT30M
RRULE:FREQ=WEEKLY;COUNT=3
EXDATE;TZID=Europe/Berlin:20260218T190000
SUMMARY:Call with Berlin
END:VEVENT
BEGIN:VEVENT
UID:4
DTSTART;VALUE=DATE:20260213
STATUS:CANCELLED
SUMMARY:Excursion
END:VEVENT
END:VCALENDAR
"""


def reasons(found: Calendar, day: str) -> list[str]:
    """Why working time is closed on a day, opening hours apart."""
    zone = found.zone or ZoneInfo("UTC")
    start = datetime.fromisoformat(day).replace(tzinfo=zone).astimezone(UTC)
    closed = found.working_time(zone).closures(start, start + timedelta(days=1))
    return [str(each.reason) for each in closed if each.reason.rule != "hours"]


def complaints(text: str, folder: Path | None = None) -> list[str]:
    with pytest.raises(ProblemsFoundError) as problems:
        read(text, folder)
    return [str(each) for each in problems.value.findings]


@pytest.fixture(name="branch")
def _branch(tmp_path: Path) -> Calendar:
    (tmp_path / "holidays.ics").write_text(ICS)
    return read(BRANCH, tmp_path)


def test_a_calendar_says_when_a_branch_is_open(branch: Calendar) -> None:
    assert branch.zone is not None
    opened = branch.working_time(branch.zone)
    monday = utc("2026-02-02T04:00")
    assert opened.elapsed(monday, monday + timedelta(days=7)) == 5 * 7 * HOUR + 3 * HOUR
    assert opened.due(utc("2026-02-02T15:00"), 2 * HOUR) == utc("2026-02-02T18:00"), "an hour before and one behind the break"
    assert opened.due(utc("2026-12-22T15:00"), 2 * HOUR) == utc("2026-12-28T13:30"), "an hour until the closure and one behind it"
    with pytest.raises(OutsideCalendarError):
        opened.due(utc("2030-12-31T12:00"), HOUR)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-02-16", ["holiday Carnival Monday", "holiday Carnival Monday"]),
        ("2026-03-19", ["holiday 2026-03-19", "holiday 2026-03-19"]),
        ("2026-12-22", ["closure"]),
        ("2027-01-05", ["calendar entry Stock taking"] * 2),
        ("2027-01-06", ["calendar entry Stock taking"] * 2),
        ("2027-01-07", []),
        ("2026-02-10", ["calendar entry Meeting"]),
        ("2026-02-11", ["calendar entry Call with Berlin"]),
        ("2026-02-18", []),
        ("2026-02-25", ["calendar entry Call with Berlin"]),
        ("2026-02-13", []),
    ],
)
def test_what_is_closed_has_its_reason(branch: Calendar, day: str, expected: list[str]) -> None:
    assert reasons(branch, day) == expected


def test_an_entry_with_a_zone_closes_its_own_hours_and_one_without_those_of_the_calendar(branch: Calendar) -> None:
    opened = branch.working_time(ZoneInfo("America/Caracas"))
    assert opened.elapsed(utc("2026-02-10T13:00"), utc("2026-02-10T14:00")) == timedelta(0)
    assert opened.elapsed(utc("2026-02-11T18:00"), utc("2026-02-11T19:00")) == HOUR / 2


def test_holidays_are_those_of_the_package_as_observed() -> None:
    found = calendar(zone="UTC", week=ALWAYS, holidays={"country": "US"}, valid={"from": "2019-01-01", "until": "2024-12-31"})
    expected = holidays.country_holidays("US", years=range(2019, 2025), observed=True)
    closed = {each for year in range(2019, 2025) for each in found.days_off.holidays(year)}
    assert closed == set(expected)
    assert date(2021, 7, 5) in closed
    assert date(2021, 12, 31) in closed, "the New Year of 2022 was observed in the year before"


def test_a_subdivision_has_holidays_of_its_own_and_single_days_are_added_and_removed() -> None:
    bavaria = {"country": "DE", "subdivision": "BY"}
    assert reasons(calendar(zone="Europe/Berlin", week=ALWAYS, holidays=bavaria), "2026-01-06") == ["holiday Epiphany"]
    assert reasons(calendar(zone="Europe/Berlin", week=ALWAYS, holidays={"country": "DE"}), "2026-01-06") == []
    changed = calendar(zone="Europe/Berlin", week=ALWAYS, holidays=bavaria | {"add": ["2026-01-07"], "remove": ["2026-01-06"]})
    assert [reasons(changed, day) for day in ("2026-01-06", "2026-01-07")] == [[], ["holiday 2026-01-07"]]


def test_days_may_be_single_ranges_or_ranges_over_sunday() -> None:
    week = {"sun-thu": ["09:00-17:00"], "sat": "10:00-12:00"}
    opened = working_time("UTC", week=week)
    hours = [opened.elapsed(utc(f"2026-02-0{day}"), utc(f"2026-02-0{day + 1}")) / HOUR for day in range(1, 8)]
    assert hours == [8, 8, 8, 8, 8, 0, 2], "from Sunday on"


def test_a_night_may_end_at_midnight_in_either_way() -> None:
    for written in ("22:00-24:00", "22:00-00:00"):
        opened = working_time("UTC", week={"mon": [written]})
        assert opened.due(utc("2026-02-02T12:00"), 2 * HOUR) == utc("2026-02-03T00:00")


def test_without_valid_a_calendar_holds_from_1970_to_2049() -> None:
    opened = working_time("UTC", week=ALWAYS)
    assert opened.due(utc("2049-12-31T23:00"), HOUR) == utc("2050-01-01T00:00")
    with pytest.raises(OutsideCalendarError):
        opened.due(utc("2049-12-31T23:00"), HOUR + timedelta(seconds=1))
    assert working_time("UTC", week=ALWAYS).due(utc("1970-01-01T00:00"), HOUR) == utc("1970-01-01T01:00")


def test_a_deadline_can_record_what_it_rests_on(branch: Calendar) -> None:
    assert branch.versions.calendar == "branch-hours"
    assert branch.versions.holidays == version("holidays")
    assert branch.versions.zones == calendars.zones_version()
    assert calendar(zone="UTC", week=ALWAYS).versions.holidays is None
    assert calendar(zone="UTC", week=ALWAYS, holidays={"add": ["2026-01-01"]}).versions.holidays is None


def test_the_version_of_time_zone_data_is_that_of_the_machine_or_else_of_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(*folders: Path) -> str:
        monkeypatch.setattr(calendars, "TZPATH", tuple(map(str, folders)))
        return calendars.zones_version.__wrapped__()

    assert found(tmp_path / "none") == version("tzdata")
    assert found(tmp_path) == f"of {tmp_path}"
    (tmp_path / "tzdata.zi").write_text("# version 2031z\nR x\n")
    assert found(tmp_path / "none", tmp_path) == "2031z"


def test_the_digest_changes_with_what_the_document_says_and_with_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "holidays.ics").write_text(ICS)

    def digest(text: str) -> str | None:
        return read(text, tmp_path).versions.version

    before = digest(BRANCH)
    assert digest(BRANCH.replace("# IANA", "# of the bank")) == before
    assert digest(BRANCH.replace("12:00-", "12:30-").replace("-12:00", "-12:15")) != before
    assert digest(BRANCH.replace("2030", "2031")) != before
    (tmp_path / "holidays.ics").write_text(ICS.replace("Meeting", "Party"))
    assert digest(BRANCH) != before


def test_a_calendar_is_a_value(branch: Calendar) -> None:
    anew = pickle.loads(pickle.dumps(branch))
    assert anew == branch
    assert hash(anew) == hash(branch)
    assert branch.working_time(ZoneInfo("UTC")) is branch.working_time(ZoneInfo("UTC"))


def test_what_is_published_stands_alone_and_keeps_its_holidays(branch: Calendar, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if a published calendar reads files, or takes other holidays after an upgrade of their data."""
    days = ("2026-02-16", "2027-01-05", "2026-02-10", "2026-12-22")
    before = [reasons(branch, day) for day in days]
    published = orjson.dumps(branch.published(document("branch-hours", **_spec()))).decode()
    monkeypatch.setattr("services.promises.calendars.days_off._observed", None)
    anew = read(published)
    assert anew.versions == branch.versions
    zone = ZoneInfo("America/Caracas")
    assert anew.working_time(zone) == branch.working_time(zone)
    assert [reasons(anew, day) for day in days] == before
    assert all(before)


def _spec() -> dict[str, Any]:
    return {
        "zone": "America/Caracas",
        "week": {"mon-fri": ["08:30-12:00", "13:00-16:30"], "sat": ["09:00-12:00"]},
        "holidays": {"country": "VE", "subdivision": None, "add": ["2026-03-19"], "remove": []},
        "closures": [{"from": "2026-12-22T12:00", "until": "2026-12-27T00:00"}],
        "ics": "holidays.ics",
        "valid": {"from": "2020-01-01", "until": "2030-12-31"},
    }


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("America/Caracas", "America/Carracas", "5:9: `America/Carracas` is not a zone; did you mean `America/Caracas`?"),
        (
            "America/Caracas",
            "customers",
            "5:9: `customers` is not a zone; say it as in `Europe/Madrid` (`customer` takes each customer's own)",
        ),
        (
            "mon-fri",
            "monday-friday",
            "6:10: `monday-friday` is not a day of the week, nor two of them as in `mon-fri`; did you mean `mon-fri`?",
        ),
        ("mon-fri", "mon-fir", "6:10: `mon-fir` is not a day of the week, nor two of them as in `mon-fri`; did you mean `fri`?"),
        ("sat:", "tue-wed:", "6:51: the hours of `tue` stand here a second time; say them once"),
        ("08:30-12:00", "8.30-12", '6:20: `8.30-12` is not a stretch of opening hours; say it as `"08:30-12:00"`'),
        ("08:30-12:00", "08:30-24:30", "6:20: `08:30-24:30` is not a stretch of opening hours"),
        ("08:30-12:00", "12:00-12:00", "6:20: `12:00-12:00` is not a stretch of opening hours"),
        ("08:30-12:00", "08:30-14:00", "6:35: `13:00-16:30` overlaps with `08:30-14:00`; say what is in both once"),
        ("09:00-12:00", "22:00-21:00", None),
        ("13:00-16:30", "22:00-08:31", "6:20: `08:30-12:00` overlaps with `22:00-08:31`"),
        ("VE,", "Venezuela,", "7:23: `Venezuela` is not a country whose holidays are known; did you mean `VE`?"),
        ("VE,", "ve,", "did you mean `VE`?"),
        ("VE,", "QQ,", "say it as its ISO code, as in `DE`"),
        (
            "VE, subdivision: ~",
            "DE, subdivision: Bayren",
            "7:40: `Bayren` is not a part of DE with holidays of its own; it must be one of `BB`",
        ),
        ("VE, subdivision: ~", "DE, subdivision: de-by", "did you mean `BY`?"),
        ("VE, subdivision: ~", "VE, subdivision: A", "the holidays of VE are the same in all of its parts; leave `subdivision` out"),
        ("country: VE, subdivision: ~", "subdivision: A", "7:14: `subdivision` needs its `country`"),
        ('"2026-03-19"', "19.3.2026", "7:49: `19.3.2026` is not a day; say it as `2026-03-19`"),
        ('"2026-03-19"', '"2026-02-30"', "7:49: `2026-02-30` is not a day"),
        (
            "2026-12-22T12:00",
            "2026-12-22T12:00Z",
            "8:21: `2026-12-22T12:00Z` is not a local time; say it by the clock there, without an offset",
        ),
        ("2026-12-22T12:00", "noon", "8:21: `noon` is not a local time"),
        ("until: 2026-12-27T00:00", "untill: 2026-12-27T00:00", "8:39: an entry of `closures` has no key `untill`; did you mean `until`?"),
        ("2026-12-27T00:00", "2026-12-22T12:00", "8:39: this closure ends before it begins"),
        ("holidays.ics", "none.ics", "9:8: `none.ics` cannot be used: "),
        ("until: 2030-12-31", "until: 2019-12-31", "10:29: `valid` ends before it begins, on 2020-01-01"),
        ("until: 2030-12-31", "until: 9999-12-31", "10:29: a calendar is valid between 1900-01-01 and 2199-12-31 at most"),
        ("  valid", "  vallid", "10:3: `spec` has no key `vallid`; did you mean `valid`?"),
        ("  zone: America/Caracas", "  ", "`spec` needs `zone`"),
        ("name: branch-hours", "name: branch-hours, versoin: 1", "3:32: `metadata` has no key `versoin`"),
    ],
)
def test_every_mistake_is_told_with_its_place_and_what_would_be_right(
    tmp_path: Path, right: str, wrong: str, complaint: str | None
) -> None:
    (tmp_path / "holidays.ics").write_text(ICS)
    assert right in BRANCH
    text = BRANCH.replace(right, wrong, 1)
    if complaint is None:
        read(text, tmp_path)
        return
    found = complaints(text, tmp_path)
    assert any(complaint in each for each in found), found
    assert len(found) <= 2


def test_a_week_that_is_never_open_is_a_mistake() -> None:
    text = orjson.dumps(document("c", zone="UTC", week={"mon-fri": []})).decode()
    assert "this week is never open" in complaints(text)[0]


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("END:VCALENDAR\n", "", ""),
        ("FREQ=YEARLY", "FREQ=SOMETIMES", "Expected frequency"),
        ("FREQ=YEARLY", "FREQ=SECONDLY", "`Stock taking` repeats more often than daily"),
        ("FREQ=YEARLY", "FREQ=DAILY;BYHOUR=1,2", "`Stock taking` repeats more often than daily"),
        ("Europe/Berlin", "Europe/Atlantis", "`Call with Berlin` is in the zone `Europe/Atlantis`, which is not known"),
        ("DTSTART:20260210T090000", "DTSTART:yesterday", "DTSTART"),
    ],
)
def test_an_icalendar_text_that_makes_no_sense_is_a_mistake(right: str, wrong: str, complaint: str) -> None:
    text = orjson.dumps(document("c", zone="UTC", week=ALWAYS, ics_text=ICS.replace(right, wrong))).decode()
    (found,) = complaints(text)
    assert "`ics_text` cannot be used: " in found
    assert complaint in found


def test_over_rest_there_is_no_file_to_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.ics"
    secret.write_text(ICS)
    text = orjson.dumps(document("c", zone="UTC", week=ALWAYS, ics=str(secret))).decode()
    (found,) = complaints(text)
    assert found.endswith("cannot be used: there are no files here; `makegood publish` sends the text itself, as `ics_text`")


def test_a_file_and_a_text_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "a.ics").write_text(ICS)
    text = orjson.dumps(document("c", zone="UTC", week=ALWAYS, ics="a.ics", ics_text=ICS)).decode()
    assert "leave one of them out" in complaints(text, tmp_path)[0]


@pytest.mark.parametrize(("content", "complaint"), [(b"\xff\xfe", "not UTF-8"), (b"x" * (1024 * 1024 + 1), "larger than 1048576 bytes")])
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "holidays.ics").write_bytes(content)
    assert complaint in complaints(BRANCH, tmp_path)[0]
