"""Touchpoints in: everything of a request, or nothing with what is wrong with each."""

import asyncio
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel

from services.chassis import rfc3339
from services.chassis.cloudevents import Event, InvalidBatch, InvalidEvent, decode_http
from services.chassis.instants import to_milliseconds
from services.chassis.problems import INVALID, MALFORMED, UNAVAILABLE, UNSUPPORTED_MEDIA_TYPE, Fault, Kind, Problem
from services.chassis.relay import NotAcknowledgedError, Outgoing, Relay
from services.chassis.settings import Clock
from services.chassis.telemetry import current_traceparent
from services.journey.backfills import BACKFILL, misplaced
from services.journey.domain import HEARTBEAT, STATEMENTS, WINDOW, EventTypes
from services.journey.inspection import Inspected, inspect
from services.journey.records import TOUCHPOINTS, forwarded
from services.journey.store import backfills, documents, reads

BUSY = Kind(429, "too-many-requests", "Too many requests at once")
OURSELVES = "makegood/"
"""How the sources of this system's own touchpoints begin: they come through Kafka, and nobody sends them in its name."""
UNREADABLE = {"not-json", "not-an-object", "not-utf-8", "duplicate-key", "bad-content-type"}

router = APIRouter(prefix="/v1", tags=["journey"])


class Accepted(BaseModel):
    """Every event of the request is in Kafka, acknowledged by all replicas in sync."""

    accepted: int


@router.post("/touchpoints", operation_id="receive_touchpoints", status_code=202)
async def receive_touchpoints(request: Request) -> Accepted:
    """Take one CloudEvent (structured or binary mode) or a batch: all of them, or none with what is wrong with each."""
    places: asyncio.Semaphore = request.app.state.places
    if places.locked():
        raise Problem(BUSY, "Send this again in a moment.", headers={"Retry-After": "1"})
    async with places:
        events = _decoded(await request.body(), request.headers)
        now = await present(request)
        await _check(request, events, now)
        await _send(request, events, now)
    return Accepted(accepted=len(events))


def _decoded(body: bytes, headers: Mapping[str, str]) -> list[Event]:
    try:
        return decode_http(body, headers)
    except InvalidBatch as batch:
        faults = [Fault(f"{each.reason}: {each.detail}", each.where, index) for index, each in batch.problems]
        raise Problem(INVALID, "Nothing was accepted; correct these and send the batch again.", faults) from None
    except InvalidEvent as invalid:
        kind = MALFORMED if invalid.reason in UNREADABLE else INVALID
        if invalid.reason == "bad-content-type":
            kind = UNSUPPORTED_MEDIA_TYPE
        raise Problem(kind, errors=[Fault(f"{invalid.reason}: {invalid.detail}", invalid.where)]) from None


async def present(request: Request) -> datetime | None:
    """The present: our clock's, or on the replay clock where the lanes stand; None before they have begun."""
    if request.app.state.settings.clock is Clock.LIVE:
        return datetime.now(UTC)
    return await reads.latest_arrival(request.app.state.engine)


def _arrival(request: Request, event: Event, now: datetime | None) -> datetime | None:
    """When the event arrives: on the replay clock `recordedtime` says so, if given."""
    recorded = event.attributes.get("recordedtime")
    if request.app.state.settings.clock is Clock.REPLAY and isinstance(recorded, str):
        return rfc3339.parse(recorded)
    return now or event.time


async def _check(request: Request, events: Sequence[Event], now: datetime | None) -> None:
    """Refuse what journey would quarantine, while whoever sent it still listens."""
    faults = []
    # only what names nobody by its subject is looked up
    described = [] if all(each.subject for each in events) else await documents.known_event_types(request.app.state.engine)
    types = EventTypes(described)
    stating = any(each.type in STATEMENTS for each in events)
    trusted = documents.trusted(await documents.published_sources(request.app.state.engine)) if stating else frozenset[str]()
    backfilled = any(BACKFILL in each.attributes for each in events)
    under_way = await backfills.under_way(request.app.state.engine) if backfilled else {}
    for index, event in enumerate(events):
        try:
            arrival = _arrival(request, event, now)
        except rfc3339.BadTime:
            faults.append(Fault("`recordedtime` must be an RFC 3339 time with an offset", "attribute recordedtime", index))
            continue
        if event.source.startswith(OURSELVES):
            detail = f"reserved-source: `{OURSELVES}...` is this system itself; name the company system that says it"
            faults.append(Fault(detail, "attribute source", index))
        if event.type == HEARTBEAT:
            continue
        _, wrong, place = _inspected(event, arrival or datetime.now(UTC), types, trusted, under_way)
        if wrong is not None:
            faults.append(Fault(f"{wrong.reason}: {wrong.detail}", place or None, index))
    if faults:
        raise Problem(INVALID, "Nothing was accepted; correct these and send all of it again.", faults)


def _inspected(event: Event, arrival: datetime, types: EventTypes, trusted: AbstractSet[str], under_way: Mapping[str, str]) -> Inspected:
    if BACKFILL not in event.attributes:
        return inspect(event, arrival, WINDOW, types, trusted)
    if (wrong := misplaced(event, under_way)) is not None:
        return Inspected([], wrong, "attribute backfill")
    return inspect(event, arrival, None, types, trusted)


async def _send(request: Request, events: Sequence[Event], now: datetime | None) -> None:
    relay: Relay = request.app.state.relay
    partitions = await relay.partitions(TOUCHPOINTS)
    records = []
    for event in events:
        if (trace := current_traceparent()) is not None:
            event.attributes.setdefault("traceparent", trace)
        arrival = _arrival(request, event, now) if request.app.state.settings.clock is Clock.REPLAY else None
        records.append(forwarded(event, partitions, to_milliseconds(arrival) if arrival else None))
    await publish(relay, records)


async def publish(relay: Relay, records: Sequence[Outgoing]) -> None:
    """Return when Kafka has acknowledged all of it; the 503 problem otherwise."""
    try:
        await relay.publish(records)
    except NotAcknowledgedError as error:
        detail = "Kafka did not acknowledge all of it; send it again, ids that were taken are recognised."
        raise Problem(UNAVAILABLE, detail, headers={"Retry-After": "1"}) from error
