"""The HTTP side of journey on a real Kafka and a real PostgreSQL: all of a request or none of it, and who may ask."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import create_engine
from services.chassis.relay import Relay
from services.journey import api
from services.journey.domain import customer_key
from services.journey.records import TOUCHPOINTS
from services.journey.settings import JourneySettings
from tests.driving import NOON, Raw, touchpoint
from tests.driving import reading as reading_topic
from tests.journey.conftest import ORDER, declare
from tests.serving import bearer, in_front_of, said, trusting

ONE = {"content-type": "application/cloudevents+json"}
MANY = {"content-type": "application/cloudevents-batch+json"}
GOOD = touchpoint("e1", subject="crm:1")


def batch(*events: bytes) -> bytes:
    return b"[" + b",".join(events) + b"]"


@pytest.fixture
async def emptied(topics: Callable[..., Awaitable[None]]) -> None:
    """Topics that hold nothing; only those who send need them."""
    await topics("replay")


@pytest.fixture
async def app(settings: JourneySettings, kafka: str, engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[FastAPI]:
    own = trusting(settings, tmp_path).model_copy(update={"kafka": kafka})
    relay = Relay(own)
    yield api.build(own, engine, relay)
    await relay.close()


@pytest.fixture
async def system(app: FastAPI, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(app, bearer(tmp_path, "system")) as client:
        yield client


@pytest.fixture
async def auditor(app: FastAPI, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(app, bearer(tmp_path, "auditor")) as client:
        yield client


async def sent(kafka: str) -> list[dict[str, Any]]:
    async with reading_topic(kafka, TOUCHPOINTS) as records:
        return [orjson.loads(each.value or b"") for each in await records()]


@pytest.mark.parametrize("type_", ["promises.excuse.granted", "recovery.case.restored", "source.heartbeat", "order.placed"])
async def test_nobody_speaks_in_the_name_of_this_system(system: httpx2.AsyncClient, kafka: str, emptied: None, type_: str) -> None:
    """Breaks if somebody who may send touchpoints can excuse a broken promise, or say that a case is restored."""
    forged = touchpoint("e1", type_, source="makegood/promises", subject="crm:1")
    answer = await system.post("/v1/touchpoints", content=batch(GOOD, forged), headers=MANY)
    (fault,) = answer.json()["errors"]
    assert (answer.status_code, fault["pointer"], fault["detail"].partition(":")[0]) == (422, "attribute source", "reserved-source")
    assert await sent(kafka) == []


async def test_what_is_accepted_is_in_kafka(system: httpx2.AsyncClient, kafka: str, emptied: None) -> None:
    answer = await system.post("/v1/touchpoints", content=GOOD, headers=ONE)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    answer = await system.post("/v1/touchpoints", content=batch(*(touchpoint(f"b{n}", subject="crm:1") for n in range(50))), headers=MANY)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 50})
    binary = {
        "ce-specversion": "1.0",
        "ce-id": "bin",
        "ce-source": "shop",
        "ce-type": "t",
        "ce-time": NOON.isoformat(),
        "ce-subject": "crm:1",
    }
    answer = await system.post("/v1/touchpoints", content=b'{"a":1}', headers=binary | {"content-type": "application/json"})
    assert answer.status_code == 202
    assert sorted(each["id"] for each in await sent(kafka)) == sorted(["e1", "bin", *(f"b{n}" for n in range(50))])


async def test_of_a_batch_with_one_bad_event_nothing_is_taken_and_the_bad_one_is_named(
    system: httpx2.AsyncClient, kafka: str, emptied: None
) -> None:
    events = batch(GOOD, touchpoint("e2", subject="crm:1", time=None), touchpoint("e3"), GOOD.replace(b"shop", b""))
    answer = await system.post("/v1/touchpoints", content=batch(GOOD, events[1:-1]), headers=MANY)
    assert answer.status_code == 422
    assert {each["index"] for each in said(answer)["errors"]} <= {2, 3, 4}
    assert await sent(kafka) == []


REFUSED: list[tuple[int, bytes, dict[str, str]]] = [
    (400, b"{", ONE),
    (400, b"[]", ONE),
    (400, b"\xff", ONE),
    (413, b"x" * (4 * 1024 * 1024 + 1), ONE),
    (413, batch(*[GOOD] * 50_000), MANY),
    (415, GOOD, {"content-type": "application/cloudevents+xml"}),
    (422, touchpoint("e", subject="crm:1", time=None), ONE),
    (422, touchpoint("e", subject="crm:1", time="2020-01-01T00:00:00Z", recordedtime=NOON.isoformat()), ONE),
    (422, touchpoint("e", subject="crm:1", time="2027-01-01T00:00:00Z", recordedtime=NOON.isoformat()), ONE),
    (422, touchpoint("e", subject="crm:1", recordedtime="yesterday"), ONE),
    (422, touchpoint("e", "makegood.tick", subject="crm:1"), ONE),
    (422, touchpoint("e"), ONE),
    (415, GOOD, {"content-type": "application/json"}),
]


async def test_what_cannot_be_taken_is_refused_with_what_would_be_right(system: httpx2.AsyncClient, kafka: str, emptied: None) -> None:
    for status, content, headers in REFUSED:
        answer = await system.post("/v1/touchpoints", content=content, headers=headers)
        assert answer.status_code == status, content[:200]
        assert said(answer)["title"]
    assert await sent(kafka) == []


async def test_without_an_acknowledgement_there_is_no_202(engine: AsyncEngine, settings: JourneySettings, tmp_path: Path) -> None:
    """Breaks if a request were accepted while Kafka is away, or answered with a 500."""
    own = trusting(settings, tmp_path)
    relay = Relay(own)
    async with in_front_of(api.build(own, engine, relay), bearer(tmp_path, "system")) as system:
        answer = await system.post("/v1/touchpoints", content=GOOD, headers=ONE)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert said(answer)


async def test_a_database_that_is_away_is_a_503(settings: JourneySettings, app: FastAPI, tmp_path: Path) -> None:
    gone = create_engine(settings.model_copy(update={"database": "postgresql://u:p@127.0.0.1:9/d"}), "journey")
    app.state.engine = gone
    async with in_front_of(app, bearer(tmp_path, "auditor")) as auditor:
        answers = [await auditor.get("/v1/status"), await auditor.get("/v1/quarantine"), await auditor.get("/v1/customers?identifier=a")]
    assert [each.status_code for each in answers] == [503] * 3
    assert all(each.headers["retry-after"] for each in answers)
    await gone.dispose()


async def test_more_requests_at_once_than_there_are_places_are_told_to_come_again(
    system: httpx2.AsyncClient, app: FastAPI, emptied: None
) -> None:
    places = app.state.places = asyncio.Semaphore(1)
    async with places:
        answer = await system.post("/v1/touchpoints", content=GOOD, headers=ONE)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert (await system.post("/v1/touchpoints", content=GOOD, headers=ONE)).status_code == 202


async def test_only_those_whom_the_access_table_names_may_send(app: FastAPI, tmp_path: Path, emptied: None) -> None:
    for roles, status in ((None, 401), ([], 403), (["customer"], 403), (["agent", "auditor"], 403), (["operations"], 202)):
        async with in_front_of(app, {} if roles is None else bearer(tmp_path, *roles)) as client:
            answer = await client.post("/v1/touchpoints", content=GOOD, headers=ONE)
        assert answer.status_code == status


async def test_a_customer_is_found_by_any_of_their_identifiers(
    auditor: httpx2.AsyncClient, raw: Callable[..., Raw], engine: AsyncEngine
) -> None:
    await declare(engine, "order.seen", ORDER)
    lane = await raw().start()
    lane.add(touchpoint("e1", "order.seen", subject="crm:1", data={"order": "o1"}))
    lane.add(touchpoint("e2", "order.seen", data={"order": "o2"}))
    await lane.deliver()
    for identifier, key, provisional in (("crm:1", "crm:1", False), ("order:o1", "crm:1", False), ("order:o2", "order:o2", True)):
        (item,) = (await auditor.get("/v1/customers", params={"identifier": identifier})).json()["items"]
        assert item == {"key": str(customer_key(key)), "provisional": provisional}
    assert (await auditor.get("/v1/customers", params={"identifier": "nobody"})).json() == {"items": []}


async def test_what_was_refused_is_listed_without_what_was_sent(auditor: httpx2.AsyncClient, raw: Callable[..., Raw]) -> None:
    """Breaks if personal data in a malformed record could be read by whoever may list them."""
    lane = await raw().start()
    for _ in range(5):
        lane.add(b"canary@example.org")
    await lane.deliver()
    first = (await auditor.get("/v1/quarantine?limit=3")).json()
    rest = (await auditor.get(f"/v1/quarantine?cursor={first['next']}")).json()
    assert [each["position"] for each in first["items"] + rest["items"]] == list(range(5))
    assert b"canary" not in orjson.dumps([first, rest])
    assert (await auditor.get("/v1/quarantine?cursor=nonsense")).status_code in {400, 422}


async def test_an_event_type_is_versioned_and_the_same_document_again_is_the_same_version(app: FastAPI, tmp_path: Path) -> None:
    def document(**spec: Any) -> dict[str, Any]:
        return {"apiVersion": "makegood/v1", "kind": "EventType", "metadata": {"name": "t"}, "spec": {"type": "t"} | spec}

    async with in_front_of(app, bearer(tmp_path, "manager")) as manager:
        answers = [await manager.post("/v1/event-types", json=each) for each in (document(), document(), document(identifiers=ORDER))]
        assert [(each.status_code, each.json()["version"]) for each in answers] == [(201, 1), (201, 1), (201, 2)]
        assert (await manager.post("/v1/event-types", json=document(identifiers={"order": {"path": "customer"}}))).status_code == 422


async def test_status_says_where_each_lane_stands(auditor: httpx2.AsyncClient, raw: Callable[..., Raw]) -> None:
    lane = await raw(2).start()
    lane.add(GOOD)
    lane.add(b"{")
    await lane.deliver()
    (status,) = (await auditor.get("/v1/status")).json()["lanes"]
    assert (status["topic"], status["partition"], status["position"]) == (TOUCHPOINTS, 2, 2)
    assert {name: number for name, number in status["counts"].items() if number} == {"applied": 1, "quarantined": 1}
