"""Backfill: history that is brought into a running system, between a start and an end record in every lane (DESIGN 3.9).

Of a customer whose history is being filled in, not everything has been read: they are held, as if a record of theirs had been
refused, from the first event of it in a lane until that lane's end of it. So nothing is said broken for want of an event that
comes later in the same backfill.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from services.chassis.cloudevents import Event
from services.chassis.instants import text_of, to_milliseconds
from services.chassis.progress import Progress
from services.chassis.relay import CONTENT_TYPE, Outgoing
from services.journey.domain import CUSTOMER_KIND, Impossible
from services.journey.records import SOURCE, TOUCHPOINTS, own_event, unheld

BACKFILL: Final = "backfill"
"""Extension attribute: the backfill that an event belongs to."""
STARTED, ENDED = "makegood.backfill.started", "makegood.backfill.ended"
BRACKETS: Final = frozenset({STARTED, ENDED})
_UNDER_WAY: Final = "backfills"


def brackets(type_: str, id_: UUID, source: str, at: datetime, lanes: int, *, stamped: bool) -> list[Outgoing]:
    """The start or the end of a backfill, for every lane that company systems write to; `stamped` where the sender's clock counts."""
    body = own_event(type_, f"{id_}:{type_.rpartition('.')[2]}", f"backfill:{id_}", at, {"backfill": str(id_), "source": source})
    stamp = to_milliseconds(at) if stamped else None
    return [Outgoing(TOUCHPOINTS, lane, None, orjson.dumps(body), [CONTENT_TYPE], stamp) for lane in range(lanes)]


def is_bracket(event: Event) -> bool:
    """Whether journey itself says that a backfill starts or ends; what only looks like it is refused as any reserved type."""
    if event.type not in BRACKETS or event.source != SOURCE:
        return False
    data = event.attributes.get("data")
    return isinstance(data, Mapping) and {"backfill", "source"} <= data.keys()


def bracket(progress: Progress, event: Event) -> UUID | None:
    """Take in a start or an end; returns the backfill that has ended in this lane, if one has."""
    under_way = progress.state.setdefault(_UNDER_WAY, {})
    data = event.attributes["data"]
    if event.type == STARTED:
        under_way[data["backfill"]] = data["source"]
        return None
    return UUID(data["backfill"]) if under_way.pop(data["backfill"], None) is not None else None


def misplaced(event: Event, under_way: Mapping[str, str]) -> Impossible | None:
    """Why an event is no part of the backfill that it names, None where it is."""
    named = event.attributes[BACKFILL]
    if not isinstance(named, str) or under_way.get(named) != event.source:
        return Impossible("no-such-backfill", f"`{BACKFILL}` names none of `{event.source}` that is under way; ask for one with its source")
    return None


def under_way_in(progress: Progress) -> Mapping[str, str]:
    """The backfills that have started in a lane, and not ended: their source, by id."""
    found: Mapping[str, str] = progress.state.get(_UNDER_WAY, {})
    return found


def record_of(lane: str, backfill: UUID) -> str:
    """What a hold for a backfill is about."""
    return f"{lane}/{backfill}"


def hold(lane: str, backfill: UUID, event: Event, customer: UUID, arrival: datetime) -> dict[str, Any]:
    """A customer's history is being filled in: what depends on it is held until the end."""
    record = record_of(lane, backfill)
    data = {"record": record, "reason": BACKFILL, "arrival": text_of(arrival), "source": event.source, "type": None}
    return own_event("makegood.journey.held", f"{record}:{customer}:held", f"{CUSTOMER_KIND}{customer}", arrival, data)


def releases(lane: str, backfill: UUID, held: Sequence[tuple[UUID, datetime]], at: datetime) -> list[tuple[UUID, dict[str, Any]]]:
    """The end of each of these holds, by customer."""
    record = record_of(lane, backfill)
    return [(customer, unheld(record, "complete", since, at, customer) | {"id": f"{record}:{customer}:unheld"}) for customer, since in held]


__all__ = [
    "BACKFILL",
    "BRACKETS",
    "ENDED",
    "SOURCE",
    "STARTED",
    "bracket",
    "brackets",
    "hold",
    "is_bracket",
    "misplaced",
    "releases",
    "under_way_in",
]
