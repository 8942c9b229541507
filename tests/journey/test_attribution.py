"""Whose an event is: by subject, by what its type declares, and what happens where two customers meet."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.journey.domain import customer_key
from tests.driving import NOON, holding, rows, touchpoint
from tests.journey.conftest import ORDER, Raw, declare

ANA, BOB, THING = customer_key("crm:ana"), customer_key("crm:bob"), customer_key("order:o1")


@pytest.fixture
async def lane(raw: Callable[..., Raw], engine: AsyncEngine) -> Raw:
    await declare(engine, "order.seen", ORDER)
    return await raw().start()


def seen(id_: str, subject: str | None = None, *, order: str | None = None, email: str | None = None, **others: Any) -> bytes:
    return touchpoint(id_, "order.seen", subject=subject, data={"order": order, "email": email}, **others)


async def whose(lane: Raw) -> list[tuple[str, str, bool]]:
    return [(each["id"], each["customer"], each.get("evidenceonly", False)) for each in await lane.journal()]


async def test_events_go_to_the_customer_of_their_subject(lane: Raw) -> None:
    lane.add(touchpoint("e1", subject="crm:ana"))
    lane.add(touchpoint("e2", subject="crm:bob"))
    await lane.deliver()
    assert await whose(lane) == [("e1", str(ANA), False), ("e2", str(BOB), False)]


async def test_an_identifier_met_beside_a_known_one_leads_to_the_same_customer(lane: Raw) -> None:
    lane.add(seen("e1", "crm:ana", email="a@b.c"))
    lane.add(seen("e2", email="a@b.c"))
    await lane.deliver()
    assert await whose(lane) == [("e1", str(ANA), False), ("e2", str(ANA), False)]


Delivery = Callable[[Raw], Awaitable[None]]


async def at_once(lane: Raw) -> None:
    await lane.deliver()


async def one_by_one(lane: Raw) -> None:
    while lane.lane.progress.position < len(lane.log):
        await lane.deliver(1)


@pytest.mark.parametrize("deliver", [at_once, one_by_one])
async def test_a_thing_joins_its_person_and_both_keys_get_each_others_events_as_evidence(lane: Raw, deliver: Delivery) -> None:
    """Breaks if events of the batch in which the two meet were forgotten, or opened what they must not open."""
    lane.add(seen("of-thing", order="o1"))
    lane.add(touchpoint("of-ana", subject="crm:ana"))
    lane.add(seen("link", "crm:ana", order="o1"))
    lane.add(seen("after", order="o1"))
    await deliver(lane)
    found = await whose(lane)
    assert sorted(found[:4]) == sorted(
        [("of-thing", str(THING), False), ("of-ana", str(ANA), False), ("link", str(ANA), False), ("link", str(THING), True)]
    )
    assert sorted(found[4:6]) == sorted([("of-thing", str(ANA), True), ("of-ana", str(THING), True)])
    assert found[6:] == [("after", str(ANA), False), ("after", str(THING), True)]


@pytest.mark.parametrize("deliver", [at_once, one_by_one])
async def test_a_thing_that_had_joined_another_thing_brings_all_events_to_the_person(lane: Raw, deliver: Delivery) -> None:
    """Breaks if a join of a join copies the events of the last key only."""
    await declare(
        lane.engine, "parcel.packed", {"order": {"path": "data.order", "of": "thing"}, "parcel": {"path": "data.parcel", "of": "thing"}}
    )
    lane.add(touchpoint("of-parcel", "parcel.packed", data={"parcel": "p1"}))
    lane.add(seen("of-order", order="o1"))
    lane.add(touchpoint("both", "parcel.packed", data={"parcel": "p1", "order": "o1"}))
    lane.add(touchpoint("of-ana", subject="crm:ana"))
    lane.add(seen("link", "crm:ana", order="o1"))
    await deliver(lane)
    reached = {id_ for id_, customer, _ in await whose(lane) if customer == str(ANA)}
    assert reached == {"of-parcel", "of-order", "both", "of-ana", "link"}


async def test_two_persons_who_share_a_thing_are_a_conflict_and_never_joined(lane: Raw) -> None:
    lane.add(touchpoint("e1", subject="crm:ana"))
    lane.add(touchpoint("e2", subject="crm:bob"))
    lane.add(seen("e3", "crm:ana", order="o1"))
    lane.add(seen("e4", "crm:bob", order="o1"))
    lane.add(touchpoint("e5", subject="crm:bob"))
    await lane.deliver()
    assert [customer for _, customer, _ in await whose(lane)] == [str(each) for each in (ANA, BOB, ANA, BOB, BOB)]
    assert await rows(lane.engine, "conflicts", "customer, other") == [(BOB, ANA)]


async def test_a_conflict_that_is_met_again_under_the_same_id_on_another_day_stops_nothing(lane: Raw) -> None:
    """Breaks if a unique key that an emitter can violate rolls the batch back for ever."""
    lane.add(seen("e1", "crm:ana", order="o1"))
    lane.add(touchpoint("e2", subject="crm:bob"))
    for hours in (0, 24):
        lane.add(seen("e3", "crm:bob", order="o1", time=(NOON - timedelta(hours=hours)).isoformat()))
    await lane.deliver()
    assert len(await rows(lane.engine, "conflicts")) == 1


async def test_two_lanes_that_learn_of_one_identifier_at_once_agree(raw: Callable[..., Raw], lane: Raw) -> None:
    """Breaks if each lane makes a customer of its own of the identifier."""
    other = await raw(1).start()
    lane.add(seen("e1", "crm:ana", email="x@y.z"))
    other.add(seen("e2", "crm:bob", email="x@y.z"))
    async with holding(lane.engine, "journal", 2):
        both = asyncio.gather(lane.deliver(), other.deliver())
    await both
    found = await rows(lane.engine, "identifiers", "identifier, customer")
    assert len(found) == 3
    assert len({customer for _, customer in found}) == 1
    assert {customer for _, customer, _ in await whose(lane)} == {str(customer) for _, customer in found}


async def test_two_lanes_that_let_the_same_thing_join_at_once_leave_one_person(raw: Callable[..., Raw], lane: Raw) -> None:
    """Breaks if the second lane attributes by what it knew before the first one's link."""
    other = await raw(1).start()
    lane.add(seen("e1", order="o1"))
    lane.add(touchpoint("e2", subject="crm:ana"))
    await lane.deliver()
    other.add(seen("before", order="o1"))
    await other.deliver()
    lane.add(seen("link", "crm:ana", order="o1"))
    other.add(seen("after", order="o1"))
    await asyncio.gather(lane.deliver(), other.deliver())
    other.add(seen("later", order="o1"))
    await other.deliver()
    reached = {id_ for id_, customer, _ in await whose(lane) if customer == str(ANA)}
    assert reached == {"e1", "e2", "before", "link", "after", "later"}


