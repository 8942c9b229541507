"""What holds of `judge` whatever the history: order, repeats, the passing of time, and what it says of its own future."""

from datetime import timedelta
from uuid import UUID

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from services.promises.calendars.durations import Elapsed
from services.promises.domain import (
    Absence,
    AllOf,
    Conformance,
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
    in_slot,
    judge,
)
from services.promises.domain import Warn as Warning_
from services.promises.domain.judging import judge_fully
from services.promises.domain.plain import judge_plainly
from tests.promises.marks import at, mark

MINUTES = st.integers(-3, 12)
DURATIONS = st.integers(0, 10).map(lambda minutes: Elapsed(timedelta(minutes=minutes)))
SOME_MINUTES = Elapsed(timedelta(minutes=5))
SOME_TIME = st.integers(1, 6).map(lambda minutes: Elapsed(timedelta(minutes=minutes)))
AROUND = [each for each in Role if each < Role.EXPECT and each is not Role.NEGOTIATED]
IN_SLOTS = [in_slot(role, slot) for role in (Role.EXPECT, Role.NEVER, Role.UNTIL, Role.COLLECT) for slot in range(3)]


@st.composite
def marks(draw: st.DrawFn) -> Mark:
    time = draw(MINUTES)
    roles = Role(0)
    for each in draw(st.lists(st.sampled_from([*AROUND, *IN_SLOTS, *IN_SLOTS]), min_size=1, max_size=3)):
        roles |= each
    found = mark(time, roles, arrival=time + draw(st.integers(0, 6)), name=str(draw(st.integers(0, 1))))
    return found._replace(within=draw(st.sampled_from([None, "2 minutes", "7 minutes"])), data={"n": 1})


def _at_least_two(_: object, events: object) -> bool:
    return len(events) >= 2  # type: ignore[arg-type]


def _at_most_two(_: object, events: object) -> bool:
    return len(events) <= 2  # type: ignore[arg-type]


@st.composite
def simple(draw: st.DrawFn) -> Pattern:
    within, by = draw(st.none() | DURATIONS), draw(st.booleans())
    must = draw(st.sampled_from([_at_least_two, _at_most_two]))
    found: list[Pattern] = [
        Response(None if by else within, by, draw(st.integers(1, 2)), draw(st.booleans())),
        Absence(within, draw(st.booleans())),
        Settlement(must, None if by else within, by, draw(st.booleans()), draw(st.booleans())),
        Recurrence(draw(SOME_TIME), draw(st.booleans())),
    ]
    return draw(st.sampled_from(found))


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    steps = [Step(str(each), draw(st.none() | DURATIONS), from_previous=draw(st.booleans())) for each in range(3)]
    precedence = Precedence(draw(st.none() | DURATIONS), draw(st.none() | DURATIONS))
    return draw(
        st.sampled_from(
            [
                draw(simple()),
                Conformance(),
                precedence,
                Limit(draw(st.integers(0, 3)), draw(st.none() | DURATIONS)),
                Milestones(tuple(steps)),
                AllOf((draw(simple()), draw(st.just(precedence) | simple()), draw(simple())), draw(st.booleans())),
            ]
        )
    )


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    warnings = draw(st.lists(st.sampled_from([Warning_("half", share=0.5), Warning_("hour", before=Elapsed(timedelta(minutes=3)))])))
    pauses, excuses = draw(st.booleans()), draw(st.booleans())
    return Terms(draw(patterns()), grace=draw(DURATIONS), warnings=tuple(warnings), pauses=pauses, excuses=excuses)


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    trigger = mark(0, Role.TRIGGER, arrival=draw(st.integers(0, 6)), due=draw(MINUTES), holds=draw(st.booleans()))
    return Evidence(trigger, tuple(draw(st.lists(marks(), max_size=6))))


BARRIERS = st.integers(-3, 40)


@given(terms(), evidences(), BARRIERS, st.randoms())
def test_the_order_of_evidence_its_repetition_and_the_trigger_make_no_difference(
    promised: Terms, evidence: Evidence, barrier: int, random: object
) -> None:
    shuffled = [*evidence.marks, *evidence.marks, evidence.trigger]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert judge(promised, evidence, at(barrier)) == judge(promised, Evidence(evidence.trigger, tuple(shuffled)), at(barrier))


