"""What operators do about a refused record: rehearsed first, done once, audited, and told to whoever was held for it."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Relay
from services.journey import api
from services.journey.domain import customer_key
from services.journey.records import JOURNEY
from services.journey.settings import JourneySettings
from tests.driving import NOON, read_once, rows, touchpoint
from tests.journey.conftest import ORDER, PARTITIONS, TABLES, Raw, declare
from tests.serving import bearer, in_front_of, said, trusting

ANA, THING = str(customer_key("crm:ana")), str(customer_key("order:o1"))
HOUR = timedelta(hours=1)
BAD = touchpoint("e1", subject="crm:ana", time=None, data={"total": 7})
RIGHT: dict[str, Any] = orjson.loads(BAD) | {"time": NOON.isoformat()}
AT = "/v1/quarantine/touchpoints/0"


@pytest.fixture
async def app(settings: JourneySettings, engine: AsyncEngine, tmp_path: Path) -> FastAPI:
    async with engine.begin() as connection:
        await connection.execute(text(f"INSERT INTO topology (topic, partitions) VALUES ('{JOURNEY}', {PARTITIONS})"))
    own = trusting(settings, tmp_path)
    return api.build(own, engine, Relay(own))


@pytest.fixture
async def operator(app: FastAPI, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(app, bearer(tmp_path, "operations")) as client:
        yield client


@pytest.fixture
async def lane(raw: Callable[..., Raw], engine: AsyncEngine) -> Raw:
    await declare(engine, "order.seen", ORDER)
    return await raw().start()


async def refused(lane: Raw, value: bytes = BAD) -> None:
    """One refused record at offset 0, and an hour of other people's events after it."""
    lane.add(value)
    lane.add(touchpoint("other", subject="crm:bob"), arrival=NOON + HOUR)
    await lane.deliver()


async def everything(engine: AsyncEngine) -> list[list[tuple[Any, ...]]]:
    return [await rows(engine, table) for table in (*TABLES, "identity_epoch")]


async def of_ana(lane: Raw) -> list[dict[str, Any]]:
    return [each for each in await lane.journal() if each["customer"] == ANA]


async def test_a_released_record_takes_its_place_with_its_own_arrival_and_the_hold_ends_behind_it(
    lane: Raw, operator: httpx2.AsyncClient
) -> None:
    """Breaks if the hold ended before the evidence is there, or the lane's owner missed what was done beside it."""
    await refused(lane)
    answer = await operator.post(f"{AT}/0/release", json={"event": RIGHT})
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in ("outcome", "customers", "unheld", "by")} == {
        "outcome": "applied", "customers": [ANA], "unheld": [ANA], "by": "ana",
    }  # fmt: skip
    await lane.save()
    lane.add(touchpoint("after", subject="crm:ana"), arrival=NOON + HOUR)
    await lane.deliver()
    held, event, unheld, after = await of_ana(lane)
    assert [each["id"] for each in (held, event, unheld, after)] == ["touchpoints/0/0:held", "e1", "touchpoints/0/0:unheld", "after"]
    assert (event["recordedtime"], event["releasedtime"]) == ("2026-03-01T12:00:00.000Z", "2026-03-01T13:00:00.000Z")
    assert unheld["data"] == {
        "record": "touchpoints/0/0", "how": "released", "arrival": "2026-03-01T12:00:00.000Z", "until": "2026-03-01T13:00:00.000Z",
    }  # fmt: skip
    assert "releasedtime" not in after
    read = read_once(lane.wire.sent, JOURNEY)
    assert sum(map(len, read.values())) == 5
    assert [each["id"] for values in read.values() for each in map(orjson.loads, values) if each["customer"] == ANA][-1] == "after"


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(lane: Raw, operator: httpx2.AsyncClient) -> None:
    await refused(lane)
    before = await everything(lane.engine)
    for event, outcome in ((RIGHT, "applied"), (None, "refused"), (RIGHT | {"time": "2020-01-01T00:00:00Z"}, "refused")):
        answer = await operator.post(f"{AT}/0/release?dry_run=true", json=None if event is None else {"event": event})
        assert (answer.status_code, answer.json()["outcome"]) == (200, outcome)
    rehearsed = (await operator.post(f"{AT}/0/release?dry_run=true", json={"event": RIGHT})).json()
    assert (await operator.post(f"{AT}/0/dismiss?dry_run=true", json={"reason": "a test"})).json()["unheld"] == [ANA]
    assert await everything(lane.engine) == before
    assert (await operator.post(f"{AT}/0/release", json={"event": RIGHT})).json() == rehearsed


async def test_the_same_act_again_changes_nothing_and_the_other_act_is_refused(lane: Raw, operator: httpx2.AsyncClient) -> None:
    await refused(lane)
    await refused(lane, touchpoint("e2", subject="crm:ana", time=None))
    first = [
        await operator.post(f"{AT}/0/release", json={"event": RIGHT}),
        await operator.post(f"{AT}/2/dismiss", json={"reason": "a test of the till"}),
    ]
    after = await everything(lane.engine)
    again = [await operator.post(f"{AT}/0/release"), await operator.post(f"{AT}/2/dismiss", json={"reason": "again"})]
    assert [each.json() for each in again] == [each.json() for each in first]
    others = [await operator.post(f"{AT}/0/dismiss", json={"reason": "no"}), await operator.post(f"{AT}/2/release")]
    assert [each.status_code for each in others] == [409, 409]
    assert all(said(each)["detail"] for each in others)
    assert await everything(lane.engine) == after


