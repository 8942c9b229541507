"""What relations cost customers, over all of them: by journey, and by the promise that was broken."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from ruamel.yaml import YAML
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Relay
from services.journey import api
from services.journey.domain import customer_key
from services.journey.projections.pictures import Pictures
from services.journey.projections.projector import Projector
from services.journey.settings import JourneySettings
from tests.driving import NOON, Raw, touchpoint
from tests.journey.picture.test_stages import MAP
from tests.journey.test_picture_api import RELATION
from tests.journey.test_sources import publish
from tests.serving import bearer, in_front_of

NAMES = ("contacts", "repetitions", "passed_on", "waits", "waited_seconds")


@pytest.fixture
async def manager(own: JourneySettings, engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(api.build(own, engine, Relay(own)), bearer(tmp_path, "manager", "agent")) as client:
        for path, text in (("relationships", RELATION), ("journey-maps", MAP)):
            assert (await client.post(f"/v1/{path}", json=YAML(typ="safe").load(text))).status_code == 201
        yield client


def told(id_: str, type_: str, subject: str, day: float, **data: Any) -> bytes:
    return touchpoint(id_, type_, subject=subject, time=(NOON + timedelta(days=day)).isoformat(), data=data)


async def test_what_all_relations_cost_is_the_sum_of_what_each_costs_and_one_contact_under_two_keys_is_one(
    raw: Callable[..., Raw], engine: AsyncEngine, manager: httpx2.AsyncClient
) -> None:
    """Breaks if a person who merged kept two parts in the totals, or a call that two systems tell of counted twice."""
    lane = await raw().start()
    await publish(engine, source="shop", trusted=True)
    for each in (
        told("w", "web.seen", "crm:1", 0), told("o", "order.placed", "crm:1", 1),
        told("a", "contact.begun", "crm:1", 1.1, contact="c1", reason="late"),
        told("b", "call.made", "phone:1", 1.1, contact="c1", reason="late"),
        told("c", "call.made", "phone:1", 1.2, reason="late", waited_seconds=90), told("d", "call.transferred", "crm:2", 1),
    ):  # fmt: skip
        lane.add(each, arrival=NOON + timedelta(days=5))
    await lane.deliver()
    await Projector(engine, [Pictures()]).catch_up()
    apart = (await manager.get("/v1/efforts")).json()["customers"]
    assert [apart[each] for each in ("number", *NAMES)] == [3, 4, 1, 1, 1, 90]
    lane.add(told("m", "customer.merged", "crm:1", 2, identifiers=["phone:1"]), arrival=NOON + timedelta(days=5))
    await lane.deliver()
    await Projector(engine, [Pictures()]).catch_up()
    found = (await manager.get("/v1/efforts")).json()
    assert [found["customers"][each] for each in ("number", *NAMES)] == [2, 3, 1, 1, 1, 90]
    each_of = [(await manager.get(f"/v1/customers/{customer_key(f'crm:{number}')}/expectations")).json() for number in (1, 2)]
    assert [sum(each["effort"][name] for each in each_of) for name in NAMES] == [found["customers"][name] for name in NAMES]
    (journey,) = found["journeys"]
    assert (journey["map"], journey["number"], journey["contacts"]) == ("shop", 1, 2)
    assert found["failures"] == []
