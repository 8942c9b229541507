"""Backtests of drafts over the running system's own history, on a real Kafka."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Outgoing, Relay
from services.promises.erasure import Eraser
from services.promises.settings import PromisesSettings
from tests.driving import NOON
from tests.promises.api.conftest import HOUR, Somebody, body
from tests.promises.conftest import ANA, Partition, response
from tests.promises.test_held import refuse
from tests.serving import said

PATH = "/v1/backtests"


@pytest.fixture
async def served(served: PromisesSettings, kafka: str, topics: Callable[..., Awaitable[None]]) -> PromisesSettings:
    await topics("replay")
    return served.model_copy(update={"kafka": kafka, "backtest_events": 50})


@pytest.fixture
async def operator(app: FastAPI, somebody: Somebody) -> AsyncIterator[httpx2.AsyncClient]:
    async with app.router.lifespan_context(app), somebody("operations") as client:
        yield client


@pytest.fixture
async def history(begun: Partition, served: PromisesSettings) -> AsyncIterator[Partition]:
    """What the line was judged on also lies in Kafka, some of it twice, as publishers send again what was not acknowledged."""
    relay = Relay(served)
    sent = [Outgoing("makegood.journey", 0, None, each.value or b"", list(each.headers)) for each in begun.log]
    await relay.publish([*sent[:5], *sent[3:]])
    yield begun
    await relay.close()


async def ask(client: httpx2.AsyncClient, *documents: dict[str, Any], key: str | None = None, **others: Any) -> httpx2.Response:
    sent = {"documents": list(documents)} | others
    return await client.post(PATH, json=sent, headers={"idempotency-key": key or str(uuid4())})


async def ended(client: httpx2.AsyncClient, answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    async with asyncio.timeout(20):
        while True:
            found = (await client.get(answer.headers["location"])).json()
            if found["state"] not in {"waiting", "running"}:
                return dict(found)


async def test_a_draft_over_the_journal_comes_to_what_the_running_system_said(
    operator: httpx2.AsyncClient, history: Partition, engine: AsyncEngine
) -> None:
    """Breaks if a repeated record counted twice, or a draft left a trace."""
    (performance,) = (await operator.get("/v1/performance")).json()["items"]
    document = (await operator.get("/v1/promises/in-time")).json()["items"][0]["document"]
    stricter = body("stricter", response=response(within="30 minutes"))
    found = await ended(operator, await ask(operator, document, stricter))
    assert (found["state"], found["promises"], found["problem"]) == ("done", ["in-time", "stricter"], None)
    assert found["read"] == found["total"] > 0
    same, other = found["items"]
    shared = [name for name in same if name not in {"as_of", "events"}]
    assert {name: same[name] for name in shared} == {name: performance[name] for name in shared}
    assert (same["events"], other["kept"], other["broken"], other["open"], other["late"]) == (6, 0, 4, 0, 2)
    assert [each["name"] for each in (await operator.get("/v1/promises")).json()["items"]] == ["in-time"]
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM commitments"))).scalar_one() == 4


async def test_only_triggers_of_the_time_count_and_it_is_judged_as_of_its_end(operator: httpx2.AsyncClient, history: Partition) -> None:
    late = await ended(operator, await ask(operator, body(), **{"from": (NOON + HOUR).isoformat()}))
    assert (late["items"][0]["commitments"], late["items"][0]["open"]) == (1, 1)
    early = await ended(operator, await ask(operator, body(), to=(NOON + HOUR / 2).isoformat()))
    assert (early["items"][0]["commitments"], early["items"][0]["open"], early["items"][0]["kept"]) == (3, 3, 0)
    beyond = await ended(operator, await ask(operator, body(), to="2030-01-01T00:00:00Z"))
    assert beyond["as_of"] == "2026-03-01T16:00:00Z"


async def test_asked_for_twice_under_one_key_it_is_one_backtest(operator: httpx2.AsyncClient, history: Partition) -> None:
    first, second = [await ask(operator, body(), key="k") for _ in range(2)]
    assert first.json()["id"] == second.json()["id"]
    assert said(await ask(operator, body(grace="1 hour"), key="k"))["type"] == "urn:makegood:problem:idempotency-key-reused"
    assert [each["id"] for each in (await operator.get(PATH)).json()["items"]] == [first.json()["id"]]
    await ended(operator, first)


async def test_what_is_cancelled_is_gone_and_what_waits_behind_it_gets_its_turn(
    operator: httpx2.AsyncClient, history: Partition, app: FastAPI
) -> None:
    jobs = app.state.around.jobs
    async with jobs._turn:
        first, second = await ask(operator, body()), await ask(operator, body())
        assert (await operator.get(first.headers["location"])).json()["state"] == "waiting"
        assert (await operator.delete(first.headers["location"])).status_code == 204
    assert (await operator.get(first.headers["location"])).status_code == 404
    assert (await operator.delete(first.headers["location"])).status_code == 404
    assert (await ended(operator, second))["state"] == "done"
    assert (await operator.get(f"{PATH}/{ANA}")).status_code == 404


async def test_a_backtest_whose_process_has_ended_says_that_it_is_lost(
    operator: httpx2.AsyncClient, history: Partition, app: FastAPI, engine: AsyncEngine
) -> None:
    """Breaks if somebody waited for ever for what nobody runs any more."""
    async with app.state.around.jobs._turn:
        asked = await ask(operator, body())
        await app.state.around.jobs.close()
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE backtests SET heard_at = heard_at - interval '1 minute'"))
    assert (await operator.get(asked.headers["location"])).json()["state"] == "lost"


async def test_more_than_a_process_may_hold_is_refused(operator: httpx2.AsyncClient, begun: Partition, served: PromisesSettings) -> None:
    for number in range(60):
        begun.event("placed", NOON, NOON + 4 * HOUR, id_=f"more-{number}", customer=UUID(int=0))
    relay = Relay(served)
    await relay.publish([Outgoing("makegood.journey", 0, None, each.value or b"", list(each.headers)) for each in begun.log])
    await relay.close()
    found = await ended(operator, await ask(operator, body()))
    assert (found["state"], found["items"]) == ("failed", None)
    assert "fewer promises" in found["problem"]


async def test_no_more_wait_than_may(somebody: Somebody, app: FastAPI, operator: httpx2.AsyncClient, history: Partition) -> None:
    around = app.state.around
    async with around.jobs._turn:
        for _ in range(around.settings.backtests_at_once):
            assert (await ask(operator, body())).status_code == 202
        assert said(await ask(operator, body()))["status"] == 429
        await around.jobs.close()


@pytest.mark.parametrize("documents", [[], [{}], [body(nonsense=1)], [body(), body()], [body() | {"kind": "Principle"}]])
async def test_what_is_no_draft_is_refused(operator: httpx2.AsyncClient, documents: list[dict[str, Any]]) -> None:
    assert (await ask(operator, *documents)).status_code == 422


async def test_a_draft_is_held_where_the_running_system_is(operator: httpx2.AsyncClient, history: Partition) -> None:
    """Breaks if a draft were called broken for want of what nobody has read: it would look worse than it is."""
    stricter = body("stricter", response=response(within="30 minutes"))
    before = (await ended(operator, await ask(operator, stricter)))["items"][0]
    refuse(history, NOON + HOUR / 6, customer=UUID(int=0))
    history.marker(NOON + 4 * HOUR)
    await history.deliver()
    after = (await ended(operator, await ask(operator, stricter)))["items"][0]
    assert [(each["broken"], each["open"]) for each in (before, after)] == [(4, 0), (2, 2)]
    known = (await ended(operator, await ask(operator, stricter, to=(NOON + HOUR / 12).isoformat())))["items"][0]
    assert (known["broken"], known["open"]) == (0, 3)


async def test_of_who_is_erased_no_draft_keeps_or_makes_a_segment(
    operator: httpx2.AsyncClient, history: Partition, engine: AsyncEngine
) -> None:
    """Breaks if what a draft came to held a word of one customer's behind their erasure, or Kafka's memory brought it back."""
    draft = body("stricter", response=response(within="30 minutes"), segment="data.channel")
    first = await ask(operator, draft)
    before = (await ended(operator, first))["items"][0]
    assert {each["segment"] for each in before["segments"]} == {"shop", "web"}
    history.event("makegood.customer.erased", NOON + 4 * HOUR, customer=UUID(int=0), data={"reason": "request"})
    history.marker(NOON + 4 * HOUR)
    await history.deliver()
    await Eraser(engine).finish()
    kept = (await ended(operator, first))["items"][0]
    assert kept == before | {"segments": []}
    again = (await ended(operator, await ask(operator, draft)))["items"][0]
    assert {each["segment"] for each in again["segments"]} == {"web"}
