"""Severity by the playbook's rules: of what was recorded, of what it comes to, and of failing twice; each with its reason in the trail."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from services.recovery import language
from services.recovery.domain.case import Severity
from services.recovery.domain.deeds import RefusedError
from services.recovery.domain.failing import case_id
from services.recovery.domain.playbook import SeverityRule
from services.recovery.erasure import without_words
from services.recovery.store import CASE
from tests.recovery.conftest import NOON, Lane
from tests.recovery.office import Desk, Office
from tests.recovery.stories import BEN, GENEROUS, LEA, PLAIN, Story, euros, failure

RULES = (
    SeverityRule("value", Severity.HIGH, euros("500")),
    SeverityRule("cost", Severity.HIGH, euros("40")),
    SeverityRule("vulnerable", Severity.HIGH),
    SeverityRule("distress", Severity.HIGH, score=4),
    SeverityRule("distress", Severity.CRITICAL, score=5),
    SeverityRule("double_deviation", Severity.CRITICAL),
)
NOTHING: dict[str, Any] = {"value": None, "vulnerable": None, "distress": None, "why": "she wept"}


@pytest.fixture
def story() -> Story:
    story = Story()
    story.playbook = replace(GENEROUS, severity_rules=RULES)
    story.fail(failure())
    story.act("own_case")
    return story


def raised(story: Story) -> list[str]:
    return [each.payload["why"] for each in story.acts[story.case.id] if each.kind == "severity_raised"]


@pytest.mark.parametrize(
    ("said", "severity", "why"),
    [
        ({"value": {"amount": "500", "currency": "EUR"}}, "high", ["value of at least 500 EUR"]),
        ({"value": {"amount": "499.99", "currency": "EUR"}}, "medium", []),
        ({"value": {"amount": "900", "currency": "USD"}}, "medium", []),
        ({"vulnerable": True}, "high", ["vulnerable"]),
        ({"vulnerable": False}, "medium", []),
        ({"distress": 3}, "medium", []),
        ({"distress": 4}, "high", ["distress of at least 4"]),
        ({"distress": 5, "vulnerable": True}, "critical", ["distress of at least 5"]),
    ],
)
def test_what_a_person_recorded_makes_the_case_as_severe_as_the_gravest_rule_says(
    story: Story, said: dict[str, Any], severity: str, why: list[str]
) -> None:
    story.act("assess_case", BEN, **NOTHING | said)
    assert (story.case.severity, raised(story)) == (severity, why)
    assert story.case.assessment is not None
    assert (story.case.assessment.by, story.case.assessment.why) == ("ben", "she wept")


def test_nothing_is_taken_for_distress_that_nobody_recorded_as_such(story: Story) -> None:
    """Breaks if words were read for feelings."""
    contact: dict[str, Any] = {
        "channel": "phone",
        "reached": True,
        "from_customer": True,
        "said": "I am desperate!",
        "felt": "beside herself",
    }
    story.act("record_contact", **contact)
    assert (story.case.severity, raised(story)) == (Severity.MEDIUM, [])


def test_what_is_left_out_stays_as_it_was_said_before(story: Story) -> None:
    story.act("assess_case", **NOTHING | {"vulnerable": True, "value": {"amount": "20", "currency": "EUR"}})
    story.act("assess_case", **NOTHING | {"distress": 2})
    known = story.case.assessment
    assert known is not None
    assert (known.vulnerable, known.value, known.distress) == (True, euros("20"), 2)


def test_a_person_who_knows_better_lowers_it_and_only_a_new_word_raises_it_again(story: Story) -> None:
    story.act("assess_case", **NOTHING | {"distress": 4})
    story.act("set_severity", LEA, severity="low", why="it was about another matter")
    story.act("assess_case", **NOTHING | {"value": {"amount": "10", "currency": "EUR"}})
    assert story.case.severity is Severity.LOW
    story.act("assess_case", **NOTHING | {"distress": 4})
    assert (story.case.severity, len(raised(story))) == (Severity.HIGH, 2)


def test_a_case_is_severe_from_the_line_of_its_ledger_on_with_which_it_comes_to_so_much(story: Story) -> None:
    staff: dict[str, Any] = {"kind": "staff_time", "money": None, "bearer": "unit", "borne_by": None, "approval": None, "what": "x"}
    for number, amount in enumerate(("36", "9", "30")):
        story.act("add_entry", key=str(number), rate={"amount": amount, "currency": "EUR"}, minutes=60, **staff)
    assert raised(story) == ["cost of at least 40 EUR"]
    assert story.kinds()[-3:] == ["spent", "severity_raised", "spent"]


def test_who_fails_a_customer_twice_has_the_gravest_case_where_the_playbook_says_so(story: Story) -> None:
    story.judge_pledge(story.pledge(), "broken")
    assert story.kinds()[-3:] == ["pledge_broken", "escalated", "severity_raised"]
    assert (story.case.severity, raised(story)) == (Severity.CRITICAL, ["double_deviation"])


def test_who_was_said_to_be_vulnerable_is_so_in_the_next_case_too(story: Story) -> None:
    first = story.case
    story.act("assess_case", **NOTHING | {"vulnerable": True})
    story.act("remedy_case", what="x")
    story.act("decline_case", replace(BEN, subject="survey", roles=frozenset({"system"})), why="enough")
    story.fail(failure(2))
    second = next(each for each in story.cases.values() if each.id != first.id)
    assert (second.severity, second.assessment) == (Severity.HIGH, None)


def test_a_case_that_ended_is_not_assessed(story: Story) -> None:
    story.act("decline_case", replace(BEN, subject="survey", roles=frozenset({"system"})), why="enough")
    with pytest.raises(RefusedError):
        story.act("assess_case", **NOTHING | {"distress": 5})


def test_nothing_of_the_customer_is_left_of_an_assessment_in_an_answer_that_is_kept(story: Story) -> None:
    story.act("assess_case", **NOTHING | {"vulnerable": True, "distress": 5})
    kept = without_words(CASE.dump_json(story.case))
    assert all(word not in kept for word in (b"vulnerable", b"distress", b"wept"))


@pytest.mark.parametrize(
    ("rule", "place", "complaint"),
    [
        ("{when: mood, severity: high}", "8:14", "`mood` is not a value of `when`"),
        ("{when: distress, severity: high}", "8:7", "needs `at_least`"),
        ("{when: distress, at_least: 6, severity: high}", "8:34", "from 1, calm, to 5"),
        ("{when: value, at_least: 500, severity: high}", "8:31", "must be a text"),
        ("{when: cost, at_least: 500 euros, severity: high}", "8:30", "is no money"),
        ("{when: vulnerable, at_least: 1, severity: high}", "8:26", "no key `at_least`"),
        ("{when: double_deviation, severity: awful}", "8:42", "`awful` is not a value of `severity`"),
        ("{severity: high}", "8:7", "needs `when`"),
    ],
)
def test_a_rule_that_cannot_be_read_is_found_at_its_place(rule: str, place: str, complaint: str) -> None:
    text = f"""\
