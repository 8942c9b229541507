"""What is drawn and alerted on is measured; every alert has its runbook; the collector's configuration holds together."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from contracts.metrics import METRICS, in_promql, label_in_promql
from deploy.observability import dashboards
from tests.observability.test_rules import FOLDER, RULES, SERIES

ROOT = FOLDER.parents[1]
LABELS = {name: {label_in_promql(label) for label in each.labels} for each in METRICS for name in in_promql(each)}
EVERYWHERE = {"job", "instance", "le"}
"""What the collector and Prometheus add."""
COMPONENTS = {
    "receivers": {"otlp"}, "processors": {"memory_limiter", "batch", "tail_sampling"}, "exporters": {"prometheus", "otlp"},
    "extensions": {"health_check"},
}  # fmt: skip
"""Those of opentelemetry-collector-contrib that are used."""


def queries() -> Iterator[str]:
    for panels in dashboards.DASHBOARDS.values():
        yield from (each.query for each in panels)
    yield from (rule["expr"] for rule in RULES)
    for bad, good in SERIES.values():
        yield from (*bad, *good)


@pytest.mark.parametrize("query", list(queries()))
def test_every_metric_and_label_in_a_query_is_declared(query: str) -> None:
    """Breaks if a dashboard drew, or an alert waited for, something that nobody emits."""
    names = re.findall(r"\bmakegood_\w+", query)
    assert names
    allowed = set.union(*(LABELS[name] for name in names)) | EVERYWHERE
    grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", query) for label in group.split(",")}
    matched = {label for group in re.findall(r"\{([^}]*)\}", query) for label in re.findall(r"(\w+)(?:=~|!=|!~|=)\"", group)}
    assert grouped | matched <= allowed


@pytest.mark.parametrize("name", dashboards.DASHBOARDS)
def test_the_dashboards_are_those_of_the_table_and_their_legends_name_what_the_query_keeps(name: str) -> None:
    text = (dashboards.FOLDER / f"{name}.json").read_text()
    assert text == dashboards.text_of(name)
    for panel in json.loads(text)["panels"]:
        query, legend = panel["targets"][0]["expr"], panel["targets"][0]["legendFormat"]
        (first, *_) = re.findall(r"\bmakegood_\w+", query)
        assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= LABELS[first] | EVERYWHERE


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_every_alert_has_its_runbook(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^### (\w+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor == rule["alert"].lower()
    assert rule["alert"] in headings


def test_no_runbook_is_for_an_alert_that_is_not() -> None:
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(rule["alert"] for rule in RULES)


def test_commands_in_runbooks_exist() -> None:
    named = set(re.findall(r"`makegood (\w+)", (ROOT / "docs" / "operations.md").read_text()))
    modules = "".join(path.read_text() for path in (ROOT / "services" / "cli").glob("*.py"))
    assert named
    assert all(f"app.command()({name})" in modules or f'"{name}"' in modules for name in named)


def test_the_collector_s_configuration_uses_what_it_declares_and_nothing_that_contrib_has_not() -> None:
    config = YAML(typ="safe").load(FOLDER / "collector.yaml")
    for section, known in COMPONENTS.items():
        assert {name.partition("/")[0] for name in config[section]} <= known
    used = [each for pipeline in config["service"]["pipelines"].values() for part in pipeline.items() for each in ((part[0], part[1]),)]
    for section, names in used:
        assert set(names) <= set(config[section])
    assert set(config["service"]["extensions"]) <= set(config["extensions"])


def test_the_collector_keeps_traces_by_what_spans_carry() -> None:
    """Breaks if the sampling policy asked for an attribute that promises no longer sets on its spans."""
    policies = YAML(typ="safe").load(FOLDER / "collector.yaml")["processors"]["tail_sampling"]["policies"]
    (by_verdict,) = (each["string_attribute"] for each in policies if each["type"] == "string_attribute")
    handlers = Path(ROOT / "services" / "promises" / "handlers.py").read_text()
    assert f'"{by_verdict["key"]}"' in handlers
    assert by_verdict["values"] == ["broken", "corrected"]
