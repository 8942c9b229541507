"""The customer's own answer on the status page: theirs alone, once for a case as it stands, and with no script at all."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import orjson
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.rates import Rates
from services.chassis.relay import Relay
from services.journey import api
from services.journey.api import answers
from services.journey.api.answers import AT_ONCE, PACE
from services.journey.settings import JourneySettings
from services.journey.status.answers import Answer
from services.journey.status.page import LANGUAGES
from tests.driving import Raw, touchpoint
from tests.driving import reading as reading_topic
from tests.journey.test_status import ANA, BOB, HTML, linked, of_case
from tests.journey.told import RECOVERY, Telling
from tests.serving import bearer, in_front_of, said, trusting

TOUCHPOINTS = "makegood.touchpoints"
FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}


@pytest.fixture(autouse=True)
async def emptied(topics: Callable[[str], Awaitable[None]]) -> None:
    """Topics that hold nothing."""
    await topics("replay")


@pytest.fixture
async def app(settings: JourneySettings, kafka: str, engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[FastAPI]:
    own = trusting(settings, tmp_path).model_copy(update={"status_secret": SecretStr("s" * 32), "kafka": kafka})
    relay = Relay(own)
    yield api.build(own, engine, relay)
    await relay.close()


@pytest.fixture
async def agent(app: FastAPI, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(app, bearer(tmp_path, "agent")) as client:
        yield client


@pytest.fixture
async def anybody(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(app, {}) as client:
        yield client


@pytest.fixture
async def lane(raw: Callable[..., Raw]) -> Raw:
    """Two customers are known."""
    lane = await raw().start()
    lane.add(touchpoint("a", subject="crm:ana"))
    lane.add(touchpoint("b", subject="crm:bob"))
    await lane.deliver()
    return lane


@pytest.fixture
async def told(lane: Raw, engine: AsyncEngine, settings: JourneySettings) -> Telling:
    """A case of Ana's that was put right."""
    told = Telling(engine, settings, RECOVERY)
    await told.tell([of_case("opened", 40, "open", 0), of_case("owned", 41, "owned", 1), of_case("remedied", 42, "remedied", 2)])
    return told


async def sent(kafka: str) -> list[dict[str, Any]]:
    async with reading_topic(kafka, TOUCHPOINTS) as records:
        return [orjson.loads(each.value or b"") for each in await records()]


async def question(anybody: httpx2.AsyncClient, path: str) -> dict[str, Any]:
    """The case that the page shows."""
    (case,) = (await anybody.get(path)).json()["making_good"]
    shown: dict[str, Any] = case
    return shown


async def test_a_button_of_the_page_is_the_customers_own_touchpoint_and_the_first_answer_counts(
    agent: httpx2.AsyncClient, anybody: httpx2.AsyncClient, told: Telling, lane: Raw, kafka: str
) -> None:
    """Breaks if an answer needed a script, were taken twice, or a second one overruled the first."""
    path = (await linked(agent))["path"]
    page = (await anybody.get(path, headers=HTML)).text
    to = re.findall(r'<form method="post"><input type="hidden" name="to" value="([0-9a-f-]{36})">', page)
    assert re.findall(r'<button name="answer" value="(\w+)">', page) == ["good", "not_good", "nothing_more"]
    async with asyncio.TaskGroup() as group:
        pressed = group.create_task(anybody.post(path, headers=HTML | FORM, content=f"to={to[0]}&answer=good"))
        while not (records := await sent(kafka)):  # noqa: ASYNC110 - Kafka tells nobody
            await asyncio.sleep(0.05)
        (event,) = records
        lane.add(orjson.dumps(event))
        await lane.deliver()
    answer = pressed.result()
    assert (answer.status_code, f"/v1/status/{answer.headers['location']}") == (303, path)
    assert {name: event[name] for name in ("id", "type", "subject", "source")} == {
        "id": to[0], "type": "customer.confirmed", "subject": f"customer:{ANA}", "source": "makegood/journey",
    }  # fmt: skip
    after = (await anybody.get(path, headers=HTML)).text
    assert LANGUAGES["en"].given in after
    assert "<form" not in after
    again = await anybody.post(path, json={"to": to[0], "answer": "not_good"})
    assert (again.status_code, again.json()) == (200, {"to": to[0], "answer": "good"})
    assert len(await sent(kafka)) == 1


