"""No input of any kind makes a service answer with a 5xx (I9): requests made up from each OpenAPI document and beside it."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from hypothesis.strategies import SearchStrategy

from contracts.roles import Role
from services.chassis.database import create_engine
from services.chassis.relay import Relay
from services.journey import api as journey
from services.journey.settings import JourneySettings
from services.promises import api as promises
from services.promises.settings import PromisesSettings
from services.recovery import api as recovery
from services.recovery.settings import RecoverySettings
from tests.serving import bearer, in_front_of, trusting

WITHOUT_END = {"/v1/customers/{customer_id}/timeline/events", "/v1/cases/events", "/v1/cases/{case_id}/events"}
"""Streams; they have tests of their own."""
STAFF = [str(role) for role in Role if role is not Role.PUBLIC]
ODD: list[bytes] = [
    b'{"a":"\\ud800"}', b'{"a":NaN}', b"[" * 5000, b'{"a":' + b"9" * 5000 + b"}", b"\0", b'{"a":1e999}', b'"', b"null", b"[]", b"{}", b"1",
    "\ufeff{}".encode(), b"\xff", b"", b'{"spec":' * 600 + b"1" + b"}" * 600, b'{"apiVersion":"makegood/v1","kind":"\\ud800"}',
    b'{"apiVersion":"makegood/v1","kind":"EventType","metadata":{"name":"a"},"spec":{"type":"t","schema":{"a":"\\udfff"}}}',
    b'{"apiVersion":"makegood/v1","kind":"EventType","metadata":{"name":"a"},"spec":{"type":"\\ud800"}}',
    b'{"apiVersion":"makegood/v1","kind":"EventType","metadata":{"name":"a","n":99999999999999999999999},"spec":{"type":"t"}}',
]  # fmt: skip
MEDIA = ["application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "text/plain", "\xff", ""]


@pytest.fixture
async def both(
    database: Callable[[str], Awaitable[str]], kafka: str, topics: Callable[..., Awaitable[None]], tmp_path: Path
) -> AsyncIterator[dict[str, FastAPI]]:
    """All three, as composed for their processes, on real servers."""
    await topics("live")
    ours = trusting(JourneySettings(kafka=kafka, database=await database("journey")), tmp_path)
    theirs = trusting(PromisesSettings(kafka=kafka, database=await database("promises")), tmp_path)
    cases = trusting(RecoverySettings(kafka=kafka, database=await database("recovery")), tmp_path)
    engines = [create_engine(ours, "journey"), create_engine(theirs, "promises"), create_engine(cases, "recovery")]
    apps = {
        "journey": journey.build(ours, engines[0], Relay(ours)),
        "promises": promises.build(theirs, engines[1], Relay(theirs)),
        "recovery": recovery.build(cases, engines[2]),
    }
    async with AsyncExitStack() as alive:
        for app in apps.values():
            await alive.enter_async_context(app.router.lifespan_context(app))
        yield apps
    for engine in engines:
        await engine.dispose()


def requests(app: FastAPI) -> SearchStrategy[dict[str, Any]]:
    """Requests that an application's own OpenAPI document describes, and requests that it forbids."""
    found: list[Any] = list(schemathesis.openapi.from_dict(app.openapi()).get_all_operations())
    operations = [each.ok() for each in found]
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    asked = [each for each in operations if each.path.startswith("/v1/") and each.path not in WITHOUT_END]
    cases = [each.as_strategy(generation_mode=mode) for each in asked for mode in modes]
    return some.one_of(cases).map(lambda case: case.as_transport_kwargs(base_url="http://makegood"))


async def send(client: httpx2.AsyncClient, made: dict[str, Any]) -> httpx2.Response:
    content = made.get("data")
    if "json" in made:
        content = json.dumps(made["json"]).encode()
    if isinstance(content, dict):  # a form
        content = urlencode(content, doseq=True, errors="surrogatepass")
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogatepass")
    ours = {"content-type", "idempotency-key", "if-match", "if-none-match", "accept"}
    headers = {name: value for name, value in made["headers"].items() if name.lower() in ours}
    query = {name: value for name, value in (made.get("params") or {}).items() if value is not None}
    return await client.request(made["method"], made["url"], params=query, content=content, headers=headers)


async def check(app: FastAPI, keys: Path, strategy: SearchStrategy[dict[str, Any]], data: some.DataObject) -> None:
    async with in_front_of(app, bearer(keys, *STAFF)) as client:
        made = data.draw(strategy)
        try:
            answer = await send(client, made)
        except (httpx2.InvalidURL, UnicodeEncodeError):
            return  # no client can say it
    assert answer.status_code < 500, made


