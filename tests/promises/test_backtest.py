"""`makegood lint` and `makegood backtest`: what goes in, and what comes out, line by line."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from services.chassis.keys import event_key
from services.cli import backtest as commands
from services.cli import lint
from services.promises.backtest.gathering import Origin, digest_of

app = typer.Typer()
commands.register(app)
lint.register(app)

PARCEL = """apiVersion: makegood/v1
kind: Promise
metadata: {name: parcel-on-time, owner: logistics, effective_from: "2026-03-02T00:00:00Z"}
spec:
  statement: Your parcel arrives by the date we showed you.
  response: {when: {type: order.placed}, expect: {type: order.delivered}, correlate: data.order_id, by: data.due}
  segment: data.channel
"""
DELIVERED = """---
apiVersion: makegood/v1
kind: EventType
metadata: {name: delivered}
spec: {type: order.delivered, identifiers: {order: {path: data.order_id, of: thing}}}
---
apiVersion: makegood/v1
kind: EventType
metadata: {name: placed}
spec: {type: order.placed, identifiers: {order: {path: data.order_id, of: thing}}}
"""


def placed(order: str, day: int, due: int, **more: Any) -> dict[str, Any]:
    data = {"order_id": order, "due": f"2026-03-{due:02}T00:00:00Z", "channel": more.pop("channel", "web")}
    return event("order.placed", f"{order}-placed", day, data, **more)


def delivered(order: str, day: int, **more: Any) -> dict[str, Any]:
    return event("order.delivered", f"{order}-delivered", day, {"order_id": order}, **more)


def event(type_: str, key: str, day: int, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    time = f"2026-03-{day:02}T00:00:00Z"
    return {"specversion": "1.0", "id": key, "source": "shop", "type": type_, "subject": "crm:1", "time": time, "data": data, **more}


def backtest(folder: Path, events: list[Any], *options: str, promises: str = PARCEL, zipped: bool = False) -> Result:
    (folder / "p.yaml").write_text(promises)
    text = "".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in events)
    history = folder / "events.jsonl"
    history.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    return CliRunner().invoke(app, ["backtest", str(folder / "p.yaml"), "--events", str(history), *options])


def line(folder: Path, events: list[Any], *options: str, promises: str = PARCEL, zipped: bool = False) -> dict[str, Any]:
    result = backtest(folder, events, "--json", *options, promises=promises, zipped=zipped)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


HISTORY = [
    placed("o1", 1, 5),
    delivered("o1", 4),
    placed("o2", 2, 5),
    delivered("o2", 6),
    placed("o3", 2, 5, channel="shop"),
    placed("o4", 6, 20, channel="shop"),
    event("page.viewed", "v1", 7, {}),
]


@pytest.mark.parametrize("zipped", [False, True])
def test_a_line_says_what_a_promise_came_to(tmp_path: Path, zipped: bool) -> None:  # noqa: FBT001
    assert line(tmp_path, HISTORY, zipped=zipped) == {
        "promise": "parcel-on-time",
        "version": 1,
        "as_of": "2026-03-07T00:00:00Z",
        "events": 7,
        "commitments": 4,
        "kept": 1,
        "standing": 0,
        "broken": 2,
        "late": 1,
        "never": 1,
        "excused": 0,
        "withdrawn": 0,
        "open": 1,
        "kept_share": 0.3333,
        "segments": [
            {"segment": "shop", "commitments": 2, "kept": 0, "broken": 1, "excused": 0, "withdrawn": 0, "open": 1},
            {"segment": "web", "commitments": 2, "kept": 1, "broken": 1, "excused": 0, "withdrawn": 0, "open": 0},
        ],
    }


def test_the_order_of_the_file_makes_no_difference(tmp_path: Path) -> None:
    assert line(tmp_path, HISTORY[::-1]) == line(tmp_path, HISTORY)


def test_what_arrives_after_as_of_is_ignored(tmp_path: Path) -> None:
    late = [placed("o1", 1, 5), delivered("o1", 4, recordedtime="2026-03-06T00:00:00Z")]
    on_the_fifth = line(tmp_path, late, "--as-of", "2026-03-05T00:00:00Z")
    assert (on_the_fifth["broken"], on_the_fifth["events"]) == (1, 1)
    on_the_sixth = line(tmp_path, late, "--as-of", "2026-03-06T00:00:00Z")
    assert (on_the_sixth["kept"], on_the_sixth["events"]) == (1, 2)


def test_effective_judges_only_what_came_after_a_promise_took_effect(tmp_path: Path) -> None:
    assert line(tmp_path, HISTORY)["commitments"] == 4
    assert line(tmp_path, HISTORY, "--effective")["commitments"] == 3


@pytest.mark.parametrize("backwards", [False, True])
def test_of_one_id_the_first_to_arrive_wins_wherever_it_stands(tmp_path: Path, backwards: bool) -> None:  # noqa: FBT001
    first = placed("o1", 1, 5)
    again = {**placed("o1", 1, 20), "recordedtime": "2026-03-02T00:00:00Z"}
    other = event("page.viewed", "v1", 7, {})
    found = line(tmp_path, [other, again, first] if backwards else [first, again, other])
    assert (found["commitments"], found["broken"], found["events"]) == (1, 1, 2)


def test_the_same_id_from_another_source_is_another_event(tmp_path: Path) -> None:
    assert line(tmp_path, [placed("o1", 1, 5), {**placed("o1", 1, 5), "source": "branch"}])["commitments"] == 2


def test_correlation_is_within_one_customer(tmp_path: Path) -> None:
    parcel = delivered("o1", 4, subject="parcel:7")
    assert line(tmp_path, [placed("o1", 1, 5), parcel], "--as-of", "2026-03-09T00:00:00Z")["broken"] == 1


@pytest.mark.parametrize("backwards", [False, True])
def test_event_types_lead_a_parcels_event_to_the_customer_who_ordered(tmp_path: Path, backwards: bool) -> None:  # noqa: FBT001
    parcel = delivered("o1", 4)
    del parcel["subject"]
    events = [placed("o1", 1, 5), parcel]
    assert line(tmp_path, events[::-1] if backwards else events, promises=PARCEL + DELIVERED)["kept"] == 1


def test_lines_that_journey_would_refuse_are_counted_with_their_reasons(tmp_path: Path) -> None:
    nobody = placed("o9", 1, 5)
    del nobody["subject"]
    wrong = ["{", "[]", {**placed("o8", 1, 5), "time": "yesterday"}, {**placed("o7", 3, 5), "recordedtime": "2026-03-01T00:00:00Z"}, nobody]
    result = backtest(tmp_path, [*HISTORY, *wrong, ""], "--json")
    assert json.loads(result.stdout)["events"] == 7
    assert "events.jsonl:8: value: is not JSON" in result.stderr
    assert "events.jsonl:9: value: must be one JSON object" in result.stderr
    assert "events.jsonl:10: attribute time: must be an RFC 3339 time with an offset" in result.stderr
    assert "events.jsonl:11: `time` is 2 days, 0:00:00 after its arrival" in result.stderr
    assert "events.jsonl:12: `subject` is missing" in result.stderr
    assert "refused 1 line: future-dated" in result.stderr


def test_a_due_time_that_cannot_be_read_quarantines_the_event_for_that_promise(tmp_path: Path) -> None:
    unreadable = placed("o1", 1, 5)
    unreadable["data"]["due"] = "2026-03-05T00:00:00"
    found = line(tmp_path, [unreadable])
    assert (found["commitments"], found["quarantined"]) == (0, 1)


def test_verdicts_name_events_by_the_ids_of_their_sources(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    line(tmp_path, HISTORY, "--verdicts", str(file))
    verdicts = {each["correlation"]: each for each in map(json.loads, file.read_text().splitlines())}
    assert verdicts["o1"] == {
        "promise": "parcel-on-time",
        "version": 1,
        "correlation": "o1",
        "trigger": {"id": "o1-placed", "time": "2026-03-01T00:00:00Z"},
        "due": "2026-03-05T00:00:00Z",
        "judgement": "kept",
        "decided_by": "o1-delivered",
    }
    assert (verdicts["o3"]["judgement"], verdicts["o3"]["decided_by"]) == ("broken", None)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_events_are_told_apart_and_ordered_as_their_keys_are(source: str, id_: str) -> None:
    """Breaks if a first trigger among several of one instant is another one here than in the running system."""
    assert digest_of(Origin(source, id_)) == event_key(source, id_).bytes


def test_without_json_a_table_is_printed(tmp_path: Path) -> None:
    result = backtest(tmp_path, HISTORY)
    assert result.exit_code == 0
    assert "parcel-on-time" in result.stdout


def test_a_file_without_events_or_without_promises_is_an_error(tmp_path: Path) -> None:
    assert "there is no event in it" in backtest(tmp_path, []).stderr
    assert "there is no promise in these files" in backtest(tmp_path, HISTORY, promises=DELIVERED.removeprefix("---\n")).stderr


def test_lint_tells_every_finding_of_every_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(PARCEL.replace("expect", "expct"))
    (tmp_path / "b.yaml").write_text(PARCEL.replace("statement", "statment"))
    result = CliRunner().invoke(app, ["lint", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")])
    assert result.exit_code == 1
    assert "a.yaml:6:42: `response` has no key `expct`; did you mean `expect`?" in result.stderr
    assert "b.yaml:5:3: `spec` has no key `statment`; did you mean `statement`?" in result.stderr


def test_lint_finds_a_name_that_two_files_share(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(PARCEL)
    result = CliRunner().invoke(app, ["lint", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")])
    assert (result.exit_code, "b.yaml:3:18: there is a Promise named `parcel-on-time`" in result.stderr) == (1, True)
