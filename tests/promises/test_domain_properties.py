"""What holds of `judge` whatever the history: order, repeats, the passing of time, and what it says of its own future."""

from datetime import timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from services.promises.domain import Absence, Conformance, Evidence, Judgement, Mark, Pattern, Response, Role, State, Terms, judge
from services.promises.domain import Warn as Warning_
from services.promises.durations import Elapsed
from tests.promises.marks import at, mark

MINUTES = st.integers(-3, 12)
DURATIONS = st.integers(0, 10).map(lambda minutes: Elapsed(timedelta(minutes=minutes)))


@st.composite
def marks(draw: st.DrawFn) -> Mark:
    time = draw(MINUTES)
    roles = Role(draw(st.integers(1, 63)))
    return mark(time, roles, arrival=time + draw(st.integers(0, 6)), name=str(draw(st.integers(0, 1))))


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    kind = draw(st.sampled_from([Response, Absence, Conformance]))
    within = draw(st.none() | DURATIONS)
    if kind is Response:
        by = draw(st.booleans())
        return Response(None if by else within, by, draw(st.integers(1, 2)), draw(st.booleans()))
    return Absence(within, draw(st.booleans())) if kind is Absence else Conformance()


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    warnings = draw(st.lists(st.sampled_from([Warning_("half", share=0.5), Warning_("hour", before=Elapsed(timedelta(minutes=3)))])))
    return Terms(draw(patterns()), grace=draw(DURATIONS), warnings=tuple(warnings))


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


@given(terms(), evidences(), BARRIERS, marks())
def test_what_happens_after_settled_changes_nothing(promised: Terms, evidence: Evidence, barrier: int, more: Mark) -> None:
    now = judge(promised, evidence, at(barrier))
    assume(now.settled is not None and more.time > now.settled)
    added = Evidence(evidence.trigger, (*evidence.marks, more))
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
    return judgement._replace(sayable=None)
