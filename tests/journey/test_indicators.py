"""Indicators over REST: worked out by hand, the same as JSON and as CSV, and the same after any crash."""

import csv
import io
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from ruamel.yaml import YAML
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Relay
from services.journey import api
from services.journey.domain import customer_key
from services.journey.privacy.erasure import Asked, Eraser, ask
from services.journey.projections import projector
from services.journey.projections.measuring import Indicators
from services.journey.projections.projector import Projector
from services.journey.records import ACTS
from services.journey.settings import JourneySettings
from tests.driving import NOON, Crash, Raw, rows, touchpoint
from tests.journey.conftest import PARTITIONS
from tests.journey.identities import say, trust
from tests.journey.picture.test_stages import MAP
from tests.journey.test_principles import principle, promise, tell
from tests.journey.told import PROMISES, Telling, fact
from tests.serving import bearer, in_front_of

ANA, BEN, CARD = customer_key("crm:ana"), customer_key("crm:ben"), customer_key("card:7")
DAY = timedelta(days=1)
Get = Callable[..., Any]


@pytest.fixture
async def manager(engine: AsyncEngine, own: JourneySettings, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    relay = Relay(own)
    async with in_front_of(api.build(own, engine, relay), bearer(tmp_path, "manager")) as client:
        yield client
    await relay.close()


@pytest.fixture
def get(manager: httpx2.AsyncClient) -> Get:
    """Read a series as JSON, which is to be what the CSV says."""

    async def read(path: str, **query: Any) -> list[dict[str, Any]]:
        answer = await manager.get(f"/v1/{path}", params=query)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        sheet = await manager.get(f"/v1/{path}", params=query, headers={"accept": "text/csv"})
        lines = list(csv.reader(io.StringIO(sheet.text)))
        assert [[_cell(each.get(name)) for name in lines[0]] for each in items] == lines[1:]
        assert not items or set(lines[0]) == set(items[0])
        return items

    return read


def _cell(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.fixture
def promises(engine: AsyncEngine, settings: JourneySettings) -> Telling:
    return Telling(engine, settings, PROMISES)


async def measure(engine: AsyncEngine) -> None:
    await Projector(engine, [Indicators()]).catch_up()


def said(customer: Any, name: str, word: str, due: datetime | None, verdict: int = 1, **data: Any) -> dict[str, Any]:
    told = {"promise": "card-replaced", "owner": "cards", "segment": None, "due": due and due.isoformat()}
    found = fact(customer, name, word, NOON + verdict * DAY, verdict, **told | data)
    found["data"]["verdict"] = verdict
    return found


async def published(manager: httpx2.AsyncClient) -> None:
    """What a bank's card team promises, what the card centre promises to it, and what they stand for."""
    for each in (principle("mission", sort="mission"), principle("your-time", under="mission"), principle("unheard")):
        assert (await manager.post("/v1/principles", json=each)).status_code == 201
    outward = promise("card-replaced", dimension="timeliness", component="systems", principle="We your-time.", encounter="second")
    inward = promise("card-made", audience="internal", supports=["card-replaced"], dimension="quality", principle="unheard")
    standing: dict[str, Any] = promise("no-more-calls", dimension="quantity")
    standing["spec"]["absence"] = {"when": {"type": "a"}, "never": {"type": "b"}}
    del standing["spec"]["response"]
    for each, owner in ((outward, "cards"), (inward, "card-centre"), (standing, "calls")):
        each["metadata"]["owner"] = owner
        assert (await tell(manager, 1, each)).status_code == 200


def figures(item: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(item[name] for name in names)


async def test_a_quarter_of_a_bank_by_hand(manager: httpx2.AsyncClient, promises: Telling, engine: AsyncEngine, get: Get) -> None:
    """Three cards to replace: one kept, one broken that late evidence corrects, one open; in Caracas midnight is 04:00 UTC."""
    await published(manager)
    before_midnight = datetime(2026, 4, 1, 3, 59, tzinfo=UTC)
    await promises.tell(
        [
            said(ANA, "one", "opened", before_midnight, 0),
            said(ANA, "one", "kept", before_midnight),
            said(ANA, "two", "broken", before_midnight + DAY, segment="gold"),
            said(ANA, "two", "corrected", before_midnight + 2 * DAY, 2, segment="gold", judgement="kept", was="broken"),
            said(BEN, "three", "broken", before_midnight + DAY),
            said(BEN, "four", "opened", NOON + 40 * DAY, 0),
            said(BEN, "five", "excused", before_midnight),
            said(BEN, "one", "kept", before_midnight, promise="card-made", owner="card-centre", audience="internal"),
            said(BEN, "two", "broken", before_midnight, promise="card-made", owner="card-centre", audience="internal"),
        ]
    )
    await measure(engine)
    asked = {"since": "2026-03-01", "until": "2026-05-01", "zone": "America/Caracas", "by": "promise", "audience": "customer"}
    months = await get("indicators", **asked)
    wanted = ("start", "promise", "commitments", "kept", "broken", "excused", "open", "kept_share")
    assert [figures(each, *wanted) for each in months] == [
        ("2026-03-01", "card-replaced", 2, 1, 0, 1, 0, 1.0),
        ("2026-04-01", "card-replaced", 3, 1, 1, 0, 1, 0.5),
    ]
    in_utc = await get("indicators", **asked | {"zone": "UTC"})
    assert [figures(each, "start", "commitments") for each in in_utc] == [("2026-04-01", 5)]
    days = await get("indicators", **asked | {"bucket": "day", "by": ["promise", "segment"]})
    assert [figures(each, "start", "segment", "kept", "broken") for each in days if each["kept"] + each["broken"]] == [
        ("2026-03-31", None, 1, 0), ("2026-04-01", None, 0, 1), ("2026-04-02", "gold", 1, 0),
    ]  # fmt: skip
    for by, value in (("dimension", "timeliness"), ("component", "systems"), ("principle", "your-time"), ("encounter", "second"),
                      ("team", "cards"), ("audience", "customer")):  # fmt: skip
        assert {each[by] for each in await get("indicators", **asked | {"by": by})} == {value}
    inside = await get("indicators", **asked | {"audience": "internal", "by": "team"})
    assert [figures(each, "team", "kept", "broken", "kept_share") for each in inside] == [("card-centre", 1, 1, 0.5)]
    assert await get("indicators", **asked | {"component": "people"}) == []
    mission = (await manager.get("/v1/principles/mission")).json()
    assert [(each["name"], each["kept"]) for each in mission["promises"]] == [
        (
            "card-replaced",
            {"commitments": 5, "kept": 2, "broken": 1, "excused": 1, "kept_share": 0.6667, "kept_low": 0.2077, "kept_high": 0.9385},
        )
    ]


async def test_what_is_kept_so_far_counts_now_and_what_was_never_told_of_is_shown(
    manager: httpx2.AsyncClient, promises: Telling, engine: AsyncEngine, get: Get, raw: Callable[..., Raw]
) -> None:
    await published(manager)
    lane = await raw(0).start()
    lane.add(touchpoint("now", subject="crm:ana", time=(NOON + 70 * DAY).isoformat()), arrival=NOON + 70 * DAY)
    await lane.deliver()
    await promises.tell(
        [
            said(ANA, "one", "opened", None, 0, promise="no-more-calls", owner="calls"),
            said(ANA, "two", "opened", None, 0, promise="met-and-unknown", owner="calls"),
        ]
    )
    await measure(engine)
    found = await get("indicators", by=["promise", "dimension"], since="2026-01-01", team="calls")
    assert [figures(each, "start", "promise", "dimension", "kept", "standing", "open") for each in found] == [
        ("2026-01-01", "met-and-unknown", None, 0, 0, 1), ("2026-05-01", "no-more-calls", "quantity", 1, 1, 0),
    ]  # fmt: skip
    assert (await manager.get("/v1/principles")).json()["never_told"] == ["met-and-unknown"]


async def test_promises_that_are_kept_only_when_it_costs_nothing_are_shown(
    manager: httpx2.AsyncClient, promises: Telling, engine: AsyncEngine, get: Get, raw: Callable[..., Raw]
) -> None:
    await published(manager)
    lane = await raw(0).start()
    for number, (customer, about, cost) in enumerate([("ana", "one", 0), ("ana", "two", 20), ("ben", "three", 5), ("ben", "three", 0)]):
        data = {"promise": "card-replaced", "correlation": about, "cost": cost}
        at = (NOON + timedelta(minutes=number)).isoformat()
        lane.add(touchpoint(f"e{number}", "keeping.priced", subject=f"crm:{customer}", data=data, time=at), arrival=NOON + DAY)
    await lane.deliver()
    await measure(engine)
    due = NOON + 2 * DAY
    await promises.tell([said(ANA, "one", "kept", due), said(ANA, "two", "broken", due), said(BEN, "three", "kept", due)])
    await measure(engine)
    wanted = ("dear_kept", "dear_broken", "dear_share", "cheap_kept", "cheap_broken", "cheap_share", "kept_share")
    assert [figures(each, *wanted) for each in await get("indicators", since="2026-03-01")] == [(0, 1, 0.0, 2, 0, 1.0, 0.6667)]
    lane.add(touchpoint("e9", "keeping.priced", subject="crm:ben", time=(NOON + DAY).isoformat(),
                        data={"promise": "card-replaced", "correlation": "three", "cost": 9}), arrival=NOON + 3 * DAY)  # fmt: skip
    await lane.deliver()
    await measure(engine)
    assert [figures(each, *wanted[:6]) for each in await get("indicators", since="2026-03-01")] == [(1, 1, 0.5, 1, 0, 1.0)]


def answer(number: int, team: str, round_: str, score: int) -> bytes:
    data = {"team": team, "round": round_, "heard": score, "helped": score, "word_kept": 5}
    return touchpoint(f"a{number}", "team.pulse", subject=f"team:{team}", data=data, time=f"{round_}-01T10:00:00Z")


async def test_inward_stands_beside_outward_and_answers_of_few_are_not_shown(
    manager: httpx2.AsyncClient, promises: Telling, engine: AsyncEngine, get: Get, raw: Callable[..., Raw]
) -> None:
    await published(manager)
    lane = await raw(0).start()
    for number in range(5):
        lane.add(answer(number, "cards", "2026-02", 2 + number % 2))
    for number in range(5, 9):
        lane.add(answer(number, "card-centre", "2026-02", 1))
    for number in range(9, 14):
        lane.add(answer(number, "cards", "2026-03", 1))
    lane.add(answer(13, "cards", "2026-03", 1))
    await lane.deliver()
    due = NOON + 2 * DAY
    made: dict[str, Any] = {"promise": "card-made", "owner": "card-centre", "audience": "internal"}
    await promises.tell([said(ANA, "one", "kept", due), said(ANA, "a", "broken", due, **made), said(BEN, "b", "kept", due, **made)])
    await measure(engine)
    assert await get("pulses") == [
        {"round": "2026-02", "team": "card-centre", "shown": False} | dict.fromkeys(("answers", "heard", "helped", "word_kept", "pulse")),
        {"round": "2026-02", "team": "cards", "shown": True, "answers": 5, "heard": 2.4, "helped": 2.4, "word_kept": 5.0, "pulse": 3.27},
        {"round": "2026-03", "team": "cards", "shown": False} | dict.fromkeys(("answers", "heard", "helped", "word_kept", "pulse")),
    ]
    assert await get("indicators/teams", since="2026-03-01") == [
        {
            "start": "2026-03-01", "team": "cards", "outward_kept": 1, "outward_broken": 0, "outward_share": 1.0,
            "outward_low": 0.2065, "outward_high": 1.0, "inward_kept": 1, "inward_broken": 1, "inward_share": 0.5,
            "inward_low": 0.0945, "inward_high": 0.9055, "pulse_round": "2026-02", "pulse_answers": 5, "pulse": 3.27,
        }
    ]  # fmt: skip
    lane.add(touchpoint("later", subject="crm:ana", time=(NOON + 31 * DAY).isoformat()), arrival=NOON + 31 * DAY)
    await lane.deliver()
    over = [each for each in await get("pulses") if each["round"] == "2026-03"]
    assert [figures(each, "team", "shown", "answers", "pulse") for each in over] == [("cards", True, 5, 2.33)]


async def test_the_first_contact_is_a_moment_of_its_own(
    manager: httpx2.AsyncClient, engine: AsyncEngine, get: Get, raw: Callable[..., Raw]
) -> None:
    """Ana is greeted and waits two minutes; Ben leaves before anybody is there, and is attended when he comes again."""
    await published(manager)
    lane = await raw(0).start()
    happened = [
        ("ana", "c1", 0, "begun"), ("ana", "c1", 1, "greeted"), ("ana", "c1", 2, "attended"), ("ana", "c1", 9, "ended"),
        ("ben", "c2", 60, "begun"), ("ben", "c2", 63, "ended"), ("ben", "c2", 64, "attended"),
        ("ben", "c3", 99, "begun"), ("ben", "c3", 99, "attended"),
    ]  # fmt: skip
    for number, (customer, contact, minute, what) in enumerate(reversed(happened)):
        data = {"contact": contact} | ({"channel": "phone"} if what == "begun" else {})
        at = (NOON + timedelta(minutes=minute)).isoformat()
        lane.add(touchpoint(f"e{number}", f"contact.{what}", subject=f"crm:{customer}", data=data, time=at), arrival=NOON + DAY)
        await lane.deliver()
        await measure(engine)
    asked = {"since": "2026-03-01", "by": "channel"}
    (first,), (later,) = await get("indicators/contacts", first="true", **asked), await get("indicators/contacts", first="false", **asked)
    names = ("channel", "contacts", "greeted", "attended", "left", "greeted_share", "attended_share", "seconds_to_human")
    assert figures(first, *names) == ("phone", 2, 1, 1, 1, 0.5, 0.5, 120.0)
    assert figures(later, *names) == ("phone", 1, 0, 1, 0, 0.0, 1.0, 0.0)
    (every,) = await get("indicators/contacts", since="2026-03-01")
    assert figures(every, "contacts", "attended") == (3, 2)


async def test_who_turns_out_to_be_one_person_had_one_first_contact_and_has_two_again_once_that_was_wrong(
    manager: httpx2.AsyncClient, engine: AsyncEngine, get: Get, raw: Callable[..., Raw]
) -> None:
    """Breaks if the card's first contact stayed a first one beside that of whoever holds the card."""
    await published(manager)
    await trust(engine)
    lane = await raw(0).start()
    for number, subject in enumerate(("crm:ana", "card:1", "card:1", "crm:ana")):
        at = (NOON + timedelta(minutes=number)).isoformat()
        lane.add(touchpoint(f"e{number}", "contact.begun", subject=subject, data={"contact": f"c{number}"}, time=at), arrival=NOON + DAY)

    async def firsts() -> list[tuple[int, bool]]:
        await lane.deliver()
        await measure(engine)
        await measure(engine)
        rows = {first: await get("indicators/contacts", since="2026-02-01", first=str(first).lower()) for first in (True, False)}
        return [(sum(each["contacts"] for each in its), first) for first, its in rows.items()]

    assert await firsts() == [(2, True), (2, False)]
    lane.add(say("l", "linked", "crm:ana", "card:1", time=NOON), arrival=NOON + DAY)
    assert await firsts() == [(1, True), (3, False)]
    lane.add(touchpoint("e9", "contact.begun", subject="card:1", data={"contact": "c9"}, time=(NOON - DAY).isoformat()), arrival=NOON + DAY)
    assert await firsts() == [(1, True), (4, False)], "an earlier one that is told of late takes its place"
    lane.add(say("u", "unmerged", "crm:ana", "card:1", time=NOON + timedelta(minutes=5)), arrival=NOON + DAY)
    assert await firsts() == [(2, True), (3, False)]


async def test_a_commitment_counts_in_the_stage_that_names_its_promise_or_takes_its_trigger(
    manager: httpx2.AsyncClient, promises: Telling, engine: AsyncEngine, get: Get
) -> None:
    await published(manager)
    shop: dict[str, Any] = YAML(typ="safe").load(MAP)
    assert (await manager.post("/v1/journey-maps", json=shop)).status_code == 201
    told = [said(ANA, "one", "kept", NOON), said(ANA, "two", "broken", NOON, promise="warranty"), said(BEN, "three", "kept", NOON)]
    told[2]["data"]["trigger"]["type"] = "weather"
    await promises.tell(told)
    await measure(engine)
    found = await get("indicators", by="stage", since="2026-03-01", map="shop")
    assert [figures(each, "stage", "kept", "broken") for each in found] == [("buying", 1, 0), ("outside", 1, 0), ("using", 0, 1)]
    assert await get("indicators", by="stage", since="2026-03-01") == found
    assert (await manager.get("/v1/indicators?by=stage&map=other")).status_code == 422


async def test_counts_stay_when_a_customer_is_forgotten_and_a_price_reaches_whoever_is_one_with_another(
    manager: httpx2.AsyncClient, promises: Telling, engine: AsyncEngine, get: Get, raw: Callable[..., Raw], settings: JourneySettings
) -> None:
    """Breaks if a price told under another identifier of the person were lost, or erasing took counts along."""
    await published(manager)
    async with engine.begin() as connection:
        await connection.execute(text(f"INSERT INTO topology (topic, partitions) VALUES ('makegood.journey', {PARTITIONS})"))
    await trust(engine)
    lane = await raw(0).start()
    lane.add(touchpoint("met", subject="crm:ana"))
    lane.add(touchpoint("too", subject="card:7"))
    lane.add(say("link", "linked", "crm:ana", "card:7"))
    lane.add(touchpoint("priced", "keeping.priced", subject="card:7", data={"promise": "card-replaced", "correlation": "one", "cost": 3}))
    await lane.deliver()
    await promises.tell([said(ANA, "one", "kept", NOON), said(BEN, "two", "kept", NOON)])
    await measure(engine)
    before = await get("indicators", since="2026-03-01")
    assert [figures(each, "kept", "dear_kept") for each in before] == [(2, 1)]
    await ask(engine, settings, Asked(ANA, "request", "ops"))
    await Eraser(engine).finish()
    await measure(engine)
    assert await get("indicators", since="2026-03-01") == before


async def test_a_segment_and_a_channel_that_were_theirs_alone_go_with_a_customer_and_what_others_share_stays(
    manager: httpx2.AsyncClient, promises: Telling, engine: AsyncEngine, get: Get, raw: Callable[..., Raw], settings: JourneySettings
) -> None:
    """Breaks if a name that a segment took from one customer's data, under one key or two, outlived them, or a count went with it."""
    await published(manager)
    await trust(engine)
    async with engine.begin() as connection:
        await connection.execute(text(f"INSERT INTO topology (topic, partitions) VALUES ('makegood.journey', {PARTITIONS})"))
    lane = await raw(0).start()
    ways = [("crm:ana", "her-own"), ("crm:ana", "phone"), ("crm:ben", "phone"), ("card:7", "her-own")]
    for number, (whose, channel) in enumerate(ways):
        data = {"contact": f"c{number}", "channel": channel}
        lane.add(touchpoint(f"e{number}", "contact.begun", subject=whose, data=data), arrival=NOON + DAY)
    lane.add(say("link", "linked", "crm:ana", "card:7"), arrival=NOON + DAY)
    lane.add(touchpoint("p", "keeping.priced", subject="crm:ana", data={"promise": "card-replaced", "correlation": "one", "cost": 3}))
    await lane.deliver()
    words = [("one", ANA, "her own"), ("two", ANA, "gold"), ("three", BEN, "gold"), ("four", BEN, "his own"), ("five", CARD, "her own")]
    await promises.tell([said(whose, name, "kept", NOON, segment=segment) for name, whose, segment in words])
    await measure(engine)
    await ask(engine, settings, Asked(ANA, "request", "ops"))
    await Eraser(engine).finish()
    await measure(engine)
    found = await get("indicators", by="segment", since="2026-03-01")
    assert [figures(each, "segment", "kept", "dear_kept") for each in found] == [("erased", 2, 1), ("gold", 2, 0), ("his own", 1, 0)]
    contacts = await get("indicators/contacts", by="channel", since="2026-03-01")
    assert [figures(each, "channel", "contacts") for each in contacts] == [("erased", 2), ("phone", 2)]
    assert "her" not in repr(await rows(engine, "indicator_groups", "named"))


async def test_nothing_is_counted_until_a_principle_asks_for_it_and_then_everything(
    manager: httpx2.AsyncClient, promises: Telling, engine: AsyncEngine
) -> None:
    await promises.tell([said(ANA, "one", "kept", NOON)])
    await measure(engine)
    before = (await manager.get("/v1/indicators?since=2026-01-01")).json()
    assert (before["measured"], before["items"]) == (False, [])
    await published(manager)
    await measure(engine)
    after = (await manager.get("/v1/indicators?since=2026-01-01")).json()
    assert (after["measured"], after["items"][0]["kept"]) == (True, 1)


async def test_a_crash_counts_nothing_twice(
    manager: httpx2.AsyncClient, promises: Telling, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, raw: Callable[..., Raw]
) -> None:
    """Breaks if pointer and counts did not commit together, or a chunk's end lost what a correction takes back."""
    await published(manager)
    monkeypatch.setattr(projector, "ROWS", 3)
    monkeypatch.setattr(projector, "PACKS", 1)
    lane = await raw(0, ACTS).start()
    for number in range(12):
        lane.add(answer(number, "cards", "2026-02", 3))
    await lane.deliver()
    words: list[dict[str, Any]] = []
    for number in range(30):
        whose, about = (ANA, BEN)[number % 2], str(number // 2)
        words.append(said(whose, about, "broken", NOON + number * DAY))
        if number % 3 == 0:
            words.append(said(whose, about, "corrected", NOON + number * DAY, 2, judgement="kept", was="broken"))
    await promises.tell(words, batch=4)
    left = iter([True, False, True, True, False, False, True])

    def crash_point(name: str) -> None:
        if next(left, False):
            raise Crash(name)

    monkeypatch.setattr(projector, "crash_point", crash_point)
    for _ in range(40):
        with suppress(Crash):
            await Projector(engine, [Indicators()]).step()
    totals = dict(await rows(engine, "indicator_counts WHERE quarter >= 0 GROUP BY what HAVING sum(number) <> 0", "what, sum(number)::int"))
    assert totals == {"answers": 12, "heard": 36, "helped": 36, "word_kept": 60, "kept": 10, "broken": 20}
    assert totals == dict(await rows(engine, "indicator_counts WHERE quarter < 0 AND number <> 0", "what, number"))
    async with engine.connect() as connection:
        gone = await connection.execute(text("SELECT count(*) FROM indicator_counts WHERE number < 0"))
        assert gone.scalar_one() == 0
