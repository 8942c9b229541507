"""Which events a promise version sees, in which roles, and what ties them together."""

import pickle
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.promises.compile import Catalogue, Compiled, canonical
from services.promises.conditions import MISSING
from services.promises.declarations import Promise
from services.promises.domain import Mark, Role
from services.promises.expressions import ConditionError
from services.promises.language import read

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HEAD = "apiVersion: makegood/v1\nkind: Promise\nmetadata: {name: p, owner: o}\nspec:\n  statement: s\n"


def compiled(spec: str, effective_from: datetime | None = None, superseded_at: datetime | None = None) -> Compiled:
    (document,) = read(HEAD + spec, "p.yaml")
    assert isinstance(document.declares, Promise)
    return Compiled(document.declares, effective_from=effective_from, superseded_at=superseded_at)


def sees(version: Compiled, type_: str, data: dict[str, Any] | None = None, **more: Any) -> tuple[str, Mark] | None:
    event = {"type": type_, "source": "shop", "subject": "crm:1", "data": data or {}, **more}
    return version.sees(event, NOW, NOW, UUID(int=1))


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


def test_a_trigger_carries_its_segment_as_text() -> None:
    for value, text in (("web", "web"), (7.0, "7"), (True, "true"), (None, None)):
        seen = sees(ORDERS, "order.placed", {"order_id": 1, "channel": value})
        assert seen is not None
        assert seen[1].segment == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("1", '"1"'), (1, "1"), (1.0, "1"), (1.5, "1.5"), (True, "true"), ({"b": 1.0, "a": [2.0]}, '{"a":[2],"b":1}'), ("é", '"é"')],
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
