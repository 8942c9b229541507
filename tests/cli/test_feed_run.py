"""`makegood feed run`: history out of files and databases, to the end, once, on a real API, Kafka and PostgreSQL."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from typer.testing import CliRunner, Result

from deploy.errors import StackError
from deploy.local.postgres import Postgres
from deploy.local.state import State
from services.chassis.database import create_engine
from services.chassis.relay import Relay
from services.cli import emit
from services.cli.__main__ import command_line
from services.cli.client import Client
from services.cli.feeding import running as sending
from services.journey import api
from services.journey.records import TOUCHPOINTS
from services.journey.settings import JourneySettings
from tests.driving import reading
from tests.serving import served, trusting

BEGIN = datetime.now(UTC) - timedelta(days=1)
MAPPING = """  type: {path: record.status, map: {P: order.placed}}
  subject: {path: record.customer, prefix: "crm:"}
  id: record.id
  time: record.at
  data: {n: {path: record.id, as: integer}}
"""
HEAD = "apiVersion: makegood/v1\nkind: Feed\nmetadata: {name: shop-orders, owner: shop}\nspec:\n  source: shop\n"


def feed(folder: Path, origin: str) -> str:
    file = folder / "feed.yaml"
    file.write_text(f"{HEAD}  from: {origin}\n{MAPPING}")
    return str(file)


def row(number: int) -> str:
    status = "X" if number % 100 == 50 else "P"
    return f"{number},{status},{number % 7},{(BEGIN + timedelta(seconds=number)).isoformat()}"


def csv_file(folder: Path, rows: int) -> Path:
    file = folder / "orders.csv"
    file.write_text("\r\n".join(["id,status,customer,at", *map(row, range(rows))]))
    return file


def jsonl_file(folder: Path, rows: int) -> Path:
    file = folder / "orders.jsonl.gz"
    names = ["id", "status", "customer", "at"]
    file.write_bytes(gzip.compress(b"\n".join(orjson.dumps(dict(zip(names, row(each).split(","), strict=True))) for each in range(rows))))
    return file


@pytest.fixture
async def system(
    kafka: str,
    database: Callable[[str], Awaitable[str]],
    topics: Callable[..., Awaitable[None]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[State]:
    """Journey's API as the command line finds it."""
    await topics("live")
    settings = trusting(JourneySettings(kafka=kafka, database=await database("journey")), tmp_path / "keys")
    engine, relay = create_engine(settings, "journey"), Relay(settings)
    async with served(api.build(settings, engine, relay)) as address:
        state = State("live", kafka, apis={"journey": address}, keys=str(tmp_path / "keys"))
        monkeypatch.setenv("MAKEGOOD_DATA", str(tmp_path / "data"))
        monkeypatch.setattr("services.cli.feed.running", lambda: state)
        yield state
    await relay.close()
    await engine.dispose()


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, command_line(["feed"]), ["feed", "run", *arguments], catch_exceptions=False)


async def numbers(kafka: str) -> list[int]:
    async with reading(kafka, TOUCHPOINTS) as all_now:
        return [orjson.loads(each.value)["data"]["n"] for each in await all_now()]


def expected(rows: int) -> list[int]:
    return [each for each in range(rows) if each % 100 != 50]


@pytest.mark.parametrize(("make", "name"), [(csv_file, "orders.csv"), (jsonl_file, "orders.jsonl.gz")])
async def test_a_file_is_sent_to_its_end_and_run_again_sends_nothing(system: State, tmp_path: Path, make: Any, name: str) -> None:
    make(tmp_path, 1200)
    document = feed(tmp_path, f"{{file: {{path: {name}}}}}")
    first = await run(document)
    assert (first.exit_code, "1,188 accepted, 12 refused" in first.stderr) == (1, True)
    refused = [orjson.loads(each) for each in (tmp_path / "data/feeds/shop-orders.refused.jsonl").read_bytes().splitlines()]
    lines = 2 if name.endswith(".csv") else 1
    assert [each["place"] for each in refused] == [f"line {number + lines}" for number in range(1200) if number % 100 == 50]
    assert {each["reason"] for each in refused} == {"not-mapped"}
    again = await run(document)
    assert "1,188 accepted, 12 refused" in again.stderr
    assert sorted(await numbers(system.kafka)) == expected(1200)


