"""What a case does, decided without a database, a broker or a clock."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.acts import BY_NAME
from services.recovery import audit
from services.recovery.domain import failing, owed
from services.recovery.domain.case import IN_WORK, Case, Happened, OwedState, Severity, State
from services.recovery.domain.deeds import Actor, DueHasPassedError, NotTheOwnerError, NotYourCaseError, RefusedError
from services.recovery.domain.failing import ASK_WAS_TOLD
from services.recovery.domain.folding import evolve, fold
from services.recovery.domain.ledger import SPENDING, sums
from services.recovery.domain.playbook import Playbook
from tests.recovery.stories import ANA, BEN, CUSTOMER, GENEROUS, LEA, MIA, NOON, PLAIN, PLAYBOOK, SURVEY, Story, failure, remedied


def test_a_broken_promise_opens_a_case_whose_id_anybody_can_compute(story: Story) -> None:
    assert story.case.id == uuid5(CUSTOMER, str(UUID(int=1)))
    assert (story.case.state, story.case.version) == (State.OPEN, 1)


def test_the_same_failure_told_twice_is_one(story: Story) -> None:
    story.fail(failure())
    assert story.kinds() == ["opened"]


def test_a_second_failure_joins_and_the_worst_severity_counts(story: Story) -> None:
    story.fail(failure(2, Severity.HIGH))
    assert len(story.cases) == 1
    assert (story.case.severity, len(story.case.failures)) == (Severity.HIGH, 2)


def test_a_failure_after_the_remedy_gives_the_owner_work_again(story: Story) -> None:
    remedied(story).fail(failure(2))
    assert (story.case.state, story.case.owner) == (State.OWNED, "ana")


def test_a_failure_while_the_customer_is_watched_is_a_repeat_there_and_a_case_of_its_own(story: Story) -> None:
    remedied(story).act("confirm_case", SURVEY)
    watched = story.case
    story.fail(failure(2))
    new = failing.case_id(CUSTOMER, UUID(int=2))
    assert story.cases[new].state is State.OPEN
    assert story.acts[watched.id][-1].kind == "repeated"


def test_only_the_owner_pledges_and_remedies(story: Story) -> None:
    for name in ("pledge", "remedy_case"):
        with pytest.raises(RefusedError):
            story.act(name, what="x", key="k", due=NOON + timedelta(days=1))
    story.act("own_case")
    for name in ("pledge", "remedy_case"):
        with pytest.raises(NotTheOwnerError):
            story.act(name, BEN, what="x", key="k", due=NOON + timedelta(days=1))


def test_taking_what_one_has_changes_nothing(story: Story) -> None:
    story.act("own_case")
    story.act("own_case")
    assert story.kinds() == ["opened", "owned"]


def test_a_pledge_is_due_in_the_future_of_the_cases_clock(story: Story) -> None:
    """Breaks if an act could be stamped before the act it follows, on a clock that stands behind the case."""
    story.act("own_case")
    story.now = NOON - timedelta(hours=5)
    with pytest.raises(DueHasPassedError):
        story.act("pledge", key="k", what="x", due=NOON)
    story.act("pledge", key="k", what="x", due=NOON + timedelta(seconds=1))
    assert story.acts[story.case.id][-1].at == NOON


def test_a_fulfilled_pledge_is_kept_only_when_it_was_judged(story: Story) -> None:
    story.act("own_case")
    pledge = story.pledge()
    story.act("fulfil_pledge", pledge=pledge)
    assert story.case.pledges[pledge].state is OwedState.DONE
    story.judge_pledge(pledge, "kept")
    assert story.case.pledges[pledge].state is OwedState.KEPT


def test_a_broken_pledge_raises_severity_and_escalates_once(story: Story) -> None:
    story.act("own_case")
    pledge = story.pledge()
    story.judge_pledge(pledge, "broken")
    story.judge_pledge(pledge, "broken")
    assert story.case.severity is Severity.HIGH
    assert story.kinds()[-2:] == ["pledge_broken", "escalated"]


def test_a_broken_internal_promise_escalates_the_case_it_is_about(story: Story) -> None:
    story.judge("case-owned-in-15-minutes", "broken")
    assert (story.case.severity, len(story.cases)) == (Severity.HIGH, 1)
    assert story.acts[story.case.id][-1].content["why"] == "case-owned-in-15-minutes"


def test_a_correction_withdraws_a_case_nobody_was_told_of(story: Story) -> None:
    story.withdraw()
    assert story.case.state is State.WITHDRAWN


def test_a_correction_of_one_failure_of_two_leaves_the_case(story: Story) -> None:
    story.fail(failure(2))
    story.withdraw()
    assert story.case.state is State.OPEN


def test_a_correction_after_the_customer_was_told_asks_a_person(story: Story) -> None:
    story.act("own_case")
    story.pledge()
    story.withdraw()
    assert (story.case.state, story.case.ask) == (State.OWNED, ASK_WAS_TOLD)


def test_a_failure_that_was_taken_back_and_breaks_again_reopens_its_case(story: Story) -> None:
    story.withdraw()
    story.fail(failure(at=NOON + timedelta(hours=1)))
    assert story.case.state is State.OPEN
    assert story.kinds()[-1] == "reopened"


def test_a_customer_answers_for_their_own_case_only(story: Story) -> None:
    remedied(story)
    with pytest.raises(NotYourCaseError):
        story.act("confirm_case", Actor("customer:someone-else", frozenset({"customer"})))
    story.act("confirm_case", Actor(f"customer:{CUSTOMER}", frozenset({"customer"})))
    assert story.case.state is State.WATCHING


def test_the_judged_promise_confirms_too(story: Story) -> None:
    remedied(story).judge("customer-confirms", "kept")
    assert story.case.state is State.WATCHING


def test_silence_ends_in_unknown_and_a_late_answer_still_counts(story: Story) -> None:
    remedied(story).judge("customer-confirms", "broken")
    assert story.case.state == "unknown"
    story.judge("customer-confirms", "kept")
    assert story.case.state == "watching"


@pytest.mark.parametrize(
    ("verdicts", "end"),
    [
        ({"no-repeat": "kept"}, State.WATCHING),
        ({"no-repeat": "kept", "came-back": "kept"}, State.RESTORED),
        ({"no-repeat": "broken"}, State.NOT_RESTORED),
        ({"no-repeat": "kept", "came-back": "broken"}, State.NOT_RESTORED),
    ],
)
def test_restored_takes_every_named_promise_and_one_broken_is_enough_against(story: Story, verdicts: Mapping[str, str], end: State) -> None:
    remedied(story).act("confirm_case", SURVEY)
    for promise, verdict in verdicts.items():
        story.judge(promise, verdict)
    assert story.case.state is end


def test_a_verdict_said_before_the_confirmation_counts_from_then_on(story: Story) -> None:
    remedied(story)
    story.judge("no-repeat", "broken")
    assert story.case.state == "remedied"
    story.act("confirm_case", SURVEY)
    assert story.case.state == "not_restored"


def test_a_corrected_verdict_corrects_the_end(story: Story) -> None:
    remedied(story).act("confirm_case", SURVEY)
    for verdict, end in (("kept", State.WATCHING), ("broken", State.NOT_RESTORED), ("kept", State.WATCHING)):
        story.judge("no-repeat", verdict)
        assert story.case.state is end


def test_an_erased_payload_leaves_the_trail_whole_and_a_changed_one_does_not(story: Story) -> None:
    story.act("own_case")
    story.pledge()
    entries = audit.chain(audit.START, 1, story.acts[story.case.id])
    assert audit.first_break(entries) is None
    pledged = entries[2]
    erased = pledged._replace(happened=replace(pledged.happened, payload={}))
    assert audit.first_break([*entries[:2], erased]) is None
    forged = pledged._replace(happened=replace(pledged.happened, payload={"what": "nothing"}))
    assert audit.first_break([*entries[:2], forged]) == 3
    assert audit.first_break([entries[0], entries[2]]) == 2


AMOUNTS = st.decimals("0.01", 60, places=2)
ACTORS = st.sampled_from([ANA, BEN, LEA, SURVEY, Actor(f"customer:{CUSTOMER}", frozenset({"customer"}))])
NUMBERS = st.integers(1, 4)
COLLEAGUES = st.sampled_from(["ana", "ben", "eva"])
VERDICTS = st.sampled_from(["kept", "broken"])


class CasesOfOneCustomer(RuleBasedStateMachine):
    """Anybody does anything at any time; what is refused changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.story = Story()
        self.told: list[str] = []

    @rule(number=NUMBERS, severity=st.sampled_from(Severity))
    def fails(self, number: int, severity: Severity) -> None:
        self.story.fail(failure(number, severity, self.story.now))

    @rule(number=NUMBERS)
    def is_taken_back(self, number: int) -> None:
        self.story.withdraw(number)

    @rule(minutes=st.integers(-90, 600))
    def time_passes(self, minutes: int) -> None:
        self.story.now += timedelta(minutes=minutes)

    @precondition(lambda self: self.story.cases)
    @rule(data=st.data(), name=st.sampled_from(sorted(BY_NAME)), actor=ACTORS, hours=st.integers(-3, 9))
    def acts(self, data: st.DataObject, name: str, actor: Actor, hours: int) -> None:
        case = data.draw(st.sampled_from(list(self.story.cases.values())))
        nothing = UUID(int=0)
        into = data.draw(st.sampled_from([*self.story.cases, nothing]))
        needs: dict[str, Any] = {
            "what": "x", "why": "x", "text": "x", "due": self.story.now + timedelta(hours=hours), "into": into, "mass_failure": UUID(int=3),
            "pledge": next(iter(case.pledges), nothing), "task": next(iter(case.tasks), nothing),
            "severity": data.draw(st.sampled_from(Severity)).value, "was_told": data.draw(st.booleans()),
            "assignee": data.draw(COLLEAGUES | st.none()), "to": data.draw(COLLEAGUES), "help": next(iter(case.help_requests), nothing),
            "component": data.draw(st.sampled_from(["systems", "people"])), "because": data.draw(st.sampled_from([None, "could_not"])),
            "media_type": "text/plain", "size": 1, "digest": "0" * 64, "on": ["owned"],
            "name": None, "language": None, "subject": "x", "message": next(iter(case.messages), nothing),
            "attachment": next(iter(case.attachments), nothing),
            "channel": "email", "hours": None, "address": "rosa@example.org", "reached": True, "from_customer": False, "said": "x",
            "felt": None, "outcome": None, "process": None, "treatment": None, "friend": 3,
            "vulnerable": data.draw(st.none() | st.booleans()), "distress": data.draw(st.none() | st.integers(1, 5)),
        }  # fmt: skip
        needs |= self.spending(data, case, name)
        key = f"{name} {case.version}"
        try:
            self.story.act(name, actor, case, key, **needs)
        except RefusedError:
            assert self.story.cases[case.id] == case

    def spending(self, data: st.DataObject, case: Case, name: str) -> dict[str, Any]:
        kinds = {"ask_approval": ["money", "goods", "time_off", "exception"], "give": ["money", "goods", "deed"]}
        kind = data.draw(st.sampled_from(kinds.get(name, ["staff_time", "third_party", "goodwill", "refund"])))
        money = {"amount": str(data.draw(AMOUNTS)), "currency": data.draw(st.sampled_from(["EUR", "USD"]))}
        time = name == "add_entry" and kind == "staff_time"
        return {
            "kind": kind, "money": None if time else money, "value": None if kind == "deed" else money, "rate": money if time else None,
            "minutes": 50 if time else None, "days": "1" if kind == "time_off" else None, "borne_by": None, "unit": "u", "words": "x",
            "bearer": data.draw(st.sampled_from(["unit", "supplier", "employee"])), "ground": "customer-at-fault",
            "approval": data.draw(st.sampled_from([*case.approvals, None if name in SPENDING else UUID(int=0)])),
            **{each: data.draw(st.sampled_from([*known, UUID(int=0)])) for each, known in (
                ("entry", case.ledger), ("gesture", case.gestures), ("compensation", case.compensations))},
        }  # fmt: skip

    @precondition(lambda self: any(case.approvals for case in self.story.cases.values()))
    @rule(data=st.data(), actor=st.sampled_from([ANA, LEA, MIA]), name=st.sampled_from(["grant_approval", "refuse_approval"]))
    def somebody_decides(self, data: st.DataObject, actor: Actor, name: str) -> None:
        asked = [(case, each) for case in self.story.cases.values() for each in case.approvals]
        case, approval = data.draw(st.sampled_from(asked))
        with suppress(RefusedError):
            self.story.act(name, actor, case, approval=approval, why="x")

    @precondition(lambda self: self.story.cases)
    @rule(data=st.data(), actor=st.sampled_from([ANA, LEA, MIA]))
    def somebody_asks(self, data: st.DataObject, actor: Actor) -> None:
        case = data.draw(st.sampled_from(list(self.story.cases.values())))
        needs: dict[str, Any] = {"kind": "money", "money": {"amount": "60", "currency": "EUR"}, "days": None, "what": "x"}
        with suppress(RefusedError):
            self.story.act("ask_approval", actor, case, f"ask {case.version}", due=self.story.now + timedelta(days=9), **needs)

    @rule(covers=st.lists(st.sampled_from([ANA, BEN, LEA, MIA]), max_size=2))
    def somebody_is_away(self, covers: list[Actor]) -> None:
        """Whoever acts stands in for these, with their authority."""
        self.story.covers = tuple(covers)

    @invariant()
    def the_ledger_is_what_the_acts_say_to_the_last_cent(self) -> None:
        for identity, case in self.story.cases.items():
            spent: dict[str, Decimal] = {}
            for each in self.story.acts[identity]:
                if each.kind in {"spent", "given", "compensation_paid"} and "amount" in each.content:
                    currency = each.content["currency"]
                    spent[currency] = spent.get(currency, Decimal(0)) + Decimal(each.content["amount"])
            assert {each.currency: each.spent for each in sums(case) if each.spent} == spent
            assert all(each.spent == each.by_units + each.by_suppliers + each.own_pockets for each in sums(case))

    @invariant()
    def nobody_decides_what_they_asked_and_no_approval_is_overdrawn(self) -> None:
        for case in self.story.cases.values():
            for each in case.approvals.values():
                assert each.decided_by != each.asked_by
                used = [entry.money for entry in case.ledger.values() if entry.approval == each.id]
                if used:
                    assert each.money is not None
                    assert each.decision == "granted"
                    assert sum(money.amount for money in used) <= each.money.amount
                    assert {money.currency for money in used} == {each.money.currency}

    @invariant()
    def nobody_repays_themselves_and_nothing_is_paid_twice(self) -> None:
        for identity, case in self.story.cases.items():
            assert all(each.repaid_by not in {each.by, each.borne_by} for each in case.ledger.values() if each.repaid_at)
            paid = [each.content["entry"] for each in self.story.acts[identity] if each.kind in {"repaid", "compensation_paid"}]
            assert len(paid) == len(set(paid))

    @precondition(lambda self: self.story.cases)
    @rule(data=st.data(), promise=st.sampled_from(["no-repeat", "came-back", "customer-confirms", "other"]), verdict=VERDICTS)
    def a_case_is_judged(self, data: st.DataObject, promise: str, verdict: str) -> None:
        case = data.draw(st.sampled_from(list(self.story.cases.values())))
        self.story.judge(promise, verdict, case)

    @precondition(lambda self: any(case.pledges for case in self.story.cases.values()))
    @rule(data=st.data(), verdict=VERDICTS)
    def a_pledge_is_judged(self, data: st.DataObject, verdict: str) -> None:
        pledged = [(case, each) for case in self.story.cases.values() for each in case.pledges]
        case, pledge = data.draw(st.sampled_from(pledged))
        self.story.happen(case.id, owed.judge_owed(case, pledge, verdict, self.story.now, self.story.playbook))

    @invariant()
    def a_customer_has_at_most_one_case_in_work(self) -> None:
        assert sum(case.state in IN_WORK for case in self.story.cases.values()) <= 1

    @invariant()
    def a_case_is_the_fold_of_its_acts_and_its_trail_is_whole(self) -> None:
        for identity, case in self.story.cases.items():
            acts = self.story.acts[identity]
            assert fold(identity, acts) == case
            assert case.version == len(acts)
            assert audit.first_break(audit.chain(audit.START, 1, acts)) is None

    @invariant()
    def no_state_is_reached_without_its_evidence(self) -> None:
        for identity, case in self.story.cases.items():
            kinds = [each.kind for each in self.story.acts[identity]]
            assert (case.owner is None) == ("owned" not in kinds)
            if case.state in {State.WATCHING, State.RESTORED, State.NOT_RESTORED}:
                assert "confirmed" in kinds
                assert "remedied" in kinds
            if case.state is State.RESTORED:
                assert all(case.verdicts.get(promise) == "kept" for promise in PLAIN.restored_by)
            if case.state is State.WITHDRAWN:
                assert not case.standing

    @invariant()
    def a_case_goes_to_nobody_who_has_it_taken_from_somebody_without_being_asked(self) -> None:
        """Each owner after the first was offered the case by the one before, and accepted it; stand-ins do it in their place."""
        for identity, acts in self.story.acts.items():
            owner, offered = None, None
            for each, absent in zip(acts, self.story.stood_for[identity], strict=True):
                if each.kind == "offered":
                    assert owner in {each.by, *absent}
                    offered = each.content["to"]
                elif each.kind == "owned":
                    assert owner is None or each.content["owner"] == each.by
                    assert owner is None or owner in absent or offered in {each.by, *absent}
                    owner, offered = each.content["owner"], None
                elif each.kind == "offer_refused":
                    offered = None

    @invariant()
    def help_is_thanked_for_once_it_was_answered_and_its_chain_is_whole(self) -> None:
        for identity, case in self.story.cases.items():
            passed = [each for each in self.story.acts[identity] if each.kind == "help_passed"]
            assert sum(len(each.chain) for each in case.help_requests.values()) == len(passed)
            for each in case.help_requests.values():
                assert each.answered_by is not None or not each.thanked
                assert each.assignee != each.asked_by

    @invariant()
    def what_happened_never_changes(self) -> None:
        told = [f"{identity}{each}" for identity in self.story.acts for each in self.story.acts[identity]]
        assert set(self.told) <= set(told)
        self.told = told

    @rule(playbook=st.sampled_from([PLAYBOOK, GENEROUS]))
    def another_playbook_is_published(self, playbook: Playbook) -> None:
        self.story.playbook = playbook


TestCasesOfOneCustomer = CasesOfOneCustomer.TestCase


def test_every_act_folds() -> None:
    """Breaks if a decision returns an act that the fold does not know."""
    with pytest.raises(KeyError):
        evolve(Case(UUID(int=1), CUSTOMER, State.OPEN, Severity.LOW, NOON, NOON), Happened("danced", "ana", NOON))
