"""What was promised, as plain parameters for the oracle: those of `promises.yaml` here, and of `promises/recovery.yaml`."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

DAY = 86_400_000
WITHOUT_END = 36_500 * DAY
"""Longer than any run: what ends the interval otherwise happens in none."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise. Durations are milliseconds; `correlate` and `by` are paths into `data`, None: the customer."""

    name: str
    pattern: str
    when: tuple[str, ...]
    within: int | None = None
    correlate: str | None = "$.order_id"
    by: str | None = None
    grace: int = 0
    strictly: bool = False
    audience: str = "customer"
    expect: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    broken_by: tuple[str, ...] = ()
    cancel: tuple[str, ...] = ()
    total_at_most: int | None = None
    """What `must` of a conformance asks of `data.total`."""

    def row(self) -> dict[str, Any]:
        """The promise as a row, without the types it looks for."""
        kept_apart = {"when", "expect", "never", "broken_by", "cancel"}
        return {name: value for name, value in asdict(self).items() if name not in kept_apart}

    def roles(self) -> Iterable[dict[str, str]]:
        """Which event type plays which part."""
        parts = {"when": self.when, "expect": self.expect, "never": self.never, "broken_by": self.broken_by, "cancel": self.cancel}
        return [{"promise": self.name, "role": role, "type": type_} for role, types in parts.items() for type_ in types]


PLACED, SHIPPED, DELIVERED, LOST = ("order.placed",), ("order.shipped",), ("order.delivered",), ("order.lost",)

ORDERS = (
    Promise("shipped", "response", PLACED, 4000, expect=SHIPPED, broken_by=LOST, cancel=("order.cancelled",), grace=2000),
    Promise("delivered", "response", PLACED, by="$.due", expect=DELIVERED, broken_by=LOST),
    Promise("unharmed", "absence", DELIVERED, 3000, never=("order.damaged",), cancel=("order.returned",), grace=1000),
    Promise("priced", "conformance", PLACED, total_at_most=100),
    Promise("picked", "response", PLACED, 2000, expect=SHIPPED, strictly=True, audience="internal"),
)
CASES_END = ("recovery.case.withdrawn",)
RECOVERY = (
    Promise(
        "pledge", "response", ("recovery.pledge.made",), correlate="$.pledge_id", by="$.due",
        expect=("recovery.pledge.fulfilled",), cancel=("recovery.owed.called_off",),
    ),
    Promise(
        "case-owned", "response", ("recovery.case.opened",), DAY,
        correlate="$.case_id", expect=("recovery.case.owned",), cancel=CASES_END, audience="internal",
    ),
    Promise(
        "customer-confirms", "response", ("recovery.case.remedied",), 30 * DAY,
        correlate=None, expect=("customer.confirmed", "recovery.case.confirmed"), cancel=CASES_END, audience="internal",
    ),
    Promise(
        "right-to-the-customer", "absence", ("recovery.case.remedied",), 30 * DAY, correlate="$.case_id",
        never=("customer.disputed",), cancel=(*CASES_END, "recovery.case.declined"), audience="internal",
    ),
    Promise(
        "still-wanted", "absence", ("recovery.case.opened",), WITHOUT_END, correlate="$.case_id",
        never=("customer.declined",), cancel=CASES_END, audience="internal",
    ),
    Promise(
        "late-word", "response", ("recovery.case.unknown",), WITHOUT_END, correlate=None,
        expect=("customer.confirmed",), cancel=(*CASES_END, "recovery.case.declined"), audience="internal",
    ),
    Promise(
        "right-after-all", "absence", ("recovery.case.unknown",), WITHOUT_END, correlate="$.case_id",
        never=("customer.disputed",), cancel=(*CASES_END, "recovery.case.declined"), audience="internal",
    ),
    Promise(
        "no-repeat-failure", "absence", ("recovery.case.confirmed",), 30 * DAY,
        correlate=None, never=("recovery.failure.recorded",), cancel=CASES_END, audience="internal",
    ),
    Promise(
        "came-back", "response", ("recovery.case.confirmed",), 60 * DAY, correlate=None,
        expect=("customer.returned", "visit.started", "order.placed", "booking.made"), cancel=CASES_END, audience="internal",
    ),
)  # fmt: skip
