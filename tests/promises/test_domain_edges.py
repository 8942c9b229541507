"""What is said of a commitment beyond its state: when it may be said, what is told of it meanwhile, and what moves neither."""

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.promises.calendars.durations import BusinessTime, Elapsed, Timekeeping
from services.promises.domain import (
    Absence,
    AllOf,
    Conformance,
    Evidence,
    Judgement,
    Mark,
    Milestones,
    Pattern,
    Precedence,
    Response,
    Role,
    Settlement,
    State,
    Step,
    Terms,
    Warn,
    account,
    in_slot,
    judge,
    model,
    owes_by_then,
)
from services.promises.domain.judging import judge_fully
from services.promises.domain.plain import judge_plainly
from tests.promises.marks import at, mark
from tests.promises.opening import working_time

TRIGGER = mark(0, Role.TRIGGER)
HOUR = Elapsed(timedelta(minutes=60))
WITHIN = Terms(Absence(within=HOUR))
BOTH = Terms(Absence(within=HOUR, until=True))
HALF = (Warn("half", share=0.5),)


def said(terms: Terms, barrier: float, *marks: Mark) -> Judgement:
    return judge(terms, Evidence(TRIGGER, marks), at(barrier))


def test_a_broken_absence_tells_what_broke_it_and_that_nothing_later_changes_it() -> None:
    never = mark(10, Role.NEVER)
    judgement = said(WITHIN, 10, never)
    assert (judgement.decided_by, judgement.due, judgement.settled, judgement.sayable) == (never.event, at(10), at(10), at(10))


def test_an_absence_that_runs_tells_until_when_and_that_nothing_after_its_end_changes_it() -> None:
    judgement = said(WITHIN, 59)
    assert (judgement.due, judgement.settled, judgement.next_at) == (at(60), at(60), at(60))


def test_any_of_several_offences_that_is_known_is_enough_to_say_it_broken() -> None:
    """Breaks if the first by event time must have arrived: the second alone breaks it too."""
    late, known = mark(10, Role.NEVER, arrival=50), mark(20, Role.NEVER)
    assert said(WITHIN, 19, late, known).state is State.ON_TRACK
    judgement = said(WITHIN, 20, late, known)
    assert (judgement.state, judgement.due, judgement.decided_by) == (State.BROKEN, at(10), late.event)


def test_an_offence_after_a_cancel_confirms_nothing_and_one_at_its_instant_does() -> None:
    late, second = mark(10, Role.NEVER, arrival=50), mark(20, Role.NEVER)
    assert said(WITHIN, 49, late, mark(15, Role.CANCEL), second).state is State.ON_TRACK
    assert said(WITHIN, 50, late, mark(15, Role.CANCEL), second).state is State.BROKEN
    assert said(WITHIN, 20, late, mark(20, Role.CANCEL), second).state is State.BROKEN


def test_an_until_after_the_end_of_within_ends_nothing() -> None:
    judgement = said(BOTH, 80, mark(70, Role.UNTIL), mark(65, Role.NEVER))
    assert (judgement.state, judgement.due, judgement.decided_by) == (State.KEPT, at(60), None)


def test_a_cancel_at_the_instant_of_until_withdraws() -> None:
    """Breaks if being kept by absence is taken for evidence, which would go before a cancel of its instant."""
    assert said(BOTH, 99, mark(20, Role.UNTIL), mark(20, Role.CANCEL)).state is State.WITHDRAWN


def test_an_absence_warns_before_its_end_whether_or_not_what_breaks_it_is_on_its_way() -> None:
    warned = Terms(Absence(within=HOUR), warnings=HALF)
    assert (said(warned, 29).state, said(warned, 29).next_at) == (State.ON_TRACK, at(30))
    assert (said(warned, 30).state, said(warned, 30).reason) == (State.AT_RISK, "half")
    assert said(warned, 55, mark(50, Role.NEVER, arrival=300)).state is State.AT_RISK


def test_an_absence_whose_clock_stands_still_is_paused_and_goes_on_by_what_was_left() -> None:
    pausing = Terms(Absence(within=HOUR), pauses=True)
    assert said(pausing, 99, mark(20, Role.PAUSE)).state is State.PAUSED
    resumed = said(pausing, 99, mark(20, Role.PAUSE), mark(50, Role.RESUME))
    assert (resumed.state, resumed.due) == (State.KEPT, at(90))


def test_of_several_patterns_an_absence_tells_its_own_end_broken_or_not() -> None:
    two = Terms(AllOf((Response(within=HOUR), Absence(within=HOUR))))
    never = mark(10, Role(in_slot(Role.NEVER, 1)))
    assert [each.due for each in said(two, 10, never).stages] == [at(60), at(60)]
    assert (said(two, 10, never).state, said(two, 10, never).decided_by) == (State.BROKEN, never.event)


