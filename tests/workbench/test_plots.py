"""Plots: to scale, whole on their field, and with a gap where there is no figure."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.workbench.plots import BOTTOM, LEFT, RIGHT, TOP, Curve, Sample, plot, with_gaps

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIGURES = st.none() | st.floats(-1e6, 1e6, allow_nan=False)
SERIES = st.lists(FIGURES, min_size=1, max_size=30).map(
    lambda values: Curve("a", [Sample(NOON + timedelta(days=day), value) for day, value in enumerate(values)])
)


@given(SERIES, st.none() | st.floats(-1e6, 1e6, allow_nan=False))
def test_more_stands_higher_later_stands_further_right_and_all_of_it_is_on_the_field(curve: Curve, target: float | None) -> None:
    drawn = plot([curve], target=target)
    known = [each for each in curve.samples if each.value is not None]
    assert (drawn is None) == (not known)
    if drawn is None:
        return
    dots = drawn.curves[0].dots
    assert [each.sample for each in dots] == known
    assert all(LEFT <= each.x <= RIGHT and TOP <= each.y <= BOTTOM for each in dots)
    for one in dots:
        assert all(one.x <= other.x for other in dots if one.sample.time <= other.sample.time)
        assert all(one.y <= other.y for other in dots if (one.sample.value or 0) >= (other.sample.value or 0))
    assert 2 <= len(drawn.steps) <= 12
    assert drawn.steps[0].y == BOTTOM
    assert target is None or TOP <= (drawn.target or 0) <= BOTTOM


def test_what_is_unknown_is_a_gap_and_not_a_line() -> None:
    values = [0.5, 0.6, None, 0.7]
    drawn = plot([Curve("a", [Sample(NOON + timedelta(days=day), value) for day, value in enumerate(values)])])
    assert drawn is not None
    assert (drawn.curves[0].line.count("M"), len(drawn.curves[0].dots)) == (2, 3)


def test_a_bucket_without_a_figure_is_a_gap_and_months_of_any_length_follow_each_other() -> None:
    months = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 5, 6)]
    found = with_gaps([Sample(each, 0.5) for each in months], "month")
    assert [each.value for each in found] == [0.5, 0.5, 0.5, None, 0.5, 0.5]
    assert [each.time for each in found] == sorted(each.time for each in found)
    drawn = plot([Curve("a", found)])
    assert drawn is not None
    assert drawn.curves[0].line.count("M") == 2
    days = [Sample(NOON + timedelta(days=day), 0.5) for day in (0, 1, 3)]
    assert [each.value for each in with_gaps(days, "day")] == [0.5, 0.5, None, 0.5]


def test_an_interval_is_drawn_around_its_curve_and_never_off_the_field() -> None:
    samples = [Sample(NOON + timedelta(days=day), 0.99, 0.9, 1.0) for day in range(3)]
    drawn = plot([Curve("a", samples)], highest=1.0)
    assert drawn is not None
    assert drawn.curves[0].band.endswith("Z")
    assert drawn.steps[-1].value == pytest.approx(1.0)
    alone = plot([Curve("a", samples[:1])], highest=1.0)
    assert alone is not None
    assert alone.curves[0].band == f"M197.0 {BOTTOM}V{TOP}"


def test_a_share_that_was_always_whole_stands_at_the_top_of_a_scale_that_ends_there() -> None:
    drawn = plot([Curve("a", [Sample(NOON, 1.0), Sample(NOON + timedelta(days=1), 1.0)])], highest=1.0)
    assert drawn is not None
    assert drawn.steps[-1] == (TOP, 1.0)
    assert {each.y for each in drawn.curves[0].dots} == {TOP}


def test_dates_are_far_enough_from_each_other_to_be_read() -> None:
    drawn = plot([Curve("a", [Sample(NOON + timedelta(days=day), 1.0) for day in range(400)])])
    assert drawn is not None
    places = [each.x for each in drawn.dates]
    assert places[0] == LEFT
    assert len(places) == 3
    assert all(other - one > 100 for one, other in pairwise(places))
