"""What stands around a pattern: called off, failed, begun anew, excused, held; and several patterns of one trigger."""

from datetime import timedelta
from uuid import UUID

import pytest

from services.promises.calendars.durations import Elapsed, InCustomersZone, Timekeeping
from services.promises.calendars.working_time import OutsideCalendarError
from services.promises.domain import (
    UNJUDGEABLE,
    Absence,
    AllOf,
    Blind,
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
    Warn,
    anchors,
    commitment_id,
    in_slot,
    judge,
    owes_by_then,
    slots_of,
)
from tests.promises.marks import at, mark

TRIGGER = mark(0, Role.TRIGGER)


def minutes(number: float) -> Elapsed:
    return Elapsed(timedelta(minutes=number))


HOUR = Terms(Response(minutes(60)))
ANEW = Terms(Response(minutes(60)), resets=True)


def said(terms: Terms, barrier: float, *marks: Mark, trigger: Mark = TRIGGER, blind: tuple[Blind, ...] = ()) -> Judgement:
    return judge(terms, Evidence(trigger, marks, blind), at(barrier))


def test_what_was_called_off_says_by_what_and_when_it_would_have_been_due() -> None:
    cancel = mark(20, Role.CANCEL)
    judgement = said(HOUR, 20, cancel, mark(30, Role.CANCEL))
    assert (judgement.state, judgement.reason, judgement.decided_by) == (State.WITHDRAWN, "cancelled", cancel.event)
    assert (judgement.due, judgement.sayable, judgement.settled, judgement.next_at) == (at(60), None, at(20), None)


def test_a_reset_withdraws_and_what_cancels_at_its_instant_goes_before_it() -> None:
    reset, cancel = mark(20, Role.RESET), mark(20, Role.CANCEL)
    assert (said(HOUR, 20, reset).reason, said(HOUR, 20, reset).decided_by) == ("reset", reset.event)
    assert (said(HOUR, 20, reset, cancel).reason, said(HOUR, 20, reset, cancel).decided_by) == ("cancelled", cancel.event)
    assert said(HOUR, 20, mark(20, Role.RESET | Role.CANCEL)).reason == "cancelled"
    assert said(HOUR, 20, mark(20, Role.RESET), mark(20, Role.EXPECT)).state is State.KEPT


def test_what_is_known_of_a_withdrawn_commitment_is_what_was_known_when_it_was_withdrawn() -> None:
    paused = Terms(Response(minutes(60)), pauses=True)
    assert said(paused, 20, mark(20, Role.CANCEL), mark(30, Role.PAUSE)).due == at(60)
    steps = Terms(Milestones((Step("one", minutes(30)), Step("two", minutes(60)))))
    stages = said(steps, 99, mark(5, Role(in_slot(Role.EXPECT, 0))), mark(10, Role.CANCEL), mark(20, Role(in_slot(Role.EXPECT, 1)))).stages
    assert [each.reached for each in stages] == [at(5), None]


def test_what_is_told_of_a_kept_commitment_is_moved_by_nothing_that_came_later() -> None:
    paused = Terms(Response(minutes(60)), pauses=True)
    kept = mark(20, Role.EXPECT)
    assert said(paused, 20, kept, mark(30, Role.PAUSE)).due == at(60)
    assert said(paused, 20, kept, mark(10, Role.PAUSE), mark(15, Role.RESUME), mark(30, Role.PAUSE)).due == at(65)
    assert said(paused, 20, kept, mark(20, Role.PAUSE)).due is None


def test_a_failure_after_what_kept_it_changes_nothing_and_one_before_it_makes_it_late() -> None:
    assert said(HOUR, 60, mark(20, Role.EXPECT), mark(30, Role.FAILURE)).state is State.KEPT
    failed = mark(10, Role.FAILURE)
    judgement = said(HOUR, 60, mark(20, Role.EXPECT), failed)
    assert (judgement.state, judgement.due, judgement.decided_by, judgement.late) == (State.BROKEN, at(10), failed.event, True)
    assert (judgement.reason, judgement.settled) == ("failure-seen", at(20))
    assert said(HOUR, 60, failed).settled is None
    assert not said(HOUR, 60, failed).late
    assert said(HOUR, 99, failed, mark(70, Role.EXPECT)).settled == at(70)


