"""History of any age comes in between a start and an end in every lane; meanwhile whom it is about is held."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import NotAcknowledgedError, Relay
from services.journey import api
from services.journey.backfills import ENDED, STARTED, brackets
from services.journey.domain import customer_key
from services.journey.settings import JourneySettings
from services.journey.store import backfills as store
from services.journey.store.backfills import Backfill
from tests.driving import NOON, as_owner, rows, touchpoint
from tests.journey.conftest import ORDER, Raw, declare
from tests.serving import bearer, in_front_of

ID = UUID(int=77)
ANA, BOB = str(customer_key("crm:ana")), str(customer_key("crm:bob"))
SECOND, LONG_AGO = timedelta(seconds=1), (NOON - timedelta(days=400)).isoformat()
RECORD = f"touchpoints/0/{ID}"


@pytest.fixture
async def lane(raw: Callable[..., Raw]) -> Raw:
    return await raw().start()


def bracket(type_: str) -> bytes:
    return brackets(type_, ID, "shop", NOON, 1, stamped=True)[0].value


def old(id_: str, subject: str = "crm:ana", **others: Any) -> bytes:
    return touchpoint(id_, **{"subject": subject, "time": LONG_AGO, "backfill": str(ID)} | others)


async def told(lane: Raw) -> list[tuple[str, str]]:
    """Of each customer, what was journalled: an event's id, or held and unheld with the record."""
    found = []
    for each in await lane.journal():
        kind = each["type"].rpartition(".")[2]
        found.append((each["customer"], each["data"]["record"] + " " + kind if kind in {"held", "unheld"} else each["id"]))
    return found


async def reasons(engine: AsyncEngine) -> list[str]:
    return [reason for (reason,) in await rows(engine, "quarantine", "reason")]


async def test_what_is_filled_in_holds_whom_it_is_about_until_the_end(lane: Raw, engine: AsyncEngine) -> None:
    """Breaks if a commitment could be called broken for want of what comes later in the same history."""
    lane.add(bracket(STARTED))
    for number, event in enumerate((old("a1"), old("b1", "crm:bob"), old("a2"), touchpoint("live", subject="crm:cy"))):
        lane.add(event, arrival=NOON + number * SECOND)
    lane.add(bracket(ENDED), arrival=NOON + 60 * SECOND)
    await lane.deliver()
    live = str(customer_key("crm:cy"))
    assert (await told(lane))[:6] == [
        (ANA, f"{RECORD} held"), (BOB, f"{RECORD} held"), (ANA, "a1"), (BOB, "b1"), (ANA, "a2"), (live, "live"),
    ]  # fmt: skip
    assert sorted((await told(lane))[6:]) == sorted([(ANA, f"{RECORD} unheld"), (BOB, f"{RECORD} unheld")])
    last = (await lane.journal())[-1]["data"]
    assert (last["how"], last["until"]) == ("complete", "2026-03-01T12:01:00.000Z")
    assert await reasons(engine) == []


async def test_whatever_the_batches_each_is_held_once_and_let_go_once(raw: Callable[..., Raw]) -> None:
    lane = await raw().start()
    for record in (bracket(STARTED), bracket(STARTED), old("a1"), old("a2"), old("a1"), bracket(ENDED), bracket(ENDED)):
        lane.add(record)
    while lane.ahead():
        await lane.deliver(count=1)
        await lane.start()
    assert await told(lane) == [(ANA, f"{RECORD} held"), (ANA, "a1"), (ANA, "a2"), (ANA, f"{RECORD} unheld")]
    assert lane.counts()["duplicate"] == 1


