"""One partition of promises on a real database, driven record by record."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import create_engine
from services.chassis.instants import text_of
from services.chassis.packed import unpack
from services.chassis.relay import CONTENT_TYPE, MARKER_HEADER, lane_header
from services.chassis.settings import Clock
from services.chassis.telemetry import Telemetry
from services.promises.handlers import JOURNEY, JourneyHandler
from services.promises.settings import PromisesSettings
from services.promises.store import published
from tests.driving import NOON, Driven, record, rows

TABLES = ("evidence", "commitments", "outbox", "quarantine", "progress")
FAST, SLOW = "touchpoints/0", "touchpoints/1"
ANA = UUID(int=12)


@dataclass
class Partition(Driven):
    """One partition of makegood.journey, and who has written what into it."""

    seqs: dict[str, int] = field(default_factory=dict)

    def say(self, value: dict[str, Any], header: tuple[str, bytes]) -> None:
        """One more record."""
        key = str(value["customer"]).encode() if "customer" in value else None
        self.log.append(record(JOURNEY, 0, len(self.log), orjson.dumps(value), key=key, headers=[CONTENT_TYPE, header]))

    def event(
        self, type_: str, at: datetime = NOON, arrival: datetime | None = None, *, id_: str | None = None,
        lane: str = FAST, seq: int | None = None, customer: UUID = ANA, data: dict[str, Any] | None = None, **others: Any,
    ) -> None:  # fmt: skip
        """A journey event, the lane's next unless `seq` says otherwise."""
        number = self.seqs.get(lane, 0) + 1 if seq is None else seq
        self.seqs[lane] = max(number, self.seqs.get(lane, 0))
        value = {
            "specversion": "1.0", "id": id_ or f"{lane}-{number}", "source": "shop", "type": type_, "time": text_of(at),
            "customer": str(customer), "recordedtime": text_of(arrival or at), "data": {"order": "o1"} | (data or {}),
        }  # fmt: skip
        self.say(value | others, lane_header(lane, 1, number))

    def marker(
        self, arrival: datetime, lane: str = FAST, *, lanes: int = 1, seq: int | None = None, sources: dict[str, datetime] | None = None
    ) -> None:
        """A lane vouches for an arrival, and says when it heard sources last."""
        named = self.seqs.get(lane, 0) if seq is None else seq
        data: dict[str, Any] = {"lane": lane, "lanes": lanes, "incarnation": 1, "seq": named, "arrival": text_of(arrival)}
        if sources:
            data["sources"] = {source: text_of(last) for source, last in sources.items()}
        self.say({"type": "makegood.journey.progress", "data": data}, MARKER_HEADER)

    async def facts(self) -> list[dict[str, Any]]:
        """Everything that was said, in order."""
        return [orjson.loads(body) for _, body in await outbox(self.engine)]

    async def told(self) -> list[str]:
        """What was said, in short."""
        return [each["type"].removeprefix("makegood.commitment.") for each in await self.facts()]

    async def pass_over(self) -> list[str]:
        """Read everything; what was said, in short."""
        await self.deliver()
        return await self.told()


async def outbox(engine: AsyncEngine) -> list[tuple[int, bytes]]:
    """Every fact and its number, in order."""
    packs = await rows(engine, "outbox", "first, bodies")
    return sorted((first + place, body) for first, bodies in packs for place, body in enumerate(unpack(bodies)))


@pytest.fixture
async def settings(database: Callable[[str], Awaitable[str]]) -> PromisesSettings:
    return PromisesSettings(kafka="127.0.0.1:9", database=await database("promises"), clock=Clock.REPLAY)


@pytest.fixture
async def engine(settings: PromisesSettings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings, "promises")
    yield engine
    await engine.dispose()


@pytest.fixture
def partition(settings: PromisesSettings, engine: AsyncEngine) -> Callable[..., Partition]:
    """Give what makes the partition anew, with an empty log; it is to be started."""

    def make(**changed: Any) -> Partition:
        own = settings.model_copy(update=changed)
        telemetry = Telemetry(own, "promises")
        return Partition(engine, own, lambda: JourneyHandler(own, telemetry))

    return make


def document(name: str, spec: dict[str, Any]) -> bytes:
    """A promise's document, without what judging does not read."""
    metadata = {"name": name, "owner": "shop"}
    plain = {"statement": "We keep this.", "published": [{"channel": "web", "reference": "page", "since": "2026-01-01"}]}
    return orjson.dumps({"apiVersion": "makegood/v1", "kind": "Promise", "metadata": metadata, "spec": plain | spec})


async def promise(engine: AsyncEngine, name: str, spec: dict[str, Any], effective_from: datetime | None = None) -> None:
    """Publish a promise."""
    await published.publish(engine, published.News(name, document(name, spec), "ana", NOON, effective_from))


def response(**others: Any) -> dict[str, Any]:
    """An order placed is delivered, within two hours unless told otherwise."""
    plain = {"when": {"type": "placed"}, "expect": {"type": "delivered"}, "correlate": "data.order", "within": "2 hours"}
    return {name: value for name, value in (plain | others).items() if value is not None}
