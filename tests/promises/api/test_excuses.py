"""Excuses over HTTP and a real Kafka: asked for by one, granted by another, told to the engine, taken back."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI

from services.chassis.instants import to_milliseconds
from services.promises.settings import PromisesSettings
from tests.driving import NOON, reading
from tests.promises.api.conftest import HOUR, Somebody
from tests.promises.conftest import ANA, Partition
from tests.serving import said

TOPIC = "makegood.touchpoints"
ASKED = {"reason": "force-majeure", "text": "a flood", "evidence": ["photo 1"], "approver": "maria"}


@pytest.fixture
async def served(served: PromisesSettings, kafka: str, topics: Callable[..., Awaitable[None]]) -> PromisesSettings:
    await topics("replay")
    return served.model_copy(update={"kafka": kafka})


@pytest.fixture
async def alive(app: FastAPI) -> AsyncIterator[FastAPI]:
    """The application between its start and its end."""
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def ana(somebody: Somebody, alive: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with somebody("agent") as client:
        yield client


@pytest.fixture
async def maria(somebody: Somebody) -> AsyncIterator[httpx2.AsyncClient]:
    async with somebody("lead", subject="maria") as client:
        yield client


@pytest.fixture
async def path(ana: httpx2.AsyncClient, begun: Partition) -> str:
    """Of the one that was broken."""
    (broken,) = (await ana.get("/v1/commitments", params={"judgement": "broken"})).json()["items"]
    return f"/v1/commitments/{broken['id']}"


async def act(client: httpx2.AsyncClient, path: str, body: dict[str, Any], key: str, seen: int | None = None) -> httpx2.Response:
    headers = {"idempotency-key": key} | ({} if seen is None else {"if-match": f'"{seen}"'})
    return await client.post(path, json=body, headers=headers)


async def test_an_excuse_is_asked_for_granted_and_taken_back(
    ana: httpx2.AsyncClient, maria: httpx2.AsyncClient, path: str, served: PromisesSettings
) -> None:
    """Breaks if an act were answered before Kafka has it, or reached the engine twice under two ids."""
    asked = await act(ana, f"{path}/excuse", ASKED, "k1")
    assert (asked.status_code, asked.json()["state"], asked.headers["etag"]) == (201, "asked", '"1"')
    async with reading(served.kafka, TOPIC) as records:
        assert await records() == []
        yes = {"granted": True, "text": "seen it myself"}
        for _ in range(2):
            granted = await act(maria, f"{path}/excuse/decision", yes, "k2", seen=1)
            assert (granted.status_code, granted.json()["state"], granted.headers["etag"]) == (202, "granted", '"2"')
        (first,) = await records()
        withdrawn = await act(maria, f"{path}/excuse/taking-back", {"text": "it was dry"}, "k3", seen=2)
        assert (withdrawn.status_code, withdrawn.json()["state"]) == (202, "taken_back")
        (second,) = await records()
    assert first.partition == second.partition
    # acts of people carry the barrier they acted on
    assert first.timestamp == to_milliseconds(NOON + 4 * HOUR)
    event = orjson.loads(first.value)
    assert (event["type"], event["subject"], event["data"]["by"], event["data"]["approver"]) == (
        "promises.excuse.granted", "customer:00000000-0000-0000-0000-000000000000", "ana", "maria",
    )  # fmt: skip
    found = await ana.get(f"{path}/excuse")
    assert [(each["kind"], each["by"]) for each in found.json()["acts"]] == [
        ("asked", "ana"),
        ("granted", "maria"),
        ("taken_back", "maria"),
    ]
    assert found.headers["etag"] == '"3"'


async def test_nobody_approves_what_they_asked_for_and_only_the_named_approver_decides(
    ana: httpx2.AsyncClient, maria: httpx2.AsyncClient, somebody: Somebody, path: str
) -> None:
    own = await act(ana, f"{path}/excuse", ASKED | {"approver": "ana"}, "k0")
    assert (own.status_code, said(own)["type"]) == (422, "urn:makegood:problem:own-approval")
    await act(ana, f"{path}/excuse", ASKED, "k1")
    yes = {"granted": True, "text": "yes"}
    async with somebody("manager", subject="lea") as lea:
        answer = await act(lea, f"{path}/excuse/decision", yes, "k2", seen=1)
    assert (answer.status_code, said(answer)["type"]) == (403, "urn:makegood:problem:not-the-approver")
    assert (await act(ana, f"{path}/excuse/decision", yes, "k3", seen=1)).status_code == 403
    async with somebody("lead", subject="ana") as promoted:
        assert (await act(promoted, f"{path}/excuse/decision", yes, "k4", seen=1)).status_code == 403
    refused = await act(maria, f"{path}/excuse/decision", yes | {"granted": False}, "k5", seen=1)
    assert (refused.status_code, refused.json()["state"]) == (202, "refused")


async def test_an_act_names_what_it_was_decided_on(ana: httpx2.AsyncClient, maria: httpx2.AsyncClient, path: str) -> None:
    await act(ana, f"{path}/excuse", ASKED, "k1")
    yes = {"granted": True, "text": "yes"}
    assert (await act(maria, f"{path}/excuse/decision", yes, "k2")).status_code == 428
    assert (await act(maria, f"{path}/excuse/decision", yes, "k2", seen=7)).status_code == 412
    assert (await act(ana, f"{path}/excuse", ASKED | {"text": "other"}, "k1")).status_code == 422
    again = await act(ana, f"{path}/excuse", ASKED, "k9")
    assert (again.status_code, said(again)["type"]) == (409, "urn:makegood:problem:excuse-under-way")


async def test_what_kafka_did_not_take_is_told_when_it_is_back(
    ana: httpx2.AsyncClient, maria: httpx2.AsyncClient, path: str, served: PromisesSettings, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if an excuse that was granted could stay unknown to the engine."""
    await act(ana, f"{path}/excuse", ASKED, "k1")
    messenger = app.state.around.messenger
    with monkeypatch.context() as away:
        away.setattr(messenger, "_relay", type(messenger._relay)(served.model_copy(update={"kafka": "127.0.0.1:9"})))
        answer = await act(maria, f"{path}/excuse/decision", {"granted": True, "text": "yes"}, "k2", seen=1)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    async with reading(served.kafka, TOPIC) as records:
        await messenger.tell()
        await messenger.tell()
        assert [orjson.loads(each.value)["type"] for each in await records()] == ["promises.excuse.granted"]


