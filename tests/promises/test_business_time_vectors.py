"""Every vector of the shared data, through the library and through the command: 819 deadlines and 819 stretches of working time."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from services.chassis import rfc3339
from services.cli.__main__ import app
from tests.data_sets import SHARED, required
from tests.promises.opening import document, read

Vector = dict[str, Any]


@pytest.fixture(name="vectors", scope="module")
def _vectors() -> list[Vector]:
    required()
    found = [orjson.loads(line) for line in (SHARED / "vectors" / "business_time_vectors.jsonl").read_bytes().splitlines()]
    assert len(found) == 819
    return found


def documents() -> Iterator[Vector]:
    """The calendars of the vectors as documents of ours."""
    for name, each in orjson.loads((SHARED / "vectors" / "calendars.json").read_bytes()).items():
        week = {day: ["-".join(hours) for hours in stretches] for day, stretches in each["hours"].items()}
        yield document(name, zone=each["tz"], week=week, holidays={"add": each["holidays"]})


def test_deadlines_and_working_time_are_those_of_the_vectors(vectors: list[Vector]) -> None:
    opened = {}
    for each in documents():
        found = read(orjson.dumps(each).decode())
        assert found.zone is not None
        opened[found.rules.name] = found.working_time(found.zone)
    for vector in vectors:
        calendar, start, end = opened[vector["cal"]], rfc3339.parse(vector["start"]), rfc3339.parse(vector["end"])
        assert calendar.due(start, timedelta(minutes=vector["minutes"])) == rfc3339.parse(vector["deadline"]), vector
        assert calendar.elapsed(start, end) == timedelta(seconds=vector["within_seconds"]), vector


@pytest.mark.parametrize(("command", "key", "expected"), [("due", "due", "deadline"), ("elapsed", "seconds", "within_seconds")])
def test_the_command_answers_every_vector_in_order(tmp_path: Path, vectors: list[Vector], command: str, key: str, expected: str) -> None:
    calendars = tmp_path / "calendars.yaml"
    calendars.write_bytes(b"\n---\n".join(map(orjson.dumps, documents())))
    asked = [each | {"calendar": each["cal"], "within": f"{each['minutes']} business minutes"} for each in vectors]
    lines = b"".join(orjson.dumps(each) + b"\n" for each in asked)
    answered = CliRunner().invoke(app, ["calendar", command, "--calendars", str(calendars)], input=lines)
    assert answered.exit_code == 0, answered.stderr
    assert [orjson.loads(line) for line in answered.stdout_bytes.splitlines()] == [each | {key: each[expected]} for each in asked]
