"""Feedback, score, stages and loyalty of a relationship: worked out by hand, explained to the last point, and blind to order."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.chassis.documents import ProblemsFoundError
from services.journey.picture.discretion import Viewer
from services.journey.picture.feedback import feedback, visible
from services.journey.picture.history import FactRow, History, Row
from services.journey.picture.matching import types
from services.journey.picture.relationship import figures, standing
from services.journey.picture.rules import BASE, BUILT_IN, Occasion, Rules, Standings, Weight
from services.journey.picture.score import course, left, loyalty, pieces, score
from services.journey.picture.whole import Declared, picture
from tests.journey.picture.telling import case, commitment, day, declared, event, history, key

YEARS = timedelta(days=365)
PLAIN = Rules(
    weights={"kept": Weight(1), "broken": Weight(-10, timedelta(days=10)), "restored": Weight(12), "not_restored": Weight(-12),
             "purchase": Weight(2), "feedback": Weight(5)},
    feedback=(Occasion("complaint", types("complaint.made"), tone=-1, answered=types("complaint.answered"), same=("data", "complaint"),
                       owner="service", ignored_after=timedelta(days=3)),),
    standings=Standings(2, timedelta(days=60), timedelta(days=365), types("customer.left")),
)  # fmt: skip


def of(rules: Rules, told: History) -> Any:
    return pieces(rules, told, feedback(rules, told, day(900)))


def stages(rules: Rules, told: History, now: float) -> list[tuple[str, timedelta]]:
    return [(each.stage, each.time - day(0)) for each in standing(rules, told, day(now)).steps]


PASSPORT = (
    event("v1", "visit.started", 0, purpose="currency"), event("h1", "document.handed_over", 0.01, employee="cashier"),
    event("h2", "document.handed_over", 0.02, employee="cashier"), event("r2", "document.returned", 0.03, employee="cashier"),
    event("m1", "document.missing", 0.04),
    commitment(1, "broken", "h1", 0.04, promise="documents-handed-back", triggered=0.01, decided_by="m1"),
    commitment(2, "kept", "h2", 0.03, promise="documents-handed-back", triggered=0.02, decided_by="r2"),
    commitment(3, "kept", "h1", 1, promise="case-owned", audience="internal"),
    case("opened", "open", 0.05), case("owned", "owned", 0.06, "promoter"), case("restored", "restored", 33, "promoter"),
    event("f", "feedback.given", 2, by="promoter", tone=1, employee="promoter", about="recovery", words="I have changed my mind."),
)  # fmt: skip
BRANCH = Rules(purchases=types("visit.started"), weights=PLAIN.weights, standings=PLAIN.standings)


def test_the_relationship_of_the_lost_passport_is_explained_to_the_last_point() -> None:
    told = history(*PASSPORT)
    found = of(BRANCH, told)
    assert [(each.what, each.points, each.employee) for each in found] == [
        ("purchase", 2, None), ("kept", 1, "cashier"), ("broken", -10, None), ("feedback", 5, "promoter"), ("restored", 12, "promoter"),
    ]  # fmt: skip
    assert [each.score for each in course(BRANCH, found)][:3] == [52.0, 53.0, 43.0]
    now = day(0.04 + 30)
    assert score(BRANCH, found, now) == BASE + 2 + 1 - 10 / 8 + 5, "of ten points, after three times ten days, an eighth is left"
    assert round(sum(left(BRANCH, each, day(40)) for each in found), 2) + BASE == score(BRANCH, found, day(40))


def test_the_loyalty_of_the_lost_passport_is_at_first_to_the_promoter_not_to_the_bank() -> None:
    whose = loyalty(of(BRANCH, history(*PASSPORT)))
    assert whose.employees == {"cashier": 1 / 20, "promoter": 17 / 20}
    assert (whose.organisation, whose.one_person(0.5)) == (2 / 20, "promoter")
    assert [each.what for each in whose.evidence["promoter"]] == ["feedback", "restored"]
    later = history(*PASSPORT, *(event(f"v{number}", "visit.started", 40 + number) for number in range(2, 12)))
    assert loyalty(of(BRANCH, later)).one_person(0.5) is None, "ten visits later it is the bank's"


def test_a_pledge_that_was_kept_is_the_case_owner_s() -> None:
    id_ = "00000000-0000-0000-0000-000000000001"
    told = history(
        case("owned", "owned", 0, "promoter"), event("f", "recovery.pledge.fulfilled", 1, source="makegood/recovery", case_id=id_),
        commitment(1, "kept", "m", 1, promise="pledge", decided_by="f", source="makegood/recovery"),
    )  # fmt: skip
    assert [(each.what, each.employee) for each in of(BRANCH, told)] == [("kept", "promoter")]


def test_the_lost_passport_puts_a_relationship_at_risk_until_the_customer_is_back() -> None:
    assert stages(BRANCH, history(*PASSPORT), 33) == [("new", timedelta(0)), ("at_risk", timedelta(days=0.04)), ("new", timedelta(days=33))]
    back = history(*PASSPORT, event("v2", "visit.started", 28, purpose="account"))
    assert stages(BRANCH, back, 33)[-1] == ("established", timedelta(days=28))


def test_a_relationship_goes_from_prospect_over_lost_to_won_back() -> None:
    told = [event("w", "web.seen", 0), event("a", "order.placed", 1), event("b", "order.placed", 2), event("c", "order.placed", 500)]
    assert standing(PLAIN, history(told[0]), day(900)).stage == "prospect", "who never came cannot be lost"
    assert stages(PLAIN, history(*told), 501) == [
        ("new", timedelta(days=1)), ("established", timedelta(days=2)), ("at_risk", timedelta(days=62)), ("lost", timedelta(days=367)),
        ("won_back", timedelta(days=500)),
    ]  # fmt: skip
    assert stages(PLAIN, history(*told, event("d", "order.placed", 501)), 502)[-1] == ("established", timedelta(days=501))
    gone = history(*told[:2], event("l", "customer.left", 5))
    assert stages(PLAIN, gone, 6) == [("new", timedelta(days=1)), ("lost", timedelta(days=5))]


def test_what_recovery_does_is_no_sign_of_life_of_the_customer() -> None:
    told = history(event("a", "order.placed", 0), event("r", "recovery.case.owned", 59, source="makegood/recovery"))
    assert standing(PLAIN, told, day(61)).stage == "at_risk"


def test_who_was_not_restored_is_lost() -> None:
    told = history(event("a", "order.placed", 0), commitment(1, "broken", "a", 1), case("not_restored", "not_restored", 30))
    assert stages(PLAIN, told, 31) == [("new", timedelta(0)), ("at_risk", timedelta(days=1)), ("lost", timedelta(days=30))]


def test_a_complaint_is_answered_by_what_is_about_the_same_and_else_ignored() -> None:
    told = history(
        event("c1", "complaint.made", 0, complaint=1), event("c2", "complaint.made", 1, complaint=2),
        event("c3", "complaint.made", 2, complaint=3),
        event("r2", "complaint.answered", 2, complaint=2), event("r", "feedback.answered", 5, feedback="c3", by="ana", how="explained"),
    )  # fmt: skip
    found = feedback(PLAIN, told, day(900))
    assert [(each.state(day(3)), each.owner) for each in found] == [
        ("waiting", "service"),
        ("answered", "service"),
        ("answered", "service"),
    ]
    assert [each.state(day(3.1)) for each in found] == ["ignored", "answered", "answered"]
    assert [None if each.answer is None else each.answer.key for each in found] == [None, key("r2"), key("r")]


def test_feedback_says_whether_it_was_said_or_shown_to_us_or_to_others_and_for_whom() -> None:
    told = history(
        event("a", "feedback.given", 0, tone=-1, by="x", words="never again"),
        event("b", "feedback.given", 1, tone=0.5, expressed="implicit", told="indirect", discretion="team", team="branch", by="x"),
        event("c", "review.posted", 2, stars=5), event("d", "return.accepted", 3),
    )  # fmt: skip
    found = feedback(BUILT_IN, told, day(900))
    assert [(each.name, each.expressed, each.told, each.tone) for each in found] == [
        ("feedback", "explicit", "direct", -1.0), ("feedback", "implicit", "indirect", 0.5), ("review", "explicit", "indirect", 1.0),
        ("return", "implicit", "direct", -0.3),
    ]  # fmt: skip
    assert [each.state(day(30)) for each in found] == ["ignored", "noted", "noted", "noted"]
    assert len(visible(found, Viewer("z"))) == 3
    assert len(visible(found, Viewer("z", frozenset({"branch"})))) == 4


def test_the_classic_figures_count_what_there_is_and_pass_over_what_is_no_figure() -> None:
    told = history(
        event("a", "order.placed", 0, total=19.99), event("b", "order.placed", 400, total=5), event("c", "order.placed", 401, total="much"),
        event("d", "complaint.made", 402),
    )  # fmt: skip
    found = figures(BUILT_IN, told, day(402))
    assert (found.purchases, found.complaints) == (3, 1)
    assert found.worth is not None
    assert (found.worth.total, found.worth.last_year, found.worth.purchases) == (2499, 500, 2)
    assert figures(BUILT_IN, history(event("c", "order.placed", 1, total=True)), day(2)).worth is None


def test_a_long_silence_is_feedback_whenever_it_came_and_rests_on_what_was_heard_last() -> None:
    rules = Rules(feedback=(Occasion("silent", silence=timedelta(days=10), tone=-0.2),))
    told = history(event("a", "web.seen", 0), event("b", "web.seen", 11), event("o", "recovery.case.owned", 15, source="makegood/recovery"))
    assert [(each.name, each.time, each.event.key) for each in feedback(rules, told, day(21))] == [("silent", day(10), key("a"))]
    assert [each.event.key for each in feedback(rules, told, day(21.1))] == [key("a"), key("b")]
    assert [each.expressed for each in feedback(rules, told, None)] == ["implicit"]


DOCUMENT = """
apiVersion: makegood/v1
kind: Relationship
metadata: {name: shop, owner: service}
spec:
  purchases: {type: order.placed}
  value: data.total
  currency: EUR
  one_person: 0.6
  weights: {kept: {points: 2, fades: 90 days}, broken: {points: -20}}
  feedback:
    - {name: survey, of: {type: survey.answered}, scale: {path: data.score, worst: 0, best: 10}, ignored_after: 5 days, owner: service}
    - {name: return, of: {type: return.accepted}, expressed: implicit, tone: -0.3}
  encounters: {first: {type: order.placed}, second: {type: request.made}}
  effort: {contacts: {type: "call.*"}, repeated_within: 3 days}
  stages: {established_purchases: 4, at_risk_after: 90 days, lost_after: 52 weeks}