async def test_history_brought_in_again_is_known_though_repeats_of_that_age_are_not(lane: Raw, engine: AsyncEngine) -> None:
    """Breaks if a file that was half brought in, and taken up again after a night's retention, stood twice in everybody's history."""
    await declare(engine, "order.placed", ORDER)
    of_a_thing = touchpoint("b1", subject="order:o1", time=LONG_AGO, backfill=str(ID))
    both = touchpoint("c1", subject="card:9", time=LONG_AGO, backfill=str(ID), data={"email": "a@b.c", "order": "o1"})
    for record in (bracket(STARTED), old("a1"), of_a_thing, both):
        lane.add(record)
    await lane.deliver()
    async with as_owner(engine) as connection:
        assert (await connection.execute(text("DELETE FROM seen"))).rowcount == 3
    for record in (old("a1"), both, of_a_thing, old("a2"), bracket(ENDED)):
        lane.add(record)
    await lane.deliver()
    own = [each["id"] for each in await lane.journal() if "backfill" in each and not each.get("evidenceonly")]
    assert sorted(own) == ["a1", "a2", "b1", "c1"]
    assert lane.counts()["duplicate"] == 3


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([old("a1")], "no-such-backfill"),
        ([bracket(STARTED), old("a1", source="till")], "no-such-backfill"),
        ([bracket(STARTED), bracket(ENDED), old("a1")], "no-such-backfill"),
        ([bracket(STARTED), old("a1", backfill=None)], "too-old"),
        ([bracket(STARTED), old("a1", time="0001-01-01T00:00:00Z")], "too-old"),
        ([bracket(STARTED), old("a1", time=(NOON + timedelta(hours=1)).isoformat())], "future-dated"),
        ([bracket(STARTED).replace(b"makegood/journey", b"somebody"), old("a1")], "reserved-type"),
    ],
)
async def test_only_its_own_events_come_in_and_only_while_it_is_under_way(
    lane: Raw, engine: AsyncEngine, records: list[bytes], reason: str
) -> None:
    for record in records:
        lane.add(record)
    await lane.deliver()
    assert reason in await reasons(engine)
    assert [each for each in await lane.journal() if each["id"] == "a1"] == []


async def test_what_is_filled_in_says_so_to_whoever_reads_it(lane: Raw) -> None:
    lane.add(bracket(STARTED))
    lane.add(old("a1"))
    await lane.deliver()
    (event,) = [each for each in lane.wire.sent if b'"id":"a1"' in each.value]
    assert orjson.loads(event.value)["backfill"] == str(ID)


async def test_whoever_holds_a_thing_is_held_while_its_history_is_filled_in(lane: Raw, engine: AsyncEngine) -> None:
    """Breaks if what happened to a flight long ago opened commitments of its passengers that nobody waits for."""
    await declare(engine, "seat.booked", {"flight": {"path": "data.flight", "of": "thing"}})
    await declare(engine, "flight.delayed", {"flight": {"path": "subject", "of": "thing"}}, about="many")
    lane.add(touchpoint("seat", "seat.booked", subject="crm:ana", data={"flight": "UA1"}))
    await lane.deliver()
    lane.add(bracket(STARTED))
    lane.add(touchpoint("late", "flight.delayed", subject="flight:UA1", backfill=str(ID)))
    lane.add(bracket(ENDED))
    await lane.deliver()
    of_ana = [each["type"].rpartition(".")[2] for each in await lane.journal() if each["customer"] == ANA]
    assert of_ana == ["booked", "held", "delayed", "unheld"]


async def test_an_end_that_no_lane_has_heard_is_not_noted_as_one(own: JourneySettings, engine: AsyncEngine, tmp_path: Path) -> None:
    """Breaks if a backfill whose end was lost were called complete: whoever sends the file again is told so, and all wait in vain."""
    await store.register(engine, Backfill(ID, "shop", "we moved", "ana", NOON))
    relay = Relay(own)

    async def lost(_: object) -> None:
        raise NotAcknowledgedError

    async def one(_: str) -> int:
        return 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relay, "partitions", one)
        patch.setattr(relay, "publish", lost)
        async with in_front_of(api.build(own, engine, relay), bearer(tmp_path, "operations")) as client:
            assert (await client.post(f"/v1/backfills/{ID}/end")).status_code == 503
            assert [each["ended_at"] for each in (await client.get("/v1/backfills")).json()["items"]] == [None]
            patch.undo()
            patch.setattr(relay, "partitions", one)
            patch.setattr(relay, "publish", one)
            assert (await client.post(f"/v1/backfills/{ID}/end")).json()["ended_at"] is not None
            assert (await client.post(f"/v1/backfills/{UUID(int=1)}/end")).status_code == 404
