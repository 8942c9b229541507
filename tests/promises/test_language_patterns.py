"""Every pattern reads as what is judged, and every mistake in one is told with its place."""

from datetime import timedelta

import pytest

from services.promises.calendars.durations import BusinessDays, CalendarTime, Elapsed
from services.promises.domain import (
    Absence,
    AllOf,
    Conformance,
    Limit,
    Milestones,
    Pattern,
    Precedence,
    Recurrence,
    Response,
    Role,
    Settlement,
    Step,
    in_slot,
)
from services.promises.language.declarations import Match
from services.promises.language.settlements import SettlementMust
from tests.promises.reading import CALENDAR, complaints_of, promise

HOUR, TWO_HOURS = Elapsed(timedelta(hours=1)), Elapsed(timedelta(hours=2))
A, B, C, D = (Match((each,)) for each in "abcd")
STEPS = "{name: x, expect: {type: b}, within: 1 hour}, {name: y, expect: {type: c}, by: data.y}"
STEPS += ", {name: z, expect: {type: d}, within: 2 hours, from: previous}"
MILESTONES = Milestones((Step("x", HOUR), Step("y", by=True), Step("z", TWO_HOURS, from_previous=True)))
PARTS = "{response: {expect: {type: b}}}, {precedence: {after: {type: c}}}, {conformance: {must: {data.x: 1}}}"
PARTS += ", {all_of: {patterns: [{response: {expect: {type: d}}}]}}"


def roles(spec: str) -> list[tuple[int, Match]]:
    return list(promise(spec).judged.matches)


@pytest.mark.parametrize(
    ("spec", "pattern"),
    [
        ("response: {when: {type: a}, expect: {type: b}}", Response()),
        ("response: {when: {type: a}, expect: {type: b}, within: 1 hour, count: 2, strictly: true}", Response(HOUR, False, 2, True)),
        ("response: {when: {type: a}, expect: {type: b}, by: data.due}", Response(by=True)),
        ("precedence: {event: {type: a}, after: {type: b}}", Precedence()),
        ("precedence: {event: {type: a}, after: {type: b}, no_sooner_than: 1 hour, within: 2 hours}", Precedence(HOUR, TWO_HOURS)),
        ("absence: {when: {type: a}, never: {type: b}}", Absence()),
        ("absence: {when: {type: a}, never: {type: b}, within: 1 hour, until: {type: c}}", Absence(HOUR, until=True)),
        ("limit: {event: {type: a}, at_most: 2}", Limit(2)),
        ("limit: {event: {type: a}, at_most: 0, in: 1 hour}", Limit(0, HOUR)),
        ("conformance: {event: {type: a}, must: {data.x: 1}}", Conformance()),
        ("settlement: {when: {type: a}, collect: {type: b}, must: 'true', within: 1 hour}", Settlement(SettlementMust("true"), HOUR)),
        ("settlement: {when: {type: a}, collect: {type: b}, must: 'true', by: data.due}", Settlement(SettlementMust("true"), by=True)),
        (
            "settlement: {when: {type: a}, collect: {type: b}, must: 'true', until: {type: c}, settle: early}",
            Settlement(SettlementMust("true"), until=True, early=True),
        ),
        ("recurrence: {when: {type: a}, expect: {type: b}, every: 1 hour, until: {type: c}}", Recurrence(HOUR, until=True)),
        (f"milestones: {{when: {{type: a}}, steps: [{STEPS}]}}", MILESTONES),
        (
            "all_of: {when: {type: a}, patterns: [{response: {expect: {type: b}, within: 1 hour}}, {absence: {never: {type: c}}}]}",
            AllOf((Response(HOUR), Absence())),
        ),
        (
            f"sequence_of: {{when: {{type: a}}, patterns: [{PARTS}]}}",
            AllOf((Response(), Precedence(), Conformance(), AllOf((Response(),))), in_order=True),
        ),
    ],
)
def test_each_pattern_reads_as_what_is_judged(spec: str, pattern: Pattern) -> None:
    assert promise(f"  {spec}\n").terms.pattern == pattern


