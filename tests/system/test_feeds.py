"""One whole system on the live clock that reads a shop's own topic: while its feed lags nobody hears of a break, then of the real one."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
from aiokafka import AIOKafkaProducer

from deploy import topics as kafka_topics
from deploy.local import stack
from deploy.local.state import State
from services.cli import publish
from services.cli.client import Client
from services.journey.domain import customer_key

DOCUMENTS = """
apiVersion: makegood/v1
kind: Source
metadata: {name: shop}
spec: {source: shop, heartbeat: 2 seconds}
---
apiVersion: makegood/v1
kind: Feed
metadata: {name: shop-orders, owner: shop}
spec:
  source: shop
  from: {kafka: {topic: shop.orders}}
  type: {path: record.status, map: {P: order.placed, D: order.delivered}}
  subject: {path: record.customer, prefix: "crm:"}
  time: {path: record.at, format: milliseconds}
---
apiVersion: makegood/v1
kind: Promise
metadata: {name: in-time, owner: shop}
spec:
  statement: What you order arrives within six seconds.
  published: [{channel: web, reference: checkout}]
  response: {when: {type: order.placed}, expect: {type: order.delivered}, within: 6 seconds}
"""
WITHIN = 6.0
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running(servers: Path) -> Iterator[State]:
    data = servers / "fed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKEGOOD_DATA", str(data))
        patch.setenv("MAKEGOOD_FEED_INTERVAL", "0.3")
        try:
            up = stack.up(data, "live", print)
            asyncio.run(kafka_topics.create(up.kafka, [kafka_topics.Topic("shop.orders", 2, raw=False)], "live"))
            file = data / "shop.yaml"
            file.write_text(DOCUMENTS)
            publish.publish_to(up, [file])
            yield up
        finally:
            stack.down(data, print)


def send(running: State, customer: str, status: str) -> None:
    async def produce() -> None:
        async with AIOKafkaProducer(bootstrap_servers=running.kafka) as producer:
            record = {"customer": customer, "status": status, "at": time.time_ns() // 1_000_000}
            await producer.send_and_wait("shop.orders", orjson.dumps(record), key=customer.encode())

    asyncio.run(produce())


def until(condition: Callable[[], object], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def told(client: Client, customer: str) -> list[str]:
    """What was ever said of a customer's commitments."""
    found = client.pages("journey", f"/v1/customers/{customer_key(f'crm:{customer}')}/timeline", limit=100)
    return [each["type"].rpartition(".")[2] for each in found if each["type"].startswith("makegood.commitment.")]


def judgement(client: Client, customer: str) -> str:
    (found,) = client.pages("promises", "/v1/commitments", customer=str(customer_key(f"crm:{customer}")))
    return str(found["judgement"])


def feed(client: Client) -> dict[str, Any]:
    (found,) = client.get("journey", "/v1/feeds")["items"]
    return dict(found)


def test_a_feed_that_lags_holds_its_promises_and_once_it_has_caught_up_they_are_judged(running: State) -> None:
    """Breaks if what a feed sends on counted as a sign of life, or if it said it was alive while records were still to come."""
    with Client(running) as client:
        until(lambda: feed(client)["caught_up"])
        for customer in ("ana", "bob"):
            send(running, customer, "P")
        placed = time.monotonic()
        until(lambda: told(client, "ana") and told(client, "bob"))
        process = psutil.Process(running.pids["journey-feed"])
        process.suspend()
        try:
            send(running, "ana", "D")
            assert feed(client)["lag"] == 1
            until(lambda: "held" in (judgement(client, "ana"), judgement(client, "bob")))
            until(lambda: time.monotonic() > placed + WITHIN + 4)  # long past due, and the delivery lies in the shop's topic
            assert [judgement(client, each) for each in ("ana", "bob")] == ["held", "held"]
        finally:
            process.resume()
        until(lambda: judgement(client, "ana") == "kept", 60)
        until(lambda: judgement(client, "bob") == "broken", 60)
        assert "broken" not in told(client, "ana")
        until(lambda: feed(client)["lag"] == 0)
        caught_up = datetime.fromisoformat(feed(client)["caught_up"])
        assert (datetime.now(UTC) - caught_up).total_seconds() < 10
        assert feed(client)["counts"] == {"forwarded": 3, "refused": 0, "skipped": 0}
