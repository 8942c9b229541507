"""Promise files: what they say, and that every mistake is told with its place and what would be right."""

import json
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.documents import ProblemsFoundError
from services.promises.calendars import Calendar
from services.promises.calendars.durations import Timekeeping
from services.promises.language import Document, File, Known, read, read_files
from services.promises.language.declarations import EventType, Identifier, Objective, Promise, Published
from services.promises.language.modifiers import GOES_WITH
from services.promises.language.patterns import PATTERNS
from tests.promises.reading import CALENDAR, PROMISE, complaints, complaints_of, promise

CATALOGUE = Path(__file__).parents[2] / "promises"
RESPONSE = "  response: {when: {type: order.placed}, expect: {type: order.delivered}, by: data.due}\n"


@pytest.mark.parametrize("path", sorted(CATALOGUE.glob("*.yaml")), ids=lambda path: path.name)
def test_every_document_of_the_catalogue_is_right(path: Path) -> None:
    assert read(path.read_text(), path.name)


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
        (RESPONSE + "  calendar: branch-hours\n", "there is no calendar `branch-hours`; add `kind: Calendar` to these files"),
        (RESPONSE + "  grace: 5 fortnights\n", "is not a duration"),
        (RESPONSE + "  zone: Europe/Nowhere\n", "is not a zone"),
        (RESPONSE + "  zone: europe/madrid\n", "did you mean `Europe/Madrid`?"),
        (RESPONSE + "  audience: customers\n", "did you mean `customer`?"),
        (RESPONSE + "  objective: {kept: 99}\n", "is not a share"),
        (RESPONSE + "  objective: {kept: 99%, window: always}\n", "is not a duration"),
        (RESPONSE + "  recovery: {severity: awful}\n", "is not a value of `severity`"),
        (RESPONSE + "  published: [{channel: web, since: soon}]\n", "`soon` is not a day; say it as `2026-01-01`"),
        (RESPONSE + "  published: [{reference: page}]\n", "an entry of `published` needs `channel`"),
        (RESPONSE + "  supports: [{name: x}]\n", "`supports` is a list of names of promises"),
        ("  response: {when: {type: a, where: {data.x: {y: 1}}}, expect: {type: b}}\n", "cannot be compared with a mapping"),
        ("  response: {when: {type: a, where: 'data.x +'}, expect: {type: b}}\n", "not a condition in CEL"),
        ("  response: {when: {type: a}, expect: []}\n", "`expect` is empty"),
        ("", "exactly one pattern, and this has none"),
        (RESPONSE + "  conformance: {event: {type: a}, must: {data.x: 1}}\n", "exactly one pattern"),
    ],
)
def test_what_is_wrong_is_said(line: str, complaint: str) -> None:
    assert any(complaint in each for each in complaints_of(line))


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


def test_a_promise_takes_effect_at_an_instant_or_at_the_beginning_of_a_day_of_its_zone() -> None:
    dated = PROMISE.replace("owner: logistics", "owner: logistics, effective_from: 2026-07-01") + RESPONSE
    (document,) = read(dated + "  zone: Europe/Madrid\n", "p.yaml")
    assert isinstance(document.declares, Promise)
    assert document.declares.effective_from == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert complaints(dated + "  zone: customer\n") == ["p.yaml:3:68: in the customer's zone a day begins at many instants; say which one"]


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


def test_a_promise_keeps_what_informs_people_beside_what_is_judged() -> None:
    found = promise(
        RESPONSE
        + "  audience: internal\n  supports: [a, b]\n  encounter: second\n  dimension: cost\n  component: people\n  principle: We pay.\n"
        + "  published: [{channel: web, reference: page, since: 2026-01-01}, {channel: shop}]\n"
        + "  objective: {kept: 99.5%, window: 30 days}\n  recovery: {playbook: late, severity: high}\n"
    )
    assert (found.audience, found.supports, found.encounter, found.dimension) == ("internal", ("a", "b"), "second", "cost")
    assert (found.component, found.principle, found.severity, found.playbook) == ("people", "We pay.", "high", "late")
    assert found.published == (Published("web", "page", "2026-01-01"), Published("shop"))
    assert found.objective == Objective(0.995, "30 days")


def test_labels_are_kept_as_they_are() -> None:
    (document,) = read(PROMISE.replace("owner: logistics", "owner: logistics, labels: {brand: acme, year: 2026}") + RESPONSE, "p.yaml")
    assert isinstance(document.declares, Promise)
    assert document.declares.labels == {"brand": "acme", "year": 2026}


def test_a_document_knows_where_everything_of_it_stands() -> None:
    (document,) = read(PROMISE + RESPONSE, "p.yaml")
    statement = document.root.content["spec"].content["statement"]
    assert (statement.content, statement.line, statement.column) == ("Your parcel arrives by the date we showed you.", 5, 14)


def test_files_that_are_read_together_know_each_others_calendars() -> None:
    using = PROMISE + "  calendar: office\n  response: {when: {type: a}, expect: {type: b}, within: 2 business hours}\n"
    found = read_files([File("p.yaml", using), File("c.yaml", CALENDAR)])
    assert [each.name for documents in found.values() for each in documents] == ["parcel-on-time", "office"]
    (document,) = found["p.yaml"]
    assert isinstance(document.declares, Promise)
    assert document.declares.calendar == "office"
    (calendar,) = found["c.yaml"]
    assert isinstance(calendar.declares, Calendar)
    assert document.declares.terms.time == Timekeeping(None, calendar.declares)
    assert read(using, "p.yaml", Known({"office": calendar.declares}))[0].declares == document.declares