@given(terms(), evidences(), BARRIERS, BARRIERS)
def test_a_verdict_changes_only_through_new_evidence(promised: Terms, evidence: Evidence, one: int, other: int) -> None:
    now, later = (judge(promised, evidence, at(each)) for each in sorted((one, other)))
    assert not now.state.decided or now == later


@given(terms(), evidences(), BARRIERS, st.integers(0, 400))
def test_until_next_at_time_alone_changes_nothing_and_then_it_does(promised: Terms, evidence: Evidence, barrier: int, tenths: int) -> None:
    now = judge(promised, evidence, at(barrier))
    later = at(barrier) + timedelta(minutes=tenths / 10)
    if now.next_at is None or later < now.next_at:
        assert judge(promised, evidence, later) == now
    if now.next_at is not None:
        assert now.next_at > at(barrier)
        assert judge(promised, evidence, now.next_at) != now


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(terms(), evidences(), BARRIERS, marks(), st.integers(1, 9))
def test_what_happens_after_settled_changes_nothing(promised: Terms, evidence: Evidence, barrier: int, more: Mark, later: int) -> None:
    now = judge(promised, evidence, at(barrier))
    assume(now.settled is not None)
    assert now.settled is not None
    after = more._replace(event=UUID(int=1), time=now.settled + timedelta(minutes=later), roles=more.roles & ~int(Role.EXCUSE))
    added = Evidence(evidence.trigger, (*evidence.marks, after))
    assert _but_for_sayable(judge(promised, added, at(barrier))) == _but_for_sayable(now)
    end = at(1000)
    assert _but_for_sayable(judge(promised, added, end)) == _but_for_sayable(judge(promised, evidence, end))


@given(terms(), evidences(), BARRIERS, marks())
def test_what_arrives_late_changes_a_verdict_only_to_what_a_clean_pass_says(
    promised: Terms, evidence: Evidence, barrier: int, more: Mark
) -> None:
    """Arrival delays saying `broken`, and never decides which verdict it is."""
    prompt = Evidence(
        evidence.trigger._replace(arrival=evidence.trigger.time),
        tuple(each._replace(arrival=each.time) for each in (*evidence.marks, more)),
    )
    late = judge(promised, Evidence(evidence.trigger, (*evidence.marks, more)), at(1000))
    clean = judge(promised, prompt, at(1000))
    assert (late.state, late.due, late.decided_by, late.late) == (clean.state, clean.due, clean.decided_by, clean.late)


@given(terms(), evidences(), BARRIERS)
def test_lateness_is_said_of_broken_promises_only(promised: Terms, evidence: Evidence, barrier: int) -> None:
    judgement = judge(promised, evidence, at(barrier))
    assert not judgement.late or judgement.state is State.BROKEN
    assert not judgement.standing or judgement.state is State.ON_TRACK


def _but_for_sayable(judgement: Judgement) -> Judgement:
    return judgement._replace(sayable=None, stages=())


PLAIN = st.sampled_from(
    [Role.TRIGGER, Role.EXCUSE, Role.EXPECT, Role.NEVER, Role.EXPECT | Role.NEVER, Role.UNTIL, Role.HOLDER, Role.CANCEL]
)


@st.composite
def plain_evidences(draw: st.DrawFn) -> Evidence:
    times = st.tuples(st.integers(-2, 12), st.integers(0, 6), PLAIN, st.integers(0, 1))
    trigger = mark(0, Role.TRIGGER, arrival=draw(st.integers(0, 6)), due=draw(MINUTES))
    around = [mark(time, role, arrival=time + late, name=str(name)) for time, late, role, name in draw(st.lists(times, max_size=6))]
    about = trigger.event if draw(st.booleans()) else None
    return Evidence(trigger, tuple(each._replace(about=about) if each.roles & Role.EXCUSE else each for each in around))


@given(
    st.sampled_from([Response(by=True), Response(by=True, strictly=True), Response(SOME_MINUTES), Response(), Absence()]),
    plain_evidences(),
    BARRIERS,
    st.booleans(),
)
def test_the_short_way_says_what_the_long_way_says(pattern: Pattern, evidence: Evidence, barrier: int, excuses: bool) -> None:  # noqa: FBT001
    promised = Terms(pattern, excuses=excuses)
    short = judge_plainly(promised, evidence, at(barrier))
    assert short is None or short == judge_fully(promised, evidence, at(barrier))
