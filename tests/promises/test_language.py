"""Promise files: what they say, and that every mistake is told with its place and what would be right."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.documents import ProblemsFoundError
from services.promises.declarations import EventType, Identifier, Promise
from services.promises.domain import Absence, Conformance, Response
from services.promises.language import Document, read

CATALOGUE = Path(__file__).parents[2] / "promises"
PROMISE = """apiVersion: makegood/v1
kind: Promise
metadata: {name: parcel-on-time, owner: logistics}
spec:
  statement: Your parcel arrives by the date we showed you.
"""
RESPONSE = "  response: {when: {type: order.placed}, expect: {type: order.delivered}, by: data.due}\n"


def complaints(text: str) -> list[str]:
    with pytest.raises(ProblemsFoundError) as problems:
        read(text, "p.yaml")
    return [str(each) for each in problems.value.findings]


def promise(text: str) -> Promise:
    (document,) = read(text, "p.yaml")
    assert isinstance(document.declares, Promise)
    return document.declares


@pytest.mark.parametrize("path", sorted(CATALOGUE.glob("*.yaml")), ids=lambda path: path.name)
def test_every_promise_of_the_catalogue_is_right(path: Path) -> None:
    assert any(each.kind == "Promise" for each in read(path.read_text(), path.name))


def test_all_findings_are_told_at_once_with_their_places() -> None:
    found = complaints(
        PROMISE + "  response:\n    when: {typ: order.placed}\n    expect: {type: order.delivered}\n    withn: 2 days\n  gracee: 1 hour\n"
    )
    assert found == [
        "p.yaml:7:11: `when` needs `type`",
        "p.yaml:7:12: `when` has no key `typ`; did you mean `type`?",
        "p.yaml:9:5: `response` has no key `withn`; did you mean `within`?",
        "p.yaml:10:3: `spec` has no key `gracee`; did you mean `grace`?",
    ]


def test_a_key_that_stands_twice_is_an_error() -> None:
    assert complaints(PROMISE + RESPONSE + "  statement: Another.\n") == [
        "p.yaml:7:3: `statement` stands here twice; its first place is line 5"
    ]


def test_a_wrong_type_is_an_error_and_says_what_it_should_be() -> None:
    found = complaints(PROMISE + "  response: {when: {type: a}, expect: {type: b}, count: two, strictly: 1}\n  principle: 12\n")
    assert found[0] == "p.yaml:6:57: `count` must be a whole number"
    assert "`strictly` must be true or false" in found[1]
    assert found[-1] == "p.yaml:7:14: `principle` must be a text, and this is 12; quote it"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("  limit: {event: a}\n", "the pattern `limit` is not supported yet"),
        (RESPONSE + "  pause: {type: a}\n", "`pause` is not supported yet"),
        (RESPONSE + "  calendar: branch-hours\n", "`calendar` is not supported yet"),
        (RESPONSE + "  grace: 2 business hours\n", "business durations are not supported yet"),
        (RESPONSE + "  segment: customer.tier\n", "attributes of the customer are not supported yet"),
        ("  absence: {when: {type: a}, never: {type: b}}\n  broken_by: {type: c}\n", "does not go with `absence`"),
        ("  absence: {when: {type: a}, never: {type: b}}\n  warn: 80%\n", "`warn` needs a due time"),
        ("  conformance: {event: {type: a}, must: {data.x: 1}}\n  cancel: {type: c}\n", "does not go with `conformance`"),
        ("  response: {when: {type: a}, expect: {type: b}}\n  warn: 80%\n", "`warn` needs a due time"),
        ("  response: {when: {type: a}, expect: {type: b}, within: 1 day, by: data.due}\n", "not both"),
        (RESPONSE + "  warn: 180%\n", "not a share of the budget"),
        (RESPONSE + "  grace: 5\n", "say it with its unit"),
        (RESPONSE + "  grace: 5 fortnights\n", "is not a duration"),
        (RESPONSE + "  zone: Europe/Nowhere\n", "is not a zone"),
        (RESPONSE + "  audience: customers\n", "did you mean `customer`?"),
        (RESPONSE + "  objective: {kept: 99}\n", "is not a share"),
        (RESPONSE + "  recovery: {severity: awful}\n", "is not a value of `severity`"),
        ("  response: {when: {type: a, where: {data.x: {y: 1}}}, expect: {type: b}}\n", "cannot be compared with a mapping"),
        ("  response: {when: {type: a, where: 'data.x +'}, expect: {type: b}}\n", "not a condition in CEL"),
        ("  response: {when: {type: a}, expect: []}\n", "`expect` is empty"),
        ("", "exactly one pattern, and this has none"),
        (RESPONSE + "  conformance: {event: {type: a}, must: {data.x: 1}}\n", "exactly one pattern"),
    ],
)
def test_what_is_wrong_is_said(line: str, complaint: str) -> None:
    assert any(complaint in each for each in complaints(PROMISE + line))


def test_a_misspelt_pattern_is_recognised() -> None:
    assert any("has no key `respons`; did you mean `response`?" in each for each in complaints(PROMISE + "  respons: {}\n"))


def test_two_promises_of_one_name_are_an_error() -> None:
    text = PROMISE + RESPONSE
    assert complaints(f"{text}---\n{text}") == [
        "p.yaml:10:18: there is a Promise named `parcel-on-time` on line 3 already; give it its own"
    ]


def test_what_is_no_yaml_is_told_with_its_place() -> None:
    assert complaints("apiVersion: [makegood/v1\nkind: Promise\n")[0].startswith("p.yaml:2:5: this is not YAML")


def test_anchors_are_refused_so_that_no_file_unfolds_without_end() -> None:
    assert "anchors and aliases are not read" in "".join(complaints(PROMISE + "  response: &a {when: *a}\n"))


def test_an_empty_file_is_an_error() -> None:
    assert complaints("") == ["p.yaml:1:1: there is no document in this file"]


def test_times_and_words_stay_the_text_that_was_written() -> None:
    text = PROMISE + RESPONSE + "  published:\n    - {channel: NO, reference: '12:30', since: 2026-01-01}\n"
    (document,) = read(text, "p.yaml")
    assert document.raw["spec"]["published"] == [{"channel": "NO", "reference": "12:30", "since": "2026-01-01"}]


def test_json_of_the_same_shape_reads_alike() -> None:
    (from_yaml,) = read(PROMISE + RESPONSE, "p.yaml")
    (from_json,) = read(json.dumps(from_yaml.raw), "p.json")
    assert from_json.declares == from_yaml.declares


def test_each_pattern_reads_as_what_is_judged() -> None:
    assert promise(PROMISE + RESPONSE).terms.pattern == Response(by=True)
    absence = promise(PROMISE + "  absence: {when: {type: a}, never: {type: b}, until: {type: c}, open: first}\n")
    assert (absence.terms.pattern, absence.terms.first) == (Absence(until=True), True)
    assert promise(PROMISE + "  conformance: {event: {type: a}, must: {data.x: 1}}\n").terms.pattern == Conformance()


def test_a_promise_takes_effect_at_an_instant_or_at_the_beginning_of_a_day_of_its_zone() -> None:
    dated = PROMISE.replace("owner: logistics", "owner: logistics, effective_from: 2026-07-01") + RESPONSE + "  zone: Europe/Madrid\n"
    assert promise(dated).effective_from == datetime(2026, 6, 30, 22, tzinfo=UTC)


def test_event_types_say_by_which_fields_a_customer_is_found() -> None:
    (document,) = read(
        "apiVersion: makegood/v1\nkind: EventType\nmetadata: {name: delivered}\nspec:\n  type: order.delivered\n  about: many\n"
        "  personal: [data.email]\n  identifiers: {order: {path: data.order_id, of: thing}, email: {path: data.email, of: person}}\n",
        "e.yaml",
    )
    assert document.declares == EventType(
        "order.delivered",
        (Identifier("order", ("data", "order_id"), person=False), Identifier("email", ("data", "email"), person=True)),
        (("data", "email"),),
        about_many=True,
    )


def test_documents_of_other_kinds_are_kept_as_they_are() -> None:
    (document,) = read("apiVersion: makegood/v1\nkind: Playbook\nmetadata: {name: late}\nspec: {tasks: [call]}\n", "b.yaml")
    assert document == Document("Playbook", "late", document.raw, 1)
    assert document.raw["spec"] == {"tasks": ["call"]}


@given(st.text(max_size=200) | st.text("{}[]:,&*!|>'\"%@`-? \n\tab1.", max_size=80).map(lambda tail: PROMISE + tail))
def test_whatever_is_read_ends_in_documents_or_in_findings(text: str) -> None:
    try:
        found = len(read(text, "p.yaml"))
    except ProblemsFoundError as problems:
        found = len(problems.findings)
    assert found
