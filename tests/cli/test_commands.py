"""What commands say without a system, and what they read out of files."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.errors import StackError
from deploy.local import state
from deploy.local.state import State
from services.cli import client, demo, emit, publish, replay
from services.cli.__main__ import app, main

ROOT = Path(__file__).parents[2]
COMMANDS: dict[str, list[str]] = {
    "publish": ["publish", "promises"],
    "emit": ["emit", "--type", "a"],
    "tick": ["tick", "--to", "2026-01-01T00:00:00Z"],
    "status": ["status"],
    "lanes": ["lanes"],
    "performance": ["performance"],
    "explain": ["explain", "00000000-0000-0000-0000-000000000000"],
    "timeline": ["timeline", "crm:1"],
    "retire": ["retire", "in-time", "--from", "2026-01-01T00:00:00Z"],
    "rejudge": ["rejudge", "in-time", "--version", "2"],
    "rebuild": ["rebuild", "--check"],
    "export": ["export", "crm:1"],
    "erase": ["erase", "crm:1", "--reason", "request"],
    "retention": ["retention"],
}


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder on which nothing runs."""
    monkeypatch.setenv("MAKEGOOD_DATA", str(tmp_path))
    monkeypatch.chdir(ROOT)
    return tmp_path


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS.keys())
def test_where_nothing_runs_every_command_says_how_to_start_it(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["makegood", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "`makegood up` starts a system there" in capsys.readouterr().err


def test_a_system_that_lost_a_process_is_not_taken_for_a_running_one(data: Path) -> None:
    state.write(data, State("live", pids={"kafka": 2**22 + 1}, created={"kafka": 0.0}, ready=True))
    with pytest.raises(StackError, match="kafka has ended"):
        client.running()


def test_replay_and_tick_refuse_the_live_clock(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="live clock, where only Kafka says what time it is"):
        replay.replay(State("live"), tmp_path / "none")


def test_emit_wants_a_file_or_a_type_and_not_both() -> None:
    for words in ([], ["events", "--type", "a"]):
        assert CliRunner().invoke(app, ["emit", *words]).exit_code == 2


def test_emit_sends_no_batch_larger_than_the_front_door_takes() -> None:
    lines = [(number, b"x" * 1000) for number in range(1, 5001)]
    batches = list(emit._batches(lines))
    assert [line for batch in batches for line in batch] == lines
    assert all(len(batch) <= 1000 and sum(len(line) for _, line in batch) < 4 * 1024 * 1024 for batch in batches)


class Door:
    """The front door as `emit` meets it: takes a batch whole, or none of it and says which are wrong."""

    def __init__(self, *, names_them: bool) -> None:
        self.names_them = names_them
        self.taken: list[str] = []

    def post(self, _service: str, _path: str, *, content: bytes, headers: dict[str, str]) -> dict[str, int]:
        assert headers["Content-Type"] == "application/cloudevents-batch+json"
        events = content.decode().strip("[]").split(",")
        if wrong := [index for index, each in enumerate(events) if "wrong" in each]:
            faults = [{"index": index, "detail": "bad"} for index in wrong]
            raise client.RefusedError(422, {"title": "Refused", "errors": faults if self.names_them else []})
        self.taken += events
        return {"accepted": len(events)}


@pytest.mark.parametrize("names_them", [True, False])
def test_emit_sends_the_rest_of_a_refused_batch_and_tells_each_refused_line(*, names_them: bool) -> None:
    """Breaks if one wrong line takes the others with it, or if it is told under another line's number."""
    door: Any = Door(names_them=names_them)
    lines = enumerate([b'{"a":1}', b"", b'{"wrong":2}', b"nonsense", b'{"a":3}', b'{"wrong":4}'], start=1)
    accepted, refused = emit.send(door, lines)
    assert (accepted, door.taken) == (2, ['{"a":1}', '{"a":3}'])
    assert [number for number, _ in refused] == [3, 4, 6]


def test_publish_reads_folders_and_tells_every_finding_of_every_file(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml"):
        (tmp_path / name).write_text("apiVersion: makegood/v1\nkind: Promis\nmetadata: {name: x}\nspec: {}\n")
    (tmp_path / "notes.txt").write_text("no document")
    files = publish.files_of([tmp_path])
    assert [each.name for each in files] == ["a.yml", "b.yaml"]
    with pytest.raises(publish.FindingsError) as found:
        publish.read(files)
    assert [f"{each}:2:7: " in str(found.value) for each in files] == [True, True]


def test_the_promises_that_are_shipped_can_be_published() -> None:
    kinds = {document.kind for _, document in publish.read(publish.files_of([ROOT / "promises"]))}
    assert {"Promise", "EventType", "Calendar"} <= kinds


@pytest.fixture
def others(data: Path) -> Path:
    """A folder with the data of a system that no demo made."""
    (data / "settings.json").write_text('{"clock": "live"}')
    (data / "postgres").mkdir()
    return data


def test_a_demo_never_touches_data_that_no_demo_made(others: Path) -> None:
    with pytest.raises(StackError, match="were not made by a demo"):
        demo.begin_anew(others, print)
    assert (others / "postgres").is_dir()


def test_a_second_demo_begins_with_nothing_of_the_first(data: Path) -> None:
    demo.begin_anew(data, print)
    (data / "settings.json").write_text('{"clock": "replay"}')
    (data / "postgres").mkdir()
    (data / "bench.json").write_text("{}")
    demo.begin_anew(data, print)
    assert sorted(each.name for each in data.iterdir()) == ["bench.json", "demo.json", "lock"]
