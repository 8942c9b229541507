"""What a response promise comes to, at the edges where two readings are possible."""

from datetime import timedelta

import pytest

from services.promises.calendars.durations import Elapsed
from services.promises.domain import NAMESPACE, Evidence, Judgement, Mark, Response, Role, State, Terms, Warn, judge
from tests.promises.marks import at, mark

HOUR = Elapsed(timedelta(minutes=60))
WITHIN = Terms(Response(within=HOUR))
STRICT = Terms(Response(within=HOUR, strictly=True))
UNBOUNDED = Terms(Response())
TRIGGER = mark(0, Role.TRIGGER)


def said(terms: Terms, barrier: float, *marks: Mark, trigger: Mark = TRIGGER) -> Judgement:
    return judge(terms, Evidence(trigger, marks), at(barrier))


def test_evidence_at_the_very_due_time_keeps() -> None:
    judgement = said(WITHIN, 60, mark(60, Role.EXPECT))
    assert (judgement.state, judgement.due, judgement.reason) == (State.KEPT, at(60), "evidence")


def test_evidence_at_the_due_time_is_late_where_the_promise_is_strict() -> None:
    judgement = said(STRICT, 60, mark(60, Role.EXPECT))
    assert (judgement.state, judgement.late) == (State.BROKEN, True)


def test_evidence_at_the_instant_of_its_trigger_counts_and_before_it_does_not() -> None:
    assert said(WITHIN, 0, mark(0, Role.EXPECT)).state is State.KEPT
    assert said(WITHIN, 0, mark(-1, Role.EXPECT)).state is State.ON_TRACK


def test_a_trigger_is_never_evidence_for_its_own_commitment() -> None:
    both = mark(0, Role.TRIGGER | Role.EXPECT)
    other = mark(5, Role.TRIGGER | Role.EXPECT)
    assert said(WITHIN, 0, both, trigger=both).state is State.ON_TRACK
    assert said(WITHIN, 5, both, other, trigger=both).decided_by == other.event


def test_nothing_is_called_broken_while_what_keeps_it_may_still_arrive() -> None:
    graceful = Terms(Response(within=HOUR), grace=Elapsed(timedelta(minutes=5)))
    assert said(graceful, 64).state is State.ON_TRACK
    assert said(graceful, 65).state is State.BROKEN
    assert said(graceful, 64).next_at == at(65)


def test_a_trigger_that_arrives_after_its_due_time_is_not_broken_before_it_has_arrived() -> None:
    late = mark(0, Role.TRIGGER, arrival=90)
    assert said(WITHIN, 89, trigger=late).state is State.ON_TRACK
    assert said(WITHIN, 90, trigger=late).state is State.BROKEN


def test_evidence_that_arrives_late_keeps_by_its_event_time() -> None:
    assert said(WITHIN, 500, mark(30, Role.EXPECT, arrival=400)).state is State.KEPT


def test_what_comes_after_due_makes_a_broken_promise_late() -> None:
    assert not said(WITHIN, 70).late
    assert said(WITHIN, 70, mark(61, Role.EXPECT)).late


def test_the_nth_expected_event_is_the_one_that_is_owed() -> None:
    twice = Terms(Response(within=HOUR, count=2))
    first, second = mark(10, Role.EXPECT), mark(20, Role.EXPECT)
    assert said(twice, 20, first).state is State.ON_TRACK
    assert said(twice, 20, first, first).state is State.ON_TRACK
    assert said(twice, 20, first, second).decided_by == second.event
    assert said(twice, 70, first, mark(61, Role.EXPECT)).late


def test_a_failure_seen_breaks_before_due_once_its_arrival_has_passed() -> None:
    failure = mark(20, Role.FAILURE, arrival=25)
    assert said(WITHIN, 24, failure).state is State.ON_TRACK
    judgement = said(WITHIN, 25, failure)
    assert (judgement.state, judgement.due, judgement.reason) == (State.BROKEN, at(20), "failure-seen")
    assert judgement.decided_by == failure.event


@pytest.mark.parametrize("terms", [WITHIN, STRICT, UNBOUNDED])
def test_evidence_at_the_instant_of_a_failure_still_keeps(terms: Terms) -> None:
    assert said(terms, 25, mark(20, Role.FAILURE), mark(20, Role.EXPECT)).state is State.KEPT


def test_a_failure_after_due_changes_nothing() -> None:
    judgement = said(WITHIN, 100, mark(70, Role.FAILURE))
    assert (judgement.due, judgement.reason, judgement.decided_by) == (at(60), "no-evidence-by-due", None)


