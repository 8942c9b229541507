"""One person's timeline: everything once, in one order, on pages of any size, behind any filter; and the way ahead."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Relay
from services.journey import api
from services.journey.domain import customer_key
from services.journey.settings import JourneySettings
from tests.driving import NOON, Raw, touchpoint
from tests.journey.conftest import ORDER, declare
from tests.journey.told import PROMISES, RECOVERY, Telling, at, case, commitment, fact, pages
from tests.serving import bearer, in_front_of, trusting

ANA, BOB = customer_key("crm:ana"), customer_key("crm:bob")
KINDS = ["touchpoint", "promise", "case", "pledge", "feedback", "gesture", "hold"]
TYPES = ["order.placed", "order.delivered", "order.*", "*.sent", "makegood.commitment.kept", "makegood.*", "nothing", "feed_back%"]


@pytest.fixture
async def app(settings: JourneySettings, engine: AsyncEngine, tmp_path: Path) -> FastAPI:
    own = trusting(settings, tmp_path)
    return api.build(own, engine, Relay(own))


@pytest.fixture
async def agent(app: FastAPI, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(app, bearer(tmp_path, "agent")) as client:
        yield client


@pytest.fixture
def told(engine: AsyncEngine, settings: JourneySettings) -> Callable[[str], Telling]:
    return lambda topic: Telling(engine, settings, topic)


async def a_past(raw: Callable[..., Raw], engine: AsyncEngine, told: Callable[[str], Telling]) -> list[dict[str, Any]]:
    """Live through much under two keys that turn out to be one person's; what was sent, as it should be shown."""
    chance, sent = Random(5), []
    await declare(engine, "order.placed", ORDER)
    lanes = [await raw(each).start() for each in range(2)]
    for number in range(80):
        type_ = chance.choice(["order.placed", "order.delivered", "feedback.given", "mail.sent", "recovery.pledge.made"])
        time, arrival = at(chance.randrange(40)), at(60 + number // 4)
        whose: dict[str, Any] = {"subject": "crm:ana"} if number > 40 or not number else {"subject": None, "data": {"order": "o1"}}
        if 0 < number <= 40:
            type_ = "order.placed"
        if number == 41:
            type_, whose["data"] = "order.placed", {"order": "o1"}
        inner = {"type": chance.choice(["order.delivered", "mail.sent"])} | whose.get("data", {})
        lanes[number % 2].add(touchpoint(f"e{number}", type_, time=time.isoformat(), **whose | {"data": inner}), arrival=arrival)
        sent.append({"id": f"e{number}", "type": type_, "time": time, "arrival": arrival})
        if number in {0, 40, 41}:
            for each in lanes:
                await each.deliver()
    lanes[0].add(touchpoint("others", subject="crm:bob"))
    for each in lanes:
        await each.deliver()
    words = ("opened", "at_risk", "kept", "broken", "held")
    facts = [fact(chance.choice([ANA, ANA, ANA, customer_key("order:o1")]), f"c{n}", chance.choice(words), at(n // 9)) for n in range(100)]
    await told(PROMISES).tell([*facts, fact(BOB, "c", "opened", NOON)], batch=11)
    cases = [case(ANA, chance.choice(["opened", "pledged", "owned", "pledge_kept"]), at(n), n) for n in range(30)]
    await told(RECOVERY).tell(cases)
    for body in [*facts, *cases]:
        time = datetime.fromisoformat(body["time"])
        sent.append({"id": body["id"], "type": body["type"], "time": time, "arrival": time})
    return sent


def kind(type_: str) -> str:
    """As the README has it."""
    for beginning, found in (("makegood.commitment", "promise"), ("makegood.case.pledge", "pledge"), ("makegood.case", "case"),
                             ("recovery.pledge", "pledge"), ("feedback", "feedback")):  # fmt: skip
        if type_.startswith(beginning):
            return found
    return "touchpoint"


SHAPE = {"deadline": None, "max_examples": 25, "phases": [Phase.generate], "suppress_health_check": list(HealthCheck)}


@some.composite
def filters(draw: some.DrawFn) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "kind": draw(some.lists(some.sampled_from(KINDS), max_size=2)), "type": draw(some.lists(some.sampled_from(TYPES), max_size=2)),
    }  # fmt: skip
    for name in ("from", "to", "arrived_from", "arrived_to"):
        if draw(some.integers(0, 3)) == 0:
            asked[name] = at(draw(some.integers(0, 40)) + (60 if "arrived" in name else 0)).isoformat()
    return asked


def expected(sent: list[dict[str, Any]], asked: dict[str, Any]) -> list[str]:
    """The ids that a filter lets through; an oracle of plain comparisons over what was sent."""
    edges = {"from": NOON - timedelta(days=9), "to": NOON + timedelta(days=9)}
    edges |= {"arrived_from": edges["from"], "arrived_to": edges["to"]}
    since, until, arrived, gone = (datetime.fromisoformat(asked[name]) if name in asked else edge for name, edge in edges.items())
    return sorted(
        each["id"] for each in sent
        if since <= each["time"] < until and arrived <= each["arrival"] < gone
        and (not asked["kind"] or kind(each["type"]) in asked["kind"])
        and (not asked["type"] or any(fnmatchcase(each["type"], name) for name in asked["type"]))
    )  # fmt: skip


class Past(list[dict[str, Any]]):
    """What was sent to one person."""

    def __repr__(self) -> str:
        return f"{len(self)} entries"


@pytest.fixture
async def past(raw: Callable[..., Raw], engine: AsyncEngine, told: Callable[[str], Telling]) -> Past:
    return Past(await a_past(raw, engine, told))


@settings(**SHAPE)  # type: ignore[arg-type]
@given(
    asked=filters(), size=some.sampled_from([2, 7, 50, 1000]), order=some.sampled_from(["oldest", "newest"]),
    key=some.sampled_from([ANA, customer_key("order:o1")]),
)  # fmt: skip
async def test_pages_of_any_size_behind_any_filter_make_up_the_whole(
    agent: httpx2.AsyncClient, past: Past, asked: dict[str, Any], size: int, order: str, key: UUID
) -> None:
    """Breaks on an entry that a page edge, a filter or the second key of a person repeats or hides."""
    found = await pages(agent, key, limit=size, order=order, **asked)
    assert sorted(each["id"] for each in found) == expected(past, asked)
    times = [each["time"] for each in found]
    assert times == sorted(times, reverse=order == "newest")
    assert all(each["kind"] == kind(each["type"]) for each in found)


@settings(**SHAPE)  # type: ignore[arg-type]
@given(size=some.integers(3, 60), order=some.sampled_from(["oldest", "newest"]), turns=some.lists(some.booleans(), max_size=12))
async def test_paging_back_shows_what_was_shown_before(
    agent: httpx2.AsyncClient, past: Past, size: int, order: str, turns: list[bool]
) -> None:
    """Breaks if a page read backwards stood in another order, or began a place too far on."""
    whole = [each["id"] for each in await pages(agent, ANA, limit=1000, order=order)]
    page = (await agent.get(f"/v1/customers/{ANA}/timeline", params={"limit": size, "order": order})).json()
    start = 0
    for onwards in turns:
        cursor = page["next" if onwards else "previous"]
        assert (cursor is not None) == ((start + len(page["items"]) < len(whole)) if onwards else (start > 0))
        if cursor is None:
            continue
        here = len(page["items"])
        page = (await agent.get(f"/v1/customers/{ANA}/timeline", params={"limit": size, "order": order, "cursor": cursor})).json()
        start = start + here if onwards else max(start - size, 0)
        assert [each["id"] for each in page["items"]] == whole[start : start + len(page["items"])]
        assert page["items"]


async def test_what_arrives_while_somebody_pages_neither_repeats_nor_hides_anything(
    agent: httpx2.AsyncClient, past: Past, raw: Callable[..., Raw]
) -> None:
    before = [each["id"] for each in await pages(agent, ANA, limit=1000)]
    lane, found = await raw(2).start(), []
    cursor: dict[str, str] = {}
    for number in range(100):
        lane.add(touchpoint(f"new{number}", subject="crm:ana", time=at(number % 40).isoformat()), arrival=at(90))
        await lane.deliver()
        page = (await agent.get(f"/v1/customers/{ANA}/timeline", params={"limit": "9"} | cursor)).json()
        found += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert len(found) == len(set(found))
    assert [each for each in found if not each.startswith("new")] == before


async def test_of_what_one_person_s_keys_each_have_a_copy_of_one_is_shown(agent: httpx2.AsyncClient, past: Past) -> None:
    """Breaks if evidence for the other key were shown beside the event itself."""
    found = await pages(agent, ANA)
    assert len(found) == len({each["id"] for each in found}) == len(past)
    assert {UUID(each["customer"]) for each in found} == {ANA, customer_key("order:o1")}


async def test_a_customer_is_read_by_any_key_with_all_that_leads_to_them(agent: httpx2.AsyncClient, past: Past) -> None:
    by_thing, by_person = [(await agent.get(f"/v1/customers/{key}")).json() for key in (customer_key("order:o1"), ANA)]
    assert by_thing == by_person
    assert by_person["keys"] == [str(ANA), str(customer_key("order:o1"))]
    assert by_person["identifiers"] == ["crm:ana", "order:o1"]
    assert not by_person["provisional"]
    assert (await agent.get(f"/v1/customers/{customer_key('nobody')}")).status_code == 404


async def test_the_way_ahead_is_what_is_open_and_when_it_is_due(agent: httpx2.AsyncClient, told: Callable[[str], Telling]) -> None:
    """Breaks if what was decided were still due, or a correction that opens a commitment again were taken for a verdict."""

    def due(hours: float) -> str:
        return (NOON + timedelta(hours=hours)).isoformat()

    def all_of(name: str, *said: tuple[str, str], hours: float | None = 1.0) -> list[dict[str, Any]]:
        state = {"due": None if hours is None else due(hours)}
        return [fact(ANA, name, word, at(n), n, judgement=judgement, **state) for n, (word, judgement) in enumerate(said)]

    opened = ("opened", "on_track")
    await told(PROMISES).tell(
        [
            *all_of("kept", opened, ("kept", "kept")),
            *all_of("late", opened, ("at_risk", "at_risk"), ("held", "held"), hours=3),
            *all_of("soon", opened, hours=2),
            *all_of("stands", opened, hours=None),
            *all_of("moved", opened, hours=1),
            fact(ANA, "moved", "moved", at(9), 0, judgement="on_track", due=due(4)),
            *all_of("again", opened, ("broken", "broken"), ("corrected", "on_track"), hours=1),
            *all_of("decided-again", opened, ("broken", "broken"), ("corrected", "kept")),
            *all_of("aside", opened, ("kept", "kept"), ("rejudged", "broken")),
            *all_of("off", opened, ("withdrawn", "withdrawn")),
            fact(BOB, "other", "opened", NOON),
        ],
        batch=3,
    )
    assert (await agent.get(f"/v1/customers/{ANA}/timeline")).json()["ahead"] is None
    ahead = (await agent.get(f"/v1/customers/{ANA}/timeline?ahead=true&limit=1")).json()["ahead"]
    assert [(each["correlation"], each["judgement"]) for each in ahead] == [
        ("again", "on_track"), ("soon", "on_track"), ("late", "held"), ("moved", "on_track"), ("stands", "on_track"),
    ]  # fmt: skip
    assert [each["due"] and datetime.fromisoformat(each["due"]) for each in ahead] == [
        NOON + timedelta(hours=1), NOON + timedelta(hours=2), NOON + timedelta(hours=3), NOON + timedelta(hours=4), None,
    ]  # fmt: skip
    assert ahead[1]["commitment"] == str(commitment(ANA, "soon"))
    assert ahead[1]["promise"] == "delivered-in-two-days"
