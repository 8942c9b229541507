"""What promises and recovery say, as they write it, on its way into timelines."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import httpx2
import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.keys import partition_of
from services.journey.settings import JourneySettings
from services.journey.timeline.projection import FactHandler
from tests.driving import NOON, Driven, record

EXAMPLES = Path(__file__).parents[2] / "contracts" / "examples"
PROMISES, RECOVERY = "makegood.promises", "makegood.recovery"


@cache
def _example(name: str) -> bytes:
    return (EXAMPLES / f"{name}.json").read_bytes()


def commitment(customer: UUID, name: str) -> UUID:
    """A commitment of a customer's."""
    return uuid5(customer, name)


def fact(customer: UUID, name: str, word: str, time: datetime, verdict: int = 0, **data: Any) -> dict[str, Any]:
    """What promises says of a customer's commitment; `data` beside what the contract's example has."""
    body: dict[str, Any] = orjson.loads(_example(f"makegood.commitment.{word}"))
    about = commitment(customer, name)
    body |= {"id": f"{about}:{verdict}:{word}", "time": time.isoformat(), "customer": str(customer)}
    body["data"] |= {"commitment": str(about), "correlation": name} | data
    return body


def case(customer: UUID, word: str, time: datetime, number: int) -> dict[str, Any]:
    """What recovery says of a customer's case."""
    body: dict[str, Any] = orjson.loads(_example(f"makegood.case.{word}"))
    return body | {"id": f"{uuid5(customer, 'case')}:{number}:case.{word}", "time": time.isoformat(), "customer": str(customer)}


class Telling:
    """One topic of facts as journey's projection reads it, partition by partition."""

    def __init__(self, engine: AsyncEngine, settings: JourneySettings, topic: str, partitions: int = 2) -> None:
        self._topic = topic
        self._lanes = [Driven(engine, settings, lambda: FactHandler(topic), each) for each in range(partitions)]

    async def tell(self, facts: Sequence[dict[str, Any]], batch: int | None = None) -> None:
        """Let the projection read these, in this order and so many at once."""
        for each in facts:
            partition = partition_of(UUID(each["customer"]), len(self._lanes))
            log = self._lanes[partition].log
            header = ("lane", f"{self._topic}/{partition}/1/{len(log) + 1}".encode())
            log.append(record(self._topic, partition, len(log), orjson.dumps(each), key=each["customer"].encode(), headers=[header]))
        for lane in self._lanes:
            await lane.start()
            while lane.lane.progress.position < len(lane.log):
                await lane.deliver(batch)


async def pages(client: httpx2.AsyncClient, customer: UUID, **query: Any) -> list[dict[str, Any]]:
    """A whole timeline, page by page."""
    found: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        answer = await client.get(f"/v1/customers/{customer}/timeline", params=query | more)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        if page["next"] is None:
            return found
        more = {"cursor": page["next"]}


def at(minutes: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=minutes)