def test_a_failure_is_said_when_the_first_to_arrive_is_known_or_its_time_is_up() -> None:
    early, late = mark(10, Role.FAILURE, arrival=50), mark(20, Role.FAILURE)
    judgement = said(HOUR, 20, early, late)
    assert (judgement.state, judgement.due, judgement.decided_by, judgement.sayable) == (State.BROKEN, at(10), early.event, at(20))
    assert said(HOUR, 60, mark(10, Role.FAILURE, arrival=90)).state is State.BROKEN
    assert said(HOUR, 60, mark(10, Role.FAILURE, arrival=90), mark(30, Role.CANCEL)).state is State.ON_TRACK
    assert said(HOUR, 90, mark(10, Role.FAILURE, arrival=90), mark(30, Role.CANCEL)).state is State.BROKEN
    assert said(HOUR, 60, mark(10, Role.FAILURE, arrival=90), mark(60, Role.CANCEL)).state is State.ON_TRACK
    assert said(HOUR, 60, mark(10, Role.FAILURE, arrival=90), mark(61, Role.CANCEL)).state is State.BROKEN


def test_a_reset_opens_a_commitment_that_has_the_budget_of_the_first() -> None:
    trigger = TRIGGER._replace(within="30 minutes", segment="web", zone="Europe/Berlin", data={"value": 1})
    reset = mark(20, Role.RESET)
    first, second = anchors(ANEW, [reset, trigger])
    assert (first, second.event, second.time) == (trigger, reset.event, at(20))
    assert second == reset._replace(
        roles=Role.RESET | Role.TRIGGER, within="30 minutes", segment="web", zone="Europe/Berlin", data={"value": 1}
    )
    assert judge(ANEW, Evidence(second, (trigger, reset)), at(50)).due == at(50)


def test_a_reset_of_what_is_decided_opens_nothing() -> None:
    assert anchors(ANEW, [TRIGGER, mark(10, Role.EXPECT), mark(20, Role.RESET)]) == [TRIGGER]
    assert anchors(ANEW, [TRIGGER, mark(10, Role.CANCEL), mark(20, Role.RESET)]) == [TRIGGER]
    assert anchors(ANEW, [TRIGGER, mark(61, Role.RESET)]) == [TRIGGER]
    assert len(anchors(ANEW, [TRIGGER, mark(60, Role.RESET)])) == 2
    assert anchors(ANEW, [mark(20, Role.RESET)]) == []


def test_every_reset_begins_anew_and_one_that_ends_two_opens_one() -> None:
    resets = [mark(20, Role.RESET), mark(70, Role.RESET), mark(140, Role.RESET)]
    found = anchors(ANEW, [*resets, TRIGGER, mark(5, Role.TRIGGER)])
    assert [each.time for each in found] == [at(0), at(5), at(20), at(70)]


def test_a_trigger_that_resets_ends_those_before_it_and_opens_once() -> None:
    both = mark(20, Role.RESET | Role.TRIGGER)
    assert [each.event for each in anchors(ANEW, [TRIGGER, both])] == [TRIGGER.event, both.event]
    assert said(ANEW, 20, both).reason == "reset"
    assert said(ANEW, 20, TRIGGER, both, trigger=both).state is State.ON_TRACK


def test_of_two_resets_of_one_instant_the_later_one_has_nothing_to_reset() -> None:
    """Breaks if they reset each other in turn, or if the commitment of the later one is taken for decided."""
    resets = sorted((mark(20, Role.RESET, name=name) for name in "ab"), key=lambda each: each.event)
    found = anchors(ANEW, [TRIGGER, *resets])
    assert [each.event for each in found] == [TRIGGER.event, *(each.event for each in resets)]
    standing = Terms(Absence(minutes(60)), resets=True)
    anchor = anchors(standing, [TRIGGER, *resets])[-1]
    assert judge(standing, Evidence(anchor, (TRIGGER, *resets)), at(79)).state is State.ON_TRACK
    assert judge(standing, Evidence(anchor, (TRIGGER, *resets)), at(80)).state is State.KEPT


def test_of_open_first_a_reset_goes_on_from_the_first_trigger_alone() -> None:
    first = Terms(Response(minutes(60)), first=True, resets=True)
    assert [each.time for each in anchors(first, [mark(90, Role.TRIGGER), mark(20, Role.RESET), TRIGGER])] == [at(0), at(20)]


