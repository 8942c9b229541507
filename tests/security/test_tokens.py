"""Who comes in with a token: every kind of bad one that is known, at every service, and the good ones."""

import json
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from services import journey, promises, recovery
from services.chassis.database import create_engine
from services.chassis.relay import Relay
from services.chassis.settings import Settings
from services.chassis.tokens import KeysAtAddress, read_keys
from services.journey import api as journey_api
from services.journey.settings import JourneySettings
from services.promises import api as promises_api
from services.promises.settings import PromisesSettings
from services.recovery import api as recovery_api
from services.recovery.settings import RecoverySettings
from services.workbench.api.page import _session
from tests.security.bad_tokens import AUDIENCE, ISSUER, Forge, bad, claims, good, made
from tests.serving import in_front_of

FORGE = Forge()
BAD = dict(bad(FORGE))
GOOD = dict(good(FORGE))
NOWHERE: dict[str, Any] = {
    "kafka": "127.0.0.1:9",
    "database": "postgresql://nobody:nothing@127.0.0.1:9/none",
    "issuer": ISSUER,
    "audience": AUDIENCE,
}


def _journey(told: dict[str, Any]) -> FastAPI:
    settings = JourneySettings(**told, env="local")
    return journey_api.build(settings, create_engine(settings, "journey"), Relay(settings))


def _promises(told: dict[str, Any]) -> FastAPI:
    settings = PromisesSettings(**told)
    return promises_api.build(settings, create_engine(settings, "promises"), Relay(settings))


def _recovery(told: dict[str, Any]) -> FastAPI:
    settings = RecoverySettings(**told)
    return recovery_api.build(settings, create_engine(settings, "recovery"))


SERVICES: dict[str, Callable[[dict[str, Any]], FastAPI]] = {
    journey.__name__: _journey, promises.__name__: _promises, recovery.__name__: _recovery,
}  # fmt: skip


@pytest.fixture(params=SERVICES, scope="module")
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """A service without a database: who comes in gets a 503, and who does not never comes so far."""
    jwks = tmp_path_factory.mktemp("keys") / "jwks.json"
    jwks.write_text(json.dumps(FORGE.jwks()))
    return SERVICES[request.param](NOWHERE | {"jwks": jwks})