@pytest.mark.parametrize(
    ("spec", "first"),
    [
        ("response: {when: {type: a}, expect: {type: b}}", False),
        ("response: {when: {type: a}, expect: {type: b}, open: each}", False),
        ("response: {when: {type: a}, expect: {type: b}, open: first}", True),
        ("precedence: {event: {type: a}, after: {type: b}, open: first}", True),
        ("conformance: {event: {type: a}, must: {data.x: 1}, open: first}", True),
        ("limit: {event: {type: a}, at_most: 2}", True),
        ("all_of: {when: {type: a}, open: first, patterns: [{response: {expect: {type: b}}}]}", True),
    ],
)
def test_a_commitment_opens_at_each_trigger_or_at_the_first(spec: str, first: bool) -> None:  # noqa: FBT001
    assert promise(f"  {spec}\n").terms.first is first


def test_events_play_their_parts_in_the_slots_of_the_pattern() -> None:
    assert roles("  absence: {when: {type: a}, never: [{type: b}, {type: c}], until: {type: d}}\n") == [
        (Role.TRIGGER, A),
        (Role.NEVER, B),
        (Role.NEVER, C),
        (Role.UNTIL, D),
    ]
    steps = "{name: x, expect: {type: b}}, {name: y, expect: {type: c}}"
    assert roles(f"  milestones: {{when: {{type: a}}, steps: [{steps}]}}\n") == [
        (Role.TRIGGER, A),
        (in_slot(Role.EXPECT, 0), B),
        (in_slot(Role.EXPECT, 1), C),
    ]
    parts = f"{{milestones: {{steps: [{steps}]}}}}, {{settlement: {{collect: {{type: d}}, must: 'true', until: {{type: a}}}}}}"
    parts += ", {precedence: {after: {type: b}}}"
    assert roles(f"  all_of: {{when: {{type: a}}, patterns: [{parts}]}}\n")[1:] == [
        (in_slot(Role.EXPECT, 0), B),
        (in_slot(Role.EXPECT, 1), C),
        (in_slot(Role.COLLECT, 2), D),
        (in_slot(Role.UNTIL, 2), A),
        (in_slot(Role.EXPECT, 3), B),
    ]


def test_each_slot_says_what_it_is_due_by() -> None:
    parts = "{response: {expect: {type: b}, by: data.x}}, {response: {expect: {type: c}, within: 1 hour}}"
    judged = promise(f"  all_of: {{when: {{type: a}}, patterns: [{parts}]}}\n").judged
    assert judged.bys == (("data", "x"), None)


def test_a_settlement_reads_its_trigger_and_what_it_collects() -> None:
    parts = "{response: {expect: {type: b}}}, {settlement: {collect: {type: c}, must: 'true', within: 1 hour}}"
    judged = promise(f"  all_of: {{when: {{type: a}}, patterns: [{parts}]}}\n").judged
    assert judged.collected == Role.TRIGGER | in_slot(Role.COLLECT, 1)
    assert promise("  response: {when: {type: a}, expect: {type: b}}\n").judged.collected == 0


def test_business_days_end_at_the_same_clock_time_or_at_closing() -> None:
    spec = "  calendar: office\n  response: {when: {type: a}, expect: {type: b}, within: 2 business days%s}\n"
    for end, closing in (("", False), (", end: closing", True)):
        pattern = promise(spec % end, CALENDAR).terms.pattern
        assert isinstance(pattern, Response)
        assert isinstance(pattern.within, BusinessDays)
        assert (pattern.within.number, pattern.within.closing) == (2, closing)