EXCUSED = Terms(Response(minutes(60)), excuses=True)


@pytest.mark.parametrize("time", [0, 30, 500])
def test_an_excuse_of_any_time_since_the_trigger_turns_broken_into_excused(time: int) -> None:
    excuse = mark(time, Role.EXCUSE)
    judgement = said(EXCUSED, 60, excuse, mark(70, Role.EXPECT))
    assert (judgement.state, judgement.reason, judgement.decided_by) == (State.EXCUSED, "excused", excuse.event)
    assert (judgement.late, judgement.due, judgement.settled) == (False, at(60), None)


def test_an_excuse_before_the_trigger_or_of_what_is_kept_or_not_yet_broken_changes_nothing() -> None:
    assert said(EXCUSED, 60, mark(-1, Role.EXCUSE)).state is State.BROKEN
    assert said(EXCUSED, 60, mark(10, Role.EXCUSE), mark(60, Role.EXPECT)).state is State.KEPT
    assert said(EXCUSED, 59, mark(10, Role.EXCUSE)).state is State.ON_TRACK
    assert said(EXCUSED, 60, trigger=mark(0, Role.TRIGGER | Role.EXCUSE)).state is State.BROKEN


def test_a_broken_commitment_that_can_be_excused_is_never_settled() -> None:
    assert said(EXCUSED, 80, mark(70, Role.EXPECT)).settled is None
    assert said(HOUR, 80, mark(70, Role.EXPECT)).settled == at(70)


def test_a_persons_excuse_is_for_the_commitment_that_it_names_whenever_it_was_given() -> None:
    meant = mark(-10, Role.EXCUSE)._replace(about=TRIGGER.event)
    other = mark(20, Role.EXCUSE, name="other")._replace(about=UUID(int=7))
    assert said(HOUR, 60, meant).state is State.EXCUSED
    assert said(HOUR, 60, other).state is State.BROKEN


def test_an_excuse_that_was_taken_back_excuses_no_more_and_another_still_does() -> None:
    given, other = mark(20, Role.EXCUSE), mark(30, Role.EXCUSE)
    back = mark(40, Role.UNEXCUSE)._replace(about=given.event)
    assert said(EXCUSED, 60, given, back).state is State.BROKEN
    assert said(EXCUSED, 60, given, other, back).decided_by == other.event
    assert said(EXCUSED, 60, other, given).decided_by == given.event


def blind(start: float, end: float | None) -> tuple[Blind, ...]:
    return (Blind(at(start), None if end is None else at(end)),)


def test_what_was_not_read_delays_a_verdict_by_as_long_as_it_lasted_after_its_end() -> None:
    judgement = said(HOUR, 60, blind=blind(50, 90))
    assert (judgement.state, judgement.reason, judgement.next_at, judgement.sayable) == (State.HELD, "held", at(130), at(130))
    assert (judgement.due, said(HOUR, 59, blind=blind(50, 90)).state) == (at(60), State.ON_TRACK)
    assert said(HOUR, 59, blind=blind(50, 90)).next_at == at(60)
    assert said(HOUR, 129, blind=blind(50, 90)).state is State.HELD
    assert said(HOUR, 130, blind=blind(50, 90)).state is State.BROKEN
    assert said(HOUR, 130, mark(60, Role.EXPECT), blind=blind(50, 90)).state is State.KEPT


def test_what_was_not_read_before_the_trigger_or_after_the_verdict_delays_nothing() -> None:
    assert said(HOUR, 60, blind=blind(-20, -1)).state is State.BROKEN
    assert said(HOUR, 60, blind=blind(-20, 0)).sayable == at(80)
    assert said(HOUR, 60, blind=blind(61, 99)).state is State.BROKEN
    assert said(HOUR, 60, blind=blind(60, 99)).sayable == at(138)
    assert said(HOUR, 60, blind=blind(10, 20)).sayable == at(70)


def test_of_several_blind_intervals_the_time_that_they_share_counts_once() -> None:
    both = (*blind(50, 70), *blind(40, 60))
    assert said(HOUR, 60, blind=both).sayable == at(90)
    apart = (*blind(40, 50), *blind(80, 90))
    assert said(HOUR, 60, blind=apart).sayable == at(70)
    assert said(HOUR, 60, blind=(*blind(40, 65), *blind(80, 90))).sayable == at(100)


