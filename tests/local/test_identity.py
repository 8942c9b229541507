"""The local OpenID provider: who asks rightly is signed in as whom they chose, and nobody else is."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from contracts.access import OPERATIONS
from contracts.roles import Role
from deploy.local import identity, issuer
from deploy.local.identity import CODE_SECONDS, Provider
from deploy.local.people import PEOPLE
from services.chassis.access import Gate
from services.chassis.tokens import Checker, KeysInFile
from services.cli.story import CAST, TEAM

URL = "http://127.0.0.1:8400"
REDIRECT = "http://127.0.0.1:8500/sign-in/done"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASKED = {
    "response_type": "code",
    "client_id": "makegood-workbench",
    "redirect_uri": REDIRECT,
    "scope": "openid profile",
    "state": 'a state & "quotes"',
    "nonce": "once",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@dataclass(slots=True)
class Front:
    """A provider's application, and the time that it believes it is."""

    http: httpx2.AsyncClient
    keys: Path
    now: float = 0.0

    async def choose(self, subject: str = "promoter", **asked: str) -> dict[str, str]:
        """Choose somebody; what the browser brings back."""
        answer = await self.http.post("/authorize", data=ASKED | asked | {"person": subject})
        assert answer.status_code == 303
        return brought(answer.headers["location"])

    async def redeem(self, code: str, **asked: str | None) -> httpx2.Response:
        """Ask for the tokens of a code; a parameter that is None is left out."""
        wanted = {"grant_type": "authorization_code", "client_id": ASKED["client_id"], "redirect_uri": REDIRECT, "code": code}
        body = wanted | {"code_verifier": VERIFIER} | asked
        return await self.http.post("/token", data={name: value for name, value in body.items() if value is not None})


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    issuer.ensure_keys(tmp_path)
    app = identity.build(Provider(URL, ASKED["client_id"], REDIRECT, tmp_path, lambda: found.now))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=URL) as http:
        found = Front(http, tmp_path)
        yield found


def brought(address: str) -> dict[str, str]:
    assert address.startswith(f"{REDIRECT}?")
    return {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}


def claims(token: str, keys: Path) -> Mapping[str, Any]:
    public = KeySet.import_key_set(json.loads((keys / issuer.PUBLIC).read_text()))
    return jwt.decode(token, public, algorithms=["ES256"]).claims