def test_days_are_counted_in_the_calendars_zone() -> None:
    pattern = promise("  calendar: office\n  response: {when: {type: a}, expect: {type: b}, within: 2 days}\n", CALENDAR).terms.pattern
    assert isinstance(pattern, Response)
    assert isinstance(pattern.within, CalendarTime)
    assert pattern.within.zone.key == "Europe/Madrid"


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (
            "response: {when: {type: a}, expect: {type: b}, within: 1 day, by: data.due}",
            "1:65: `response` is due `within` a duration or `by`",
        ),
        ("response: {when: {type: a}, expect: {type: b}, count: 0}", "1:50: `count` must be at least 1"),
        ("response: {when: {type: a}, expect: {type: b}, strictly: true}", "1:50: `strictly` needs a due time"),
        ("response: {when: {type: a}, expect: {type: b}, within: 2 days, end: closing}", "1:58: `end: closing` goes with business days"),
        ("response: {when: {type: a}, expect: {type: b}, end: closing}", "1:50: `end: closing` says when business days end"),
        ("response: {when: {type: a}, expect: {type: b}, within: 2 business days}", "1:58: `2 business days` needs a `calendar`"),
        ("response: {when: {type: a}, expect: {type: b}, open: last}", "1:56: `last` is not a value of `open`"),
        ("response: {when: {type: a}}", "1:13: `response` needs `expect`"),
        ("response: {expect: {type: a}}", "1:13: `response` needs `when`"),
        ("response: {when: {type: a}, expect: [b]}", "1:40: `expect` must be a match"),
        ("response: []", "1:13: `response` must be a mapping"),
        ("precedence: {when: {type: a}, after: {type: b}}", "1:15: `precedence` needs `event`"),
        ("limit: {event: {type: a}}", "1:10: `limit` needs `at_most`"),
        ("limit: {event: {type: a}, at_most: -1}", "1:29: `at_most` must be at least 0"),
        ("limit: {event: {type: a}, at_most: 1, open: each}", "1:41: `limit` has no key `open`"),
        ("conformance: {event: {type: a}, must: 1}", "1:41: `must` must be a mapping of fields to values, or a condition in CEL"),
        ("settlement: {when: {type: a}, collect: {type: b}, must: 'true'}", "1:15: a settlement needs an end"),
        (
            "settlement: {when: {type: a}, collect: {type: b}, must: {data.x: 1}, within: 1 day}",
            "1:59: `must` of a settlement is a condition",
        ),
        (
            "settlement: {when: {type: a}, collect: {type: b}, must: 'sum(events) > 1', within: 1 day}",
            "1:63: this is not a condition in CEL",
        ),
        ("recurrence: {when: {type: a}, expect: {type: b}}", "1:15: `recurrence` needs `every`"),
        ("recurrence: {when: {type: a}, expect: {type: b}, every: 0 days}", "1:59: `every` must take some time"),
        ("milestones: {when: {type: a}, steps: []}", "1:33: `steps` is empty"),
        ("milestones: {when: {type: a}}", "1:15: `milestones` needs `steps`"),
        ("milestones: {when: {type: a}, steps: [{expect: {type: b}}]}", "1:41: a step needs `name`"),
        (
            "milestones: {when: {type: a}, steps: [{name: x, expect: {type: b}}, {name: x, expect: {type: b}}]}",
            "1:78: there is a step `x` already; give each its own name",
        ),
        ("all_of: {when: {type: a}}", "1:11: `all_of` needs `patterns`"),
        ("all_of: {when: {type: a}, patterns: []}", "1:29: `patterns` is empty"),
        ("all_of: {when: {type: a}, patterns: [a]}", "1:40: each of `patterns` is one pattern"),
        ("all_of: {when: {type: a}, patterns: [{respons: {}}]}", "1:41: `respons` is not a pattern; did you mean `response`?"),
        ("all_of: {when: {type: a}, patterns: [{limit: {at_most: 1}}]}", "1:41: `limit` counts events of its own"),
        (
            "all_of: {when: {type: a}, patterns: [{response: {when: {type: b}, expect: {type: b}}}]}",
            "1:52: `when` stands once, in `all_of`, for all of its patterns",
        ),
    ],
)
def test_what_is_wrong_with_a_pattern_is_said_where_it_stands(spec: str, complaint: str) -> None:
    found = complaints_of(f"  {spec}\n")
    assert any(each.startswith(complaint) for each in found), found


def test_what_comes_of_a_pattern_does_not_depend_on_what_else_is_wrong() -> None:
    found = complaints_of("  milestones: {when: {typ: a}, steps: [{name: x, expect: {type: b}, within: 2 dayz}]}\n  wran: 50%\n")
    assert [each.split(": ")[0] for each in found] == ["1:22", "1:23", "1:77", "2:3"]