def test_a_failure_that_arrives_late_does_not_take_a_broken_verdict_back() -> None:
    """Breaks if the arrival of the failure alone says when: broken by time at 60, it would open again until 300."""
    assert said(WITHIN, 100, mark(20, Role.FAILURE, arrival=300)).state is State.BROKEN


@pytest.mark.parametrize("role", [Role.EXPECT, Role.CANCEL])
def test_a_failure_that_arrives_late_before_what_decided_is_said_once_its_arrival_has_passed(role: Role) -> None:
    """Breaks if due alone says when: what kept or withdrew it by due is in hand, and only the failure speaks against it."""
    failure, decider = mark(20, Role.FAILURE, arrival=300), mark(30, role)
    assert said(WITHIN, 299, failure, decider).state is State.ON_TRACK
    assert said(WITHIN, 300, failure, decider).state is State.BROKEN


def test_a_failure_at_the_instant_of_what_kept_it_does_not_hasten_a_late_one() -> None:
    late, harmless = mark(20, Role.FAILURE, arrival=300), mark(30, Role.FAILURE)
    assert said(WITHIN, 299, late, harmless, mark(30, Role.EXPECT)).state is State.ON_TRACK


def test_a_failure_at_the_due_time_does_not_fix_it() -> None:
    judgement = said(WITHIN, 60, mark(60, Role.FAILURE, arrival=300))
    assert (judgement.state, judgement.reason, judgement.decided_by) == (State.BROKEN, "no-evidence-by-due", None)


def test_without_a_due_time_nothing_breaks_by_time_and_a_failure_does() -> None:
    assert said(UNBOUNDED, 10_000_000).state is State.ON_TRACK
    assert said(UNBOUNDED, 10_000_000).next_at is None
    assert said(UNBOUNDED, 30, mark(20, Role.FAILURE)).state is State.BROKEN


def test_a_cancel_by_due_withdraws_and_after_due_changes_nothing() -> None:
    assert said(WITHIN, 60, mark(60, Role.CANCEL)).state is State.WITHDRAWN
    assert said(WITHIN, 70, mark(61, Role.CANCEL)).state is State.BROKEN


def test_evidence_counts_before_a_cancel_of_the_same_instant_and_not_after_it() -> None:
    assert said(WITHIN, 60, mark(20, Role.CANCEL), mark(20, Role.EXPECT)).state is State.KEPT
    assert said(WITHIN, 60, mark(20, Role.CANCEL), mark(21, Role.EXPECT)).state is State.WITHDRAWN


def test_a_cancel_at_the_instant_of_a_failure_withdraws_and_after_it_does_not() -> None:
    assert said(WITHIN, 60, mark(20, Role.CANCEL), mark(20, Role.FAILURE)).state is State.WITHDRAWN
    assert said(WITHIN, 60, mark(21, Role.CANCEL), mark(20, Role.FAILURE)).state is State.BROKEN


def test_a_cancel_before_its_trigger_withdraws_nothing() -> None:
    assert said(WITHIN, 30, mark(-1, Role.CANCEL)).state is State.ON_TRACK


def test_due_is_read_from_the_trigger() -> None:
    carrying = mark(0, Role.TRIGGER, due=40)
    by = Terms(Response(by=True))
    assert said(by, 40, mark(40, Role.EXPECT), trigger=carrying).state is State.KEPT
    assert said(by, 40, mark(41, Role.EXPECT), trigger=carrying).late


def test_a_trigger_that_is_overdue_already_is_broken_at_its_arrival() -> None:
    overdue = mark(0, Role.TRIGGER, due=-30)
    assert said(Terms(Response(by=True)), 0, trigger=overdue).state is State.BROKEN


def test_warnings_come_at_shares_of_the_budget_and_before_due() -> None:
    warned = Terms(
        Response(within=HOUR),
        warnings=(Warn("50% used", share=0.5), Warn("10 minutes before due", before=Elapsed(timedelta(minutes=10)))),
    )
    assert (said(warned, 29).state, said(warned, 29).next_at) == (State.ON_TRACK, at(30))
    at_half = said(warned, 30)
    assert (at_half.state, at_half.reason, at_half.next_at) == (State.AT_RISK, "50% used", at(50))
    assert (said(warned, 50).reason, said(warned, 50).next_at) == ("10 minutes before due", at(60))
    assert said(warned, 60).state is State.BROKEN


def test_ids_have_a_namespace_of_their_own() -> None:
    assert NAMESPACE.version == 5
