"""The HTTP side of journey: touchpoints in, the customer and their timeline out."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, FastAPI, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import PydanticSerializationError
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.access import table
from services.chassis import cursors, rfc3339
from services.chassis.cloudevents import MAX_BATCH_BYTES, Event, InvalidBatch, InvalidEvent, decode_http, encode
from services.chassis.cursors import Cursor
from services.chassis.http import create_app
from services.chassis.instants import to_milliseconds
from services.chassis.problems import (
    INVALID,
    MALFORMED,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA_TYPE,
    Fault,
    Kind,
    Problem,
)
from services.chassis.relay import CONTENT_TYPE, NotAcknowledgedError, Outgoing, Relay
from services.chassis.settings import Clock
from services.chassis.status import Status, read_status
from services.chassis.telemetry import current_traceparent
from services.journey import store
from services.journey.domain import EventTypes, impossible, unattributable
from services.journey.records import TOUCHPOINTS
from services.journey.settings import JourneySettings

BUSY = Kind(429, "too-many-requests", "Too many requests at once")
UNREADABLE = {"not-json", "not-an-object", "not-utf-8", "duplicate-key", "bad-content-type"}
PAGE_SIZE, LARGEST_PAGE = 100, 1000
Text = Annotated[str, Field(max_length=512, pattern=r"^[^\x00]*$")]
Counted = Annotated[int, Field(ge=0, lt=2**63)]
Moment = Annotated[AwareDatetime, Field(gt=datetime(1, 1, 3, tzinfo=UTC), lt=datetime(9999, 12, 30, tzinfo=UTC))]
TIMELINE_POSITION: TypeAdapter[tuple[datetime, int, str]] = TypeAdapter(tuple[Moment, Literal[0, 1], Text])
QUARANTINE_POSITION: TypeAdapter[tuple[str, int]] = TypeAdapter(tuple[Text, Counted])

router = APIRouter(prefix="/v1", tags=["journey"])


class Accepted(BaseModel):
    """Every event of the request is in Kafka, acknowledged by all replicas in sync."""

    accepted: int


class Named(BaseModel):
    """The metadata of a document."""

    model_config = ConfigDict(extra="allow")
    name: str = Field(min_length=1, max_length=200)


class IdentifierField(BaseModel):
    """Where an event carries an identifier, and what it names."""

    model_config = ConfigDict(extra="forbid")
    path: str = Field(pattern=r"^(subject|data(\.[^.\x00]+)+)$")
    of: Literal["person", "thing"] = "person"


class EventTypeSpec(BaseModel):
    """What a company system emits."""

    model_config = ConfigDict(extra="forbid")
    type: str = Field(min_length=1, max_length=512, pattern=r"^[^\x00]+$")
    description: str | None = Field(default=None, max_length=4000, pattern=r"^[^\x00]*$")
    data_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    personal: list[str] = []
    identifiers: dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")], IdentifierField] = {}
    about: Literal["one", "many"] = "one"


class EventTypeDocument(BaseModel):
    """`kind: EventType` of the promise language."""

    model_config = ConfigDict(extra="forbid")
    apiVersion: Literal["makegood/v1"]  # noqa: N815 - as the documents spell it
    kind: Literal["EventType"]
    metadata: Named
    spec: EventTypeSpec


class PublishedVersion(BaseModel):
    """What was published, as which version; the same document again stays the same version."""

    type: str
    version: int


class CustomerView(BaseModel):
    """A customer as found; `provisional` while only things lead to them."""

    key: UUID
    provisional: bool


class Customers(BaseModel):
    """The customers found."""

    items: list[CustomerView]


class TimelineEntry(BaseModel):
    """One thing that happened to a customer, or that was said of it."""

    time: datetime
    arrival: datetime | None
    kind: Literal["touchpoint", "fact"]
    type: str
    source: str
    id: str
    data: Any = None


class Timeline(BaseModel):
    """A part of a customer's timeline, oldest first; `next` continues behind it."""

    items: list[TimelineEntry]
    next: str | None


class Refused(BaseModel):
    """One record that was refused: where it lies, why, and what would be right."""

    lane: str
    position: int
    reason: str
    detail: str
    place: str
    source: str | None
    arrival: datetime


class Quarantine(BaseModel):
    """Some refused records."""

    items: list[Refused]
    next: str | None


def build(settings: JourneySettings, engine: AsyncEngine, relay: Relay) -> FastAPI:
    """The application of `python -m services.journey api`."""

    async def database() -> str | None:
        await store.latest_arrival(engine)
        return None

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await relay.close()

    app = create_app(
        "journey",
        settings,
        [router],
        access=table(),
        lifespan=lifespan,
        checks={"database": database},
        body_limit=MAX_BATCH_BYTES,
    )
    app.state.settings, app.state.engine, app.state.relay = settings, engine, relay
    app.state.places = asyncio.Semaphore(settings.requests_in_flight)
    return app


@router.post("/touchpoints", operation_id="receive_touchpoints", status_code=202)
async def receive_touchpoints(request: Request) -> Accepted:
    """Take one CloudEvent (structured or binary mode) or a batch: all of them, or none with what is wrong with each."""
    places: asyncio.Semaphore = request.app.state.places
    if places.locked():
        raise Problem(BUSY, "Send this again in a moment.", headers={"Retry-After": "1"})
    async with places:
        events = _decoded(await request.body(), request.headers)
        now = await _now(request)
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


async def _now(request: Request) -> datetime | None:
    """The present: our clock's, or on the replay clock where the lanes stand; None before they have begun."""
    if request.app.state.settings.clock is Clock.LIVE:
        return datetime.now(UTC)
    return await store.latest_arrival(request.app.state.engine)


