"""Lists over all customers hold everything: what is paged ends where it ends, what is counted is counted to the last."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.local import issuer
from services.chassis.instants import text_of
from services.chassis.relay import Relay
from services.journey import api
from services.journey.picture.needs import OBSERVED
from services.journey.picture.refusals import REFUSED as REFUSAL
from services.journey.picture.whole import NEEDED, REFUSED
from services.journey.settings import JourneySettings
from services.journey.store.tables import picture_items
from tests.driving import NOON
from tests.serving import in_front_of

MANY = 25_000
HIDDEN = 6000
"""More than one page looks at."""


@pytest.fixture
async def client(own: JourneySettings, engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    who = {"authorization": f"Bearer {issuer.token(tmp_path, subject='ben', name='ben', roles=['agent'], teams=['branch'])}"}
    async with in_front_of(api.build(own, engine, Relay(own)), who) as client:
        yield client


def need(number: int) -> dict[str, Any]:
    """One of one customer; the first ones are another team's."""
    time, event = NOON + timedelta(seconds=number), UUID(int=number)
    data = {"need": f"n{number % 7}", "kind": "latent", "discretion": "team", "team": "other" if number < HIDDEN else "branch"}
    said = {"event": str(event), "time": text_of(time), "type": OBSERVED, "data": data}
    row = {"list": NEEDED, "customer": UUID(int=number), "event": event, "topic": data["need"], "time": time, "owner": None}
    return row | {"further": orjson.dumps({"said": [said]})}


def refusal(number: int) -> dict[str, Any]:
    further = {"type": REFUSAL, "data": {}, "granted": False}
    row = {"list": REFUSED, "customer": UUID(int=number % 100), "event": UUID(int=number), "topic": f"r{number % 3}", "owner": "desk"}
    return row | {"time": NOON + timedelta(seconds=number), "further": orjson.dumps(further)}


async def test_more_needs_than_anybody_reads_at_once_are_all_listed_and_counted(client: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    """Breaks if a list ended, or a figure stopped, at a number that nobody is told of; or if what is hidden ended a list early."""
    async with engine.begin() as connection:
        await connection.execute(picture_items.insert(), [need(number) for number in range(MANY)])
    first = (await client.get("/v1/needs?limit=10")).json()
    assert (first["items"], first["next"] is None) == ([], False), "5,000 that ben may not see were looked at"
    seen, cursor = list[str](), str(first["next"])
    while cursor:
        page = (await client.get("/v1/needs", params={"limit": 1000, "cursor": cursor})).json()
        seen += [each["customer"] for each in page["items"]]
        cursor = page["next"]
    assert seen == [str(UUID(int=number)) for number in range(HIDDEN, MANY)]
    totals = (await client.get("/v1/needs/totals")).json()
    assert totals["kinds"] == {"latent": MANY - HIDDEN}
    assert sum(totals["needs"].values()) == MANY - HIDDEN
    assert (await client.get("/v1/needs/totals?need=n3")).json()["kinds"] == {"latent": sum(n % 7 == 3 for n in range(HIDDEN, MANY))}


async def test_every_refusal_is_counted_however_many_there_are(client: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(picture_items.insert(), [refusal(number) for number in range(MANY)])
    found = (await client.get("/v1/refusals?limit=2")).json()
    assert [(each["request"], each["refused"], each["customers"]) for each in found["items"]] == [("r0", 8334, 100), ("r1", 8333, 100)]
    assert found["requests"] == 3
