"""How severe a case is: as a person says it, and as the playbook's rules make it of what was recorded. Nothing is guessed of anybody.

A rule is asked when what it goes by was said or came about, and only ever raises; whoever knows better lowers it again.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from services.recovery.domain.case import SYSTEM, Assessment, Case, Happened, Severity
from services.recovery.domain.deeds import Decide, Deed, Fold
from services.recovery.domain.ledger import total
from services.recovery.domain.money import money_of
from services.recovery.domain.owed import DOUBLE_DEVIATION
from services.recovery.domain.playbook import Playbook, SeverityRule

_BEGINS: Final = frozenset({"opened", "reopened"})
_SAYS_VALUE: Final = _BEGINS | {"joined", "failure_broken", "assessed"}


def set_severity(case: Case, deed: Deed) -> list[Happened]:
    """Say how much it hurts; what it is already changes nothing."""
    severity = deed.needs["severity"]
    return [] if severity == case.severity else [deed.happened("severity_set", {"severity": severity}, why=deed.needs["why"])]


def assess_case(_case: Case, deed: Deed) -> list[Happened]:
    """Record what is at stake; the playbook's rules may make the case more severe for it."""
    needs = deed.needs
    of_the_customer = {name: str(needs[name]).lower() for name in ("vulnerable", "distress") if needs[name] is not None}
    return [deed.happened("assessed", at_stake(needs["value"]), why=needs["why"], **of_the_customer)]


def at_stake(value: Mapping[str, Any] | None) -> dict[str, Any]:
    """What an act says of the value at stake."""
    return {} if value is None else {"value": dict(value)}


def raised(case: Case, happened: Happened, playbook: Playbook, others: Collection[Case] = ()) -> list[Happened]:
    """The severity that the gravest rule asks for which this act meets; `others` are the customer's, who is one person in all of them."""
    met = [
        each
        for each in playbook.severity_rules
        if each.severity.rank > case.severity.rank and _MEETS[each.when](each, case, happened, others)
    ]
    if not met:
        return []
    gravest = max(met, key=lambda each: each.severity.rank)
    return [Happened("severity_raised", SYSTEM, happened.at, {"severity": gravest.severity.value}, {"why": str(gravest)})]


def _value(rule: SeverityRule, _case: Case, happened: Happened, _others: Collection[Case]) -> bool:
    """Whether a person says so, or a failure that the case got: a watched case that is told of a repeat is left as it stands."""
    money = money_of(happened.content.get("value")) if happened.kind in _SAYS_VALUE else None
    return money is not None and rule.money is not None and money.currency == rule.money.currency and money.amount >= rule.money.amount


def _cost(rule: SeverityRule, case: Case, happened: Happened, _others: Collection[Case]) -> bool:
    """Whether this line of the ledger is the one with which the case comes to so much."""
    more, bound = (money_of(happened.content) if "entry" in happened.content else None), rule.money
    if happened.kind == "repaid" or more is None or bound is None or more.currency != bound.currency:
        return False
    now = total(each for each in case.ledger.values() if each.money.currency == bound.currency)
    return now - more.amount < bound.amount <= now


def _vulnerable(_rule: SeverityRule, _case: Case, happened: Happened, others: Collection[Case]) -> bool:
    if happened.kind not in _BEGINS:
        return happened.kind == "assessed" and happened.payload.get("vulnerable") == "true"
    said = [each.assessment for each in others if each.assessment is not None and each.assessment.vulnerable is not None]
    latest = max(said, key=lambda each: each.at, default=None)
    return latest is not None and latest.vulnerable is True


def _distress(rule: SeverityRule, _case: Case, happened: Happened, _others: Collection[Case]) -> bool:
    return happened.kind == "assessed" and int(happened.payload.get("distress", 0)) >= (rule.score or 0)


def _double_deviation(_rule: SeverityRule, _case: Case, happened: Happened, _others: Collection[Case]) -> bool:
    return happened.kind == "escalated" and happened.content["why"] == DOUBLE_DEVIATION


_MEETS: Final[Mapping[str, Callable[[SeverityRule, Case, Happened, Collection[Case]], bool]]] = MappingProxyType(
    {"value": _value, "cost": _cost, "vulnerable": _vulnerable, "distress": _distress, "double_deviation": _double_deviation}
)
WHEN: Final = frozenset(_MEETS)
"""What a rule may go by."""


def hurt(case: Case, happened: Happened) -> Case:
    """The case as severe as the act says."""
    return replace(case, severity=Severity(happened.content["severity"]))


def _assess(case: Case, happened: Happened) -> Case:
    """What was said now, and of the rest what was said before."""
    before, said, words = case.assessment, happened.content, happened.payload
    known = Assessment(happened.by, happened.at, "") if before is None else before
    return replace(
        case,
        assessment=Assessment(
            happened.by,
            happened.at,
            words.get("why", ""),
            money_of(said["value"]) if "value" in said else known.value,
            words["vulnerable"] == "true" if "vulnerable" in words else known.vulnerable,
            int(words["distress"]) if "distress" in words else known.distress,
        ),
    )


DECISIONS: Final[Mapping[str, Decide]] = {"set_severity": set_severity, "assess_case": assess_case}
FOLDS: Final[Mapping[str, Fold]] = {"severity_set": hurt, "severity_raised": hurt, "assessed": _assess}