apiVersion: makegood/v1
kind: Playbook
metadata:
  name: lost-papers
spec:
  severity: medium
  severity_rules:
    - {rule}
"""
    with pytest.raises(language.ProblemsFoundError) as wrong:
        language.read(text, "p.yaml", PLAIN)
    assert any(str(each).startswith(f"p.yaml:{place}:") and complaint in each.message for each in wrong.value.findings), wrong.value


async def test_what_is_at_stake_is_said_with_the_report_or_later_and_the_rules_go_by_it(ana: Desk, office: Office) -> None:
    rules = [{"when": "value", "at_least": "500 EUR", "severity": "critical"}, {"when": "distress", "at_least": 4, "severity": "high"}]
    document = {"apiVersion": "makegood/v1", "kind": "Playbook", "metadata": {"name": "lost"}, "spec": {"severity_rules": rules}}
    await office.desk("mia", "manager").post("/v1/playbooks", document, "publish")
    report = {"customer": str(UUID(int=30)), "what": "I lost it", "playbook": "lost", "value": {"amount": "800", "currency": "EUR"}}
    opened = (await ana.post("/v1/cases", report, "report")).json()
    assert (opened["severity"], opened["assessment"]["value"]["amount"]) == ("critical", "800")
    other = (await ana.post("/v1/cases", report | {"customer": str(UUID(int=31)), "value": None}, "another")).json()
    path = f"/v1/cases/{other['id']}/assessment"
    nothing = await ana.client.post(path, json={"why": "x"}, headers=ana.headers | {"if-match": '"1"'})
    assert nothing.status_code == 422
    said = {"distress": 4, "why": "she cannot go home without it"}
    told = (await ana.client.post(path, json=said, headers=ana.headers | {"if-match": '"1"'})).json()
    assert (told["severity"], told["assessment"]["distress"], told["assessment"]["value"]) == ("high", 4, None)


STAKES = {
    "severity_rules": [{"when": "value", "at_least": "2000 EUR", "severity": "high"}],
    "authority": [
        {"role": "agent", "money": "50 EUR"},
        {"role": "agent", "money": "300 EUR", "severity": "high"},
        {"role": "lead", "money": "1000 EUR"},
    ],
}


async def test_what_a_broken_promise_puts_at_stake_makes_the_case_severe_and_says_who_may_give_how_much(lane: Lane, office: Office) -> None:
    """Breaks if what the promise read from its order never reached the rules of the playbook."""
    document = {"apiVersion": "makegood/v1", "kind": "Playbook", "metadata": {"name": "orders"}, "spec": STAKES}
    await office.desk("mia", "manager").post("/v1/playbooks", document, "publish")
    for number, amount in ((1, "2500"), (2, "1999.99")):
        at_stake = {"amount": amount, "currency": "EUR"}
        await lane.feed(lane.fact(number=number, customer=UUID(int=40 + number), playbook="orders", at_stake=at_stake), lane.marker(NOON))
    ben, found = office.desk("ben", "agent"), []
    for each in (1, 2):
        path = f"/v1/cases/{case_id(UUID(int=40 + each), UUID(int=each))}"
        await ben.act("/owner", case=path)
        gift = {"kind": "money", "what": "for the trouble", "value": {"amount": "200", "currency": "EUR"}}
        given = await ben.act("/gestures", gift, case=path, idempotency_key=f"g{each}")
        case = (await ben.get(path)).json()
        found.append((case["failures"][0]["at_stake"]["amount"], case["severity"], given.status_code))
    assert found == [("2500", "high", 201), ("1999.99", "medium", 403)]


def test_a_second_failure_is_weighed_as_the_first_was_and_a_break_as_its_warning(story: Story) -> None:
    """Breaks if only what opens a case is asked what is at stake, or if a watched case that is told of a repeat were raised."""
    story.fail(replace(failure(2), at_stake=euros("499")))
    assert story.case.severity is Severity.MEDIUM
    story.fail(replace(failure(3), at_stake=euros("600"), at_risk=True))
    assert (story.case.severity, raised(story)) == (Severity.HIGH, ["value of at least 500 EUR"])
    story.act("set_severity", LEA, severity="low", why="they have it insured")
    story.fail(replace(failure(3), at_stake=euros("600")))
    assert (story.case.severity, len(raised(story))) == (Severity.HIGH, 2)
