"""The HTTP side of feeds on a real Kafka and a real PostgreSQL: published, looked after, and webhooks in by their signature."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy import topics as kafka_topics
from services.chassis.database import create_engine
from services.chassis.relay import NotAcknowledgedError, Relay
from services.chassis.telemetry import Telemetry
from services.journey import api
from services.journey.handlers import TouchpointHandler
from services.journey.records import TOUCHPOINTS
from services.journey.settings import JourneySettings
from tests.driving import Raw, reading, rows
from tests.journey.test_feed_signatures import headers_of
from tests.serving import bearer, in_front_of, trusting

SECRET = b"s3cret"
SIGNED: dict[str, Any] = {
    "source": "shop", "from": {"webhook": {"signature": {"scheme": "stripe", "secret": "SHOP_WEBHOOK"}}}, "type": {"value": "order.placed"},
    "subject": {"path": "record.customer", "prefix": "crm:"}, "data": "record", "skip": "has(record.test)",
}  # fmt: skip


def document(name: str = "shop-orders", /, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "makegood/v1", "kind": "Feed", "metadata": {"name": name}, "spec": SIGNED | spec}


@pytest.fixture
async def settings(kafka: str, database: Callable[[str], Awaitable[str]], tmp_path: Path) -> JourneySettings:
    return trusting(JourneySettings(kafka=kafka, database=await database("journey")), tmp_path)


@pytest.fixture
async def engine(settings: JourneySettings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings, "journey")
    yield engine
    await engine.dispose()


@pytest.fixture
async def app(
    settings: JourneySettings, engine: AsyncEngine, topics: Callable[..., Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FastAPI]:
    await topics("live")
    monkeypatch.setenv("SHOP_WEBHOOK", SECRET.decode())
    relay = Relay(settings)
    yield api.build(settings, engine, relay)
    await relay.close()


@pytest.fixture
async def manager(app: FastAPI, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(app, bearer(tmp_path, "manager")) as client:
        yield client


@pytest.fixture
async def product(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody without a token of ours."""
    async with in_front_of(app, {}) as client:
        yield client


def signed(body: bytes, ago: float = 0) -> dict[str, Any]:
    return {"content": body, "headers": headers_of("stripe", body, datetime.now(UTC).timestamp() - ago, SECRET)}


GOOD = orjson.dumps({"customer": 4711, "order": "o1"})


async def test_a_feed_is_published_in_versions_and_what_is_wrong_with_one_is_told(manager: httpx2.AsyncClient) -> None:
    for sent, version in [(document(), 1), (document(), 1), (document(paused=True), 2)]:
        answer = await manager.post("/v1/feeds", json=sent)
        assert (answer.status_code, answer.json()) == (201, {"feed": "shop-orders", "version": version})
    refused = await manager.post("/v1/feeds", json=document(subjekt="record.a"))
    assert refused.status_code == 422
    assert "did you mean `subject`?" in refused.json()["errors"][0]["detail"]
    (listed,) = (await manager.get("/v1/feeds")).json()["items"]
    assert (listed["name"], listed["version"], listed["kind"], listed["paused"], listed["lag"]) == ("shop-orders", 2, "webhook", True, None)


async def test_a_signed_webhook_is_in_kafka_when_it_is_acknowledged(
    manager: httpx2.AsyncClient, product: httpx2.AsyncClient, kafka: str
) -> None:
    await manager.post("/v1/feeds", json=document())
    answer = await product.post("/v1/feeds/shop-orders", **signed(GOOD))
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "refused": 0, "skipped": 0, "reason": None})
    async with reading(kafka, TOUCHPOINTS) as all_now:
        (record,) = await all_now()
    event = orjson.loads(record.value)
    assert (event["subject"], event["source"], event["data"]["order"]) == ("crm:4711", "shop", "o1")
    assert "feed" not in event  # its product spoke, and is alive


async def test_what_is_sent_again_has_the_same_id(manager: httpx2.AsyncClient, product: httpx2.AsyncClient, kafka: str) -> None:
    await manager.post("/v1/feeds", json=document())
    await product.post("/v1/feeds/shop-orders", **signed(GOOD, ago=100))
    await product.post("/v1/feeds/shop-orders", **signed(GOOD))
    await product.post("/v1/feeds/shop-orders", **signed(GOOD + b" "))
    async with reading(kafka, TOUCHPOINTS) as all_now:
        first, again, other = [orjson.loads(each.value)["id"] for each in await all_now()]
    assert first == again != other


