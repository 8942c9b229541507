"""Company systems that say how often they are heard from: heard, silent, heard again; and what markers carry of it."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Relay
from services.journey import api
from services.journey.documents.sources import Standing, UnreadableHeartbeatError, heartbeat_of, news
from services.journey.domain import customer_key
from services.journey.records import ACTS, JOURNEY
from services.journey.settings import JourneySettings
from services.journey.store import documents
from tests.driving import NOON, rows, touchpoint
from tests.journey.conftest import LANES, Raw
from tests.serving import bearer, in_front_of, said, trusting

MINUTE = timedelta(minutes=1)
TICK = touchpoint("t", "makegood.tick", source="makegood/journey")
TEXT = "2026-03-01T12:{:02}:00.000Z"


def document(source: str = "shop", heartbeat: str = "10 minutes", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "makegood/v1", "kind": "Source", "metadata": {"name": source.replace("/", "-")},
        "spec": {"source": source, "heartbeat": heartbeat} | spec,
    }  # fmt: skip


def beat(number: int, source: str = "shop") -> bytes:
    """A heartbeat, which needs neither a subject nor a time."""
    return orjson.dumps({"specversion": "1.0", "id": f"beat{number}", "source": source, "type": "source.heartbeat"})


async def publish(engine: AsyncEngine, **spec: Any) -> None:
    found = document(**spec)
    await documents.publish_source(engine, found["spec"]["source"], orjson.dumps(found), "ana", NOON)


def marked(lane: Raw) -> list[dict[str, str] | None]:
    """What the last markers of a lane say of sources."""
    markers = [orjson.loads(each.value)["data"] for each in lane.wire.sent if each.topic == JOURNEY and each.key is None]
    return [each.get("sources") for each in markers]


@pytest.fixture
async def lanes(raw: Callable[..., Raw], engine: AsyncEngine) -> list[Raw]:
    """Every raw lane; the first is the herald."""
    await publish(engine)
    return [await raw(partition).start() for partition in range(LANES)]


async def pass_time(lanes: list[Raw], minute: int, *skipped: int) -> None:
    """Tick every lane, the herald last, as they save where they stand."""
    for lane in reversed(lanes):
        if lane.partition not in skipped:
            lane.add(TICK, arrival=NOON + minute * MINUTE)
            await lane.deliver()
            await lane.save()


async def told(lane: Raw) -> list[tuple[str, str, str]]:
    journal = [each for each in await lane.journal() if each["type"] in {"makegood.source.silent", "makegood.source.returned"}]
    assert all(each["customer"] == str(customer_key(f"source:{each['data']['source']}")) for each in journal)
    return [(each["type"].rpartition(".")[2], each["data"]["since"], each["data"]["last"]) for each in journal]


async def test_a_heartbeat_is_about_nobody_is_accounted_for_and_its_arrival_counts_for_its_source(lanes: list[Raw]) -> None:
    lane = lanes[1]
    lane.add(beat(1), arrival=NOON + MINUTE)
    await lane.deliver()
    await lane.vouch()
    assert lane.counts() == {"ignored": 1}
    assert await rows(lane.engine, "quarantine") == []
    assert {each["type"] for each in await lane.journal()} == {"makegood.source.unheard"}
    assert marked(lane) == [{"shop": TEXT.format(1)}] * 2


async def test_markers_carry_declared_sources_that_were_heard_and_nothing_where_none_is(lanes: list[Raw], raw: Callable[..., Raw]) -> None:
    lane = lanes[1]
    await lane.vouch()
    lane.add(touchpoint("e1", subject="crm:1", source="till"))
    await lane.deliver()
    await lane.vouch()
    assert marked(lane) == [None] * 2
    await publish(lane.engine, source="till")
    lane.add(touchpoint("e2", subject="crm:1", source="till"), arrival=NOON + MINUTE)
    lane.add(touchpoint("e2", subject="crm:1", source="till"), arrival=NOON + 2 * MINUTE)
    lane.add(touchpoint("e3", subject="crm:1", source="kiosk"), arrival=NOON + 3 * MINUTE)
    await lane.deliver()
    await lane.vouch()
    assert marked(lane)[2:] == [{"till": TEXT.format(2)}] * 2


async def unheard(lane: Raw) -> list[tuple[int, str | None, str]]:
    """For how long which partition was told that the lane did not hear its source."""
    journal = await rows(lane.engine, "journal", "partition, body")
    found = [(partition, orjson.loads(body)) for partition, body in journal]
    missed = [(partition, each["data"]) for partition, each in found if each["type"] == "makegood.source.unheard"]
    return sorted((partition, data["since"] or "", data["until"]) for partition, data in missed if data["lane"] == lane.lane.progress.lane)


@pytest.mark.parametrize("batch", [1, 9])
async def test_every_partition_is_told_between_which_arrivals_a_lane_did_not_hear_a_source(lanes: list[Raw], batch: int) -> None:
    """Breaks if what is known of a silence hung on where a batch of the lane ends, or on a marker that was never sent."""
    lane = lanes[1]
    for number, minute in enumerate((0, 9, 20, 30, 45)):
        lane.add(beat(number), arrival=NOON + minute * MINUTE)
    while lane.ahead(1):
        await lane.deliver(batch)
    gaps = [("", TEXT.format(0)), (TEXT.format(9), TEXT.format(20)), (TEXT.format(30), TEXT.format(45))]
    assert await unheard(lane) == [(partition, *gap) for partition in (0, 1) for gap in gaps]


async def test_of_recovery_only_heartbeats_count_and_time_that_jumps_makes_no_silence(raw: Callable[..., Raw], engine: AsyncEngine) -> None:
    """Breaks if an act of one of its lanes passed for a sign that nothing waits in the others."""
    await publish(engine, source="makegood/recovery", heartbeat="30 seconds")
    lane = await raw(0, ACTS).start()
    act = touchpoint("a", "recovery.case.owned", source="makegood/recovery", subject="crm:1")
    lane.add(act, arrival=NOON)
    lane.add(beat(1, "makegood/recovery"), arrival=NOON + MINUTE)
    lane.add(beat(2, "makegood/recovery"), arrival=NOON + 20 * MINUTE)
    lane.add(touchpoint("b", "recovery.case.owned", source="makegood/recovery", subject="crm:1"), arrival=NOON + 40 * MINUTE)
    await lane.deliver()
    assert await unheard(lane) == [(partition, "", TEXT.format(1)) for partition in (0, 1)]
    assert lane.lane.progress.state["sources"] == {"makegood/recovery": TEXT.format(20)}


async def test_what_was_heard_of_a_source_outlives_the_process(lanes: list[Raw]) -> None:
    """Breaks if a restart made a source that is alive appear never to have been heard."""
    lane = lanes[1]
    lane.add(beat(1))
    await lane.deliver()
    await lane.start()
    await lane.vouch()
    assert marked(lane) == [{"shop": TEXT.format(0)}] * 2


async def test_records_that_cannot_be_read_do_not_show_that_their_source_is_heard(lanes: list[Raw]) -> None:
    """Breaks if a source that sends only rubbish, which nobody reads, were taken to be telling us what happens."""
    lane = lanes[1]
    lane.add(touchpoint("bad", subject="crm:1", time=None))
    await lane.deliver()
    await lane.vouch()
    assert marked(lane) == [None] * 2


async def test_silence_and_return_are_said_once_each_when_every_lane_has_come_that_far(lanes: list[Raw]) -> None:
    herald, second, _ = lanes
    second.add(beat(1), arrival=NOON)
    await second.deliver()
    await pass_time(lanes, 10)
    await pass_time(lanes, 12, 2)
    assert await told(herald) == []
    await pass_time(lanes, 13)
    await pass_time(lanes, 20)
    assert await told(herald) == [("silent", TEXT.format(10), TEXT.format(0))]
    second.add(touchpoint("e", subject="crm:1"), arrival=NOON + 25 * MINUTE)
    await second.deliver()
    await pass_time(lanes, 26)
    await pass_time(lanes, 50)
    assert (await told(herald))[1:] == [("returned", TEXT.format(25), TEXT.format(25)), ("silent", TEXT.format(35), TEXT.format(25))]
    ids = [each["id"] for each in await herald.journal()]
    assert len(set(ids)) == len(ids)


async def test_a_herald_that_dies_says_the_same_and_not_twice(lanes: list[Raw]) -> None:
    herald, second, third = lanes
    second.add(beat(1), arrival=NOON)
    await second.deliver()
    await pass_time([second, third], 30)
    herald.add(touchpoint("e", subject="crm:1", source="till"), arrival=NOON + 30 * MINUTE)
    for point in ("before-commit", "after-commit", "after-publish"):
        await herald.crash(point, 1)
    await herald.deliver()
    assert await told(herald) == [("silent", TEXT.format(10), TEXT.format(0))]
    silent = {each.headers[1] for each in herald.wire.sent if each.topic == JOURNEY and b"makegood.source.silent" in each.value}
    assert len(silent) == 1


async def test_working_time_and_sources_never_heard_are_not_judged_here(lanes: list[Raw]) -> None:
    await publish(lanes[0].engine, source="branch", heartbeat="2 business hours", calendar="branch-hours")
    lanes[1].add(beat(1, "branch"))
    await lanes[1].deliver()
    await pass_time(lanes, 50)
    assert await told(lanes[0]) == []


@pytest.fixture
async def manager(settings: JourneySettings, engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    own = trusting(settings, tmp_path)
    async with in_front_of(api.build(own, engine, Relay(own)), bearer(tmp_path, "manager")) as client:
        yield client


async def test_sources_are_listed_as_they_stand(lanes: list[Raw], manager: httpx2.AsyncClient) -> None:
    await publish(lanes[0].engine, source="till")
    await publish(lanes[0].engine, source="branch", heartbeat="2 business hours", calendar="branch-hours", types=["visit.*"])

    async def listed() -> dict[str, tuple[Any, ...]]:
        found = (await manager.get("/v1/sources")).json()["items"]
        return {each["source"]: (each["state"], each["last"], each["since"]) for each in found}

    lanes[1].add(beat(1))
    await lanes[1].deliver()
    await pass_time(lanes, 5)
    noon = "2026-03-01T12:{:02}:00Z"
    unjudged = {"till": ("unheard", None, None), "branch": ("unjudged", None, None)}
    assert await listed() == unjudged | {"shop": ("heard", noon.format(0), None)}
    await pass_time(lanes, 20)
    assert await listed() == unjudged | {"shop": ("silent", noon.format(0), noon.format(10))}
    lanes[2].add(beat(2), arrival=NOON + 21 * MINUTE)
    await lanes[2].deliver()
    await pass_time(lanes, 22)
    assert await listed() == unjudged | {"shop": ("heard", noon.format(21), noon.format(21))}
    (branch,) = [each for each in (await manager.get("/v1/sources")).json()["items"] if each["source"] == "branch"]
    assert {name: branch[name] for name in ("name", "version", "heartbeat", "calendar", "types")} == {
        "name": "branch", "version": 1, "heartbeat": "2 business hours", "calendar": "branch-hours", "types": ["visit.*"],
    }  # fmt: skip


async def test_a_source_is_versioned_and_the_same_document_again_is_the_same_version(manager: httpx2.AsyncClient) -> None:
    made = [document(), document(), document(heartbeat="PT5M")]
    answers = [await manager.post("/v1/sources", json=each) for each in made]
    assert [(each.status_code, each.json()) for each in answers] == [
        (201, {"source": "shop", "version": 1}), (201, {"source": "shop", "version": 1}), (201, {"source": "shop", "version": 2}),
    ]  # fmt: skip


async def test_only_a_trusted_source_may_leave_its_heartbeat_out(manager: httpx2.AsyncClient) -> None:
    plain = document()
    del plain["spec"]["heartbeat"]
    refused = await manager.post("/v1/sources", json=plain)
    assert (refused.status_code, "trusted: true" in refused.text) == (422, True)
    plain["spec"]["trusted"] = True
    assert (await manager.post("/v1/sources", json=plain)).status_code == 201
    ((source,),) = [(await manager.get("/v1/sources")).json().values()]
    assert [(each["heartbeat"], each["state"]) for each in source] == [(None, "unheard")]


WRONG = ["", "soon", "0 minutes", "-5 minutes", "10", "P", "PT", "P1M", "1 month", "2 business hours", "1 fortnight", "9999999 weeks"]


@pytest.mark.parametrize("heartbeat", WRONG)
async def test_a_heartbeat_that_says_nothing_is_refused_with_what_would_be_right(manager: httpx2.AsyncClient, heartbeat: str) -> None:
    answer = await manager.post("/v1/sources", json=document(heartbeat=heartbeat))
    assert answer.status_code == 422
    assert said(answer)["errors"][0]["pointer"].startswith("/spec")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90 seconds", 90),
        ("1.5 hours", 5400),
        ("1 day", 86_400),
        ("2 weeks", 1_209_600),
        ("PT90S", 90),
        ("P1DT2H", 93_600),
        ("P1W", 604_800),
    ],
)
def test_heartbeats_read_as_durations_do(text: str, seconds: int) -> None:
    assert heartbeat_of({"heartbeat": text}) == timedelta(seconds=seconds)


def test_a_heartbeat_beside_a_calendar_is_working_time() -> None:
    assert heartbeat_of({"heartbeat": "10 minutes", "calendar": "c"}) is None
    with pytest.raises(UnreadableHeartbeatError):
        heartbeat_of({"heartbeat": "2 business hours"})


moments = some.integers(0, 60).map(lambda minute: NOON + minute * MINUTE)


@given(arrivals=some.lists(moments, max_size=6), barriers=some.lists(moments, max_size=12))
def test_a_source_falls_silent_and_returns_in_turns_and_what_stands_is_so(arrivals: list[datetime], barriers: list[datetime]) -> None:
    """Breaks if silence were said twice, or a source that has returned stayed silent."""
    heartbeat, said_last = 10 * MINUTE, dict[str, Standing]()
    before: Standing | None = None
    for barrier in sorted(barriers):
        last = {"shop": max(each for each in arrivals if each <= barrier)} if any(each <= barrier for each in arrivals) else {}
        for source, standing in news({"shop": heartbeat}, last, said_last, barrier):
            assert standing.silent != (before is not None and before.silent)
            said_last[source] = before = standing
        silent = bool(last) and last["shop"] + heartbeat < barrier
        assert (before is not None and before.silent) == silent
