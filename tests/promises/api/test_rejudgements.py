"""Second verdicts beside the first, on a real Kafka."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import orjson
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.promises import RejudgedFact
from services.chassis.relay import Outgoing, Relay
from services.promises.rebuild import Rebuild
from services.promises.settings import PromisesSettings
from services.recovery.facts import may_concern_a_case
from services.recovery.facts import read as read_fact
from tests.driving import NOON, rows
from tests.promises.api.conftest import HOUR, Somebody, body
from tests.promises.conftest import ANA, Partition, outbox, response
from tests.serving import said

PATH = "/v1/promises/in-time/rejudgements"
MONDAY = datetime.fromisoformat("2026-03-02T09:00:00Z")


@pytest.fixture
async def served(served: PromisesSettings, kafka: str, topics: Callable[..., Awaitable[None]]) -> PromisesSettings:
    await topics("replay")
    return served.model_copy(update={"kafka": kafka, "backtest_events": 50})


@pytest.fixture
async def boss(app: FastAPI, somebody: Somebody) -> AsyncIterator[httpx2.AsyncClient]:
    async with app.router.lifespan_context(app), somebody("manager", subject="maria") as client:
        yield client


Publish = Callable[[Partition], Awaitable[None]]


@pytest.fixture
async def in_kafka(served: PromisesSettings) -> AsyncIterator[Publish]:
    """Give what puts a line's log into Kafka, too."""
    relay = Relay(served)

    async def publish(lane: Partition) -> None:
        await relay.publish([Outgoing("makegood.journey", 0, None, each.value or b"", list(each.headers)) for each in lane.log])

    yield publish
    await relay.close()


@pytest.fixture
async def history(begun: Partition, in_kafka: Publish) -> Partition:
    await in_kafka(begun)
    return begun


async def ask(client: httpx2.AsyncClient, path: str = PATH, key: str | None = None, **asked: Any) -> httpx2.Response:
    sent = {"version": 2, "reason": "we had promised less"} | asked
    return await client.post(path, json=sent, headers={"idempotency-key": key or str(uuid4())})


