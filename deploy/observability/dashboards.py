"""The Grafana dashboards, made from one table: `python -m deploy.observability.dashboards` writes `dashboards/*.json`."""

import json
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

FOLDER: Final = Path(__file__).with_name("dashboards")
_WIDTH, _HEIGHT = 12, 8
_LANE: Final = "{{job}} {{messaging_destination_name}}/{{messaging_destination_partition_id}}"
_SOURCE: Final = {"type": "prometheus", "uid": "prometheus"}


class Panel(NamedTuple):
    """One drawing: what it says, the query, how a line is named, and Grafana's name of the unit."""

    title: str
    query: str
    legend: str
    unit: str = "short"


DASHBOARDS: Final[dict[str, tuple[Panel, ...]]] = {
    "flow-health": (
        Panel("Age of the barrier", "makegood_barrier_age_seconds", _LANE, "s"),
        Panel("Records behind", "makegood_lane_behind", _LANE),
        Panel("Records applied", "sum by (job, messaging_destination_name) (rate(makegood_records_applied_total[1m]))",
              "{{job}} {{messaging_destination_name}}", "ops"),
        Panel("Committed, not yet published", "sum by (job) (makegood_outbox_depth)", "{{job}}"),
        Panel("What became of touchpoints", "sum by (outcome) (rate(makegood_outcomes_total[1m]))", "{{outcome}}", "ops"),
        Panel("Refused records that wait", "max by (reason) (makegood_quarantine_open)", "{{reason}}"),
        Panel("Silence of declared sources", "max by (source) (makegood_source_silence_seconds)", "{{source}}", "s"),
        Panel("Records that feeds have not taken in", "max by (feed) (makegood_feed_behind)", "{{feed}}"),
    ),
    "promises": (
        Panel("Kept", 'sum by (promise) (rate(makegood_verdicts_total{kind="kept"}[5m]))', "{{promise}}", "ops"),
        Panel("Broken", 'sum by (promise) (rate(makegood_verdicts_total{kind="broken"}[5m]))', "{{promise}}", "ops"),
        Panel("Share broken, over an hour", 'sum by (promise) (increase(makegood_verdicts_total{kind="broken"}[1h]))'
              ' / sum by (promise) (increase(makegood_verdicts_total{kind=~"broken|kept"}[1h]))', "{{promise}}", "percentunit"),
        Panel("Warned of", 'sum by (promise) (rate(makegood_verdicts_total{kind="at_risk"}[5m]))', "{{promise}}", "ops"),
        Panel("Corrected, by what is said now", "sum by (promise, verdict) (increase(makegood_corrections_total[1h]))",
              "{{promise}} {{verdict}}"),
        Panel("Held, not guessed", "max by (promise) (makegood_commitments_held)", "{{promise}}"),
    ),
    "recovery": (
        Panel("Cases in work", "max by (state) (makegood_cases)", "{{state}}"),
        Panel("Age of the oldest case", "max by (state) (makegood_case_age_seconds)", "{{state}}", "s"),
        Panel("Pledges judged", "sum by (outcome) (increase(makegood_pledges_total[1h]))", "{{outcome}}"),
        Panel("Telling people and systems", "sum by (kind, outcome) (rate(makegood_deliveries_total[5m]))", "{{kind}} {{outcome}}", "ops"),
    ),
    "service": (
        Panel("Batch, 95th percentile", "histogram_quantile(0.95, sum by (le, messaging_destination_name)"
              ' (rate(makegood_batch_duration_seconds_bucket{job="$job"}[5m])))', "{{messaging_destination_name}}", "s"),
        Panel("Transaction, 95th percentile", "histogram_quantile(0.95, sum by (le, messaging_destination_name)"
              ' (rate(makegood_transaction_duration_seconds_bucket{job="$job"}[5m])))', "{{messaging_destination_name}}", "s"),
        Panel("Records of a batch, mean", 'sum by (messaging_destination_name) (rate(makegood_batch_size_sum{job="$job"}[5m]))'
              ' / sum by (messaging_destination_name) (rate(makegood_batch_size_count{job="$job"}[5m]))', "{{messaging_destination_name}}"),
        Panel("Oldest transaction", 'max by (instance) (makegood_snapshot_age_seconds{job="$job"})', "{{instance}}", "s"),
        Panel("Event loop late by", 'max by (instance) (makegood_loop_lag_seconds{job="$job"})', "{{instance}}", "s"),
    ),
}  # fmt: skip


def dashboard(name: str) -> dict[str, Any]:
    """One dashboard as Grafana reads it."""
    title = name.replace("-", " ").capitalize()
    panels = [_panel(place, each) for place, each in enumerate(DASHBOARDS[name])]
    asks = {"name": "job", "type": "query", "datasource": _SOURCE, "query": "label_values(makegood_loop_lag_seconds, job)", "refresh": 2}
    return {
        "uid": f"makegood-{name}", "title": f"Makegood: {title}", "tags": ["makegood"], "schemaVersion": 39, "refresh": "15s",
        "time": {"from": "now-3h", "to": "now"}, "templating": {"list": [asks] if name == "service" else []}, "panels": panels,
    }  # fmt: skip


def _panel(place: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": place + 1, "type": "timeseries", "title": panel.title, "datasource": _SOURCE,
        "gridPos": {"x": place % 2 * _WIDTH, "y": place // 2 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": [{"refId": "A", "expr": panel.query, "legendFormat": panel.legend, "exemplar": True, "datasource": _SOURCE}],
    }  # fmt: skip


def text_of(name: str) -> str:
    """The file as it is written."""
    return json.dumps(dashboard(name), indent=1) + "\n"


def main() -> None:
    """Write every dashboard."""
    FOLDER.mkdir(exist_ok=True)
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(text_of(name), encoding="utf-8")
    sys.stdout.write(f"{len(DASHBOARDS)} dashboards in {FOLDER}\n")


if __name__ == "__main__":
    main()
