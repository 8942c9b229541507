"""Status links: who has one sees what was promised to them and where it stands, and nothing else."""

import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import httpx2
import orjson
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as some
from pydantic import SecretStr, ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.relay import Relay
from services.journey import api
from services.journey.domain import customer_key
from services.journey.settings import JourneySettings
from services.journey.status import links
from services.journey.status.links import NoSecretError, Ticket
from services.journey.status.making_good import Step
from services.journey.status.page import LANGUAGES, language_of
from services.journey.status.stands import Stand
from tests.driving import NOON, Raw, touchpoint
from tests.journey.told import PROMISES, RECOVERY, Telling, at, case, commitment, fact
from tests.serving import bearer, in_front_of, said, trusting

ANA, BOB = customer_key("crm:ana"), customer_key("crm:bob")
HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
CANARY = "canary-internal"


@pytest.fixture
async def app(settings: JourneySettings, engine: AsyncEngine, tmp_path: Path) -> FastAPI:
    own = trusting(settings, tmp_path).model_copy(update={"status_secret": SecretStr("s" * 32)})
    return api.build(own, engine, Relay(own))


@pytest.fixture
async def agent(app: FastAPI, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(app, bearer(tmp_path, "agent")) as client:
        yield client


@pytest.fixture
async def anybody(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(app, {}) as client:
        yield client


@pytest.fixture
async def known(raw: Callable[..., Raw], engine: AsyncEngine, settings: JourneySettings) -> Telling:
    """Two customers with promises of every kind, and where more can be told of them."""
    lane = await raw().start()
    zone = {"data": {"attributes": {"zone": "America/Caracas", "note": CANARY}}}
    lane.add(touchpoint("z", "customer.described", subject="crm:ana", **zone))
    lane.add(touchpoint("b", subject="crm:bob"))
    await lane.deliver()
    facts = []
    for number, (word, judgement) in enumerate([
        ("opened", "on_track"), ("kept", "kept"), ("broken", "broken"), ("withdrawn", "withdrawn"), ("excused", "excused"),
        ("held", "held"),
    ]):  # fmt: skip
        data = {"judgement": judgement, "due": at(60 + number).isoformat(), "owner": CANARY, "segment": CANARY, "playbook": CANARY}
        facts.append(fact(ANA, f"{CANARY}{number}", word, at(number), 1, statement=f"Word {number} & <b>bold</b>.", **data))
    facts.append(fact(ANA, "inside", "opened", NOON, audience="internal", statement=CANARY))
    facts.append(fact(BOB, "others", "opened", NOON, statement=CANARY))
    promises = Telling(engine, settings, PROMISES)
    await promises.tell(facts)
    return promises


async def linked(agent: httpx2.AsyncClient, customer: UUID = ANA, **asked: Any) -> dict[str, Any]:
    answer = await agent.post(f"/v1/customers/{customer}/status-links", json=asked)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_who_has_the_link_sees_what_was_promised_to_them_and_nothing_else(
    agent: httpx2.AsyncClient, anybody: httpx2.AsyncClient, known: Telling
) -> None:
    """Breaks if an internal promise, another's, or a word of how we work reached the customer."""
    link = await linked(agent)
    answer = await anybody.get(link["path"])
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    shown = answer.json()
    stands = {each["statement"].removeprefix("Word ")[0]: each["stand"] for each in shown["items"]}
    assert stands == {"0": "open", "1": "kept", "2": "broken", "3": "ended", "4": "excused", "5": "checking"}
    assert [each["statement"][5] for each in shown["items"]] == ["0", "5", "4", "3", "2", "1"]
    assert shown["zone"] == "America/Caracas"
    assert shown["items"][0]["due"] == "2026-03-01T09:00:00-04:00"
    assert [each["due"] is None for each in shown["items"]] == [False, False, True, True, True, True]
    page = await anybody.get(link["path"], headers=HTML)
    for text in (answer.text, page.text):
        assert CANARY not in text
        assert str(ANA) not in text
        assert "delivered-in-two-days" not in text


def of_case(word: str, minutes: float, state: str, number: int, **data: Any) -> dict[str, Any]:
    """What recovery says of Ana's case, with what is none of hers."""
    body = case(ANA, word, at(minutes), number)
    said = {
        "case": str(uuid5(ANA, "case")),
        "customer": str(ANA),
        "state": state,
        "owner": CANARY,
        "severity": "critical",
        "reason": CANARY,
    }
    return body | {"data": said | data}


async def test_who_was_failed_reads_how_far_it_is_made_good_and_the_next_date(
    agent: httpx2.AsyncClient, anybody: httpx2.AsyncClient, known: Telling, raw: Callable[..., Raw], engine: AsyncEngine,
    settings: JourneySettings,
) -> None:  # fmt: skip
    """Breaks if a case's owner, severity or reason reached the customer, or if a pledge that is done were still announced."""
    failed = str(commitment(ANA, f"{CANARY}2"))
    pledge = {"id": str(uuid4()), "due": at(300).isoformat()}
    acts = await raw(topic="makegood.acts").start()
    made = {"case_id": str(uuid4()), "pledge_id": pledge["id"], "what": "We bring <it> to your door.", "due": pledge["due"]}
    acts.add(touchpoint("p", "recovery.pledge.made", subject=f"customer:{ANA}", source="makegood/recovery", data=made))
    await acts.deliver()
    owed = fact(ANA, pledge["id"], "opened", at(30), statement="What we tell you we do.", due=pledge["due"])
    await known.tell([owed])
    told, link = Telling(engine, settings, RECOVERY), await linked(agent)
    ways: tuple[tuple[str, str, dict[str, Any], str, datetime | None], ...] = (
        ("opened", "open", {"failure": {"commitment": failed, "promise": CANARY, "severity": "critical"}}, "seen", None),
        ("owned", "owned", {}, "in_hand", None),
        ("pledged", "owned", {"pledge": pledge}, "in_hand", at(300)),
        ("escalated", "owned", {}, "in_hand", at(300)),
        ("pledge_fulfilled", "owned", {"pledge": pledge}, "in_hand", None),
        ("remedied", "remedied", {}, "put_right", None),
        ("confirmed", "confirmed", {}, "confirmed", None),
        ("watching", "watching", {}, "confirmed", None),
        ("restored", "restored", {}, "made_good", None),
    )
    since = dict[str, int]()
    for number, (word, state, data, step, date) in enumerate(ways):
        await told.tell([of_case(word, 40 + number, state, number, **data)])
        answer, page = await anybody.get(link["path"]), await anybody.get(link["path"], headers=HTML)
        (shown,) = answer.json()["making_good"]
        assert (shown["about"], shown["step"]) == (["Word 2 & <b>bold</b>."], step)
        assert datetime.fromisoformat(shown["since"]) == at(40 + since.setdefault(step, number))
        assert (None if shown["next"] is None else datetime.fromisoformat(shown["next"])) == date
        assert shown["pledged"] == (None if date is None else "We bring <it> to your door.")
        assert "We bring <it> to your door." in [each["statement"] for each in answer.json()["items"]]
        assert "We bring &lt;it&gt; to your door." in page.text
        assert LANGUAGES["en"].steps[Step(step)] in page.text
        for text in (answer.text, page.text):
            assert CANARY not in text
            assert "critical" not in text


async def test_what_was_promised_many_times_and_has_no_date_is_told_once(
    agent: httpx2.AsyncClient, anybody: httpx2.AsyncClient, known: Telling
) -> None:
    """Breaks if whoever called fifty times were shown fifty times that what is closed stays closed."""
    await known.tell([fact(BOB, f"c{number}", "opened", at(number), statement="It stays closed.", due=None) for number in (3, 1, 2)])
    link = await linked(agent, BOB)
    items = (await anybody.get(link["path"])).json()["items"]
    assert [(each["statement"], each["times"]) for each in items] == [(CANARY, 1), ("It stays closed.", 3)]
    assert "\u00d7\u202f3" in (await anybody.get(link["path"], headers=HTML)).text


async def test_a_case_that_was_none_is_nothing_to_the_customer(
    agent: httpx2.AsyncClient, anybody: httpx2.AsyncClient, known: Telling, engine: AsyncEngine, settings: JourneySettings
) -> None:
    told = Telling(engine, settings, RECOVERY)
    await told.tell([of_case("opened", 40, "open", 0), of_case("withdrawn", 41, "withdrawn", 1)])
    assert (await anybody.get((await linked(agent))["path"])).json()["making_good"] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_a_word_for_wherever_something_stands(language: str) -> None:
    words = LANGUAGES[language]
    assert words.steps.keys() == set(Step)
    assert words.stands.keys() == set(Stand)


async def test_the_page_needs_nothing_else_and_runs_nothing(agent: httpx2.AsyncClient, anybody: httpx2.AsyncClient, known: Telling) -> None:
    link = await linked(agent)
    answer = await anybody.get(link["path"], headers=HTML)
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "Word 0 &amp; &lt;b&gt;bold&lt;/b&gt;." in answer.text
    assert not re.search(r"<script|<link|<img|src=|href=|url\(|@import| on\w+=", answer.text)
    assert link["token"] not in answer.text


async def test_the_page_speaks_the_language_that_was_asked_for(
    agent: httpx2.AsyncClient, anybody: httpx2.AsyncClient, known: Telling
) -> None:
    link = await linked(agent, zone="Europe/Berlin")
    for accepted, language, date in (
        ("de-AT,de;q=0.9,en;q=0.8", "de", 'Bis <b><time datetime="2026-03-01T14:00:00+01:00">Sonntag, 1. März 2026, 14:00\u00a0Uhr'),
        ("fr, es;q=0.5", "es", "domingo, 1 de marzo de 2026, 14:00"),
        ("fr", "en", "Sunday, 1 March 2026, 14:00"),
    ):  # fmt: skip
        text = (await anybody.get(link["path"], headers=HTML | {"accept-language": accepted})).text
        assert f'lang="{language}"' in text
        assert date in text


@given(some.text())
def test_whatever_languages_are_asked_for_one_of_ours_is_spoken(accepted: str) -> None:
    assert language_of(accepted) in LANGUAGES


async def test_a_link_that_is_wrong_foreign_over_or_revoked_answers_alike(
    agent: httpx2.AsyncClient, anybody: httpx2.AsyncClient, app: FastAPI, known: Telling
) -> None:
    """Breaks if an answer told a link that never was from one that is over."""
    secret = links.secret_of(app.state.settings)
    other = links.secret_of(app.state.settings.model_copy(update={"status_secret": SecretStr("t" * 32)}))
    link, now = await linked(agent), datetime.now(UTC)
    good, revoked = link["token"], await linked(agent)
    assert (await agent.delete(f"/v1/customers/{ANA}/status-links/{revoked['id']}")).status_code == 204
    over = await linked(agent)
    async with app.state.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE status_links SET expires = now() - interval '1 hour' WHERE id = $1", (UUID(over["id"]),))
    tokens = [
        "x", good[:-5] + ("A" if good[-5] != "A" else "B") + good[-4:], good.replace(".", "", 1), revoked["token"], over["token"],
        links.sign(Ticket(UUID(link["id"]), now - timedelta(seconds=1)), secret),
        links.sign(Ticket(UUID(link["id"]), now + timedelta(days=1)), other),
        links.sign(Ticket(uuid4(), now + timedelta(days=1)), secret),
    ]  # fmt: skip
    answers = [await anybody.get(f"/v1/status/{token}") for token in tokens]
    assert {each.status_code for each in answers} == {404}
    assert len({orjson.dumps(said(each) | {"instance": ""}) for each in answers}) == 1
    pages = [await anybody.get(f"/v1/status/{token}", headers=HTML) for token in tokens]
    assert {each.status_code for each in pages} == {404}
    assert len({each.text for each in pages}) == 1
    assert (await anybody.get(f"/v1/status/{good}")).status_code == 200


@given(some.text(alphabet=some.characters(blacklist_categories=["Cs"]), max_size=200))
def test_no_text_opens_anything(token: str) -> None:
    settings = JourneySettings(kafka="k:1", database="postgresql://d", status_secret=SecretStr("s" * 32))
    assert links.read(token, links.secret_of(settings), datetime.now(UTC)) is None


async def test_links_are_listed_without_what_opens_them_and_revoked_once(agent: httpx2.AsyncClient, known: Telling) -> None:
    first, second = await linked(agent, days=3), await linked(agent)
    path = f"/v1/customers/{ANA}/status-links"
    assert (await agent.delete(f"{path}/{first['id']}")).status_code == 204
    before = (await agent.get(path)).json()["items"]
    assert (await agent.delete(f"{path}/{first['id']}")).status_code == 204
    assert (await agent.get(path)).json()["items"] == before
    revoked = {each["id"]: each["revoked_by"] for each in before}
    assert revoked == {first["id"]: "ana", second["id"]: None}
    assert first["token"] not in orjson.dumps(before).decode()
    made, over = (datetime.fromisoformat(first[name]) for name in ("made_at", "expires"))
    assert over - made == timedelta(days=3)
    assert (await agent.delete(f"/v1/customers/{BOB}/status-links/{second['id']}")).status_code == 404


@pytest.mark.parametrize(
    "asked", [{"days": 0}, {"days": 91}, {"zone": "Mars/Base"}, {"zone": "../../etc/passwd"}, {"zone": ""}, {"more": 1}]
)
async def test_a_link_that_cannot_be_is_not_made(agent: httpx2.AsyncClient, known: Telling, asked: dict[str, Any]) -> None:
    assert (await agent.post(f"/v1/customers/{ANA}/status-links", json=asked)).status_code == 422


async def test_for_somebody_whom_nobody_knows_there_is_no_link(agent: httpx2.AsyncClient) -> None:
    assert (await agent.post(f"/v1/customers/{uuid4()}/status-links", json={})).status_code == 404


async def test_only_those_who_serve_customers_may_give_links_away(app: FastAPI, tmp_path: Path, known: Telling) -> None:
    for roles, status in ((None, 401), (["auditor"], 403), (["customer"], 403), (["system"], 201)):
        async with in_front_of(app, {} if roles is None else bearer(tmp_path, *roles)) as client:
            assert (await client.post(f"/v1/customers/{ANA}/status-links", json={})).status_code == status


async def test_without_a_secret_no_link_is_made_or_opened_outside_the_local_stack(
    settings: JourneySettings, engine: AsyncEngine, tmp_path: Path, known: Telling
) -> None:
    bare = trusting(settings, tmp_path)
    with pytest.raises(NoSecretError):
        links.secret_of(bare)
    links.secret_of(bare.model_copy(update={"env": "local"}))
    with pytest.raises(ValidationError):
        JourneySettings(kafka="k:1", database="postgresql://d", status_secret=SecretStr("short"))
    async with in_front_of(api.build(bare, engine, Relay(bare)), bearer(tmp_path, "agent")) as client:
        answer = await client.post(f"/v1/customers/{ANA}/status-links", json={})
        assert (answer.status_code, said(answer)["type"]) == (409, "urn:makegood:problem:no-status-secret")
        assert (await client.get("/v1/status/x")).status_code == 404
