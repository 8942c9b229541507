"""What a playbook's rule owes the customer by itself: owed once for a failure, paid once, and judged by the one engine."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from services.recovery.domain.case import SYSTEM, Case, Compensation, Failure, Happened
from services.recovery.domain.deeds import Decide, Deed, Fold, RefusedError
from services.recovery.domain.ledger import enter
from services.recovery.domain.money import Bearer, EntryKind, money_of
from services.recovery.domain.playbook import Playbook
from services.recovery.domain.things import due_of, finish, named, put, thing_id

NO_FAILURE: Final = "no-failure"
"""The ground on which nothing is owed where a correction took the failure back."""


def compensate(case: Case, playbook: Playbook, at: datetime) -> list[Happened]:
    """What is owed now for the failures that stand, and no longer for those that were taken back; what was paid stays paid."""
    return [
        each
        for failure in case.failures.values()
        if not failure.at_risk
        for each in (_no_longer(case, failure, at) if failure.withdrawn else _owe(case, playbook, failure, at))
    ]


def compensation_id(case: UUID, failure: UUID) -> UUID:
    """The id of what is owed for a failure: there is one at most."""
    return thing_id(case, f"compensation {failure}")


def _owe(case: Case, playbook: Playbook, failure: Failure, at: datetime) -> list[Happened]:
    rule = playbook.rule(failure.promise) if failure.promise else None
    identity = compensation_id(case.id, failure.commitment)
    known = case.compensations.get(identity)
    if rule is None or (known is not None and known.ground != NO_FAILURE):
        return []
    content = {
        "compensation": str(identity), "due": (at + rule.within).isoformat(), "of": str(failure.commitment), "promise": rule.promise,
    }  # fmt: skip
    return [Happened("compensation_owed", SYSTEM, at, content | rule.money.content())]


def _no_longer(case: Case, failure: Failure, at: datetime) -> list[Happened]:
    known = case.compensations.get(compensation_id(case.id, failure.commitment))
    if known is None or known.done is not None:
        return []
    return [Happened("compensation_exempted", SYSTEM, at, {"compensation": str(known.id), "ground": NO_FAILURE})]


def pay_compensation(case: Case, deed: Deed) -> list[Happened]:
    """Say that the customer was paid what the rule owes them; paid once. The rule is the consent to it."""
    known = _unpaid(case, deed)
    content = {
        "compensation": str(known.id), "entry": str(known.id), "kind": EntryKind.COMPENSATION.value, "promise": known.promise,
        "bearer": Bearer.UNIT.value, "borne_by": deed.needs["unit"],
    }  # fmt: skip
    return [deed.happened("compensation_paid", content | known.money.content())]


def exempt_compensation(case: Case, deed: Deed) -> list[Happened]:
    """Say on which of the playbook's grounds the rule does not hold here."""
    known, ground = _unpaid(case, deed), deed.needs["ground"]
    rule = deed.playbook.rule(known.promise)
    grounds = rule.unless if rule else ()
    if ground not in grounds:
        right = f"the playbook knows {', '.join(grounds)}" if grounds else "the playbook knows none"
        message = f"{ground} is no ground on which this is not owed; {right}."
        raise RefusedError(message)
    return [deed.happened("compensation_exempted", {"compensation": str(known.id), "ground": ground}, why=deed.needs["why"])]


def _unpaid(case: Case, deed: Deed) -> Compensation:
    known: Compensation = named(case, deed, "compensation")
    if known.done is not None:
        message = "It is paid already." if known.paid else f"It is not owed: {known.ground}."
        raise RefusedError(message)
    return known


def _due(case: Case, happened: Happened) -> Case:
    content = happened.content
    money = money_of(content)
    assert money is not None, "a compensation is money"
    promise = content["promise"]
    owed = Compensation(UUID(content["compensation"]), promise, due_of(content), UUID(content["of"]), promise, money)
    return put(case, "compensation", owed)


def _settle(case: Case, happened: Happened) -> Case:
    return finish(case, "compensation", happened, ground=happened.content.get("ground"))


DECISIONS: Final[Mapping[str, Decide]] = {"pay_compensation": pay_compensation, "exempt_compensation": exempt_compensation}
FOLDS: Final[Mapping[str, Fold]] = {
    "compensation_owed": _due,
    "compensation_paid": lambda case, happened: enter(_settle(case, happened), happened),
    "compensation_exempted": _settle,
}
