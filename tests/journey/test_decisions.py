"""Who may be one person is put before a person; what they say goes through the log, and stays with who said it and why."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Relay
from services.journey import api
from services.journey.domain import customer_key
from services.journey.records import TOUCHPOINTS
from services.journey.settings import JourneySettings
from tests.driving import NOON, Raw, reading, touchpoint
from tests.journey.conftest import ORDER, declare
from tests.journey.identities import after, evidence, say, trust
from tests.serving import bearer, in_front_of, said, trusting

ANA, BOB, CARD = (str(customer_key(each)) for each in ("crm:ana", "crm:bob", "card:1"))


@pytest.fixture
async def app(
    settings: JourneySettings, kafka: str, engine: AsyncEngine, tmp_path: Path, topics: Callable[..., Awaitable[None]]
) -> AsyncIterator[FastAPI]:
    await topics("replay")
    own = trusting(settings, tmp_path).model_copy(update={"kafka": kafka})
    relay = Relay(own)
    yield api.build(own, engine, relay)
    await relay.close()


@pytest.fixture
async def lead(app: FastAPI, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(app, bearer(tmp_path, "lead", subject="lea")) as client:
        yield client


@pytest.fixture
async def lane(raw: Callable[..., Raw], engine: AsyncEngine) -> Raw:
    await declare(engine, "order.seen", ORDER)
    await trust(engine)
    return await raw().start()


async def two_who_share_an_order(lane: Raw) -> None:
    lane.add(touchpoint("e1", "order.seen", subject="crm:ana", data={"order": "o1"}))
    lane.add(touchpoint("b1", subject="crm:bob"))
    lane.add(touchpoint("e2", "order.seen", subject="crm:bob", data={"order": "o1"}))
    await lane.deliver()


async def decide(lead: httpx2.AsyncClient, *, same: bool, key: str = "k", customers: tuple[str, ...] = (ANA, BOB)) -> httpx2.Response:
    verdict = {"customers": list(customers), "same": same, "reason": "the same passport"}
    return await lead.post("/v1/identity/decisions", json=verdict, headers={"idempotency-key": key})


async def take_in(lane: Raw, kafka: str) -> None:
    """Deliver what the log was told, as Kafka holds it."""
    async with reading(kafka, TOUCHPOINTS) as records:
        for each in (await records())[sum(b"decision:" in (record.value or b"") for record in lane.log) :]:
            lane.add(each.value)
    await lane.deliver()


async def waiting(lead: httpx2.AsyncClient, query: str = "?decided=false") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await lead.get(f"/v1/identity/conflicts{query}")).json()["items"]
    return items


async def test_a_conflict_waits_with_the_event_that_shows_it_until_somebody_decides(
    lane: Raw, lead: httpx2.AsyncClient, kafka: str
) -> None:
    await two_who_share_an_order(lane)
    (conflict,) = await waiting(lead)
    assert {each["key"]: each["identifiers"] for each in conflict["customers"]} == {BOB: ["crm:bob"], ANA: ["crm:ana", "order:o1"]}
    assert (conflict["id"], conflict["type"], conflict["decided"]) == ("e2", "order.seen", None)
    assert (await decide(lead, same=True)).status_code == 202
    await take_in(lane, kafka)
    assert await waiting(lead) == []
    assert [each["decided"] for each in await waiting(lead, "?decided=true")] == ["same"]
    found = await evidence(lane.engine)
    assert found[ANA] == found[BOB] >= {"e1", "b1", "e2"}


async def test_who_decided_what_and_why_is_seen_of_either_customer(lane: Raw, lead: httpx2.AsyncClient, kafka: str) -> None:
    await two_who_share_an_order(lane)
    (id_,) = (await decide(lead, same=False)).json()["events"]
    await take_in(lane, kafka)
    for one, other in ((ANA, BOB), (BOB, ANA)):
        identity = (await lead.get(f"/v1/customers/{one}/identity")).json()
        assert ([each["key"] for each in identity["keys"]], identity["apart"]) == ([one], [other])
        (statement,) = identity["statements"]
        assert (statement["id"], statement["by"], statement["reason"]) == (id_, "lea", "the same passport")
        assert (statement["same"], statement["in_force"], statement["source"]) == (False, True, "makegood/journey")


async def test_the_same_request_again_is_the_same_decision(lane: Raw, lead: httpx2.AsyncClient, kafka: str) -> None:
    await two_who_share_an_order(lane)
    first, again = await decide(lead, same=True), await decide(lead, same=True)
    assert first.json() == again.json()
    await take_in(lane, kafka)
    assert len((await lead.get(f"/v1/customers/{ANA}/identity")).json()["statements"]) == 1


async def test_that_they_are_one_person_takes_back_what_was_said_against_it_and_can_itself_be_taken_back(
    lane: Raw, lead: httpx2.AsyncClient, kafka: str
) -> None:
    """Breaks if a conflict between a link and its contrary could not be decided for the link."""
    for value in (
        touchpoint("a1", subject="crm:ana"), touchpoint("b1", subject="crm:bob"), say("l1", "linked", "crm:ana", "card:1", time=after(1)),
        say("u", "unmerged", "crm:bob", "crm:ana", time=after(2)), say("l2", "linked", "crm:bob", "card:1", time=after(3)),
    ):  # fmt: skip
        lane.add(value)
    await lane.deliver()
    (conflict,) = await waiting(lead)
    customers = tuple(each["key"] for each in conflict["customers"])
    assert set(customers) == {BOB, CARD}
    assert (await decide(lead, same=True, customers=customers)).status_code == 202
    await take_in(lane, kafka)
    assert (await evidence(lane.engine))[BOB] >= {"a1", "b1"}
    assert await waiting(lead) == []
    identity = (await lead.get(f"/v1/customers/{CARD}/identity")).json()
    assert {each["key"] for each in identity["keys"]} == {ANA, BOB, CARD}
    lane.add(touchpoint("later", subject="crm:ana"), arrival=NOON.replace(hour=13))
    await lane.deliver()
    assert (await decide(lead, same=False, key="k2", customers=customers)).status_code == 202
    await take_in(lane, kafka)
    ((customer, other),) = [tuple(one["key"] for one in each["customers"]) for each in await waiting(lead)]
    assert {customer, other} == {ANA, BOB}, "the way from one to the other that is left is put before somebody"


async def test_nobody_is_decided_about_who_is_not_there(lead: httpx2.AsyncClient, lane: Raw) -> None:
    assert said(await decide(lead, same=True))["status"] == 404
    assert said(await lead.get(f"/v1/customers/{ANA}/identity"))["status"] == 404
    assert said(await decide(lead, same=True, customers=(ANA, ANA)))["status"] == 422


async def test_conflicts_come_in_pages_that_miss_and_repeat_nothing(lane: Raw, lead: httpx2.AsyncClient) -> None:
    for number in range(5):
        lane.add(touchpoint(f"p{number}", subject=f"crm:{number}"))
    lane.add(touchpoint("own", "order.seen", subject="crm:ana", data={"order": "o1"}))
    for number in range(5):
        lane.add(touchpoint(f"e{number}", "order.seen", subject=f"crm:{number}", data={"order": "o1"}))
    await lane.deliver()
    found, cursor = [], ""
    for _ in range(4):
        page = (await lead.get(f"/v1/identity/conflicts?limit=2{cursor}")).json()
        found += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert sorted(each["id"] for each in found) == [f"e{number}" for number in range(5)]


async def test_only_those_who_answer_for_it_decide(app: FastAPI, tmp_path: Path) -> None:
    for role, status in (("agent", 403), ("customer", 403), ("system", 403), ("manager", 404), ("operations", 404)):
        async with in_front_of(app, bearer(tmp_path, role)) as client:
            assert (await decide(client, same=True)).status_code == status


async def test_over_http_an_untrusted_source_hears_at_once_that_it_is_not_heard(app: FastAPI, tmp_path: Path, lane: Raw) -> None:
    cloudevent = {"content-type": "application/cloudevents+json"}
    async with in_front_of(app, bearer(tmp_path, "system")) as system:
        for source, status in (("company/crm", 202), ("shop", 422), ("makegood/journey", 422)):
            content = say("l", "linked", "crm:ana", "card:1", source=source)
            answer = await system.post("/v1/touchpoints", content=content, headers=cloudevent)
            assert answer.status_code == status, orjson.loads(answer.content)
