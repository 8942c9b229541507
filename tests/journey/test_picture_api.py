"""Customers' pictures over HTTP: published, read one by one and over all, and who may."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import orjson
import pytest
from fastapi import FastAPI
from ruamel.yaml import YAML
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.local import issuer
from services.chassis.relay import Relay
from services.chassis.watching import events
from services.journey import api
from services.journey.api.viewers import shown_to
from services.journey.api.watch import told
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


def at_day(number: float) -> str:
    """So many days after noon."""
    return (NOON + timedelta(days=number)).isoformat()


def sensing(id_: str, type_: str, at: float = 0, **data: Any) -> bytes:
    """What somebody of the branch sensed of crm:1."""
    return touchpoint(id_, type_, subject="crm:1", time=at_day(at), data={"by": "ana", "team": "branch"} | data)


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


async def test_whoever_watches_a_timeline_is_told_of_what_is_discreet_only_where_it_names_them(engine: AsyncEngine) -> None:
    body = {"type": "customer.need.observed", "source": "branch", "id": "n", "data": {"need": DISCREET, "by": "ana", "team": "branch"}}

    async def steps() -> AsyncIterator[Step]:
        yield Step("7", Entry((NOON, 0, customer_key("crm:1")), customer_key("crm:1"), NOON, body))

    for viewer, seen in ((Viewer("stranger"), False), (Viewer("ben", frozenset({"branch"})), True)):
        sent = b"".join([each async for each in events(told(steps(), partial(shown_to, engine, customer_key("crm:1"), viewer)))])
        assert (DISCREET.encode() in sent) == seen
        assert b"id: 7" in sent, "where to go on from is told to both"


async def test_what_names_a_discreet_thing_is_shown_without_that_name_to_whoever_may_not_see_it(
    manager: httpx2.AsyncClient, raw: Callable[..., Raw], engine: AsyncEngine, clients: Callable[..., Any], app: FastAPI, tmp_path: Path
) -> None:
    """Breaks if a refusal, or an open word on what was recorded for a few, told everybody of it."""
    assert (await manager.post("/v1/relationships", json=parsed(RELATION))).status_code == 201
    await tell(
        raw,
        sensing("c", "customer.consent.given", purpose="aspirations"),
        sensing("a", "customer.aspiration.recorded", aspiration="house", come_back=LATER),
        sensing("v", "customer.aspiration.revisited", 1, aspiration="house", come_back=LATER, discretion="open"),
        sensing("n", "customer.need.observed", need=DISCREET, kind="latent", discretion="person"),
        sensing("p", "customer.need.probed", 1, need=DISCREET, outcome="confirmed", discretion="open"),
        sensing("x", "customer.request.refused", 1, request="mortgage", aspiration="house", need=DISCREET),
        sensing("y", "customer.exception.granted", 2, request="other", aspiration="never recorded"),
    )
    await Projector(engine, [Pictures()]).catch_up()
    own = ("timeline", "needs", "aspirations", "feedback", "relationship")
    paths = ["aspirations", "refusals", "needs", *(f"{HERS}/{each}" for each in own)]
    names = ("house", DISCREET, "never recorded")

    async def named(*who: str) -> set[str]:
        seen = [str(await clients(path, *who)) for path in paths]
        return {each for each in names if any(each in one for one in seen)}

    assert await named("stranger", "call-centre") == set()
    assert await named("ben", "branch") == {"house", "never recorded"}
    assert await named("ana", "branch") == set(names)
    timeline = (await clients(f"{HERS}/timeline", "stranger"))["items"]
    refusal = next(each["data"] for each in timeline if each["type"] == "customer.request.refused")
    assert (refusal["request"], refusal["aspiration"], refusal["need"]) == ("mortgage", None, None)
    async with in_front_of(app, bearer(tmp_path, "operations", "auditor", "manager")) as client:
        export = (await client.get(f"/v1/{HERS}/export")).text
    received = str(await clients("touchpoints?type=customer.*", "stranger", role="operations"))
    for shown in (export, received):
        assert "mortgage" in shown
        assert [each for each in names if each in shown] == []


async def test_what_the_customer_does_not_agree_to_is_nowhere_to_be_seen_however_open_it_is(
    manager: httpx2.AsyncClient, raw: Callable[..., Raw], engine: AsyncEngine, clients: Callable[..., Any]
) -> None:
    """Breaks if consent were asked of one answer and not of another: the timeline, who watches it, a list, a report."""
    assert (await manager.post("/v1/relationships", json=parsed(RELATION))).status_code == 201
    open_: dict[str, Any] = {"discretion": "open"}
    told = (
        sensing("a", "customer.aspiration.recorded", aspiration="house", consent=True, come_back=LATER, **open_),
        sensing("v", "customer.aspiration.revisited", 1, aspiration="house", come_back=LATER, words="the house", **open_),
        sensing("n", "customer.need.observed", need="boat", kind="latent", purpose="marketing", **open_),
        sensing("b", "customer.need.probed", 1, need="boat", outcome="confirmed", **open_),
        sensing("x", "customer.request.refused", 1, request="mortgage", aspiration="house"),
    )
    paths = [f"{HERS}/{each}" for each in ("needs", "aspirations", "timeline", "timeline?type=customer.*")] + [
        "needs",
        "aspirations",
        "refusals",
    ]

    async def named() -> dict[str, list[str]]:
        await Projector(engine, [Pictures()]).catch_up()
        return {path: [each for each in ("'house'", "'boat'") if each in str(await clients(path, "ana", "branch"))] for path in paths}

    await tell(raw, *told, sensing("w", "customer.consent.withdrawn", 2, purpose="aspirations"))
    assert await named() == {path: [] for path in paths}
    everything = await clients("touchpoints?type=customer.*", "ana", "branch", role="operations")
    assert {each["type"] for each in everything["items"]} == {"customer.request.refused", "customer.consent.withdrawn"}
    watched = Entry((NOON, 0, uuid4()), customer_key("crm:1"), NOON, orjson.loads(told[1]))
    assert await shown_to(engine, customer_key("crm:1"), Viewer("ana"), [watched]) == []
    again = [sensing(f"c{each}", "customer.consent.given", 3, purpose=each) for each in ("aspirations", "marketing")]
    await tell(partial(raw, 1), *again)
    both = ["'house'", "'boat'"]
    assert await named() == {
        f"{HERS}/needs": [], f"{HERS}/aspirations": ["'house'"], f"{HERS}/timeline": both, f"{HERS}/timeline?type=customer.*": both,
        "needs": [], "aspirations": ["'house'"], "refusals": ["'house'"],
    }  # fmt: skip
    assert "'boat'" in str(await clients("needs?purpose=marketing", "ana", "branch"))
    assert await shown_to(engine, customer_key("crm:1"), Viewer("ana"), [watched]) == [watched]


async def test_what_nobody_met_is_listed_over_all_customers_as_each_viewer_may_see_it(
    manager: httpx2.AsyncClient, raw: Callable[..., Raw], engine: AsyncEngine, clients: Callable[..., Any]
) -> None:
    """Breaks if the list and what is told of each customer were not the same, for whoever asks."""
    assert (await manager.post("/v1/relationships", json=parsed(RELATION))).status_code == 201

    def of(customer: int, id_: str, word: str, at: float, **data: Any) -> bytes:
        said = {"by": "ana", "team": "branch"} | data
        return touchpoint(f"{id_}{customer}", f"customer.need.{word}", subject=f"crm:{customer}", time=at_day(at), data=said)

    await tell(
        raw,
        of(1, "o", "observed", 0, need="account-abroad", kind="latent", sure=0.5),
        of(1, "p", "observed", 2, need="account-abroad", kind="inferred", sure=0.5, by="ben", discretion="person"),
        of(1, "q", "probed", 3, need="account-abroad", outcome="unclear"),
        of(2, "o", "observed", 1, need="account-abroad", kind="manifest", discretion="open"),
        of(3, "o", "observed", 1, need="quiet", kind="latent", discretion="open"),
        of(3, "m", "met", 2, need="quiet", discretion="person"),
        of(4, "o", "observed", 1, need="loan", kind="latent", discretion="open"),
        of(4, "m", "met", 2, need="loan", discretion="open"),
        of(5, "o", "observed", 1, need="loan", kind="latent"),
        of(5, "d", "probed", 2, need="loan", outcome="denied"),
    )
    await Projector(engine, [Pictures()]).catch_up()
    for who in (("ana", "branch"), ("ben", "branch"), ("stranger", "call-centre")):
        listed = await clients("needs", *who)
        each_of = {
            (str(key), one["need"], one["kind"], one["state"], one["sure"])
            for key in (customer_key(f"crm:{number}") for number in range(1, 6))
            for one in (await clients(f"customers/{key}/needs", *who))["items"]
            if one["state"] in {"open", "confirmed"}
        }
        assert {tuple(one[name] for name in ("customer", "need", "kind", "state", "sure")) for one in listed["items"]} == each_of
        assert listed["next"] is None
        paged, page = list[Any](), await clients("needs?limit=1", *who)
        while page["next"] is not None:
            paged, page = paged + page["items"], await clients(f"needs?limit=1&cursor={page['next']}", *who)
        assert paged + page["items"] == listed["items"]
    totals = await clients("needs/totals", "ana", "branch")
    assert (totals["kinds"], totals["needs"]) == ({"latent": 1, "manifest": 1}, {"account-abroad": 2})
    assert (await clients("needs/totals?kind=manifest&need=account-abroad", "ana", "branch"))["needs"] == {"account-abroad": 1}
    oldest = (await clients("needs", "ana", "branch"))["items"][0]
    assert (oldest["by"], oldest["probes"], oldest["age_seconds"]) == (["ana"], 1, 20 * 86_400)
    assert (await clients("needs/totals", "stranger"))["needs"] == {"account-abroad": 1, "quiet": 1}, "that it is met is discreet"
    assert len((await clients("needs?kind=latent&need=account-abroad", "ben", "branch"))["items"]) == 1


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
    assert all_["rules"] == "shop"
    assert {name: number for name, number in all_["stages"].items() if number} == {"new": 1, "prospect": 1}
    assert (all_["customers"], all_["loyal"], all_["loyalty_share"], all_["worth"], all_["complaints"]) == (1, 1, 1.0, 15.5, 3)
    assert all_["attachments"] == [{"employee": "ana", "customers": 1, "at_stake": 15.5}]
    (attached,) = (await clients("relationships/attachments?employee=ana", "ben"))["items"]
    assert (attached["customer"], attached["share"], attached["at_stake"]) == (str(customer_key("crm:1")), 0.7143, 15.5)
    assert (await clients("relationships/attachments?employee=ben", "ben"))["items"] == []
    ignored = await clients("feedback", "stranger")
    assert [(each["name"], each["owner"], each["age_seconds"]) for each in ignored["items"]] == [("complaint", "service", 19 * 86_400)]
    assert ignored["counts"]["complaint"] == {"ignored": 2, "answered": 1}
    assert len((await clients("feedback", "ben", "branch"))["items"]) == 2
    assert (await clients("aspirations", "stranger"))["items"] == []
    (house,) = (await clients("aspirations", "ben", "branch"))["items"]
    assert (house["aspiration"], house["due"], house["owner"]) == ("house", True, "branch")
    (seen,) = (await clients("refusals", "stranger"))["items"]
    assert (seen["refused"], seen["unserved"]) == (1, {}), "whose aspiration it is is discreet"
    (cluster,) = (await clients("refusals", "ben", "branch"))["items"]
    assert [cluster[each] for each in ("request", "refused", "unserved", "teams")] == ["mortgage-abroad", 1, {"house": 1}, {"branch": 1}]
    kinds = {each["kind"]: each["outcomes"] for each in (await clients("encounters", "ben"))["items"]}
    assert kinds == {"first": {"open": 2}, "second": {"no": 1}, "third": {"recorded": 1}}
    hers = await clients(f"{HERS}/relationship", "ben", "branch")
    assert (hers["stage"], hers["rules"], hers["worth"]["total"], hers["loyalty"]["leaves_with"]) == ("new", "shop", 15.5, "ana")
    assert round(hers["base"] + sum(each["left"] for each in hers["history"]), 1) == round(hers["score"], 1)


async def test_rules_that_are_retired_count_for_nobody_any_more(
    manager: httpx2.AsyncClient, raw: Callable[..., Raw], engine: AsyncEngine, clients: Callable[..., Any]
) -> None:
    assert (await manager.post("/v1/relationships", json=parsed(RELATION))).status_code == 201
    await tell(raw, sensing("c1", "complaint.made", 1))
    await Projector(engine, [Pictures()]).catch_up()
    assert (await clients("feedback", "ben", "branch"))["items"] != []
    assert (await manager.put("/v1/relationships/shop/retirement")).status_code == 204
    await Projector(engine, [Pictures()]).catch_up()
    assert (await manager.get("/v1/relationships")).json()["rules"] is None
    assert (await clients("feedback", "ben", "branch"))["items"] == []
    assert (await clients(f"{HERS}/relationship", "ben", "branch"))["rules"] == "built-in"
    assert (await manager.put("/v1/journey-maps/never/retirement")).status_code == 404