async def test_our_own_services_name_a_customer_by_key(lane: Raw) -> None:
    lane.add(touchpoint("e1", "recovery.case.opened", source="makegood/recovery", subject=f"customer:{ANA}"))
    await lane.deliver()
    assert await whose(lane) == [("e1", str(ANA), False)]
    assert await rows(lane.engine, "identifiers") == []


@pytest.mark.parametrize("deliver", [at_once, one_by_one])
async def test_what_is_said_of_a_key_that_has_joined_a_person_reaches_the_person(lane: Raw, deliver: Delivery) -> None:
    """Breaks if a case that was opened for the order's key went on beside the person's journey."""
    lane.add(seen("of-thing", order="o1"))
    lane.add(touchpoint("of-ana", subject="crm:ana"))
    lane.add(seen("link", "crm:ana", order="o1"))
    lane.add(touchpoint("act", "recovery.case.owned", source="makegood/recovery", subject=f"customer:{THING}"))
    await deliver(lane)
    assert (await whose(lane))[-2:] == [("act", str(THING), False), ("act", str(ANA), True)]


@pytest.mark.parametrize("deliver", [at_once, one_by_one])
async def test_a_thing_that_joins_a_key_nobody_had_met_is_found_there_afterwards(lane: Raw, deliver: Delivery) -> None:
    """Breaks if an identifier led to a customer without a row: it would be looked up, missed and attached for ever."""
    lane.add(seen("of-thing", order="o1"))
    lane.add(seen("act", f"customer:{BOB}", order="o1", source="makegood/recovery"))
    lane.add(seen("after", order="o1"))
    async with asyncio.timeout(10):
        await deliver(lane)
    assert (await whose(lane))[-2:] == [("after", str(BOB), False), ("after", str(THING), True)]
