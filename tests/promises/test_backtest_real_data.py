"""The answers that others found in public data (SQL, MonPoly, Declare4Py), by `makegood backtest`."""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from services.cli import backtest, flights, lint
from tests import claims, data_sets
from tests.claims import F2, H1, H2, H3, H4, H5, H5B, H7, N1, N2, OFFICE, R2, T1, T2, T3, T4, W1

app = typer.Typer()
backtest.register(app)
lint.register(app)

CATALOGUE = Path(__file__).parents[2] / "promises"


def test_city_requests_are_closed_as_two_agencies_promise(tmp_path: Path) -> None:
    data_sets.required()
    n1, n2 = run(tmp_path, data_sets.city_requests(), {"n1": N1, "n2": N2})
    assert figures(n1) == (445, 372, 62, 11)
    assert (n1["late"], n1["never"]) == (46, 16)
    assert figures(n2) == (298, 289, 9, 0)


def test_help_desk_tickets_are_taken_closed_and_left_alone(tmp_path: Path) -> None:
    data_sets.required()
    promises = {"h1": H1, "h2": H2, "h3": H3, "h4": H4, "h5": H5, "h5b": H5B}
    h1, h2, h3, h4, h5, h5b = run(tmp_path, data_sets.helpdesk(), promises)
    assert figures(h1) == (4983, 2287, 2688, 8)
    assert figures(h2) == (4574, 4574, 0, 0)
    assert figures(h3) == (4495, 1588, 2907, 0)
    assert figures(h4) == (1236, 1212, 24, 0)
    assert h4["standing"] == 1212
    assert figures(h5) == (4559, 4542, 17, 0)
    assert h5["standing"] == 4542
    assert figures(h5b) == (4574, 4544, 30, 0)
    assert h5b["standing"] == 4544


def test_tickets_are_taken_in_charge_within_business_hours(tmp_path: Path) -> None:
    data_sets.required()
    h7 = {f"h7-{hours}": H7.format(hours=hours) for hours in (4, 10)}
    four, ten = run(tmp_path, data_sets.helpdesk(), h7, before=OFFICE)
    assert figures(four) == (4495, 2038, 2457, 0)
    assert figures(ten) == (4495, 2467, 2028, 0)


def test_fines_are_notified_within_ninety_days_of_their_creation(tmp_path: Path) -> None:
    data_sets.required()
    (t1,) = run(tmp_path, data_sets.fines(), {"t1": T1})
    assert figures(t1) == (6570, 1175, 5395, 0)
    assert (t1["late"], t1["never"]) == (3460, 1935)


def test_penalties_and_collection_wait_their_turn(tmp_path: Path) -> None:
    data_sets.required()
    t2, t3, t4 = run(tmp_path, data_sets.fines(), {"t2": T2, "t3": T3, "t4": T4})
    assert figures(t2) == (4635, 4635, 0, 0)
    assert figures(t3) == (10000, 3387, 0, 6613)
    assert figures(t4) == (4635, 4635, 0, 0)


def test_permits_are_decided_by_their_deadline(tmp_path: Path) -> None:
    data_sets.required()
    (w1,) = run(tmp_path, data_sets.permits(), {"w1": W1}, data_sets.latest_permit_step())
    assert figures(w1) == (1434, 950, 417, 67)
    assert (w1["late"], w1["never"]) == (377, 40)


def test_incidents_are_resolved_by_priority_and_are_not_reopened(tmp_path: Path) -> None:
    data_sets.required()
    r1 = run(tmp_path, data_sets.incidents(), claims.r1(), data_sets.latest_incident_activity())
    assert [each["commitments"] for each in r1] == [63, 569, 1920, 1448]
    assert [each["kept"] for each in r1] == [26, 425, 1616, 1289]
    assert [each["late"] for each in r1] == [5, 91, 260, 133]
    assert [each["never"] for each in r1] == [32, 53, 44, 26]
    (r2,) = run(tmp_path, data_sets.incident_activities(), {"r2": R2})
    assert figures(r2) == (4000, 3827, 173, 0)
    assert r2["standing"] == 3827


@pytest.mark.slow
def test_a_year_of_flights_keeps_and_breaks_what_sql_says(tmp_path: Path) -> None:
    f1, f3, f2 = run(tmp_path, flights.touchpoints(), {"f2": F2}, catalogue=[CATALOGUE / "airline.yaml"])
    assert figures(f1) == (336776, 247246, 88355, 0)
    assert (f1["late"], f1["never"], f1["withdrawn"]) == (80100, 8255, 1175)
    assert figures(f2) == (336776, 328521, 8255, 0)
    assert figures(f3) == (328521, 321943, 6578, 0)
    shares = {each["segment"]: each["kept"] / (each["kept"] + each["broken"]) for each in f1["segments"]}
    assert len(shares) == 16
    assert {carrier for carrier, share in shares.items() if share >= 0.75} == {"HA", "AS", "VX", "DL", "AA", "US", "UA"}


def run(
    folder: Path,
    events: Iterable[dict[str, Any]],
    promises: dict[str, str],
    as_of: datetime | None = None,
    catalogue: Iterable[Path] = (),
    before: str = "",
) -> list[dict[str, Any]]:
    written = folder / "promises.yaml"
    written.write_text(claims.document(promises, before))
    history = data_sets.write(events, folder / "events.jsonl")
    options = [] if as_of is None else ["--as-of", data_sets.text(as_of)]
    files = [str(each) for each in (*catalogue, written)]
    result = CliRunner().invoke(app, ["backtest", *files, "--events", str(history), "--json", *options])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def figures(line: dict[str, Any]) -> tuple[int, int, int, int]:
    return line["commitments"], line["kept"], line["broken"], line["open"]