@pytest.fixture
async def front(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with in_front_of(app, {}) as client:
        yield client


async def status_of(front: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await front.get("/v1/status", headers={b"authorization": f"Bearer {token}".encode()})


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(set(BAD.values())) >= 150


async def test_no_bad_token_lets_anybody_in(front: httpx2.AsyncClient) -> None:
    """Breaks when a token is believed that the issuer did not make for us, now, in the one spelling."""
    answers = {name: await status_of(front, token) for name, token in BAD.items()}
    assert {name: each.status_code for name, each in answers.items() if each.status_code != 401} == {}
    details = {each.json()["detail"] for each in answers.values()}
    assert details <= {"The token is not valid here.", "Send a bearer token."}, "why it was refused is told to nobody"
    assert all(each.headers["www-authenticate"].startswith("Bearer") for each in answers.values())


async def test_every_good_token_lets_its_principal_in(front: httpx2.AsyncClient) -> None:
    """Breaks when what is refused is refused for another reason than the one thing wrong with it."""
    answers = {name: (await status_of(front, token)).status_code for name, token in GOOD.items()}
    assert answers == dict.fromkeys(GOOD, 503)


async def test_a_token_stands_in_the_header_and_nowhere_else(front: httpx2.AsyncClient) -> None:
    token = GOOD["plain"]
    assert (await front.get("/v1/status", params={"access_token": token})).status_code == 401
    for headers in ({"cookie": f"token={token}"}, {"authorization": f"Basic {token}"}, {"authorization": token}, {"x-token": token}, {}):
        assert (await front.get("/v1/status", headers=headers)).status_code == 401


async def test_a_session_of_the_workbench_whose_token_is_bad_is_none(app: FastAPI) -> None:
    """The workbench asks the same gate; breaks where a session outlives what its token is worth."""
    request: Any = SimpleNamespace(app=app)
    assert await _session(request, {"token": GOOD["plain"]}) is not None
    assert [name for name, token in BAD.items() if await _session(request, {"token": token}) is not None] == []


class Issuer:
    """An issuer's address that counts who asks."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys, self.asked, self.status, self.now = list(keys), 0, 200, 1000.0

    def answer(self, _request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        return httpx2.Response(self.status, json={"keys": self.keys}, headers={"location": "/elsewhere"})

    def keys_at(self) -> KeysAtAddress:
        return KeysAtAddress("https://issuer.example/keys", httpx2.MockTransport(self.answer), lambda: self.now)


ONE, TWO = ({**Forge.described(key), "kid": kid} for key, kid in ((FORGE.key, "one"), (FORGE.other, "two")))


async def found(keys: KeysAtAddress, kid: str) -> bool:
    try:
        await keys.find(kid)
    except Exception as error:
        if isinstance(error, OSError):
            raise
        return False
    return True


async def test_an_unknown_key_makes_the_issuer_be_asked_again_at_most_once_a_minute() -> None:
    """Breaks if whoever sends rubbish could make us ask the issuer as often as they like."""
    issuer = Issuer(ONE)
    keys = issuer.keys_at()
    assert await found(keys, "one")
    for each in range(50):
        assert not await found(keys, f"made-up-{each}")
    assert issuer.asked == 1
    issuer.keys.append(TWO)
    issuer.now += 59
    assert not await found(keys, "two")
    issuer.now += 1
    assert await found(keys, "two")
    assert issuer.asked == 2


async def test_a_key_that_was_taken_back_is_known_no_longer_than_ten_minutes() -> None:
    issuer = Issuer(ONE, TWO)
    keys = issuer.keys_at()
    assert await found(keys, "two")
    issuer.keys.remove(TWO)
    issuer.now += 599
    assert await found(keys, "two")
    issuer.now += 1
    assert not await found(keys, "two")
    assert await found(keys, "one")


@pytest.mark.parametrize("status", [301, 302, 404, 500])
async def test_an_issuer_that_is_away_keeps_its_keys_and_without_any_it_is_not_the_tokens_fault(status: int) -> None:
    """Breaks if a redirect were followed, or if an outage of the issuer's read as a bad token."""
    issuer = Issuer(ONE)
    keys = issuer.keys_at()
    assert await found(keys, "one")
    issuer.status, issuer.now = status, issuer.now + 700
    assert await found(keys, "one")
    assert issuer.asked == 2
    other = issuer.keys_at()
    with pytest.raises(ConnectionError):
        await found(other, "one")


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"keys": 1}', b'{"keys": ["x"]}', b"\xff"])
def test_what_is_no_set_of_keys_is_said_to_be_none(document: bytes) -> None:
    with pytest.raises(ValueError, match="JWKS"):
        read_keys(document)


def test_only_keys_that_may_check_signatures_are_kept() -> None:
    assert set(read_keys(json.dumps(FORGE.jwks()).encode())) == {"one", "rsa"}


async def test_a_service_that_cannot_reach_its_issuer_says_so_and_refuses_nobody_for_it() -> None:
    app = _promises(NOWHERE | {"jwks_url": "http://127.0.0.1:9/keys"})
    async with in_front_of(app, {}) as client:
        answer = await status_of(client, GOOD["plain"])
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert (await status_of(client, "x.y.z")).status_code == 401


async def test_nobody_is_known_without_keys() -> None:
    app = _promises(NOWHERE)
    async with in_front_of(app, {}) as client:
        assert (await status_of(client, made(FORGE.es256, told=claims()))).status_code == 401


def test_settings_of_every_service_name_no_key_by_default() -> None:
    assert (Settings(kafka="", database="").jwks, Settings(kafka="", database="").jwks_url) == (None, None)
