"""What a customer stands to lose by a broken promise, read from what opened it: an exact decimal and its currency, as text.

It decides no verdict: where an event does not say it, nothing is said of it, and the event is judged all the same.
"""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from services.promises.correlations import Event
from services.promises.language.conditions import Path, reader
from services.promises.language.declarations import CURRENCY

_WRITTEN: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,20})?")
_MOST: Final = Decimal(10) ** 12
_DECIMALS: Final = Decimal("0.0001")


def at_stake_of(amount: Path, currency: Path | str) -> Callable[[Event], str | None]:
    """Compile where the amount and its currency (ISO 4217, or the field that says it) stand; None where an event says none."""
    read, named = reader(amount), (lambda _: currency) if isinstance(currency, str) else reader(currency)

    def at_stake(event: Event) -> str | None:
        number, unit = amount_of(read(event)), named(event)
        known = number is not None and isinstance(unit, str) and CURRENCY.fullmatch(unit) is not None
        return f"{number} {unit}" if known else None

    return at_stake


def amount_of(value: Any) -> str | None:
    """Return an amount as a decimal of at most four places; None for what is none, is negative or is out of all proportion."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and _WRITTEN.fullmatch(value) is None:
        return None
    number = Decimal(str(value))
    if not number.is_finite() or not 0 <= number < _MOST:
        return None
    rounded = number.quantize(_DECIMALS, ROUND_HALF_UP)
    return f"{number if number == rounded else rounded:f}"


def content_of(at_stake: str) -> dict[str, str]:
    """As a fact says it."""
    amount, currency = at_stake.split()
    return {"amount": amount, "currency": currency}
