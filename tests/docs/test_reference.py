"""The generated pages leave nothing out: each setting says what it means and in what unit, each operation has its row."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from contracts import generate
from contracts.asyncapi import SERVICES
from contracts.catalogue import EVENTS
from contracts.metrics import METRICS
from services.cli.commands import commands

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "reference"
DURATIONS = re.compile(r"_(timeout|interval|after|within|every|age|seconds|heartbeat|pause|for)$|^pace$")
BYTES = re.compile(r"_bytes$")


def fields() -> list[Any]:
    found = []
    for model in generate._settings():
        assert issubclass(model, BaseModel)
        described = model.model_json_schema(mode="serialization")["properties"]
        found += [pytest.param(described[name], id=f"{model.__name__}.{name}") for name in model.__annotations__ if name in described]
    return found


@pytest.mark.parametrize("field", fields())
def test_a_setting_says_what_it_means_and_in_what_unit(field: dict[str, Any], request: pytest.FixtureRequest) -> None:
    """Breaks if somebody had to guess what a number counts."""
    name = request.node.callspec.id.partition(".")[2]
    assert field.get("description")
    counts = field.get("type") in {"number", "integer"} or field.get("format") == "duration"
    if counts and DURATIONS.search(name):
        assert field.get("unit") == "seconds" or field.get("format") == "duration"
    if counts and BYTES.search(name):
        assert field.get("unit") == "bytes"


def test_no_event_operation_metric_or_command_is_left_out() -> None:
    told = {path.stem: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")}
    assert [each.name for each in EVENTS if f"[`{each.name}`]" not in told["events"]] == []
    assert [each.name for each in METRICS if f"| `{each.name}` |" not in told["metrics"]] == []
    assert [name for name, *_ in commands() if f"`makegood {name}" not in told["commands"]] == []
    described = [json.loads((ROOT / f"contracts/openapi/{name}.json").read_text()) for name in SERVICES]
    missing = [
        f"{method} {path}" for each in described for path, methods in each["paths"].items() for method in methods
        if f"| `{method.upper()} {path}` |" not in told["api"]
    ]  # fmt: skip
    assert missing == []


def test_who_may_call_an_operation_stands_beside_it() -> None:
    """Breaks if the page said of an operation what the access table does not."""
    rows = re.findall(r"^\| `(\w+) (\S+)` \| .* \| ([^|]*) \|$", (PAGES / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    by_place = {(method, path): who for method, path, who in rows}
    assert by_place["POST", "/v1/promises"] == "manager"
    assert by_place["GET", "/v1/register"] == "public"
    assert by_place["POST", "/v1/cases/{case_id}/owner"] == "agent, lead, manager"