async def test_an_answer_that_is_on_its_way_is_thanked_for(
    agent: httpx2.AsyncClient, anybody: httpx2.AsyncClient, told: Telling, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if who answers on a busy day were shown the buttons again, as if nothing had been said."""
    monkeypatch.setattr(answers, "SHOWN_WITHIN", 0.0)
    path = (await linked(agent))["path"]
    to = (await question(anybody, path))["question"]["id"]
    pressed = await anybody.post(path, headers=HTML | FORM, content=f"to={to}&answer=not_good")
    assert (pressed.status_code, "<form" in pressed.text) == (200, False)
    assert f"{LANGUAGES['en'].given} <b>{LANGUAGES['en'].answers[Answer.NOT_GOOD]}</b>" in pressed.text
    assert [each["id"] for each in await sent(kafka)] == [to]


async def test_each_standing_of_a_case_asks_anew_and_what_is_past_is_not_answered(
    agent: httpx2.AsyncClient, anybody: httpx2.AsyncClient, told: Telling, kafka: str
) -> None:
    path = (await linked(agent))["path"]
    first = (await question(anybody, path))["question"]
    await told.tell([of_case("disputed", 43, "owned", 3)])
    working = (await question(anybody, path))["question"]
    await told.tell([of_case("remedied", 44, "remedied", 4)])
    second = (await question(anybody, path))["question"]
    assert len({first["id"], working["id"], second["id"]}) == 3
    assert (working["answers"], second["answers"]) == (["nothing_more"], list(Answer))
    late = await anybody.post(path, json={"to": first["id"], "answer": "good"})
    assert (late.status_code, said(late)["type"]) == (409, "urn:makegood:problem:case-moved-on")
    await told.tell([of_case("restored", 45, "restored", 5)])
    assert (await question(anybody, path))["question"]["answers"] == []
    assert (await anybody.post(path, json={"to": second["id"], "answer": "good"})).status_code == 409
    assert await sent(kafka) == []


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        ("to={to}&answer=good", FORM | {"sec-fetch-site": "cross-site"}, 403),
        ("to={to}&answer=good", FORM | {"sec-fetch-site": "same-site"}, 403),
        ("to={to}&answer=splendid", FORM, 422),
        ("to={to}", FORM, 422),
        ("to={to}&answer=good&answer=not_good", FORM, 422),
        ("to={other}&answer=good", FORM, 409),
        ("{{", {"content-type": "application/json"}, 400),
        ("[]", {"content-type": "application/json"}, 422),
        ("\xff", FORM, 400),
        ("to={to}&answer=good", {"content-type": "text/plain"}, 415),
        ("x" * 5000, FORM, 422),
    ],
)
async def test_what_is_no_answer_of_theirs_is_refused_and_sends_nothing(
    agent: httpx2.AsyncClient, anybody: httpx2.AsyncClient, told: Telling, kafka: str, content: str, headers: dict[str, str], status: int
) -> None:
    path = (await linked(agent))["path"]
    to = (await question(anybody, path))["question"]["id"]
    body = content.format(to=to, other=uuid4()) if "{to" in content or "{other" in content else content
    answer = await anybody.post(path, headers=headers, content=body.encode("latin-1"))
    assert answer.status_code == status, answer.text
    assert await sent(kafka) == []


async def test_nobody_answers_for_another(agent: httpx2.AsyncClient, anybody: httpx2.AsyncClient, told: Telling, kafka: str) -> None:
    hers, his = (await linked(agent))["path"], (await linked(agent, BOB))["path"]
    to = (await question(anybody, hers))["question"]["id"]
    assert (await anybody.post(his, json={"to": to, "answer": "good"})).status_code == 409
    assert (await anybody.post("/v1/status/e30.e30.e30", json={"to": to, "answer": "good"})).status_code == 404
    gone = await anybody.post("/v1/status/e30.e30.e30", headers=HTML | FORM, content=f"to={to}&answer=good")
    assert (gone.status_code, LANGUAGES["en"].gone in gone.text) == (404, True)
    assert await sent(kafka) == []


async def test_a_link_that_answers_too_often_is_asked_to_wait(
    agent: httpx2.AsyncClient, anybody: httpx2.AsyncClient, told: Telling
) -> None:
    path = (await linked(agent))["path"]
    answers = [await anybody.post(path, json={"to": str(uuid4()), "answer": "good"}) for _ in range(AT_ONCE + 1)]
    assert [each.status_code for each in answers] == [409] * AT_ONCE + [429]
    assert answers[-1].headers["retry-after"] == str(int(PACE))


def test_a_link_has_an_answer_again_after_a_while_and_each_link_its_own() -> None:
    now = 0.0
    answers = Rates(1 / PACE, AT_ONCE, lambda: now)
    assert [answers.take("one") for _ in range(AT_ONCE + 2)] == [0] * AT_ONCE + [PACE, PACE]
    assert answers.take("other") == 0
    now = PACE
    assert [answers.take("one"), answers.take("one")] == [0, PACE]
    now = 3 * PACE
    assert answers.take("one") == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_a_word_for_every_answer(language: str) -> None:
    assert LANGUAGES[language].answers.keys() == set(Answer)
