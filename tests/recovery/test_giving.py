"""Who may give how much, who approves what is beyond it, what a case costs and who bore it, and what is owed by itself."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest

from contracts.catalogue import EVENTS
from services.recovery.domain.approvals import BeyondAuthorityError, SelfApprovalError
from services.recovery.domain.case import Approval, Compensation, Decision, OwedState, Severity, State
from services.recovery.domain.compensating import NO_FAILURE
from services.recovery.domain.deeds import Actor, DueHasPassedError, RefusedError
from services.recovery.domain.folding import begin, evolve
from services.recovery.domain.ledger import sums
from services.recovery.domain.money import EntryKind, Money
from services.recovery.domain.things import thing_id
from services.recovery.events import messages
from tests.recovery.stories import ANA, BEN, GENEROUS, LEA, MIA, NOON, Story, euros, failure

UNIT: dict[str, Any] = {"bearer": "unit", "borne_by": None, "approval": None}


@pytest.fixture
def owned() -> Story:
    story = Story()
    story.playbook = GENEROUS
    story.fail(failure())
    story.act("own_case")
    return story


def ask(story: Story, amount: str | None = "60", kind: str = "money", days: str | None = None, who: Actor = ANA) -> Approval:
    key = f"ask {len(story.case.approvals)}"
    money = None if amount is None else {"amount": amount, "currency": "EUR"}
    story.act("ask_approval", who, key=key, kind=kind, what="she has to fly", money=money, days=days, due=story.now + timedelta(hours=4))
    return story.case.approvals[thing_id(story.case.id, key)]


def give(story: Story, amount: str, approval: UUID | None = None, kind: str = "money", **who: Any) -> None:
    value = {"amount": amount, "currency": "EUR"}
    needs = UNIT | {"approval": approval}
    story.act("give", key=f"give {len(story.case.gestures)}", kind=kind, what="x", value=value, **needs, **who)


def enter(story: Story, kind: str, amount: str, actor: Actor = ANA, **further: Any) -> UUID:
    key = f"enter {len(story.case.ledger)}"
    needs = UNIT | {"money": {"amount": amount, "currency": "EUR"}, "minutes": None, "rate": None} | further
    story.act("add_entry", actor, key=key, kind=kind, what="x", **needs)
    return thing_id(story.case.id, key)


def test_leave_is_asked_for_and_given_by_somebody_whose_authority_it_is(owned: Story) -> None:
    leave = ask(owned, None, "time_off", "2")
    assert (set(leave.roles), leave.state) == ({"lead", "manager"}, OwedState.OPEN)
    assert owned.case.due == NOON + timedelta(hours=4)
    owned.act("grant_approval", LEA, approval=leave.id, why="take them")
    granted = owned.case.approvals[leave.id]
    assert (granted.decision, granted.decided_by, granted.why, granted.state) == (Decision.GRANTED, "lea", "take them", OwedState.DONE)
    owned.judge_pledge(leave.id, "kept")
    assert owned.case.approvals[leave.id].state is OwedState.KEPT
    with pytest.raises(RefusedError, match="granted already"):
        owned.act("refuse_approval", MIA, approval=leave.id, why="no")


def test_nobody_decides_what_they_asked_nor_by_the_authority_of_whoever_asked(owned: Story) -> None:
    """Breaks if a lead who is away could have their own wish granted by the one who stands in for them."""
    wish = ask(owned, None, "time_off", "1", LEA)
    with pytest.raises(SelfApprovalError):
        owned.act("grant_approval", LEA, approval=wish.id, why="me")
    owned.covers = (LEA,)
    with pytest.raises(SelfApprovalError):
        owned.act("grant_approval", BEN, approval=wish.id, why="for her")
    owned.covers = (LEA, MIA)
    owned.act("grant_approval", BEN, approval=wish.id, why="for mia")
    assert owned.acts[owned.case.id][-1].content["authority_of"] == "mia"


def test_one_who_stands_in_decides_by_the_authority_of_whoever_is_away(owned: Story) -> None:
    wish = ask(owned, "60")
    with pytest.raises(BeyondAuthorityError):
        owned.act("grant_approval", BEN, approval=wish.id, why="yes")
    owned.covers = (LEA,)
    owned.act("grant_approval", BEN, approval=wish.id, why="yes")
    assert owned.case.approvals[wish.id].decision is Decision.GRANTED


@pytest.mark.parametrize(
    ("amount", "kind", "days", "roles"),
    [
        ("50", "money", None, {"agent", "lead", "manager"}), ("50.01", "goods", None, {"lead", "manager"}),
        ("501", "money", None, {"manager"}), (None, "time_off", "10", {"manager"}), (None, "exception", None, {"manager"}),
    ],
)  # fmt: skip
def test_who_may_say_yes_follows_from_how_much_is_asked(
    owned: Story, amount: str | None, kind: str, days: str | None, roles: set[str]
) -> None:
    assert ask(owned, amount, kind, days).roles == roles


def test_what_nobody_may_approve_cannot_be_asked_nor_what_is_to_be_decided_in_the_past(owned: Story) -> None:
    with pytest.raises(RefusedError, match="nobody may approve"):
        ask(owned, "5000.01")
    with pytest.raises(DueHasPassedError):
        owned.act("ask_approval", key="k", kind="exception", what="x", money=None, days=None, due=NOON)


def test_within_their_own_authority_people_give_without_asking_and_many_small_gifts_count_as_one(owned: Story) -> None:
    give(owned, "30")
    with pytest.raises(BeyondAuthorityError):
        give(owned, "20.01")
    give(owned, "20")
    assert [each.value for each in owned.case.gestures.values()] == [euros("30"), euros("20")]


def test_an_approval_covers_what_it_is_over_and_not_a_cent_more(owned: Story) -> None:
    wish = ask(owned, "100")
    with pytest.raises(BeyondAuthorityError, match="no granted one"):
        give(owned, "60", wish.id)
    owned.act("grant_approval", LEA, approval=wish.id, why="yes")
    with pytest.raises(BeyondAuthorityError, match="no granted one of goods"):
        give(owned, "60", wish.id, kind="goods")
    give(owned, "60", wish.id)
    with pytest.raises(BeyondAuthorityError, match="60 is used"):
        give(owned, "40.01", wish.id)
    give(owned, "40", wish.id)
    give(owned, "50")


def test_a_refused_approval_covers_nothing(owned: Story) -> None:
    wish = ask(owned, "100")
    owned.act("refuse_approval", LEA, approval=wish.id, why="no")
    with pytest.raises(BeyondAuthorityError):
        give(owned, "60", wish.id)


def test_another_currency_is_another_authority(owned: Story) -> None:
    with pytest.raises(BeyondAuthorityError):
        owned.act("give", key="k", kind="money", what="x", value={"amount": "1", "currency": "USD"}, **UNIT)


def test_where_the_budget_is_used_up_even_what_one_may_give_takes_an_approval(owned: Story) -> None:
    owned.spent = Decimal(990)
    with pytest.raises(BeyondAuthorityError, match="10 EUR is left"):
        give(owned, "10.01")
    wish = ask(owned, "20")
    owned.act("grant_approval", LEA, approval=wish.id, why="yes")
    give(owned, "20", wish.id)
    give(owned, "10")


def test_where_no_playbook_says_it_a_lead_may_and_an_agent_asks(story: Story) -> None:
    story.act("own_case", LEA)
    give(story, "900", actor=LEA)
    with pytest.raises(BeyondAuthorityError):
        enter(story, "goodwill", "1")
    assert ask(story, "1").roles == {"lead", "manager"}


def test_what_an_employee_paid_is_flagged_until_another_repays_it(owned: Story) -> None:
    """The passport: she pays it herself, and somebody with the authority gives her the money back."""
    passport = enter(owned, "third_party", "45.50", bearer="employee", borne_by="ana")
    assert [(each.spent, each.own_pockets, each.by_units) for each in sums(owned.case)] == [
        (Decimal("45.50"), Decimal("45.50"), Decimal(0))
    ]
    with pytest.raises(SelfApprovalError):
        owned.act("repay", ANA, entry=passport, approval=None)
    owned.act("repay", BEN, entry=passport, approval=None)
    (total,) = sums(owned.case)
    assert (total.spent, total.own_pockets, total.by_units) == (Decimal("45.50"), Decimal(0), Decimal("45.50"))
    with pytest.raises(RefusedError, match="nothing to repay"):
        owned.act("repay", LEA, entry=passport, approval=None)
    with pytest.raises(BeyondAuthorityError):
        enter(owned, "goodwill", "5", BEN)


def test_minutes_cost_their_rate_to_the_hundredth_and_need_no_approval(owned: Story) -> None:
    rate = {"amount": "37.77", "currency": "EUR"}
    enter(owned, "staff_time", "0", BEN, money=None, minutes=100, rate=rate)
    (time,) = owned.case.ledger.values()
    assert (time.kind, time.money, time.minutes) == (EntryKind.STAFF_TIME, Money(Decimal("62.95"), "EUR"), 100)


def test_what_a_supplier_bears_is_apart_and_takes_no_authority_of_ours(owned: Story) -> None:
    enter(owned, "refund", "800", bearer="supplier", borne_by="the airline")
    assert [(each.by_suppliers, each.by_units, each.given) for each in sums(owned.case)] == [(Decimal(800), Decimal(0), Decimal(800))]


def test_what_takes_no_authority_uses_up_no_approval(owned: Story) -> None:
    """Breaks if an approval that was never granted could be named for what a supplier bears, and looked used."""
    wish = ask(owned, "100")
    entry = enter(owned, "refund", "80", bearer="supplier", approval=wish.id)
    assert owned.case.ledger[entry].approval is None


def test_too_little_and_too_much_show_against_what_is_fair(owned: Story) -> None:
    (none,) = sums(owned.case)
    assert (none.under, none.over) == (Decimal(25), Decimal(0))
    give(owned, "30")
    enter(owned, "staff_time", "0", money=None, minutes=60, rate={"amount": "40", "currency": "EUR"})
    (over,) = sums(owned.case)
    assert (over.given, over.spent, over.over, over.under) == (Decimal(30), Decimal(70), Decimal(5), Decimal(0))
    owned.act("set_fair", money={"amount": "100", "currency": "EUR"}, why="she missed her flight")
    assert sums(owned.case)[0].under == Decimal(70)


def test_a_deed_may_cost_nothing_and_the_thanks_for_it_are_kept(owned: Story) -> None:
    owned.act("give", key="drive", kind="deed", what="drive her to the airport", value=None, **UNIT)
    ((drive, gesture),) = owned.case.gestures.items()
    assert (gesture.value, dict(owned.case.ledger)) == (None, {})
    assert owned.case.was_told
    owned.act("thank", BEN, gesture=drive, words="I had meant not to come back")
    assert owned.case.gestures[drive].thanks == "I had meant not to come back"


def compensation(story: Story) -> Compensation:
    (found,) = story.case.compensations.values()
    return found


def test_a_rule_owes_the_customer_money_from_the_start_which_is_paid_once(owned: Story) -> None:
    due = compensation(owned)
    assert (due.money, due.due, owned.kinds()[:3]) == (euros("10"), NOON + timedelta(days=5), ["opened", "task_set", "compensation_owed"])
    owned.act("pay_compensation", BEN, compensation=due.id, unit="branch 12")
    with pytest.raises(RefusedError, match="paid already"):
        owned.act("pay_compensation", compensation=due.id, unit="branch 12")
    assert compensation(owned).paid
    (entry,) = owned.case.ledger.values()
    assert (entry.kind, entry.money, entry.promise, entry.borne_by) == (EntryKind.COMPENSATION, euros("10"), "papers-returned", "branch 12")


def test_compensation_that_is_not_paid_in_time_fails_the_customer_twice(owned: Story) -> None:
    owned.judge_pledge(compensation(owned).id, "broken")
    assert owned.case.severity is Severity.HIGH
    assert "double-deviation" in owned.case.climbed


def test_compensation_is_not_owed_on_a_ground_that_the_playbook_names_alone(owned: Story) -> None:
    due = compensation(owned)
    with pytest.raises(RefusedError, match="the playbook knows customer-at-fault"):
        owned.act("exempt_compensation", compensation=due.id, ground="stingy", why="x")
    owned.act("exempt_compensation", compensation=due.id, ground="customer-at-fault", why="she kept them herself")
    assert (compensation(owned).ground, compensation(owned).paid, compensation(owned).state) == ("customer-at-fault", False, OwedState.DONE)
    with pytest.raises(RefusedError, match="not owed"):
        owned.act("pay_compensation", compensation=due.id, unit="x")


def test_a_failure_that_was_none_owes_nothing_and_owes_it_again_where_it_was_one_after_all(owned: Story) -> None:
    owned.withdraw()
    assert (owned.case.state, compensation(owned).ground) == (State.WITHDRAWN, NO_FAILURE)
    owned.fail(failure(at=NOON + timedelta(days=1)))
    assert (compensation(owned).ground, compensation(owned).due) == (None, NOON + timedelta(days=6))


def test_each_failure_owes_its_own_and_what_was_paid_is_not_owed_again(owned: Story) -> None:
    owned.act("pay_compensation", compensation=compensation(owned).id, unit="x")
    owned.withdraw()
    owned.fail(failure(2))
    owned.fail(failure(1, at=NOON + timedelta(days=1)))
    assert [each.paid for each in owned.case.compensations.values()] == [True, False]


def test_what_is_told_of_all_this_is_what_the_contracts_say(owned: Story) -> None:
    """Breaks if a fact or a touchpoint of money says what its contract has no place for, or leaves out what it needs."""
    told: list[tuple[str, dict[str, Any]]] = []
    wish = ask(owned, "100")
    owned.act("grant_approval", LEA, approval=wish.id, why="yes")
    owned.act("refuse_approval", LEA, approval=ask(owned, None, "time_off", "1").id, why="no")
    give(owned, "60", wish.id)
    owned.act("thank", gesture=next(iter(owned.case.gestures)), words="thank you")
    owned.act("repay", BEN, entry=enter(owned, "refund", "5", bearer="employee"), approval=None)
    owned.act("set_fair", money={"amount": "30", "currency": "EUR"}, why="x")
    owned.act("pay_compensation", compensation=compensation(owned).id, unit="branch 12")
    owned.fail(failure(2))
    owned.withdraw(2)
    case, models = None, {each.name: each.model() for each in EVENTS}
    for happened in owned.acts[owned.case.id]:
        case = begin(owned.case.id, happened) if case is None else evolve(case, happened)
        for each in messages(case, happened):
            event = orjson.loads(each.body)
            models[event["type"]].model_validate(event)
            told.append((event["type"], event["data"]))
    (paid,) = [data for kind, data in told if kind == "recovery.compensation.paid"]
    assert (paid["promise"], paid["amount"], paid["currency"]) == ("papers-returned", "10", "EUR")
    assert {"recovery.approval.asked", "recovery.approval.decided", "recovery.gesture.given", "recovery.compensation.exempted"} <= {
        kind for kind, _ in told
    }
