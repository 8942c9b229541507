"""Conditions in CEL: checked when they are read, bounded when they run, and an error is never false."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.cel import as_doubles, does_arithmetic
from services.promises.domain import UnjudgeableError
from services.promises.language.conditions import BadConditionError, condition, expression
from services.promises.language.expressions import ConditionError, check, compiled
from services.promises.language.schemas import Fields

KNOWN: Fields = {
    ("data", "total"): "number",
    ("data", "name"): "string",
    ("data", "done"): "boolean",
    ("data", "items"): "array",
    ("data", "to", "zip"): "string",
}


def holds(text: str, data: dict[str, Any], **envelope: Any) -> bool:
    check(text)
    return compiled(text)({"type": "t", "source": "s", "data": data, **envelope})


def test_cel_sees_the_envelope_the_data_and_the_customer() -> None:
    cel = condition((expression("type == 't' && has(data.due) && data.total > 5"),))
    assert cel is not None
    assert cel({"type": "t", "data": {"due": "x", "total": 5.5}})
    assert not cel({"type": "t", "data": {"total": 6}})
    assert not cel({"type": "u"})
    assert holds("customer.tier == 'gold'", {}, customerattributes='{"tier":"gold"}')
    assert holds("timestamp(time) < timestamp('2026-01-01T00:00:00Z')", {}, time="2025-12-31T23:00:00Z")


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("data.a * data.b > 24.5", {"a": 5, "b": 5}),
        ("data.a + 1 > 2", {"a": 1.5}),
        ("data.a + data.b == 2.5", {"a": 1, "b": 1.5}),
        ("data.list[0] + 1 == 2", {"list": [1]}),
        ("data.map['x'] / 2 == 2.5", {"map": {"x": 5}}),
        ("data.a - -1 == 2", {"a": 1}),
        ("data.a + 1e3 == 1001 && data.a in [1]", {"a": 1}),
        ("data.a == 1", {"a": 1.0}),
        ("data.a > 0.5", {"a": 1}),
        ("data.a % 2 == 0", {"a": 4}),
        ("int(data.a) + 1 == 2", {"a": 1.0}),
        ("size(data.list) == 2 && size(data.list) > 1", {"list": [1, 2]}),
        ("data.list.exists(x, x + 1 > 2)", {"list": [1, 2.5]}),
        ("data.a + '1' == 'x1'", {"a": "x"}),
    ],
)
def test_json_numbers_are_put_together_whatever_kinds_cel_has(text: str, data: dict[str, Any]) -> None:
    assert holds(text, data)


@given(
    st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6),
    st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6),
    st.sampled_from(["+", "-", "*"]),
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
)
def test_arithmetic_is_that_of_doubles(a: float, b: float, sign: str, relation: str) -> None:
    expected = eval(f"float(a) {sign} float(b) {relation} 3", {"a": a, "b": b, "float": float})
    assert holds(f"data.a {sign} data.b {relation} 3", {"a": a, "b": b}) is expected


def test_only_what_is_put_together_is_rewritten() -> None:
    assert as_doubles("data.a == 5 && data.s == '5 + 5'") == "data.a == 5 && data.s == '5 + 5'"
    assert as_doubles("data.l[5] + 5 == 6.5 // 5 + 5") == "data.l[5] + dyn(5.0) == dyn(6.5) // 5 + 5"
    assert as_doubles("data.a + 5 in [1]") == "data.a + dyn(5.0) in [dyn(1.0)]"
    assert not does_arithmetic("data.a % 2 + 1 == 0")


@pytest.mark.parametrize("wrong", ["data.x +", "type == 1", "nobody == 1", "1 + 1", "'text'", "x" * 5000, "data.x = 1", "data.f()"])
def test_cel_is_checked_when_it_is_read(wrong: str) -> None:
    with pytest.raises(BadConditionError):
        expression(wrong)


@pytest.mark.parametrize(
    ("text", "complaint", "column"),
    [
        ("data.total > 'x'", "`>` does not go with a number and a text", 12),
        ("data.name > 5", "`>` does not go with a text and a whole number", 11),
        ("has(data.name) && data.name == 5", "`==` does not go with a text and a whole number", 29),
        ("data.to.zip + 1 > 2", "`+` does not go with a text and a whole number", 13),
        ("data.done == 'yes'", "`==` does not go with true or false and a text", 11),
        ("data.total ==\n data.name", "`==` does not go with a number and a text", 12),
        ("data.total > 5 && typ == 't'", "there is no `typ`; did you mean `type`?", 19),
        ("dta.total > 5", "there is no `dta`; did you mean `data`?", 4),
        ("data.name.starts('x')", "there is no function `starts`", 17),
        ("data.total > ", "something is missing at its end", 13),
        ("data.total = 5", "`=` does not belong here; equal is `==`", 12),
        ("data.total > 5 and true", "`and` does not belong here", 16),
    ],
)
def test_what_is_wrong_is_said_with_a_caret_under_its_place(text: str, complaint: str, column: int) -> None:
    with pytest.raises(BadConditionError) as found:
        check(text, KNOWN)
    said, shown, caret = str(found.value).splitlines()
    assert said == f"this is not a condition in CEL: {complaint}"
    assert shown.strip() == text.splitlines()[0].rstrip()
    assert caret == "    " + " " * (column - 1) + "^"
    assert found.value.place == (1, column)


@pytest.mark.parametrize(
    "text",
    [
        "data.total == 5",
        "data.total > 5 && data.total < 7.5",
        "data.total + 1 > 2.5",
        "data.total % 2 == 0",
        "has(data.name) && data.name != 'x'",
        "has(data.to) && has(data.to.zip) && data.to.zip == '1'",
        "data.items.exists(x, x.price > 5)",
        "size(data.items) == data.total",
        "data.total in [1, 2.5]",
        "data.done",
        "data.unknown > 5",
        "data['name'] == 'x'",
    ],
)
def test_what_is_right_of_fields_whose_types_are_known_is_taken(text: str) -> None:
    check(text, KNOWN)


@pytest.mark.parametrize(
    "failing", ["data.missing > 1", "data.text > 1", "data.text", "1 % 0 > 1", "data.nothing > 1", "data.text + 1 > 2"]
)
def test_cel_that_fails_on_an_event_is_an_error_and_never_false(failing: str) -> None:
    """Breaks if the truth of CEL's result is used: the truth of an error is True."""
    cel = condition((expression(failing),))
    assert cel is not None
    with pytest.raises(ConditionError):
        cel({"type": "t", "data": {"text": "a", "nothing": None}})
    assert issubclass(ConditionError, UnjudgeableError)


