"""Reads what a playbook says of giving: who may give how much, the budget, what is fair, and what is owed by itself."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Final

from services.chassis.documents import Fields
from services.chassis.entries import span, texts
from services.recovery.domain.case import Severity
from services.recovery.domain.money import Money
from services.recovery.domain.playbook import Authority, Budget, Rule

_MONEY: Final = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,4})? [A-Z]{3}")
_DAYS: Final = re.compile(r"([0-9]{1,3}(?:\.5)?) days?")
_ROLES: Final = ("agent", "lead", "manager")
_PERIODS: Final = ("day", "week", "month", "year")
_SEVERITIES: Final = tuple(each.value for each in Severity)
_NOTHING: Final = Money(Decimal(0), "XXX")


def money(fields: Fields, key: str, *, required: bool = False) -> Money | None:
    """Return an amount such as `50 EUR`, None where it is left out or wrong."""
    text = fields.text(key, required=required)
    if text is None:
        return None
    if _MONEY.fullmatch(text) is None:
        fields.findings.add(fields.known[key], f"`{text}` is no money; say how much of which currency, as in `50 EUR` or `12.50 USD`")
        return None
    amount, currency = text.split()
    return Money(Decimal(amount), currency)


def authority(fields: Fields) -> Authority:
    """What one role may give and approve."""
    if fields.text("role", required=True) is not None:
        fields.choice("role", _ROLES)
    text = fields.text("time_off")
    days = None if text is None else _DAYS.fullmatch(text)
    if text is not None and days is None:
        fields.findings.add(fields.known["time_off"], f"`{text}` are no days; say it as `2 days` or `0.5 days`")
    return Authority(
        fields.text("role") or "",
        money(fields, "money"),
        Decimal(days[1]) if days else Decimal(0),
        fields.read("exceptions", bool, default=False),
        Severity(fields.choice("severity", _SEVERITIES, Severity.LOW.value) or Severity.LOW),
    )


def budget(spec: Fields) -> Budget | None:
    """What all cases may be given together."""
    fields = spec.section("budget")
    if fields is None:
        return None
    amount = money(fields, "amount", required=True)
    per = fields.choice("per", _PERIODS, "month")
    fields.done()
    return Budget(amount or _NOTHING, per or "month")


def rule(fields: Fields) -> Rule:
    """What a broken promise owes by itself."""
    promise, owed = fields.text("promise", required=True), money(fields, "money", required=True)
    within = span(fields, "within")
    if "within" not in fields:
        fields.findings.add(fields.value, "a compensation needs `within`: by when it is paid, as in `5 days`")
    unless = texts(fields, "unless")
    return Rule(promise or "", owed or _NOTHING, within or timedelta(0), unless)
