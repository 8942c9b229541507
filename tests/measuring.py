"""What a process measured, as a reader of its metrics sees it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from contracts.metrics import METRICS, Metric

Values = Mapping[tuple[str, ...], Any]
"""A metric's last values by its labels, in the order of the declaration; of a histogram how many were recorded."""

SHOWN_BY: Mapping[str, frozenset[str]] = {
    "tests/chassis/test_metrics.py": frozenset({
        "makegood.records.applied", "makegood.batch.size", "makegood.batch.duration", "makegood.transaction.duration", "makegood.outcomes",
        "makegood.lane.behind", "makegood.barrier.age", "makegood.outbox.depth", "makegood.loop.lag", "makegood.quarantine.open",
        "makegood.snapshot.age",
    }),
    "tests/promises/test_metrics.py": frozenset({
        "makegood.verdicts", "makegood.corrections", "makegood.commitments.held", "makegood.source.silence",
    }),
    "tests/recovery/test_metrics.py": frozenset({"makegood.cases", "makegood.case.age", "makegood.pledges", "makegood.deliveries"}),
    "tests/journey/test_feed_forwarding.py": frozenset({"makegood.feed.behind"}),
}  # fmt: skip
"""Where each metric is seen to be emitted by what emits it in production."""


def emitted(reader: InMemoryMetricReader) -> dict[Metric, Values]:
    """Everything that was measured; a name, unit or label that is not declared fails."""
    declared = {each.name: each for each in METRICS}
    data: Any = reader.get_metrics_data()
    found: dict[Metric, Values] = {}
    for metric in (each for resource in data.resource_metrics for scope in resource.scope_metrics for each in scope.metrics):
        known = declared[metric.name]
        assert (metric.unit, metric.description) == (known.unit, known.meaning)
        points = metric.data.data_points
        assert all(set(point.attributes) == set(known.labels) for point in points), metric.name
        found[known] = {
            tuple(str(point.attributes[label]) for label in known.labels): point.count if hasattr(point, "count") else point.value
            for point in points
        }
    return found


def shown(found: Mapping[Metric, Values], test: str) -> None:
    """This test shows what it is said to show."""
    assert {each.name for each in found} >= SHOWN_BY["/".join(Path(test).parts[-3:])]
