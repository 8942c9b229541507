"""The benchmark's arithmetic, and what it says of it."""

import platform
from collections import Counter
from datetime import UTC, datetime, timedelta
from math import isnan
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console

from bench import report
from bench.counters import Stand, Statistics
from bench.flow import Moment, Window, speed_of
from bench.generator import Sent
from bench.latency import Barriers, quantile, summary
from bench.watch import Use, backend_name

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _moment(at: float, judged: int, facts: int, taken: int, cpu: float) -> Moment:
    stand = Stand(at, judged, 0, judged, facts, taken, None, {"journey: touchpoints": judged // 500})
    use = Use(at, Counter({"journey-consume": cpu}), cpu * 2)
    server = {"transactions": judged // 100, "sessions": 0, "wal_bytes": 0, "wal_syncs": 0}
    return Moment(at, stand, use, Statistics({"journey.journal": judged}, {}, {}, server))


def test_a_touchpoint_counts_only_when_what_was_said_of_it_has_been_taken_in() -> None:
    """Breaks if the rate is that of a stage which runs ahead of one behind it."""
    window = Window(_moment(10, 1000, 2000, 2000, 1.0), _moment(20, 11_000, 22_000, 11_000, 6.0), Sent(0, 12_000, 20, 1.2, 0.1))
    found = speed_of(window)
    assert found["judged_per_s"] == 1000
    assert found["touchpoints_per_s"] == pytest.approx(450)
    assert found["cpu_s_per_1000"] == {"journey-consume": pytest.approx(5.0 / 4.5)}
    assert found["generator_cpu_s_per_1000"] == pytest.approx(0.1)
    assert found["rows_a_transaction"]["journey: touchpoints"] == 500


def test_the_barrier_is_known_with_the_marker_of_the_slowest_lane() -> None:
    barriers = Barriers()

    def hear(at: float, lane: str, seconds: int) -> None:
        arrival = (NOON + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
        barriers.hear(at, {"lane": lane, "lanes": 2, "arrival": arrival})

    for at, lane, seconds in ((1.0, "a/0", 0), (1.1, "a/1", 0), (2.0, "a/0", 5), (2.5, "a/1", 3), (3.0, "a/1", 9)):
        hear(at, lane, seconds)
    assert barriers.known_at(NOON + timedelta(seconds=3)) == 2.5
    assert barriers.known_at(NOON + timedelta(seconds=4)) == 3.0
    assert barriers.known_at(NOON + timedelta(seconds=6)) is None, "not reached"
    assert barriers.known_at(NOON) is None, "reached before anything was heard, nobody knows when"


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(each) for each in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile([7.0], 0.99)) == (50, 99, 7)
    assert isnan(quantile([], 0.5))


def test_latencies_are_from_barrier_and_from_due_to_the_fact() -> None:
    at = NOON.timestamp()
    found = summary([(at + 2, NOON, at + 1.5), (at + 4, NOON, at + 1)])
    assert (found.verdicts, found.barrier_p50, found.barrier_p99, found.due_p50, found.due_p99) == (2, 0.5, 3.0, 2.0, 4.0)


@pytest.mark.parametrize(
    ("flow", "missed"),
    [
        ({"touchpoints_per_s": 8000.0, "barrier_to_verdict_p99_s": 1.0, "rss_mib": {"journey-consume": 300.0, "kafka": 700.0}}, []),
        ({"touchpoints_per_s": 7999.0}, ["sustained rate"]),
        ({"barrier_to_verdict_p99_s": 1.1, "rss_mib": {"promises-consume": 301.0}}, ["p99", "promises-consume"]),
        ({"barrier_to_verdict_p99_s": float("nan")}, ["p99"]),
    ],
)
def test_a_missed_floor_is_said_plainly(flow: dict[str, Any], missed: list[str]) -> None:
    lines = report.missed({"flow": flow})
    assert len(lines) == len(missed)
    assert all(line.startswith("MISSED") and word in line for line, word in zip(lines, missed, strict=True))


def test_a_list_an_act_and_a_rush_of_cases_have_floors_of_their_own() -> None:
    slow = {"list_first_p95_ms": 101.0, "act_owner_p95_ms": 51.0, "measures_all_p95_ms": 1001.0, "rush_s": 61.0}
    slow |= {"page_first_lead_p95_ms": 151.0, "viewers_all_s": 11.0}
    assert len(report.missed({"recovery": slow})) == len(slow)
    right = {
        "list_first_p95_ms": 100.0,
        "list_first_p50_ms": 900.0,
        "act_owner_p95_ms": 50.0,
        "measures_all_p95_ms": 1000.0,
        "rush_s": 60.0,
    }
    assert report.missed({"recovery": right}) == []


def test_what_other_benchmarks_wrote_stays(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_bytes(orjson.dumps({"pages": {"p99_s": 1}, "flow": {"touchpoints_per_s": 1, "of_others": 2}}))
    report.save(path, {"flow": {"touchpoints_per_s": 3}})
    known = orjson.loads(path.read_bytes())
    assert known["pages"] == {"p99_s": 1}
    assert (known["flow"]["touchpoints_per_s"], known["flow"]["of_others"]) == (3, 2)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("postgres: journey makegood 127.0.0.1(41234) COPY", "postgres: journey"),
        ("postgres: walwriter ", "postgres: walwriter"),
        ("postgres: background writer ", "postgres: background writer"),
        ("postgres: io worker 0", "postgres: io worker"),
        ("postgres: autovacuum worker makegood", "postgres: autovacuum worker"),
        ("", "postgres: other"),
    ],
)
def test_a_backend_is_known_by_its_title(title: str, name: str) -> None:
    assert backend_name([title]) == name


def test_a_figure_names_the_interpreter_that_it_was_measured_with(tmp_path: Path) -> None:
    """Breaks if a rate stands alone: built without optimisation Python is a quarter slower."""
    report.save(tmp_path / "bench.json", {"timeline": {"page_p95_ms": 1.0}})
    named = orjson.loads((tmp_path / "bench.json").read_bytes())["timeline"]["interpreter"]
    assert named["version"] == report.interpreter()["version"] == f"CPython {platform.python_version()}"
    assert named["loop_ms"] > 0
    console = Console(record=True, width=200)
    report.show({}, console)
    assert f"{named['version']}, configured " in console.export_text()
