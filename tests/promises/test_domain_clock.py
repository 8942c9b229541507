"""When a clock runs: pauses, targets that change, warnings, and the customer's own zone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.promises.calendars.durations import BusinessTime, CalendarTime, Duration, Elapsed, Timekeeping, Versions
from services.promises.calendars.working_time import WorkingTime
from services.promises.domain import (
    Absence,
    AllOf,
    Evidence,
    Judgement,
    Limit,
    Mark,
    Milestones,
    Pattern,
    Precedence,
    Recurrence,
    Response,
    Role,
    Settlement,
    State,
    Step,
    Terms,
    Warn,
    anchors,
    in_slot,
    judge,
)
from services.promises.domain.course import Course
from tests.promises.marks import at, mark
from tests.promises.opening import working_time

TRIGGER = mark(0, Role.TRIGGER)
PAUSED = mark(10, Role.PAUSE)


def minutes(number: float) -> Elapsed:
    return Elapsed(timedelta(minutes=number))


HOUR = Terms(Response(minutes(60)), pauses=True)


def said(terms: Terms, barrier: float, *marks: Mark, trigger: Mark = TRIGGER) -> Judgement:
    return judge(terms, Evidence(trigger, marks), at(barrier))


def resumed(time: float, arrival: float | None = None) -> Mark:
    return mark(time, Role.RESUME, arrival=arrival)


def test_a_pause_moves_the_due_time_by_as_long_as_it_lasts() -> None:
    assert said(HOUR, 84, PAUSED, resumed(35)).state is State.ON_TRACK
    judgement = said(HOUR, 85, PAUSED, resumed(35))
    assert (judgement.state, judgement.due) == (State.BROKEN, at(85))
    assert said(HOUR, 85, PAUSED, resumed(35), mark(85, Role.EXPECT)).state is State.KEPT


def test_while_it_is_paused_time_breaks_nothing_and_evidence_keeps() -> None:
    judgement = said(HOUR, 10_000, PAUSED)
    assert (judgement.state, judgement.reason, judgement.due, judgement.next_at) == (State.PAUSED, "paused", None, None)
    assert said(HOUR, 10_000, PAUSED, mark(9_000, Role.EXPECT)).state is State.KEPT
    assert said(HOUR, 10_000, PAUSED, mark(9_000, Role.FAILURE)).state is State.BROKEN


def test_a_second_pause_while_it_stands_and_a_resume_while_it_runs_change_nothing() -> None:
    assert said(HOUR, 0, resumed(5), PAUSED, mark(20, Role.PAUSE), resumed(35), resumed(40)).due == at(85)
    assert said(HOUR, 0, PAUSED, resumed(20), mark(30, Role.PAUSE), resumed(35)).due == at(75)


def test_a_pause_that_ran_already_counts_from_the_trigger_on() -> None:
    assert said(HOUR, 0, mark(-30, Role.PAUSE), resumed(15)).due == at(75)
    assert said(HOUR, 0, mark(-30, Role.PAUSE), resumed(-10)).due == at(60)
    assert said(HOUR, 0, mark(-30, Role.PAUSE), resumed(0)).due == at(60)
    assert said(HOUR, 0, mark(-30, Role.PAUSE)).state is State.PAUSED


def test_a_trigger_that_pauses_starts_paused() -> None:
    pausing = mark(0, Role.TRIGGER | Role.PAUSE)
    assert said(HOUR, 0, trigger=pausing).state is State.PAUSED
    assert said(HOUR, 0, resumed(20), trigger=pausing).due == at(80)
    assert said(HOUR, 0, mark(-5, Role.PAUSE), trigger=mark(0, Role.TRIGGER | Role.RESUME)).due == at(60)


def test_at_one_instant_pause_comes_before_resume() -> None:
    assert said(HOUR, 0, mark(10, Role.PAUSE), resumed(10)).due == at(60)
    assert said(HOUR, 0, mark(10, Role.PAUSE | Role.RESUME)).due == at(60)
    assert said(HOUR, 0, mark(5, Role.PAUSE), mark(10, Role.PAUSE | Role.RESUME)).due == at(65)


def test_a_pause_at_the_due_time_or_after_it_comes_too_late() -> None:
    assert said(HOUR, 60, mark(60, Role.PAUSE)).state is State.BROKEN
    assert said(HOUR, 70, mark(61, Role.PAUSE)).due == at(60)
    assert said(HOUR, 60, mark(59, Role.PAUSE)).state is State.PAUSED
    assert said(HOUR, 60, PAUSED, resumed(30), mark(80, Role.PAUSE)).due == at(80)


def test_a_broken_verdict_waits_for_every_pause_and_resume_that_fixes_due_and_for_no_other() -> None:
    assert said(HOUR, 89, mark(10, Role.PAUSE, arrival=90), resumed(12)).state is State.ON_TRACK
    assert said(HOUR, 90, mark(10, Role.PAUSE, arrival=90), resumed(12)).state is State.BROKEN
    assert said(HOUR, 89, PAUSED, resumed(12, arrival=90)).sayable == at(90)
    assert said(HOUR, 60, mark(60, Role.PAUSE, arrival=90)).state is State.BROKEN
    assert said(HOUR, 60, mark(-20, Role.PAUSE, arrival=90), resumed(-10)).state is State.BROKEN


def test_pauses_are_seen_only_where_a_promise_has_them() -> None:
    assert said(Terms(Response(minutes(60))), 0, PAUSED).due == at(60)
    assert said(Terms(Response(), pauses=True), 0, PAUSED).state is State.ON_TRACK


def test_a_date_in_the_trigger_moves_with_a_pause_too() -> None:
    carrying = TRIGGER._replace(due=at(60))
    assert said(Terms(Response(by=True), pauses=True), 0, PAUSED, resumed(35), trigger=carrying).due == at(85)
    overdue = TRIGGER._replace(due=at(-5))
    assert said(Terms(Response(by=True), pauses=True), 0, mark(-20, Role.PAUSE), trigger=overdue).due == at(-5)


def test_intervals_and_steps_move_with_a_pause() -> None:
    every = Terms(Recurrence(minutes(20)), pauses=True)
    assert said(every, 0, mark(5, Role.EXPECT), mark(30, Role.PAUSE), resumed(45)).due == at(55)
    assert said(every, 0, mark(5, Role.EXPECT), mark(30, Role.PAUSE)).state is State.PAUSED
    steps = Terms(Milestones((Step("one", minutes(60)), Step("two", minutes(20), from_previous=True))), pauses=True)
    one = mark(40, Role(in_slot(Role.EXPECT, 0)))
    assert said(steps, 0, one, mark(30, Role.PAUSE), resumed(50)).due == at(70)
    assert said(steps, 0, one, PAUSED, resumed(20)).due == at(60)
    assert said(steps, 0, one, PAUSED, resumed(40)).due == at(60)
    assert said(steps, 0, one, mark(50, Role.PAUSE)).state is State.PAUSED


def test_a_pause_in_business_time_gives_back_what_was_left_and_not_how_long_it_lasted() -> None:
    monday = datetime(2026, 3, 2, 9, tzinfo=UTC)
    open_ = working_time("UTC", week={"mon-fri": ["09:00-17:00"]})
    calendar = Timekeeping(ZoneInfo("UTC"), None)
    business = Terms(Response(_business(open_, 10)), pauses=True, time=calendar)
    over_night = (mark(7 * 60, Role.PAUSE), resumed(25 * 60))
    assert at(0) == monday
    assert said(business, 0, *over_night).due == at(28 * 60)
    assert said(business, 0, mark(9 * 60, Role.PAUSE), resumed(20 * 60)).due == at(26 * 60)


def _business(open_: WorkingTime, hours: int) -> BusinessTime:
    return BusinessTime(open_, timedelta(hours=hours))


TARGETS = Terms(Response(minutes(60)))


def target(time: float, within: str | None, arrival: float | None = None, role: int = Role.RETARGET) -> Mark:
    return mark(time, Role(role), arrival=arrival, name=str(within))._replace(within=within)


def test_the_target_that_the_trigger_picks_goes_before_the_patterns_own() -> None:
    assert said(TARGETS, 0, trigger=TRIGGER._replace(within="30 minutes")).due == at(30)
    assert said(TARGETS, 0).due == at(60)
    assert said(Terms(Absence()), 0, trigger=TRIGGER._replace(within="30 minutes")).due == at(30)
    assert said(Terms(Settlement(lambda *_: True)), 0, trigger=TRIGGER._replace(within="30 minutes")).due == at(30)


def test_a_later_target_counts_from_the_trigger_and_one_that_picks_none_gives_back_the_patterns_own() -> None:
    assert said(TARGETS, 0, target(10, "90 minutes")).due == at(90)
    assert said(TARGETS, 0, target(10, "90 minutes"), target(20, "40 minutes")).due == at(40)
    assert said(TARGETS, 0, target(10, None), trigger=TRIGGER._replace(within="30 minutes")).due == at(60)
    assert said(Terms(Response()), 0, target(10, None), trigger=TRIGGER._replace(within="30 minutes")).due is None


def test_a_target_changes_nothing_after_due_and_at_due_it_still_does() -> None:
    assert said(TARGETS, 0, target(60, "90 minutes")).due == at(90)
    assert said(TARGETS, 70, target(61, "90 minutes")).due == at(60)


def test_a_target_that_was_used_up_already_breaks_and_what_came_before_it_was_chosen_still_keeps() -> None:
    judgement = said(TARGETS, 50, target(50, "30 minutes"))
    assert (judgement.state, judgement.due) == (State.BROKEN, at(30))
    assert said(TARGETS, 50, target(50, "30 minutes"), mark(40, Role.EXPECT)).state is State.KEPT
    assert said(TARGETS, 50, target(50, "30 minutes"), mark(50, Role.EXPECT)).state is State.KEPT
    assert said(TARGETS, 51, target(50, "30 minutes"), mark(51, Role.EXPECT)).state is State.BROKEN
    assert said(TARGETS, 80, target(20, "90 minutes"), target(70, "40 minutes"), mark(61, Role.EXPECT)).state is State.KEPT


@pytest.mark.parametrize("end", [Role.CANCEL, Role.FAILURE])
def test_a_target_changes_nothing_once_it_was_called_off_or_failed(end: Role) -> None:
    ended = mark(10, end)
    assert said(TARGETS, 50, ended, target(10, "5 minutes")).due == said(TARGETS, 50, ended).due
    assert said(TARGETS, 50, ended, target(9, "5 minutes")).due == at(5)


def test_a_changed_target_is_in_force_once_its_arrival_has_passed() -> None:
    changed = target(10, "20 minutes", arrival=70)
    assert said(TARGETS, 69, changed).state is State.ON_TRACK
    assert said(TARGETS, 70, changed).state is State.BROKEN
    assert said(TARGETS, 69, changed).sayable == at(70)


def test_pauses_survive_a_change_of_target() -> None:
    paused = Terms(Response(minutes(60)), pauses=True)
    assert said(paused, 0, PAUSED, resumed(30), target(40, "90 minutes")).due == at(110)
    assert said(paused, 0, PAUSED, target(20, "90 minutes"), resumed(30)).due == at(110)
    assert said(paused, 0, PAUSED, target(20, "90 minutes")).state is State.PAUSED
    late = said(paused, 0, mark(10, Role.PAUSE, arrival=200), resumed(30), target(40, "90 minutes"))
    assert late.sayable == at(200)


def test_no_target_beats_a_negotiated_term_nor_a_date_in_the_trigger() -> None:
    negotiated = mark(0, Role.TRIGGER | Role.NEGOTIATED)._replace(within="30 minutes")
    assert said(TARGETS, 0, target(10, "90 minutes"), trigger=negotiated).due == at(30)
    carrying = TRIGGER._replace(due=at(45))
    assert said(Terms(Response(by=True)), 0, target(10, "90 minutes"), trigger=carrying).due == at(45)


def test_a_target_of_an_absence_counts_until_something_forbidden_came() -> None:
    never = Terms(Absence(minutes(60)))
    assert said(never, 0, target(10, "90 minutes")).due == at(90)
    assert said(never, 100, mark(20, Role.NEVER), target(30, "10 minutes")).state is State.BROKEN
    assert said(never, 100, mark(20, Role.NEVER), target(15, "10 minutes")).state is State.KEPT


def test_a_target_in_business_days_may_end_at_closing() -> None:
    office = Timekeeping(ZoneInfo("UTC"), _Office())
    closing = Terms(Response(), time=office, closing=True)
    assert said(closing, 0, trigger=TRIGGER._replace(within="1 business days")).due == at(32 * 60)
    assert said(Terms(Response(), time=office), 0, trigger=TRIGGER._replace(within="1 business days")).due == at(24 * 60)
    assert said(closing, 0, trigger=TRIGGER._replace(within="2 hours")).due == at(120)


class _Office:
    zone = ZoneInfo("UTC")
    versions = Versions(None, None, None, "2026f")

    def working_time(self, zone: ZoneInfo) -> WorkingTime:
        return working_time(zone.key, week={"mon-fri": ["09:00-17:00"]})


WARNED = Terms(Response(minutes(60)), warnings=(Warn("half", share=0.5), Warn("10 left", before=minutes(10))), pauses=True)


def test_a_share_of_the_budget_is_used_later_where_the_clock_stood() -> None:
    suspended = (PAUSED, resumed(25))
    assert said(WARNED, 44, *suspended).state is State.ON_TRACK
    assert said(WARNED, 44, *suspended).next_at == at(45)
    assert said(WARNED, 45, *suspended).reason == "half"
    assert (said(WARNED, 64, *suspended).reason, said(WARNED, 65, *suspended).reason) == ("half", "10 left")
    assert said(WARNED, 30, mark(40, Role.PAUSE), resumed(50)).reason == "half"
    assert said(WARNED, 29, mark(30, Role.PAUSE), resumed(50)).next_at == at(30)


def test_a_share_of_a_date_in_the_trigger_is_one_of_the_time_it_gives() -> None:
    carrying = TRIGGER._replace(due=at(60))
    dated = Terms(Response(by=True), warnings=(Warn("half", share=0.5),), pauses=True)
    assert said(dated, 29, trigger=carrying).next_at == at(30)
    assert said(dated, 0, PAUSED, resumed(25), trigger=carrying).next_at == at(45)
    assert said(dated, 0, PAUSED, resumed(25), mark(60, Role.PAUSE), resumed(70), trigger=carrying).next_at == at(45)


def test_while_it_is_paused_nothing_is_warned_of() -> None:
    assert (said(WARNED, 100, PAUSED).state, said(WARNED, 100, PAUSED).next_at) == (State.PAUSED, None)
    assert said(WARNED, 100, mark(40, Role.PAUSE)).state is State.PAUSED


def test_the_last_warning_reached_is_the_reason_and_the_next_comes_at_its_time() -> None:
    judgement = said(WARNED, 20)
    assert (judgement.state, judgement.reason, judgement.next_at) == (State.ON_TRACK, "waiting", at(30))
    assert (said(WARNED, 30).next_at, said(WARNED, 50).next_at) == (at(50), at(60))
    assert said(Terms(Response(), warnings=(Warn("half", share=0.5),)), 10).state is State.ON_TRACK


def test_a_recurrence_warns_of_the_interval_that_runs() -> None:
    every = Terms(Recurrence(minutes(60)), warnings=(Warn("half", share=0.5),))
    assert said(every, 0, mark(10, Role.EXPECT)).next_at == at(90)
    assert said(every, 90, mark(10, Role.EXPECT)).state is State.AT_RISK
    assert said(every, 29).next_at == at(30)


def test_a_customers_zone_counts_where_the_trigger_names_one() -> None:
    by_day = CalendarTime(0, 1, ZoneInfo("UTC"))
    spring = mark(0, Role.TRIGGER)._replace(time=datetime(2026, 3, 28, 12, tzinfo=UTC), arrival=at(0))
    in_zone = spring._replace(zone="Europe/Berlin")
    followed = Terms(Response(_InZone(by_day)))
    assert judge(followed, Evidence(spring, ()), at(0)).due == datetime(2026, 3, 29, 12, tzinfo=UTC)
    assert judge(followed, Evidence(in_zone, ()), at(0)).due == datetime(2026, 3, 29, 11, tzinfo=UTC)
    wrapped = AllOf((Milestones((Step("one", _InZone(by_day)),)), Absence(_InZone(by_day))))
    assert judge(Terms(wrapped), Evidence(in_zone, ()), at(0)).due == datetime(2026, 3, 29, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    "pattern",
    [
        Response,
        Absence,
        Recurrence,
        lambda each: Settlement(lambda *_: True, each),
        lambda each: Limit(0, each),
        lambda each: Precedence(each, each),
    ],
)
def test_every_duration_of_terms_is_put_into_the_customers_zone(pattern: Callable[[Duration], Pattern]) -> None:
    duration = _InZone(CalendarTime(0, 1, ZoneInfo("UTC")))
    terms = Terms(pattern(duration), grace=duration, warnings=(Warn("near", before=duration),))
    expected = CalendarTime(0, 1, ZoneInfo("Europe/Berlin"))
    moved = terms.in_zone("Europe/Berlin")
    assert moved == Terms(
        pattern(expected) if not isinstance(terms.pattern, Settlement) else moved.pattern,
        grace=expected,
        warnings=(Warn("near", before=expected),),
    )
    assert expected in [getattr(moved.pattern, name, None) for name in ("within", "every", "span")]


class _InZone(CalendarTime):
    """A day of whatever zone."""

    def __init__(self, by_day: CalendarTime) -> None:
        super().__init__(by_day.months, by_day.days, by_day.zone)

    def in_zone(self, zone: str | None) -> CalendarTime:
        return CalendarTime(self.months, self.days, ZoneInfo(zone or "UTC"))


def test_what_a_promise_looks_back_for_is_said_by_its_terms() -> None:
    assert not Terms(Response()).looks_back
    assert Terms(Response(), pauses=True).looks_back
    assert Terms(Response(), resets=True).looks_back
    assert Terms(Precedence()).looks_back


def test_suspensions_name_what_began_and_what_ended_them() -> None:
    first, back, second = mark(-5, Role.PAUSE), resumed(5), mark(20, Role.PAUSE)
    found = Course(HOUR, Evidence(TRIGGER, (second, back, first))).suspensions
    assert [(each.start, each.end, each.paused_by, each.resumed_by) for each in found] == [
        (at(0), at(5), first, back),
        (at(20), None, second, None),
    ]


def test_anchors_without_resets_are_the_triggers() -> None:
    assert anchors(HOUR, [mark(5, Role.RESET), TRIGGER]) == [TRIGGER]
