"""What was published can be retired: event types name nobody any more, sources hold nothing, and publishing takes it back."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Relay
from services.journey import api
from services.journey.domain import customer_key
from services.journey.settings import JourneySettings
from services.journey.store import documents
from tests.driving import NOON, rows, touchpoint
from tests.journey.conftest import LANES, ORDER, PARTITIONS, Raw, declare
from tests.journey.test_sources import beat, document, marked, pass_time, publish, told
from tests.serving import bearer, in_front_of

MINUTE = timedelta(minutes=1)
ANA = str(customer_key("email:ana@example.org"))


@pytest.fixture
async def client(own: JourneySettings, engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(api.build(own, engine, Relay(own)), bearer(tmp_path, "operations")) as client:
        yield client


def order(id_: str, subject: str) -> bytes:
    return touchpoint(id_, "order.seen", subject=subject, data={"email": "ana@example.org"})


async def whose(lane: Raw) -> dict[str, str]:
    """Whose each touchpoint is, by its id."""
    return {each["id"]: each["customer"] for each in await lane.journal() if not each.get("evidenceonly")}


async def test_the_fields_of_a_retired_event_type_name_nobody_in_what_comes_after(
    raw: Callable[..., Raw], engine: AsyncEngine, client: httpx2.AsyncClient
) -> None:
    """Breaks if a retired document were read, or what had been attributed by it were taken back."""
    lane = await raw().start()
    await declare(engine, "order.seen", ORDER)
    lane.add(order("first", "parcel:1"))
    await lane.deliver()
    assert (await client.put("/v1/event-types/retirement", json={"type": "order.seen"})).status_code == 204
    lane.add(order("second", "parcel:2"))
    await lane.deliver()
    await declare(engine, "order.seen", ORDER)
    lane.add(order("third", "parcel:3"))
    await lane.deliver()
    found = await whose(lane)
    assert (found["second"], found["third"]) == (str(customer_key("parcel:2")), found["first"])


async def test_what_a_retired_event_type_called_a_thing_never_becomes_a_person(
    raw: Callable[..., Raw], engine: AsyncEngine, client: httpx2.AsyncClient
) -> None:
    """Breaks if two who share an order were one person as soon as the document that calls it a thing is retired."""
    await declare(engine, "order.seen", ORDER)
    await client.put("/v1/event-types/retirement", json={"type": "order.seen"})
    lane = await raw().start()
    lane.add(touchpoint("e1", "call.made", subject="order:o1"))
    await lane.deliver()
    assert await rows(engine, "customers", "key, provisional") == [(customer_key("order:o1"), True)]


@pytest.mark.parametrize(
    ("path", "body"),
    [("event-types/retirement", {"type": "none"}), ("sources/retirement", {"source": "none"}), ("feeds/none/retirement", None)],
)
async def test_what_was_never_published_cannot_be_retired(client: httpx2.AsyncClient, path: str, body: dict[str, str] | None) -> None:
    assert (await client.put(f"/v1/{path}", json=body)).status_code == 404


async def test_retired_twice_is_retired_once_and_what_is_in_force_is_listed(client: httpx2.AsyncClient, engine: AsyncEngine) -> None:
    await declare(engine, "order.seen", ORDER)
    await declare(engine, "order.placed", ORDER)
    for _ in range(2):
        assert (await client.put("/v1/event-types/retirement", json={"type": "order.seen"})).status_code == 204
    listed = (await client.get("/v1/event-types")).json()["items"]
    assert [(each["type"], each["version"], each["document"]["spec"]["identifiers"]) for each in listed] == [("order.placed", 1, ORDER)]
    assert await documents.publish_event_type(engine, "order.seen", b'{"spec":{"type":"order.seen"}}', "ana", NOON) == 3


@pytest.fixture
async def lanes(raw: Callable[..., Raw], engine: AsyncEngine) -> list[Raw]:
    """Every raw lane, the herald first; `shop` is declared, and heard in the second."""
    await publish(engine)
    found = [await raw(partition).start() for partition in range(LANES)]
    found[1].add(beat(1), arrival=NOON)
    await found[1].deliver()
    await pass_time(found, 5)
    return found


async def let_go(lane: Raw) -> list[tuple[str, str]]:
    """What was said of retired sources, and at which arrival."""
    journal = [each for each in await lane.journal() if each["type"] == "makegood.source.retired"]
    return [(each["data"]["source"], each["recordedtime"]) for each in journal]


async def test_every_partition_is_told_once_that_a_source_is_retired_and_markers_speak_of_it_no_more(
    lanes: list[Raw], client: httpx2.AsyncClient
) -> None:
    """Breaks if what waits for it in a quiet partition went on waiting, or silence were said of what nobody waits for."""
    assert (await client.put("/v1/sources/retirement", json={"source": "shop"})).status_code == 204
    for minute in (6, 7, 30):
        await pass_time(lanes, minute)
    assert await let_go(lanes[0]) == [("shop", "2026-03-01T12:06:00.000Z")] * PARTITIONS
    assert await told(lanes[0]) == []
    lanes[1].add(touchpoint("e", subject="crm:1"), arrival=NOON + 31 * MINUTE)
    await lanes[1].deliver()
    await lanes[1].vouch()
    assert marked(lanes[1])[-1] is None
    assert (await client.get("/v1/sources")).json()["items"] == []


async def test_declared_again_a_source_is_as_if_never_heard(lanes: list[Raw], client: httpx2.AsyncClient) -> None:
    """Breaks if the time in which nobody waited for it passed for silence."""
    await client.put("/v1/sources/retirement", json={"source": "shop"})
    await pass_time(lanes, 20)
    assert (await client.post("/v1/sources", json=document())).status_code == 201
    await pass_time(lanes, 40)
    assert await told(lanes[0]) == []
    lanes[1].add(beat(2), arrival=NOON + 41 * MINUTE)
    await lanes[1].deliver()
    await pass_time(lanes, 60)
    assert await told(lanes[0]) == [("silent", "2026-03-01T12:51:00.000Z", "2026-03-01T12:41:00.000Z")]


async def test_a_retired_source_may_not_say_who_is_whom(raw: Callable[..., Raw], engine: AsyncEngine, client: httpx2.AsyncClient) -> None:
    await publish(engine, source="desk", trusted=True)
    await client.put("/v1/sources/retirement", json={"source": "desk"})
    lane = await raw().start()
    said: dict[str, Any] = {"subject": "crm:1", "data": {"identifiers": ["crm:2"]}}
    lane.add(touchpoint("s", "customer.merged", source="desk", **said))
    await lane.deliver()
    assert lane.counts() == {"quarantined": 1}


async def test_a_retired_feed_is_listed_and_followed_no_more_and_goes_on_when_published_again(
    client: httpx2.AsyncClient, engine: AsyncEngine
) -> None:
    spec = {"source": "shop", "from": {"kafka": {"topic": "orders"}}, "type": {"value": "order.placed"}, "subject": {"path": "record.id"}}
    feed = {"apiVersion": "makegood/v1", "kind": "Feed", "metadata": {"name": "orders"}, "spec": spec}
    assert await documents.publish_feed(engine, "orders", orjson.dumps(feed), "ana", NOON) == 1
    assert [each[0] for each in await documents.published_feeds(engine)] == ["orders"]
    assert (await client.put("/v1/feeds/orders/retirement")).status_code == 204
    assert await documents.published_feeds(engine) == []
    assert await documents.publish_feed(engine, "orders", orjson.dumps(feed), "ana", NOON) == 3


async def test_who_published_and_who_retired_what_and_when_is_kept_and_told_page_by_page(
    own: JourneySettings, engine: AsyncEngine, tmp_path: Path
) -> None:
    """Breaks if a document that decides whom events are about could be changed without its being known by whom."""
    began = datetime.now(UTC)
    spec = {"source": "shop", "from": {"kafka": {"topic": "orders"}}, "type": {"value": "order.placed"}, "subject": {"path": "record.id"}}
    feed = {"apiVersion": "makegood/v1", "kind": "Feed", "metadata": {"name": "orders"}, "spec": spec}
    type_ = {"apiVersion": "makegood/v1", "kind": "EventType", "metadata": {"name": "seen"}, "spec": {"type": "order.seen"}}
    app = api.build(own, engine, Relay(own))
    async with in_front_of(app, bearer(tmp_path, "manager", subject="maria")) as maria:
        for path, sent in (("event-types", type_), ("sources", document()), ("feeds", feed), ("feeds", feed)):
            assert (await maria.post(f"/v1/{path}", json=sent)).status_code == 201
    async with in_front_of(app, bearer(tmp_path, "operations", subject="olga")) as olga:
        for path, body in (("event-types", {"type": "order.seen"}), ("sources", {"source": "shop"}), ("feeds/orders", None)):
            assert (await olga.put(f"/v1/{path}/retirement", json=body)).status_code == 204
        found, query = list[dict[str, Any]](), {"limit": "2"}
        while True:
            page = (await olga.get("/v1/publications", params=query)).json()
            found += page["items"]
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
        of_one = (await olga.get("/v1/publications", params={"kind": "source", "name": "shop"})).json()["items"]
    told = [(each["kind"], each["name"], each["version"], each["retired"], each["by"]) for each in found]
    assert told == [
        ("feed", "orders", 2, True, "olga"), ("source", "shop", 2, True, "olga"), ("event-type", "order.seen", 2, True, "olga"),
        ("feed", "orders", 1, False, "maria"), ("source", "shop", 1, False, "maria"), ("event-type", "order.seen", 1, False, "maria"),
    ]  # fmt: skip
    assert [each["by"] for each in of_one] == ["olga", "maria"]
    assert all(began <= datetime.fromisoformat(each["at"]) <= datetime.now(UTC) for each in found)
