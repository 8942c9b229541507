"""Holds the running system against a backtest of the same flights: commitment by commitment, and every count."""

from collections.abc import Iterable
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
AIRLINE = ("flight-on-time", "flight-never-early")
COUNTED = ("commitments", "kept", "standing", "broken", "late", "never", "excused", "withdrawn", "open", "kept_share", "segments")


def run(*words: object) -> Result:
    return CliRunner().invoke(app, list(map(str, words)))


def write(path: Path, events: Iterable[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in events))
    return path


def assert_judged_alike(client: Client, events: Path) -> None:
    """The same ids, due times and judgements, and the same report, as `backtest --effective` on the file."""
    verdicts = events.with_suffix(".verdicts")
    reports = run("backtest", PROMISES / "airline.yaml", "--events", events, "--effective", "--json", "--verdicts", verdicts)
    lines = map(orjson.loads, verdicts.read_bytes().splitlines())
    expected = {_named(line): (_id(line), line["due"], line["judgement"]) for line in lines}
    found = [each for name in AIRLINE for each in client.pages("promises", "/v1/commitments", promise=name, limit=1000)]
    judged = {_named(each): (UUID(each["id"]), _text(each["due"]), each["judgement"]) for each in found}
    assert judged.items() - expected.items() == set()
    assert expected.keys() == judged.keys()
    for line in map(orjson.loads, reports.stdout.splitlines()):
        performance = client.get("promises", f"/v1/promises/{line['promise']}/performance")["items"][0]
        assert list(performance)[: len(line)] == list(line)
        assert {name: performance[name] for name in COUNTED} == {name: line[name] for name in COUNTED}


def _named(commitment: dict[str, Any]) -> tuple[str, str]:
    return commitment["promise"], commitment["trigger"]["id"]


def _id(line: dict[str, Any]) -> UUID:
    trigger = event_key(flights.SOURCE, line["trigger"]["id"])
    customer, correlation = customer_key(line["correlation"]), orjson.dumps(line["correlation"]).decode()
    return commitment_id(line["promise"], line["version"], customer, correlation, trigger, first=False)


def _text(time: str | None) -> str | None:
    return None if time is None else datetime.fromisoformat(time).isoformat().replace("+00:00", "Z")
