"""Authority: who may give how much of what, who approves what is beyond that, and that nobody approves what they asked themselves."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final
from uuid import UUID

from services.recovery.domain.case import Approval, Case, Decision, Happened
from services.recovery.domain.deeds import Actor, Decide, Deed, Fold, NothingOwedError, RefusedError
from services.recovery.domain.money import Bearer, EntryKind, Money, money_of
from services.recovery.domain.owed import made
from services.recovery.domain.playbook import Authority, Playbook
from services.recovery.domain.things import due_of, finish, named, put

MONEY, GOODS, TIME_OFF, EXCEPTION = "money", "goods", "time_off", "exception"
UNSAID: Final = frozenset({"lead", "manager"})
"""Who may give and approve anything where the playbook does not say who may what."""


class SelfApprovalError(RefusedError):
    """Nobody decides what they asked for themselves, nor by the authority of somebody who asked; another has to."""


class BeyondAuthorityError(RefusedError):
    """This is beyond what you may decide; ask for an approval, or name the one that covers it."""


def ask_approval(case: Case, deed: Deed) -> list[Happened]:
    """Ask for what is beyond one's own authority."""
    needs, content = deed.needs, made(case, deed, "approval")
    money, days = money_of(needs["money"]), needs["days"]
    roles = sorted(_may_decide(case, deed.playbook, needs["kind"], money, None if days is None else Decimal(days)))
    if not roles:
        message = f"By the playbook nobody may approve so much of {needs['kind']}; ask for less, or have the playbook changed."
        raise RefusedError(message)
    content |= {"kind": needs["kind"], "roles": roles} | ({} if days is None else {"days": days}) | (money.content() if money else {})
    return [deed.happened("approval_asked", content, what=needs["what"])]


def _may_decide(case: Case, playbook: Playbook, kind: str, money: Money | None, days: Decimal | None) -> Iterable[str]:
    if not playbook.authority:
        return UNSAID
    return {each.role for each in _counting(case, playbook) if _covers(each, kind, money, days)}


def _counting(case: Case, playbook: Playbook) -> Iterator[Authority]:
    """What counts in a case as severe as this one."""
    return (each for each in playbook.authority if case.severity.rank >= each.severity.rank)


def _covers(authority: Authority, kind: str, money: Money | None, days: Decimal | None) -> bool:
    if kind == EXCEPTION:
        return authority.exceptions
    if kind == TIME_OFF:
        return days is not None and days <= authority.time_off
    return money is not None and authority.money is not None and within(money, authority.money)


def within(money: Money, limit: Money) -> bool:
    """Whether it is at most the limit, in the limit's currency."""
    return money.currency == limit.currency and money.amount <= limit.amount


def grant_approval(case: Case, deed: Deed) -> list[Happened]:
    """Say yes."""
    return _decided(case, deed, Decision.GRANTED)


def refuse_approval(case: Case, deed: Deed) -> list[Happened]:
    """Say no."""
    return _decided(case, deed, Decision.REFUSED)


def _decided(case: Case, deed: Deed, decision: Decision) -> list[Happened]:
    known: Approval = named(case, deed, "approval")
    if known.decision is not None:
        message = f"It is {known.decision} already."
        raise RefusedError(message)
    if deed.actor.subject == known.asked_by:
        raise SelfApprovalError
    able = [each for each in (deed.actor, *deed.actor.covers) if each.roles & known.roles]
    if not able:
        raise BeyondAuthorityError
    by_whose = next((each for each in able if each.subject != known.asked_by), None)
    if by_whose is None:
        raise SelfApprovalError
    for_whom = {} if by_whose is deed.actor else {"authority_of": by_whose.subject}
    content = {"approval": str(known.id), "decision": decision.value} | for_whom
    return [deed.happened(f"approval_{decision}", content, why=deed.needs["why"])]


def require_covered(case: Case, deed: Deed, money: Money, kind: str = MONEY) -> None:
    """Refuse to give what neither one's own authority, with all that one gave in the case before, nor the approval named covers.

    A budget that is used up takes an approval too.
    """
    named = deed.needs.get("approval")
    if named is not None:
        _require_left(case, case.approvals.get(named), money, kind)
        return
    if not any(_standing(case, each, deed.playbook, money, deed.actor) for each in (deed.actor, *deed.actor.covers)):
        raise BeyondAuthorityError
    budget = deed.playbook.budget
    if budget and budget.money.currency == money.currency and deed.spent + money.amount > budget.money.amount:
        left = Money(max(budget.money.amount - deed.spent, Decimal(0)), money.currency)
        message = f"Of the budget of this {budget.per} {left} is left; ask for an approval, or give less."
        raise BeyondAuthorityError(message)


def _require_left(case: Case, approval: Approval | None, money: Money, kind: str) -> None:
    if approval is None:
        raise NothingOwedError
    if approval.decision is not Decision.GRANTED or approval.money is None or approval.kind != kind:
        message = f"The approval that is named is no granted one of {kind}."
        raise BeyondAuthorityError(message)
    used = sum((each.money.amount for each in case.ledger.values() if each.approval == approval.id), Decimal(0))
    if not within(Money(used + money.amount, money.currency), approval.money):
        message = f"The approval is over {approval.money}, of which {used} is used."
        raise BeyondAuthorityError(message)


def _standing(case: Case, whose: Actor, playbook: Playbook, money: Money, actor: Actor) -> bool:
    """Whether somebody's authority covers it, with all that the actor gave in the case before under their own consent."""
    if not playbook.authority:
        return bool(whose.roles & UNSAID)
    total = Money(money.amount + sum(_given_before(case, actor, money.currency), Decimal(0)), money.currency)
    return any(_covers(each, MONEY, total, None) for each in _counting(case, playbook) if each.role in whose.roles)


def _given_before(case: Case, actor: Actor, currency: str) -> Iterator[Decimal]:
    for each in case.ledger.values():
        giver = each.by if each.bearer is Bearer.UNIT else each.repaid_by
        by_rule = each.approval is not None or each.promise is not None or each.kind is EntryKind.STAFF_TIME
        if giver == actor.subject and not by_rule and each.money.currency == currency:
            yield each.money.amount


def _ask(case: Case, happened: Happened) -> Case:
    content = happened.content
    days = content.get("days")
    asked = Approval(
        UUID(content["approval"]), content["kind"], happened.payload.get("what", ""), due_of(content),
        happened.by, frozenset(content["roles"]), money_of(content), None if days is None else Decimal(days),
    )  # fmt: skip
    return put(case, "approval", asked)


def _decide(case: Case, happened: Happened) -> Case:
    decision, why = Decision(happened.content["decision"]), happened.payload.get("why", "")
    return finish(case, "approval", happened, decision=decision, decided_by=happened.by, why=why)


DECISIONS: Final[Mapping[str, Decide]] = {
    "ask_approval": ask_approval, "grant_approval": grant_approval, "refuse_approval": refuse_approval,
}  # fmt: skip
FOLDS: Final[Mapping[str, Fold]] = {"approval_asked": _ask, "approval_granted": _decide, "approval_refused": _decide}