async def test_who_did_what_and_when_is_kept(lane: Raw, operator: httpx2.AsyncClient) -> None:
    await refused(lane)
    await refused(lane, touchpoint("e2", subject="crm:ana", time=None))
    await operator.post(f"{AT}/0/release", json={"event": RIGHT})
    await operator.post(f"{AT}/2/dismiss", json={"reason": "a test of the till"})
    audited = await rows(lane.engine, "quarantine_acts", 'position, act, "by", at, reason, event')
    assert [each[:5] for each in audited] == [
        (0, "release", "ana", NOON + HOUR, None), (2, "dismiss", "ana", NOON + HOUR, "a test of the till"),
    ]  # fmt: skip
    assert orjson.loads(audited[0][5]) == RIGHT
    listed = {query: (await operator.get(f"/v1/quarantine{query}")).json()["items"] for query in ("", "?settled=true", "?settled=false")}
    assert [(each["act"], each["by"], each["why"], each["held"]) for each in listed[""]] == [
        ("release", "ana", None, [ANA]), ("dismiss", "ana", "a test of the till", [ANA]),
    ]  # fmt: skip
    assert (listed["?settled=true"], listed["?settled=false"]) == (listed[""], [])


async def test_a_record_whose_reason_has_gone_is_released_as_it_is(lane: Raw, operator: httpx2.AsyncClient) -> None:
    """Breaks if what was refused for a missing event type had to be sent again by hand."""
    await refused(lane, touchpoint("e1", "parcel.seen", data={"parcel": "p1"}))
    assert said(await operator.post(f"{AT}/0/release"))["status"] == 422
    await declare(lane.engine, "parcel.seen", {"parcel": {"path": "data.parcel", "of": "thing"}})
    answer = (await operator.post(f"{AT}/0/release")).json()
    assert (answer["outcome"], answer["customers"], answer["unheld"]) == ("applied", [str(customer_key("parcel:p1"))], [])


async def test_a_release_judges_the_event_by_its_first_arrival(lane: Raw, operator: httpx2.AsyncClient) -> None:
    """Breaks if what lay in quarantine for a month were too old for having lain there."""
    late = (NOON - timedelta(days=29)).isoformat()
    lane.add(BAD)
    lane.add(touchpoint("other", subject="crm:bob", time=None), arrival=NOON + timedelta(days=40))
    await lane.deliver()
    assert (await operator.post(f"{AT}/0/release", json={"event": RIGHT | {"time": late}})).json()["outcome"] == "applied"


async def test_what_came_again_in_the_meantime_is_not_doubled_and_nobody_is_held_any_longer(
    lane: Raw, operator: httpx2.AsyncClient
) -> None:
    await refused(lane)
    lane.add(orjson.dumps(RIGHT), arrival=NOON + HOUR)
    await lane.deliver()
    answer = (await operator.post(f"{AT}/0/release", json={"event": RIGHT})).json()
    assert (answer["outcome"], answer["customers"], answer["unheld"]) == ("duplicate", [], [ANA])
    assert [each["id"] for each in await of_ana(lane)] == ["touchpoints/0/0:held", "e1", "touchpoints/0/0:unheld"]


async def test_a_correction_is_of_the_same_event(lane: Raw, operator: httpx2.AsyncClient) -> None:
    """Breaks if somebody could put another event into the past under cover of a broken one."""
    await refused(lane)
    for change in ({"id": "e9"}, {"source": "till"}):
        answer = await operator.post(f"{AT}/0/release", json={"event": RIGHT | change})
        assert (answer.status_code, said(answer)["type"]) == (422, "urn:makegood:problem:another-event")
    await refused(lane, b'{"subject":"crm:ana",')
    assert (await operator.post(f"{AT}/2/release", json={"event": RIGHT | {"id": "e9"}})).status_code == 200


@pytest.mark.parametrize("event", [{}, {"specversion": "1.0"}, RIGHT | {"time": None}, RIGHT | {"type": "makegood.tick"}, {"id": "\ud800"}])
async def test_what_would_be_refused_again_stays_where_it_is(lane: Raw, operator: httpx2.AsyncClient, event: dict[str, Any]) -> None:
    await refused(lane)
    before = await everything(lane.engine)
    content = orjson.dumps({"event": event}) if event.get("id") != "\ud800" else b'{"event":{"id":"\\ud800"}}'
    answer = await operator.post(f"{AT}/0/release", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}
    assert said(answer)
    assert await everything(lane.engine) == before