async def test_only_what_is_owed_is_excused(ana: httpx2.AsyncClient, path: str) -> None:
    (kept, _) = (await ana.get("/v1/commitments", params={"judgement": "kept"})).json()["items"]
    answer = await act(ana, f"/v1/commitments/{kept['id']}/excuse", ASKED, "k1")
    assert (answer.status_code, said(answer)["type"]) == (409, "urn:makegood:problem:nothing-to-excuse")
    assert (await act(ana, f"/v1/commitments/{ANA}/excuse", ASKED, "k2")).status_code == 404
    assert (await ana.get(f"{path}/excuse")).status_code == 404


@pytest.mark.parametrize("wrong", [{"reason": "Because!"}, {"evidence": []}, {"text": "\0"}, {"approver": ""}, {"by": "x"}])
async def test_an_excuse_needs_reason_evidence_and_approver(ana: httpx2.AsyncClient, path: str, wrong: dict[str, Any]) -> None:
    assert (await act(ana, f"{path}/excuse", ASKED | wrong, "k")).status_code == 422


async def test_half_a_surrogate_pair_is_no_text(ana: httpx2.AsyncClient, path: str) -> None:
    content = orjson.dumps(ASKED).replace(b"a flood", b"\\ud800")
    headers = {"idempotency-key": "k", "content-type": "application/json"}
    assert (await ana.post(f"{path}/excuse", content=content, headers=headers)).status_code == 422
