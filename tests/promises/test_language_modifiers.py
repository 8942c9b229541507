"""Every modifier around a pattern: which goes with which, what it reads as, and what is wrong with one."""

from datetime import timedelta

import pytest

from services.promises.calendars.durations import NOTHING, BusinessTime, Elapsed
from services.promises.domain import Role, Warn
from services.promises.language.conditions import Equal
from services.promises.language.declarations import Match, Target
from services.promises.language.modifiers import GOES_WITH, Goes
from services.promises.language.patterns import PATTERNS
from tests.promises.reading import CALENDAR, complaints_of, promise

TIMED = {
    "response": "response: {when: {type: a}, expect: {type: b}, within: 1 day}",
    "precedence": "precedence: {event: {type: a}, after: {type: b}, within: 1 day}",
    "absence": "absence: {when: {type: a}, never: {type: b}, within: 1 day}",
    "limit": "limit: {event: {type: a}, at_most: 2, in: 1 day}",
    "conformance": "conformance: {event: {type: a}, must: {data.x: 1}}",
    "settlement": "settlement: {when: {type: a}, collect: {type: b}, must: 'true', within: 1 day}",
    "recurrence": "recurrence: {when: {type: a}, expect: {type: b}, every: 1 day}",
    "milestones": "milestones: {when: {type: a}, steps: [{name: x, expect: {type: b}, within: 1 day}]}",
    "all_of": "all_of: {when: {type: a}, patterns: [{response: {expect: {type: b}, within: 1 day}}]}",
    "sequence_of": "sequence_of: {when: {type: a}, patterns: [{response: {expect: {type: b}, within: 1 day}}]}",
}
UNTIMED = {
    "response": "response: {when: {type: a}, expect: {type: b}}",
    "absence": "absence: {when: {type: a}, never: {type: b}, until: {type: c}}",
    "settlement": "settlement: {when: {type: a}, collect: {type: b}, must: 'true', until: {type: c}}",
    "milestones": "milestones: {when: {type: a}, steps: [{name: x, expect: {type: b}}]}",
    "all_of": "all_of: {when: {type: a}, patterns: [{response: {expect: {type: b}}}]}",
    "sequence_of": "sequence_of: {when: {type: a}, patterns: [{absence: {never: {type: b}}}]}",
}
WRITTEN = {
    "cancel": "cancel: {type: m}",
    "broken_by": "broken_by: {type: m}",
    "reset": "reset: {type: m}",
    "pause": "pause: {type: m}\n  resume: {type: n}",
    "resume": "resume: other\n  pause: {type: m}",
    "warn": "warn: 50%",
    "targets": "targets: [{where: {data.p: 1}, within: 1 hour}]",
    "escalate_target": "escalate_target: {type: m}\n  targets: [{where: {data.p: 1}, within: 1 hour}]",
    "holder": "holder: data.team",
    "excuse": "excuse: {type: m}",
    "grace": "grace: 5 minutes",
    "segment": "segment: data.channel",
}


def test_the_table_says_of_every_modifier_whether_it_goes_with_every_pattern() -> None:
    assert set(GOES_WITH) == set(WRITTEN)
    assert all(set(each) == set(PATTERNS) == set(TIMED) for each in GOES_WITH.values())


@pytest.mark.parametrize(("modifier", "pattern"), [(modifier, pattern) for modifier in WRITTEN for pattern in TIMED])
def test_a_modifier_is_read_or_refused_as_the_table_says(modifier: str, pattern: str) -> None:
    spec = f"  {WRITTEN[modifier]}\n  {TIMED[pattern]}\n"
    if GOES_WITH[modifier][pattern] is Goes.NO:
        assert f"1:3: `{modifier}` does not go with `{pattern}`" in "\n".join(complaints_of(spec))
    else:
        promise(spec)


@pytest.mark.parametrize("modifier", ["reset", "pause", "resume", "warn"])
@pytest.mark.parametrize("pattern", UNTIMED)
def test_what_needs_a_due_time_says_so_where_there_is_none(modifier: str, pattern: str) -> None:
    found = complaints_of(f"  {WRITTEN[modifier]}\n  {UNTIMED[pattern]}\n")
    assert f"1:3: `{modifier}` needs a due time: add `within` or `by` to the pattern" in found


@pytest.mark.parametrize("modifier", ["reset", "pause", "warn"])
@pytest.mark.parametrize("pattern", ["response", "absence", "settlement"])
def test_targets_give_a_due_time(modifier: str, pattern: str) -> None:
    promise(f"  {WRITTEN[modifier]}\n  {UNTIMED[pattern]}\n  {WRITTEN['targets']}\n")
    promise(f"  {WRITTEN['targets']}\n  response: {{when: {{type: a}}, expect: {{type: b}}, strictly: true}}\n")


