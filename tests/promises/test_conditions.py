"""Which events a condition lets through."""

from typing import Any

import pytest

from services.promises.language.conditions import BadConditionError, condition, path, read_test
from services.promises.language.schemas import Fields


def holds(field: str, wanted: object, data: dict[str, Any], **envelope: Any) -> bool:
    compiled = condition((read_test(field, wanted),))
    assert compiled is not None
    return compiled({"type": "t", "source": "s", **envelope, "data": data})


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        (1, 1, True),
        (1, 1.0, True),
        (1, True, False),
        (True, True, True),
        (True, 1, False),
        (False, 0, False),
        ("1", 1, False),
        (None, None, True),
        (None, 0, False),
        (["DE", "AT"], "AT", True),
        (["DE", 1], True, False),
        ([">= 1"], ">= 1", True),
        ("a", ["a"], False),
        ("a", {"a": 1}, False),
    ],
)
def test_values_are_equal_by_json_type_and_value(wanted: object, value: object, expected: bool) -> None:  # noqa: FBT001
    assert holds("data.x", wanted, {"x": value}) is expected


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        (">= 100", 100, True),
        (">= 100", 99.9, False),
        ("> 100", 100, False),
        ("<=1e2", 100, True),
        ("< -1.5", -2, True),
        ("!= 5", 5.0, False),
        ("!= 5", "5", True),
        ("== 5", 5, True),
        (">= 100", "200", False),
        (">= 0", True, False),
        (">= m", "n", True),
        (">= m", 5, False),
        ("> '100'", "99", True),
        (">= 2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", True),
        ("> 2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", False),
        ("> 2026-01-01T00:00:00Z", "tomorrow", False),
    ],
)
def test_comparisons_hold_within_one_type(wanted: str, value: object, expected: bool) -> None:  # noqa: FBT001
    assert holds("data.x", wanted, {"x": value}) is expected


@pytest.mark.parametrize("wanted", [1, None, "!= 5", ["a", None]])
def test_a_missing_field_does_not_match(wanted: object) -> None:
    assert not holds("data.x", wanted, {})
    assert not holds("data.x.y", wanted, {"x": [1]})


def test_paths_reach_the_envelope_and_into_data() -> None:
    assert holds("subject", "crm:1", {}, subject="crm:1")
    assert holds("data.a.b", 1, {"a": {"b": 1}})


@pytest.mark.parametrize("wrong", ["dat.x", "data", "data.", "subject.x", "", "customer", "id"])
def test_other_paths_are_refused(wrong: str) -> None:
    with pytest.raises(BadConditionError):
        path(wrong)


def test_all_lines_must_hold() -> None:
    both = condition((read_test("data.total", ">= 100"), read_test("data.country", ["DE", "AT"])))
    assert both is not None
    assert both({"data": {"total": 100, "country": "DE"}})
    assert not both({"data": {"total": 100, "country": "FR"}})


def test_what_is_known_of_the_customer_is_below_customer() -> None:
    assert holds("customer.tier", "gold", {}, customerattributes='{"tier":"gold"}')
    assert holds("customer.age", ">= 18", {}, customerattributes={"age": 20})
    assert not holds("customer.tier", "gold", {})
    assert not holds("customer.tier", "gold", {}, customer="11111111-1111-1111-1111-111111111111", customerattributes="not JSON")


KNOWN: Fields = {("data", "total"): "number", ("data", "name"): "string", ("data", "done"): "boolean", ("data", "items"): "array"}


@pytest.mark.parametrize(
    ("field", "wanted", "possible"),
    [
        ("data.total", 5, True),
        ("data.total", "5", False),
        ("data.total", ">= 5", True),
        ("data.total", ">= m", False),
        ("data.total", True, False),
        ("data.total", ["5", 5], True),
        ("data.total", None, True),
        ("data.total", "!= x", True),
        ("data.name", ">= 5", False),
        ("data.name", "> 2026-01-01T00:00:00Z", True),
        ("data.done", True, True),
        ("data.done", "true", False),
        ("data.items", 5, False),
        ("data.other", ">= m", True),
    ],
)
def test_what_a_field_of_a_known_type_can_never_be_is_refused(field: str, wanted: object, possible: bool) -> None:  # noqa: FBT001
    if possible:
        read_test(field, wanted, KNOWN)
    else:
        with pytest.raises(BadConditionError, match="by its schema, and this never holds for one"):
            read_test(field, wanted, KNOWN)
