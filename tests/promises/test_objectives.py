"""Objectives: shares, intervals, error budgets, and when they will be used up."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.chassis.shares import wilson
from services.promises.objectives import RECENT, Budget, Tally, Window, standing
from tests.driving import NOON

MONTH = Window(NOON - timedelta(days=30), NOON)
counts = some.integers(0, 10_000)


@pytest.mark.parametrize(
    ("kept", "decided", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_wilson_s_score_interval(kept: int, decided: int, low: float, high: float) -> None:
    """The examples are those of R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    found = wilson(kept, decided)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@given(some.integers(0, 500), some.integers(1, 500))
def test_an_interval_holds_its_share_and_mirrors_that_of_the_broken(kept: int, broken: int) -> None:
    decided = kept + broken
    found, mirrored = wilson(kept, decided), wilson(broken, decided)
    assert found is not None
    assert mirrored is not None
    assert 0 <= found.low <= kept / decided <= found.high <= 1
    assert found.low == pytest.approx(1 - mirrored.high)
    assert found.high == pytest.approx(1 - mirrored.low)


def test_nothing_decided_has_neither_share_nor_interval_nor_forecast() -> None:
    found = standing(0.99, MONTH, Tally(excused=5))
    assert (found.share, found.interval, found.exhausted_at, found.stop_selling) == (None, None, None, False)
    assert found.budget == Budget(0, 0)


@pytest.mark.parametrize(
    ("target", "decided", "allowed"),
    [(0.99, 100, 1), (0.99, 99, 0), (0.9, 10, 1), (0.999, 3000, 3), (99.9 / 100, 1000, 1), (0.8, 5, 1), (1.0, 5, 0), (0.0, 5, 5)],
)
def test_a_budget_is_counted_in_whole_commitments(target: float, decided: int, allowed: int) -> None:
    """Breaks if it is computed in floating point, where a tenth of ten is less than one."""
    assert standing(target, MONTH, Tally(kept=decided)).budget == Budget(allowed, 0)


@given(some.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999]), counts, counts)
def test_a_budget_is_overdrawn_exactly_when_the_share_is_below_its_target(target: float, kept: int, broken: int) -> None:
    found = standing(target, MONTH, Tally(kept, broken))
    # in whole numbers: kept / decided < per mille / 1000
    assert (found.budget.left < 0) == (kept * 1000 < round(target * 1000) * (kept + broken))


def test_a_budget_is_exhausted_when_recent_breaks_outrun_those_that_leave_the_window() -> None:
    """Ten may break. Four did, all in the last quarter: sixteen a window, so that the tenth comes when half of the rest has gone."""
    found = standing(0.99, MONTH, Tally(kept=996, broken=4, recently=4))
    assert found.budget == Budget(10, 4)
    assert found.exhausted_at == NOON + timedelta(days=30) * (RECENT - 1) / RECENT * (6 / 12)


@pytest.mark.parametrize("tally", [Tally(992, 8, recently=2), Tally(992, 8), Tally(1000)])
def test_at_a_rate_that_the_budget_bears_there_is_no_day_of_exhaustion(tally: Tally) -> None:
    assert standing(0.99, MONTH, tally).exhausted_at is None


def test_what_is_used_up_is_exhausted_now() -> None:
    assert standing(0.99, MONTH, Tally(98, 2, recently=0)).exhausted_at == NOON
    assert standing(0.99, Window(None, NOON), Tally(98, 2)).exhausted_at == NOON


def test_a_few_breaks_among_few_are_chance_and_many_are_not() -> None:
    """Breaks if a promise is called off by what may be bad luck, or sold on when it cannot be kept."""
    assert not standing(0.95, MONTH, Tally(18, 2)).stop_selling
    assert standing(0.95, MONTH, Tally(180, 20)).stop_selling


@given(some.sampled_from([0.8, 0.95, 0.99]), counts, counts)
def test_only_a_promise_that_misses_its_target_is_not_to_be_sold(target: float, kept: int, broken: int) -> None:
    found = standing(target, MONTH, Tally(kept, broken))
    assert not found.stop_selling or found.budget.left < 0