SHAPE = {"deadline": None, "max_examples": 120, "phases": [Phase.generate], "suppress_health_check": list(HealthCheck)}


@settings(**SHAPE)  # type: ignore[arg-type]
@given(data=some.data())
async def test_no_request_makes_journey_answer_with_a_5xx(both: dict[str, FastAPI], tmp_path: Path, data: some.DataObject) -> None:
    await check(both["journey"], tmp_path, requests(both["journey"]), data)


@settings(**SHAPE)  # type: ignore[arg-type]
@given(data=some.data())
async def test_no_request_makes_promises_answer_with_a_5xx(both: dict[str, FastAPI], tmp_path: Path, data: some.DataObject) -> None:
    await check(both["promises"], tmp_path, requests(both["promises"]), data)


@settings(**SHAPE)  # type: ignore[arg-type]
@given(data=some.data())
async def test_no_request_makes_recovery_answer_with_a_5xx(both: dict[str, FastAPI], tmp_path: Path, data: some.DataObject) -> None:
    await check(both["recovery"], tmp_path, requests(both["recovery"]), data)


POSTS = {
    "journey": [
        "touchpoints",
        "event-types",
        "sources",
        "feeds",
        "feeds/shop-orders",
        "journey-maps",
        "relationships",
        "principles",
        "quarantine/touchpoints/0/0/release",
        "quarantine/touchpoints/0/0/dismiss",
    ],
    "promises": ["promises", "calendars", "backtests", "promises/a/terms", "promises/a/retirement", f"commitments/{'0' * 32}/excuse"],
    "recovery": ["cases", "playbooks", "webhooks", "improvements", f"cases/{'0' * 32}/assessment", f"cases/{'0' * 32}/pledges"],
}


@pytest.mark.parametrize(("service", "path"), [(service, path) for service, paths in POSTS.items() for path in paths])
async def test_no_body_under_any_media_type_is_a_5xx(both: dict[str, FastAPI], tmp_path: Path, service: str, path: str) -> None:
    """Breaks if what JSON parsers disagree on got through to one that raises."""
    async with in_front_of(both[service], bearer(tmp_path, *STAFF)) as client:
        for body in ODD:
            for media in MEDIA:
                answer = await client.post(
                    f"/v1/{path}", content=body, headers={b"content-type": media.encode("latin-1"), b"idempotency-key": b"k"}
                )
                assert answer.status_code < 500, (body[:200], media)


POSITIONS: list[Any] = [
    None, 1, [], ["0001-01-01T00:00:00Z", 2**64, "\0"], ["2026-03-01T12:00:00", 0, "a"], ["0001-01-01T00:00:00+14:00", 0, "a"],
    ["9999-12-31T23:59:59-14:00", 1, "a"], ["2026-03-01T12:00:00Z", 1, "\0"], ["2026-03-01T12:00:00Z", 0, "\ud800"],
    [True, ["2026-03-01T12:00:00Z", 0, "a"]], [False, ["2026-03-01T12:00:00Z", 1, "\0", 0, 0, 0]],
    [True, ["0001-01-01T00:00:00Z", 0, "0" * 32]],
    [False, ["2026-03-01T12:00:00Z", 1, "a", 2**31, 0, 0]], [True, ["2026-03-01T12:00:00Z", 1, "a", 0, 2**63, 0]],
    [True, ["9999-12-31T23:59:59-14:00", 1, "a", 0, 0, 0]], [True, ["2026-03-01T12:00:00Z", 1, "a", 32767, 2**63 - 1, 32767]],
    ["touchpoints/0", 2**63], ["touchpoints/0", -1], ["\0", 1], "\0", "a",
]  # fmt: skip
CURSORS = ["", "a", "====", "x" * 5000, *(urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in POSITIONS)]


async def test_no_cursor_is_a_5xx(both: dict[str, FastAPI], tmp_path: Path) -> None:
    paths = {
        "journey": ["quarantine", "feedback", "aspirations", f"customers/{'0' * 32}/timeline"],
        "promises": ["commitments", "promises/a/terms"],
        "recovery": ["cases", "approvals", "deliveries"],
    }
    for service, asked in paths.items():
        async with in_front_of(both[service], bearer(tmp_path, *STAFF)) as client:
            for path, cursor in product(asked, CURSORS):
                assert (await client.get(f"/v1/{path}", params={"cursor": cursor})).status_code < 500, cursor
