"""Feeds: published, looked after, and the way in for other products' webhooks, whose signature says who sends."""

import asyncio
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from services.chassis import peek
from services.chassis.access import Who
from services.chassis.cloudevents import Event
from services.chassis.documents import ProblemsFoundError
from services.chassis.faults import WORLD
from services.chassis.instants import to_milliseconds
from services.chassis.offsets import Ends
from services.chassis.problems import INVALID, NOT_FOUND, UNAVAILABLE, Fault, Kind, Problem
from services.chassis.progress import Progress
from services.chassis.relay import Outgoing, Relay
from services.chassis.settings import Clock
from services.journey.api import touchpoints
from services.journey.api.documents import by
from services.journey.domain import WINDOW, EventTypes
from services.journey.feeds import document as reading
from services.journey.feeds import foreign
from services.journey.feeds.document import Feed, Kafka, Webhook
from services.journey.feeds.mapping import Outcome, Skipped
from services.journey.feeds.signatures import BadSignatureError, TooOldError
from services.journey.inspection import inspect
from services.journey.records import TOUCHPOINTS, forwarded, origin, unmapped
from services.journey.store import documents
from services.journey.store import feeds as store
from services.journey.store.feeds import Standing

BAD_SIGNATURE = Kind(401, "bad-signature", "The signature is not right")
LONGEST_DOCUMENT = 64 * 1024
Name = Annotated[str, Path(max_length=200, pattern=f"^{reading.NAME}$", description="the feed's name")]
_ANY_JSON = {"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}}

router = APIRouter(prefix="/v1", tags=["journey"])


class PublishedFeed(BaseModel):
    """What was published, as which version; the same document again stays the same version."""

    feed: str
    version: int


class Delivery(BaseModel):
    """What became of a webhook; Kafka has acknowledged whatever came of it."""

    accepted: int = Field(description="1 where it became a touchpoint")
    refused: int = Field(
        description="1 where it was refused: it is in quarantine, whole, to be put right there; there is no need to send it again"
    )
    skipped: int = Field(description="1 where the feed has no interest in it")
    reason: str | None = Field(default=None, description="why it was refused")


class FeedView(BaseModel):
    """A feed as it stands."""

    name: str
    version: int
    source: str
    kind: Literal["kafka", "webhook", "file", "sql"]
    paused: bool
    topic: str | None = Field(default=None, description="of a Kafka feed")
    lag: int | None = Field(default=None, description="records of its topic that are still to be sent on; null where Kafka does not say")
    read_until: datetime | None = Field(default=None, description="the time of the last record that was sent on")
    caught_up: datetime | None = Field(
        default=None, description="when it was seen last to have sent on all there was; its source is heard from then"
    )
    counts: dict[str, int] = Field(
        default={}, description="what became of its records: forwarded, refused (they are in quarantine), skipped"
    )
    trouble: str | None = Field(default=None, description="what keeps it from reading")


class Feeds(BaseModel):
    """The published feeds, by name."""

    items: list[FeedView]


@router.post("/feeds", operation_id="publish_feed", status_code=201)
async def publish_feed(request: Request, who: Who, document: dict[str, Any]) -> PublishedFeed:
    """Publish a feed: one of Kafka is followed from then on, to one of a webhook may be sent."""
    try:
        content = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise Problem(INVALID, "It holds half of a surrogate pair, or an integer beyond 64 bits.") from None
    if len(content) > LONGEST_DOCUMENT:
        raise Problem(INVALID, f"A feed has at most {LONGEST_DOCUMENT} bytes.")
    try:
        found = reading.read(content.decode(), "body")
    except ProblemsFoundError as problems:
        raise Problem(INVALID, "This is not as feeds are written.", [Fault(str(each)) for each in problems.findings]) from None
    if len(found) != 1:
        raise Problem(INVALID, "This takes one document of kind Feed.")
    version = await documents.publish_feed(request.app.state.engine, found[0].name, content, *by(who))
    return PublishedFeed(feed=found[0].name, version=version)


@router.put("/feeds/{name}/retirement", operation_id="retire_feed", status_code=204)
async def retire_feed(name: Name, request: Request, who: Who) -> None:
    """Follow a feed no more, nor take webhooks for it; publishing it again takes that back, and it goes on where it stopped.

    Its source says no longer that it is heard from: where it has a heartbeat, retire that too, or it falls silent.
    """
    if not await documents.retire_feed(request.app.state.engine, name, *by(who)):
        raise Problem(NOT_FOUND, "No feed of that name was published.")


@router.get("/feeds", operation_id="list_feeds")
async def list_feeds(request: Request) -> Feeds:
    """The published feeds: how far each has come, how far it lags, and what keeps it from reading."""
    engine = request.app.state.engine
    published = [(version, documents.feed_of(content)) for _, version, content in await documents.published_feeds(engine)]
    ends = await _ends(request, sorted({each.origin.topic for _, each in published if isinstance(each.origin, Kafka)}))
    positions = await store.positions(engine)
    standings = await store.standings(engine, [each.name for _, each in published])
    return Feeds(items=[_view(feed, version, ends, positions, standings.get(feed.name, Standing())) for version, feed in published])


async def _ends(request: Request, topics: list[str]) -> Ends:
    try:
        async with asyncio.timeout(5):
            return (await peek.span(request.app.state.settings.kafka, topics))[1] if topics else {}
    except WORLD:
        return {}


def _view(feed: Feed, version: int, ends: Ends, positions: dict[str, dict[int, Progress]], standing: Standing) -> FeedView:
    view = FeedView(name=feed.name, version=version, source=feed.source, kind=feed.kind, paused=feed.paused)
    if not isinstance(feed.origin, Kafka):
        return view
    topic = feed.origin.topic
    lanes = positions.get(store.reading(feed.name, topic), {})
    own = {partition: end for (name, partition), end in ends.items() if name == topic}
    view.topic, view.caught_up, view.trouble = topic, standing.caught_up, standing.trouble
    view.lag = sum(max(end - (lanes[place].position if place in lanes else 0), 0) for place, end in own.items()) if own else None
    view.read_until = max((each.arrival for each in lanes.values() if each.arrival is not None), default=None)
    for each in lanes.values():
        for name, count in each.state.get("counts", {}).items():
            view.counts[name] = view.counts.get(name, 0) + count
    return view


@router.post("/feeds/{name}", operation_id="receive_webhook", status_code=202, openapi_extra=_ANY_JSON)
async def receive_webhook(name: Name, request: Request) -> Delivery:
    """Take what another product sends, signed as the feed says: acknowledged by Kafka, or not taken."""
    places: asyncio.Semaphore = request.app.state.places
    if places.locked():
        raise Problem(touchpoints.BUSY, "Send this again in a moment.", headers={"Retry-After": "1"})
    async with places:
        feed = await _webhook(request, name)
        assert isinstance(feed.origin, Webhook)
        body, headers = await request.body(), {key.lower(): value for key, value in request.headers.items()}
        try:
            feed.origin.signature.verify(body, headers, _secrets(feed.origin.signature.secrets), time.time())
        except (BadSignatureError, TooOldError) as wrong:
            raise Problem(BAD_SIGNATURE, str(wrong)) from None
        now = await touchpoints.present(request) or datetime.now(UTC)
        outcome = foreign.of_webhook(feed.mapping, body, headers, now)
        return await _deliver(request, feed, outcome, body, now)


async def _webhook(request: Request, name: str) -> Feed:
    published = {feed: content for feed, _, content in await documents.published_feeds(request.app.state.engine)}
    feed = documents.feed_of(published[name]) if name in published else None
    if feed is None or feed.paused or not isinstance(feed.origin, Webhook):
        raise Problem(NOT_FOUND, "No webhook of that name is published.")
    return feed


def _secrets(variables: Sequence[str]) -> list[bytes]:
    """The secrets that are set; an empty one is none, or everybody could sign with it."""
    found = [value.encode() for each in variables if (value := os.environ.get(each))]
    if not found:
        raise Problem(UNAVAILABLE, f"The environment of this service has no {' or '.join(variables)}.", headers={"Retry-After": "60"})
    return found


async def _deliver(request: Request, feed: Feed, outcome: Outcome, body: bytes, now: datetime) -> Delivery:
    if isinstance(outcome, Skipped):
        return Delivery(accepted=0, refused=0, skipped=1)
    relay: Relay = request.app.state.relay
    partitions = await relay.partitions(TOUCHPOINTS)
    stamp = None if request.app.state.settings.clock is Clock.LIVE else to_milliseconds(now)
    where = origin(f"webhook/{feed.name}/{sha256(body).hexdigest()}", now.date())
    sent: Outgoing
    if isinstance(outcome, Event):
        engine = request.app.state.engine
        types = EventTypes(await documents.known_event_types(engine))
        wrong = inspect(outcome, now, WINDOW, types, documents.trusted(await documents.published_sources(engine))).wrong
        reason, sent = None if wrong is None else f"{wrong.reason}: {wrong.detail}", forwarded(outcome, partitions, stamp, where)
    else:
        reason, sent = f"{outcome.reason}: {outcome.detail}", unmapped(outcome, body, where, partitions, stamp)
    await touchpoints.publish(relay, [sent])
    return Delivery(accepted=int(reason is None), refused=int(reason is not None), skipped=0, reason=reason)
