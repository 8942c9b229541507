"""Needs, aspirations, what matters, and who may see what of it: worked out by hand, and whatever order things came in."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.chassis.instants import text_of
from services.journey.picture.agreed import Agreed
from services.journey.picture.aspirations import aspirations
from services.journey.picture.discretion import Viewer, may_be_told, may_see
from services.journey.picture.encounters import encounters
from services.journey.picture.expectation import effort, efforts_of_failures, expectations, spent
from services.journey.picture.history import FactRow, Row
from services.journey.picture.matching import types
from services.journey.picture.needs import needs
from services.journey.picture.refusals import refusals
from services.journey.picture.rules import BUILT_IN, Encounters, Rules
from services.journey.picture.whole import Declared, picture
from tests.journey.picture.telling import case, commitment, day, event, history, key

PROMOTER = Viewer("promoter", frozenset({"branch"}))
COLLEAGUE = Viewer("colleague", frozenset({"branch"}))
STRANGER = Viewer("stranger", frozenset({"call-centre"}))
NEED, ASPIRATION = "customer.need.observed", "customer.aspiration.recorded"


def need(id_: str, at: float, name: str = "moving-abroad", **data: Any) -> Row:
    return event(id_, NEED, at, need=name, **{"by": "promoter", "team": "branch"} | data)


@pytest.mark.parametrize(
    ("discretion", "seen"),
    [("open", [True, True, True, True]), ("team", [True, True, False, False]), ("person", [True, False, False, False]),
     ("secret", [True, False, False, False]), (7, [True, False, False, False]), (None, [True, True, False, False])],
)  # fmt: skip
def test_what_is_discreet_is_seen_by_those_whom_it_names_and_nobody_else(discretion: Any, seen: list[bool]) -> None:
    body = {"type": NEED, "data": {"by": "promoter", "team": "branch", "discretion": discretion}}
    assert [may_see(who, body) for who in (PROMOTER, COLLEAGUE, STRANGER, None)] == seen


def test_teams_and_people_may_be_let_in_beside() -> None:
    body = {"type": NEED, "data": {"by": "promoter", "discretion": "team", "seen_by": ["call-centre", 4]}}
    assert may_see(STRANGER, body)
    assert not may_see(STRANGER, body | {"data": body["data"] | {"discretion": "person"}}), "of a person only people may see it"  # type: ignore[operator]
    assert may_see(STRANGER, {"type": NEED, "data": {"by": "promoter", "discretion": "person", "seen_by": ["stranger"]}})


def test_other_touchpoints_are_open_unless_they_say_otherwise_and_a_body_without_sense_is_no_way_in() -> None:
    assert may_see(None, {"type": "order.placed", "data": {"total": 1}})
    assert may_see(None, {"type": "order.placed"})
    assert not may_see(None, {"type": "feedback.given", "data": {"discretion": "team", "seen_by": "everybody"}})
    assert not may_see(STRANGER, {"type": NEED, "data": None})


def test_the_iceberg_she_had_asked_for_currency_and_was_leaving_for_good() -> None:
    """DESIGN 8: nobody asked; the promoter sensed it, a small probe confirmed it, and the bank met it."""
    told = [
        need("n1", 0, "currency", kind="manifest", sure=1, discretion="open"), need("n2", 1, kind="inferred", sure=0.5, because=["v1"]),
        need("n3", 2, kind="latent", sure=0.6),
        event("p", "customer.need.probed", 3, need="moving-abroad", by="promoter", team="branch", outcome="unclear"),
    ]  # fmt: skip
    asked, leaving = needs(history(*told), PROMOTER, day(9)).items
    assert (asked.kind, leaving.kind) == ("manifest", "latent")
    assert (leaving.state, leaving.sure) == ("open", 0.8), "one less the chance that both were wrong"
    confirmed = event("c", "customer.need.probed", 4, need="moving-abroad", by="promoter", team="branch", outcome="confirmed")
    assert [(each.state, each.sure) for each in needs(history(*told, confirmed), PROMOTER, day(9)).items][1] == ("confirmed", 1.0)
    met = event("m", "customer.need.met", 30, need="moving-abroad", by="promoter", team="branch", how="an account for residents abroad")
    assert needs(history(*told, confirmed, met), PROMOTER, day(40)).items[1].state == "met"
    assert [each.name for each in needs(history(*told, confirmed, met), STRANGER, day(40)).items] == ["currency"]


def test_another_team_learns_nothing_of_a_discreet_need_not_even_that_there_is_one() -> None:
    found = needs(
        history(need("n", 0), event("m", "customer.need.met", 1, need="moving-abroad", by="promoter", team="branch")), STRANGER, day(2)
    )
    assert (found.items, found.withheld) == ([], 0)
    denied = history(
        need("n", 0, discretion="open", sure=0.4), event("p", "customer.need.probed", 1, need="moving-abroad", by="x", outcome="denied")
    )
    assert needs(denied, STRANGER, day(2)).items[0].state == "open", "the probe is discreet, and so is what it found"


def test_a_need_is_used_for_the_purpose_it_was_recorded_for_and_only_while_the_customer_agrees() -> None:
    told = [need("n", 0, purpose="marketing")]
    assert needs(history(*told), PROMOTER, day(1)).withheld == 1
    assert needs(history(*told), PROMOTER, day(1), "marketing").items == [], "nobody asked the customer"
    agreed = event("c", "customer.consent.given", 1, purpose="marketing", until=text_of(day(10)))
    assert len(needs(history(*told, agreed), PROMOTER, day(10), "marketing").items) == 1
    assert needs(history(*told, agreed), PROMOTER, day(10.1), "marketing").items == []
    withdrawn = event("w", "customer.consent.withdrawn", 2, purpose="marketing")
    assert needs(history(withdrawn, agreed, *told), PROMOTER, day(3), "marketing").items == []
    objected = event("o", "customer.consent.withdrawn", 1, purpose="service")
    assert needs(history(need("n", 0), objected), PROMOTER, day(2)).items == []


def test_what_is_said_of_a_need_or_an_aspiration_is_used_while_the_customer_agrees_to_why_it_was_recorded() -> None:
    told = [
        need("n", 0, "boat", purpose="marketing", discretion="open"),
        event("p", "customer.need.probed", 1, need="boat", outcome="confirmed"), event("q", "customer.need.probed", 1, need="currency"),
        event("a", ASPIRATION, 0, consent=True, **HOUSE), event("s", "customer.aspiration.served", 2, **HOUSE),
        event("o", "order.placed", 2),
    ]  # fmt: skip

    def used(*also: Row) -> set[str]:
        found = history(*told, *also)
        agreed = Agreed(found, day(9))
        return {str(each.body["id"]) for each in found.touchpoints if agreed.may_use(each.body)} - {"w", "g"}

    assert used() == {"q", "a", "s", "o"}, "nobody asked whether the boat may be used; serving needs no asking"
    assert used(event("w", "customer.consent.withdrawn", 3, purpose="aspirations")) == {"q", "o"}
    assert used(event("g", "customer.consent.given", 3, purpose="marketing")) == {"n", "p", "q", "a", "s", "o"}
    assert used(event("w", "customer.consent.withdrawn", 3, purpose="service")) == {"a", "s", "o"}


HOUSE = {"aspiration": "house-in-spain", "by": "promoter", "team": "branch", "words": "by the sea"}


def test_who_had_objected_and_agrees_for_a_while_objects_again_when_that_has_ended() -> None:
    """Breaks if an agreement until a day did away with what the customer had said before it."""
    said = [need("n", 0), event("o", "customer.consent.withdrawn", 1, purpose="service")]
    a_while = event("g", "customer.consent.given", 2, purpose="service", until=text_of(day(10)))
    for_good = event("f", "customer.consent.given", 1.5, purpose="service")

    def shown(at: float, *words: Row) -> int:
        return len(needs(history(*said, *words), PROMOTER, day(at)).items)

    assert (shown(5), shown(5, a_while), shown(10, a_while), shown(11, a_while)) == (0, 1, 1, 0)
    assert shown(11, for_good, a_while) == 1, "they had agreed again without an end before"
    assert len(needs(history(need("n", 0), a_while), PROMOTER, day(11)).items) == 1, "who never objected does not by agreeing"


def test_an_aspiration_is_kept_with_consent_has_a_date_to_come_back_to_it_and_what_came_of_it() -> None:
    told = [event("a", ASPIRATION, 0, consent=True, come_back=text_of(day(100)), **HOUSE)]
    (house,) = aspirations(history(*told), PROMOTER, day(1)).items
    assert (house.come_back, house.consent.evidence) == (day(100), key("a"))
    again = event("r", "customer.aspiration.revisited", 100, come_back=text_of(day(200)), **HOUSE)
    assert aspirations(history(again, *told), PROMOTER, day(101)).items[0].come_back == day(200)
    served = event("s", "customer.aspiration.served", 150, product="mortgage-abroad", **HOUSE)
    (house,) = aspirations(history(served, again, *told), PROMOTER, day(151)).items
    assert (house.come_back, [each.key for each in house.served]) == (None, [key("s")])


def test_without_consent_nothing_of_an_aspiration_is_shown() -> None:
    bare = event("a", ASPIRATION, 0, **HOUSE)
    found = aspirations(history(bare), PROMOTER, day(1))
    assert (found.items, found.withheld) == ([], 1)
    given_ = event("c", "customer.consent.given", 1, purpose="aspirations")
    withdrawn = event("w", "customer.consent.withdrawn", 2, purpose="aspirations")
    assert len(aspirations(history(bare, given_), PROMOTER, day(3)).items) == 1
    assert aspirations(history(bare, given_, withdrawn), PROMOTER, day(3)).withheld == 1
    assert aspirations(history(bare, given_), STRANGER, day(3)).withheld == 0, "discreet: not even a number"


def test_a_refusal_is_tied_to_the_aspiration_it_left_unserved_until_something_came_of_it() -> None:
    told = [
        event("a", ASPIRATION, 0, consent=True, **HOUSE),
        event("n", "customer.request.refused", 1, request="mortgage-abroad", by="x", team="loans", aspiration="house-in-spain"),
        event("n2", "customer.request.refused", 2, request="open-earlier", by="x"),
    ]
    assert [(each.request, each.unserved) for each in refusals(history(*told))] == [("mortgage-abroad", True), ("open-earlier", False)]
    assert [each.event.key for each in aspirations(history(*told), PROMOTER, day(3)).items[0].refused] == [key("n")]
    served = event("s", "customer.aspiration.served", 3, **HOUSE)
    assert not refusals(history(*told, served))[0].unserved
    early = event("s", "customer.aspiration.served", 0.5, **HOUSE)
    assert refusals(history(*told, early))[0].unserved, "what came before the refusal did not answer it"


def test_each_kind_of_encounter_has_its_own_way_of_coming_out() -> None:
    rules = Rules(encounters=Encounters(first=types("visit.started")))
    told = history(
        event("v1", "visit.started", 0), event("v2", "visit.started", 1), event("v3", "visit.started", 2),
        commitment(1, "kept", "v1", 0), commitment(2, "broken", "v2", 1), commitment(3, "kept", "v2", 1),
        event("no", "customer.request.refused", 3, request="a", by="x"), event("yes", "customer.exception.granted", 4, request="a", by="x"),
        event("a", ASPIRATION, 5, consent=True, **HOUSE), event("b", ASPIRATION, 6, purpose="unasked", **HOUSE),
        event("s", "customer.aspiration.served", 7, **HOUSE),
    )  # fmt: skip
    assert [(each.kind, each.outcome) for each in encounters(rules, told, day(9))] == [
        ("first", "right"), ("first", "wrong"), ("first", "open"), ("second", "no"), ("second", "yes"), ("third", "recorded"),
        ("third", "served"),
    ]  # fmt: skip


def test_what_was_said_to_matter_comes_before_what_was_inferred() -> None:
    told = history(
        event("a", "customer.expectation.observed", 0, dimension="timeliness", how="said", by="x", discretion="open"),
        event("b", "customer.expectation.observed", 1, dimension="cost", how="inferred", by="x", discretion="open"),
        event("c", "customer.expectation.observed", 2, dimension="quality", how="said", by="promoter", discretion="person"),
        event("d", "customer.expectation.observed", 3, dimension="smell", how="said", by="x", discretion="open"),
    )
    assert [(each.dimension, each.said) for each in expectations(told, STRANGER)] == [("timeliness", True), ("cost", False)]
    assert [each.dimension for each in expectations(told, PROMOTER)] == ["quality", "timeliness", "cost"]


def test_what_a_relation_costs_the_customer_is_counted_in_all_and_by_failure() -> None:
    told = history(
        event("q", "queue.number_drawn", 0, number="7"), event("s", "queue.called", 1 / 24, number="7"),
        event("s2", "queue.called", 2 / 24, number="8"),
        event("c1", "call.made", 1, reason="card", waited_seconds=90), event("t", "call.transferred", 1.1),
        event("c2", "call.made", 3, reason="card"), event("c3", "call.made", 20, reason="card"),
        event("c4", "call.made", 21, reason="loan"),
        commitment(1, "broken", "c1", 2, triggered=1), case("restored", "restored", 10),
    )  # fmt: skip
    costs = spent(BUILT_IN.efforts, told)
    whole = effort(costs)
    assert whole.repetitions == [key("c2")], "twenty days later is another matter"
    assert (len(whole.contacts), whole.passed_on) == (6, [key("t")])
    assert (whole.waited, whole.waits) == (timedelta(hours=1, seconds=90), [key("s"), key("c1")])
    (failure,) = efforts_of_failures(costs, told)
    assert (failure.until, failure.effort.contacts) == (day(10), [key("c1"), key("t"), key("c2")])
    totals = picture(Declared(rules=BUILT_IN), told, day(30)).tally
    assert [totals[f"effort:failure:kept-word:{each}"] for each in ("number", "contacts", "waited_seconds")] == [1, 3, 90]


def test_what_two_systems_tell_of_one_contact_is_one_contact() -> None:
    """Breaks if a call that the exchange and the branch both told of, under identifiers of one person, cost her twice."""
    told = history(
        event("begun", "contact.begun", 0, source="exchange", contact="c1", reason="card"),
        event("noted", "call.made", 0.01, source="branch", contact="c1", reason="card"),
        event("greeted", "contact.greeted", 0.02, source="exchange", contact="c1"),
        event("passed", "contact.transferred", 0.03, source="exchange", contact="c1"),
        event("again", "contact.begun", 1, source="exchange", contact="c2", reason="card"),
        event("unnamed", "call.made", 2, reason="loan"),
    )
    whole = effort(spent(BUILT_IN.efforts, told))
    assert whole.contacts == [key("begun", "exchange"), key("again", "exchange"), key("unnamed")]
    assert (whole.repetitions, whole.passed_on) == ([key("again", "exchange")], [key("passed", "exchange")])


SENSED = [NEED, "customer.need.probed", "customer.need.met", ASPIRATION, "customer.aspiration.revisited", "customer.aspiration.served",
          "customer.consent.given", "customer.consent.withdrawn", "customer.request.refused", "customer.exception.granted",
          "customer.expectation.observed", "call.made", "queue.number_drawn"]  # fmt: skip
ODD: Any = some.sampled_from(
    [None, 1, 0.5, "", "a", "b", "aspirations", "service", "said", "confirmed", "open", "person", True, [], ["a"], {}]
)
FIELDS = ["consent_until", "need", "aspiration", "request", "purpose", "dimension", "how", "outcome", "by", "team", "discretion",
          "seen_by", "sure",
          "consent",
          "until", "come_back", "reason", "contact", "number", "waited_seconds"]  # fmt: skip
sensed = some.builds(
    lambda number, type_, at, data: event(f"e{number}", type_, at, **data),
    some.integers(0, 30), some.sampled_from(SENSED), some.sampled_from([0, 1, 1, 2, 9]), some.dictionaries(some.sampled_from(FIELDS), ODD),
)  # fmt: skip


@given(told=some.lists(sensed, max_size=12, unique_by=lambda each: each.event), data=some.data())
def test_whatever_was_sensed_in_whatever_order_comes_to_the_same_and_fails_nothing(
    told: list[Row | FactRow], data: some.DataObject
) -> None:
    shuffled = data.draw(some.permutations(told))
    who = data.draw(some.sampled_from([None, PROMOTER, Viewer("a", frozenset({"b"}))]))
    one, other = history(*told), history(*shuffled, *shuffled[:2])
    assert needs(one, who, day(3)) == needs(other, who, day(3))
    assert aspirations(one, who, day(3)) == aspirations(other, who, day(3))
    assert encounters(BUILT_IN, one, day(3)) == encounters(BUILT_IN, other, day(3))
    assert expectations(one, who) == expectations(other, who)
    assert spent(BUILT_IN.efforts, one) == spent(BUILT_IN.efforts, other)
    for each in needs(one, who, day(3)).items:
        assert all(may_see(who, seen.body) for seen in [*each.observations, *each.probes, *each.met])


def test_a_record_that_could_not_be_taken_is_told_only_if_nothing_in_it_is_discreet() -> None:
    assert may_be_told('{"type":"order.placed","data":{}}')
    assert may_be_told("not even JSON")
    assert not may_be_told('{"type":"customer.need.observed","data":{"need":"x"}}')
    assert not may_be_told('{"type":"customer.need.observed","data":{')
    assert not may_be_told('[{"type":"feedback.given","data":{"discretion":"team"}}]')


@given(
    told=some.lists(sensed, max_size=12, unique_by=lambda each: each.event), now=some.floats(0, 60),
    later=some.floats(0, 60),
)  # fmt: skip
def test_until_the_time_it_names_what_is_kept_of_consents_does_not_change_by_itself(told: list[Row], now: float, later: float) -> None:
    """Breaks if an aspiration were listed beyond the consent to it."""
    known = Declared(rules=BUILT_IN)
    one = picture(known, history(*told), day(now))
    assert one.again is None or one.again >= day(now)
    if one.again is None or day(later) <= one.again:
        assert picture(known, history(*told), day(max(now, later))) == one
