"""`makegood feed try`: what would come out and what would be refused, against the real file or topic, without a trace."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from typer.testing import CliRunner, Result

from deploy import topics as kafka_topics
from services.chassis.peek import span
from services.cli.__main__ import command_line

NOW = datetime.now(UTC)
TODAY = (NOW - timedelta(hours=1)).isoformat()
FEED = """apiVersion: makegood/v1
kind: Feed
metadata: {name: shop-orders, owner: shop}
spec:
  source: shop
  from: {file: {path: orders.csv}}
  type: {path: record.status, map: {P: order.placed, S: order.shipped, T: skip}}
  subject: {path: record.customer, prefix: "crm:"}
  id: record.id
  time: record.at
  data: {order: record.order, total: {path: record.total, as: number}}
"""
ROWS = f"""id,status,customer,at,order,total
1,P,4711,{TODAY},o1,12.5
2,X,4711,{TODAY},o1,12.5
1,P,4711,{TODAY},o1,12.5
3,S,4711,{TODAY},o1,abc
4,S,4711,2020-01-01T00:00:00Z,o1,3
5,S,4711
6,T,4711,{TODAY},o1,3
7,P,,{TODAY},o1,3
"""


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(command_line(["feed"]), ["feed", *arguments], catch_exceptions=False)


def lines(result: Result) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    (tmp_path / "orders.csv").write_text(ROWS)
    file = tmp_path / "feed.yaml"
    file.write_text(FEED)
    return file


EXPECTED = [
    ("event", None), ("refused", "not-mapped"), ("duplicate", "same-id"), ("refused", "not-mapped"), ("refused", "too-old"),
    ("refused", "wrong-columns"), ("skipped", None), ("refused", "names-nobody"),
]  # fmt: skip


def test_each_record_is_judged_as_the_way_in_judges_it(feed: Path) -> None:
    result = invoke("try", str(feed), "--json")
    assert [(each["becomes"], each.get("reason")) for each in lines(result)] == EXPECTED
    assert lines(result)[0]["event"]["data"] == {"order": "o1", "total": 12.5}
    assert result.exit_code == 1


def test_the_table_says_why_not(feed: Path) -> None:
    told = invoke("try", str(feed)).stdout
    assert "8 records: 1 would come out, 1 came twice, 1 skipped, 5 would be refused" in told
    assert "wrong-columns: has 3 columns, and the header 6" in told


def test_a_limit_and_another_input_and_a_zipped_one(feed: Path) -> None:
    other = feed.parent / "other.csv.gz"
    other.write_bytes(gzip.compress(ROWS.replace("o1", "o2").encode()))
    found = lines(invoke("try", str(feed), "--json", "--limit", "1", "--input", str(other)))
    assert [each["event"]["data"]["order"] for each in found] == ["o2"]


def test_an_event_type_beside_the_feed_says_whom_an_event_names(feed: Path) -> None:
    order = "{order: {path: data.order, of: thing}}"
    type_ = (
        f"apiVersion: makegood/v1\nkind: EventType\nmetadata: {{name: order.placed}}\nspec: {{type: order.placed, identifiers: {order}}}\n"
    )
    feed.write_text(f"{FEED}---\n{type_}")
    assert lines(invoke("try", str(feed), "--json"))[-1]["becomes"] == "event"


def test_what_is_wrong_with_the_document_is_told_with_its_place(feed: Path) -> None:
    feed.write_text(FEED.replace("subject:", "subjekt:"))
    result = invoke("try", str(feed))
    assert result.exit_code == 1
    assert f"{feed}:8:3: `spec` has no key `subjekt`; did you mean `subject`?" in result.stderr


@pytest.fixture
async def topic(kafka: str) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Give what writes into a foreign topic."""
    await kafka_topics.create(kafka, [kafka_topics.Topic("shop.orders", 2, raw=False)], "live")

    async def write(*values: bytes | None) -> None:
        async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
            for index, value in enumerate(values):
                await producer.send_and_wait("shop.orders", value, partition=index % 2, key=b"k")

    yield write
    await kafka_topics.delete(kafka, ["shop.orders"])


async def state_of(kafka: str) -> tuple[Any, ...]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        return sorted(await admin.list_topics()), sorted(await admin.list_consumer_groups()), await span(kafka, ["shop.orders"])
    finally:
        await admin.close()


async def test_a_real_topic_is_looked_into_and_nothing_of_it_changes(feed: Path, kafka: str, topic: Callable[..., Awaitable[None]]) -> None:
    """Breaks if trying joined a group, committed an offset, made a topic or sent anything."""
    good = {"id": "1", "status": "P", "customer": 4711, "at": TODAY, "order": "o1", "total": 1}
    await topic(orjson.dumps(good), b"{broken", None, orjson.dumps(good | {"id": "2"}))
    await asyncio.to_thread(feed.write_text, FEED.replace("{file: {path: orders.csv}}", "{kafka: {topic: shop.orders}}"))
    before = await state_of(kafka)
    result = await asyncio.to_thread(invoke, "try", str(feed), "--json", "--kafka", kafka)
    found = {each["place"]: each for each in lines(result)}
    assert {place: (each["becomes"], each.get("reason")) for place, each in found.items()} == {
        "0/0": ("event", None), "1/0": ("refused", "not-json"), "0/1": ("refused", "not-mapped"), "1/1": ("event", None),
    }  # fmt: skip
    assert await state_of(kafka) == before
    missing = await asyncio.to_thread(invoke_refused, str(feed), kafka, "shop.orders", "shop.nothing")
    assert "has no topic shop.nothing" in missing
    assert await state_of(kafka) == before


def invoke_refused(file: str, kafka: str, old: str, new: str) -> str:
    path = Path(file)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(Exception, match="topic") as raised:
        invoke("try", file, "--kafka", kafka)
    return str(raised.value)
