"""`makegood calendar`: answers in order with all keys kept, and a line that cannot be answered is told with its number."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from services.cli.__main__ import app

CALENDARS = """apiVersion: makegood/v1
kind: Calendar
metadata: {name: office}
spec:
  zone: Europe/Madrid
  week: {mon-fri: ["09:00-17:00"]}
  valid: {from: 2026-01-01, until: 2026-12-31}
---
apiVersion: makegood/v1
kind: Calendar
metadata: {name: at-home}
spec: {zone: customer, week: {mon-sun: ["09:00-17:00"]}}
---
apiVersion: makegood/v1
kind: Principle
metadata: {name: something-else}
spec: {statement: We are at home when you are.}
"""
FRIDAY = "2026-01-30T13:00:00Z"


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    path = tmp_path / "calendars.yaml"
    path.write_text(CALENDARS)
    return path


def ask(command: str, file: Path, *lines: Any) -> Result:
    text = b"".join((each if isinstance(each, bytes) else orjson.dumps(each)) + b"\n" for each in lines)
    return CliRunner().invoke(app, ["calendar", command, "--calendars", str(file)], input=text)


def answers(result: Result) -> list[Any]:
    return [orjson.loads(line) for line in result.stdout_bytes.splitlines()]


def due(file: Path, **line: Any) -> str:
    result = ask("due", file, {"calendar": "office", "start": FRIDAY} | line)
    assert result.exit_code == 0, result.stderr
    (answer,) = answers(result)
    return str(answer["due"])


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        ("4 business hours", "2026-02-02T09:00:00Z"),
        ("1.5 business hours", "2026-01-30T14:30:00Z"),
        ("2 business days", "2026-02-03T13:00:00Z"),
        ("2 days", "2026-02-01T13:00:00Z"),
        ("0.25 seconds", "2026-01-30T13:00:00.250000Z"),
        ("PT48H", "2026-02-01T13:00:00Z"),
    ],
)
def test_within_may_be_any_duration(file: Path, within: str, expected: str) -> None:
    assert due(file, within=within) == expected


def test_business_days_may_end_at_closing(file: Path) -> None:
    assert due(file, within="1 business day", end="closing") == "2026-02-02T16:00:00Z"
    assert due(file, within="1 business day", end="2026-05-01T00:00:00Z") == "2026-02-02T13:00:00Z", "any other key is kept, not read"


def test_a_calendar_in_the_customers_zone_takes_it_from_the_line(file: Path) -> None:
    assert due(file, calendar="at-home", within="1 business hour", zone="Asia/Kolkata") == "2026-01-31T04:30:00Z"
    assert due(file, calendar="at-home", within="1 hour") == "2026-01-30T14:00:00Z", "elapsed time is the same everywhere"
    assert due(file, within="1 business hour", zone=5) == "2026-01-30T14:00:00Z", "any other key is kept, not read"
    line = {"calendar": "at-home", "start": FRIDAY, "end": "2026-01-31T13:00:00Z", "zone": "Asia/Kolkata"}
    assert answers(ask("elapsed", file, line)) == [line | {"seconds": 8 * 3600}]


def test_seconds_are_whole_where_they_are(file: Path) -> None:
    line = {"calendar": "office", "start": FRIDAY, "end": "2026-01-30T13:00:00.5Z"}
    result = ask("elapsed", file, line, line | {"end": "2026-01-30T13:00:05+00:00"})
    assert result.stdout_bytes.splitlines()[0].endswith(b'"seconds":0.5}')
    assert result.stdout_bytes.splitlines()[1].endswith(b'"seconds":5}')


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"{", "this is not JSON"),
        ([1], "this is not a JSON object"),
        ({"calendar": "offices", "start": FRIDAY, "within": "1 day"}, "there is no calendar `offices`; did you mean `office`?"),
        ({"start": FRIDAY, "within": "1 day"}, "`calendar` is missing"),
        ({"calendar": "office", "start": 5, "within": "1 day"}, "`start` must be a text, and this is 5"),
        ({"calendar": "office", "start": "2026-01-30T13:00:00", "within": "1 day"}, "`start` must be an RFC 3339 time with an offset"),
        ({"calendar": "office", "start": FRIDAY, "within": "1 fortnight"}, "`1 fortnight` is not a duration"),
        ({"calendar": "office", "start": FRIDAY, "within": "300 business days"}, "past the end of the calendar `office`"),
        ({"calendar": "at-home", "start": FRIDAY, "within": "1 business day"}, "the customer's zone is not known"),
        ({"calendar": "at-home", "start": FRIDAY, "within": "1 day", "zone": "Mars"}, "`Mars` is not a zone"),
        ({"calendar": "office", "start": "9999-12-31T00:00:00Z", "within": "2 days"}, "this leads past the year 9999"),
    ],
)
def test_a_line_that_cannot_be_answered_is_told_with_its_number_and_the_others_are_answered(file: Path, line: Any, complaint: str) -> None:
    good = {"calendar": "office", "start": FRIDAY, "within": "1 day", "x": [1, {"y": None}]}
    result = ask("due", file, good, line, b"", good)
    assert result.exit_code == 1
    assert answers(result) == [good | {"due": "2026-01-31T13:00:00Z"}] * 2
    (told,) = result.stderr.splitlines()
    assert told.startswith("line 2: ")
    assert complaint in told


def test_a_file_that_is_wrong_is_told_before_any_line_is_answered(file: Path) -> None:
    file.write_text(CALENDARS.replace("mon-fri", "mon-fry").replace("at-home", "office"))
    result = ask("due", file, {"calendar": "office", "start": FRIDAY, "within": "1 day"})
    assert (result.exit_code, result.stdout) == (1, "")
    assert [line.removeprefix(f"{file}:") for line in result.stderr.splitlines()] == [
        "6:10: `mon-fry` is not a day of the week, nor two of them as in `mon-fri`; did you mean `fri`?",
        "11:18: there is a Calendar named `office` on line 3 already; give it its own",
    ]


def test_two_calendars_of_one_name_and_a_file_without_any_are_told(file: Path) -> None:
    file.write_text(CALENDARS.replace("at-home", "office"))
    assert "there is a Calendar named `office` on line 3 already" in ask("due", file).stderr
    file.write_text(CALENDARS.partition("---")[2].partition("---")[2])
    assert "there is no `kind: Calendar` in this file" in ask("elapsed", file).stderr
    file.write_bytes(b"\xff")
    assert "this is not UTF-8 text" in ask("due", file).stderr
