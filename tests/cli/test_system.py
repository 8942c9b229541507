"""One whole system on the replay clock: the story to its end, then flights, equal to a backtest commitment by commitment."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import psutil
import pytest
from typer.testing import Result

from deploy.errors import StackError
from deploy.local import stack, state
from deploy.local.state import State
from services.chassis import rfc3339
from services.cli import flights, publish, replay, story, telling
from services.cli.client import Client
from services.cli.rest import NotAtRestError, Rest
from services.journey.domain import customer_key
from tests.judged import PROMISES, assert_judged_alike, run, write

FLIGHTS = 250
PUBLISHED = """
{apiVersion: makegood/v1, kind: Source, metadata: {name: old-till}, spec: {source: "https://old.example/till", heartbeat: 1 hour}}
---
{apiVersion: makegood/v1, kind: EventType, metadata: {name: old-sale}, spec: {type: old/sale.made}}
---
apiVersion: makegood/v1
kind: Feed
metadata: {name: old-till}
spec:
  source: https://old.example/till
  from: {kafka: {topic: old.till}}
  type: {value: old/sale.made}
  subject: {path: record.customer}
"""


@pytest.fixture(scope="module")
def data(servers: Path) -> Path:
    return servers / "story"


@pytest.fixture(scope="module")
def running(data: Path) -> Iterator[State]:
    """A system of its own, with the promises that are shipped; the story has been told in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKEGOOD_DATA", str(data))
        patch.setenv("MAKEGOOD_TRACES", str(data.with_suffix(".spans")))
        try:
            up = stack.up(data, "replay", print)
            publish.publish_to(up, [PROMISES])
            telling.tell(up, print)
            yield up
        finally:
            stack.down(data, print)


@pytest.fixture(scope="module")
def client(running: State) -> Iterator[Client]:
    with Client(running) as client:
        yield client


def test_the_lost_passport_ends_with_a_customer_restored(client: Client) -> None:
    """What stands between its beginning and its end, and how it may go otherwise, tests/system/test_story.py tells."""
    (case,) = client.get("recovery", "/v1/cases", customer=str(customer_key(story.CUSTOMER)))["items"]
    assert (case["state"], case["owner"], case["severity"]) == ("restored", story.PROMOTER, "high")


def test_one_trace_leads_from_the_touchpoint_through_all_services_to_the_case(running: State, data: Path) -> None:
    """Breaks if any service starts a trace of its own, or drops the one it was handed."""
    steps = {"POST /v1/touchpoints", "accept touchpoint", "judge commitment", "decide case"}
    until = time.monotonic() + 30
    while not any(steps <= names for names in _traces(data.with_suffix(".spans")).values()):
        assert time.monotonic() < until, _traces(data.with_suffix(".spans"))
        time.sleep(0.2)


def _traces(file: Path) -> dict[str, set[str]]:
    """The names of the spans of each trace, as far as they have been written."""
    found: dict[str, set[str]] = {}
    for line in file.read_bytes().splitlines():
        try:
            span = orjson.loads(line)
        except orjson.JSONDecodeError:  # several processes write, and one is not done
            continue
        found.setdefault(span["context"]["trace_id"], set()).add(span["name"])
    return found


def test_replayed_flights_are_judged_as_a_backtest_judges_them(running: State, client: Client, data: Path) -> None:
    events = data / "flights.jsonl"
    write(events, takewhile(lambda each: int(each["subject"]) <= FLIGHTS, flights.touchpoints(1)))
    replay.replay(running, events)
    asyncio.run(Rest(client, running).wait(60))
    assert_judged_alike(client, events)
    assert _quarantined(client) == []


def test_series_add_up_to_how_promises_are_kept(client: Client) -> None:
    """Breaks if journey's indicators missed a fact, or counted one twice."""
    names = ("commitments", "kept", "standing", "broken", "excused", "withdrawn", "open")
    expected: dict[tuple[str, str | None], dict[str, int]] = {}
    for each in client.get("promises", "/v1/performance")["items"]:
        segments = each["segments"] or [each | {"segment": None}]
        expected |= {(each["promise"], one["segment"]): {name: one[name] for name in names if name in one} for one in segments}
    expected = {key: counts for key, counts in expected.items() if counts["commitments"]}
    until = time.monotonic() + 60
    while (found := _added_up(client, names)).keys() != expected.keys() or any(
        found[key][name] != number for key, counts in expected.items() for name, number in counts.items()
    ):
        assert time.monotonic() < until, (found, expected)
        time.sleep(0.5)


