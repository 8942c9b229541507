"""Traces and metrics: one touchpoint's way can be followed from service to service, and costs nothing where nobody looks."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.metrics import METRICS
from services.chassis.telemetry import Telemetry
from services.journey.settings import JourneySettings

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def settings(traces: str) -> JourneySettings:
    return JourneySettings(kafka="127.0.0.1:9", database="postgresql://none", traces=traces)


@pytest.fixture
def spans(tmp_path: Path) -> Any:
    path = tmp_path / "spans.jsonl"
    telemetry = Telemetry(settings(str(path)), "journey")

    def read() -> list[dict[str, Any]]:
        telemetry.close()
        return [orjson.loads(line) for line in path.read_text().splitlines()]

    return telemetry, read


def test_each_step_continues_the_trace_that_the_one_before_handed_on(spans: Any) -> None:
    """Breaks if a service began a trace of its own: the case could not be followed back to the touchpoint."""
    telemetry, read = spans
    first = telemetry.step("accept touchpoint", PARENT, **{"event.type": "order.placed"})
    second = telemetry.step("judge commitment", first, promise="in-time")
    assert (first.split("-")[1], second.split("-")[1]) == (TRACE, TRACE)
    by_name = {each["name"]: each for each in read()}
    assert by_name["accept touchpoint"]["parent_id"] == "0xb7ad6b7169203331"
    assert by_name["judge commitment"]["parent_id"] == by_name["accept touchpoint"]["context"]["span_id"]
    assert by_name["judge commitment"]["attributes"] == {"promise": "in-time"}
    assert by_name["judge commitment"]["resource"]["attributes"]["service.name"] == "makegood-journey"


def test_a_batch_is_one_span_and_an_empty_one_none(spans: Any) -> None:
    telemetry, read = spans
    with telemetry.batch("makegood.touchpoints", 3, []):
        pass
    with telemetry.batch("makegood.touchpoints", 3, [object()] * 7):
        telemetry.step("accept touchpoint", PARENT)
    accepted, batch = read()
    assert (batch["name"], batch["attributes"]["messaging.batch.message_count"]) == ("process makegood.touchpoints", 7)
    assert [each["context"]["span_id"] for each in accepted["links"]] == [batch["context"]["span_id"]]


def test_where_nobody_looks_a_trace_is_handed_on_untouched() -> None:
    telemetry = Telemetry(settings("none"), "journey")
    assert telemetry.step("accept touchpoint", PARENT) == PARENT
    assert telemetry.step("accept touchpoint", None) is None
    telemetry.close()


@pytest.mark.parametrize("parent", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "\ud800", "x" * 10_000])
def test_no_trace_context_that_a_stranger_sends_raises(spans: Any, parent: str) -> None:
    telemetry, read = spans
    telemetry.step("accept touchpoint", parent)
    assert len(read()) == 1


def test_metrics_are_data_with_a_unit_and_a_meaning() -> None:
    assert all(each.name.startswith("makegood.") and each.unit and each.meaning for each in METRICS)
    assert len({each.name for each in METRICS}) == len(METRICS)
