"""Which events a promise version sees, in which roles, and what ties them together."""

import pickle
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.promises.compile import Catalogue, Compiled, canonical
from services.promises.domain import Mark, Role, in_slot
from services.promises.language import read
from services.promises.language.conditions import MISSING
from services.promises.language.declarations import Promise
from services.promises.language.expressions import ConditionError

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HEAD = "apiVersion: makegood/v1\nkind: Promise\nmetadata: {name: p, owner: o}\nspec:\n  statement: s\n"


def compiled(spec: str, effective_from: datetime | None = None, superseded_at: datetime | None = None, before: str = "") -> Compiled:
    *_, document = read(before + HEAD + spec, "p.yaml")
    assert isinstance(document.declares, Promise)
    return Compiled(document.declares, effective_from=effective_from, superseded_at=superseded_at)


def sees(version: Compiled, type_: str, data: dict[str, Any] | None = None, **more: Any) -> tuple[str, Mark] | None:
    event = {"type": type_, "source": "shop", "subject": "crm:1", "data": data or {}, **more}
    return version.sees(event, NOW, NOW, UUID(int=1))


def mark(version: Compiled, type_: str, data: dict[str, Any] | None = None, **more: Any) -> Mark:
    seen = sees(version, type_, data, **more)
    assert seen is not None
    return seen[1]


def roles(seen: tuple[str, Mark] | None) -> int | None:
    return None if seen is None else seen[1].roles


ORDERS = compiled("""  response: {when: {type: order.placed}, expect: {type: "order.*", where: {data.done: true}}, correlate: data.order_id}
  cancel: {type: [order.cancelled, order.lost], source: "shop*"}
  segment: data.channel
""")


def test_an_event_may_play_several_parts_at_once() -> None:
    assert roles(sees(ORDERS, "order.placed", {"order_id": 1})) == Role.TRIGGER
    assert roles(sees(ORDERS, "order.placed", {"order_id": 1, "done": True})) == Role.TRIGGER | Role.EXPECT
    assert roles(sees(ORDERS, "order.cancelled", {"order_id": 1, "done": True})) == Role.EXPECT | Role.CANCEL


def test_an_event_that_plays_no_part_is_not_seen() -> None:
    assert sees(ORDERS, "page.viewed", {"order_id": 1}) is None
    assert sees(ORDERS, "order.packed", {"order_id": 1}) is None
    assert sees(ORDERS, "order.lost", {"order_id": 1}, source="carrier") is None


def test_what_lacks_the_correlated_field_opens_nothing_and_is_no_evidence() -> None:
    assert sees(ORDERS, "order.placed") is None
    assert sees(ORDERS, "order.placed", {"order_id": None}) is None


def test_of_several_fields_a_segment_is_each_combination() -> None:
    spec = "  response: {when: {type: a}, expect: {type: b}}\n  segment: [data.channel, customer.tier]\n"
    version, gold = compiled(spec), '{"tier":"gold"}'
    assert mark(version, "a", {"channel": "web"}, customerattributes=gold).segment == "web / gold"
    assert mark(version, "a", {"channel": 7}).segment == "7 / -"
    assert mark(version, "a", {"channel": None}, customerattributes=gold).segment == "- / gold"
    assert mark(version, "a").segment is None


def test_a_trigger_carries_its_segment_as_text() -> None:
    for value, text in (("web", "web"), (7.0, "7"), (True, "true"), (None, None)):
        seen = sees(ORDERS, "order.placed", {"order_id": 1, "channel": value})
        assert seen is not None
        assert seen[1].segment == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1", '"1"'),
        (1, "1"),
        (1.0, "1"),
        (1.5, "1.5"),
        (True, "true"),
        ({"b": 1.0, "a": [2.0]}, '{"a":[2],"b":1}'),
        (2.0**64, "1.8446744073709552e+19"),
        ("é", '"é"'),
    ],
)
def test_correlation_is_equal_by_json_type_and_value(value: object, text: str) -> None:
    assert canonical(value) == text


def test_what_is_missing_has_no_correlation() -> None:
    assert canonical(MISSING) is None
    assert canonical(None) is None


def test_several_correlated_fields_must_all_be_there() -> None:
    both = compiled("  absence: {when: {type: a}, never: {type: b}, correlate: [data.x, data.y]}\n")
    seen = sees(both, "a", {"x": 1, "y": "z"})
    assert seen is not None
    assert seen[0] == '[1,"z"]'
    assert sees(both, "a", {"x": 1}) is None


def test_without_correlate_the_customer_ties_events_together() -> None:
    seen = sees(compiled("  absence: {when: {type: a}, never: {type: b}}\n"), "a")
    assert seen is not None
    assert seen[0] == "null"