"""


def test_a_relationship_is_read_as_it_is_written_and_the_rest_stays_built_in() -> None:
    (rules,) = declared(DOCUMENT)
    assert isinstance(rules, Rules)
    assert (rules.name, rules.owner, rules.currency, rules.one_person) == ("shop", "service", "EUR", 0.6)
    assert (rules.weights["kept"], rules.weights["broken"]) == (Weight(2, timedelta(days=90)), Weight(-20))
    assert rules.weights["purchase"] == BUILT_IN.weights["purchase"]
    assert [(each.name, each.expressed) for each in rules.feedback] == [("survey", "explicit"), ("return", "implicit")]
    assert (rules.standings.established_purchases, rules.standings.lost_after) == (4, timedelta(weeks=52))
    (survey,) = feedback(rules, history(event("s", "survey.answered", 0, score=10)), day(9))
    assert (survey.tone, survey.state(day(6))) == (1.0, "ignored")


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("kept: {points", "keep: {points", "did you mean `kept`?"),
        ("fades: 90 days", "fades: soon", "say it as"),
        ("one_person: 0.6", "one_person: 6", "from 0 to 1"),
        ("worst: 0, best: 10", "worst: 3, best: 3", "two numbers"),
        ("expressed: implicit", "expressed: implied", "did you mean `implicit`?"),
        ("lost_after: 52 weeks", "lost_after: 2 weeks", "first at risk, then lost"),
        ("value: data.total", "value: total", "is not one"),
        ("established_purchases: 4", "established_purchases: 0", "at least 1"),
        ("tone: -0.3", "tone: -0.3, scale: {path: data.x, worst: 1, best: 2}", "keep one"),
        ("at_risk_after: 90 days", "at_risk_after: 99999 weeks", "longer than 36500 days"),
        ("of: {type: return.accepted}, ", "", "or `silence`"),
        ("name: survey", "name: " + "a" * 101, "at most 100"),
        ("currency: EUR", "curency: EUR", "did you mean `currency`?"),
    ],
)
def test_what_is_wrong_with_a_relationship_is_told_with_its_place(right: str, wrong: str, said: str) -> None:
    with pytest.raises(ProblemsFoundError) as problems:
        declared(DOCUMENT.replace(right, wrong, 1))
    line = DOCUMENT.splitlines().index(next(each for each in DOCUMENT.splitlines() if right in each)) + 1
    assert f"test.yaml:{line}:" in str(problems.value)
    assert said in str(problems.value)


SILENT = replace(PLAIN, feedback=(*PLAIN.feedback, Occasion("silent", silence=timedelta(days=70), tone=-0.5)))
TYPES = ["order.placed", "customer.left", "complaint.made", "complaint.answered", "feedback.given", "feedback.answered", "web.seen"]
ODD: Any = some.sampled_from([None, 1, -1, 0.5, "a", True, [], {}, 1e300, 12.5])
events = some.builds(
    lambda number, type_, at, data: event(f"e{number}", type_, at, **data),
    some.integers(0, 40), some.sampled_from(TYPES), some.sampled_from([0, 0, 1, 2.5, 3, 50, 70, 400]),
    some.dictionaries(some.sampled_from(["total", "tone", "complaint", "employee", "feedback", "by", "discretion"]), ODD),
)  # fmt: skip
facts = some.one_of(
    some.builds(
        lambda n, judgement, at: commitment(n, judgement, "e1", at),
        some.integers(1, 4), some.sampled_from(["kept", "broken"]), some.sampled_from([1, 60]),
    ),
    some.builds(
        lambda kind, at: case(kind, kind, at, "ana"), some.sampled_from(["restored", "not_restored", "owned"]), some.sampled_from([2, 80])
    ),
)  # fmt: skip
whole: some.SearchStrategy[list[Row | FactRow]] = some.lists(
    some.one_of(events, events, facts), max_size=14, unique_by=lambda each: each[0]
)


@given(told=whole, data=some.data(), now=some.sampled_from([2, 5, 61, 500]))
def test_the_order_of_arrival_makes_no_difference(told: list[Row | FactRow], data: some.DataObject, now: float) -> None:
    one, other = history(*told), history(*data.draw(some.permutations(told)))
    assert list(course(SILENT, of(SILENT, one))) == list(course(SILENT, of(SILENT, other)))
    assert standing(SILENT, one, day(now)) == standing(SILENT, other, day(now))
    assert feedback(SILENT, one, day(now)) == feedback(SILENT, other, day(now))
    assert loyalty(of(SILENT, one)) == loyalty(of(SILENT, other))


@given(told=whole, now=some.floats(0, 900), later=some.floats(0, 900))
def test_until_the_time_it_names_a_picture_does_not_change_by_itself(told: list[Row | FactRow], now: float, later: float) -> None:
    """Breaks if what is kept of all customers went stale though nothing new was heard."""
    known = Declared(rules=SILENT)
    one = picture(known, history(*told), day(now))
    assert one.again is None or one.again >= day(now)
    if one.again is None or day(later) <= one.again:
        assert picture(known, history(*told), day(max(now, later))) == one


@given(told=whole, now=some.floats(0, 900))
def test_the_steps_of_a_relationship_are_in_order_of_time_and_each_is_a_change(told: list[Row | FactRow], now: float) -> None:
    steps = standing(SILENT, history(*told), day(now)).steps
    assert [each.time for each in steps] == sorted(each.time for each in steps)
    names = ["prospect", *(each.stage for each in steps)]
    assert all(before != after for before, after in pairwise(names))
