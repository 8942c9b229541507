"""What a case costs, who bore it, and what was given to make good. Nobody pays for our mistake out of their own pocket unseen."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from services.recovery.domain.approvals import GOODS, MONEY, SelfApprovalError, require_covered
from services.recovery.domain.case import Case, Happened
from services.recovery.domain.deeds import Decide, Deed, Fold, RefusedError
from services.recovery.domain.money import (
    GIVEN,
    Bearer,
    Entry,
    EntryKind,
    Gesture,
    GestureKind,
    Money,
    Sums,
    for_time,
    money_of,
)
from services.recovery.domain.things import change, named, put, thing_id

SPENDING: Final = frozenset({"add_entry", "give", "repay"})
"""The acts to which a budget matters."""


def add_entry(case: Case, deed: Deed) -> list[Happened]:
    """Write down what something cost; what the company spends beyond staff time needs the authority to spend it."""
    needs = deed.needs
    kind, bearer = EntryKind(needs["kind"]), Bearer(needs["bearer"])
    rate = money_of(needs["rate"])
    money = for_time(needs["minutes"], rate) if rate else money_of(needs["money"])
    if money is None or money.amount == 0:
        message = "It comes to nothing; leave it out, or say more minutes."
        raise RefusedError(message)
    covered = bearer is Bearer.UNIT and kind is not EntryKind.STAFF_TIME
    if covered:
        require_covered(case, deed, money)
    time = {} if rate is None else {"minutes": needs["minutes"], "rate": rate.content()}
    content = (
        _spent(case, deed, kind, money)
        | (_by_approval(deed) if covered else {})
        | {"bearer": bearer.value, "borne_by": needs["borne_by"] or deed.actor.subject}
        | time
    )
    return [deed.happened("spent", content, what=needs["what"])]


def give(case: Case, deed: Deed) -> list[Happened]:
    """Give something to make good: money, goods, or a deed, which may cost nothing."""
    needs = deed.needs
    kind, value, bearer = GestureKind(needs["kind"]), money_of(needs["value"]), Bearer(needs["bearer"])
    content: dict[str, Any] = {"gesture": str(thing_id(case.id, deed.key)), "gift": kind.value}
    if value is not None:
        if bearer is Bearer.UNIT:
            require_covered(case, deed, value, GOODS if kind is GestureKind.GOODS else MONEY)
            content |= _by_approval(deed)
        content |= _spent(case, deed, EntryKind.GESTURE, value)
        content |= {"bearer": bearer.value, "borne_by": needs["borne_by"] or deed.actor.subject}
    return [deed.happened("given", content, what=needs["what"])]


def _spent(case: Case, deed: Deed, kind: EntryKind, money: Money) -> dict[str, Any]:
    return {"entry": str(thing_id(case.id, deed.key)), "kind": kind.value} | money.content()


def _by_approval(deed: Deed) -> dict[str, str]:
    """What is none of ours to approve uses up no approval, whatever is named."""
    named = deed.needs["approval"]
    return {} if named is None else {"covered_by": str(named)}


def thank(case: Case, deed: Deed) -> list[Happened]:
    """Pass on what the customer said to a gesture."""
    known: Gesture = named(case, deed, "gesture")
    return [deed.happened("thanked", {"gesture": str(known.id)}, thanks=deed.needs["words"])]


def repay(case: Case, deed: Deed) -> list[Happened]:
    """Give an employee back what they paid of their own; never oneself."""
    known: Entry = named(case, deed, "entry")
    if not known.to_repay:
        message = "There is nothing to repay in this entry."
        raise RefusedError(message)
    if deed.actor.subject in {known.borne_by, known.by}:
        raise SelfApprovalError
    require_covered(case, deed, known.money)
    return [deed.happened("repaid", {"entry": str(known.id)} | known.money.content() | _by_approval(deed))]


def set_fair(case: Case, deed: Deed) -> list[Happened]:
    """Say what would be fair to give for it; what it is already changes nothing."""
    money = money_of(deed.needs["money"])
    assert money is not None, "the act needs it"
    return [] if money == case.fair else [deed.happened("fair_set", money.content(), why=deed.needs["why"])]


def sums(case: Case) -> list[Sums]:
    """What a case adds up to, by currency; a currency in which something is fair is there even where nothing was given."""
    fair = case.fair
    currencies = {each.money.currency for each in case.ledger.values()} | ({fair.currency} if fair else set())
    return [_sums(case, each, fair.amount if fair and fair.currency == each else None) for each in sorted(currencies)]


def _sums(case: Case, currency: str, fair: Decimal | None) -> Sums:
    mine = [each for each in case.ledger.values() if each.money.currency == currency]
    given = total(each for each in mine if each.kind in GIVEN)
    repaid = [each for each in mine if each.bearer is Bearer.EMPLOYEE and not each.to_repay]
    return Sums(
        currency, total(mine), given,
        total([*repaid, *(each for each in mine if each.bearer is Bearer.UNIT)]),
        total(each for each in mine if each.bearer is Bearer.SUPPLIER),
        total(each for each in mine if each.to_repay),
        fair, None if fair is None else max(given - fair, Decimal(0)), None if fair is None else max(fair - given, Decimal(0)),
    )  # fmt: skip


def total(entries: Iterable[Entry]) -> Decimal:
    """What entries of one currency come to."""
    return sum((each.money.amount for each in entries), Decimal(0))


def enter(case: Case, happened: Happened) -> Case:
    """The case with one more line in its ledger."""
    content = happened.content
    money = money_of(content)
    assert money is not None, "an entry is money"
    covered = content.get("covered_by")
    entry = Entry(
        UUID(content["entry"]), EntryKind(content["kind"]), money, happened.payload.get("what", ""), Bearer(content["bearer"]),
        content["borne_by"], happened.by, happened.at, content.get("minutes"), money_of(content.get("rate")),
        None if covered is None else UUID(covered), content.get("promise"),
    )  # fmt: skip
    return put(case, "entry", entry)


def _give(case: Case, happened: Happened) -> Case:
    content, what = happened.content, happened.payload.get("what", "")
    made = Gesture(UUID(content["gesture"]), GestureKind(content["gift"]), what, happened.by, happened.at, money_of(content))
    given = put(case, "gesture", made)
    return given if made.value is None else enter(given, happened)


def _thank(case: Case, happened: Happened) -> Case:
    return change(case, "gesture", happened, thanks=happened.payload.get("thanks", ""), thanked_at=happened.at)


def _repay(case: Case, happened: Happened) -> Case:
    covered = happened.content.get("covered_by")
    approval = None if covered is None else UUID(covered)
    return change(case, "entry", happened, repaid_at=happened.at, repaid_by=happened.by, approval=approval)


DECISIONS: Final[Mapping[str, Decide]] = {
    "add_entry": add_entry, "give": give, "thank": thank, "repay": repay, "set_fair": set_fair,
}  # fmt: skip
FOLDS: Final[Mapping[str, Fold]] = {
    "spent": enter,
    "given": _give,
    "thanked": _thank,
    "repaid": _repay,
    "fair_set": lambda case, happened: replace(case, fair=money_of(happened.content)),
}
