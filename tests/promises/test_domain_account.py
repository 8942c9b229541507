"""Where the time of a commitment went: nothing of it is lost, and nothing is counted twice."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.promises.calendars.durations import BusinessTime, Elapsed
from services.promises.domain import Conformance, Evidence, Mark, Recurrence, Response, Role, Terms, account
from tests.promises.marks import START, at, mark
from tests.promises.opening import working_time

HOUR = Terms(Response(Elapsed(timedelta(minutes=60))), pauses=True)
TRIGGER = mark(0, Role.TRIGGER)
PAUSED, RESUMED = mark(10, Role.PAUSE), mark(25, Role.RESUME)


def told(terms: Terms, until: float, *marks: Mark, trigger: Mark = TRIGGER) -> list[tuple[float, float, str]]:
    found = account(terms, Evidence(trigger, marks), at(until))
    return [(minute(each.start), minute(each.end), each.kind) for each in found]


def minute(instant: datetime) -> float:
    return (instant - START) / timedelta(minutes=1)


def test_a_clock_runs_until_it_is_due_and_is_overdue_from_then_on() -> None:
    assert told(HOUR, 40) == [(0, 40, "running")]
    assert told(HOUR, 60) == [(0, 60, "running")]
    assert told(HOUR, 90) == [(0, 60, "running"), (60, 90, "overdue")]


def test_a_pause_is_told_with_what_began_it_and_moves_what_is_overdue() -> None:
    assert told(HOUR, 90, PAUSED, RESUMED) == [(0, 10, "running"), (10, 25, "paused"), (25, 75, "running"), (75, 90, "overdue")]
    found = account(HOUR, Evidence(TRIGGER, (PAUSED, RESUMED)), at(90))
    assert [each.event for each in found] == [None, PAUSED.event, None, None]
    assert [each.length for each in found][1] == timedelta(minutes=15)


def test_a_clock_that_still_stands_stands_until_the_end() -> None:
    assert told(HOUR, 90, PAUSED) == [(0, 10, "running"), (10, 90, "paused")]
    assert told(HOUR, 5, PAUSED) == [(0, 5, "running")]
    assert told(HOUR, 20, PAUSED, RESUMED) == [(0, 10, "running"), (10, 20, "paused")]


def test_a_pause_that_ran_already_is_told_from_the_trigger_on_and_one_after_due_not_at_all() -> None:
    assert told(HOUR, 30, mark(-5, Role.PAUSE), RESUMED) == [(0, 25, "paused"), (25, 30, "running")]
    assert told(HOUR, 90, mark(70, Role.PAUSE), mark(80, Role.RESUME)) == [(0, 60, "running"), (60, 90, "overdue")]
    assert told(HOUR, 90, mark(60, Role.PAUSE)) == [(0, 60, "running"), (60, 90, "overdue")]
    assert told(HOUR, 90, PAUSED, mark(20, Role.RESUME), mark(30, Role.PAUSE), mark(40, Role.RESUME)) == [
        (0, 10, "running"), (10, 20, "paused"), (20, 30, "running"), (30, 40, "paused"), (40, 80, "running"), (80, 90, "overdue"),
    ]  # fmt: skip


def test_without_a_due_time_the_clock_runs_on_and_stands_where_it_is_paused() -> None:
    endless = Terms(Response(), pauses=True)
    assert told(endless, 90, PAUSED, RESUMED) == [(0, 10, "running"), (10, 25, "paused"), (25, 90, "running")]
    assert told(endless, 20, mark(30, Role.PAUSE)) == [(0, 20, "running")]


def test_there_is_nothing_to_tell_where_there_is_no_clock_or_no_time_has_passed() -> None:
    assert told(Terms(Conformance()), 90) == []
    assert told(HOUR, 0) == told(HOUR, -5) == []


def test_one_that_was_overdue_at_its_trigger_is_overdue_all_the_time() -> None:
    overdue = mark(0, Role.TRIGGER, due=-5)
    assert told(Terms(Response(by=True)), 20, trigger=overdue) == [(0, 20, "overdue")]


def test_business_time_tells_what_was_closed_and_why() -> None:
    office = working_time("UTC", week={"mon-fri": ["09:00-12:00", "13:00-17:00"]}, holidays={"add": ["2026-03-03"]})
    terms = Terms(Response(BusinessTime(office, timedelta(hours=8))))
    found = account(terms, Evidence(TRIGGER, ()), datetime(2026, 3, 4, 11, tzinfo=UTC))
    assert [(minute(each.start), minute(each.end), each.kind, each.why) for each in found] == [
        (0, 180, "running", None),
        (180, 240, "closed", "outside opening hours"),
        (240, 480, "running", None),
        (480, 1440, "closed", "outside opening hours"),
        (1440, 1620, "closed", "holiday 2026-03-03"),
        (1620, 1680, "closed", "outside opening hours"),
        (1680, 1920, "closed", "holiday 2026-03-03"),
        (1920, 2880, "closed", "outside opening hours"),
        (2880, 2940, "running", None),
        (2940, 3000, "overdue", None),
    ]
    assert [each.event for each in found] == [None] * len(found)


def test_a_stretch_that_ends_while_it_is_closed_ends_closed() -> None:
    office = working_time("UTC", week={"mon-fri": ["09:00-12:00"]})
    terms = Terms(Response(BusinessTime(office, timedelta(hours=8))))
    assert told(terms, 200) == [(0, 180, "running"), (180, 200, "closed")]


def held(time: float, team: str) -> Mark:
    return mark(time, Role.HOLDER, name=team)._replace(holder=team)


def test_every_stretch_is_split_where_the_clock_passes_into_other_hands() -> None:
    marks = (held(20, "depot"), held(70, "van"))
    found = account(HOUR, Evidence(TRIGGER._replace(holder="shop"), (*marks, PAUSED, RESUMED)), at(90))
    assert [(minute(each.start), minute(each.end), each.kind, each.holder) for each in found] == [
        (0, 10, "running", "shop"),
        (10, 20, "paused", "shop"),
        (20, 25, "paused", "depot"),
        (25, 70, "running", "depot"),
        (70, 75, "running", "van"),
        (75, 90, "overdue", "van"),
    ]


def test_who_takes_over_at_the_beginning_of_a_stretch_holds_all_of_it() -> None:
    found = account(HOUR, Evidence(TRIGGER, (held(0, "shop"), held(60, "van"))), at(90))
    assert [(minute(each.start), minute(each.end), each.holder) for each in found] == [(0, 60, "shop"), (60, 90, "van")]
    assert [each.holder for each in account(HOUR, Evidence(TRIGGER, (held(40, "late"),)), at(40))] == [None]


def test_a_recurrence_is_accounted_up_to_the_end_of_its_interval() -> None:
    assert told(Terms(Recurrence(Elapsed(timedelta(minutes=30)))), 80, mark(10, Role.EXPECT)) == [(0, 60, "running"), (60, 80, "overdue")]


switches = st.lists(st.tuples(st.integers(-20, 80), st.sampled_from([Role.PAUSE, Role.RESUME, Role.HOLDER])), max_size=8)


@given(switches, st.integers(1, 120))
def test_every_second_from_the_trigger_on_is_accounted_for_once(switched: list[tuple[int, Role]], until: int) -> None:
    marks = tuple(mark(time, role)._replace(holder=str(time)) for time, role in switched)
    found = account(HOUR, Evidence(TRIGGER, marks), at(until))
    assert [each.start for each in found] == [at(0), *(each.end for each in found[:-1])]
    assert found[-1].end == at(until)
    assert all(each.start < each.end for each in found)
    running = sum((each.length for each in found if each.kind == "running"), timedelta())
    assert running <= timedelta(minutes=60)
    assert (running == timedelta(minutes=60)) >= any(each.kind == "overdue" for each in found)
