"""What a person decides of who is whom: it goes through the log, as a statement of our own, so that a replay has it too."""

import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.instants import to_milliseconds
from services.chassis.keys import key_of
from services.chassis.relay import CONTENT_TYPE, Outgoing, Relay
from services.chassis.settings import Clock
from services.journey.domain import CUSTOMER_KIND, LINKED, UNMERGED
from services.journey.records import TOUCHPOINTS, own_event
from services.journey.store import decisions as store
from services.journey.store import reads
from services.journey.store.decisions import Around


class NobodyThereError(Exception):
    """No event has led to a customer of one of these keys; `GET /v1/identity/conflicts` names those that wait."""


class Decision(NamedTuple):
    """Somebody says whether two customers are one person; `key` makes the same request the same decision."""

    one: UUID
    other: UUID
    same: bool
    reason: str
    by: str
    key: str


async def decide(engine: AsyncEngine, relay: Relay, clock: Clock, decision: Decision) -> list[dict[str, Any]]:
    """Tell the log; returns the events that it was told. Raises `NotAcknowledgedError` where Kafka is away."""
    around = await store.around(engine, (decision.one, decision.other))
    if not {decision.one, decision.other} <= around.known.keys():
        raise NobodyThereError(NobodyThereError.__doc__)
    now = datetime.now(UTC)
    if clock is Clock.REPLAY:
        now = await reads.latest_arrival(engine) or now
    events = list(_events(decision, around, now))
    partitions = await relay.partitions(TOUCHPOINTS)
    stamp = to_milliseconds(now) if clock is Clock.REPLAY else None
    lane = zlib.crc32(min(decision.one, decision.other).bytes) % partitions
    await relay.publish([Outgoing(TOUCHPOINTS, lane, None, orjson.dumps(each), [CONTENT_TYPE], stamp) for each in events])
    return events


def _events(decision: Decision, around: Around, now: datetime) -> Iterator[dict[str, Any]]:
    """That two are one person takes back whatever was said against it; that they are not is said of the two alone."""
    pairs = {(decision.one, decision.other)}
    if decision.same:
        both = product(around.are.of(decision.one), around.are.of(decision.other))
        pairs |= {(one, other) for one, other in both if frozenset((one, other)) in around.are.apart}
    for number, (one, other) in enumerate(sorted(pairs)):
        data = {"identifiers": [f"{CUSTOMER_KIND}{other}"], "reason": decision.reason, "by": decision.by}
        id_ = f"decision:{key_of(decision.by, decision.key)}:{number}"
        yield own_event(LINKED if decision.same else UNMERGED, id_, f"{CUSTOMER_KIND}{one}", now, data)