async def test_what_is_kept_of_a_refused_record_holds_nothing_of_what_is_in_it(system: State, tmp_path: Path) -> None:
    """Breaks if a copy of what was refused lay in a file that erasing a customer does not reach."""
    values = {name: f"canary-{name}" for name in ("id", "status", "customer", "at", "further")}
    good = values | {"status": "P", "at": BEGIN.isoformat()}
    lines = [orjson.dumps(each) for each in (values, values | {"status": "P"}, good | {"customer": "canary" * 200})]
    (tmp_path / "orders.jsonl").write_bytes(b"\n".join([*lines, b'{"customer": "canary', orjson.dumps("canary")]))
    assert "0 accepted, 5 refused" in (await run(feed(tmp_path, "{file: {path: orders.jsonl}}"))).stderr
    assert len((tmp_path / "data/feeds/shop-orders.refused.jsonl").read_bytes().splitlines()) == 5
    assert not [each for each in (tmp_path / "data").rglob("*") if each.is_file() and b"canary" in each.read_bytes()]


async def test_interrupted_it_goes_on_where_it_was(system: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if the position moved before Kafka had acknowledged, or if what was refused stood in its file twice."""
    csv_file(tmp_path, 2600)
    document = feed(tmp_path, "{file: {path: orders.csv}}")
    sent = 0

    def interrupted(*arguments: Any) -> int:
        nonlocal sent
        sent += 1
        if sent == 4:
            raise KeyboardInterrupt
        return emit.send_batch(*arguments)

    monkeypatch.setattr(sending, "send_batch", interrupted)
    assert (await run(document)).exit_code not in (0, 1)
    position = orjson.loads((tmp_path / "data/feeds/shop-orders.json").read_bytes())
    assert (position["counts"]["accepted"] + position["counts"]["refused"], position["finished"]) == (1500, False)
    assert "2,574 accepted, 26 refused" in (await run(document)).stderr
    assert sorted(await numbers(system.kafka)) == expected(2600)
    assert len((tmp_path / "data/feeds/shop-orders.refused.jsonl").read_bytes().splitlines()) == 26


async def test_what_is_appended_is_sent_and_another_file_begins_anew(system: State, tmp_path: Path) -> None:
    csv_file(tmp_path, 10)
    document = feed(tmp_path, "{file: {path: orders.csv}}")
    await run(document)
    csv_file(tmp_path, 15)
    assert "15 accepted" in (await run(document)).stderr
    assert sorted(await numbers(system.kafka)) == list(range(15))
    (tmp_path / "orders.csv").write_text("at,id,status,customer\n" + f"{BEGIN.isoformat()},77,P,1\n")
    assert "1 accepted" in (await run(document)).stderr


def old_file(folder: Path, rows: int) -> None:
    csv_file(folder, rows)
    file = folder / "orders.csv"
    file.write_text(file.read_text().replace(BEGIN.date().isoformat()[:4] + "-", "2020-"))


async def test_history_of_any_age_is_brought_in_as_one_backfill_that_an_interruption_does_not_end(
    system: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if a bracket were left open, or if what follows an interruption stood in another one."""
    old_file(tmp_path, 1200)
    document = feed(tmp_path, "{file: {path: orders.csv}}")
    assert "0 accepted, 1,200 refused" in (await run(document)).stderr
    sent = 0

    def interrupted(*arguments: Any) -> int:
        nonlocal sent
        sent += 1
        if sent == 2:
            raise KeyboardInterrupt
        return emit.send_batch(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(sending, "send_batch", interrupted)
        assert (await run(document, "--again", "--backfill", "the years before")).exit_code not in (0, 1)
    with Client(system) as client:
        (begun,) = (await asyncio.to_thread(client.get, "journey", "/v1/backfills"))["items"]
        assert (begun["source"], begun["reason"], begun["ended_at"]) == ("shop", "the years before", None)
        assert "1,188 accepted, 12 refused" in (await run(document)).stderr
        (ended,) = (await asyncio.to_thread(client.get, "journey", "/v1/backfills"))["items"]
    assert (ended["id"], ended["ended_at"] is not None) == (begun["id"], True)
    async with reading(system.kafka, TOUCHPOINTS) as all_now:
        events = [orjson.loads(each.value) for each in await all_now()]
    assert {each["backfill"] for each in events if each["type"] == "order.placed"} == {begun["id"]}


@pytest.fixture
async def shop(postgres: Postgres) -> AsyncIterator[Any]:
    """A company's own database."""
    admin = await asyncpg.connect(postgres.url())
    await admin.execute("CREATE DATABASE shop")
    connection = await asyncpg.connect(postgres.url(database="shop"))
    await connection.execute("CREATE TABLE orders (id bigint, status text, customer int, at timestamptz, changed timestamptz, extra jsonb)")
    yield connection
    await connection.close()
    await admin.execute("DROP DATABASE shop WITH (FORCE)")
    await admin.close()


async def insert(shop: Any, start: int, end: int) -> None:
    rows = [(each, "X" if each % 100 == 50 else "P", each % 7, BEGIN + timedelta(seconds=each), BEGIN + timedelta(seconds=each // 3), "{}")
            for each in range(start, end)]  # fmt: skip
    await shop.copy_records_to_table("orders", records=rows)


QUERY = "{sql: {dsn: SHOP_DATABASE, query: 'SELECT * FROM orders;', cursor: changed}}"


async def test_the_rows_of_a_query_are_sent_on_and_later_ones_from_its_cursor_on(
    system: State, tmp_path: Path, shop: Any, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if rows of the same cursor were passed over, or an instant rounded."""
    monkeypatch.setenv("SHOP_DATABASE", postgres.url(database="shop"))
    document = feed(tmp_path, QUERY)
    await insert(shop, 0, 1100)
    assert "1,089 accepted, 11 refused" in (await run(document)).stderr
    await insert(shop, 1100, 1301)
    await run(document)
    assert sorted(set(await numbers(system.kafka))) == expected(1301)
    assert len(await numbers(system.kafka)) - len(expected(1301)) <= 3  # the rows at its cursor are sent again, under the same ids


async def test_a_query_only_reads_and_what_a_database_refuses_is_told_without_its_address(
    system: State, tmp_path: Path, shop: Any, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StackError, match="SHOP_DATABASE is not set"):
        await run(feed(tmp_path, QUERY))
    monkeypatch.setenv("SHOP_DATABASE", postgres.url(database="shop"))
    await shop.execute("CREATE FUNCTION harm() RETURNS int LANGUAGE sql AS 'DELETE FROM orders RETURNING 1'")
    for query, said in (
        ("SELECT harm() AS changed", "read-only"), ("SELECT 1 AS a", "no column `changed`"), ("SELEKT", "syntax error"),
        ("SELECT * FROM nowhere", "does not exist"), ("SELECT 1; DROP TABLE orders", "syntax error"),
    ):  # fmt: skip
        with pytest.raises(StackError, match=said) as raised:
            await run(feed(tmp_path, QUERY.replace("SELECT * FROM orders;", query)))
        assert postgres.passwords["postgres"] not in str(raised.value)
    monkeypatch.setenv("SHOP_DATABASE", "postgresql://me:s3cret@127.0.0.1:9/shop")
    with pytest.raises(StackError, match="cannot be reached") as raised:
        await run(feed(tmp_path, QUERY))
    assert "s3cret" not in str(raised.value)


async def test_published_feeds_are_listed(system: State, tmp_path: Path) -> None:
    spec = {"source": "shop", "from": {"kafka": {"topic": "nowhere.yet"}}, "type": {"value": "a"}}
    document = {"apiVersion": "makegood/v1", "kind": "Feed", "metadata": {"name": "shop-orders"}, "spec": spec}
    with Client(system) as client:
        await asyncio.to_thread(client.post, "journey", "/v1/feeds", json=document)
    shown = await asyncio.to_thread(CliRunner().invoke, command_line(["feed"]), ["feed", "list", "--json"], catch_exceptions=False)
    listed = orjson.loads(shown.stdout)
    assert (listed["name"], listed["topic"], listed["lag"]) == ("shop-orders", "nowhere.yet", None)
    table = await asyncio.to_thread(CliRunner().invoke, command_line(["feed"]), ["feed", "list"], catch_exceptions=False)
    assert "nowhere.yet" in table.stdout


async def test_what_follows_by_itself_is_not_run(system: State, tmp_path: Path) -> None:
    with pytest.raises(StackError, match="it runs by itself once it is published"):
        await run(feed(tmp_path, "{kafka: {topic: shop.orders}}"))