async def done(client: httpx2.AsyncClient, answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    async with asyncio.timeout(20):
        while True:
            found = (await client.get(answer.headers["location"])).json()
            if found["state"] not in {"waiting", "running"}:
                assert found["state"] == "done", found
                return dict(found)


async def stricter(client: httpx2.AsyncClient, **spec: Any) -> None:
    """Publish a second version."""
    answer = await client.post("/v1/promises", json=body(**{"response": response(within="30 minutes")} | spec))
    assert (answer.status_code, answer.json()["version"]) == (201, 2), answer.text


async def left(engine: AsyncEngine) -> list[list[tuple[Any, ...]]]:
    return [await rows(engine, table) for table in ("commitments", "evidence", "outbox", "progress")]


async def test_the_second_verdict_stands_beside_the_first_and_nothing_is_rewritten(
    boss: httpx2.AsyncClient, history: Partition, engine: AsyncEngine
) -> None:
    """Breaks if a rejudgement touched a row, said a fact, or judged by another barrier than the first verdicts'."""
    await stricter(boss)
    before = await left(engine)
    found = await done(boss, await ask(boss))
    assert {name: found["outcome"][name] for name in ("judged", "same", "changed", "opened", "unread", "cases")} == {
        "judged": 4, "same": 1, "changed": 3, "opened": 0, "unread": 0, "cases": 0,
    }  # fmt: skip
    assert sorted(map(orjson.dumps, found["outcome"]["changes"])) == sorted(
        map(orjson.dumps, [{"first": "kept", "second": "broken", "number": 2}, {"first": "open", "second": "broken", "number": 1}])
    )
    assert (found["asked_by"], found["reason"], found["read"]) == ("maria", "we had promised less", found["total"])
    assert await left(engine) == before
    changed = (await boss.get(f"{PATH}/{found['id']}/changes", params={"limit": 2})).json()
    rest = (await boss.get(f"{PATH}/{found['id']}/changes", params={"cursor": changed["next"]})).json()
    both = [*changed["items"], *rest["items"]]
    assert sorted((each["trigger"]["id"], each["first"], each["judgement"], each["late"]) for each in both) == [
        ("placed-0", "kept", "broken", True), ("placed-1", "kept", "broken", True), ("placed-3", "on_track", "broken", False),
    ]  # fmt: skip


async def test_a_commitment_and_its_explanation_tell_both_verdicts(boss: httpx2.AsyncClient, history: Partition) -> None:
    await stricter(boss)
    found = await done(boss, await ask(boss))
    (changed, *_) = (await boss.get(f"{PATH}/{found['id']}/changes")).json()["items"]
    commitment = (await boss.get(f"/v1/commitments/{changed['commitment']}")).json()
    (second,) = commitment["rejudgements"]
    assert (commitment["version"], commitment["judgement"]) == (1, changed["first"])
    assert (second["version"], second["judgement"], second["by"], second["why"]) == (2, "broken", "maria", "we had promised less")
    assert second["as_of"] == "2026-03-01T16:00:00Z"
    explained = (await boss.get(f"/v1/commitments/{changed['commitment']}/explanation")).json()
    assert explained["rejudgements"] == [second]
    again = await done(boss, await ask(boss, version=1))
    assert again["outcome"]["changed"] == 0
    assert [each["version"] for each in (await boss.get(f"/v1/commitments/{changed['commitment']}")).json()["rejudgements"]] == [2, 1]


async def test_only_triggers_of_the_time_are_judged_again(boss: httpx2.AsyncClient, history: Partition) -> None:
    await stricter(boss)
    late = await done(boss, await ask(boss, **{"from": (NOON + HOUR).isoformat()}))
    assert (late["outcome"]["judged"], late["outcome"]["changed"], late["from"]) == (1, 1, "2026-03-01T13:00:00Z")
    early = await done(boss, await ask(boss, to=(NOON + HOUR).isoformat()))
    assert (early["outcome"]["judged"], early["outcome"]["changed"]) == (3, 2)


async def test_a_promise_can_be_applied_to_what_was_before_it(boss: httpx2.AsyncClient, history: Partition) -> None:
    """Breaks if what no version in force opened were left out."""
    await boss.post("/v1/promises", json=body("new", response=response(within="30 minutes")))
    found = await done(boss, await ask(boss, "/v1/promises/new/rejudgements", version=1))
    assert (found["outcome"]["judged"], found["outcome"]["opened"]) == (4, 4)
    assert found["outcome"]["changes"] == [{"first": None, "second": "broken", "number": 4}]


async def test_what_the_version_does_not_owe_is_withdrawn_by_it(boss: httpx2.AsyncClient, history: Partition) -> None:
    await stricter(boss, response=response(when={"type": "placed", "where": {"data.channel": "web"}}))
    found = await done(boss, await ask(boss))
    (changed,) = (await boss.get(f"{PATH}/{found['id']}/changes")).json()["items"]
    assert (changed["first"], changed["judgement"], changed["reason"], found["outcome"]["judged"]) == ("kept", "withdrawn", "not-opened", 4)


async def test_told_to_it_says_what_only_the_second_verdict_calls_broken_and_recovery_takes_it_for_a_failure(
    boss: httpx2.AsyncClient, history: Partition, engine: AsyncEngine
) -> None:
    """Breaks if a case were opened for what was broken before, or the facts left the lane's order."""
    await stricter(boss)
    told = len(await outbox(engine))
    found = await done(boss, await ask(boss, open_cases=True))
    assert found["outcome"]["cases"] == 3
    facts = [body for _, body in (await outbox(engine))[told:]]
    assert [number for number, _ in await outbox(engine)] == list(range(1, told + 4))
    for fact in map(orjson.loads, facts):
        data = TypeAdapter(RejudgedFact).validate_python(fact["data"])
        assert (fact["type"], data.judgement, data.version, data.open_cases) == ("makegood.commitment.rejudged", "broken", 2, True)
    assert all(may_concern_a_case(body) and read_fact(body).judgement == "broken" for body in facts)
    assert not any(may_concern_a_case(body.replace(b'"open_cases":true', b'"open_cases":false')) for body in facts)
    await history.save()  # its owner notices, reads again, and publishes
    assert [each.value for each in history.wire.sent if each.value in facts] == facts
    assert [each async for each in Rebuild(engine, 0).run(check=True)] == []


def calendar(**more: Any) -> dict[str, Any]:
    spec = {"zone": "UTC", "week": {"mon-fri": ["09:00-17:00"]}, "valid": {"from": "2026-01-01", "until": "2026-12-31"}} | more
    return {"apiVersion": "makegood/v1", "kind": "Calendar", "metadata": {"name": "office"}, "spec": spec}


async def test_after_a_calendar_s_fix_pauses_and_both_verdicts_are_kept_however_old_the_events_are(
    boss: httpx2.AsyncClient, partition: Callable[..., Partition]
) -> None:
    """Breaks if the events were needed again where the versions differ in their calendar only: nothing of them is in Kafka."""
    assert (await boss.post("/v1/calendars", json=calendar())).status_code == 201
    spec: dict[str, Any] = {
        "calendar": "office",
        "response": response(within="4 business hours"),
        "pause": {"type": "asked"},
        "resume": {"type": "answered"},
    }
    assert (await boss.post("/v1/promises", json=body(**spec))).status_code == 201
    lane = await partition().start()
    for order in ("o1", "o2"):
        lane.event("placed", MONDAY, data={"order": order}, id_=f"placed-{order}")
        lane.event("asked", MONDAY + HOUR, data={"order": order})
        lane.event("answered", MONDAY + 3 * HOUR, data={"order": order})
        lane.event("delivered", MONDAY + (5 if order == "o1" else 7) * HOUR, data={"order": order})
    lane.marker(MONDAY + timedelta(days=1))
    await lane.deliver()
    await lane.save()
    closed = calendar(closures=[{"from": "2026-03-02T12:00", "until": "2026-03-02T15:00"}])
    assert (await boss.post("/v1/calendars", json=closed)).json()["version"] == 2
    found = await done(boss, await ask(boss, reason="the office was closed"))
    assert (found["calendar"], found["outcome"]["judged"], found["outcome"]["unread"]) == ({"name": "office", "version": 2}, 2, 0)
    (changed,) = (await boss.get(f"{PATH}/{found['id']}/changes")).json()["items"]
    assert (changed["trigger"]["id"], changed["first"], changed["judgement"]) == ("placed-o2", "broken", "kept")
    assert changed["due"] == "2026-03-03T10:00:00Z"
    commitment = (await boss.get(f"/v1/commitments/{changed['commitment']}")).json()
    assert (commitment["due"], commitment["rejudgements"][0]["calendar"]) == ("2026-03-02T15:00:00Z", {"name": "office", "version": 2})


async def test_what_is_held_no_more_is_left_unjudged_and_counted(boss: httpx2.AsyncClient, begun: Partition) -> None:
    """Breaks if what Kafka has forgotten were called broken."""
    await stricter(boss)
    found = await done(boss, await ask(boss))
    assert (found["outcome"]["judged"], found["outcome"]["unread"]) == (0, 4)


async def test_terms_and_an_earlier_first_trigger_count_as_they_did(
    boss: httpx2.AsyncClient, partition: Callable[..., Partition], in_kafka: Publish
) -> None:
    """Breaks if the events were read without what bears on them, or an anchor that moved were taken for another commitment."""
    await boss.post("/v1/promises", json=body(response=response(open="first", within="2 hours")))
    agreed = {"customer": str(ANA), "within": "5 hours"}
    answer = await boss.post("/v1/promises/in-time/terms", json=agreed, headers={"idempotency-key": "k"})
    assert answer.status_code == 201, answer.text
    lane = await partition().start()
    lane.event("placed", NOON, id_="second")
    lane.event("placed", NOON - HOUR, NOON, id_="first")
    lane.event("delivered", NOON + 3 * HOUR)
    lane.event("placed", NOON, id_="other", customer=UUID(int=14))
    lane.event("delivered", NOON + 3 * HOUR, customer=UUID(int=14))
    lane.marker(NOON + 9 * HOUR)
    lane.log = [each._replace(key=str(orjson.loads(each.value or b"").get("customer", ANA)).encode()) for each in lane.log]
    await lane.deliver()
    await lane.save()
    await in_kafka(lane)
    assert sorted(each["judgement"] for each in (await boss.get("/v1/commitments")).json()["items"]) == ["broken", "kept"]
    await stricter(boss, response=response(open="first", within="1 hour"))
    found = await done(boss, await ask(boss))
    assert (found["outcome"]["judged"], found["outcome"]["opened"], found["outcome"]["changed"]) == (2, 0, 0)


async def test_asked_for_twice_under_one_key_it_is_one_rejudgement(boss: httpx2.AsyncClient, history: Partition) -> None:
    await stricter(boss)
    first, second = [await ask(boss, key="k") for _ in range(2)]
    assert first.json()["id"] == second.json()["id"]
    assert said(await ask(boss, key="k", open_cases=True))["type"] == "urn:makegood:problem:idempotency-key-reused"
    assert [each["id"] for each in (await boss.get(PATH)).json()["items"]] == [first.json()["id"]]
    await done(boss, first)


async def test_who_answers_for_promises_asks_for_what_there_is(boss: httpx2.AsyncClient, begun: Partition, somebody: Somebody) -> None:
    async with somebody("operations") as operator:
        assert (await ask(operator, version=1)).status_code == 403
    assert said(await ask(boss))["detail"] == "in-time has no version 2; it has 1 to 1."
    assert (await ask(boss, "/v1/promises/nobody-s/rejudgements")).status_code == 404
    assert (await ask(boss, version=1, reason="")).status_code == 422
    assert (await boss.get(f"{PATH}/{ANA}")).status_code == 404
    found = await done(boss, await ask(boss, version=1))
    assert (await boss.get(f"/v1/promises/other/rejudgements/{found['id']}")).status_code == 404
