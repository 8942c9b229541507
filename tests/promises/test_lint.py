"""`makegood lint`: each opinion has a promise that earns it, with its place, and a promise beside it that does not."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from services.cli import backtest, lint

app = typer.Typer()
lint.register(app)
backtest.register(app)

HEAD = """apiVersion: makegood/v1
kind: Promise
metadata: {{name: {name}, owner: logistics}}
spec:
  statement: {statement}
  published: [{{channel: web, reference: checkout}}]
"""
STATEMENT = "Your parcel arrives within two days."
WHEN = "when: {type: order.placed}, expect: {type: order.delivered}"
RESPONSE = f"  response: {{{WHEN}, within: 2 days}}\n"
CALENDAR = """apiVersion: makegood/v1
kind: Calendar
metadata: {name: office}
spec: {zone: UTC, week: {mon-fri: ["09:00-17:00"]}}
"""


def promise(spec: str = RESPONSE, name: str = "parcel", statement: str = STATEMENT) -> str:
    return HEAD.format(name=name, statement=statement) + spec


def internal(spec: str, name: str = "packing", supports: str = "parcel") -> str:
    links = f"  supports: [{supports}]\n" if supports else ""
    return promise(spec, name).replace("  published: [{channel: web, reference: checkout}]\n", f"  audience: internal\n{links}")


def run(folder: Path, *documents: str, events: list[dict[str, Any]] | None = None) -> Result:
    path = folder / "p.yaml"
    path.write_text("---\n".join(documents))
    options = []
    if events is not None:
        history = folder / "events.jsonl"
        history.write_text("".join(json.dumps(each) + "\n" for each in events))
        options = ["--events", str(history)]
    return CliRunner().invoke(app, ["lint", str(path), *options])


def findings(folder: Path, *documents: str, events: list[dict[str, Any]] | None = None) -> list[str]:
    result = run(folder, *documents, events=events)
    found = [line.removeprefix(f"{folder}/") for line in result.stderr.splitlines() if line.startswith(str(folder))]
    assert result.exit_code == bool(found), result.output
    return found


def only(folder: Path, *documents: str, events: list[dict[str, Any]] | None = None) -> str:
    found = findings(folder, *documents, events=events)
    assert len(found) == 1, found
    return found[0]


def event(type_: str, number: int, **data: Any) -> dict[str, Any]:
    key, time = f"{type_}-{number}", f"2026-03-{number:02}T00:00:00Z"
    return {"specversion": "1.0", "id": key, "source": "shop", "type": type_, "subject": "crm:1", "time": time, "data": data}


def test_a_promise_with_nothing_to_be_said_of_it_is_free_of_findings(tmp_path: Path) -> None:
    assert findings(tmp_path, promise()) == []


@pytest.mark.parametrize("vague", ["as soon as possible", "usually", "We try to", "Promptly", "within a reasonable time", "where possible"])
def test_a_vague_statement_is_told_with_the_word_that_makes_it_so(tmp_path: Path, vague: str) -> None:
    found = only(tmp_path, promise(statement=f"Your parcel arrives {vague} deliver it."))
    assert found.startswith("p.yaml:5:14: `")
    assert "promises nothing that can be checked; say how much, or by when" in found


@pytest.mark.parametrize("clear", ["You pay no sooner than we ship.", "As soon as it ships you have its number.", "Our country."])
def test_a_word_that_only_looks_vague_is_left_alone(tmp_path: Path, clear: str) -> None:
    assert findings(tmp_path, promise(statement=clear)) == []


def test_a_statement_still_to_be_written_is_told(tmp_path: Path) -> None:
    assert only(tmp_path, promise(statement="TODO")).startswith("p.yaml:5:14: there is no statement yet; ")


@pytest.mark.parametrize("published", ["", "  published: []\n"])
def test_a_customer_promise_that_is_published_nowhere_is_told(tmp_path: Path, published: str) -> None:
    text = promise().replace("  published: [{channel: web, reference: checkout}]\n", published)
    assert "the customer reads this nowhere before the first contact; say where under `published`" in only(tmp_path, text)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (f"  response: {{{WHEN}}}\n", "7:14: nothing ever breaks this: it waits for ever; add `within` or `by`"),
        ("  recurrence: {when: {type: a}, expect: {type: b}, every: 1 day}\n", "7:16: nothing ever keeps this: it recurs for ever"),
        ("  all_of: {when: {type: a}, patterns: [response: {expect: {type: b}}]}\n", "nothing ever breaks this"),
        ("  milestones: {when: {type: a}, steps: [{name: x, expect: {type: b}}]}\n", "this step is never late; add `within` or `by`"),
    ],
)
def test_what_nothing_ever_ends_is_told(tmp_path: Path, spec: str, complaint: str) -> None:
    assert complaint in only(tmp_path, promise(spec))


@pytest.mark.parametrize(
    "spec",
    [
        f"  response: {{{WHEN}}}\n  broken_by: {{type: order.lost}}\n",
        "  response: {when: {type: a}, expect: {type: b}}\n  targets: [{where: {data.x: 1}, within: 1 day}]\n",
        "  absence: {when: {type: a}, never: {type: b}}\n",
        "  recurrence: {when: {type: a}, expect: {type: b}, every: 1 day, until: {type: c}}\n",
    ],
)
def test_what_ends_by_an_event_or_stands_as_long_as_it_lasts_is_left_alone(tmp_path: Path, spec: str) -> None:
    assert findings(tmp_path, promise(spec)) == []


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (
            RESPONSE + "  cancel: {type: order.placed}\n",
            "8:11: `cancel` and `when` are the same events: each trigger withdraws",
        ),
        (RESPONSE + "  cancel: [{type: [order.delivered]}]\n", "`cancel` and `expect` are the same events: "),
        (RESPONSE + "  broken_by: {type: order.delivered}\n", "`broken_by` and `expect` are the same events: "),
        (RESPONSE + "  broken_by: {type: lost}\n  cancel: {type: lost}\n", "`broken_by` and `cancel` are the same events: "),
        (RESPONSE + "  broken_by: {type: lost}\n  excuse: {type: lost}\n", "`excuse` and `broken_by` are the same events: "),
        (RESPONSE + "  pause: {type: wait}\n  resume: {type: wait}\n", "`resume` and `pause` are the same events: "),
        ("  absence: {when: {type: a}, never: {type: b}, until: {type: b}}\n", "`until` and `never` are the same events: "),
        ("  absence: {when: {type: a}, never: {type: b}, until: {type: a}}\n", "`until` and `when` are the same events: "),
        (
            "  precedence: {event: {type: a}, after: {type: b}, no_sooner_than: 3 days, within: 2 days}\n",
            "nothing is at least `3 days` and at most `2 days` before",
        ),
        (
            RESPONSE + "  targets: [{within: 1 day}, {where: {data.x: 1}, within: 1 hour}]\n",
            "no trigger gets to this target: one above it takes them all",
        ),
        (
            RESPONSE + "  targets: [{where: {data.x: 1}, within: 1 day}, {where: {data.x: 1}, within: 1 hour}]\n",
            "no trigger gets to this target",
        ),
    ],
)
def test_a_state_that_is_never_reached_is_told(tmp_path: Path, spec: str, complaint: str) -> None:
    assert complaint in only(tmp_path, promise(spec))


@pytest.mark.parametrize(
    "spec",
    [
        RESPONSE + "  cancel: {type: order.placed, where: {data.void: true}}\n",
        f"  response: {{{WHEN}, within: 2 days, count: 2}}\n  cancel: {{type: order.delivered}}\n",
        "  precedence: {event: {type: a}, after: {type: b}, no_sooner_than: 2 days, within: 2 days}\n",
        "  response: {when: {type: visit}, expect: {type: visit}, within: 60 days, open: first}\n",
    ],
)
def test_what_can_be_reached_is_left_alone(tmp_path: Path, spec: str) -> None:
    assert findings(tmp_path, promise(spec)) == []


@pytest.mark.parametrize(
    ("budget", "warning"),
    [
        ("24 hours", "48 hours"),
        ("1 hour", "1 hour"),
        ("24 hours", "2 days"),
        ("2 days", "51 hours"),
        ("1 month", "2 months"),
        ("28 days", "2 months"),
    ],
)
def test_a_warning_that_would_come_before_the_trigger_is_told(tmp_path: Path, budget: str, warning: str) -> None:
    found = only(tmp_path, promise(f"  response: {{{WHEN}, within: {budget}}}\n  warn: [50%, {warning}]\n"))
    assert found.startswith(f"p.yaml:8:15: `{warning}` before due is not after the trigger: the budget is `{budget}`")


@pytest.mark.parametrize(
    ("budget", "warning"), [("2 days", "24 hours"), ("2 days", "48 hours"), ("1 month", "29 days"), ("1 hour", "100%")]
)
def test_a_warning_that_comes_in_time_at_least_in_some_season_is_left_alone(tmp_path: Path, budget: str, warning: str) -> None:
    assert findings(tmp_path, promise(f"  response: {{{WHEN}, within: {budget}}}\n  warn: [{warning}]\n")) == []


def test_a_warning_is_held_against_every_target_too(tmp_path: Path) -> None:
    text = promise(RESPONSE + "  targets: [{where: {data.x: 1}, within: 2 hours}]\n  warn: [4 hours]\n")
    assert "the budget is `2 hours`" in only(tmp_path, text)


def test_business_budgets_are_compared_with_their_own_kind(tmp_path: Path) -> None:
    spec = f"  calendar: office\n  response: {{{WHEN}, within: 4 business hours}}\n  warn: "
    assert "`8 business hours` before due" in only(tmp_path, CALENDAR, promise(f"{spec}8 business hours\n"))
    assert findings(tmp_path, CALENDAR, promise(f"{spec}5 hours\n")) == []


def test_two_promises_that_owe_the_same_are_told(tmp_path: Path) -> None:
    found = only(tmp_path, promise(), promise(RESPONSE.replace("2 days", "3 days"), "again"))
    assert found.startswith("p.yaml:15:3: this and `parcel` (")
    assert found.endswith("owe the same for the same events; keep one, or tell them apart by `where`")


def test_promises_that_are_told_apart_or_owed_to_others_do_not_overlap(tmp_path: Path) -> None:
    where = RESPONSE.replace("type: order.placed", "type: order.placed, where: {data.express: true}")
    assert findings(tmp_path, promise(), promise(where, "express")) == []
    assert findings(tmp_path, promise(), internal(RESPONSE.replace("2 days", "1 day"))) == []


def test_two_promises_that_a_history_opens_together_are_told(tmp_path: Path) -> None:
    where = "  response: {{when: {{type: order.placed, where: {{data.{}: true}}}}, expect: {{type: order.delivered}}, within: 1 day}}\n"
    documents = promise(where.format("express")), promise(where.format("gift"), "gift")
    apart = [event("order.placed", 1, express=True), event("order.placed", 2, gift=True), event("order.delivered", 3)]
    assert findings(tmp_path, *documents, events=apart) == []
    both = event("order.placed", 4, express=True, gift=True)
    assert "1 events open both this and `parcel` (" in only(tmp_path, *documents, events=[*apart, both])


@pytest.mark.parametrize(
    ("supports", "complaint"),
    [
        ("", "this internal promise holds nothing up; name under `supports` the promises that rest on it"),
        ("parcle", "there is no promise `parcle` in these files; correct the name"),
        ("packing", "a promise does not support itself; name the one that rests on it"),
    ],
)
def test_an_internal_promise_that_holds_nothing_up_is_told(tmp_path: Path, supports: str, complaint: str) -> None:
    spec = "  response: {when: {type: order.placed}, expect: {type: order.packed}, within: 1 day}\n"
    assert complaint in only(tmp_path, promise(), internal(spec, supports=supports))


def test_a_budget_that_is_smaller_than_what_it_rests_on_may_take_is_told(tmp_path: Path) -> None:
    spec = "  response: {{when: {{type: order.placed}}, expect: {{type: order.packed}}, within: {}}}\n"
    found = only(tmp_path, promise(), internal(spec.format("3 days")))
    assert found.startswith("p.yaml:7:")
    assert "`2 days` is stricter than `packing` allows, on which it rests and which may take `3 days`" in found
    assert findings(tmp_path, promise(), internal(spec.format("2 days"))) == []
    assert findings(tmp_path, promise(), internal(spec.format("49 hours"))) == []


def principle(statement: str) -> str:
    return f"apiVersion: makegood/v1\nkind: Principle\nmetadata: {{name: our-word}}\nspec: {{statement: {statement}}}\n"


def test_a_principle_that_nobody_serves_and_one_that_stands_nowhere_are_told(tmp_path: Path) -> None:
    serving = promise("  principle: We mean it.\n" + RESPONSE)
    assert findings(tmp_path, serving, principle("We mean it.")) == []
    assert findings(tmp_path, promise("  principle: our-word\n" + RESPONSE), principle("We mean it.")) == []
    assert findings(tmp_path, serving) == []
    assert only(tmp_path, promise(), principle("We mean it.")).startswith("p.yaml:11:18: no promise serves this principle")
    both = findings(tmp_path, serving, principle("We say when."))
    assert both[0].startswith("p.yaml:7:14: this principle stands nowhere")
    assert both[1].startswith("p.yaml:12:18: no promise serves this principle")


def test_a_segment_that_is_personal_is_told(tmp_path: Path) -> None:
    """Erasing a customer keeps the counts, and a count by a personal field keeps the field."""
    type_ = "apiVersion: makegood/v1\nkind: EventType\nmetadata: {name: placed}\nspec: {type: order.placed, personal: [data.street]}\n"
    assert "`data.street` is personal" in only(tmp_path, promise(RESPONSE + "  segment: data.street\n"), type_)
    assert findings(tmp_path, promise(RESPONSE + "  segment: data.city\n"), type_) == []
    stake = "  recovery: {at_stake: {amount: data.street, currency: EUR}}\n"
    assert "`data.street` is personal" in only(tmp_path, promise(RESPONSE + stake), type_)
    found = type_.replace(
        "personal: [data.street]", "identifiers: {email: {path: data.email, of: person}, order: {path: data.o, of: thing}}"
    )
    assert "`data.email` is personal" in only(tmp_path, promise(RESPONSE + "  segment: data.email\n"), found)
    assert findings(tmp_path, promise(RESPONSE + "  segment: data.o\n"), found) == []


def ending(until: str) -> str:
    return CALENDAR.replace("]}}", f']}}, valid: {{until: "{until}"}}}}')


def test_a_calendar_that_ends_within_a_year_of_the_history_is_told(tmp_path: Path) -> None:
    spec = f"  calendar: office\n  response: {{{WHEN}, within: 2 business days}}\n"
    history = [event("order.placed", 1), event("order.delivered", 2)]
    found = only(tmp_path, ending("2026-12-31"), promise(spec), events=history)
    assert "`office` ends on 2026-12-31, less than a year after 2026-03-02" in found
    assert findings(tmp_path, ending("2027-12-31"), promise(spec), events=history) == []


def test_a_calendar_that_has_ended_is_told_without_a_history(tmp_path: Path) -> None:
    assert "`office` ends on 2020-12-31" in only(tmp_path, ending("2020-12-31"))


def test_a_type_that_is_never_seen_is_told_with_what_was_probably_meant(tmp_path: Path) -> None:
    text = promise(RESPONSE + "  cancel: {type: order.lost}\n")
    found = findings(tmp_path, text, events=[event("order.placed", 1), event("order.deliverd", 2)])
    assert found == [
        "p.yaml:7:57: no event of type `order.delivered` is in this history; did you mean `order.deliverd`?",
        "p.yaml:8:18: no event of type `order.lost` is in this history; correct it, or see that its system sends",
    ]


def test_a_wildcard_is_seen_by_any_of_its_types_and_our_own_acts_are_in_no_history(tmp_path: Path) -> None:
    spec = '  response: {when: {type: "order.pl*"}, expect: {type: [recovery.case.opened, order.delivered]}, within: 1 day}\n'
    assert findings(tmp_path, promise(spec), events=[event("order.placed", 1), event("order.delivered", 2)]) == []


def test_triggers_without_the_fields_that_are_read_are_counted(tmp_path: Path) -> None:
    spec = f"  response: {{{WHEN}, correlate: data.order_id, by: data.due}}\n  segment: data.channel\n"
    text = promise(spec + "  recovery: {at_stake: {amount: data.total, currency: EUR}}\n")
    history = [
        event("order.placed", 1, order_id="o1", due="2026-03-04T00:00:00Z", total=5),
        event("order.placed", 2, due="2026-03-04T00:00:00Z"),
        event("order.placed", 3, order_id="o3"),
        event("order.delivered", 4, order_id="o1"),
    ]
    found = [each.split(": ", 1)[1] for each in findings(tmp_path, text, events=history)]
    assert [each.partition(";")[0] for each in found] == [
        "1 of the 3 events that open this have no `data.order_id` and open nothing",
        "1 of the 3 events that open this have no `data.due` and cannot be judged",
        "3 of the 3 events that open this have no `data.channel` and are counted under no segment",
        "2 of the 3 events that open this have no `data.total` and say nothing of what is at stake",
    ]


def test_only_triggers_that_match_are_counted_and_a_segment_that_some_have_is_left_alone(tmp_path: Path) -> None:
    spec = f"  response: {{{WHEN}, correlate: data.order_id, within: 1 day}}\n  segment: data.channel\n"
    text = promise(spec.replace("type: order.placed", "type: order.placed, where: {data.real: true}"))
    history = [
        event("order.placed", 1, order_id="o1", real=True, channel="web"),
        event("order.placed", 2, order_id="o2", real=True),
        event("order.placed", 3, real=False),
        event("order.delivered", 4, order_id="o1"),
        event("order.delivered", 5),
    ]
    assert findings(tmp_path, text, events=history) == []


def test_evidence_that_never_has_what_it_is_correlated_by_is_told(tmp_path: Path) -> None:
    text = promise(f"  response: {{{WHEN}, correlate: data.order_id, within: 1 day}}\n")
    history = [event("order.placed", 1, order_id="o1"), event("order.delivered", 2, order="o1")]
    assert "none of the 1 events `order.delivered` has `data.order_id`, so that they bear on no commitment" in only(
        tmp_path, text, events=history
    )


def test_lines_that_are_no_events_show_nothing(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(promise())
    lines = ["not json", "[]", '{"type": "order.placed"}', json.dumps(event("order.placed", 1)), json.dumps(event("order.delivered", 2))]
    (tmp_path / "events.jsonl").write_text("\n".join(lines))
    result = CliRunner().invoke(app, ["lint", str(tmp_path / "p.yaml"), "--events", str(tmp_path / "events.jsonl")])
    assert (result.exit_code, result.stderr.strip()) == (0, "1 documents in 1 files, nothing found")


def test_findings_of_several_files_name_their_files_in_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.yaml").write_text(promise(RESPONSE.replace("order.placed", f"{name}.placed"), name, "We try."))
    result = CliRunner().invoke(app, ["lint", str(tmp_path / "b.yaml"), str(tmp_path / "a.yaml")])
    assert result.exit_code == 1
    assert [line.partition(": ")[0] for line in result.stderr.splitlines()] == [f"{tmp_path}/a.yaml:5:14", f"{tmp_path}/b.yaml:5:14"]
