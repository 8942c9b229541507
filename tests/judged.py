"""Holds the running system against a backtest of the same history: commitment by commitment, and every count."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from typer.testing import CliRunner, Result

from services.chassis.keys import event_key
from services.cli import flights
from services.cli.__main__ import app
from services.cli.client import Client
from services.journey.domain import customer_key
from services.promises.domain import commitment_id

PROMISES = Path(__file__).parents[1] / "promises"
COUNTED = ("commitments", "kept", "standing", "broken", "late", "never", "excused", "withdrawn", "open", "kept_share", "segments")
Line = dict[str, Any]


def run(*words: object) -> Result:
    return CliRunner().invoke(app, list(map(str, words)))


def write(path: Path, events: Iterable[Line]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in events))
    return path


def assert_judged_alike(client: Client, events: Path) -> list[Line]:
    """Of flights: the same ids too."""
    reports, verdicts = assert_equal_to_backtest(client, events, [PROMISES / "airline.yaml"])
    expected = {_named(line): _flight_id(line) for line in verdicts}
    assert {_named(each): UUID(each["id"]) for each in _commitments(client, reports)} == expected
    return reports


def assert_equal_to_backtest(
    client: Client, events: Path, promises: Sequence[Path], as_of: str | None = None
) -> tuple[list[Line], list[Line]]:
    """The same due times and judgements, and the same reports, as `backtest --effective` on the file; return what that found."""
    verdicts = events.with_suffix(".verdicts")
    options = ["--as-of", as_of] if as_of else []
    told = run("backtest", *promises, "--events", events, "--effective", "--json", "--verdicts", verdicts, *options)
    assert told.exit_code == 0, told.output
    reports = [orjson.loads(line) for line in told.stdout.splitlines()]
    lines = [orjson.loads(line) for line in verdicts.read_bytes().splitlines()]
    expected = {_named(line): (line["correlation"], line["due"], line["judgement"]) for line in lines}
    found = {_named(each): (each["correlation"], _text(each["due"]), each["judgement"]) for each in _commitments(client, reports)}
    assert found.items() - expected.items() == set()
    assert expected.keys() == found.keys()
    for line in reports:
        performance = client.get("promises", f"/v1/promises/{line['promise']}/performance")["items"][0]
        assert list(performance)[: len(line)] == list(line)
        assert {name: performance[name] for name in COUNTED} == {name: line[name] for name in COUNTED}
    return reports, lines


def _commitments(client: Client, reports: list[Line]) -> list[Line]:
    names = [line["promise"] for line in reports]
    return [each for name in names for each in client.pages("promises", "/v1/commitments", promise=name, limit=1000)]


def _named(commitment: Line) -> tuple[str, str]:
    return commitment["promise"], commitment["trigger"]["id"]


def _flight_id(line: Line) -> UUID:
    trigger = event_key(flights.SOURCE, line["trigger"]["id"])
    customer, correlation = customer_key(line["correlation"]), orjson.dumps(line["correlation"]).decode()
    return commitment_id(line["promise"], line["version"], customer, correlation, trigger, first=False)


def _text(time: str | None) -> str | None:
    return None if time is None else datetime.fromisoformat(time).isoformat().replace("+00:00", "Z")
