"""Orders as an unkind world sends them: seeded, so that the same seed plans the same load.

Each plan is made in offsets from its start; only where on the clock it stands depends on when it is played.
"""

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

LANES = 6
CUSTOMERS = 150


@dataclass(frozen=True, slots=True, order=True)
class Send:
    """One record for one lane, `at` milliseconds after the plan's start; `happened` is its event's time, likewise."""

    at: int
    lane: int
    happened: int = field(compare=False)
    event: dict[str, Any] | None = field(compare=False)
    raw: bytes | None = field(default=None, compare=False)

    def value(self, start: int) -> bytes:
        """The record's value for a plan that began at this millisecond since 1970."""
        if self.event is None:
            return self.raw or b""
        event = self.event | {"specversion": "1.0", "time": _text(start + self.happened)}
        if "due" in event["data"]:
            event["data"] = event["data"] | {"due": _text(start + event["data"]["due"])}
        return json.dumps(event).encode()


def _text(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


class Plan:
    """Every record of a load, in the order it is sent."""

    def __init__(self, seed: int, name: str, seconds: float, orders_a_second: float, *, hot: float = 0.1) -> None:
        """A load of so many seconds; `name` keeps its ids apart from those of other loads, `hot` is the share of one customer."""
        self._hot = hot
        self._random = Random(f"{seed}/{name}")
        self._name = name
        self._sends: list[Send] = []
        for number in range(int(seconds * orders_a_second)):
            self._order(f"{name}-{number}", int(number * 1000 / orders_a_second))

    def __len__(self) -> int:
        """How many records there are."""
        return len(self._sends)

    def __iter__(self) -> Iterator[Send]:
        """The records by the time they are sent."""
        waiting = self._sends.copy()
        heapq.heapify(waiting)
        while waiting:
            yield heapq.heappop(waiting)

    def _order(self, order: str, start: int) -> None:
        """One order's fate: in time or late, lost, cancelled, damaged, returned; each event by a lane of its own."""
        draw = self._random
        subject = f"crm:{self._name}-{0 if draw.random() < self._hot else draw.randrange(CUSTOMERS)}"
        total = draw.choice([20, 60, 90, 99, 100, 100.5, 250]) if draw.random() < 0.4 else 50
        self._event(order, subject, "placed", start, {"total": total, "due": start + 5000})
        shipped = start + draw.choice([200, 900, 1500, 1999, 2000, 3500, 4000, 4001, 4600])
        if draw.random() < 0.85:
            self._event(order, subject, "shipped", shipped)
        if draw.random() < 0.08:
            self._event(order, subject, "lost", start + draw.choice([300, 1000, 2500, 3900, 4500]))
        if draw.random() < 0.05:
            self._event(order, subject, "cancelled", start + draw.choice([100, 1200, 3800, 5000]))
        if draw.random() < 0.8:
            self._delivered(order, subject, shipped + draw.choice([300, 800, 1500]))

    def _delivered(self, order: str, subject: str, at: int) -> None:
        draw = self._random
        self._event(order, subject, "delivered", at)
        if draw.random() < 0.08:
            self._event(order, subject, "damaged", at + draw.choice([0, 700, 2999, 3000, 3001, 3300]))
        if draw.random() < 0.05:
            self._event(order, subject, "returned", at + draw.choice([400, 2000, 3000, 3500]))

    def _event(self, order: str, subject: str, what: str, happened: int, data: dict[str, Any] | None = None) -> None:
        """Send one event, at once or late, and with it what an unkind world adds."""
        draw = self._random
        event: dict[str, Any] = {
            "id": order if draw.random() < 0.5 else f"{order}/{what}",
            "source": f"shop/{what}",
            "type": f"order.{what}",
            "subject": subject,
            "data": {"order_id": order} | (data or {}),
        }
        late = 0 if draw.random() < 0.6 else draw.randrange(1, 3000)
        send = Send(happened + late, draw.randrange(LANES), happened, event)
        self._sends.append(send)
        if draw.random() < 0.05:
            for _ in range(draw.choice([1, 1, 2, 10])):
                self._sends.append(Send(send.at + draw.choice([0, 0, 50, 3000]), draw.randrange(LANES), happened, event))
        if draw.random() < 0.01:
            other = event | {"data": event["data"] | {"total": 999}}
            self._sends.append(Send(send.at + draw.choice([0, 500]), draw.randrange(LANES), happened, other))
        if draw.random() < 0.02:
            self._sends.append(self._rubbish(event, send.at, happened))

    def _rubbish(self, event: dict[str, Any], at: int, happened: int) -> Send:
        """A record that nobody can take; whom it names has no orders, since whatever they were promised would be held."""
        draw, lane, id_ = self._random, self._random.randrange(LANES), f"{event['id']}/rubbish"
        event = event | {"id": id_, "subject": f"crm:{id_}"}
        match draw.randrange(5):
            case 0:
                return Send(at, lane, happened, None, draw.choice([b"", b"{", b"\xff\xfe", b"[1, 2]", b'{"a": NaN}']))
            case 1:
                return Send(at, lane, happened, {name: value for name, value in event.items() if name != "subject"})
            case 2:
                return Send(at, lane, happened + 3_600_000, event)
            case 3:
                return Send(at, lane, happened, event | {"type": "makegood.commitment.kept"})
            case _:
                return Send(at, lane, happened, {name: value for name, value in event.items() if name != "source"})


class LatePlan(Plan):
    """Orders of the last seven days that all arrive within the plan's seconds, each event whenever it likes: its trigger last, too."""

    AGO = (1_000, 60_000, 3_600_000, 86_400_000, 2 * 86_400_000, 604_000_000)

    def __init__(self, seed: int, name: str, seconds: float, orders_a_second: float) -> None:
        """A load of so many seconds, of orders that are so late."""
        self._window = int(seconds * 1000)
        super().__init__(seed, name, seconds, orders_a_second)
        self._sends = [replace(each, at=self._random.randrange(self._window)) for each in self._sends]

    def _order(self, order: str, start: int) -> None:
        super()._order(order, start - self._random.choice(self.AGO))