def test_an_absence_that_waits_for_its_turn_warns_by_the_time_it_has() -> None:
    after = Terms(AllOf((Response(), Absence(within=HOUR)), in_order=True), warnings=HALF)
    assert [said(after, barrier).state for barrier in (29, 30)] == [State.ON_TRACK, State.AT_RISK]
    assert [each.due for each in said(after, 29).stages] == [None, None]


def test_roles_are_stored_as_numbers_and_never_change_theirs() -> None:
    """Breaks if a role gets another number: evidence that is stored would mean something else."""
    assert {each.name: int(each) for each in Role} == {
        "TRIGGER": 1, "FAILURE": 2, "CANCEL": 4, "RESET": 8, "PAUSE": 16, "RESUME": 32, "EXCUSE": 64, "UNEXCUSE": 128, "RETARGET": 256,
        "HOLDER": 512, "NEGOTIATED": 1024, "BACKFILLED": 2048, "EXPECT": 65536, "NEVER": 131072, "UNTIL": 262144, "COLLECT": 524288,
    }  # fmt: skip


@pytest.mark.parametrize("kind", [each for each in vars(model).values() if isinstance(each, type) and is_dataclass(each)])
def test_what_judging_reads_cannot_be_altered_and_holds_nothing_else(kind: Any) -> None:
    assert kind.__dataclass_params__.frozen
    assert set(kind.__slots__) == {each.name for each in fields(kind)}


def test_what_is_left_out_of_a_pattern_is_not_asked_for() -> None:
    assert owes_by_then(Terms(Settlement(lambda *_: True)))
    step = Terms(Milestones((Step("one", HOUR),)))
    own_due = mark(0, Role.TRIGGER, due=5)
    assert judge(step, Evidence(own_due, ()), at(1)).due == at(60)


def test_of_several_deadlines_the_nearest_warns_and_when_all_are_kept_the_last_is_told() -> None:
    two = AllOf((Response(within=HOUR), Response(within=Elapsed(timedelta(minutes=30)))))
    warned = Terms(two, warnings=HALF)
    assert [said(warned, barrier).state for barrier in (14, 15)] == [State.ON_TRACK, State.AT_RISK]
    both = said(Terms(two), 20, mark(5, Role.EXPECT), mark(9, Role(in_slot(Role.EXPECT, 1))))
    assert (both.state, both.due) == (State.KEPT, at(60))


def test_a_pause_before_a_step_began_is_passed_over_and_one_after_it_counts() -> None:
    steps = Milestones((Step("one", HOUR), Step("two", HOUR, from_previous=True)))
    marks = (mark(5, Role.PAUSE), mark(10, Role.RESUME), mark(20, Role.EXPECT), mark(30, Role.PAUSE), mark(50, Role.RESUME))
    assert [each.due for each in said(Terms(steps, pauses=True), 60, *marks).stages] == [at(85), at(100)]


def test_a_target_that_a_trigger_picks_is_counted_in_the_customers_own_zone() -> None:
    """Breaks if two days of a customer in Madrid ended at another clock time when the clocks change between."""
    terms = Terms(Response(), time=Timekeeping(None))
    saturday = datetime(2026, 3, 28, 9, tzinfo=UTC)
    trigger = mark(0, Role.TRIGGER)._replace(time=saturday, arrival=saturday, within="2 days", zone="Europe/Madrid")
    assert judge(terms, Evidence(trigger, ()), saturday).due == datetime(2026, 3, 30, 8, tzinfo=UTC)


def test_a_target_that_changes_after_it_was_kept_moves_nothing_that_is_told() -> None:
    changed = mark(30, Role.RETARGET)._replace(within="5 minutes")
    judgement = said(Terms(Response(within=HOUR)), 99, mark(20, Role.EXPECT), changed)
    assert (judgement.state, judgement.due) == (State.KEPT, at(60))


def test_a_clock_in_working_time_that_stands_still_is_told_with_what_was_closed_before() -> None:
    office = working_time("UTC", week={"mon-fri": ["09:00-12:00", "13:00-17:00"]})
    pausing = Terms(Response(BusinessTime(office, timedelta(hours=8))), pauses=True)
    found = account(pausing, Evidence(TRIGGER, (mark(300, Role.PAUSE),)), at(400))
    assert [(each.kind, each.start, each.end) for each in found] == [
        ("running", at(0), at(180)), ("closed", at(180), at(240)), ("running", at(240), at(300)), ("paused", at(300), at(400)),
    ]  # fmt: skip


def test_only_what_takes_an_excuse_back_takes_it_back() -> None:
    terms, excuse = Terms(Response(within=HOUR), excuses=True), mark(70, Role.EXCUSE)
    another = mark(80, Role.EXCUSE, name="another")._replace(about=excuse.event)
    assert said(terms, 99, excuse, another).decided_by == excuse.event
    assert said(terms, 99, excuse, another._replace(roles=int(Role.UNEXCUSE))).state is State.BROKEN


