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
STATES: Final = DECIDED | {"open", "undated"}
COMMITMENT: Final = "makegood.commitment."
REJUDGED: Final = "makegood.commitment.rejudged"
WARNINGS: Final = frozenset({"makegood.commitment.at_risk", "makegood.commitment.held", "makegood.commitment.moved"})

Kind = Literal["commitment", "contact", "pulse"]


class Key(NamedTuple):
    """One count: of which group of units, in which quarter of an hour of UTC, and of what."""

    kind: Kind
    group: str
    """JSON of what the units have in common."""
    quarter: int
    what: str


Delta = Counter[Key]
Segment = tuple[str, str | None]
"""A promise, and a segment of it."""


def quarter_of(instant: datetime) -> int:
    """The quarter of an hour that an instant lies in, counted from 1970."""
    return int(instant.timestamp() // QUARTER)


def group_of(**members: object) -> str:
    """What units have in common, as it is stored: the same is always the same text."""
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS).decode()


class Said(NamedTuple):
    """The latest word on one commitment, and where it counts."""

    commitment: UUID
    customer: UUID
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


def price_key(customer: UUID, promise: str, correlation: Any) -> UUID:
    """What the price of a commitment is told under."""
    return uuid5(NAMESPACE, orjson.dumps([str(customer), promise, correlation], option=orjson.OPT_SORT_KEYS).decode())


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
        UUID(fact["customer"]),
        data["verdict"],
        fact["type"] in WARNINGS,
        datetime.fromisoformat(fact["time"]),
        group_of(
            promise=promise, version=data["version"], segment=data.get("segment"), owner=data.get("owner"), trigger=trigger["type"],
            audience=data["audience"],
        ),
        quarter_of(datetime.fromisoformat(due or trigger["time"])),
        judgement if judgement in DECIDED else "open" if due else "undated",
        price_key(UUID(fact["customer"]), promise, data.get("correlation")),
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
    return Commitments(said, new_prices, _moved(stored, prices, {**stored, **said}, {**prices, **new_prices}))


def _moved(
    before: Mapping[UUID, Said], prices: Mapping[UUID, Price], after: Mapping[UUID, Said], new_prices: Mapping[UUID, Price]
) -> Delta:
    """What commitments and prices that become others take back and count."""
    delta = Delta()
    for each in before.values():
        delta.subtract(of_commitment(each, _cost(prices, each)))
    for each in after.values():
        delta.update(of_commitment(each, _cost(new_prices, each)))
    return delta


def _cost(prices: Mapping[UUID, Price], said: Said) -> float | None:
    found = prices.get(said.priced)
    return None if found is None else found.cost


ERASED: Final = "erased"
"""In the place of a segment, or a channel, that was nobody else's than somebody's who was erased: then it is a trace, and no figure."""


def lone_segments(stored: Mapping[UUID, Said], prices: Mapping[UUID, Price], totals: Mapping[Segment, int]) -> Commitments:
    """Take the segments of one customer's commitments from them, but for those that others have, too; `totals` count all commitments."""
    theirs = Counter(segment_of(orjson.loads(each.group)) for each in stored.values())
    said = {
        id_: each._replace(group=group_of(**orjson.loads(each.group) | {"segment": ERASED}))
        for id_, each in stored.items()
        if (own := segment_of(orjson.loads(each.group)))[1] is not None and totals.get(own, 0) <= theirs[own]
    }
    return Commitments(said, {}, _moved(stored, prices, {**stored, **said}, prices))


def segment_of(group: Mapping[str, Any]) -> Segment:
    """What a group of commitments is reported by beside others of its promise."""
    return group["promise"], group["segment"]