def test_what_runs_for_ever_ends_as_an_error() -> None:
    within_within = "data.l.all(a, data.l.all(b, data.l.all(c, data.l.all(d, true))))"
    with pytest.raises(ConditionError, match="budget"):
        holds(within_within, {"l": list(range(200))})


def test_a_pattern_of_text_is_matched_in_time_that_grows_with_the_text() -> None:
    assert not holds("data.s.matches('(a+)+b')", {"s": "a" * 16_000})


SAID = {
    "data.n > 1": "n > 1",
    "data.n == 2": "n == 2",
    "data.n + 1 < data.m": "n + 1 < m",
    "data.s == 'a'": "s == 'a'",
    "data.s in ['a', 'b']": "s in ('a', 'b')",
    "data.b": "b",
    "has(data.x)": "has_x",
    "(type == 't' ? data.b : true)": "b",
}
EXPRESSIONS = st.recursive(
    st.sampled_from(list(SAID.items())),
    lambda inner: (
        st.tuples(inner, st.sampled_from([("&&", "and"), ("||", "or")]), inner).map(
            lambda each: (f"({each[0][0]} {each[1][0]} {each[2][0]})", f"({each[0][1]} {each[1][1]} {each[2][1]})")
        )
        | inner.map(lambda each: (f"!({each[0]})", f"(not {each[1]})"))
    ),
    max_leaves=6,
)
DATA = st.fixed_dictionaries(
    {
        "n": st.integers(0, 3) | st.sampled_from([1.5, 2.0]),
        "m": st.integers(0, 3),
        "s": st.sampled_from(["a", "b", "c"]),
        "b": st.booleans(),
    },
    optional={"x": st.none()},
)


@given(EXPRESSIONS, DATA)
def test_cel_says_what_the_same_words_say_in_python(said: tuple[str, str], data: dict[str, Any]) -> None:
    text, python = said
    assert holds(text, data) is eval(python, {**data, "has_x": "x" in data})