class Inputs(HTMLParser):
    """The hidden inputs and the buttons of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hidden: dict[str, str | None] = {}
        self.buttons: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given["name"]:
            self.hidden[given["name"]] = given["value"]
        if tag == "button":
            self.buttons.append(given["value"])


async def test_the_page_lists_everybody_and_carries_what_was_asked_as_it_was(front: Front) -> None:
    page = await front.http.get("/authorize", params=ASKED)
    found = Inputs(page.text)
    assert (page.status_code, found.hidden) == (200, ASKED)
    assert found.buttons == ["promoter", "executive", "lead", "director", "operations", "auditor"]


async def test_the_page_may_run_nothing_and_leads_to_the_client_alone(front: Front) -> None:
    policy = (await front.http.get("/authorize", params=ASKED)).headers["content-security-policy"]
    assert dict(part.split(" ", 1) for part in policy.split("; ")) == {
        "default-src": "'none'",
        "style-src": "'self'",
        "form-action": "'self' http://127.0.0.1:8500",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }


@pytest.mark.parametrize("person", PEOPLE, ids=lambda each: each.subject)
async def test_whoever_is_chosen_has_a_token_that_the_services_take_for_theirs(front: Front, person: Any) -> None:
    back = await front.choose(person.subject)
    assert (back["state"], back["iss"]) == (ASKED["state"], URL)
    tokens = (await front.redeem(back["code"])).json()
    table = {name: frozenset(map(str, each.roles)) for name, each in OPERATIONS.items()}
    gate = Gate(Checker(KeysInFile(front.keys / issuer.PUBLIC), issuer.ISSUER, issuer.AUDIENCE), table, {})
    principal = await gate.identify(tokens["access_token"])
    assert (principal.subject, principal.roles, principal.teams) == (person.subject, frozenset(person.roles), frozenset(person.teams))
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 12 * 3600)


def test_the_people_of_the_story_can_be_chosen() -> None:
    """Breaks when the story's cast changes and its case is nobody's who can sign in."""
    staff = {subject: (role,) for subject, role in CAST.items() if role is not Role.CUSTOMER}
    assert {each.subject: each.roles for each in PEOPLE if TEAM in each.teams} == staff


async def test_the_identity_token_is_for_the_client_and_answers_its_nonce(front: Front) -> None:
    tokens = (await front.redeem((await front.choose("director"))["code"])).json()
    said = claims(tokens["id_token"], front.keys)
    wanted = {"iss": URL, "aud": "makegood-workbench", "sub": "director", "name": "Manager", "nonce": "once"}
    assert {name: said[name] for name in wanted} == wanted
    assert said["exp"] > said["iat"]


async def test_no_answer_with_a_token_is_kept_on_the_way(front: Front) -> None:
    assert (await front.redeem((await front.choose())["code"])).headers["cache-control"] == "no-store"


async def test_a_code_is_good_once(front: Front) -> None:
    code = (await front.choose())["code"]
    assert (await front.redeem(code)).status_code == 200
    again = await front.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


async def test_a_code_is_used_up_by_a_wrong_verifier_too(front: Front) -> None:
    """Breaks if whoever saw a code may try verifiers until one fits."""
    code = (await front.choose())["code"]
    wrong = await front.redeem(code, code_verifier="w" * 43)
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant")
    assert (await front.redeem(code)).json()["error"] == "invalid_grant"


async def test_a_code_is_good_for_a_minute(front: Front) -> None:
    early, late = (await front.choose())["code"], (await front.choose())["code"]
    front.now = CODE_SECONDS - 0.1
    assert (await front.redeem(early)).status_code == 200
    front.now = CODE_SECONDS
    assert (await front.redeem(late)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changed", "error", "status"),
    [
        ({"redirect_uri": "http://127.0.0.1:8500/elsewhere"}, "invalid_grant", 400),
        ({"client_id": "somebody-else"}, "invalid_client", 401),
        ({"grant_type": "password"}, "unsupported_grant_type", 400),
        ({"code": "made-up"}, "invalid_grant", 400),
        ({"code_verifier": None}, "invalid_request", 400),
        ({"code_verifier": "é"}, "invalid_grant", 400),
        ({"redirect_uri": None}, "invalid_request", 400),
    ],
    ids=str,
)
async def test_tokens_asked_for_otherwise_are_refused(front: Front, changed: dict[str, str | None], error: str, status: int) -> None:
    code = (await front.choose())["code"]
    answer = await front.redeem(**({"code": code} | changed))  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["error"]) == (status, error)


@pytest.mark.parametrize("body", [b"code=a&code=b", b"x" * 20_000], ids=["a parameter twice", "too long"])
async def test_a_body_that_cannot_be_read_as_one_request_is_refused(front: Front, body: bytes) -> None:
    answer = await front.http.post("/token", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "http://127.0.0.1:8500/sign-in/done/"},
        {"redirect_uri": "http://evil.example/sign-in/done"},
        {"redirect_uri": f"{REDIRECT}?next=http://evil.example"},
        {"client_id": "<script>alert(1)</script>"},
    ],
    ids=str,
)
async def test_nobody_is_sent_anywhere_but_to_the_client(front: Front, method: str, changed: dict[str, str]) -> None:
    asked = ASKED | {"person": "director"} | changed
    given: dict[str, Any] = {"params": asked} if method == "GET" else {"data": asked}
    answer = await front.http.request(method, "/authorize", **given)
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert "<script" not in answer.text


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"request_uri": "http://127.0.0.1/"}, "request_not_supported"),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_this_provider_cannot_answer_the_client_is_told(front: Front, method: str, changed: dict[str, str], error: str) -> None:
    """Breaks if somebody can be signed in without PKCE, or with a challenge that whoever sees it can answer."""
    asked = ASKED | {"person": "director"} | changed
    given: dict[str, Any] = {"params": asked} if method == "GET" else {"data": asked}
    answer = await front.http.request(method, "/authorize", **given)
    back = brought(answer.headers["location"])
    assert (answer.status_code, back["error"], back["state"], "code" in back) == (303, error, ASKED["state"], False)


async def test_a_person_who_is_not_on_the_list_is_asked_again(front: Front) -> None:
    answer = await front.http.post("/authorize", data=ASKED | {"person": "the owner"})
    assert (answer.status_code, Inputs(answer.text).hidden) == (200, ASKED)


async def test_what_it_says_of_itself_is_where_it_answers(front: Front) -> None:
    said = (await front.http.get("/.well-known/openid-configuration")).json()
    assert said["issuer"] == URL
    keys = (await front.http.get(urlsplit(said["jwks_uri"]).path)).json()
    assert [set(each) & {"d"} for each in keys["keys"]] == [set()]
    assert (await front.http.get(urlsplit(said["authorization_endpoint"]).path, params=ASKED)).status_code == 200
    assert (await front.http.post(urlsplit(said["token_endpoint"]).path)).json()["error"] == "invalid_request"
    assert (await front.http.get(urlsplit(said["end_session_endpoint"]).path)).status_code == 200


async def test_who_signs_out_comes_home_and_nowhere_else(front: Front) -> None:
    home = await front.http.get("/sign-out", params={"post_logout_redirect_uri": "http://127.0.0.1:8500/", "state": "s"})
    assert (home.status_code, home.headers["location"]) == (303, "http://127.0.0.1:8500/?state=s")
    elsewhere = await front.http.get("/sign-out", params={"post_logout_redirect_uri": "http://evil.example/"})
    assert (elsewhere.status_code, re.findall(r'href="(http[^"]+)"', elsewhere.text)) == (200, ["http://127.0.0.1:8500/"])


async def test_it_answers_to_its_own_name_only(front: Front) -> None:
    """Breaks if a page elsewhere whose name was made to lead here can read answers."""
    assert (await front.http.get("/authorize", params=ASKED, headers={"Host": "evil.example"})).status_code == 400


def test_it_does_not_run_beyond_the_local_stack(tmp_path: Path) -> None:
    """Breaks if the provider that asks for no password can be started where it would be trusted."""
    options = ("--port", "0", "--client", "c", "--redirect", REDIRECT, "--keys", str(tmp_path))
    environment = os.environ | {"MAKEGOOD_ENV": "production"}
    done = subprocess.run((sys.executable, "-m", "deploy.local.identity", *options), env=environment, capture_output=True, check=False)
    assert done.returncode != 0
    assert b"MAKEGOOD_ENV=local only" in done.stderr
