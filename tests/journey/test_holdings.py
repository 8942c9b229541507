"""What happens to a thing that many hold reaches each who held it then, whichever was read first."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.journey.domain import customer_key
from tests.driving import CRASH_POINTS, NOON, clear, rows, touchpoint
from tests.journey.conftest import ORDER, TABLES, Raw, declare
from tests.journey.identities import after, say, trust

ANA, BOB, FLIGHT = (str(customer_key(each)) for each in ("crm:ana", "crm:bob", "flight:UA1"))


@pytest.fixture
async def lane(raw: Callable[..., Raw], engine: AsyncEngine) -> Raw:
    await prepare(engine)
    return await raw().start()


async def prepare(engine: AsyncEngine) -> None:
    await declare(engine, "order.seen", ORDER)
    await declare(engine, "seat.booked", {"flight": {"path": "data.flight", "of": "thing"}})
    await declare(engine, "flight.delayed", {"flight": {"path": "subject", "of": "thing"}}, about="many")
    await trust(engine)


def booked(id_: str, who: str, minute: int = 0, flight: str = "UA1") -> bytes:
    return touchpoint(id_, "seat.booked", subject=who, time=after(minute).isoformat(), data={"flight": flight})


def delayed(id_: str, minute: int = 10, flight: str = "flight:UA1", **others: Any) -> bytes:
    return touchpoint(id_, "flight.delayed", source="airport", subject=flight, time=after(minute).isoformat(), **others)


async def own(lane: Raw) -> dict[str, list[str]]:
    """What each customer has as their own."""
    found: dict[str, list[str]] = {}
    for each in await lane.journal():
        if not each.get("evidenceonly") and not each["type"].startswith("makegood.source"):
            found.setdefault(each["customer"], []).append(each["id"])
    return {customer: sorted(ids) for customer, ids in found.items()}


async def test_it_reaches_everybody_who_held_it_then_and_nobody_else(lane: Raw) -> None:
    for value in (booked("a", "crm:ana"), booked("b", "crm:bob", 5), touchpoint("c", subject="crm:cat"), delayed("d")):
        lane.add(value)
    await lane.deliver()
    assert await own(lane) == {ANA: ["a", "d"], BOB: ["b", "d"], str(customer_key("crm:cat")): ["c"]}
    assert await rows(lane.engine, "conflicts") == []
    assert {text for (text,) in await rows(lane.engine, "identifiers", "identifier")} == {"crm:ana", "crm:bob", "crm:cat"}


async def test_whoever_is_found_to_have_held_it_is_told_afterwards_and_whoever_came_later_is_not(lane: Raw) -> None:
    for value in (delayed("d", 10), booked("a", "crm:ana", 9), booked("b", "crm:bob", 11)):
        lane.add(value)
    await lane.deliver()
    assert await own(lane) == {ANA: ["a", "d"], BOB: ["b"]}
    lane.add(booked("b0", "crm:bob", 8))
    await lane.deliver()
    assert (await own(lane))[BOB] == ["b", "b0", "d"]


async def test_a_record_about_it_that_is_refused_holds_all_who_hold_it(lane: Raw) -> None:
    for value in (booked("a", "crm:ana"), booked("b", "crm:bob"), touchpoint("d", "flight.delayed", subject="flight:UA1", time=None)):
        lane.add(value)
    await lane.deliver()
    ((held,),) = await rows(lane.engine, "quarantine", "held::text[]")
    assert set(held) == {ANA, BOB}


async def test_what_a_holder_lends_and_has_taken_back_leaves_whoever_holds_it_too_what_is_theirs(lane: Raw) -> None:
    """Breaks if an unmerge took from a passenger what happened to their own flight."""
    for value in (
        booked("a", "crm:ana"), booked("b", "crm:bob"), delayed("d1"), say("l", "linked", "crm:ana", "crm:bob", time=after(11)),
        delayed("d2", 12), say("u", "unmerged", "crm:ana", "crm:bob", time=after(13)),
    ):  # fmt: skip
        lane.add(value)
    await lane.deliver()
    assert await own(lane) == {ANA: ["a", "d1", "d2", "l", "u"], BOB: ["b", "d1", "d2"]}
    assert [each for each in await lane.journal() if each["id"][0] == "d" and each["customer"] != FLIGHT and each.get("evidenceonly")] == []


async def test_two_lanes_that_take_in_the_booking_and_the_delay_at_once_miss_nobody(raw: Callable[..., Raw], lane: Raw) -> None:
    other = await raw(1).start()
    for number in range(20):
        lane.add(booked(f"a{number}", f"crm:{number}"))
        other.add(delayed(f"d{number}"))

    async def one_by_one(each: Raw) -> None:
        while each.lane.progress.position < len(each.log):
            await each.deliver(1)

    await asyncio.gather(one_by_one(lane), one_by_one(other))
    found = await own(lane)
    for number in range(20):
        assert found[str(customer_key(f"crm:{number}"))] == sorted([f"a{number}", *(f"d{each}" for each in range(20))])


bookings = some.builds(
    booked, some.integers(0, 99).map("b{}".format), some.sampled_from(["crm:1", "crm:2"]), some.integers(0, 4), some.sampled_from("XY")
)
delays = some.builds(delayed, some.integers(0, 99).map("d{}".format), some.integers(0, 4), some.sampled_from(["flight:X", "flight:Y"]))
logs = some.lists(some.one_of(bookings, delays), min_size=2, max_size=8, unique_by=lambda value: value[:40])


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(log=logs, data=some.data())
async def test_any_order_and_any_crash_ends_in_the_same_holders_and_the_same_events(
    log: list[bytes], data: some.DataObject, raw: Callable[..., Raw], engine: AsyncEngine
) -> None:
    """Breaks if somebody is told twice, or not at all, by the order in which lanes are read."""
    await prepare(engine)

    async def outcome(lane: Raw) -> tuple[Any, ...]:
        return await own(lane), await rows(engine, "holdings")

    await clear(engine, *TABLES)
    lane = await raw().start()
    for value in log:
        lane.add(value)
    await lane.deliver()
    expected = await outcome(lane)
    await clear(engine, *TABLES)
    lanes = [await raw(partition).start() for partition in range(2)]
    for value in data.draw(some.permutations(log)):
        lanes[data.draw(some.integers(0, 1))].add(value, arrival=NOON + timedelta(seconds=len(lanes[0].log)))
    for point in data.draw(some.lists(some.sampled_from(CRASH_POINTS), max_size=4)):
        await lanes[data.draw(some.integers(0, 1))].crash(point, data.draw(some.integers(1, 3)))
    for each in lanes:
        await each.deliver()
    assert await outcome(lanes[0]) == expected
