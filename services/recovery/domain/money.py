"""Money in exact decimals, and what a case spends of it: entries of its ledger, and gestures. Nothing here is ever a float."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from uuid import UUID

_HUNDREDTH: Final = Decimal("0.01")
_MINUTES: Final = 60


@dataclass(frozen=True, slots=True)
class Money:
    """So much of a currency (ISO 4217)."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def content(self) -> dict[str, str]:
        """As an act's content says it."""
        return {"amount": str(self.amount), "currency": self.currency}


def money_of(written: Mapping[str, Any] | None) -> Money | None:
    """What a mapping with `amount` and `currency` says; None where it says none."""
    if written is None or written.get("amount") is None:
        return None
    return Money(Decimal(written["amount"]), written["currency"])


def for_time(minutes: int, rate: Money) -> Money:
    """What minutes cost at a rate an hour, to the hundredth."""
    return Money((rate.amount * minutes / _MINUTES).quantize(_HUNDREDTH, ROUND_HALF_UP), rate.currency)


class EntryKind(enum.StrEnum):
    """What money went to."""

    STAFF_TIME = enum.auto()
    THIRD_PARTY = enum.auto()
    GOODWILL = enum.auto()
    REFUND = enum.auto()
    GESTURE = enum.auto()
    COMPENSATION = enum.auto()


GIVEN: Final = frozenset({EntryKind.GOODWILL, EntryKind.REFUND, EntryKind.GESTURE, EntryKind.COMPENSATION})
"""What reached the customer; the rest is what it cost us to get there."""


class Bearer(enum.StrEnum):
    """Who bore it."""

    UNIT = enum.auto()
    SUPPLIER = enum.auto()
    EMPLOYEE = enum.auto()
    """Out of their own pocket: to be repaid."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger. `rate` is for an hour; `approval` is what covered it beyond the giver's own authority."""

    id: UUID
    kind: EntryKind
    money: Money
    what: str
    bearer: Bearer
    borne_by: str
    by: str
    at: datetime
    minutes: int | None = None
    rate: Money | None = None
    approval: UUID | None = None
    promise: str | None = None
    repaid_at: datetime | None = None
    repaid_by: str | None = None

    @property
    def to_repay(self) -> bool:
        """Whether somebody waits for their own money."""
        return self.bearer is Bearer.EMPLOYEE and self.repaid_at is None


class GestureKind(enum.StrEnum):
    """What a gesture is made of."""

    MONEY = enum.auto()
    GOODS = enum.auto()
    DEED = enum.auto()


@dataclass(frozen=True, slots=True)
class Gesture:
    """What was given to make good. Its value, where it has one, is an entry of the ledger of the same id."""

    id: UUID
    kind: GestureKind
    what: str
    by: str
    at: datetime
    value: Money | None = None
    thanks: str | None = None
    """What the customer said to it."""
    thanked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """What a case adds up to in one currency. Over and under compare what was given with what is fair; None where nobody says that."""

    currency: str
    spent: Decimal
    given: Decimal
    by_units: Decimal
    by_suppliers: Decimal
    own_pockets: Decimal
    """Of all this, what employees paid and were not repaid."""
    fair: Decimal | None = None
    over: Decimal | None = None
    under: Decimal | None = None