def test_day_by_day_a_series_is_what_fell_due(client: Client) -> None:
    """Breaks if a commitment counted on another day than that on which it fell due where the customer is, or under another word."""
    expected: Counter[tuple[str, str, str]] = Counter()
    for each in client.pages("promises", "/v1/commitments", promise="flight-on-time", limit=1000):
        day = rfc3339.parse(each["due"] or each["trigger"]["time"]).astimezone(ZoneInfo("America/New_York"))
        expected[f"{day:%Y-%m-%d}", each["segment"], each["judgement"]] += 1
    asked = {"promise": "flight-on-time", "by": "segment", "bucket": "day", "zone": "America/New_York"}
    rows = client.get("journey", "/v1/indicators", **asked, since="2012-12-01", until="2013-03-01")["items"]
    words = ("kept", "broken", "excused", "withdrawn")
    found = {(row["start"], row["segment"], word): row[word] for row in rows for word in words if row[word]}
    assert found == {key: number for key, number in expected.items() if key[2] in words}
    assert sum(row["open"] for row in rows) == expected.total() - sum(found.values())


def _added_up(client: Client, names: tuple[str, ...]) -> dict[tuple[str, str | None], dict[str, int]]:
    found: dict[tuple[str, str | None], dict[str, int]] = {}
    asked = {"by": ["promise", "segment"], "since": "2012-01-01", "until": "2030-01-01"}
    for row in client.get("journey", "/v1/indicators", **asked)["items"]:
        counts = found.setdefault((row["promise"], row["segment"]), dict.fromkeys(names, 0))
        for name in names:
            counts[name] += row[name]
    return found


def test_commands_say_what_the_system_knows(running: State, client: Client) -> None:
    told = run("timeline", story.CUSTOMER)
    assert "RESTORED" in told.stdout
    broken = client.get("promises", "/v1/commitments", promise="documents-handed-back", judgement="broken")["items"][0]
    explained = run("explain", broken["id"])
    assert "BROKEN: A failure was seen" in explained.stdout
    (decided,) = [line for line in explained.stdout.splitlines() if line.endswith("<- decided it")]
    assert "document.missing (failure)" in decided
    counted = run("performance", "documents-handed-back", "--json")
    assert orjson.loads(counted.stdout)["kept_share"] == 0.5
    assert "documents-handed-back" in (run("performance")).stdout
    assert "makegood.touchpoints" in (run("status")).stdout
    shown = [orjson.loads(line) for line in run("lanes", "--json").stdout.splitlines()]
    assert {each["service"] for each in shown} == {"journey", "promises", "recovery"}
    assert "makegood.touchpoints/0" in run("lanes").stdout
    assert run("lanes", "--stuck", 10**9).exit_code == 0
    waited = run("status", "--wait", "--timeout", 60)
    assert waited.exit_code == 0, waited.output


def test_the_rows_are_those_that_are_made_again_and_a_version_judges_as_it_did(running: State, client: Client) -> None:
    """Breaks if a running system's rows held anything that evidence and facts do not say, or a second reading came to something else."""
    checked = run("rebuild", "--check", "--json")
    assert checked.exit_code == 0, checked.output
    counted = [orjson.loads(line) for line in checked.stdout.splitlines()]
    assert sum(each["rows"] for each in counted) == len(list(client.pages("promises", "/v1/commitments", limit=1000)))
    assert "put right" in run("rebuild", "--partition", 0).stdout
    judged = run("rejudge", "documents-handed-back", "--version", 1, "--json")
    outcome = orjson.loads(judged.stdout.splitlines()[0])["outcome"]
    assert (outcome["judged"], outcome["changed"], outcome["unread"]) == (2, 0, 0)
    assert "2 commitments, 2 with the same verdict" in run("rejudge", "documents-handed-back", "--version", 1, "--reason", "to see").stdout


def test_a_source_an_event_type_and_a_feed_are_retired_by_name(running: State, client: Client, tmp_path: Path) -> None:
    """Breaks if one of the two services went on waiting for a source that the other let go."""
    file = tmp_path / "documents.yaml"
    file.write_text(PUBLISHED)
    run("publish", str(file))
    for kind, name in (("feed", "old-till"), ("event-type", "old/sale.made"), ("source", "https://old.example/till")):
        assert f"{kind} {name} is retired" in run("retire", name, "--kind", kind).stdout.replace("\n", " ")
    for service in ("promises", "journey"):
        assert "https://old.example/till" not in {each["source"] for each in client.get(service, "/v1/sources")["items"]}
    assert "old/sale.made" not in {each["type"] for each in client.get("journey", "/v1/event-types")["items"]}
    assert "old-till" not in {each["name"] for each in client.get("journey", "/v1/feeds")["items"]}


