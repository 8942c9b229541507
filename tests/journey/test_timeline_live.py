"""A timeline as it goes on, over real connections: nothing is lost and nothing told twice, however often one comes back."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.http import serve
from services.chassis.relay import Relay
from services.journey import api
from services.journey.domain import customer_key
from services.journey.settings import JourneySettings
from tests.chassis.test_http_serving import answers, free_port
from tests.driving import Raw, touchpoint
from tests.journey.conftest import ORDER, declare
from tests.journey.identities import say
from tests.journey.test_holdings import booked, delayed, prepare
from tests.journey.told import PROMISES, Telling, at, fact, pages
from tests.serving import bearer, blocks_of, in_front_of, said, trusting

ANA = customer_key("crm:ana")
PATH = f"/v1/customers/{ANA}/timeline/events"
Event = dict[str, str]


@pytest.fixture
async def app(settings: JourneySettings, engine: AsyncEngine, tmp_path: Path) -> FastAPI:
    quick = {"live_pause": 0.02, "live_heartbeat": 0.3, "watchers": 3, "http_port": free_port()}
    own = trusting(settings, tmp_path).model_copy(update=quick)
    return api.build(own, engine, Relay(own))


@pytest.fixture
async def agent(app: FastAPI, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application as it is served."""
    served = asyncio.create_task(serve(app, app.state.settings))
    address = f"http://127.0.0.1:{app.state.settings.http_port}"
    async with httpx2.AsyncClient(base_url=address, headers=bearer(tmp_path, "agent"), timeout=20) as client:
        async with asyncio.timeout(20):
            while not await answers(client):  # noqa: ASYNC110 - a socket that listens tells nobody
                await asyncio.sleep(0)
        yield client
    if not served.done():
        os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(served, 20)


