"""What precedence, limit, settlement, recurrence and milestones come to, at the edges where two readings are possible."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.promises.calendars.durations import Elapsed
from services.promises.domain import (
    UNJUDGEABLE,
    Conformance,
    Evidence,
    Judgement,
    Limit,
    Mark,
    Milestones,
    Precedence,
    Recurrence,
    Response,
    Role,
    Settlement,
    Stage,
    State,
    Step,
    Terms,
    UnjudgeableError,
    in_slot,
    judge,
    settlement,
)
from tests.promises.marks import at, mark

TRIGGER = mark(0, Role.TRIGGER)


def minutes(number: int) -> Elapsed:
    return Elapsed(timedelta(minutes=number))


def said(terms: Terms, barrier: float, *marks: Mark, trigger: Mark = TRIGGER) -> Judgement:
    return judge(terms, Evidence(trigger, marks), at(barrier))


BETWEEN = Terms(Precedence(minutes(5), minutes(20)))


def test_a_precedence_is_kept_at_once_by_what_came_long_enough_and_not_too_long_before() -> None:
    before = mark(-10, Role.EXPECT)
    judgement = said(BETWEEN, -5, before)
    assert (judgement.state, judgement.reason, judgement.decided_by) == (State.KEPT, "evidence", before.event)
    assert (judgement.due, judgement.settled) == (at(0), at(0))


@pytest.mark.parametrize(("time", "state"), [(-21, State.BROKEN), (-20, State.KEPT), (-5, State.KEPT), (-4, State.BROKEN)])
def test_the_bounds_of_a_precedence_are_inclusive(time: int, state: State) -> None:
    assert said(BETWEEN, 0, mark(time, Role.EXPECT)).state is state


def test_a_precedence_without_bounds_looks_back_as_far_as_there_is_evidence_and_to_its_own_instant() -> None:
    anything = Terms(Precedence())
    assert said(anything, 0, mark(-10_000, Role.EXPECT)).state is State.KEPT
    assert said(anything, 0, mark(0, Role.EXPECT)).state is State.KEPT
    assert said(anything, 0, mark(1, Role.EXPECT)).state is State.BROKEN
    assert said(anything, 0, mark(-1, Role.UNTIL)).state is State.BROKEN


def test_an_event_does_not_come_before_itself() -> None:
    both = mark(0, Role.TRIGGER | Role.EXPECT)
    assert said(Terms(Precedence()), 0, both, trigger=both).state is State.BROKEN


def test_the_latest_that_fits_decides_a_precedence_and_one_that_does_not_fit_hides_none() -> None:
    fits, earlier, too_late = mark(-6, Role.EXPECT), mark(-15, Role.EXPECT), mark(-1, Role.EXPECT)
    assert said(BETWEEN, 0, fits, earlier, too_late).decided_by == fits.event


def test_a_precedence_is_broken_once_everything_that_came_before_it_must_have_arrived() -> None:
    late = mark(0, Role.TRIGGER, arrival=7)
    assert said(BETWEEN, 6, trigger=late).state is State.ON_TRACK
    judgement = said(BETWEEN, 7, mark(-2, Role.EXPECT), trigger=late)
    assert (judgement.state, judgement.reason, judgement.due, judgement.settled) == (State.BROKEN, "nothing-before", at(0), at(0))
    assert (judgement.late, judgement.decided_by) == (False, None)


def test_what_must_hold_names_the_event_on_which_it_fails() -> None:
    wrong = mark(0, Role.TRIGGER, holds=False)
    judgement = said(Terms(Conformance()), 0, trigger=wrong)
    assert (judgement.reason, judgement.decided_by, judgement.due, judgement.settled) == ("must-fails", wrong.event, at(0), at(0))
    fine = said(Terms(Conformance()), 0)
    assert (fine.reason, fine.decided_by, fine.due, fine.settled) == ("must-holds", TRIGGER.event, at(0), at(0))


TWO = Terms(Limit(2))
TWO_IN_TEN = Terms(Limit(2, minutes(10)))


def again(time: float, arrival: float | None = None) -> Mark:
    return mark(time, Role.TRIGGER, arrival=arrival, name=str(time))


def test_a_limit_stands_until_one_event_too_many_comes() -> None:
    judgement = said(TWO, 1000, again(5))
    assert (judgement.state, judgement.standing, judgement.settled, judgement.next_at) == (State.ON_TRACK, True, None, None)
    third = again(700)
    judgement = said(TWO, 1000, again(5), third)
    assert (judgement.state, judgement.due, judgement.decided_by) == (State.BROKEN, at(700), third.event)
    assert (judgement.reason, judgement.standing, judgement.settled) == ("one-too-many", False, at(700))


def test_the_first_event_breaks_a_limit_of_none() -> None:
    judgement = said(Terms(Limit(0)), 0)
    assert (judgement.state, judgement.decided_by, judgement.due) == (State.BROKEN, TRIGGER.event, at(0))


def test_a_limit_within_a_span_slides_and_its_ends_belong_to_it() -> None:
    assert said(TWO_IN_TEN, 100, again(5), again(11)).standing
    assert said(TWO_IN_TEN, 100, again(5), again(10)).state is State.BROKEN
    assert said(TWO_IN_TEN, 100, again(5), again(11), again(15)).due == at(15)


def test_events_of_one_instant_count_each() -> None:
    assert said(TWO, 5, mark(5, Role.TRIGGER, name="a"), mark(5, Role.TRIGGER, name="b")).state is State.BROKEN


def test_one_too_many_is_said_as_soon_as_so_many_are_known_whichever_they_are() -> None:
    events = (again(5), again(6, arrival=50), again(7))
    assert said(TWO, 6, *events).state is State.ON_TRACK
    judgement = said(TWO, 7, *events)
    assert (judgement.state, judgement.due) == (State.BROKEN, at(6))
    assert said(Terms(Limit(3)), 49, *events).state is State.ON_TRACK
    assert said(Terms(Limit(3)), 50, *events).state is State.BROKEN


def test_of_two_spans_that_are_too_full_the_one_known_first_says_so() -> None:
    events = (again(3), again(4, arrival=90), again(20), again(21), again(22, arrival=60))
    assert said(TWO_IN_TEN, 59, *events).state is State.ON_TRACK
    judgement = said(TWO_IN_TEN, 60, *events)
    assert (judgement.state, judgement.due, judgement.sayable) == (State.BROKEN, at(4), at(60))


def test_one_too_many_at_the_instant_of_a_cancel_breaks_and_after_it_does_not() -> None:
    assert said(TWO, 9, again(5), again(6), mark(6, Role.CANCEL)).state is State.BROKEN
    assert said(TWO, 9, again(5), again(6), mark(5, Role.CANCEL)).state is State.WITHDRAWN


def value(time: float, amount: int, role: int = Role.COLLECT, arrival: float | None = None) -> Mark:
    return mark(time, Role(role), arrival=arrival, name=str(amount))._replace(data={"value": amount})


def enough(trigger: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> bool:
    return bool(sum(each["value"] for each in events) >= trigger.get("value", 100))


def little(_trigger: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> bool:
    return bool(sum(each["value"] for each in events) <= 100)


def unjudgeable(_trigger: Mapping[str, Any], _events: Sequence[Mapping[str, Any]]) -> bool:
    raise UnjudgeableError("a text cannot be added")


PAID = Terms(Settlement(enough, within=minutes(60)))
PAID_UNTIL = Terms(Settlement(enough, until=True))
PAID_EARLY = Terms(Settlement(enough, within=minutes(60), early=True))
SPENT = Terms(Settlement(little, within=minutes(60)))


def test_a_settlement_is_judged_at_its_end_over_all_that_was_collected_up_to_then() -> None:
    collected = (value(10, 60), value(60, 40))
    assert said(PAID, 59, *collected).state is State.ON_TRACK
    assert said(PAID, 59, *collected).next_at == at(60)
    judgement = said(PAID, 60, *collected)
    assert (judgement.state, judgement.reason, judgement.due, judgement.decided_by) == (State.KEPT, "must-holds", at(60), None)
    assert judgement.settled == at(60)
    broken = said(PAID, 60, value(10, 60), value(61, 40))
    assert (broken.state, broken.reason, broken.due, broken.late) == (State.BROKEN, "must-fails", at(60), True)
    assert not said(PAID, 90, value(10, 60), value(70, 39)).late
    assert said(PAID, 90, value(10, 60), value(70, 40), value(80, -90)).late


def test_a_settlement_reads_its_trigger_and_does_not_collect_it() -> None:
    trigger = value(0, 100, Role.TRIGGER | Role.COLLECT)
    assert said(PAID, 60, trigger=trigger).state is State.BROKEN
    assert said(PAID, 60, value(0, 100), trigger=trigger).state is State.KEPT
    assert said(PAID, 60, value(-1, 100), trigger=trigger).state is State.BROKEN


def test_the_first_until_ends_a_settlement_and_what_comes_at_its_instant_is_collected() -> None:
    until, later = mark(20, Role.UNTIL), mark(30, Role.UNTIL)
    judgement = said(PAID_UNTIL, 20, value(20, 100), later, until)
    assert (judgement.state, judgement.due, judgement.decided_by) == (State.KEPT, at(20), until.event)
    judgement = said(PAID_UNTIL, 20, value(21, 100), until)
    assert (judgement.state, judgement.decided_by, judgement.late, judgement.due) == (State.BROKEN, until.event, False, at(20))
    assert said(PAID_UNTIL, 10_000, value(20, 100)).state is State.ON_TRACK
    assert said(PAID_UNTIL, 10_000, value(20, 100)).settled is None


def test_an_until_after_the_end_of_within_comes_too_late_and_one_before_it_ends() -> None:
    both = Terms(Settlement(enough, within=minutes(60), until=True))
    assert said(both, 60, value(30, 100), mark(61, Role.UNTIL)).decided_by is None
    assert said(both, 20, value(30, 100), mark(20, Role.UNTIL)).state is State.BROKEN


def test_a_settlement_says_neither_before_its_until_could_have_been_preceded_by_more() -> None:
    until = mark(20, Role.UNTIL, arrival=50)
    for collected in (value(10, 100), value(10, 1)):
        assert said(PAID_UNTIL, 49, until, collected).state is State.ON_TRACK
        assert said(PAID_UNTIL, 50, until, collected).state.decided


def test_what_held_may_fail_by_the_end_and_only_the_end_counts() -> None:
    assert said(SPENT, 60, value(10, 101)).state is State.BROKEN
    assert said(SPENT, 60, value(10, 101), value(20, -1)).state is State.KEPT


def test_an_early_settlement_is_kept_by_what_makes_it_hold_and_said_at_once() -> None:
    first, second = value(10, 60), value(20, 40)
    judgement = said(PAID_EARLY, 20, second, first)
    assert (judgement.state, judgement.decided_by, judgement.settled) == (State.KEPT, second.event, at(20))
    assert said(PAID_EARLY, 20, first).state is State.ON_TRACK
    assert said(PAID_EARLY, 20, value(10, 100)).decided_by == value(10, 100).event
    assert said(PAID_EARLY, 30, first, second, value(30, -50)).decided_by == second.event
    assert said(PAID_EARLY, 60, first, value(61, 40)).state is State.BROKEN
    assert said(PAID_EARLY, 60, first, value(60, 40)).state is State.KEPT


def test_an_early_settlement_that_holds_from_the_beginning_is_kept_by_its_trigger() -> None:
    judgement = said(Terms(Settlement(little, within=minutes(60), early=True)), 0)
    assert (judgement.state, judgement.decided_by, judgement.settled) == (State.KEPT, TRIGGER.event, at(0))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-60, 120)), max_size=9), st.booleans())
def test_an_early_settlement_comes_to_the_same_when_its_events_were_looked_at_before(found: list[tuple[int, int]], by_end: bool) -> None:  # noqa: FBT001
    """Breaks if what was not enough were passed over once more had come before it, or at its instant."""
    terms = PAID_EARLY if by_end else Terms(Settlement(enough, early=True))
    marks = [value(time, amount)._replace(event=UUID(int=place)) for place, (time, amount) in enumerate(found)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settlement, "_FEW", 0)
        one_by_one = [said(terms, 9, *marks[:number]) for number in range(len(marks) + 1)]
        patch.setattr(settlement, "_FEW", 99)
        assert one_by_one == [said(terms, 9, *marks[:number]) for number in range(len(marks) + 1)]


def test_an_early_settlement_adds_up_once_for_each_event_of_very_many() -> None:
    """Breaks if each event had the sums of all before it made again: of a thousand, a transaction lasts longer than it may."""
    asked: list[int] = []

    def counting(_trigger: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> bool:
        asked.append(len(events))
        return len(events) >= 500

    terms, marks = Terms(Settlement(counting, early=True)), [value(number, 1) for number in range(1, 501)]
    said_ = [said(terms, 0, *marks[:number]).state for number in range(1, 501)]
    assert said_ == [State.ON_TRACK] * 499 + [State.KEPT]
    assert len(asked) <= 500 * 2 + 32 * 33


def test_what_is_collected_at_one_instant_counts_together() -> None:
    early = Terms(Settlement(little, early=True))
    assert said(early, 0, value(0, 150), value(0, -50, arrival=0)).state is State.KEPT
    assert said(early, 5, value(0, 150)).state is State.ON_TRACK
    assert said(early, 5, value(0, 150), value(5, 30), value(5, -80)).decided_by in {value(5, 30).event, value(5, -80).event}


def test_an_early_settlement_without_an_end_waits_for_ever() -> None:
    judgement = said(Terms(Settlement(enough, early=True)), 10_000_000)
    assert (judgement.state, judgement.due, judgement.next_at, judgement.settled) == (State.ON_TRACK, None, None, None)


def test_a_settlement_due_by_a_field_of_its_trigger_ends_then() -> None:
    carrying = value(0, 100, Role.TRIGGER)._replace(due=at(40))
    assert said(Terms(Settlement(enough, by=True)), 40, value(40, 100), trigger=carrying).due == at(40)
    assert said(Terms(Settlement(enough, by=True)), 40, value(41, 100), trigger=carrying).late


def test_a_condition_that_cannot_be_judged_holds_the_verdict_and_is_never_read_as_false() -> None:
    judgement = said(Terms(Settlement(unjudgeable, within=minutes(60))), 60)
    assert (judgement.state, judgement.reason) == (State.HELD, f"{UNJUDGEABLE}: a text cannot be added")
    assert (judgement.due, judgement.sayable, judgement.next_at) == (None, None, None)


HOURLY = Terms(Recurrence(minutes(60), until=True))


def test_a_recurrence_is_broken_at_the_end_of_the_first_interval_without_its_event() -> None:
    events = (mark(10, Role.EXPECT), mark(70, Role.EXPECT))
    assert said(HOURLY, 179, *events).state is State.ON_TRACK
    assert (said(HOURLY, 179, *events).due, said(HOURLY, 179, *events).next_at) == (at(180), at(180))
    judgement = said(HOURLY, 180, *events)
    assert (judgement.state, judgement.due, judgement.late) == (State.BROKEN, at(180), False)
    assert (judgement.reason, judgement.decided_by, judgement.settled) == ("no-evidence-in-interval", None, None)
    late = said(HOURLY, 180, *events, mark(181, Role.EXPECT))
    assert (late.state, late.late, late.settled) == (State.BROKEN, True, at(181))


def test_the_intervals_of_a_recurrence_are_counted_from_its_trigger_and_not_from_the_event_before() -> None:
    assert said(HOURLY, 179, mark(60, Role.EXPECT), mark(61, Role.EXPECT)).due == at(180)
    assert said(HOURLY, 120, mark(1, Role.EXPECT), mark(130, Role.EXPECT)).due == at(120)


def test_an_event_at_the_instant_of_the_trigger_and_at_the_end_of_the_interval_counts() -> None:
    assert said(HOURLY, 60, mark(0, Role.EXPECT)).state is State.ON_TRACK
    assert said(HOURLY, 60, mark(60, Role.EXPECT)).state is State.ON_TRACK
    assert said(HOURLY, 60, mark(-1, Role.EXPECT)).state is State.BROKEN
    assert said(HOURLY, 60, mark(60.1, Role.EXPECT)).state is State.BROKEN


def test_a_recurrence_is_kept_when_until_comes_before_an_interval_ends_without_its_event() -> None:
    until = mark(119, Role.UNTIL)
    judgement = said(HOURLY, 119, mark(10, Role.EXPECT), until, mark(150, Role.UNTIL))
    assert (judgement.state, judgement.decided_by, judgement.due, judgement.settled) == (State.KEPT, until.event, at(119), at(119))
    assert said(HOURLY, 120, mark(10, Role.EXPECT), mark(121, Role.UNTIL)).due == at(120)
    assert said(HOURLY, 119, mark(10, Role.EXPECT), mark(-1, Role.UNTIL)).state is State.ON_TRACK


def test_an_interval_that_ends_at_the_instant_of_until_is_owed() -> None:
    assert said(HOURLY, 60, mark(60, Role.UNTIL)).state is State.BROKEN
    assert said(HOURLY, 60, mark(60, Role.UNTIL), mark(60, Role.EXPECT)).state is State.KEPT


def test_a_failure_ends_a_recurrence_that_would_go_on_for_ever() -> None:
    events = [mark(minute, Role.EXPECT) for minute in range(30, 600, 60)]
    judgement = said(Terms(Recurrence(minutes(60))), 599, *events, mark(599, Role.FAILURE))
    assert (judgement.state, judgement.reason, judgement.due) == (State.BROKEN, "failure-seen", at(599))


FIRST, SECOND, THIRD = (Role(in_slot(Role.EXPECT, slot)) for slot in range(3))
STEPS = Terms(Milestones((Step("packed", minutes(30)), Step("sent", minutes(60)), Step("there", minutes(20), from_previous=True))))


def test_milestones_are_kept_by_the_last_step_when_every_step_came_in_time() -> None:
    packed, sent, there = mark(30, FIRST), mark(60, SECOND), mark(80, THIRD)
    judgement = said(STEPS, 80, there, sent, packed)
    assert (judgement.state, judgement.decided_by, judgement.due, judgement.settled) == (State.KEPT, there.event, at(80), at(80))
    assert judgement.stages == (
        Stage("packed", at(30), at(30), packed.event),
        Stage("sent", at(60), at(60), sent.event),
        Stage("there", at(80), at(80), there.event),
    )


def test_milestones_are_broken_by_the_first_step_that_is_late_whichever_it_is() -> None:
    judgement = said(STEPS, 60, mark(30, FIRST))
    assert (judgement.state, judgement.due, judgement.reason, judgement.late) == (State.BROKEN, at(60), "step-late: sent", False)
    assert judgement.decided_by is None
    assert said(STEPS, 59, mark(30, FIRST)).next_at == at(60)
    late = said(STEPS, 60, mark(31, FIRST), mark(40, SECOND))
    assert (late.reason, late.due, late.late) == ("step-late: packed", at(30), True)


def test_a_step_from_the_one_before_counts_from_its_event_and_not_before_that_has_come() -> None:
    assert said(STEPS, 45, mark(5, FIRST), mark(25, SECOND)).due == at(45)
    assert said(STEPS, 44, mark(5, FIRST), mark(25, SECOND)).state is State.ON_TRACK
    assert said(STEPS, 45, mark(5, FIRST), mark(25, SECOND), mark(24, THIRD)).reason == "step-late: there"
    assert said(STEPS, 45, mark(5, FIRST), mark(25, SECOND), mark(25, THIRD)).state is State.KEPT
    waiting = said(STEPS, 29, mark(5, FIRST))
    assert waiting.stages[2] == Stage("there", None, None, None)
    assert said(STEPS, 70, mark(5, FIRST), mark(65, SECOND)).stages[2] == Stage("there", at(85), None, None)


def test_steps_from_the_start_may_come_in_any_order() -> None:
    anyhow = Terms(Milestones((Step("packed", minutes(30)), Step("paid", minutes(60)))))
    paid, packed = mark(10, SECOND), mark(20, FIRST)
    judgement = said(anyhow, 20, paid, packed)
    assert (judgement.state, judgement.decided_by, judgement.due) == (State.KEPT, packed.event, at(60))


def test_a_step_without_a_due_time_is_waited_for_and_keeps_nothing_up() -> None:
    some_time = Terms(Milestones((Step("packed"), Step("sent", minutes(60)))))
    assert said(some_time, 10_000, mark(60, SECOND)).state is State.ON_TRACK
    assert said(some_time, 10_000, mark(60, SECOND)).due is None
    assert said(some_time, 10_000, mark(60, SECOND), mark(9_000, FIRST)).state is State.KEPT
    assert said(some_time, 60).reason == "step-late: sent"
    assert said(Terms(Milestones((Step("packed"),))), 5, mark(5, FIRST)).due is None


def test_every_step_may_have_a_due_time_of_its_own_in_the_trigger() -> None:
    carrying = TRIGGER._replace(dues=(at(30), at(50)))
    dated = Terms(Milestones((Step("packed", by=True), Step("sent", by=True, from_previous=True))))
    assert said(dated, 30, trigger=carrying).reason == "step-late: packed"
    assert said(dated, 50, mark(20, FIRST), trigger=carrying).due == at(50)
    assert said(dated, 50, mark(20, FIRST), mark(50, SECOND), trigger=carrying).state is State.KEPT


def test_of_two_steps_late_at_one_instant_the_name_decides() -> None:
    same = Terms(Milestones((Step("b", minutes(30)), Step("a", minutes(30)))))
    assert said(same, 30).reason == "step-late: a"


def test_the_nth_event_keeps_a_response_that_counts() -> None:
    twice = Terms(Response(minutes(60), count=2))
    second = mark(60, Role.EXPECT)
    assert said(twice, 60, mark(10, Role.EXPECT), second, mark(61, Role.EXPECT)).decided_by == second.event
    assert said(twice, 60, mark(10, Role.EXPECT)).late is False
    late = said(twice, 60, mark(10, Role.EXPECT), mark(70, Role.EXPECT))
    assert (late.late, late.settled, late.due) == (True, at(70), at(60))