async def test_whoever_has_become_the_same_person_is_no_longer_held_either(lane: Raw, operator: httpx2.AsyncClient) -> None:
    """Breaks if the person kept a hold that came to them with the order's events."""
    await refused(lane, touchpoint("e1", "order.seen", time=None, data={"order": "o1"}))
    for event in ({"id": "of-thing"}, {"id": "link", "subject": "crm:ana"}):
        lane.add(touchpoint(event["id"], "order.seen", subject=event.get("subject"), data={"order": "o1"}), arrival=NOON + HOUR)
        lane.add(touchpoint(f"{event['id']}-ana", subject="crm:ana"), arrival=NOON + HOUR)
    await lane.deliver()
    answer = (await operator.post(f"{AT}/0/dismiss", json={"reason": "sent again"})).json()
    assert set(answer["unheld"]) == {ANA, THING}
    told = [(each["customer"], each["type"].rpartition(".")[2]) for each in await lane.journal() if "held" in each["type"]]
    assert sorted(told) == sorted([(THING, "held"), (ANA, "held"), (THING, "unheld"), (ANA, "unheld")])


async def test_a_released_event_can_show_that_an_order_is_somebodys(lane: Raw, operator: httpx2.AsyncClient) -> None:
    """Breaks if a join, which needs the identity lock alone, could only happen in a batch."""
    await refused(lane, touchpoint("e1", "order.seen", subject="crm:ana", time=None, data={"order": "o1"}))
    lane.add(touchpoint("of-thing", "order.seen", data={"order": "o1"}), arrival=NOON + HOUR)
    lane.add(touchpoint("of-ana", subject="crm:ana"), arrival=NOON + HOUR)
    await lane.deliver()
    fixed = orjson.loads(touchpoint("e1", "order.seen", subject="crm:ana", data={"order": "o1"}))
    assert set((await operator.post(f"{AT}/0/release", json={"event": fixed})).json()["customers"]) == {ANA, THING}


async def test_acts_and_a_lane_that_moves_do_not_lose_each_other(lane: Raw, operator: httpx2.AsyncClient) -> None:
    """Breaks if an act wrote over a number that the lane had given away, or the other way round."""
    for number in range(6):
        lane.add(touchpoint(f"bad{number}", subject=f"crm:{number % 2}", time=None))
    await lane.deliver()
    for number in range(60):
        lane.add(touchpoint(f"e{number}", subject=f"crm:{number % 2}"), arrival=NOON + HOUR)

    async def work() -> None:
        while lane.lane.progress.position < len(lane.log):
            await lane.deliver(3)

    working = asyncio.create_task(work())
    answers = await asyncio.gather(*(operator.post(f"{AT}/{position}/dismiss", json={"reason": "rubbish"}) for position in range(6)))
    await working
    done = sum(each.status_code == 200 for each in answers)
    assert {each.status_code for each in answers} <= {200, 503}
    await lane.start()
    read = [orjson.loads(value)["type"] for values in read_once(lane.wire.sent, JOURNEY).values() for value in values]
    assert (len(read), read.count("makegood.journey.unheld")) == (66 + done, done)
    assert done > 0


async def test_a_record_is_looked_at_byte_for_byte(lane: Raw, operator: httpx2.AsyncClient) -> None:
    original = b'\xff\x00"not json'
    lane.add(original, key=b"\x01key", headers=[("content-type", b"application/cloudevents+json"), ("trace", b"\x00\xff")])
    await lane.deliver()
    seen = (await operator.get(f"{AT}/0")).json()
    assert (b64decode(seen["value_base64"]), b64decode(seen["key_base64"]), seen["text"]) == (original, b"\x01key", None)
    assert [(each["name"], b64decode(each["base64"])) for each in seen["headers"]][1] == ("trace", b"\x00\xff")
    assert (seen["reason"], seen["held"], seen["act"]) == ("not-utf-8", [], None)


async def test_where_nothing_was_refused_there_is_nothing_to_settle(lane: Raw, operator: httpx2.AsyncClient) -> None:
    """Breaks, too, if asking made a row of progress for a lane that does not exist."""
    await refused(lane)
    before = await everything(lane.engine)
    for path in (f"{AT}/1", "/v1/quarantine/acts/0/0", "/v1/quarantine/touchpoints/99/0"):
        answers = [
            await operator.get(path), await operator.post(f"{path}/release"), await operator.post(f"{path}/dismiss", json={"reason": "x"}),
        ]  # fmt: skip
        assert [each.status_code for each in answers] == [404] * 3
    assert (await operator.get("/v1/quarantine/promises/0/0")).status_code == 422
    assert await everything(lane.engine) == before


async def test_only_operations_settles_and_only_auditors_look_besides(app: FastAPI, lane: Raw, tmp_path: Path) -> None:
    await refused(lane)
    for roles, looking, settling in ((["auditor"], 200, 403), (["manager", "agent", "system"], 403, 403)):
        async with in_front_of(app, bearer(tmp_path, *roles)) as client:
            assert (await client.get(f"{AT}/0")).status_code == looking
            assert (await client.post(f"{AT}/0/dismiss", json={"reason": "x"})).status_code == settling
            assert (await client.post(f"{AT}/0/release")).status_code == settling