@pytest.mark.parametrize("due", [None, 5, "tomorrow", "2026-03-05", "2026-03-05T00:00:00"])
def test_a_due_time_that_is_missing_or_unreadable_is_an_error(due: object) -> None:
    by = compiled("  response: {when: {type: a}, expect: {type: b}, by: data.due}\n")
    with pytest.raises(ConditionError):
        sees(by, "a", {"due": due})
    with pytest.raises(ConditionError):
        sees(by, "a")


def test_due_is_read_with_its_offset() -> None:
    by = compiled("  response: {when: {type: a}, expect: {type: b}, by: data.due}\n")
    seen = sees(by, "a", {"due": "2026-03-05T01:00:00+01:00"})
    assert seen is not None
    assert seen[1].due == datetime(2026, 3, 5, tzinfo=UTC)


def test_triggers_count_while_a_version_is_in_force_and_evidence_always() -> None:
    spec = "  response: {when: {type: a}, expect: {type: [a, b]}}\n"
    later = datetime(2026, 3, 3, tzinfo=UTC)
    assert roles(sees(compiled(spec, effective_from=later), "a")) == Role.EXPECT
    assert roles(sees(compiled(spec, superseded_at=NOW), "a")) == Role.EXPECT
    assert roles(sees(compiled(spec, effective_from=NOW, superseded_at=later), "a")) == Role.TRIGGER | Role.EXPECT


def test_what_reaches_a_customer_as_evidence_only_opens_nothing() -> None:
    version = compiled("  response: {when: {type: a}, expect: {type: [a, b]}}\n")
    assert roles(sees(version, "a", evidenceonly=True)) == Role.EXPECT


def test_a_conformance_is_marked_with_whether_it_holds() -> None:
    version = compiled('  conformance: {event: {type: a}, must: {data.x: "<= 10"}}\n')
    for value, holds in ((10, True), (11, False)):
        seen = sees(version, "a", {"x": value})
        assert seen is not None
        assert seen[1].holds is holds


def test_a_catalogue_finds_promises_by_type_with_wildcards() -> None:
    anything = compiled('  absence: {when: {type: a}, never: {type: "*"}}\n')
    catalogue = Catalogue([ORDERS, anything])
    assert catalogue.of("order.placed") == (ORDERS, anything)
    assert catalogue.of("a") == catalogue.of("b.c") == (anything,)
    assert catalogue.of("order.placed") is catalogue.of("order.placed")


def test_terms_travel_between_processes() -> None:
    assert pickle.loads(pickle.dumps(ORDERS.terms)) == ORDERS.terms


def test_a_wildcard_does_not_reach_recoverys_own_acts_unless_it_names_them() -> None:
    """Breaks if a replay, which makes acts of our own, says other verdicts than a backtest of what was sent."""
    anything = compiled('  absence: {when: {type: closed}, never: {type: "*"}, open: first}\n')
    assert roles(sees(anything, "recovery.case.opened", source="makegood/recovery")) is None
    assert roles(sees(anything, "recovery.case.opened", source="hospital/ward")) == Role.NEVER
    named = compiled('  absence: {when: {type: closed}, never: {type: "recovery.case.*"}}\n')
    assert roles(sees(named, "recovery.case.opened", source="makegood/recovery")) == Role.NEVER


def test_recoverys_own_acts_make_no_clock_go_on_and_hold_none() -> None:
    version = compiled(
        "  response: {when: {type: a}, expect: {type: b}, within: 1 day}\n  pause: {type: p}\n  resume: other\n  holder: data.team\n"
    )
    assert sees(version, "recovery.case.opened", {"team": "x"}, source="makegood/recovery") is None
    assert roles(sees(version, "recovery.case.opened", {"team": "x"}, source="hospital")) == Role.RESUME | Role.HOLDER


def test_any_other_event_of_the_correlation_resumes_and_one_that_pauses_does_not() -> None:
    version = compiled(
        "  response: {when: {type: a}, expect: {type: b}, within: 1 day, correlate: data.o}\n"
        "  pause: {type: p, where: {data.waits: true}}\n  resume: other\n"
    )
    assert roles(sees(version, "anything", {"o": 1})) == Role.RESUME
    assert roles(sees(version, "p", {"o": 1})) == Role.RESUME
    assert roles(sees(version, "p", {"o": 1, "waits": True})) == Role.PAUSE
    assert roles(sees(version, "a", {"o": 1})) == Role.TRIGGER | Role.RESUME
    assert sees(version, "anything") is None
    assert Catalogue([version]).of("anything") == (version,)