@asynccontextmanager
async def watching(client: httpx2.AsyncClient, last: str | None = None, **query: Any) -> AsyncIterator[AsyncIterator[Event]]:
    """Everything told on one connection, blocks without data too."""
    headers = {} if last is None else {"Last-Event-ID": last}
    async with client.stream("GET", PATH, params=query, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield blocks_of(answer)


async def heard(client: httpx2.AsyncClient, number: int, last: str | None = None, **query: Any) -> tuple[list[str], str]:
    """The ids of the next entries, and where to go on."""
    found: list[str] = []
    async with asyncio.timeout(20), watching(client, last, **query) as blocks:
        async for block in blocks:
            last = block.get("id", last)
            if "data" in block:
                found.append(orjson.loads(block["data"])["id"])
            if len(found) >= number and last:
                break
    return found, last or ""


async def test_who_comes_back_again_and_again_is_told_everything_once(
    agent: httpx2.AsyncClient, raw: Callable[..., Raw], engine: AsyncEngine, settings: JourneySettings
) -> None:
    """Breaks if an id stood for more than what was told with it: the rest of a batch, of a pack, of another lane."""
    chance = Random(11)
    lanes = [await raw(each).start() for each in range(3)]
    facts = Telling(engine, settings, PROMISES)
    begun = asyncio.Event()

    async def happen() -> None:
        await begun.wait()
        for number in range(60):
            whose = "crm:ana" if number % 3 else "crm:bob"
            lane = chance.choice(lanes)
            lane.add(touchpoint(f"t{number}", subject=whose, time=at(chance.randrange(60)).isoformat()))
            if chance.random() < 1 / 3:
                await lane.deliver()
            if number % 10 == 9:
                await facts.tell([fact(ANA, f"c{number}-{each}", "opened", at(number)) for each in range(7)], batch=5)
        for each in lanes:
            await each.deliver()

    happening = asyncio.create_task(happen())
    _, last = await heard(agent, 0)
    found: list[str] = []
    begun.set()
    while len(found) < 40 + 42:
        news, last = await heard(agent, min(chance.randrange(1, 9), 82 - len(found)), last)
        found += news
    await happening
    whole = [each["id"] for each in await pages(agent, ANA)]
    assert sorted(found) == sorted(whole)
    assert len(whole) == 82


async def test_what_two_keys_of_one_person_both_have_is_told_once_even_to_who_comes_back_between(
    agent: httpx2.AsyncClient, raw: Callable[..., Raw], engine: AsyncEngine
) -> None:
    """Breaks if it were known for the same only within one look: whoever comes back in between would be told it again."""
    await prepare(engine)
    lane = await raw().start()
    said = (booked("a", "crm:ana"), booked("b", "card:1"), say("m", "merged", "crm:ana", "card:1"), delayed("d"), delayed("e"))
    for value in (*said, touchpoint("end", subject="crm:ana")):
        lane.add(value)
    await lane.deliver()
    found, last = await heard(agent, 1, after="")
    while found[-1] != "end":
        news, last = await heard(agent, 1, last)
        found += news
    assert sorted(found) == sorted(each["id"] for each in await pages(agent, ANA))
    assert len(found) == len(set(found)) == len(said) + 1


async def test_what_is_live_begins_behind_the_page_it_came_with(agent: httpx2.AsyncClient, raw: Callable[..., Raw]) -> None:
    lane = await raw().start()
    lane.add(touchpoint("before", subject="crm:ana"))
    await lane.deliver()
    page = (await agent.get(f"/v1/customers/{ANA}/timeline")).json()
    lane.add(touchpoint("behind", subject="crm:ana", time=at(-9).isoformat()))
    await lane.deliver()
    assert (await heard(agent, 1, after=page["live"]))[0] == ["behind"]
    assert (await heard(agent, 2, after=""))[0] == ["before", "behind"]


async def test_only_what_was_asked_for_is_told_and_the_place_moves_on_all_the_same(
    agent: httpx2.AsyncClient, raw: Callable[..., Raw]
) -> None:
    lane = await raw().start()
    for number in range(6):
        lane.add(touchpoint(f"e{number}", "order.placed" if number % 2 else "mail.sent", subject="crm:ana"))
    await lane.deliver()
    found, last = await heard(agent, 2, after="", type="order.*")
    assert found == ["e1", "e3"]
    assert (await heard(agent, 1, last))[0] == ["e4"]
    assert (await heard(agent, 1, last, type="order.*"))[0] == ["e5"]


async def test_where_nothing_happens_a_sign_of_life_says_where_to_go_on(agent: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(20), watching(agent) as blocks:
        found = [await anext(blocks) for _ in range(4)]
    assert "retry" in found[0]
    assert all("data" not in each and "id" in each for each in found[1:])


async def test_who_joins_a_person_is_watched_from_then_on(agent: httpx2.AsyncClient, raw: Callable[..., Raw], engine: AsyncEngine) -> None:
    """Breaks if whoever watches went on with the keys that the person had when they began."""
    await declare(engine, "order.placed", ORDER)
    lane = await raw().start()
    lane.add(touchpoint("a", subject="crm:ana"))
    lane.add(touchpoint("b", data={"order": "o1"}))
    await lane.deliver()
    async with asyncio.timeout(20), watching(agent) as blocks:
        await anext(blocks), await anext(blocks)
        whose: dict[str, Any]
        for id_, whose in (
            ("c", {"subject": "crm:ana", "data": {"order": "o1"}}),
            ("d", {"subject": f"customer:{customer_key('order:o1')}"}),
        ):
            lane.add(touchpoint(id_, **whose))
            await lane.deliver()
            told = await anext(block async for block in blocks if "data" in block)
            assert orjson.loads(told["data"])["id"] == id_


async def test_no_more_watch_at_once_than_may_and_who_leaves_makes_room(agent: httpx2.AsyncClient, app: FastAPI) -> None:
    """Breaks if a connection that the other side dropped kept its place."""
    async with watching(agent), watching(agent), watching(agent):
        answer = await agent.get(PATH)
        assert answer.status_code == 429
        assert said(answer)["type"].endswith("too-many-watchers")
    async with asyncio.timeout(20):
        while app.state.live.watching:  # noqa: ASYNC110 - the server tells nobody that it noticed
            await asyncio.sleep(0.01)
    async with watching(agent) as blocks:
        assert await anext(blocks)


async def test_a_place_that_is_none_is_refused(agent: httpx2.AsyncClient) -> None:
    for place in ("x", "touchpoints/0:", "touchpoints/0:-1", "touchpoints/0:99999999999999999999", ":1", "é:1"):
        answer = await agent.get(PATH, params={"after": place})
        assert (answer.status_code, said(answer)["type"]) == (400, "urn:makegood:problem:malformed-cursor"), place


async def test_who_watches_is_let_go_when_the_process_stops(agent: httpx2.AsyncClient) -> None:
    """Breaks if an answer without an end held up the shutdown until it was cut off."""
    async with asyncio.timeout(5), watching(agent) as blocks:
        await anext(blocks)
        os.kill(os.getpid(), signal.SIGTERM)
        async for _ in blocks:
            pass


async def test_only_those_who_may_read_a_timeline_may_watch_it(app: FastAPI, tmp_path: Path) -> None:
    for roles, status in ((None, 401), (["customer"], 403)):
        async with in_front_of(app, {} if roles is None else bearer(tmp_path, *roles)) as client:
            assert (await client.get(PATH)).status_code == status
