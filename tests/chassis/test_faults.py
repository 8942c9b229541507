"""When our own code is at fault, and how often it may be."""

import pytest

from services.chassis.faults import BadDeployError, FaultBudget

OURS = ValueError("ours")


def test_nineteen_failures_are_suffered_and_the_twentieth_of_too_few_records_stops_the_line() -> None:
    budget = FaultBudget()
    for _ in range(19):
        budget.failed(OURS)
    with pytest.raises(BadDeployError, match="20 of the last 20"):
        budget.failed(OURS)


def test_one_percent_is_suffered_for_ever() -> None:
    """Breaks if failures that have left the window were still counted."""
    budget = FaultBudget()
    for _ in range(100):
        budget.passed(199)
        budget.failed(OURS)


def test_failures_bunched_in_a_window_stop_the_line_however_much_went_well_before() -> None:
    """Breaks if the share were taken of all records ever seen."""
    budget = FaultBudget()
    budget.passed(1_000_000)
    for _ in range(19):
        budget.failed(OURS)
        budget.passed(9)
    with pytest.raises(BadDeployError):
        budget.failed(OURS)