def test_after_a_day_a_verdict_is_said_with_what_was_not_read() -> None:
    day = 24 * 60
    assert said(HOUR, 50 + day - 1, blind=blind(50, None)).state is State.HELD
    assert said(HOUR, 50 + day, blind=blind(50, None)).state is State.BROKEN
    assert said(HOUR, 60, blind=blind(50, 50 + day + 1)).sayable == at(50 + day)
    assert said(HOUR, 60, blind=blind(50, 50 + day)).sayable == at(50 + 2 * day)
    assert said(HOUR, 60, blind=blind(-2 * day, None)).state is State.BROKEN


def test_what_is_kept_by_time_is_held_too_and_what_is_kept_by_evidence_is_not() -> None:
    quiet = Terms(Absence(minutes(60)))
    assert said(quiet, 60, blind=blind(50, 90)).state is State.HELD
    assert said(quiet, 130, blind=blind(50, 90)).state is State.KEPT
    assert said(HOUR, 20, mark(20, Role.EXPECT), blind=blind(10, None)).state is State.KEPT


def test_grace_counts_from_the_latest_of_due_and_what_fixes_it() -> None:
    graceful = Terms(Response(minutes(60)), grace=minutes(5))
    assert said(graceful, 65).sayable == at(65)
    assert said(graceful, 80, trigger=mark(0, Role.TRIGGER, arrival=90)).sayable == at(95)
    assert said(graceful, 65, mark(61, Role.EXPECT)).late


def test_what_cannot_be_counted_is_held_and_says_why() -> None:
    in_zone = Terms(Response(InCustomersZone("2 days", Timekeeping(None))))
    judgement = said(in_zone, 0)
    assert judgement.state is State.HELD
    assert judgement.reason.startswith(f"{UNJUDGEABLE}: the customer's zone is not known")


@pytest.mark.parametrize("error", [OverflowError, OutsideCalendarError])
def test_a_due_time_outside_of_what_is_known_is_held(error: type[Exception]) -> None:
    class Ends(Elapsed):
        def after(self, start: object) -> object:  # type: ignore[override]
            raise error("too far")

    assert said(Terms(Response(Ends(timedelta(0)))), 0).reason == "cannot-be-judged: too far"


EXPECT_2, NEVER_2, UNTIL_2 = (Role(in_slot(role, 1)) for role in (Role.EXPECT, Role.NEVER, Role.UNTIL))
BOTH = Terms(AllOf((Response(minutes(60)), Response(minutes(90)))))
IN_ORDER = Terms(AllOf((Response(minutes(60)), Response(minutes(90))), in_order=True))


def test_all_are_kept_by_the_last_of_them_in_any_order() -> None:
    first, second = mark(50, Role.EXPECT), mark(20, EXPECT_2)
    judgement = said(BOTH, 50, first, second)
    assert (judgement.state, judgement.decided_by, judgement.settled) == (State.KEPT, first.event, at(50))
    assert judgement.stages == (Stage("response", at(60), at(50), first.event), Stage("response", at(90), at(20), second.event))


def test_all_are_broken_by_the_first_that_is() -> None:
    judgement = said(BOTH, 60)
    assert (judgement.state, judgement.due, judgement.reason) == (State.BROKEN, at(60), "no-evidence-by-due")
    assert (said(BOTH, 90, mark(60, Role.EXPECT)).due, said(BOTH, 89, mark(60, Role.EXPECT)).due) == (at(90), at(90))
    assert said(BOTH, 59).next_at == at(60)


def test_all_wait_for_what_is_nearest_and_warn_of_it() -> None:
    warned = Terms(BOTH.pattern, warnings=(Warn("10 left", before=minutes(10)),))
    assert said(warned, 50).state is State.AT_RISK
    assert said(warned, 79, mark(40, Role.EXPECT)).state is State.ON_TRACK
    assert said(warned, 80, mark(40, Role.EXPECT)).state is State.AT_RISK