def test_what_is_wrong_in_several_files_is_told_at_once() -> None:
    with pytest.raises(ProblemsFoundError) as problems:
        read_files([File("a.yaml", PROMISE + RESPONSE), File("b.yaml", ""), File("c.yaml", PROMISE + RESPONSE)])
    assert [str(each).split(":")[0] for each in problems.value.findings] == ["b.yaml", "c.yaml"]
    assert str(problems.value.findings[-1]).endswith(
        "there is a Promise named `parcel-on-time` in a.yaml, line 3, already; give it its own"
    )


def test_a_calendar_that_is_misspelt_or_wrong_is_one_finding() -> None:
    using = "  calendar: ofice\n  response: {when: {type: a}, expect: {type: b}, within: 2 business hours}\n  warn: 1 business hour\n"
    assert complaints_of(using, CALENDAR) == ["1:13: there is no calendar `ofice`; did you mean `office`?"]
    wrong = CALENDAR.replace("Europe/Madrid", "Europe/Nowhere")
    assert [each.split(":")[0] for each in complaints_of(using.replace("ofice", "office"), wrong)] == [f"{4 - 10}"]


EVENT_TYPE = """apiVersion: makegood/v1
kind: EventType
metadata: {name: placed}
spec:
  type: order.placed
  schema: {type: object, properties: {total: {type: string}, count: {type: integer}, to: {type: object, properties: {zip: {type: string}}}}}
---
"""


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("order.placed", False),
        ("order.placd", True),
        ("order.placced", True),
        ("order.plaecd", True),
        ("order.plased", True),
        ("order.replaced", False),
        ("order.placed2", False),
        ("order.plac*", False),
        ("order.delivered", False),
    ],
)
def test_an_event_type_that_is_a_slip_away_from_one_that_is_described_is_misspelt(written: str, wrong: bool) -> None:  # noqa: FBT001
    spec = f'  response: {{when: {{type: "{written}"}}, expect: {{type: b}}}}\n'
    if wrong:
        assert complaints_of(spec, EVENT_TYPE) == [f"1:27: there is no EventType for `{written}`; did you mean `order.placed`?"]
    else:
        promise(spec, EVENT_TYPE)


@pytest.mark.parametrize(
    ("where", "at"),
    [
        ('"has(data.total) && data.total > 5"', "> 5"),
        ("'data.total > 5'", "> 5"),
        ("data.total > 5", "> 5"),
        ("{data.total: '> 5'}", "data.total"),
        ("{data.to.zip: 5}", "data.to.zip"),
        ("{data.count: [a, b]}", "data.count"),
    ],
)
def test_a_condition_on_a_field_whose_type_is_known_is_checked_at_load(where: str, at: str) -> None:
    spec = f"  response: {{when: {{type: order.placed, where: {where}}}, expect: {{type: b}}}}\n"
    (found,) = complaints_of(spec, EVENT_TYPE)
    assert found.startswith(f"1:{spec.index(at) + 1}: ")
    promise(spec.replace("order.placed", "[order.placed, another]"), EVENT_TYPE)


BLOCK = """  response:
    when:
      type: order.placed
      where: |
        data.count > 3
          && data.total > 5
    expect: {type: b}
"""


def test_a_mistake_in_a_block_of_cel_is_told_with_its_own_line_and_column() -> None:
    wrong = "this is not a condition in CEL: `>` does not go with a text and a whole number"
    assert complaints_of(BLOCK, EVENT_TYPE) == [f"6:25: {wrong}\n      && data.total > 5\n                    ^"]


def test_the_condition_of_a_conformance_and_of_a_settlement_is_checked_against_what_is_known() -> None:
    assert complaints_of("  conformance: {event: {type: order.placed}, must: 'data.total > 5'}\n", EVENT_TYPE)[0].startswith("1:64:")
    settlement = '  settlement: {when: {type: order.placed}, collect: {type: order.placed}, within: 1 day, must: "%s"}\n'
    for must, column in (("sum(events, 'data.count') > trigger.data.total", 123), ("sum(events, 'data.total') > 5", 109)):
        assert complaints_of(settlement % must, EVENT_TYPE)[0].startswith(f"1:{column}:")
    promise(settlement % "sum(events, 'data.count') > trigger.data.count", EVENT_TYPE)


KEYS = "when expect event after never until collect must steps patterns every within by in end at_most count open correlate type where from"
WORDS = st.sampled_from([*KEYS.split(), *PATTERNS, *GOES_WITH])
PLAIN = ("a", "order.*", "data.x", "customer.tier", "2 days", "0 hours", "2 business days", "50%", "other", "closing", "each", "previous")
IN_CEL = ("data.x >", "data.x > 5", "sum(events, 'data.x') > 1", "sum(", "max(events, 5)", "has(data.x)\n  && data.y ==", "'")
SCALARS = st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([*PLAIN, *IN_CEL])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12)
EXAMPLES = [path.read_text(encoding="utf-8") for path in sorted((CATALOGUE.parent / "docs" / "examples").glob("*.yaml"))]


def places(value: object) -> Iterator[tuple[dict[str, object] | list[object], str | int]]:
    """Everything inside a value, as what it is in and where there."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        assert isinstance(value, dict | list)
        yield value, key
        yield from places(each)


@given(st.sampled_from(EXAMPLES), st.data())
def test_whatever_stands_in_a_promise_it_is_read_or_refused(example: str, data: st.DataObject) -> None:
    """Breaks if a value that is wrong here is an exception there: nobody is told where it stands."""
    documents = [deepcopy(each.raw) for each in read(example, "p.yaml")]
    for _ in range(data.draw(st.integers(1, 3))):
        inside, key = data.draw(st.sampled_from(list(places([each["spec"] for each in documents]))))
        inside[key] = data.draw(VALUES)  # type: ignore[index]
    with suppress(ProblemsFoundError):
        assert len(read("\n---\n".join(map(json.dumps, documents)), "p.json")) == len(documents)