def test_a_warning_at_nothing_of_the_budget_is_given_at_once() -> None:
    assert said(Terms(Response(within=HOUR), warnings=(Warn("at once", share=0.0),)), 0).state is State.AT_RISK


def test_a_late_step_tells_that_nothing_after_it_changes_how_late() -> None:
    assert said(Terms(Milestones((Step("one", HOUR),))), 99, mark(70, Role.EXPECT)).settled == at(70)


def test_what_must_hold_and_does_not_is_settled_before_it_may_be_said() -> None:
    wrong = mark(0, Role.TRIGGER, arrival=10, holds=False)
    judgement = judge(Terms(Conformance()), Evidence(wrong, ()), at(5))
    assert (judgement.state, judgement.settled, judgement.next_at) == (State.ON_TRACK, at(0), at(10))


def test_a_precedence_among_several_patterns_looks_for_its_own_event() -> None:
    two = Terms(AllOf((Response(within=HOUR), Precedence())))
    before = mark(-5, Role(in_slot(Role.EXPECT, 1)))
    assert said(two, 10, before, mark(5, Role.EXPECT)).state is State.KEPT
    assert said(two, 10, mark(-5, Role.EXPECT), mark(5, Role.EXPECT)).state is State.BROKEN


def test_strictly_holds_where_warnings_are_given_too() -> None:
    strict = Terms(Response(within=HOUR, strictly=True), warnings=HALF)
    assert (said(strict, 60, mark(60, Role.EXPECT)).state, said(strict, 60, mark(60, Role.EXPECT)).late) == (State.BROKEN, True)
    assert said(strict, 60, mark(59, Role.EXPECT)).state is State.KEPT


def test_a_settlement_that_waits_for_its_turn_tells_its_due_time() -> None:
    after = Terms(AllOf((Response(), Settlement(lambda *_: True, within=HOUR)), in_order=True))
    assert [each.due for each in said(after, 10).stages] == [None, at(60)]


PLAIN: dict[str, tuple[Pattern, tuple[Mark, ...]]] = {
    "nothing yet": (Response(within=HOUR), ()),
    "in time": (Response(within=HOUR), (mark(20, Role.EXPECT), mark(10, Role.EXPECT))),
    "late": (Response(within=HOUR), (mark(70, Role.EXPECT),)),
    "before": (Response(within=HOUR), (mark(-5, Role.EXPECT), mark(-5, Role.CANCEL))),
    "never due": (Response(), ()),
    "nothing forbidden": (Absence(), (mark(-5, Role.NEVER), mark(5, Role.HOLDER))),
    "forbidden": (Absence(), (mark(10, Role.NEVER, arrival=50), mark(20, Role.NEVER, arrival=40))),
    "dated ahead": (Absence(), (mark(30, Role.NEVER, arrival=20),)),
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("barrier", [0, 25, 30, 40, 60, 99])
def test_the_short_way_is_taken_for_the_commonest_cases_and_says_what_the_long_way_says(name: str, barrier: int) -> None:
    pattern, marks = PLAIN[name]
    evidence = Evidence(TRIGGER, marks)
    shortly = judge_plainly(Terms(pattern), evidence, at(barrier))
    fully = judge_fully(Terms(pattern), evidence, at(barrier))
    assert shortly is not None
    assert shortly == fully._replace(settled=shortly.settled)


def test_an_excuse_of_the_only_one_there_is_holds_when_an_earlier_trigger_comes_to_light() -> None:
    """Breaks if an excuse that a person gave were lost because the trigger it was given for turned out not to be the first."""
    terms, later = Terms(Response(within=HOUR), first=True, excuses=True), mark(30, Role.TRIGGER, name="later")
    excuse = mark(200, Role.EXCUSE)._replace(about=later.event)
    assert said(terms, 300, later, excuse).state is State.EXCUSED
    each = Terms(Response(within=HOUR), excuses=True)
    assert said(each, 300, later, excuse).state is State.BROKEN


@pytest.mark.parametrize("pattern", [Absence(within=HOUR), Settlement(lambda *_: True, within=HOUR)])
def test_a_target_that_had_passed_when_it_was_set_is_not_settled_before_it_was_set(pattern: Pattern) -> None:
    """Breaks if what failed before the change, and arrives later, were passed over as if it came behind the end."""
    changed = mark(30, Role.RETARGET, arrival=90)._replace(within="5 minutes")
    assert (said(Terms(pattern), 40, changed).due, said(Terms(pattern), 40, changed).settled) == (at(5), at(30))
    assert said(Terms(pattern), 99, changed, mark(20, Role.FAILURE)).due == at(20)
