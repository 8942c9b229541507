"""Every alert fires on a made-up series and stays quiet on a good one, by Prometheus' own promtool."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

FOLDER = Path(__file__).parents[2] / "deploy" / "observability"
RULES = [rule for group in YAML(typ="safe").load(FOLDER / "rules.yaml")["groups"] for rule in group["rules"]]
_LANE = 'job="makegood-promises",messaging_destination_name="makegood.journey",messaging_destination_partition_id="0"'
_RAW = 'job="makegood-journey",messaging_destination_name="makegood.touchpoints",messaging_destination_partition_id="0"'
Series = dict[str, str]
SERIES: dict[str, tuple[Series, Series]] = {
    "BarrierStuck": ({f"makegood_barrier_age_seconds{{{_LANE}}}": "0+60x120"}, {f"makegood_barrier_age_seconds{{{_LANE}}}": "1x120"}),
    "LaneSilent": ({f"makegood_records_applied_total{{{_RAW}}}": "500x120"}, {f"makegood_records_applied_total{{{_RAW}}}": "0+120x120"}),
    "LagGrowing": ({f"makegood_lane_behind{{{_LANE}}}": "0+1000x120"}, {f"makegood_lane_behind{{{_LANE}}}": "120000-900x120"}),
    "OutboxGrowing": ({f"makegood_outbox_depth{{{_LANE}}}": "0+500x120"}, {f"makegood_outbox_depth{{{_LANE}}}": "400x120"}),
    "SnapshotOld": (
        {'makegood_snapshot_age_seconds{job="makegood-recovery"}': "0+60x120"},
        {'makegood_snapshot_age_seconds{job="makegood-recovery"}': "0 20 40 0x117"},
    ),
    "QuarantineRising": (
        {'makegood_quarantine_open{reason="schema"}': "0+1x120"},
        {'makegood_quarantine_open{reason="schema"}': "500x120"},
    ),
    "SourceSilent": (
        {'makegood_source_silence_seconds{source="shop"}': "0+60x120"},
        {'makegood_source_silence_seconds{source="shop"}': "0x120"},
    ),
    "ErrorBudgetBurning": (
        {
            'makegood_verdicts_total{promise="in-time",kind="broken"}': "0+1x120",
            'makegood_verdicts_total{promise="in-time",kind="kept"}': "0+9x120",
        },
        {
            'makegood_verdicts_total{promise="in-time",kind="broken"}': "0+1x120",
            'makegood_verdicts_total{promise="in-time",kind="kept"}': "0+99x120",
        },
    ),
    "PledgesBreaking": ({'makegood_pledges_total{outcome="broken"}': "0+1x120"}, {'makegood_pledges_total{outcome="kept"}': "0+1x120"}),
    "OldestCase": (
        {'makegood_case_age_seconds{state="open"}': "80000+120x120"},
        {'makegood_case_age_seconds{state="owned"}': "80000+120x120"},
    ),
}
"""For each alert what makes it fire, and what does not; a value each minute for two hours."""


def test_every_alert_has_made_up_series() -> None:
    assert set(SERIES) == {rule["alert"] for rule in RULES}


@pytest.mark.promtool
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_fires_where_it_should_and_is_quiet_where_not(rule: dict[str, Any], tmp_path: Path) -> None:
    """Breaks if a name in an expression were wrong, a threshold never met, or an alert always on."""
    bad, good = SERIES[rule["alert"]]
    assert fires(rule, bad, tmp_path)
    assert not fires(rule, good, tmp_path)
    assert not fires(rule, {}, tmp_path)


@pytest.mark.promtool
def test_prometheus_reads_its_configuration() -> None:
    subprocess.run(["promtool", "check", "config", str(FOLDER / "prometheus.yaml")], check=True, capture_output=True)


def fires(rule: dict[str, Any], series: Series, folder: Path) -> bool:
    """Whether the alert fires at some time within two hours: promtool is asked to find it silent, and may not."""
    told = [{"eval_time": f"{minute}m", "alertname": rule["alert"], "exp_alerts": []} for minute in range(0, 120, 5)]
    test = {
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "interval": "1m",
        "alert_rule_test": told,
    }
    file = folder / "test.yaml"
    file.write_text(json.dumps({"rule_files": [str(FOLDER / "rules.yaml")], "evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", str(file)], check=False, capture_output=True, text=True)
    assert done.returncode == 0 or f"alertname: {rule['alert']}" in done.stdout + done.stderr, done.stdout + done.stderr
    return done.returncode != 0