def test_a_promise_is_retired_by_name(running: State, client: Client) -> None:
    assert "is retired from 2027-01-01T00:00:00Z on" in run("retire", "came-back", "--from", "2027-01-01T00:00:00Z").stdout
    assert client.get("promises", "/v1/promises/came-back")["retirements"][0]["effective_from"] == "2027-01-01T00:00:00Z"


def test_emit_tells_of_each_event_why_it_was_refused(running: State, tmp_path: Path, client: Client) -> None:
    now = replay.standing_at(client)
    assert now is not None
    good = {"specversion": "1.0", "id": "1", "source": "test", "type": "visit.started", "subject": "crm:1", "time": now.isoformat()}
    file = write(tmp_path / "events", [good, good | {"id": "2", "time": "2100-01-01T00:00:00Z"}, good | {"id": "3"}])
    answer = run("emit", file)
    assert answer.exit_code == 1
    assert f"{file}:2: future-dated" in answer.stderr
    assert "2 events accepted, 1 refused" in answer.stderr
    one = run("emit", "--type", "visit.started", "--subject", "crm:1", "--data", '{"purpose": "none"}')
    assert one.exit_code == 0, one.output
    asyncio.run(Rest(client, running).wait(60))
    assert "visit.started" in (run("timeline", "crm:1")).stdout


def test_everything_about_somebody_is_told_and_then_forgotten(running: State, tmp_path: Path, client: Client) -> None:
    """Breaks if a service's part is left out of either, or if a cut export were taken for a whole one."""
    run("emit", "--type", "visit.started", "--subject", "crm:forgotten", "--data", '{"purpose": "canary"}')
    asyncio.run(Rest(client, running).wait(60))
    whole = tmp_path / "whole.jsonl"
    assert run("export", story.CUSTOMER, "--output", whole).exit_code == 0
    lines = [orjson.loads(line) for line in whole.read_bytes().splitlines()]
    assert [line["manifest"]["service"] for line in lines if "manifest" in line] == ["journey", "promises", "recovery"]
    assert {"touchpoint", "fact"} <= {line.get("part") for line in lines}
    told = run("export", "crm:forgotten")
    assert told.stdout.count("canary") == 1
    key = customer_key("crm:forgotten")
    assert "Aborted" in run("erase", "crm:forgotten", "--reason", "request").output
    assert f"{key}" in run("erase", "crm:forgotten", "--reason", "request", "--yes").stdout
    assert client.get("journey", f"/v1/customers/{key}/erasure")["state"] == "done"
    assert "canary" not in run("export", str(key)).output
    with pytest.raises(StackError, match="holds history, all of which is old"):
        raise _error(run("retention"))


def _error(result: Result) -> BaseException:
    assert result.exception is not None
    return result.exception


def test_time_does_not_go_back(running: State, data: Path) -> None:
    """Breaks if old history is judged as if it arrived now."""
    with pytest.raises(StackError, match="time does not go back"):
        replay.replay(running, data / "flights.jsonl")


def test_waiting_for_rest_says_what_is_stuck(running: State, client: Client) -> None:
    """A process that stands still: breaks if its unread records are taken for rest."""
    consumer = psutil.Process(running.pids["promises-consume"])
    consumer.suspend()
    try:
        now = replay.standing_at(client)
        assert now is not None
        replay.advance(running, now)
        with pytest.raises(NotAtRestError, match=r"promises reads makegood\.journey"):
            asyncio.run(Rest(client, running).wait(2))
    finally:
        consumer.resume()
    asyncio.run(Rest(client, running).wait(60))


@pytest.mark.slow
def test_a_demo_that_is_interrupted_leaves_no_process(servers: Path) -> None:
    data = servers / "interrupted"
    began = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "demo"],
        env={**os.environ, "MAKEGOOD_DATA": str(data)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert began.stdout is not None
    assert any("hands over her passport" in line for line in began.stdout)
    began.send_signal(signal.SIGINT)
    began.communicate()
    assert began.returncode == 130
    assert state.read(data) is None
    assert list(_below(data)) == []


def _quarantined(client: Client) -> list[Any]:
    return list(client.pages("journey", "/v1/quarantine"))


def _below(folder: Path) -> Iterator[str]:
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(str(folder) in word for word in words):
            yield " ".join(words)