def test_in_order_what_comes_before_the_one_before_was_kept_does_not_count() -> None:
    first, second = mark(20, Role.EXPECT), mark(10, EXPECT_2)
    assert said(IN_ORDER, 89, first, second).state is State.ON_TRACK
    assert said(IN_ORDER, 90, first, second).state is State.BROKEN
    assert said(IN_ORDER, 90, first, mark(20, EXPECT_2)).state is State.KEPT
    assert said(IN_ORDER, 60, second).due == at(60)


def test_an_absence_among_several_is_kept_at_its_end_only() -> None:
    quiet = Terms(AllOf((Response(minutes(20)), Absence(minutes(60)))))
    kept, never = mark(10, Role.EXPECT), mark(30, NEVER_2)
    assert (said(quiet, 59, kept).state, said(quiet, 59, kept).due) == (State.ON_TRACK, at(60))
    judgement = said(quiet, 60, kept)
    assert (judgement.state, judgement.due, judgement.reason) == (State.KEPT, at(60), "nothing-forbidden")
    assert said(quiet, 60, kept, never).due == at(30)
    assert said(quiet, 60, kept, mark(29, Role.CANCEL), never).state is State.WITHDRAWN


def test_a_pause_stands_all_of_it_still() -> None:
    paused = Terms(AllOf((Response(minutes(60)),)), pauses=True)
    assert said(paused, 999, mark(10, Role.PAUSE)).state is State.PAUSED


def test_what_follows_in_order_has_a_clock_and_no_evidence_before_its_turn() -> None:
    for part in (
        Absence(minutes(90)),
        Settlement(lambda *_: True, minutes(90)),
        Recurrence(minutes(90)),
        Milestones((Step("one", minutes(90)),)),
    ):
        behind = Terms(AllOf((Response(minutes(60)), part), in_order=True))
        assert said(behind, 59).due == at(60)
        assert said(behind, 59, mark(10, NEVER_2), mark(10, EXPECT_2)).state is State.ON_TRACK


def test_patterns_take_as_many_slots_as_they_have_steps_or_patterns() -> None:
    steps = Milestones((Step("one"), Step("two")))
    assert slots_of(Response()) == 1
    assert slots_of(AllOf((Response(), steps, AllOf((Response(), Response()))))) == 5
    third = mark(10, Role(in_slot(Role.EXPECT, 3)))
    nested = Terms(AllOf((Response(minutes(60)), steps, Response(minutes(90)))))
    assert said(nested, 10, third).stages[2].event == third.event


def test_broken_is_late_or_never_where_something_was_owed_by_then() -> None:
    def must(*_: object) -> bool:
        return True

    owing = (Response(), Recurrence(minutes(1)), Milestones(()), Settlement(must, minutes(1)), Settlement(must, by=True), Settlement(must))
    others = (Absence(), Limit(1), Conformance(), Precedence(), Settlement(must, until=True), AllOf((Response(), Absence())))
    assert all(owes_by_then(Terms(each)) for each in (*owing, AllOf((Response(), Response()))))
    assert not any(owes_by_then(Terms(each)) for each in others)
    assert owes_by_then(Terms(Settlement(must, minutes(1), until=True)))


def test_the_id_of_a_commitment_is_what_it_was_yesterday() -> None:
    """Breaks if what the id is made of, or its order, changes: rows and facts would be found no more."""
    made = commitment_id("p", 3, UUID(int=1), '"o1"', UUID(int=2), first=False)
    assert made == UUID("a418fdfa-f814-5e27-aaa2-8ebf2294001e")


def test_what_an_event_completes_or_breaks_at_an_instant_comes_before_a_cancel_of_it() -> None:
    """Breaks if an absence among several patterns, or a due time of that instant, put the cancel first."""
    quiet = Terms(AllOf((Absence(minutes(10)), Response(minutes(60)))))
    cancelled = mark(20, Role.CANCEL, name="cancelled")
    done = mark(20, Role(in_slot(Role.EXPECT, 1)), name="done")
    assert said(quiet, 30, done, cancelled).state is State.KEPT
    assert said(quiet, 30, mark(10, Role(in_slot(Role.EXPECT, 1))), mark(10, Role.CANCEL, name="early")).state is State.WITHDRAWN
    both = Terms(AllOf((Response(minutes(20)), Absence(minutes(60)))))
    offence = mark(20, Role(in_slot(Role.NEVER, 1)), name="offence")
    assert said(both, 70, offence, cancelled).state is State.BROKEN