def test_whoever_an_event_names_holds_the_clock_from_it_on() -> None:
    version = compiled("  response: {when: {type: a}, expect: {type: b}}\n  holder: data.team\n")
    assert mark(version, "anything", {"team": "back office"})[3:4] == (Role.HOLDER,)
    assert mark(version, "anything", {"team": "back office"}).holder == "back office"
    assert mark(version, "a", {"team": 7}).holder == "7"
    assert mark(version, "a").holder is None
    assert sees(version, "anything", {"team": None}) is None


TARGETS = """  response: {when: {type: a}, expect: {type: b}, within: 1 day}
  targets: [{where: {data.p: P1}, within: 4 hours}, {where: "data.p == 'P2'", within: 8 hours}]
  escalate_target: {type: changed}
"""


@pytest.mark.parametrize("type_", ["a", "changed"])
@pytest.mark.parametrize(("priority", "within"), [("P1", "4 hours"), ("P2", "8 hours"), ("P3", None)])
def test_the_first_target_that_matches_is_picked_by_triggers_and_by_changes(type_: str, priority: str, within: str | None) -> None:
    seen = mark(compiled(TARGETS), type_, {"p": priority})
    assert (seen.within, seen.roles) == (within, {"a": Role.TRIGGER, "changed": Role.RETARGET}[type_])


def test_a_target_that_cannot_be_evaluated_quarantines() -> None:
    with pytest.raises(ConditionError):
        mark(compiled(TARGETS), "a")
    assert mark(compiled(TARGETS), "b").within is None


def test_a_negotiated_term_beats_the_targets() -> None:
    event = {"type": "a", "source": "s", "data": {"p": "P1"}}
    for version in (compiled(TARGETS), compiled("  response: {when: {type: a}, expect: {type: b}, within: 1 day}\n")):
        seen = version.sees(event, NOW, NOW, UUID(int=1), "2 hours")
        assert seen is not None
        assert (seen[1].within, seen[1].roles) == ("2 hours", Role.TRIGGER | Role.NEGOTIATED)


def test_each_step_is_due_by_its_own_field() -> None:
    steps = (
        "{name: x, expect: {type: b}, by: data.x}, {name: y, expect: {type: c}, within: 1 day}, {name: z, expect: {type: d}, by: data.z}"
    )
    version = compiled(f"  milestones: {{when: {{type: a}}, steps: [{steps}]}}\n")
    seen = mark(version, "a", {"x": "2026-03-03T00:00:00Z", "z": "2026-03-04T00:00:00Z"})
    assert (seen.due, seen.dues) == (None, (datetime(2026, 3, 3, tzinfo=UTC), None, datetime(2026, 3, 4, tzinfo=UTC)))
    assert roles(sees(version, "c")) == in_slot(Role.EXPECT, 1)
    with pytest.raises(ConditionError, match=r"`data.z` is missing"):
        mark(version, "a", {"x": "2026-03-03T00:00:00Z"})


def test_what_starts_the_clock_again_says_anew_when_it_falls_due() -> None:
    version = compiled("  response: {when: {type: a}, expect: {type: b}, by: data.due}\n  reset: {type: moved}\n")
    assert mark(version, "moved", {"due": "2026-03-05T00:00:00Z"}).due == datetime(2026, 3, 5, tzinfo=UTC)
    with pytest.raises(ConditionError):
        mark(version, "moved")


def test_a_settlement_keeps_what_its_condition_reads_and_nothing_else_does() -> None:
    version = compiled(
        "  settlement: {when: {type: a}, collect: {type: b}, must: 'true', until: {type: c}}\n  excuse: {type: d}\n  segment: data.s\n"
    )
    stamped = {"customerattributes": '{"tier":"gold"}', "time": "2026-03-02T09:00:00Z", "recordedtime": "2026-03-02T09:00:00Z"}
    whole = {
        "type": "b",
        "source": "shop",
        "subject": "crm:1",
        "time": "2026-03-02T09:00:00Z",
        "data": {"v": 1},
        "customer": {"tier": "gold"},
    }
    assert mark(version, "b", {"v": 1}, **stamped).data == whole
    assert mark(version, "a", {"s": "web"}).data == {"type": "a", "source": "shop", "subject": "crm:1", "data": {"s": "web"}}
    assert mark(version, "a", {"s": "web"}).segment == "web"
    assert mark(version, "c").data is None
    assert mark(version, "d").data is None
    assert mark(ORDERS, "order.placed", {"order_id": 1}).data is None


IN_CUSTOMERS_ZONE = "  zone: customer\n  response: {when: {type: a}, expect: {type: b}, within: 2 days}\n"


