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

from deploy.local import issuer
from services.chassis.relay import Relay
from services.journey import api
from services.journey.api.watch import _events
from services.journey.domain import customer_key
from services.journey.picture.discretion import Viewer
from services.journey.projections.pictures import Pictures
from services.journey.projections.projector import Projector
from services.journey.settings import JourneySettings
from services.journey.store.timeline import Entry
from services.journey.timeline.live import Step
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


def sensing(id_: str, type_: str, at: float = 0, **data: Any) -> bytes:
    """What somebody of the branch sensed of crm:1."""
    time = (NOON + timedelta(days=at)).isoformat()
    return touchpoint(id_, type_, subject="crm:1", time=time, data={"by": "ana", "team": "branch"} | data)


async def tell(raw: Callable[..., Raw], *told: bytes, until: float = 20) -> None:
    lane = await raw().start()
    for each in told:
        lane.add(each, arrival=NOON + timedelta(days=5))
    lane.add(touchpoint("last", "makegood.tick", source="makegood/journey"), arrival=NOON + timedelta(days=until))
    await lane.deliver()
    await lane.save()


@pytest.fixture
def clients(app: FastAPI, tmp_path: Path) -> Callable[..., Any]:
    """Give what asks as somebody of a team."""

    async def ask(path: str, subject: str, *teams: str, role: str = "agent") -> Any:
        who = {"authorization": f"Bearer {issuer.token(tmp_path, subject=subject, name=subject, roles=[role], teams=teams)}"}
        async with in_front_of(app, who) as client:
            answer = await client.get(f"/v1/{path}")
            assert answer.status_code == 200, answer.text
            return answer.json()

    return ask


DISCREET = "moving-abroad"
HERS = f"customers/{customer_key('crm:1')}"


async def test_a_discreet_need_is_nowhere_to_be_seen_but_by_those_it_names(
    raw: Callable[..., Raw], clients: Callable[..., Any], app: FastAPI, tmp_path: Path
) -> None:
    """Breaks if any operation on a customer shows what only the branch, or only one of it, may see."""
    async with in_front_of(app, bearer(tmp_path, "manager")) as manager:
        await manager.post("/v1/journey-maps", json=parsed(MAP))
    await tell(
        raw,
        sensing("n1", "customer.need.observed", need=DISCREET, kind="latent", words="leaving for good"),
        sensing("n2", "customer.need.observed", need="owl", kind="latent", discretion="person", words="secret owl"),
        sensing("a", "customer.aspiration.recorded", aspiration="house", consent=True, words="a house by the sea"),
        sensing("e", "customer.expectation.observed", dimension="cost", how="inferred", words="counts coins"),
        sensing("f", "feedback.given", tone=-1, discretion="team", about="smell", words="it smells"),
        sensing("o", "customer.need.observed", need="currency", kind="manifest", discretion="open"),
    )
    paths = [f"{HERS}/{each}" for each in ("needs", "aspirations", "expectations", "feedback", "relationship", "journey", "timeline")]
    hidden = (DISCREET, "leaving for good", "owl", "a house by the sea", "counts coins", "smell")
    for path in paths:
        seen = str(await clients(path, "stranger", "call-centre"))
        assert [each for each in hidden if each in seen] == [], path
    journey = await clients(f"{HERS}/journey", "stranger", "call-centre")
    assert journey["items"][0]["unmapped"] == [{"type": "customer.need.observed", "touchpoints": 1}], "the open one"
    own = {path: str(await clients(path, "ana", "branch")) for path in paths}
    assert "owl" in own[f"{HERS}/needs"]
    assert "house" in own[f"{HERS}/aspirations"]
    colleague = str(await clients(f"{HERS}/needs", "ben", "branch"))
    assert DISCREET in colleague
    assert "owl" not in colleague
    assert "currency" in str(await clients(f"{HERS}/needs", "stranger", "call-centre"))
    async with in_front_of(app, bearer(tmp_path, "operations", "auditor", "manager")) as client:
        export = (await client.get(f"/v1/{HERS}/export")).text
    assert [each for each in hidden if each in export] == []
    assert "currency" in export


async def test_whoever_watches_a_timeline_is_told_of_what_is_discreet_only_where_it_names_them() -> None:
    body = {"type": "customer.need.observed", "source": "branch", "id": "n", "data": {"need": DISCREET, "by": "ana", "team": "branch"}}

    async def steps() -> AsyncIterator[Step]:
        yield Step("7", Entry((NOON, 0, customer_key("crm:1")), customer_key("crm:1"), NOON, body))

    for viewer, seen in ((Viewer("stranger"), False), (Viewer("ben", frozenset({"branch"})), True)):
        sent = b"".join([each async for each in _events(steps(), viewer)])
        assert (DISCREET.encode() in sent) == seen
        assert b"id: 7" in sent, "where to go on from is told to both"


