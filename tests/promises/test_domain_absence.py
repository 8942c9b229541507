"""What an absence and a conformance come to, and which triggers open what."""

from datetime import timedelta
from uuid import UUID

import pytest

from services.promises.calendars.durations import Elapsed
from services.promises.domain import (
    Absence,
    Conformance,
    Evidence,
    Judgement,
    Mark,
    Response,
    Role,
    State,
    Terms,
    anchors,
    commitment_id,
    judge,
)
from tests.promises.marks import at, mark

HOUR = Elapsed(timedelta(minutes=60))
WITHIN = Terms(Absence(within=HOUR))
UNTIL = Terms(Absence(until=True))
BOTH = Terms(Absence(within=HOUR, until=True))
STANDING = Terms(Absence())
TRIGGER = mark(0, Role.TRIGGER)
CUSTOMER, OTHER = UUID(int=1), UUID(int=2)


def said(terms: Terms, barrier: float, *marks: Mark, trigger: Mark = TRIGGER) -> Judgement:
    return judge(terms, Evidence(trigger, marks), at(barrier))


def test_an_absence_is_kept_when_its_end_has_passed_and_nothing_forbidden_came() -> None:
    assert said(WITHIN, 59).state is State.ON_TRACK
    assert said(WITHIN, 59).next_at == at(60)
    judgement = said(WITHIN, 60)
    assert (judgement.state, judgement.reason, judgement.decided_by) == (State.KEPT, "nothing-forbidden", None)


def test_grace_delays_being_kept_by_absence_too() -> None:
    graceful = Terms(Absence(within=HOUR), grace=Elapsed(timedelta(minutes=5)))
    assert said(graceful, 64).state is State.ON_TRACK
    assert said(graceful, 65).state is State.KEPT


def test_what_is_forbidden_breaks_at_its_time_up_to_and_including_the_end() -> None:
    judgement = said(WITHIN, 60, mark(60, Role.NEVER))
    assert (judgement.state, judgement.due, judgement.reason) == (State.BROKEN, at(60), "forbidden-event")
    assert said(WITHIN, 61, mark(61, Role.NEVER)).state is State.KEPT


def test_what_is_forbidden_is_said_once_its_arrival_has_passed() -> None:
    never = mark(10, Role.NEVER, arrival=30)
    assert said(WITHIN, 29, never).state is State.ON_TRACK
    assert said(WITHIN, 29, never).next_at == at(30)
    assert said(WITHIN, 30, never).state is State.BROKEN


def test_the_trigger_itself_is_not_forbidden_and_one_of_its_instant_is() -> None:
    both = mark(0, Role.TRIGGER | Role.NEVER)
    assert said(STANDING, 0, both, trigger=both).state is State.ON_TRACK
    assert said(STANDING, 0, both, mark(0, Role.NEVER), trigger=both).state is State.BROKEN


def test_the_first_until_ends_it_and_what_is_forbidden_at_that_instant_still_breaks() -> None:
    until = mark(20, Role.UNTIL)
    assert said(BOTH, 20, until).decided_by == until.event
    assert said(UNTIL, 30, until, mark(21, Role.NEVER)).state is State.KEPT
    assert said(UNTIL, 30, until, mark(20, Role.NEVER)).state is State.BROKEN


def test_an_until_that_has_not_come_leaves_it_open_and_not_standing() -> None:
    judgement = said(UNTIL, 10_000_000)
    assert (judgement.state, judgement.standing, judgement.next_at) == (State.ON_TRACK, False, None)


def test_without_an_end_it_is_standing_kept_so_far() -> None:
    judgement = said(STANDING, 10_000_000)
    assert (judgement.state, judgement.standing, judgement.settled) == (State.ON_TRACK, True, None)


def test_an_earlier_until_that_arrives_late_does_not_take_a_kept_verdict_back() -> None:
    assert said(BOTH, 70, mark(20, Role.UNTIL, arrival=300)).state is State.KEPT


@pytest.mark.parametrize("trouble", [Role.NEVER, Role.CANCEL])
@pytest.mark.parametrize("time", [50, 60])
def test_a_late_until_before_what_had_decided_keeps_once_its_arrival_has_passed(trouble: Role, time: int) -> None:
    """Breaks if the end of `within` says when: by that end it was broken or withdrawn, and only the until speaks for it."""
    until, decided = mark(20, Role.UNTIL, arrival=300), mark(time, trouble)
    assert said(BOTH, 299, until, decided).state is State.ON_TRACK
    assert said(BOTH, 300, until, decided).state is State.KEPT


def test_a_cancel_withdraws_and_what_is_forbidden_at_its_instant_breaks() -> None:
    assert said(WITHIN, 10, mark(10, Role.CANCEL)).state is State.WITHDRAWN
    assert said(WITHIN, 20, mark(10, Role.CANCEL), mark(10, Role.NEVER)).state is State.BROKEN
    assert said(WITHIN, 20, mark(10, Role.CANCEL), mark(11, Role.NEVER)).state is State.WITHDRAWN
    assert said(WITHIN, 70, mark(61, Role.CANCEL)).state is State.KEPT


def test_a_conformance_is_kept_at_once_and_broken_once_its_arrival_has_passed() -> None:
    terms = Terms(Conformance(), grace=Elapsed(timedelta(minutes=5)))
    assert said(terms, -5, trigger=mark(0, Role.TRIGGER)).state is State.KEPT
    wrong = mark(0, Role.TRIGGER, arrival=10, holds=False)
    assert said(terms, 14, trigger=wrong).state is State.ON_TRACK
    assert said(terms, 15, trigger=wrong).state is State.BROKEN


def test_every_trigger_opens_a_commitment_or_only_the_first_by_event_time() -> None:
    late, early = mark(0, Role.TRIGGER, arrival=50), mark(1, Role.TRIGGER)
    assert anchors(Terms(Response()), [early, mark(5, Role.EXPECT), late, early]) == [late, early]
    assert anchors(Terms(Response(), first=True), [early, late]) == [late]


def test_of_two_first_triggers_of_one_instant_the_event_key_decides() -> None:
    two = [mark(0, Role.TRIGGER, name="a"), mark(0, Role.TRIGGER, name="b")]
    first = Terms(Response(), first=True)
    assert anchors(first, two) == anchors(first, two[::-1]) == [min(two, key=lambda each: each.event)]


def test_the_id_of_a_first_commitment_survives_an_earlier_trigger() -> None:
    def first(trigger: UUID, version: int = 1) -> UUID:
        return commitment_id("p", version, CUSTOMER, '"o1"', trigger, first=True)

    assert first(UUID(int=7)) == first(UUID(int=8), version=2)


def test_ids_of_commitments_differ_by_promise_customer_correlation_and_trigger() -> None:
    trigger = UUID(int=7)
    ids = {
        commitment_id("p", 1, CUSTOMER, '"o1"', trigger, first=False),
        commitment_id("q", 1, CUSTOMER, '"o1"', trigger, first=False),
        commitment_id("p", 1, OTHER, '"o1"', trigger, first=False),
        commitment_id("p", 1, CUSTOMER, '"o2"', trigger, first=False),
        commitment_id("p", 1, CUSTOMER, '"o1"', UUID(int=8), first=False),
        commitment_id("p", 1, CUSTOMER, '"o1"', trigger, first=True),
    }
    assert len(ids) == 6
