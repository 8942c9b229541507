"""`kind: Source`: reading it, and which promises its events may play a part in."""

from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from services.promises.blindness import Source
from services.promises.calendars.durations import Elapsed
from services.promises.compile import Compiled, meet
from services.promises.language import read
from tests.promises.reading import CALENDAR, complaints, promise

SOURCE = "apiVersion: makegood/v1\nkind: Source\nmetadata: {name: shop}\nspec:\n"
RESPONSE = "  response: {{when: {{type: {0}}}, expect: {{type: {1}{2}}}, within: 1 hour, open: {3}}}\n"


def test_a_source_says_how_often_it_is_heard_and_what_it_emits() -> None:
    *_, found = read(CALENDAR + SOURCE + "  {source: shop, heartbeat: 2 business hours, calendar: office, types: [a, b.*]}\n", "s.yaml")
    assert isinstance(found.declares, Source)
    assert (found.declares.name, found.declares.types, found.declares.calendar) == ("shop", ("a", "b.*"), "office")
    (plain,) = read(SOURCE + "  {source: shop, heartbeat: PT10M}\n", "s.yaml")
    assert plain.declares == Source("shop", Elapsed(timedelta(minutes=10)))
    (trusted,) = read(SOURCE + "  {source: shop, heartbeat: PT10M, trusted: true}\n", "s.yaml")
    assert trusted.declares == plain.declares


def test_a_source_that_is_only_trusted_needs_no_heartbeat_and_is_never_silent() -> None:
    (trusted,) = read(SOURCE + "  {source: crm, trusted: true}\n", "s.yaml")
    assert trusted.declares == Source("crm", None)
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert Source("crm", None).silences([(noon, None)], noon + timedelta(days=400)) == []
    needs = "p.yaml:5:3: a source says its `heartbeat`, how long it may be silent, or at least that it is `trusted: true`"
    for spec in ("{source: crm}", "{source: crm, trusted: false}", "{source: crm, trusted: true, calendar: office}"):
        assert [each for each in complaints(CALENDAR + SOURCE + f"  {spec}\n") if "heartbeat" in each] == [needs.replace(":5:", ":10:")]


def test_what_is_wrong_with_a_source_is_told_with_its_place() -> None:
    wrong = SOURCE + "  source: shop\n  heartbeat: 2 business hours\n  calender: office\n  types: [1]\n"
    assert complaints(wrong) == [
        "p.yaml:6:14: `2 business hours` needs a `calendar` that says what is open",
        "p.yaml:7:3: `spec` has no key `calender`; did you mean `calendar`?",
        "p.yaml:8:10: `types` is a list of event types, as in `[order.placed, order.*]`; left out, it may emit any",
    ]
    assert complaints(SOURCE + "  {source: shop, heartbeat: 1 day, trusted: very}\n") == [
        "p.yaml:5:45: `trusted` is true where the source may say who is whom (docs/identity.md), else false"
    ]
    assert complaints(SOURCE + "  {heartbeat: 0}\n") == [
        "p.yaml:5:3: `spec` needs `source`",
        "p.yaml:5:15: `heartbeat` is how long it may be silent, and that is longer than nothing",
    ]


def test_a_calendar_that_a_source_names_and_that_is_missing_or_wrong_is_one_finding() -> None:
    named = SOURCE + "  {source: shop, heartbeat: 2 business hours, calendar: ofice}\n"
    assert complaints(named) == ["p.yaml:5:57: there is no calendar `ofice`; publish it first, or add `kind: Calendar` to these files"]
    wrong = CALENDAR.replace("zone: ", "zone: Mars/")
    assert complaints(wrong + named.replace("ofice", "office")) == [each for each in complaints(wrong) if "zone" in each]


@pytest.mark.parametrize(
    ("when", "expect", "only_from", "source", "types", "heard"),
    [
        ("placed", "delivered", "", "shop", (), True),
        ("placed", "delivered", "", "shop", ("delivered", "other"), True),
        ("placed", "delivered", "", "shop", ("other",), False),
        ("placed", "delivered", "", "shop", ("placed",), False),
        ("placed", "delivered", "", "shop", ("deliver*",), True),
        ("placed", '"deliver*"', "", "shop", ("*red",), True),
        ("placed", '"deliver*"', "", "shop", ("*red", "deliveries"), True),
        ("placed", '"deliver*"', "", "shop", ("order*",), False),
        ("placed", "delivered", ", source: carrier", "shop", ("delivered",), False),
        ("placed", "delivered", ", source: sh*", "shop", ("delivered",), True),
        ("placed", '"*"', "", "makegood/recovery", ("recovery.*",), False),
        ("placed", '"recovery.case.*"', "", "makegood/recovery", ("recovery.*",), True),
        ("placed", "recovery.case.owned", "", "makegood/recovery", ("recovery.*",), True),
        ("placed", "recovery.case.owned", "", "makegood/recovery", ("recovery.pledge.*",), False),
    ],
)
def test_a_promise_depends_on_a_source_whose_events_may_play_a_part(
    when: str, expect: str, only_from: str, source: str, types: tuple[str, ...], *, heard: bool
) -> None:
    """Breaks if a silent source held what it has nothing to do with, or not what it may have kept."""
    assert Compiled(promise(RESPONSE.format(when, expect, only_from, "each"))).hears(source, types) is heard


def test_what_only_opens_commitments_bears_on_those_that_are_open_where_it_moves_their_anchor_or_is_counted() -> None:
    for opened, depends in (("each", False), ("first", True)):
        assert Compiled(promise(RESPONSE.format("placed", "delivered", "", opened))).hears("shop", ("placed",)) is depends
    assert Compiled(promise("  limit: {event: {type: placed}, at_most: 3}\n")).hears("shop", ("placed",))


def test_a_clock_that_any_event_resumes_depends_on_every_source_but_our_own() -> None:
    spec = RESPONSE.format("placed", "delivered", "", "each") + "  pause: {type: asked}\n  resume: other\n"
    compiled = Compiled(promise(spec))
    assert compiled.hears("shop", ("unheard.of",))
    assert not compiled.hears("makegood/recovery", ("recovery.*",))


texts = some.text("ab*", max_size=6)


@given(one=texts, other=texts, filled=some.lists(some.text("ab", max_size=3), min_size=6, max_size=6))
def test_patterns_that_one_text_matches_meet(one: str, other: str, filled: list[str]) -> None:
    assert meet(one, other) == meet(other, one)
    text = "".join(filled[place % 6] if each == "*" else each for place, each in enumerate(one))
    assert meet(one, text)
    assert meet("a" * 500 + "*", "*" + "b" * 500)
    assert not meet("a*", "b*")


@given(one=texts, other=texts)
def test_patterns_meet_only_where_some_short_text_matches_both(one: str, other: str) -> None:
    least = len(one.replace("*", "")) + len(other.replace("*", ""))
    assume(least <= 8)
    candidates = ("".join(text) for length in range(least + 1) for text in product("ab", repeat=length))
    assert meet(one, other) == any(fnmatchcase(text, one) and fnmatchcase(text, other) for text in candidates)
