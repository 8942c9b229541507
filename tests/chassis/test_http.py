"""The HTTP side: who gets in, what errors look like, what must be said before a write."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
import sqlalchemy.exc
from fastapi import APIRouter
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from pydantic import BaseModel, TypeAdapter

from services.chassis import cursors
from services.chassis.access import OperationWithoutAccessError, Who
from services.chassis.http import Check, create_app
from services.chassis.preconditions import IdempotencyKey, IfMatch, Once, etag
from services.chassis.problems import Kind, Problem
from services.chassis.settings import Settings

ACCESS = dict.fromkeys(("read", "write", "fail"), frozenset({"agent"}))
POSITION: TypeAdapter[tuple[str, int]] = TypeAdapter(tuple[str, int])


class RuleBrokenError(Exception):
    """The domain says no."""


class Body(BaseModel):
    """What is written."""

    due: int


def issue(key: Any, *, header: dict[str, str] | None = None, **claims: object) -> str:
    """A token like the issuer's, with what a test wants to be different."""
    plain = {"iss": "http://makegood.local", "aud": "makegood", "sub": "ana", "exp": int(time.time()) + 60}
    kept = {name: value for name, value in (plain | {"roles": ["agent"]} | claims).items() if value is not None}
    return jwt.encode({"alg": "ES256", "kid": "one", "typ": "at+jwt"} | (header or {}), kept, key, ["ES256", "HS256"])


@pytest.fixture
def key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "one"})


@pytest.fixture
def jwks(tmp_path: Path, key: ECKey) -> Path:
    path = tmp_path / "jwks.json"
    publish(path, key)
    return path


def publish(path: Path, key: ECKey) -> None:
    path.write_bytes(orjson.dumps({"keys": [key.as_dict(private=False)]}))


@pytest.fixture
async def client(jwks: Path, key: ECKey) -> AsyncIterator[httpx2.AsyncClient]:
    settings = Settings(kafka="127.0.0.1:1", database="postgresql://u:p@127.0.0.1:1/d", jwks=jwks)
    app = create_app(
        "test", settings, [_router()], access=ACCESS,
        problems={RuleBrokenError: Kind(409, "rule-broken", "That is against the rule")},
        checks={"kafka": _away, "database": _fine}, body_limit=1000,
    )  # fmt: skip
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {issue(key)}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


async def _away() -> str | None:
    return "not connected"


async def _fine() -> str | None:
    return None


def _router() -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.get("/things", operation_id="read")
    async def read(who: Who, cursor: cursors.Cursor = None) -> dict[str, object]:
        position = cursors.decode(cursor, POSITION) if cursor else None
        return {"who": who.subject, "roles": sorted(who.roles), "position": position}

    @router.post("/things", operation_id="write")
    async def write(body: Body, if_match: IfMatch, key: IdempotencyKey) -> dict[str, object]:
        if_match.require(3)
        return {"due": body.due, "key": key}

    @router.get("/fail/{how}", operation_id="fail")
    async def fail(how: str) -> None:
        raise {
            "rule": RuleBrokenError("no"),
            "refused": ConnectionRefusedError("postgres is away"),
            "database": sqlalchemy.exc.InterfaceError("SELECT secret", {}, Exception("closed")),
            "bug": RuntimeError("secret"),
            "sql": sqlalchemy.exc.ProgrammingError("SELECT secret", {}, Exception("bad")),
        }[how]

    return router


WRITE = {"if-match": etag(3), "idempotency-key": "k-1"}


