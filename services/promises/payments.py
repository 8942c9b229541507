"""Compensation that recovery says was paid, summed by promise and currency in exact decimals: of nobody by name. Pure."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

PAID: Final = "recovery.compensation.paid"
OURS: Final = "makegood/recovery"
_LARGEST: Final = Decimal("1e15")

Sums = dict[tuple[str, str], Decimal]
"""By promise and currency."""


class NoPaymentError(ValueError):
    """It names no promise, no currency, or no amount that can be paid."""


class Payment(NamedTuple):
    """What was paid for one broken promise."""

    promise: str
    currency: str
    amount: Decimal


def payment_of(event: Mapping[str, Any]) -> Payment | None:
    """What a touchpoint says was paid; None of one that is not recovery's own word, or a copy for another key of the same person."""
    if event["source"] != OURS or event.get("evidenceonly") or event.get("retracted"):
        return None
    data = event.get("data")
    found = [data.get(name) for name in ("promise", "currency", "amount")] if isinstance(data, dict) else []
    words = [each for each in found if isinstance(each, str) and each]
    if len(words) != len(Payment._fields):
        raise NoPaymentError
    promise, currency, text = words
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise NoPaymentError from None
    if not (amount.is_finite() and 0 <= amount < _LARGEST):
        raise NoPaymentError
    return Payment(promise, currency, amount)


def add(sums: Sums, payment: Payment) -> None:
    """Count a payment."""
    where = payment[:2]
    sums[where] = sums.get(where, Decimal(0)) + payment.amount


def by_promise(sums: Iterable[Payment]) -> dict[str, dict[str, str]]:
    """By promise: what was paid, by currency, as exact decimals."""
    found: dict[str, dict[str, str]] = {}
    for promise, currency, amount in sorted(sums):
        found.setdefault(promise, {})[currency] = f"{amount:f}"
    return found
