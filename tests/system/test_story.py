"""The lost passport through a whole system, told over REST and Kafka alone on the replay clock; and four who lost theirs otherwise."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.roles import Role
from deploy.local import stack
from deploy.local.state import State
from services.cli import publish
from services.cli.client import Client, RefusedError
from services.cli.story import CUSTOMER, DIRECTOR, EXECUTIVE, HERSELF, LEAD, PROMOTER, TEAM
from services.cli.telling import telling
from tests.judged import PROMISES, run
from tests.system.passports import FAILED_TWICE, FOUND, FOUND_AFTER_A_WORD, GONE, all_by_time

DOCUMENTS = [PROMISES / f"{each}.yaml" for each in ("bank-branch", "bank-branch-playbook", "recovery", "relationship")]
BROKEN_PLEDGE = "double-deviation"


@dataclass
class Told:
    """A system in which all of it has happened, as it is seen from outside."""

    running: State
    client: Client
    customers: dict[str, UUID]
    said: list[str]

    def case(self, identifier: str) -> dict[str, Any]:
        """The one case of a customer, with its acts."""
        (found,) = self.client.get("recovery", "/v1/cases", customer=str(self.customers[identifier]))["items"]
        whole: dict[str, Any] = self.client.get("recovery", f"/v1/cases/{found['id']}")
        return whole

    def timeline(self, identifier: str, beginning: str) -> list[str]:
        """What a customer's timeline shows of one sort, in order."""
        entries = self.client.pages("journey", f"/v1/customers/{self.customers[identifier]}/timeline", limit=50)
        return [each["type"].removeprefix(beginning) for each in entries if each["type"].startswith(beginning)]

    def judged(self, identifier: str) -> Counter[tuple[str, str]]:
        """How often each promise to or about a customer was judged how."""
        found = self.client.pages("promises", "/v1/commitments", customer=str(self.customers[identifier]))
        return Counter((each["promise"], each["judgement"]) for each in found)

    def relationship(self, identifier: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get("journey", f"/v1/customers/{self.customers[identifier]}/relationship")
        return found


@pytest.fixture(scope="module")
def told(servers: Path) -> Iterator[Told]:
    """Each customer's steps, one after the other by the time at which they are done."""
    data, said = servers / "passports", list[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKEGOOD_DATA", str(data))
        try:
            running = stack.up(data, "replay", print)
            publish.publish_to(running, DOCUMENTS)
            with Client(running) as client, telling(running, said.append) as begin:
                stories = {whose: begin(whose) for whose, _ in all_by_time(CUSTOMER)}
                for whose, step in all_by_time(CUSTOMER):
                    stories[whose].take(step)
                customers = {whose: each.customer for whose, each in stories.items() if each.customer is not None}
                yield Told(running, client, customers, said)
        finally:
            stack.down(data, print)


def test_her_case_goes_from_the_missing_passport_to_the_customer_restored(told: Told) -> None:
    """Breaks if any stage of the flow drops, doubles or reorders what the story rests on."""
    case = told.case(CUSTOMER)
    assert (case["state"], case["owner"], case["severity"], case["playbook"]) == ("restored", PROMOTER, "high", "lost-document")
    assert case["verdicts"] == {"no-repeat-failure": "kept", "came-back": "kept"}
    assert (case["cause"]["component"], case["cause"]["because"]) == ("procedures", None)
    moves = {"opened", "owned", "remedied", "confirmed", "watching", "restored", "reviewed"}
    shown = told.timeline(CUSTOMER, "makegood.case.")
    assert [each for each in shown if each in moves] == [
        "opened", "owned", "remedied", "confirmed", "watching", "restored", "reviewed",
    ]  # fmt: skip
    assert shown == [each["kind"] for each in case["acts"] if each["kind"] != "judged"]
    (contact,) = case["contacts"]
    assert (contact["reached"], contact["felt"]) == (True, "desperate")


def test_everything_that_was_promised_her_and_for_her_was_judged_kept(told: Told) -> None:
    """Breaks if what falls due in a case is not judged by the engine, or its verdict does not find the case."""
    assert told.judged(CUSTOMER) == {
        ("documents-handed-back", "broken"): 1, ("documents-handed-back", "kept"): 1, ("case-owned", "kept"): 1,
        ("pledge", "kept"): 1, ("approval", "kept"): 1, ("help", "kept"): 1, ("task", "kept"): 2, ("compensation", "kept"): 1,
        ("customer-confirms", "kept"): 1, ("no-repeat-failure", "kept"): 1, ("came-back", "kept"): 1,
        ("right-to-the-customer", "kept"): 1, ("still-wanted", "kept"): 1,
    }  # fmt: skip
    case = told.case(CUSTOMER)
    owed = [each for part in ("pledges", "tasks", "approvals", "help_requests", "compensations") for each in case[part]]
    assert [each["state"] for each in owed] == ["kept"] * 6


def test_leave_beyond_her_authority_is_granted_by_her_lead_and_not_by_herself(told: Told) -> None:
    (leave,) = told.case(CUSTOMER)["approvals"]
    assert (leave["kind"], leave["days"], leave["asked_by"]) == ("time_off", "2", PROMOTER)
    assert (leave["decision"], leave["decided_by"], sorted(leave["roles"])) == ("granted", LEAD, ["lead", "manager"])
    (asked,) = told.case(FAILED_TWICE)["approvals"]
    assert (asked["decision"], asked["state"]) == (None, "broken")
    with pytest.raises(RefusedError) as refused:
        _act(told, PROMOTER, FAILED_TWICE, f"approvals/{asked['id']}/refuse", {"why": "mine"})
    assert refused.value.kind == "self-approval"


def test_help_goes_through_a_chain_to_somebody_outside_the_house_and_all_of_it_is_thanked(told: Told) -> None:
    (asked,) = told.case(CUSTOMER)["help_requests"]
    assert [(each["by"], each["to"]) for each in asked["chain"]] == [
        (EXECUTIVE, "the executive's sister"), (EXECUTIVE, "the director of immigration"),
    ]  # fmt: skip
    assert (asked["answered_by"], asked["thanked"], asked["state"]) == (EXECUTIVE, True, "kept")
    assert told.judged(FAILED_TWICE)["help", "broken"] == 1


def test_what_she_paid_herself_is_flagged_until_somebody_else_repays_it(told: Told) -> None:
    case = told.case(CUSTOMER)
    fee = next(each for each in case["ledger"] if each["bearer"] == "employee")
    assert (fee["money"], fee["borne_by"], fee["repaid_by"]) == ({"amount": "80.00", "currency": "USD"}, PROMOTER, LEAD)
    seen = [line.rpartition(": ")[2] for line in told.said if "wait for" in line]
    assert seen == ["80.00 USD", "0 USD"]
    (sums,) = case["sums"]
    assert (sums["spent"], sums["given"], sums["own_pockets"], sums["under"]) == ("130.00", "50", "0", "50")
    with pytest.raises(RefusedError) as refused:
        _act(told, LEAD, CUSTOMER, f"ledger/{fee['id']}/repay", {})
    assert refused.value.kind == "act-refused"


def test_the_drive_to_the_airport_is_a_gesture_without_a_price_and_she_has_the_last_word_on_it(told: Told) -> None:
    case = told.case(CUSTOMER)
    (drive,) = case["gestures"]
    assert (drive["kind"], drive["by"], drive["value"]) == ("deed", PROMOTER, None)
    assert drive["thanks"] == "I had meant not to come back. I have changed my mind."
    assert [(each["side"], each["scores"]["friend"]) for each in case["feedback"]] == [("customer", 5), ("helper", 5)]


def test_what_was_done_beyond_duty_is_seen_by_her_and_by_whoever_leads_her(told: Told) -> None:
    def seen(subject: str, role: Role, *teams: str) -> list[str]:
        with Client(told.running, subject, (role,), teams) as somebody:
            return [each["by"] for each in somebody.get("recovery", "/v1/recognitions")["items"]]

    assert seen(PROMOTER, Role.AGENT, TEAM) == seen(LEAD, Role.LEAD, TEAM) == seen(DIRECTOR, Role.MANAGER) == [DIRECTOR, LEAD]
    assert seen(EXECUTIVE, Role.AGENT, TEAM) == seen("another", Role.LEAD, "loans") == []


def test_she_was_lost_and_is_won_back_and_her_loyalty_is_the_promoters(told: Told) -> None:
    found = told.relationship(CUSTOMER)
    assert [each["stage"] for each in found["steps"]][-3:] == ["at_risk", "lost", "won_back"]
    assert found["stage"] == "won_back"
    assert found["loyalty"]["leaves_with"] == PROMOTER
    assert found["loyalty"]["employees"][PROMOTER] > found["loyalty"]["organisation"]


def test_that_she_was_leaving_for_good_was_under_the_water_line(told: Told) -> None:
    def needs(subject: str, *teams: str) -> list[tuple[str, str]]:
        with Client(told.running, subject, (Role.AGENT,), teams) as somebody:
            items = somebody.get("journey", f"/v1/customers/{told.customers[CUSTOMER]}/needs")["items"]
            return [(each["need"], each["kind"]) for each in items]

    assert needs("another", TEAM) == [("currency", "manifest"), ("leaving-for-good", "latent")]
    assert needs("another", "loans") == [("currency", "manifest")]


def test_a_broken_pledge_fails_her_twice_and_what_else_is_late_climbs_once(told: Told) -> None:
    """Breaks if a pledge that nobody keeps passes for a task, or silence of the customer for a good end."""
    case = told.case(FAILED_TWICE)
    assert (case["state"], case["severity"]) == ("unknown", "critical")
    assert Counter(each["state"] for each in case["pledges"]) == {"broken": 1, "kept": 1}
    climbed = [(each["content"]["why"], each["content"]["severity"]) for each in case["acts"] if each["kind"] == "escalated"]
    assert {why for why, _ in climbed[:-1]} == {"approval-late", "help-late", "task-late", BROKEN_PLEDGE}
    assert (len(climbed), climbed[-1]) == (5, (BROKEN_PLEDGE, "critical")), "the compensation that nobody paid is the second one"
    assert [each["severity"] for each in case["failures"]] == ["high"]
    assert (BROKEN_PLEDGE, "critical") in climbed[:-1]
    assert told.judged(FAILED_TWICE) == {
        ("documents-handed-back", "broken"): 1, ("case-owned", "kept"): 1, ("pledge", "broken"): 1, ("pledge", "kept"): 1,
        ("approval", "broken"): 1, ("help", "broken"): 1, ("task", "broken"): 1, ("compensation", "broken"): 1,
        ("customer-confirms", "broken"): 1, ("right-to-the-customer", "kept"): 1, ("still-wanted", "on_track"): 1,
        ("late-word", "on_track"): 1, ("right-after-all", "on_track"): 1,
    }  # fmt: skip
    assert [each["reached"] for each in case["contacts"]] == [False, True]


def test_late_evidence_withdraws_a_case_of_which_she_never_heard(told: Told) -> None:
    case = told.case(FOUND)
    assert (case["state"], case["ask"], [each["withdrawn"] for each in case["failures"]]) == ("withdrawn", None, [True])
    assert [(each["ground"], each["done"] is None) for each in case["compensations"]] == [("no-failure", False)]
    assert told.judged(FOUND) == {
        ("documents-handed-back", "kept"): 1, ("case-owned", "broken"): 1, ("task", "withdrawn"): 1, ("compensation", "withdrawn"): 1,
        ("still-wanted", "withdrawn"): 1,
    }  # fmt: skip


def test_where_she_was_told_a_person_decides_and_her_own_answer_confirms_and_no_employees(told: Told) -> None:
    """Breaks if a correction unsaid what was said to her, or what she says with her own token did not count as her own answer."""
    case = told.case(FOUND_AFTER_A_WORD)
    assert (case["state"], case["ask"]) == ("not_restored", None), "she confirmed, and was not seen again"
    (confirmed,) = [each["by"] for each in case["acts"] if each["kind"] == "confirmed"]
    assert confirmed == f"{HERSELF}:{told.customers[FOUND_AFTER_A_WORD]}"
    assert told.judged(FOUND_AFTER_A_WORD)["customer-confirms", "kept"] == 1


def test_who_confirms_and_never_comes_back_is_not_restored(told: Told) -> None:
    """Breaks if a customer's kind word were taken for their return."""
    case = told.case(GONE)
    assert (case["state"], case["verdicts"]) == ("not_restored", {"no-repeat-failure": "kept", "came-back": "broken"})
    assert told.relationship(GONE)["stage"] == "lost"


def test_every_act_of_all_of_it_stands_as_it_was_written(told: Told) -> None:
    answer = run("audit", "verify")
    assert answer.exit_code == 0, answer.output
    number = sum(told.case(each)["version"] for each in told.customers)
    assert f"5 cases, {number} acts: every one stands as it was written" in answer.output


def _act(told: Told, by: str, identifier: str, path: str, body: dict[str, Any]) -> None:
    case = told.case(identifier)
    role = Role.LEAD if by == LEAD else Role.AGENT
    with Client(told.running, by, (role,), (TEAM,)) as somebody:
        somebody.post("recovery", f"/v1/cases/{case['id']}/{path}", json=body, headers={"If-Match": f'"{case["version"]}"'})
