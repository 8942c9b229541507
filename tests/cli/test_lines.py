import gzip
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from services.cli import lines


def line(id_: str, time: str, **more: str) -> bytes:
    return orjson.dumps({"specversion": "1.0", "id": id_, "source": "s", "type": "t", "time": time, **more}) + b"\n"


LATE = line("late", "2026-01-01T00:00:00Z", recordedtime="2026-01-05T00:00:00Z")
FIRST = line("first", "2026-01-02T00:00:00Z")
SECOND = line("second", "2026-01-03T01:00:00+01:00")
TWIN = line("twin", "2026-01-03T00:00:00Z")


def ids(path: Path, until: datetime | None = None) -> list[str]:
    with lines.opened(path) as file:
        found = lines.arrivals(file, until)
        return [orjson.loads(content)["id"] for _, content in lines.in_order_of_arrival(file, found)]


@pytest.fixture(params=["plain", "gzipped"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    content = LATE + SECOND + TWIN + b"\n" + FIRST.rstrip()
    file = tmp_path / "events"
    file.write_bytes(gzip.compress(content) if request.param == "gzipped" else content)
    return file


def test_events_come_in_order_of_arrival_and_of_one_instant_in_the_files(path: Path) -> None:
    """Breaks if `time` is taken for the arrival where `recordedtime` says it, or if offsets are compared as text."""
    assert ids(path) == ["first", "second", "twin", "late"]


def test_what_arrived_later_than_until_is_left_out(path: Path) -> None:
    assert ids(path, datetime(2026, 1, 3, tzinfo=UTC)) == ["first", "second", "twin"]
    assert ids(path, datetime(2026, 1, 1, tzinfo=UTC)) == []


def test_first_and_last_are_arrivals(path: Path) -> None:
    with lines.opened(path) as file:
        found = lines.arrivals(file)
    assert (found.first, found.last) == (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC))


def test_lines_without_a_time_are_counted_and_shown_and_the_others_go_on() -> None:
    wrong = [b"{\n", b"[]\n", b"{}\n", line("a", "tomorrow"), line("b", "2026-01-01T00:00:00"), line("c", "1960-01-01T00:00:00Z")]
    found = lines.arrivals([*wrong, b"  \n", FIRST])
    assert (len(found), found.unreadable) == (1, 6)
    assert found.examples[0].startswith("line 1: this is not a CloudEvent")
    assert len(found.examples) < found.unreadable


def test_a_gzipped_file_without_its_end_is_told_by_its_name(tmp_path: Path) -> None:
    """Breaks if the end of a download that broke off were taken for the end of the history."""
    file = tmp_path / "events.jsonl.gz"
    file.write_bytes(gzip.compress(FIRST * 1000)[:-20])
    with pytest.raises(lines.DamagedFileError, match=r"events\.jsonl\.gz"), lines.opened(file):
        pass
    with pytest.raises(lines.DamagedFileError), lines.unzipped(file), gzip.open(file) as content:
        content.read()