def is_problem(response: httpx2.Response, status: int, slug: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["type"] == f"urn:makegood:problem:{slug}"
    assert document["status"] == status
    assert document["instance"] == response.request.url.path
    return document


async def test_a_valid_token_names_the_principal(client: httpx2.AsyncClient) -> None:
    response = await client.get("/v1/things")
    assert response.json() == {"who": "ana", "roles": ["agent"], "position": None}


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "http://elsewhere"}, {"aud": "other"}, {"exp": 1}, {"exp": None}, {"sub": None}, {"iss": None},
        {"aud": None}, {"roles": "agent"}, {"header": {"typ": "JWT"}}, {"header": {"kid": "two"}},
    ],
)  # fmt: skip
async def test_a_token_that_is_not_ours_is_refused(client: httpx2.AsyncClient, key: ECKey, change: dict[str, Any]) -> None:
    response = await client.get("/v1/things", headers={"authorization": f"Bearer {issue(key, **change)}"})
    is_problem(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_signed_with_another_algorithm_is_refused(client: httpx2.AsyncClient) -> None:
    """Breaks if the algorithm were taken from the token instead of from our list."""
    token = issue(OctKey.generate_key(256), header={"alg": "HS256"})
    is_problem(await client.get("/v1/things", headers={"authorization": f"Bearer {token}"}), 401, "unauthenticated")


async def test_a_role_outside_the_table_is_forbidden(client: httpx2.AsyncClient, key: ECKey) -> None:
    token = issue(key, roles=["customer"])
    is_problem(await client.get("/v1/things", headers={"authorization": f"Bearer {token}"}), 403, "forbidden")


async def test_a_new_key_in_the_file_is_found_and_a_removed_one_is_not(client: httpx2.AsyncClient, jwks: Path) -> None:
    await client.get("/v1/things")
    other = ECKey.generate_key("P-256", {"kid": "two"})
    publish(jwks, other)
    token = issue(other, header={"kid": "two"})
    assert (await client.get("/v1/things", headers={"authorization": f"Bearer {token}"})).status_code == 200
    is_problem(await client.get("/v1/things"), 401, "unauthenticated")


def test_an_operation_without_a_row_in_the_access_table_stops_the_start(jwks: Path) -> None:
    settings = Settings(kafka="127.0.0.1:1", database="postgresql://u:p@127.0.0.1:1/d", jwks=jwks)
    with pytest.raises(OperationWithoutAccessError, match="fail"):
        create_app("test", settings, [_router()], access={"read": frozenset(), "write": frozenset()})


async def test_a_write_says_which_version_it_has_seen(client: httpx2.AsyncClient) -> None:
    body = {"due": 1}
    assert (await client.post("/v1/things", json=body, headers=WRITE)).json() == {"due": 1, "key": "k-1"}
    is_problem(await client.post("/v1/things", json=body, headers={"idempotency-key": "k"}), 428, "if-match-required")
    for tag in ("*", "3", "xx"):
        response = await client.post("/v1/things", json=body, headers=WRITE | {"if-match": tag})
        is_problem(response, 428, "if-match-required")
    for tag in ('"2"', 'W/"3"'):
        stale = await client.post("/v1/things", json=body, headers=WRITE | {"if-match": tag})
        is_problem(stale, 412, "stale-version")
        assert stale.headers["etag"] == '"3"'
    assert (await client.post("/v1/things", json=body, headers=WRITE | {"if-match": '"2", "3"'})).status_code == 200


@pytest.mark.parametrize("malformed", ["", "a b", "ü", "x" * 129, '"open'])
async def test_a_malformed_idempotency_key_is_a_400(client: httpx2.AsyncClient, malformed: str) -> None:
    headers: Any = WRITE | {"idempotency-key": malformed.encode()}
    response = await client.post("/v1/things", json={"due": 1}, headers=headers)
    is_problem(response, 400, "malformed-idempotency-key")


async def test_what_is_wrong_in_a_body_is_pointed_at_and_not_repeated(client: httpx2.AsyncClient) -> None:
    document = is_problem(await client.post("/v1/things", json={"due": "secret"}, headers=WRITE), 422, "invalid-request")
    assert document["errors"][0]["pointer"] == "/due"
    assert "secret" not in str(document)


@pytest.mark.parametrize(
    ("content", "media_type", "status", "slug"),
    [
        (b"{", "application/json", 400, "malformed-request"),
        (b"[" * 900, "application/json", 400, "malformed-request"),
        (b"due=1", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
        (b" " * 1001, "application/json", 413, "body-too-large"),
    ],
)
async def test_a_body_that_cannot_be_read_is_the_clients_fault(
    client: httpx2.AsyncClient, content: bytes, media_type: str, status: int, slug: str
) -> None:
    response = await client.post("/v1/things", content=content, headers=WRITE | {"content-type": media_type})
    is_problem(response, status, slug)


async def test_a_body_without_a_length_is_counted_as_it_comes(client: httpx2.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b" " * 100

    response = await client.post("/v1/things", content=chunks(), headers=WRITE | {"content-type": "application/json"})
    is_problem(response, 413, "body-too-large")


async def test_a_wrong_method_is_told_every_right_one(client: httpx2.AsyncClient) -> None:
    response = await client.delete("/v1/things")
    is_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "GET, POST"


async def test_a_wrong_path_is_a_problem_too(client: httpx2.AsyncClient) -> None:
    is_problem(await client.get("/nowhere"), 404, "not-found")


@pytest.mark.parametrize(
    ("how", "status", "slug"),
    [
        ("rule", 409, "rule-broken"), ("refused", 503, "temporarily-unavailable"),
        ("database", 503, "temporarily-unavailable"), ("bug", 500, "unexpected-error"), ("sql", 500, "unexpected-error"),
    ],
)  # fmt: skip
async def test_every_exception_is_a_problem_that_leaks_nothing(client: httpx2.AsyncClient, how: str, status: int, slug: str) -> None:
    response = await client.get(f"/v1/fail/{how}")
    assert "secret" not in str(is_problem(response, status, slug))
    assert ("retry-after" in response.headers) == (status == 503)


async def test_a_cursor_comes_back_as_it_went_and_nothing_else_does(client: httpx2.AsyncClient) -> None:
    cursor = cursors.encode(["2026-01-01", 7])
    assert (await client.get("/v1/things", params={"cursor": cursor})).json()["position"] == ["2026-01-01", 7]
    for forged in (cursors.encode(["x"]), cursors.encode(7), "AA", "abc"):
        is_problem(await client.get("/v1/things", params={"cursor": forged}), 400, "malformed-cursor")
    is_problem(await client.get("/v1/things", params={"cursor": "!"}), 422, "invalid-request")


async def test_alive_asks_nobody_and_ready_says_what_is_missing(client: httpx2.AsyncClient) -> None:
    client.headers.pop("authorization")
    assert (await client.get("/healthz")).status_code == 200
    document = is_problem(await client.get("/readyz"), 503, "temporarily-unavailable")
    assert document["detail"] == "Waits for its broker."
    (fault,) = document["errors"]
    assert fault["detail"].startswith("kafka: not connected; seen first at 2")
    assert (await client.get("/readyz")).json()["errors"] == [fault]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"database"}, "Waits for its database."),
        ({"database", "kafka", "consumer"}, "Waits for its database and its broker."),
        ({"consumer"}, "Is itself not ready."),
    ],
)
async def test_readiness_tells_its_own_fault_from_that_of_what_it_stands_on(broken: set[str], says: str) -> None:
    """Breaks if whoever reads it started a service again for its database, or looked at its database for a fault of its own."""
    async with asking(dict.fromkeys(broken, _away) | dict.fromkeys({"database", "kafka", "consumer"} - broken, _fine)) as client:
        assert is_problem(await client.get("/readyz"), 503, "temporarily-unavailable")["detail"] == says