async def test_needs_and_aspirations_are_read_for_a_purpose(raw: Callable[..., Raw], clients: Callable[..., Any]) -> None:
    await tell(
        raw,
        sensing("n", "customer.need.observed", need="loan", kind="inferred", purpose="marketing"),
        sensing("c", "customer.consent.given", 1, purpose="marketing"),
        sensing("a", "customer.aspiration.recorded", aspiration="house", words="by the sea"),
    )
    assert (await clients(f"{HERS}/needs", "ana", "branch"))["withheld"] == 1
    (loan,) = (await clients(f"{HERS}/needs?purpose=marketing", "ana", "branch"))["items"]
    assert (loan["kind"], loan["state"], loan["observations"][0]["id"]) == ("inferred", "open", "n")
    asked = await clients(f"{HERS}/aspirations", "ana", "branch")
    assert (asked["items"], asked["withheld"]) == ([], 1)


LATER = (NOON + timedelta(days=9)).isoformat()
RELATION = """
apiVersion: makegood/v1
kind: Relationship
metadata: {name: shop, owner: service}
spec:
  feedback: [{name: complaint, of: {type: complaint.made}, tone: -1, ignored_after: 3 days, owner: service}]
  encounters: {first: {type: order.placed}}
  currency: EUR
"""


async def test_how_all_relationships_stand_and_what_was_ignored_or_refused(
    manager: httpx2.AsyncClient, raw: Callable[..., Raw], engine: AsyncEngine, clients: Callable[..., Any]
) -> None:
    assert (await manager.post("/v1/relationships", json=parsed(RELATION))).status_code == 201
    await tell(
        raw,
        sensing("o1", "order.placed", total=10.5), sensing("o2", "order.placed", 1, total=5),
        sensing("c1", "complaint.made", 1), sensing("c2", "complaint.made", 2, discretion="team"),
        sensing("c3", "complaint.made", 3), sensing("r", "feedback.answered", 4, feedback="c3", how="acted"),
        sensing("h", "customer.aspiration.recorded", 4, aspiration="house", consent=True, come_back=LATER),
        sensing("i", "customer.aspiration.recorded", 4, aspiration="boat", purpose="unasked", come_back=LATER),
        sensing("g", "feedback.given", 4, tone=1, employee="ana"), sensing("g2", "feedback.given", 4, tone=1, employee="ana"),
        sensing("x", "customer.request.refused", 4, request="mortgage-abroad", aspiration="house"),
        touchpoint("p", "web.seen", subject="crm:2", time=NOON.isoformat()),
    )  # fmt: skip
    await Projector(engine, [Pictures()]).catch_up()
    all_ = (await manager.get("/v1/relationships")).json()
    assert {name: number for name, number in all_["stages"].items() if number} == {"new": 1, "prospect": 1}
    assert (all_["customers"], all_["loyal"], all_["loyalty_share"], all_["worth"], all_["complaints"]) == (1, 1, 1.0, 15.5, 3)
    assert all_["attachments"] == [{"employee": "ana", "customers": 1, "at_stake": 15.5}]
    ignored = await clients("feedback", "stranger")
    assert [(each["name"], each["owner"], each["age_seconds"]) for each in ignored["items"]] == [("complaint", "service", 19 * 86_400)]
    assert ignored["counts"]["complaint"] == {"ignored": 2, "answered": 1}
    assert len((await clients("feedback", "ben", "branch"))["items"]) == 2
    assert (await clients("aspirations", "stranger"))["items"] == []
    (house,) = (await clients("aspirations", "ben", "branch"))["items"]
    assert (house["aspiration"], house["due"], house["owner"]) == ("house", True, "branch")
    (cluster,) = (await clients("refusals", "ben"))["items"]
    assert (cluster["request"], cluster["refused"], cluster["unserved"], cluster["teams"]) == (
        "mortgage-abroad",
        1,
        {"house": 1},
        {"branch": 1},
    )
    kinds = {each["kind"]: each["outcomes"] for each in (await clients("encounters", "ben"))["items"]}
    assert kinds == {"first": {"open": 2}, "second": {"no": 1}, "third": {"recorded": 1}}
    hers = await clients(f"{HERS}/relationship", "ben", "branch")
    assert (hers["stage"], hers["rules"], hers["worth"]["total"], hers["loyalty"]["leaves_with"]) == ("new", "shop", 15.5, "ana")
    assert round(hers["base"] + sum(each["left"] for each in hers["history"]), 1) == round(hers["score"], 1)
