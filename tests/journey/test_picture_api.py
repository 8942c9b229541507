"""Customers' pictures over HTTP: published, read one by one and over all, and who may."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from ruamel.yaml import YAML
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Relay
from services.journey import api
from services.journey.domain import customer_key
from services.journey.pictures import Pictures
from services.journey.projector import Projector
from services.journey.settings import JourneySettings
from tests.driving import NOON, Raw, touchpoint
from tests.journey.picture.telling import key
from tests.journey.picture.test_stages import MAP
from tests.serving import bearer, in_front_of, said, trusting

CRM1 = f"/v1/customers/{customer_key('crm:1')}"


@pytest.fixture
def app(settings: JourneySettings, engine: AsyncEngine, tmp_path: Path) -> FastAPI:
    own = trusting(settings, tmp_path)
    return api.build(own, engine, Relay(own))


@pytest.fixture
async def manager(app: FastAPI, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(app, bearer(tmp_path, "manager")) as client:
        yield client


def parsed(text: str) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(text)
    return found


async def test_a_map_is_published_in_versions_and_what_is_wrong_with_one_is_said_with_its_place(manager: httpx2.AsyncClient) -> None:
    again = [await manager.post("/v1/journey-maps", json=parsed(each)) for each in (MAP, MAP, MAP.replace("30 days", "31 days"))]
    assert [(each.status_code, each.json()) for each in again] == [(201, {"name": "shop", "version": each}) for each in (1, 1, 2)]
    wrong = await manager.post("/v1/journey-maps", json=parsed(MAP.replace("phase: before", "phase: befor")))
    assert wrong.status_code == 422
    assert "did you mean `before`?" in said(wrong)["errors"][0]["detail"]
    (listed,) = (await manager.get("/v1/journey-maps")).json()["items"]
    assert (listed["name"], listed["version"], listed["owner"], listed["published_by"]) == ("shop", 2, "sales", "ana")
    assert (await manager.get("/v1/journey-maps/nosuch")).status_code == 404


async def test_where_one_customer_is_and_how_all_fare(manager: httpx2.AsyncClient, raw: Callable[..., Raw], engine: AsyncEngine) -> None:
    await manager.post("/v1/journey-maps", json=parsed(MAP))
    lane = await raw().start()
    for id_, type_, subject, at in (
        ("a", "web.seen", "crm:1", 0), ("b", "order.placed", "crm:1", 2), ("c", "order.placed", "crm:2", 2), ("d", "weather", "crm:2", 4),
        ("e", "order.delivered", "crm:2", 3), ("f", "weather", "crm:3", 5),
    ):  # fmt: skip
        lane.add(touchpoint(id_, type_, subject=subject, time=(NOON + timedelta(days=at)).isoformat()), arrival=NOON + timedelta(days=5))
    await lane.deliver()
    await Projector(engine, [Pictures()]).catch_up()
    one = (await manager.get(f"{CRM1}/journey")).json()
    (way,) = one["items"]
    assert (way["standing"], way["fell_out"]["stage"], way["fell_out"]["seconds"]) == (None, "buying", 2 * 86_400)
    assert [each["evidence"] for each in way["visits"]] == [str(key("a")), str(key("b"))]
    totals = (await manager.get("/v1/journey-maps/shop")).json()
    assert (totals["customers"], totals["unseen"], totals["waiting"]) == (2, 1, 0)
    stages = {each["name"]: each for each in totals["totals"]}
    assert (stages["promised"]["moved"], stages["promised"]["seconds"]) == (1, 2 * 86_400)
    assert (stages["buying"]["moved"], stages["buying"]["fell_out"], stages["buying"]["seconds"]) == (1, 1, 129_600)
    assert stages["buying"]["within"] == {"an hour": 0, "a day": 1, "a week": 1, "30 days": 0, "a year": 0, "longer": 0}
    assert (stages["using"]["standing"], stages["using"]["standing_seconds"]) == (1, 2 * 86_400)
    assert totals["unmapped"] == [{"type": "weather", "touchpoints": 2}]
    assert [(each["name"], each["met"]) for each in totals["moments"]] == [("first-order", 2), ("door", 1)]


async def test_of_nobody_there_is_no_journey(manager: httpx2.AsyncClient) -> None:
    assert (await manager.get(f"{CRM1}/journey")).status_code == 404


async def test_only_those_whom_the_access_table_names_may_publish(app: FastAPI, tmp_path: Path) -> None:
    for roles in (["agent"], ["auditor"], ["operations"], ["customer"]):
        async with in_front_of(app, bearer(tmp_path, *roles)) as client:
            assert (await client.post("/v1/journey-maps", json=parsed(MAP))).status_code == 403
