"""One lane of recovery on a real database, driven record by record; what would be published is kept in order."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.local import issuer
from services.chassis.database import create_engine
from services.chassis.progress import Progress, claimed, read_progress, save_progress
from services.chassis.records import Record
from services.chassis.relay import Outgoing
from services.chassis.settings import Clock
from services.chassis.telemetry import Telemetry
from services.recovery.api import build
from services.recovery.handlers import FactHandler
from services.recovery.settings import RecoverySettings
from tests.recovery import office as desks
from tests.recovery.office import Desk, Office
from tests.recovery.stories import Story, failure

CUSTOMER = desks.CUSTOMER
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Lane:
    """The lane of partition 0, as its owner drives it: absorb or apply, then publish."""

    engine: AsyncEngine
    settings: RecoverySettings
    handler: FactHandler
    published: list[Outgoing] = field(default_factory=list)
    sequence: int = 0
    offset: int = 0

    async def open(self) -> Progress:
        return await read_progress(self.engine, self.handler.topic, 0)

    async def feed(self, *records: Any) -> Progress:
        """Take records through one transaction, as the chassis' lane does after a restart."""
        progress = await self.open()
        async with claimed(self.engine, progress) as (tx, row):
            progress.rev = row.rev
            outgoing = await self.handler.apply(tx, progress, await self.handler.recall(self.engine, progress), records)
            await save_progress(tx, progress)
        self.published += outgoing
        return progress

    async def unpublished(self) -> list[Outgoing]:
        """What a new owner would publish, from the pointer on."""
        progress = await self.open()
        async with self.engine.connect() as connection:
            await connection.exec_driver_sql("SELECT 1")
            driver: Any = (await connection.get_raw_connection()).driver_connection
            return [outgoing for _, outgoing in await self.handler.unpublished(driver, progress, 1000)]

    def record(self, value: bytes, headers: list[tuple[str, bytes]]) -> Any:
        self.offset += 1
        return Record("makegood.promises", 0, self.offset - 1, 0, None, value, headers)

    def fact(self, kind: str = "broken", *, number: int = 1, customer: UUID = CUSTOMER, at: datetime = NOON, **data: Any) -> Any:
        """One fact of the promises service, the lane's next."""
        self.sequence += 1
        body = {
            "commitment": str(UUID(int=number)), "promise": "papers-returned", "version": 1, "audience": "customer",
            "correlation": "p-1", "trigger": {"type": "papers.taken"}, "judgement": kind, "verdict": 1, "was": None,
            "barrier": at.isoformat(), "severity": "medium", "reason": "no-evidence-by-due",
        } | data  # fmt: skip
        event = {"type": f"makegood.commitment.{kind}", "time": at.isoformat(), "customer": str(customer), "data": body}
        return self.record(orjson.dumps(event), [("lane", f"promises/0/1/{self.sequence}".encode())])

    def marker(self, barrier: datetime) -> Any:
        data = {"partition": 0, "barrier": barrier.isoformat(), "incarnation": 1, "seq": self.sequence}
        return self.record(orjson.dumps({"type": "makegood.promises.progress", "data": data}), [("marker", b"")])

    def told(self, topic: str) -> list[str]:
        """The types of what was published to a topic, in order."""
        return [orjson.loads(each.value)["type"] for each in self.published if each.topic == topic]


@pytest.fixture
async def lane(database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Lane]:
    settings = RecoverySettings(
        kafka="127.0.0.1:9", database=await database("recovery"), clock=Clock.REPLAY, restored_by=frozenset({"no-repeat"})
    )
    engine = create_engine(settings, "recovery")
    yield Lane(engine, settings, FactHandler(2, settings, Telemetry(settings, "recovery")))
    await engine.dispose()


@pytest.fixture
async def office(lane: Lane, tmp_path: Path) -> AsyncIterator[Office]:
    jwks = issuer.ensure_keys(tmp_path)
    settings = lane.settings.model_copy(update={"jwks": jwks, "issuer": issuer.ISSUER, "audience": issuer.AUDIENCE})
    transport = httpx2.ASGITransport(app=build(settings, lane.engine))
    async with httpx2.AsyncClient(transport=transport, base_url="http://recovery") as client:
        yield Office(client, tmp_path)


@pytest.fixture
async def ana(lane: Lane, office: Office) -> Desk:
    await lane.feed(lane.fact(), lane.marker(NOON))
    return office.desk("ana", "agent")


@pytest.fixture
def story() -> Story:
    story = Story()
    story.fail(failure())
    return story
