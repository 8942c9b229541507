"""The workload: orders that are placed, shipped and delivered, some of them never. Pure; the same number, the same order.

Of 1,000 orders 8 are never shipped and 8 shipped but never delivered. Each of these breaks two promises, so about 1 % of
all commitments break.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

CUSTOMERS = 100_000
STEP_SECONDS = 1.0
"""From placed to shipped, and from shipped to delivered, where all goes well."""
LONGEST_PROMISE_SECONDS = 8.0
_EVERY, _NEVER_SHIPPED, _NEVER_DELIVERED = 1000, range(8), range(500, 508)


class Step(StrEnum):
    """What happens to an order, in this order."""

    PLACED = "placed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"


_TEMPLATES = {
    step: (
        f'{{"specversion":"1.0","id":"{step}-%08d","source":"shop/orders","type":"order.{step}","subject":"crm:%06d","time":"%b",'
        '"datacontenttype":"application/json","data":{"order_id":"o-%08d","channel":"web"}}'
    ).encode()
    for step in Step
}


def customer_of(order: int) -> int:
    """Whose order it is: spread over all customers without a pattern (Knuth's multiplicative hash)."""
    return (order * 2_654_435_761 % 2**32 >> 7) % CUSTOMERS


def is_shipped(order: int) -> bool:
    """Whether the order ever leaves the house."""
    return order % _EVERY not in _NEVER_SHIPPED


def is_delivered(order: int) -> bool:
    """Whether the order ever arrives."""
    return is_shipped(order) and order % _EVERY not in _NEVER_DELIVERED


def touchpoints(step: Step, orders: Iterable[int], now: datetime) -> list[bytes]:
    """Structured CloudEvents, one an order, all of the same time."""
    template, time = _TEMPLATES[step], now.isoformat(timespec="microseconds").replace("+00:00", "Z").encode()
    return [template % (order, customer_of(order), time, order) for order in orders]


@dataclass(slots=True)
class Stream:
    """Orders under way. What is placed in one turn is shipped and delivered in turns of its own."""

    following: int = 0
    placed: int = 0
    shipped: int = 0
    delivered: int = 0
    _shipping: deque[tuple[float, list[int]]] = field(default_factory=deque)
    _delivering: deque[tuple[float, list[int]]] = field(default_factory=deque)

    @property
    def produced(self) -> int:
        """Touchpoints so far."""
        return self.placed + self.shipped + self.delivered

    @property
    def under_way(self) -> bool:
        """Whether something is yet to be shipped or delivered."""
        return bool(self._shipping or self._delivering)

    def turn(self, at: float, new: int, now: datetime) -> list[bytes]:
        """What happens at the moment `at` (seconds): new orders, and what those before have come to."""
        delivered = [order for order in _ready(self._delivering, at) if is_delivered(order)]
        shipped = [order for order in _ready(self._shipping, at) if is_shipped(order)]
        placed = list(range(self.following, self.following + new))
        self.following += new
        if shipped:
            self._delivering.append((at + STEP_SECONDS, shipped))
        if placed:
            self._shipping.append((at + STEP_SECONDS, placed))
        self.placed, self.shipped, self.delivered = (
            self.placed + len(placed), self.shipped + len(shipped), self.delivered + len(delivered),
        )  # fmt: skip
        happening = ((Step.PLACED, placed), (Step.SHIPPED, shipped), (Step.DELIVERED, delivered))
        return [body for step, orders in happening for body in touchpoints(step, orders, now)]


def _ready(queue: deque[tuple[float, list[int]]], at: float) -> list[int]:
    ready: list[int] = []
    while queue and queue[0][0] <= at:
        ready += queue.popleft()[1]
    return ready


def expected(placed: int) -> dict[str, tuple[int, int]]:
    """What must come of the first `placed` orders when nobody is late: (kept, broken) by promise."""
    shipped = sum(map(is_shipped, range(placed)))
    delivered = sum(map(is_delivered, range(placed)))
    return {
        "shipped-in-time": (shipped, placed - shipped),
        "carried-in-time": (delivered, shipped - delivered),
        "delivered-in-time": (delivered, placed - delivered),
    }