def test_each_modifier_gives_its_events_their_part() -> None:
    spec = "".join(
        f"  {key}: {{type: {key}}}\n" for key in ("cancel", "broken_by", "reset", "pause", "resume", "excuse", "escalate_target")
    )
    judged = promise(f"{spec}  {WRITTEN['targets']}\n  {TIMED['response']}\n").judged
    assert judged.matches[2:] == (
        (Role.CANCEL, Match(("cancel",))),
        (Role.FAILURE, Match(("broken_by",))),
        (Role.RESET, Match(("reset",))),
        (Role.PAUSE, Match(("pause",))),
        (Role.RESUME, Match(("resume",))),
        (Role.EXCUSE, Match(("excuse",))),
        (Role.RETARGET, Match(("escalate_target",))),
    )
    assert (judged.terms.pauses, judged.terms.resets, judged.terms.excuses, judged.resume_other) == (True, True, True, False)


def test_without_modifiers_there_is_nothing_to_look_out_for() -> None:
    judged = promise(f"  {TIMED['response']}\n").judged
    assert (judged.terms.pauses, judged.terms.resets, judged.terms.excuses, judged.targets, judged.holder) == (
        False,
        False,
        False,
        (),
        None,
    )
    assert judged.terms.grace == NOTHING


def test_any_other_event_of_the_correlation_resumes() -> None:
    judged = promise(f"  {TIMED['response']}\n  pause: {{type: p}}\n  resume: other\n").judged
    assert judged.resume_other
    assert [role for role, _ in judged.matches if role == Role.RESUME] == []


def test_targets_are_kept_in_their_order_with_the_words_of_their_budgets() -> None:
    spec = f"  {TIMED['response']}\n  targets: [{{where: {{data.p: P1}}, within: 4 hours}}, {{within: 2 days}}]\n"
    assert promise(spec).judged.targets == (Target((Equal(("data", "p"), ("P1",)),), "4 hours"), Target((), "2 days"))


def test_warnings_are_shares_of_the_budget_or_times_before_due() -> None:
    spec = f"  calendar: office\n  {TIMED['response']}\n  warn: [50%, 100 %, 1 hour, 2 business hours]\n  grace: 90 seconds\n"
    terms = promise(spec, CALENDAR).terms
    assert terms.warnings[:3] == (
        Warn("50% used", share=0.5),
        Warn("100 % used", share=1.0),
        Warn("1 hour before due", before=Elapsed(timedelta(hours=1))),
    )
    assert isinstance(terms.warnings[3].before, BusinessTime)
    assert terms.grace == Elapsed(timedelta(seconds=90))


def test_what_targets_say_in_business_days_ends_at_closing_too() -> None:
    spec = "  calendar: office\n  response: {when: {type: a}, expect: {type: b}, end: closing}\n"
    terms = promise(spec + "  targets: [{within: 2 business days}, {within: 1 business hour}]\n", CALENDAR).terms
    assert terms.closing
    assert not promise(f"  {TIMED['response']}\n").terms.closing


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("pause: {type: a}", "1:3: `pause` needs `resume`; say what makes the clock go on: `resume: match`, or `resume: other`"),
        ("resume: other", "1:3: `resume` needs `pause`; say what stops the clock: `pause: match`"),
        ("escalate_target: {type: a}", "1:3: `escalate_target` needs `targets`"),
        ("targets: []", "1:3: `targets` is empty"),
        ("targets: [{where: {data.p: 1}}]", "1:13: a target needs `within`"),
        ("targets: [{wher: {data.p: 1}, within: 1 hour}]", "1:14: a target has no key `wher`; did you mean `where`?"),
        ("targets: [{within: 2 business days}]", "1:22: `2 business days` needs a `calendar`"),
        ("warn: 180%", "1:9: `180%` is not a share of the budget"),
        ("warn: soon", "1:9: `soon` is not a duration"),
        ("grace: 5", "1:10: 5 is not a duration; say it with its unit"),
        ("holder: team", "1:11: `team` is not a path"),
        ("cancel: []", "1:3: `cancel` is empty"),
        ("resume: others\n  pause: {type: a}", "1:11: `resume` must be a match"),
    ],
)
def test_what_is_wrong_with_a_modifier_is_said_where_it_stands(spec: str, complaint: str) -> None:
    found = complaints_of(f"  {spec}\n  {TIMED['response']}\n")
    assert any(each.startswith(complaint) for each in found), found


def test_targets_do_not_go_with_a_due_time_of_the_triggers_own() -> None:
    spec = f"  response: {{when: {{type: a}}, expect: {{type: b}}, by: data.due}}\n  {WRITTEN['targets']}\n"
    assert complaints_of(spec) == ["1:50: `targets` give the time from the trigger on, and `by` reads it from a field; keep one"]
