"""The journey map with one customer's place on it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.workbench.ways import in_lines, way

KEPT = {"kept": 2, "broken": 0}
BROKEN = {"kept": 0, "broken": 1}


def visit(stage: str, how: str) -> dict[str, Any]:
    return {"stage": stage, "entered": "2026-03-01T12:00:00Z", "how": how, "seconds": 60}


def stage(name: str, title: str | None = None) -> dict[str, Any]:
    return {"name": name, "title": title, "phase": "sale"}


TOTALS: dict[str, Any] = {
    "name": "shop", "title": "A visit", "totals": [stage("door", "At the door"), stage("counter"), stage("home"), stage("away")],
    "moments": [{"name": "papers", "title": "Papers in our hands"}, {"name": "wait", "title": None}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("standing", "fell_out", "places"),
    [
        (visit("counter", "standing"), None, ["been", "standing", "ahead", "ahead"]),
        (None, visit("counter", "fell_out"), ["been", "fell_out", "ahead", "ahead"]),
        (None, None, ["been", "been", "ahead", "ahead"]),
    ],
)
def test_each_stage_says_whether_the_customer_is_was_or_never_was_there(standing: Any, fell_out: Any, places: list[str]) -> None:
    visits = [visit("door", "moved"), visit("counter", "moved"), visit("door", "moved")]
    travelled = {
        "map": "shop", "standing": standing, "fell_out": fell_out, "visits": visits,
        "stages": [{"name": "counter", "promises": BROKEN}],
        "moments": [{"name": "papers", "promises": KEPT, "evidence": ["1", "2"]}],
    }  # fmt: skip
    found = way(TOTALS, travelled)
    assert [each.place for each in found.stations] == places
    assert [each.title for each in found.stations] == ["At the door", "counter", "home", "away"]
    assert [each.visits for each in found.stations] == [2, 1, 0, 0]
    assert (found.stations[1].promises, found.stations[0].promises) == (BROKEN, None)
    assert [(each.title, each.times, each.promises) for each in found.moments] == [("Papers in our hands", 2, KEPT), ("wait", 0, None)]


@given(st.text(), st.integers(2, 40), st.integers(1, 4))
def test_a_name_of_any_length_fits_its_lines_and_says_where_it_was_cut(text: str, longest: int, most: int) -> None:
    lines = in_lines(text, longest, most)
    assert len(lines) <= most
    assert all(len(each) <= longest for each in lines)
    words = " ".join(text.split())
    assert " ".join(lines) == words or any(each.endswith("…") for each in lines)