def test_a_trigger_says_in_which_zone_the_customer_is() -> None:
    version = compiled(IN_CUSTOMERS_ZONE)
    assert mark(version, "a", customerattributes='{"zone":"America/Caracas"}').zone == "America/Caracas"
    assert mark(version, "b").zone is None


@pytest.mark.parametrize("stamp", [{}, {"customerattributes": '{"zone":"Nowhere"}'}, {"customerattributes": '{"zone":5}'}])
def test_where_the_customers_zone_counts_and_is_not_known_the_trigger_cannot_be_judged(stamp: dict[str, Any]) -> None:
    with pytest.raises(ConditionError, match=r"`customer.zone`"):
        mark(compiled(IN_CUSTOMERS_ZONE), "a", **stamp)


def test_a_person_excuses_one_commitment_and_takes_it_back() -> None:
    version = compiled("  response: {when: {type: a}, expect: {type: b}, correlate: data.o}\n")
    data = {"promise": "p", "correlation": "o1", "about": str(UUID(int=7))}
    for type_, role in (("promises.excuse.granted", Role.EXCUSE), ("promises.excuse.taken_back", Role.UNEXCUSE)):
        seen = sees(version, type_, data, source="makegood/promises")
        assert seen is not None
        assert (seen[0], seen[1].roles, seen[1].about) == ('"o1"', role, UUID(int=7))
        assert sees(version, type_, data, source="somebody") is None
        assert sees(version, type_, data | {"promise": "another"}, source="makegood/promises") is None


def test_an_excuse_that_is_seen_is_about_no_one_commitment() -> None:
    version = compiled("  response: {when: {type: a}, expect: {type: b}}\n  excuse: {type: storm}\n")
    assert mark(version, "storm")[3:] == Mark(UUID(int=1), NOW, NOW, Role.EXCUSE)[3:]


def test_what_is_known_of_the_customer_counts_in_conditions_and_segments() -> None:
    spec = "  response: {when: {type: a, where: {customer.tier: [gold, silver]}}, expect: {type: b}}\n  segment: customer.tier\n"
    assert mark(compiled(spec), "a", customerattributes='{"tier":"gold"}').segment == "gold"
    assert sees(compiled(spec), "a", customerattributes='{"tier":"iron"}') is None
    assert sees(compiled(spec), "a") is None


def test_promises_that_correlate_alike_are_asked_together() -> None:
    one = compiled("  absence: {when: {type: a}, never: {type: b}, correlate: data.o}\n")
    other = compiled("  response: {when: {type: a}, expect: {type: b}, correlate: data.o}\n  segment: data.s\n")
    third = compiled("  response: {when: {type: a}, expect: {type: b}}\n")
    groups = Catalogue([one, third, other]).groups("a")
    assert [each.versions for each in groups] == [(one, other), (third,)]
    event = {"type": "a", "source": "s", "data": {"o": 1, "s": "web"}}
    assert [each.correlation(event) for each in groups] == ["1", "null"]
    for version in (one, other):
        found = version.roles(event, NOW)
        assert version.sees(event, NOW, NOW, UUID(int=1)) == ("1", version.mark(event, found, NOW, NOW, UUID(int=1)))
        assert version.reads(found) is (version is other)


PROMISES = [
    Compiled(each.declares)
    for path in sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*.yaml"))
    for each in read(path.read_text(encoding="utf-8"), path.name)
    if isinstance(each.declares, Promise)
]
FIELDS = (
    "order",
    "claim",
    "ticket",
    "priority",
    "due",
    "keys_by",
    "flat",
    "paid",
    "shelf_price",
    "receipt",
    "team",
    "promise",
    "correlation",
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["P1", "2026-03-02T09:00:00Z"])
DATA = st.dictionaries(
    st.sampled_from([*FIELDS, "about"]), VALUES | st.lists(VALUES, max_size=2) | st.dictionaries(st.text(max_size=3), VALUES)
)
TYPES = sorted({type_ for each in PROMISES for _, match in each.promise.judged.matches for type_ in match.types})
OUR_TYPES = ("promises.excuse.granted", "promises.excuse.taken_back", "recovery.case.opened")


@given(st.sampled_from(PROMISES), st.sampled_from([*TYPES, *OUR_TYPES]), DATA | VALUES | st.lists(VALUES), st.text(max_size=9))
def test_an_event_plays_its_parts_or_none_or_cannot_be_judged(version: Compiled, type_: str, data: object, stamp: str) -> None:
    event = {"type": type_, "source": "makegood/promises", "subject": "crm:1", "data": data, "customerattributes": stamp}
    with suppress(ConditionError):
        seen = version.sees(event, NOW, NOW, UUID(int=1))
        assert seen is None or seen[1].roles
