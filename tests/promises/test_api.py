"""The HTTP side of promises on a real PostgreSQL: publishing, what came of it, and why."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from services.promises import api
from services.promises.settings import PromisesSettings
from tests.driving import NOON
from tests.promises.conftest import ANA, Partition, document, response
from tests.serving import bearer, in_front_of, said, trusting

HOUR = timedelta(hours=1)


def body(name: str = "in-time", effective_from: str | None = None, **spec: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(document(name, {"response": response()} | spec))
    if effective_from:
        found["metadata"]["effective_from"] = effective_from
    return found


@pytest.fixture
async def app(settings: PromisesSettings, engine: AsyncEngine, tmp_path: Path) -> FastAPI:
    return api.build(trusting(settings, tmp_path), engine)


@pytest.fixture
async def manager(app: FastAPI, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(app, bearer(tmp_path, "manager")) as client:
        yield client


@pytest.fixture
async def begun(manager: httpx2.AsyncClient, partition: Callable[..., Partition]) -> Partition:
    """A line that judges: two orders kept, one broken, one open, at a barrier four hours after noon."""
    await manager.post("/v1/promises", json=body(segment="data.channel"))
    lane = await partition().start()
    for number, hours in enumerate((0, 0, 0, 3)):
        data = {"order": f"o{number}", "channel": "web" if number else "shop"}
        lane.event("placed", NOON + hours * HOUR, data=data, id_=f"placed-{number}", customer=UUID(int=number % 2))
        if number < 2:
            lane.event("delivered", NOON + HOUR, data=data, customer=UUID(int=number % 2))
    lane.marker(NOON + 4 * HOUR)
    await lane.deliver()
    await lane.save()
    return lane


async def test_first_promises_are_in_force_from_the_beginning(manager: httpx2.AsyncClient) -> None:
    answer = await manager.post("/v1/promises", json=body())
    assert (answer.status_code, answer.json()) == (201, {"name": "in-time", "version": 1, "effective_from": None})


async def test_a_later_version_takes_effect_when_everybody_can_know_it(manager: httpx2.AsyncClient, begun: Partition) -> None:
    """Breaks if an event could be judged by a version that some partition did not know when it arrived (DESIGN 3.6)."""
    answer = await manager.post("/v1/promises", json=body(grace="5 minutes"))
    assert answer.json() == {"name": "in-time", "version": 2, "effective_from": "2026-03-01T16:05:00Z"}
    early = await manager.post("/v1/promises", json=body(grace="6 minutes", effective_from="2026-03-01T16:04:59Z"))
    assert early.status_code == 422
    assert "16:05:00" in said(early)["detail"]
    late = await manager.post("/v1/promises", json=body(grace="6 minutes", effective_from="2026-03-02T00:00:00Z"))
    assert late.json()["effective_from"] == "2026-03-02T00:00:00Z"


async def test_the_same_document_again_is_the_same_version(manager: httpx2.AsyncClient) -> None:
    answers = [await manager.post("/v1/promises", json=each) for each in (body(), body(), body(grace="1 hour"), body())]
    assert [each.json()["version"] for each in answers] == [1, 1, 2, 3]
    listed = (await manager.get("/v1/promises/in-time")).json()["items"]
    assert [(each["version"], each["published_by"]) for each in listed] == [(1, "ana"), (2, "ana"), (3, "ana")]


@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"kind": "Promise"}, body(nonsense=1), body(response={}), body(grace="a while"), body(grace="9999999999 years"),
        body(response=response(within="9" * 5000 + " days")), {**body(), "kind": "Calendar"}, {**body(), "metadata": {"name": "a b"}},
        body(response=response(where="data.x >")), body(name="\0"), body(response=response(within=1e300)),
    ],
)  # fmt: skip
async def test_what_is_no_promise_is_refused_with_what_would_be_right(manager: httpx2.AsyncClient, wrong: dict[str, Any]) -> None:
    answer = await manager.post("/v1/promises", json=wrong)
    assert answer.status_code == 422
    assert said(answer)
    assert (await manager.get("/v1/promises")).json() == {"items": []}


@pytest.mark.parametrize(("content", "status"), [(b"{", 400), (b"[1]", 422), (b"x" * 300_000, 413), (b'{"a":"' + b"\\ud800" + b'"}', 422)])
async def test_what_is_no_document_is_refused(manager: httpx2.AsyncClient, content: bytes, status: int) -> None:
    answer = await manager.post("/v1/promises", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, bool(said(answer))) == (status, True)


async def test_performance_counts_what_was_judged(manager: httpx2.AsyncClient, begun: Partition) -> None:
    (found,) = (await manager.get("/v1/promises/in-time/performance")).json()["items"]
    counts = {name: found[name] for name in ("commitments", "kept", "broken", "never", "late", "open", "kept_share")}
    assert counts == {"commitments": 4, "kept": 2, "broken": 1, "never": 1, "late": 0, "open": 1, "kept_share": 0.6667}
    assert [(each["segment"], each["kept"], each["broken"]) for each in found["segments"]] == [("shop", 1, 0), ("web", 1, 1)]
    assert (await manager.get("/v1/performance")).json()["items"] == [found]
    assert (await manager.get("/v1/promises/other/performance")).status_code == 404


async def test_commitments_are_found_by_what_they_are_and_page_by_page(manager: httpx2.AsyncClient, begun: Partition) -> None:
    async def ids(**wanted: Any) -> list[str]:
        return [each["trigger"]["id"] for each in (await manager.get("/v1/commitments", params=wanted)).json()["items"]]

    assert await ids(judgement="broken") == ["placed-2"]
    assert sorted(await ids(customer=str(UUID(int=1)))) == ["placed-1", "placed-3"]
    assert await ids(promise="other") == []
    found: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(5):
        page = (await manager.get("/v1/commitments", params={"limit": "1"} | cursor)).json()
        found += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert (len(found), found) == (4, sorted(set(found)))


async def test_an_explanation_accounts_for_evidence_and_everything_that_was_said(manager: httpx2.AsyncClient, begun: Partition) -> None:
    begun.event("delivered", NOON + HOUR, NOON + 5 * HOUR, data={"order": "o2"}, customer=UUID(int=0), id_="late")
    await begun.deliver()
    (broken,) = [each for each in (await manager.get("/v1/commitments")).json()["items"] if each["trigger"]["id"] == "placed-2"]
    assert (broken["judgement"], broken["verdict"]) == ("kept", 2)
    account = await manager.get(f"/v1/commitments/{broken['id']}/explanation")
    assert account.status_code == 200
    assert [each["said"] for each in account.json()["said"]] == ["opened", "broken", "corrected"]
    assert [each["type"] for each in account.json()["evidence"]] == ["placed", "delivered"]
    assert (await manager.get(f"/v1/commitments/{ANA}/explanation")).status_code == 404
    assert (await manager.get(f"/v1/commitments/{ANA}")).status_code == 404


async def test_only_managers_publish_and_nobody_reads_without_a_token(app: FastAPI, tmp_path: Path) -> None:
    paths = ["/v1/promises", "/v1/promises/a", "/v1/performance", "/v1/promises/a/performance", "/v1/commitments", f"/v1/commitments/{ANA}",
             f"/v1/commitments/{ANA}/explanation", "/v1/status"]  # fmt: skip
    for roles in ([], ["customer"], ["agent"], ["operations"], ["system"]):
        async with in_front_of(app, bearer(tmp_path, *roles)) as client:
            assert (await client.post("/v1/promises", json=body())).status_code == 403
            reads = {(await client.get(path)).status_code for path in paths}
            assert reads <= ({403} if roles in ([], ["customer"]) else {200, 404})
    async with in_front_of(app, {}) as client:
        assert {(await client.get(path)).status_code for path in paths} == {401}
        assert (await client.post("/v1/promises", json=body())).status_code == 401
