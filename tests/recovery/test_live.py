"""Cases as they go on, over real connections: nothing is lost and nothing told twice, however often one comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest
from sqlalchemy import text

from services.recovery.api import build
from tests.driving import as_owner
from tests.recovery.conftest import CUSTOMER, NOON, Lane
from tests.recovery.office import CASE, Desk, slug
from tests.serving import blocks_of, served, trusting

OTHER = UUID(int=30)
LIST = "/v1/cases/events"


@pytest.fixture
async def watcher(lane: Lane, ana: Desk, tmp_path: Path) -> AsyncIterator[Desk]:
    """Ana at the application as it is served, beside the one that she acts through."""
    quick = {"live_pause": 0.02, "live_heartbeat": 0.3, "watchers": 3}
    settings = trusting(lane.settings, tmp_path).model_copy(update=quick)
    async with served(build(settings, lane.engine)) as address, httpx2.AsyncClient(base_url=address, timeout=60) as client:
        yield Desk(client, ana.headers["authorization"].removeprefix("Bearer "), tmp_path)


@asynccontextmanager
async def watching(desk: Desk, path: str, last: str | None = None, **query: Any) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
    headers = desk.headers | ({} if last is None else {"last-event-id": last})
    async with asyncio.timeout(60), desk.client.stream("GET", path, params=query, headers=headers) as answer:
        assert answer.status_code == 200
        yield blocks_of(answer)


async def heard(desk: Desk, path: str, number: int, last: str | None = None, **query: Any) -> tuple[list[dict[str, Any]], str]:
    """The next things that are told, and where to go on."""
    found: list[dict[str, Any]] = []
    async with watching(desk, path, last, **query) as blocks:
        async for block in blocks:
            last = block.get("id", last)
            found += [orjson.loads(block["data"])] if "data" in block else []
            if len(found) >= number and last is not None:
                break
    return found, last or ""


async def test_a_case_is_told_act_by_act_and_gone_on_with_where_it_stopped(ana: Desk, watcher: Desk) -> None:
    path = f"{CASE}/events"
    async with watching(watcher, path) as blocks:
        told = (block async for block in blocks if "id" in block)
        assert (await anext(told))["id"] == "1", "from now on"
        await ana.act("/owner")
        block = await anext(block async for block in told if "data" in block)
    act = orjson.loads(block["data"])
    assert (block["id"], act["number"], act["kind"], act["by"]) == ("2", 2, "owned", "ana")
    await ana.act("/notes", {"text": "one"})
    await ana.act("/notes", {"text": "two"})
    found, last = await heard(watcher, path, 1, block["id"])
    assert [each["payload"] for each in found] == [{"text": "one"}]
    assert [each["payload"] for each in (await heard(watcher, path, 1, last))[0]] == [{"text": "two"}]
    assert [each["kind"] for each in (await heard(watcher, path, 4, after="0"))[0]] == ["opened", "owned", "noted", "noted"]


async def test_a_list_is_told_what_comes_to_it_and_what_leaves_it(ana: Desk, watcher: Desk, lane: Lane) -> None:
    """Breaks if a page that shows the open cases were not told that somebody took one."""
    _, start = await heard(watcher, LIST, 0)
    await lane.feed(lane.fact(number=2, customer=OTHER, at=NOON))
    await ana.act("/owner")
    await ana.act("/notes", {"text": "no matter of a list of open ones"})
    found, last = await heard(watcher, LIST, 2, start, state="open")
    assert [(each["customer"], each["kind"], each["state"], each["listed"]) for each in found] == [
        (str(OTHER), "opened", "open", True), (str(CUSTOMER), "owned", "owned", False),
    ]  # fmt: skip
    mine, _ = await heard(watcher, LIST, 2, start, owner="ana")
    assert [each["kind"] for each in mine] == ["owned", "noted"]
    theirs, _ = await heard(watcher, LIST, 1, start, customer=str(OTHER))
    assert [each["kind"] for each in theirs] == ["opened"]
    await ana.act("/remedy", {"what": "x"})
    assert [each["kind"] for each in (await heard(watcher, LIST, 1, last))[0]] == ["noted"]


async def test_who_comes_back_again_and_again_is_told_each_act_once(ana: Desk, watcher: Desk) -> None:
    _, last = await heard(watcher, LIST, 0)

    async def write() -> None:
        for number in range(12):
            await ana.act("/notes", {"text": str(number)})

    writing, told = asyncio.create_task(write()), 0
    while told < 12:
        news, last = await heard(watcher, LIST, 1, last)
        told += len(news)
    await writing
    found, _ = await heard(watcher, f"{CASE}/events", 13, after="0")
    assert (told, [each["number"] for each in found]) == (12, list(range(1, 14)))


async def test_a_place_that_is_none_or_no_more_is_refused(ana: Desk, watcher: Desk, lane: Lane) -> None:
    for place in ("x", "0", "0:", "0:-1", "a:1", "0:9999999999999999999", "٣:1"):
        assert slug(await watcher.get(LIST, after=place)) == "malformed-cursor", place
    for place in ("x", "-1", "9999999999", "٣", "0:1"):
        assert slug(await watcher.get(f"{CASE}/events", after=place)) == "malformed-cursor", place
    await ana.act("/owner")
    async with as_owner(lane.engine) as connection:
        await connection.execute(text("DELETE FROM outbox WHERE ordinal <= 3"))
    gone = await watcher.get(LIST, after="0:1")
    assert (gone.status_code, slug(gone)) == (410, "place-is-gone")
    assert slug(await watcher.get(f"/v1/cases/{UUID(int=404)}/events")) == "not-found"


async def test_no_more_watch_at_once_than_may(watcher: Desk) -> None:
    async with watching(watcher, LIST), watching(watcher, LIST), watching(watcher, f"{CASE}/events"):
        refused: httpx2.Response = await watcher.get(LIST)
        assert (refused.status_code, slug(refused)) == (429, "too-many-watchers")
