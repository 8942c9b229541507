"""Promise chains: what is broken towards a customer is traced to the internal links that held the clock."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.driving import NOON
from tests.promises.api.conftest import HOUR, body
from tests.promises.conftest import Partition, response

HALF = HOUR / 2
BO = UUID(int=77)


def internal(name: str, supports: str, expect: str, **more: Any) -> dict[str, Any]:
    owed = response(expect={"type": expect}, within="1 hours", **more)
    found = body(name, audience="internal", supports=[supports], published=[], response=owed)
    found["metadata"]["owner"] = f"team-{name}"
    return found


@pytest.fixture
async def chained(manager: httpx2.AsyncClient, partition: Callable[..., Partition]) -> Partition:
    """An order two hours after which it was to be delivered: picked in time, packed half an hour late, delivered too late."""
    await manager.post("/v1/promises", json=body("parcel"))
    for each in (internal("packing", "parcel", "packed"), internal("picking", "packing", "picked", correlate=None)):
        assert (await manager.post("/v1/promises", json=each)).status_code == 201
    lane = await partition().start()
    lane.event("placed", NOON, data={"order": "o1"})
    lane.event("placed", NOON, data={"order": "o1"}, customer=BO)
    lane.event("picked", NOON + HALF, data={"order": "o1"})
    lane.event("placed", NOON + HOUR, data={"order": "o2"})
    lane.event("packed", NOON + 3 * HALF, data={"order": "o1"})
    lane.marker(NOON + 10 * HOUR)
    await lane.deliver()
    return lane


async def explained(manager: httpx2.AsyncClient, promise: str, order: str | None) -> dict[str, Any]:
    listed = (await manager.get("/v1/commitments", params={"promise": promise})).json()["items"]
    found = next(each for each in listed if each["correlation"] == order and each["customer"] != str(BO))
    account: dict[str, Any] = (await manager.get(f"/v1/commitments/{found['id']}/explanation")).json()
    return account


async def test_a_broken_promise_names_the_internal_links_that_held_the_clock(manager: httpx2.AsyncClient, chained: Partition) -> None:
    """Breaks if another order's or customer's link were named, or one further down the chain were not."""
    account = await explained(manager, "parcel", "o1")
    assert account["judgement"] == "broken"
    told = {(each["promise"], each["from"], each["to"], each["judgement"]): each for each in account["links"]}
    assert set(told) == {
        ("packing", "2026-03-01T12:00:00.000Z", "2026-03-01T13:30:00.000Z", "broken"),
        ("picking", "2026-03-01T12:00:00.000Z", "2026-03-01T12:30:00.000Z", "kept"),
        ("picking", "2026-03-01T13:00:00.000Z", "2026-03-01T14:00:00.000Z", "broken"),
    }  # the picking of the customer's other order is told by nothing but its time
    packing = told["packing", "2026-03-01T12:00:00.000Z", "2026-03-01T13:30:00.000Z", "broken"]
    assert (packing["seconds"], packing["seconds_over"], packing["owner"]) == (5400.0, 1800.0, "team-packing")
    assert packing["told"] == ("`packing` of team-packing held it for 1 hour 30 minutes, 30 minutes of it past its own due time (broken)")


async def test_a_link_that_was_never_done_held_it_to_the_end(manager: httpx2.AsyncClient, chained: Partition) -> None:
    account = await explained(manager, "parcel", "o2")
    packing = next(each for each in account["links"] if each["promise"] == "packing")
    assert (packing["from"], packing["to"], packing["seconds_over"]) == ("2026-03-01T13:00:00.000Z", "2026-03-01T15:00:00.000Z", 3600.0)


async def test_what_rests_on_nothing_has_no_links(manager: httpx2.AsyncClient, chained: Partition) -> None:
    account = await explained(manager, "picking", None)
    assert account["links"] == []
