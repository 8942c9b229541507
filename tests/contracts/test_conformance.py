"""CloudEvents' own conformance features and sample events, read by our codec and by the official one."""

import json
from collections.abc import Sequence
from typing import Any

import jsonschema
import orjson
import pytest
from cloudevents.core.bindings import kafka as official
from cloudevents.core.formats.json import JSONFormat
from ruamel.yaml import YAML

from services.chassis import cloudevents
from tests.contracts.features import FOLDER, Scenario, conformance_file, scenarios


def _load(name: str) -> list[Scenario]:
    path = FOLDER / name
    return list(scenarios(path.read_text())) if path.exists() else []


def test_every_scenario_of_the_features_is_run() -> None:
    """Breaks if the reader loses scenarios or example rows: the features hold four and three."""
    conformance_file("http-protocol-binding.feature")
    assert len(_load("http-protocol-binding.feature")) == 4
    assert len(_load("kafka-protocol-binding.feature")) == 3


@pytest.mark.parametrize("scenario", _load("http-protocol-binding.feature"), ids=lambda each: each.name)
def test_http_conformance(scenario: Scenario) -> None:
    given, when, *then = scenario.steps
    assert when.text == "When parsed as HTTP request"
    head, _, body = given.document.partition("\n\n")
    _request, *lines = head.splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    (event,) = cloudevents.decode_http(body.encode(), headers)
    _check(event, then)


@pytest.mark.parametrize("scenario", _load("kafka-protocol-binding.feature"), ids=lambda each: each.name)
def test_kafka_conformance(scenario: Scenario) -> None:
    payload, table, when, *then = scenario.steps
    assert when.text == "When parsed as Kafka message"
    headers = [(name, text.encode()) for name, text in table.table[1:]]
    _check(cloudevents.decode(payload.document.encode(), headers), then)


def _check(event: cloudevents.Event, then: Sequence[Any]) -> None:
    attributes, data = then
    assert attributes.text == "Then the attributes are:"
    expected = dict(attributes.table[1:])
    assert {name: text for name, text in event.attributes.items() if name != "data"} == expected
    assert data.text == "And the data is equal to the following JSON:"
    assert event.attributes["data"] == json.loads(data.document)


def _samples() -> list[dict[str, Any]]:
    files = [FOLDER / name for name in ("v1.yaml", "v1_minimum.yaml") if (FOLDER / name).exists()]
    reader = YAML(typ="safe", pure=True)
    return [document for path in files for document in reader.load_all(path.read_text()) if document]


def _as_record(sample: dict[str, Any]) -> tuple[bytes, list[tuple[str, bytes]]]:
    attributes = {name: str(each) for name, each in sample["ContextAttributes"].items() if name != "Extensions"}
    if "time" in attributes:
        attributes["time"] = "2018-04-05T03:56:24Z"
    content_type = attributes.pop("datacontenttype", "application/json")
    attributes |= sample["ContextAttributes"].get("Extensions", {})
    headers = [(f"ce_{name}", text.strip().encode()) for name, text in attributes.items()]
    return sample["Data"].encode(), [*headers, ("content-type", content_type.encode())]


@pytest.mark.parametrize("sample", _samples(), ids=lambda each: each["ContextAttributes"]["id"])
def test_the_sample_events_read_as_the_official_library_reads_them(sample: dict[str, Any]) -> None:
    value, headers = _as_record(sample)
    ours = cloudevents.decode(value, headers)
    theirs = official.from_binary_event(official.KafkaMessage(dict(headers), None, value), JSONFormat())
    # the official library makes up a time where none was sent
    assert ours.time is None or ours.time == theirs.get_time()
    apart = {"time", "data", "data_base64"}
    assert {name: each for name, each in ours.attributes.items() if name not in apart} == {
        name: each for name, each in theirs.get_attributes().items() if name not in apart
    }
    data = theirs.get_data()
    assert ours.attributes["data"] == (data.decode() if isinstance(data, bytes) else data)


@pytest.mark.parametrize("sample", _samples(), ids=lambda each: each["ContextAttributes"]["id"])
def test_what_we_encode_is_valid_by_the_official_schema(sample: dict[str, Any]) -> None:
    schema = json.loads(conformance_file("cloudevents.schema.json").read_text())
    event = cloudevents.decode(*_as_record(sample))
    checker = jsonschema.Draft7Validator.FORMAT_CHECKER
    jsonschema.validate(orjson.loads(cloudevents.encode(event)), schema, format_checker=checker)