async def test_whoever_asks_often_whether_a_service_is_ready_makes_its_database_no_work() -> None:
    """Breaks if readiness, which anybody may ask for, were a way to keep the database busy."""
    asked = 0

    async def counted() -> str | None:
        nonlocal asked
        asked += 1
        return None

    async with asking({"database": counted}) as client:
        answers = await asyncio.gather(*(client.get("/readyz") for _ in range(50)))
    assert {each.status_code for each in answers} == {200}
    assert asked == 1


@asynccontextmanager
async def asking(checks: Mapping[str, Check]) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an application that has nothing but these checks."""
    app = create_app("test", Settings(kafka="127.0.0.1:1", database="postgresql://u:p@127.0.0.1:1/d"), [], access={}, checks=checks)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as client:
        yield client


async def test_the_openapi_document_says_how_errors_look(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/v1/things"]["post"]
    assert list(operation["responses"]["default"]["content"]) == ["application/problem+json"]
    assert operation["security"] == [{"token": []}]
    assert "422" not in operation["responses"]
    assert {each["name"]: each["required"] for each in operation["parameters"]} == {"if-match": True, "idempotency-key": True}


def test_the_same_key_with_another_request_is_refused() -> None:
    first = Once.of("ana", "k", "pledge", {"what": "call", "due": 1})
    first.require_same(Once.of("ana", "k", "pledge", {"due": 1, "what": "call"}).fingerprint)
    with pytest.raises(Problem):
        first.require_same(Once.of("ana", "k", "pledge", {"what": "write"}).fingerprint)
