"""Whoever was erased stays so: no later event attributes their identifiers or brings them back."""

from collections.abc import Callable

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.journey.domain import customer_key
from services.journey.privacy.erasure import Asked, Eraser, ask
from tests.driving import rows, touchpoint
from tests.journey.conftest import ORDER, PARTITIONS, Raw, declare

ANA, BOB = customer_key("crm:ana"), customer_key("crm:bob")


@pytest.fixture
async def lane(raw: Callable[..., Raw], engine: AsyncEngine) -> Raw:
    async with engine.begin() as connection:
        await connection.execute(text(f"INSERT INTO topology (topic, partitions) VALUES ('makegood.journey', {PARTITIONS})"))
    await declare(engine, "order.seen", ORDER)
    return await raw().start()


async def forget(lane: Raw) -> None:
    """Erase Ana, to the end."""
    await ask(lane.engine, lane.settings, Asked(ANA, "request", "ops"))  # type: ignore[arg-type]  # they are journey's
    await Eraser(lane.engine).finish()
    await lane.save()


async def test_an_event_of_somebody_who_was_erased_is_counted_and_leaves_nothing(lane: Raw, engine: AsyncEngine) -> None:
    lane.add(touchpoint("e1", subject="crm:ana"))
    await lane.deliver()
    await forget(lane)
    before = [await rows(engine, table) for table in ("journal", "customers", "identifiers")]
    lane.add(touchpoint("e1", subject="crm:ana"))
    lane.add(touchpoint("e2", subject="crm:ana"))
    lane.add(touchpoint("e3", "recovery.case.owned", subject=f"customer:{ANA}"))
    await lane.deliver()
    assert [await rows(engine, table) for table in ("journal", "customers", "identifiers")] == before
    assert {name: number for name, number in lane.counts().items() if number} == {"applied": 1, "duplicate": 1, "erased": 2}


async def test_beside_somebody_else_an_erased_identifier_names_nobody(lane: Raw, engine: AsyncEngine) -> None:
    """Breaks if an identifier that was erased attached to the next customer it is seen beside, or stayed in their event."""
    lane.add(touchpoint("e0", "order.seen", subject="crm:ana", data={"email": "a@b.c"}))
    lane.add(touchpoint("e1", subject="crm:bob"))
    await lane.deliver()
    await forget(lane)
    lane.add(touchpoint("e2", "order.seen", subject="crm:bob", data={"email": "a@b.c", "more": "stays"}))
    lane.add(touchpoint("bad", "order.seen", subject="email:a@b.c", time=None))
    await lane.deliver()
    assert await rows(engine, "identifiers", "identifier") == [("crm:bob",)]
    assert [orjson.loads(body)["data"] for (body,) in await rows(engine, f"journal WHERE customer = '{BOB}'", "body") if b"e2" in body] == [
        {"email": None, "more": "stays"}
    ]
    assert await rows(engine, "quarantine", "held::text, value, headers") == [("{}", None, b"[]")]


async def test_what_is_first_met_beside_an_erased_identifier_is_forgotten_with_it(lane: Raw, engine: AsyncEngine) -> None:
    """Breaks if a parcel known by its number alone kept the address that somebody asked us to forget, whichever event came first."""
    lane.add(touchpoint("e0", "order.seen", subject="crm:ana", data={"order": "o1"}))
    lane.add(touchpoint("early", "order.seen", subject="order:p1", data={"street": "Early Street"}))
    await lane.deliver()
    await forget(lane)
    lane.add(touchpoint("link", "order.seen", subject="order:o1", data={"email": "new@b.c"}))
    lane.add(touchpoint("late", "order.seen", subject="order:p1", data={"email": "new@b.c"}))
    lane.add(touchpoint("alone", "order.seen", subject="email:new@b.c", data={"street": "Late Street"}))
    await lane.deliver()
    await Eraser(engine).finish()
    assert await rows(engine, "identifiers") == []
    assert [body for (body,) in await rows(engine, "journal", "body") if body and b"Street" in body] == []
    assert lane.counts()["erased"] == 3


async def test_a_flight_stays_everybodys_when_one_of_its_passengers_is_erased(lane: Raw, engine: AsyncEngine) -> None:
    """Breaks if what many hold were taken for the erased one's own, and what happens to it reached nobody any more."""
    await declare(engine, "seat.booked", {"flight": {"path": "data.flight", "of": "thing"}})
    await declare(engine, "flight.delayed", {"flight": {"path": "subject", "of": "thing"}}, about="many")
    for who in ("ana", "bob"):
        lane.add(touchpoint(f"booked-{who}", "seat.booked", subject=f"crm:{who}", data={"flight": "UA1"}))
    await lane.deliver()
    await forget(lane)
    lane.add(touchpoint("again", "seat.booked", subject="crm:ana", data={"flight": "UA1"}))
    lane.add(touchpoint("late", "flight.delayed", subject="flight:UA1"))
    await lane.deliver()
    reached = await rows(engine, f"journal WHERE NOT copied AND body LIKE '%late%'::bytea AND customer IN ('{ANA}', '{BOB}')", "customer")
    assert reached == [(BOB,)]
