"""Whoever was erased stays so: no later event attributes their identifiers or brings them back."""

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import transaction
from services.journey import store
from services.journey.domain import customer_key, mark_of
from services.journey.store.identity import erase
from tests.driving import rows, touchpoint
from tests.journey.conftest import ORDER, Raw, declare

ANA, BOB = customer_key("crm:ana"), customer_key("crm:bob")


@pytest.fixture
async def lane(raw: Callable[..., Raw], engine: AsyncEngine) -> Raw:
    await declare(engine, "order.seen", ORDER)
    return await raw().start()


async def forget(engine: AsyncEngine, *identifiers: str) -> None:
    """As an erasure leaves it, as far as attribution goes."""
    async with transaction(engine, text("SELECT 1"), {}) as tx:
        await store.lock_identity(tx, exclusive=True)
        await erase(tx, map(mark_of, identifiers))
        await tx.driver.execute("DELETE FROM identifiers WHERE identifier = ANY($1::text[])", list(identifiers))
        await store.move_epoch(tx)


async def test_an_event_that_names_only_who_was_erased_is_counted_and_leaves_nothing(lane: Raw, engine: AsyncEngine) -> None:
    lane.add(touchpoint("e1", subject="crm:ana"))
    await lane.deliver()
    await forget(engine, "crm:ana", f"customer:{ANA}")
    before = [await rows(engine, table) for table in ("journal", "customers", "identifiers")]
    lane.add(touchpoint("e2", subject="crm:ana"))
    lane.add(touchpoint("e3", "recovery.case.owned", subject=f"customer:{ANA}"))
    await lane.deliver()
    assert [await rows(engine, table) for table in ("journal", "customers", "identifiers")] == before
    assert lane.counts() == {"applied": 1, "erased": 2}


async def test_beside_somebody_else_an_erased_identifier_names_nobody(lane: Raw, engine: AsyncEngine) -> None:
    """Breaks if an identifier that was erased attached to the next customer it is seen beside."""
    await forget(engine, "email:a@b.c")
    lane.add(touchpoint("e1", "order.seen", subject="crm:bob", data={"email": "a@b.c"}))
    lane.add(touchpoint("bad", "order.seen", subject="email:a@b.c", time=None))
    await lane.deliver()
    assert [each["customer"] for each in await lane.journal()] == [str(BOB)]
    assert await rows(engine, "identifiers", "identifier") == [("crm:bob",)]
    assert await rows(engine, "quarantine", "held::text") == [("{}",)]