def _arrival(request: Request, event: Event, now: datetime | None) -> datetime | None:
    """When the event arrives: on the replay clock `recordedtime` says so, if given."""
    recorded = event.attributes.get("recordedtime")
    if request.app.state.settings.clock is Clock.REPLAY and isinstance(recorded, str):
        return rfc3339.parse(recorded)
    return now or event.time


async def _check(request: Request, events: Sequence[Event], now: datetime | None) -> None:
    """Refuse what journey would quarantine, while whoever sent it still listens."""
    faults = []
    types: EventTypes | None = None
    for index, event in enumerate(events):
        try:
            arrival = _arrival(request, event, now)
        except rfc3339.BadTime:
            faults.append(Fault("`recordedtime` must be an RFC 3339 time with an offset", "attribute recordedtime", index))
            continue
        wrong = impossible(event.type, event.time, arrival or datetime.now(UTC))
        if wrong is None and event.subject is None:
            types = types or EventTypes(await store.published_event_types(request.app.state.engine))
            wrong = unattributable(types.identifiers(event.attributes))
        if wrong is not None:
            faults.append(Fault(f"{wrong.reason}: {wrong.detail}", index=index))
    if faults:
        raise Problem(INVALID, "Nothing was accepted; correct these and send all of it again.", faults)


async def _send(request: Request, events: Sequence[Event], now: datetime | None) -> None:
    relay: Relay = request.app.state.relay
    partitions = await relay.partitions(TOUCHPOINTS)
    records = []
    for event in events:
        if (trace := current_traceparent()) is not None:
            event.attributes.setdefault("traceparent", trace)
        key = (event.subject or event.id).encode()
        arrival = _arrival(request, event, now) if request.app.state.settings.clock is Clock.REPLAY else None
        stamp = to_milliseconds(arrival) if arrival else None
        records.append(Outgoing(TOUCHPOINTS, zlib.crc32(key) % partitions, key, encode(event), [CONTENT_TYPE], stamp))
    try:
        await relay.publish(records)
    except NotAcknowledgedError as error:
        detail = "Kafka did not acknowledge all of it; send it again, ids that were taken are recognised."
        raise Problem(UNAVAILABLE, detail, headers={"Retry-After": "1"}) from error


@router.get("/customers", operation_id="find_customers")
async def find_customers(
    request: Request, identifier: Annotated[str, Query(min_length=1, max_length=512, pattern=r"^[^\x00]+$")]
) -> Customers:
    """The customer that an identifier leads to, as emitters write it: `crm:4711`, `order:o1`."""
    found = await store.find_customer(request.app.state.engine, identifier)
    return Customers(items=[] if found is None else [CustomerView(key=found[0], provisional=found[1])])


@router.get("/customers/{customer_id}/timeline", operation_id="get_timeline")
async def get_timeline(
    customer_id: UUID,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE,
    cursor: Cursor = None,
) -> Timeline:
    """What happened to a customer and what was made of it, in order of time."""
    after = cursors.decode(cursor, TIMELINE_POSITION) if cursor else None
    found = await store.read_timeline(request.app.state.engine, customer_id, after, limit + 1)
    shown = found[:limit]
    following = cursors.encode((shown[-1].time, shown[-1].kind, shown[-1].key)) if len(found) > limit else None
    return Timeline(items=[_entry(each) for each in shown], next=following)


def _entry(entry: store.Entry) -> TimelineEntry:
    body = orjson.loads(entry.body) if entry.body else {"type": "erased", "source": "", "id": entry.key}
    kind: Literal["touchpoint", "fact"] = "fact" if entry.kind else "touchpoint"
    return TimelineEntry(
        time=entry.time,
        arrival=entry.arrival,
        kind=kind,
        type=body["type"],
        source=body["source"],
        id=body["id"],
        data=body.get("data"),
    )


@router.get("/quarantine", operation_id="list_quarantine")
async def list_quarantine(
    request: Request, limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE_SIZE, cursor: Cursor = None
) -> Quarantine:
    """Records that were refused, and why; what was sent stays in the dead-letter topic."""
    after = cursors.decode(cursor, QUARANTINE_POSITION) if cursor else None
    found = await store.read_quarantine(request.app.state.engine, after, limit + 1)
    items = [Refused.model_validate(row, from_attributes=True) for row in found[:limit]]
    following = cursors.encode((items[-1].lane, items[-1].position)) if len(found) > limit else None
    return Quarantine(items=items, next=following)


@router.post("/event-types", operation_id="publish_event_type", status_code=201)
async def publish_event_type(request: Request, document: EventTypeDocument) -> PublishedVersion:
    """Publish what a company system emits, and where its events name their customer."""
    try:
        stored = orjson.dumps(document.model_dump(mode="json", by_alias=True, exclude_none=True), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, PydanticSerializationError):
        raise Problem(INVALID, "It holds half of a surrogate pair, or an integer beyond 64 bits.") from None
    version = await store.publish_event_type(request.app.state.engine, document.spec.type, stored)
    return PublishedVersion(type=document.spec.type, version=version)


@router.get("/status", operation_id="get_status")
async def get_status(request: Request) -> Status:
    """Where every lane stands."""
    return await read_status(request.app.state.engine, "journey")


def openapi() -> dict[str, Any]:
    """The OpenAPI document of this service, as committed."""
    settings = JourneySettings(kafka="none:0", database="postgresql://none")
    return create_app("journey", settings, [router], access=table()).openapi()
