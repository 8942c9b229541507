"""Where a customer is on a map, how long, and where they fell out: worked out by hand, and whatever order things came in."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.chassis.documents import ProblemsFoundError
from services.journey.picture.history import FactRow, Row
from services.journey.picture.stages import JourneyMap, Travel, travel
from tests.journey.picture.telling import case, commitment, day, declared, event, history, key

CATALOGUE = Path(__file__).parents[3] / "promises"
MAP = """
apiVersion: makegood/v1
kind: JourneyMap
metadata: {name: shop, owner: sales}
spec:
  stages:
    - {name: promised, phase: before, touchpoints: {type: "web.*"}, silence: 30 days}
    - {name: buying, phase: sale, touchpoints: [{type: order.placed}, {type: talk, where: {data.about: price}}], silence: 2 days}
    - {name: using, phase: after, touchpoints: {type: [order.delivered, talk]}, promises: [warranty]}
  moments:
    - {name: first-order, at: {type: order.placed}, first: true}
    - {name: door, at: {type: order.delivered}, promises: [on-time]}
  completes: {type: bye}
"""


@pytest.fixture
def shop() -> JourneyMap:
    (found,) = declared(MAP)
    assert isinstance(found, JourneyMap)
    return found


def way(found: Travel) -> list[tuple[str, str, timedelta | None]]:
    return [(each.stage, each.how, None if each.left is None else each.left - each.entered) for each in found.visits]


def test_a_customer_goes_from_what_was_advertised_over_the_sale_to_after_it(shop: JourneyMap) -> None:
    told = history(
        event("a", "web.seen", 0), event("b", "web.seen", 1), event("c", "order.placed", 3), event("d", "talk", 4, about="price"),
        event("e", "order.delivered", 5), event("f", "talk", 6, about="use"),
    )  # fmt: skip
    found = travel(shop, told, day(100))
    assert way(found) == [("promised", "moved", timedelta(days=3)), ("buying", "moved", timedelta(days=2)), ("using", "standing", None)]
    assert [each.touchpoints for each in found.visits] == [2, 2, 2]
    assert [each.evidence for each in found.visits] == [key("a"), key("c"), key("e")]


def test_nothing_for_longer_than_a_stage_allows_is_falling_out_of_it_at_that_time(shop: JourneyMap) -> None:
    told = history(event("a", "web.seen", 0), event("b", "web.seen", 10))
    assert way(travel(shop, told, day(40))) == [("promised", "standing", None)], "thirty days to the instant are not longer"
    found = travel(shop, told, day(40.1))
    assert way(found) == [("promised", "fell_out", timedelta(days=40))]
    assert found.standing is None


def test_who_comes_back_after_falling_out_begins_a_new_visit_even_of_the_same_stage(shop: JourneyMap) -> None:
    told = history(event("a", "order.placed", 0), event("b", "order.placed", 10))
    assert way(travel(shop, told, day(11))) == [("buying", "fell_out", timedelta(days=2)), ("buying", "standing", None)]


def test_without_a_present_nobody_has_fallen_out(shop: JourneyMap) -> None:
    assert way(travel(shop, history(event("a", "order.placed", 0)), None)) == [("buying", "standing", None)]


def test_a_journey_may_end_as_it_should_and_begin_again(shop: JourneyMap) -> None:
    told = history(event("a", "order.delivered", 0), event("b", "bye", 1), event("c", "web.seen", 2))
    assert way(travel(shop, told, day(3))) == [("using", "completed", timedelta(days=1)), ("promised", "standing", None)]


def test_touchpoints_that_belong_nowhere_are_shown(shop: JourneyMap) -> None:
    told = history(event("a", "web.seen", 0), event("b", "weather", 1), event("c", "weather", 2), event("d", "talk", 3, about="price"))
    assert travel(shop, told, day(3)).unmapped == {"weather": 2}


def test_promises_count_in_the_stage_that_names_them_else_in_that_of_their_trigger_else_where_the_customer_was(shop: JourneyMap) -> None:
    told = history(
        event("a", "order.placed", 0), event("b", "weather", 1), event("c", "order.delivered", 2),
        commitment(1, "kept", "a", 2, promise="on-time"), commitment(2, "broken", "a", 3, promise="warranty"),
        commitment(3, "broken", "b", 1, triggered=1), commitment(4, "excused", "b", 1, triggered=-1),
        commitment(5, "on_track", "c", 2, triggered=2, verdict=0), commitment(6, "broken", "a", 2, promise="inside", audience="internal"),
    )  # fmt: skip
    found = travel(shop, told, day(3))
    counted = {name: {what: number for what, number in asdict(kept).items() if number} for name, kept in found.stages.items()}
    assert counted == {"buying": {"kept": 1, "broken": 1}, "using": {"broken": 1, "open": 1}, "outside": {"excused": 1}}
    moments = {name: {what: number for what, number in asdict(kept).items() if number} for name, kept in found.moments.items()}
    assert moments == {"first-order": {"kept": 1, "broken": 1}, "door": {"kept": 1, "open": 1}}
    assert found.met == {"first-order": [key("a")], "door": [key("c")]}


def test_of_a_commitment_the_latest_verdict_counts_whichever_was_read_first(shop: JourneyMap) -> None:
    told: list[Row | FactRow] = [
        commitment(1, "broken", "a", 2),
        commitment(1, "kept", "a", 5, verdict=2, was="broken"),
        event("a", "order.placed", 0),
    ]
    for order in (told, told[::-1]):
        assert asdict(travel(shop, history(*order), day(9)).stages["buying"])["kept"] == 1


def test_the_lost_passport_on_the_map_of_the_branch() -> None:
    """The story of DESIGN 8: counter, made good, back at the counter; the papers are the moment of truth that failed and was met."""
    (found,) = declared((CATALOGUE / "bank-branch-journey.yaml").read_text())
    assert isinstance(found, JourneyMap)
    told = history(
        event("v1", "visit.started", 0), event("h1", "document.handed_over", 0.01), event("h2", "document.handed_over", 0.02),
        event("r2", "document.returned", 0.03), event("m1", "document.missing", 0.04), event("o", "recovery.case.opened", 0.05),
        event("k", "recovery.case.remedied", 1), event("y", "customer.confirmed", 2), event("v2", "visit.started", 28),
        commitment(1, "broken", "h1", 0.04, promise="documents-handed-back", triggered=0.01, decided_by="m1"),
        commitment(2, "kept", "h2", 0.03, promise="documents-handed-back", triggered=0.02, decided_by="r2"),
        case("opened", "open", 0.05), case("restored", "restored", 33, "promoter"),
    )  # fmt: skip
    way_ = travel(found, told, day(33))
    assert [(each.stage, each.how) for each in way_.visits] == [("counter", "moved"), ("making-good", "moved"), ("counter", "standing")]
    assert way_.met["first-contact"] == [key("v1")]
    assert (way_.moments["papers"].kept, way_.moments["papers"].broken) == (1, 1)
    assert (way_.stages["counter"].kept, way_.stages["counter"].broken) == (1, 1)
    assert not way_.unmapped


TYPES = ["web.seen", "order.placed", "order.delivered", "talk", "weather", "bye"]
events = some.builds(
    lambda number, type_, at, about: event(f"e{number}", type_, at, about=about),
    some.integers(0, 40), some.sampled_from(TYPES), some.sampled_from([0, 0, 1, 2.5, 3, 10, 41, 80]), some.sampled_from(["price", "use"]),
)  # fmt: skip
judgements = some.builds(
    lambda number, judgement, trigger, at, verdict: commitment(number, judgement, f"e{trigger}", at, verdict=verdict, triggered=at - 1),
    some.integers(1, 4), some.sampled_from(["kept", "broken", "on_track", "excused"]), some.integers(0, 40), some.sampled_from([1, 3, 20]),
    some.integers(0, 3),
)  # fmt: skip
whole: some.SearchStrategy[list[Row | FactRow]] = some.lists(
    some.one_of(events, events, judgements), max_size=14, unique_by=lambda each: each[0]
)


@given(told=whole, data=some.data(), now=some.sampled_from([2, 5, 30, 100]))
def test_the_order_of_arrival_makes_no_difference(told: list[Row | FactRow], data: some.DataObject, now: float) -> None:
    (found,) = declared(MAP)
    assert isinstance(found, JourneyMap)
    shuffled = data.draw(some.permutations(told))
    assert travel(found, history(*told), day(now)) == travel(found, history(*shuffled, *shuffled[:3]), day(now))


@given(told=whole, now=some.floats(0, 200), later=some.floats(0, 200))
def test_until_the_time_it_names_a_way_does_not_change_by_itself(told: list[Row | FactRow], now: float, later: float) -> None:
    """Breaks if a projection that waits for that time kept what is no longer so."""
    (found,) = declared(MAP)
    assert isinstance(found, JourneyMap)
    one = travel(found, history(*told), day(now))
    if one.again is None or day(later) <= one.again:
        assert travel(found, history(*told), day(max(now, later))) == one


WRONG = [
    ("phase: before", "phase: befor", "did you mean `before`?"),
    ("first: true", "frist: true", "did you mean `first`?"),
    ("silence: 30 days", "silence: a month", "say it as `36 hours`"),
    ('type: "web.*"', 'type: "web.*", where: {dat.x: 1}', "`dat.x` is not one"),
    ("name: buying", "name: promised", "already"),
    ("name: shop", "name: the shop", "single dashes"),
    ("completes: {type: bye}", "completes: {typ: bye}", "needs `type`"),
    ("about: price", "about: {a: 1}", "needs a value"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "said"), WRONG)
def test_what_is_wrong_with_a_map_is_told_with_its_place_and_what_would_be_right(right: str, wrong: str, said: str) -> None:
    with pytest.raises(ProblemsFoundError) as problems:
        declared(MAP.replace(right, wrong, 1))
    found = str(problems.value)
    line = MAP.splitlines().index(next(each for each in MAP.splitlines() if right in each)) + 1
    assert f"test.yaml:{line}:" in found
    assert said in found