async def test_wrong_old_and_missing_signatures_are_refused_and_nothing_of_them_is_kept(
    manager: httpx2.AsyncClient, product: httpx2.AsyncClient, kafka: str
) -> None:
    await manager.post("/v1/feeds", json=document())
    wrong: list[dict[str, Any]] = [
        {"content": GOOD}, signed(GOOD) | {"content": GOOD + b" "}, signed(GOOD, ago=301), signed(GOOD, ago=-400),
        {"content": GOOD, "headers": headers_of("stripe", GOOD, datetime.now(UTC).timestamp(), b"another")},
    ]  # fmt: skip
    for sent in wrong:
        answer = await product.post("/v1/feeds/shop-orders", **sent)
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:makegood:problem:bad-signature")
        assert SECRET.decode() not in answer.text
    async with reading(kafka, TOUCHPOINTS) as all_now:
        assert await all_now() == []


async def test_what_is_no_webhook_is_not_found_and_one_without_its_secret_is_not_open(
    manager: httpx2.AsyncClient, product: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await manager.post("/v1/feeds", json=document(paused=True))
    await manager.post("/v1/feeds", json=document("elsewhere", **{"from": {"kafka": {"topic": "a"}}}))
    for name in ("shop-orders", "elsewhere", "nothing"):
        assert (await product.post(f"/v1/feeds/{name}", **signed(GOOD))).status_code == 404
    await manager.post("/v1/feeds", json=document())
    for empty in ("", None):
        monkeypatch.delenv("SHOP_WEBHOOK") if empty is None else monkeypatch.setenv("SHOP_WEBHOOK", empty)
        sent: dict[str, Any] = {"content": GOOD, "headers": headers_of("stripe", GOOD, datetime.now(UTC).timestamp(), b"")}
        answer = await product.post("/v1/feeds/shop-orders", **sent)
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)


async def test_a_webhook_that_cannot_be_mapped_is_kept_in_quarantine_and_holds_whom_it_names(
    manager: httpx2.AsyncClient, product: httpx2.AsyncClient, kafka: str, settings: JourneySettings, engine: AsyncEngine
) -> None:
    """Breaks if a product were told to send it again for ever, or if nobody heard that something is missing."""
    await manager.post("/v1/feeds", json=document(time="record.at"))
    answer = await product.post("/v1/feeds/shop-orders", **signed(GOOD))
    assert (answer.status_code, answer.json()["refused"]) == (202, 1)
    assert (await product.post("/v1/feeds/shop-orders", **signed(b"{"))).json()["refused"] == 1
    assert (await product.post("/v1/feeds/shop-orders", **signed(GOOD))).json()["refused"] == 1
    assert (await product.post("/v1/feeds/shop-orders", **signed(b'{"test": 1}'))).json()["skipped"] == 1
    async with reading(kafka, TOUCHPOINTS) as all_now:
        records = await all_now()
    for partition in range(6):
        lane = Raw(engine, settings, lambda: TouchpointHandler(TOUCHPOINTS, 8, 2, settings, Telemetry(settings, "journey")), partition)
        lane.log = [each for each in records if each.partition == partition]
        await lane.start()
        await lane.deliver()
    found = await rows(engine, "quarantine", "reason, detail, place, source, cardinality(held)")
    assert found == [
        ("not-json", "is not JSON: see line 1, column 2", "record", "shop", 0),
        ("not-mapped", "`time`: the record does not say when it happened", "time", "shop", 1),
    ]


async def test_kafka_away_is_a_503_and_no_202(
    manager: httpx2.AsyncClient, product: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await manager.post("/v1/feeds", json=document())

    async def away(*_: object) -> None:
        raise NotAcknowledgedError

    monkeypatch.setattr(Relay, "publish", away)
    answer = await product.post("/v1/feeds/shop-orders", **signed(GOOD))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


async def test_the_lag_of_a_feed_is_what_its_topic_holds_and_nobody_has_sent_on(manager: httpx2.AsyncClient, kafka: str) -> None:
    await manager.post("/v1/feeds", json=document(**{"from": {"kafka": {"topic": "shop.lag"}}}))
    assert (await manager.get("/v1/feeds")).json()["items"][0]["lag"] is None
    await kafka_topics.create(kafka, [kafka_topics.Topic("shop.lag", 2, raw=False)], "live")
    try:
        async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
            await asyncio.gather(*[await producer.send("shop.lag", b"{}", partition=each % 2) for each in range(5)])
        assert (await manager.get("/v1/feeds")).json()["items"][0]["lag"] == 5
    finally:
        await kafka_topics.delete(kafka, ["shop.lag"])
