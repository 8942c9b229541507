"""What indicators count, one unit at a time: a commitment, a contact, an answer of a team.

A unit that changes takes back what it had counted and counts what it is now. So the counts are those of the latest word on every
unit, whatever was said before, in whatever order and however often.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID, uuid5

import orjson

QUARTER: Final = 900
"""Seconds. Every zone's days begin at a quarter of an hour of UTC, so counts by quarters add up to the days of any of them."""
NAMESPACE: Final = UUID("3f3b7a7e-40a9-5c0e-8a39-0b8f6d1f7a20")
DECIDED: Final = frozenset({"kept", "broken", "excused", "withdrawn"})
COMMITMENT: Final = "makegood.commitment."
REJUDGED: Final = "makegood.commitment.rejudged"
WARNINGS: Final = frozenset({"makegood.commitment.at_risk", "makegood.commitment.held"})

Kind = Literal["commitment", "contact", "pulse"]


class Key(NamedTuple):
    """One count: of which group of units, in which quarter of an hour of UTC, and of what."""

    kind: Kind
    group: str
    """JSON of what the units have in common."""
    quarter: int
    what: str


Delta = Counter[Key]


def quarter_of(instant: datetime) -> int:
    """The quarter of an hour that an instant lies in, counted from 1970."""
    return int(instant.timestamp() // QUARTER)


def group_of(**members: object) -> str:
    """What units have in common, as it is stored: the same is always the same text."""
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS).decode()


class Said(NamedTuple):
    """The latest word on one commitment, and where it counts."""

    commitment: UUID
    verdict: int
    warned: bool
    """A warning was said behind the verdict of that number."""
    at: datetime
    group: str
    quarter: int
    state: str
    priced: UUID
    """What a price would be told under."""

    @property
    def rank(self) -> tuple[int, bool, datetime]:
        """The greater one is the later word."""
        return self.verdict, self.warned, self.at


class Price(NamedTuple):
    """What keeping costs beyond the ordinary course; of two words the later one counts, by event time."""

    key: UUID
    time: datetime
    event: UUID
    cost: float


def price_key(customer: str, promise: str, correlation: Any) -> UUID:
    """What the price of a commitment is told under."""
    return uuid5(NAMESPACE, orjson.dumps([customer, promise, correlation], option=orjson.OPT_SORT_KEYS).decode())


def said_of(body: bytes) -> Said | None:
    """What a fact says; None of facts that are about no commitment, and of second verdicts: the first one stands.

    A commitment counts where it falls due, one that never does where its trigger was: as objectives have it.
    """
    fact = orjson.loads(body)
    if not fact["type"].startswith(COMMITMENT) or fact["type"] == REJUDGED:
        return None
    data = fact["data"]
    promise, trigger, due = data["promise"], data["trigger"], data.get("due")
    judgement = data["judgement"]
    return Said(
        UUID(data["commitment"]),
        data["verdict"],
        fact["type"] in WARNINGS,
        datetime.fromisoformat(fact["time"]),
        group_of(
            promise=promise, version=data["version"], segment=data.get("segment"), owner=data.get("owner"), trigger=trigger["type"],
            audience=data["audience"],
        ),
        quarter_of(datetime.fromisoformat(due or trigger["time"])),
        judgement if judgement in DECIDED else "open" if due else "undated",
        price_key(fact["customer"], promise, data.get("correlation")),
    )  # fmt: skip


def of_commitment(said: Said, cost: float | None) -> Iterator[Key]:
    """What a commitment counts as; `undated` is open and never falls due; dear was what cost anything beyond the ordinary."""
    yield Key("commitment", said.group, said.quarter, said.state)
    if cost is not None and said.state in {"kept", "broken"}:
        yield Key("commitment", said.group, said.quarter, f"{'dear' if cost > 0 else 'cheap'}_{said.state}")


class Commitments(NamedTuple):
    """What becomes of the stored words on commitments and of prices, and of the counts."""

    said: dict[UUID, Said]
    prices: dict[UUID, Price]
    delta: Delta


def take_commitments(
    stored: Mapping[UUID, Said], prices: Mapping[UUID, Price], heard: Iterable[Said], priced: Iterable[Price]
) -> Commitments:
    """Take in facts and prices. `stored` are the commitments that either is about, `prices` those that bear on any of them."""
    said, new_prices = dict[UUID, Said](), dict[UUID, Price]()
    for word in heard:
        before = said.get(word.commitment) or stored.get(word.commitment)
        if before is None or before.rank < word.rank:
            said[word.commitment] = word
    for price in priced:
        known = new_prices.get(price.key) or prices.get(price.key)
        if known is None or known[1:3] < price[1:3]:
            new_prices[price.key] = price
    delta, known_now = Delta(), {**prices, **new_prices}
    for id_ in stored.keys() | said.keys():
        if (old := stored.get(id_)) is not None:
            delta.subtract(of_commitment(old, _cost(prices, old)))
        now = said.get(id_) or stored[id_]
        delta.update(of_commitment(now, _cost(known_now, now)))
    return Commitments(said, new_prices, delta)


def _cost(prices: Mapping[UUID, Price], said: Said) -> float | None:
    found = prices.get(said.priced)
    return None if found is None else found.cost
