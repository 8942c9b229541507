"""What a settlement must come to: sums, counts and extremes over what was collected, as PROMISES.md says of `must`."""

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.promises.domain import UnjudgeableError
from services.promises.language.conditions import BadConditionError
from services.promises.language.settlements import SettlementMust, read_must

TRIGGER = {"type": "fine", "time": "2026-03-01T00:00:00Z", "data": {"total": 10, "name": "x", "nothing": None}}
PAID = [{"type": "paid", "data": {"value": value, "kind": kind}} for value, kind in ((4, "cash"), (5.5, "card"), (None, "card"))]
PAID += [{"type": "paid", "data": {}}, {"type": "paid"}]


def holds(text: str, events: list[dict[str, Any]] | None = None, trigger: dict[str, Any] | None = None) -> bool:
    return read_must(text, None, None)(TRIGGER if trigger is None else trigger, PAID if events is None else events)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(events, 'data.value') == 9.5", True),
        ("sum(events, 'data.value') >= trigger.data.total - 0.5", True),
        ("sum(events, 'data.value') >= trigger.data.total", False),
        ("sum(events, 'data.value') + 1 > 10", True),
        ("count(events) == 5", True),
        ("count(events) * 2 == 10", True),
        ("max(events, 'data.value') == 5.5 && min(events, 'data.value') == 4", True),
        ("sum(events, 'data.missing') == 0", True),
        ("sum(events.filter(e, has(e.data) && has(e.data.kind) && e.data.kind == 'card'), 'data.value') == 5.5", True),
        ("events[0].data.kind == 'cash' && events[1].data.value + 1 == 6.5", True),
        ("size(events) == 5", True),
        ("trigger.type == 'fine'", True),
        ("timestamp(trigger.time) < timestamp('2026-04-01T00:00:00Z')", True),
        ("events.exists(e, e.type == 'refund')", False),
        ("max(events, 'data.missing') == null", True),
        ("max(events, 'data.missing') == null || max(events, 'data.missing') > 1", True),
        ("max(events, 'data.missing') > 1", False),
        ("max(events, 'data.missing') <= 1", False),
        ("1 < min(events, 'data.missing')", False),
        ("!(max(events, 'data.missing') > 1)", True),
        ("max(events, 'data.missing') == 1", False),
        ("trigger.data.nothing > 1", False),
        ("trigger.data.nothing <= sum(events, 'data.value')", False),
    ],
)
def test_what_was_collected_is_added_up_and_compared(text: str, expected: bool) -> None:  # noqa: FBT001
    assert holds(text) is expected


def test_the_sum_of_none_is_zero() -> None:
    assert holds("sum(events, 'data.value') == 0 && count(events) == 0", [])


def test_numbers_are_doubles_and_a_sum_does_not_depend_on_their_order() -> None:
    events = [{"data": {"value": value}} for value in (1e16, 1.0, -1e16)]
    for each in (events, events[::-1]):
        assert holds("sum(events, 'data.value') == 1.0", each)


@given(st.lists(st.integers(-1000, 1000) | st.floats(-1000, 1000), max_size=8), st.integers(-100, 100))
def test_whole_numbers_and_others_mix(values: list[float], total: int) -> None:
    events = [{"data": {"value": value}} for value in values]
    trigger = {"data": {"total": total}}
    spread = "max(events, 'data.value') - min(events, 'data.value') <= trigger.data.total * 2"
    if values:
        assert holds(spread, events, trigger) is (float(max(values)) - float(min(values)) <= total * 2)
    assert holds("count(events) + trigger.data.total > 0", events, trigger) is (len(values) + total > 0)


@pytest.mark.parametrize(
    "text",
    [
        "trigger.data.missing > 1",
        "sum(events, 'data.kind') > 1",
        "max(events, 'data.missing') - 1 > 1",
        "trigger.data.name > 1",
        "trigger.data.total",
        "events[9].type == 'paid'",
    ],
)
def test_what_cannot_be_evaluated_is_an_error_and_never_false(text: str) -> None:
    with pytest.raises(UnjudgeableError):
        holds(text)


@pytest.mark.parametrize(
    ("text", "complaint", "column"),
    [
        ("sum(events, 'value') > 1", "`value` is not a path", 13),
        ("1 > sum(events.filter(e, has(e.data)), 'value')", "`value` is not a path", 40),
        ("sum(events) > 1", "this is not a condition in CEL: `sum` is not said so, but as `sum(events, 'data.value')`", 4),
        ("sum(events, trigger.type) > 1", "`sum` needs to be told the field by its name; say it as in `sum(events, 'data.value')`", 1),
        ("event.data.x > 1", "this is not a condition in CEL: there is no `event`; did you mean `events`?", 11),
        ("trigger.data.name > 1", "this is not a condition in CEL: `>` does not go with a text and a whole number", 19),
        ("sum(events, 'data.value') > 'x'", "this is not a condition in CEL: `>` does not go with a number and a text", 27),
        ("sum(events, 'data.kind') > 1", "`data.kind` is a text by its schema, and only numbers add up", 13),
        ("true &&\n sum(events, 'data.kind') > 1", "`data.kind` is a text by its schema, and only numbers add up", 14),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(text: str, complaint: str, column: int) -> None:
    with pytest.raises(BadConditionError) as found:
        read_must(text, {("data", "name"): "string"}, {("data", "kind"): "string"})
    assert str(found.value).startswith(complaint)
    assert found.value.place == (text.count("\n") + 1, column)


def test_a_condition_must_be_true_or_false() -> None:
    with pytest.raises(BadConditionError, match="must be true or false, and this is a number"):
        read_must("sum(events, 'data.value')", None, None)


def test_conditions_are_values_that_travel_between_processes() -> None:
    must = read_must("count(events) == 5", None, None)
    assert must == SettlementMust("count(events) == 5")
    assert pickle.loads(pickle.dumps(must))(TRIGGER, PAID)
