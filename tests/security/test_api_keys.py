"""Keys of company systems: what they open, for how long, and that nothing that opens is kept anywhere."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.access import OPERATIONS
from contracts.roles import Role
from services.chassis import apikeys
from services.chassis.apikeys import ApiKeys
from services.chassis.database import create_engine
from services.chassis.relay import Relay
from services.chassis.tokens import InvalidTokenError
from services.journey import api as journey
from services.journey.settings import JourneySettings
from services.promises import api as promises
from services.promises.settings import PromisesSettings
from services.recovery import api as recovery
from services.recovery.settings import RecoverySettings
from tests.serving import bearer, in_front_of, trusting

SCOPES = {"journey": "list_sources", "promises": "list_promises", "recovery": "list_cases"}
PATHS = {"journey": "/v1/sources", "promises": "/v1/promises", "recovery": "/v1/cases"}


def _build(service: str, database: str, keys: Path) -> tuple[FastAPI, AsyncEngine]:
    told: dict[str, Any] = {"kafka": "127.0.0.1:9", "database": database, "env": "local"}
    if service == "journey":
        settings = trusting(JourneySettings(**told), keys)
        engine = create_engine(settings, service)
        return journey.build(settings, engine, Relay(settings)), engine
    if service == "promises":
        other = trusting(PromisesSettings(**told), keys)
        engine = create_engine(other, service)
        return promises.build(other, engine, Relay(other)), engine
    third = trusting(RecoverySettings(**told), keys)
    engine = create_engine(third, service)
    return recovery.build(third, engine), engine


class Door:
    """A service with its database, and who runs it."""

    def __init__(self, service: str, app: FastAPI, engine: AsyncEngine, keys: Path, client: httpx2.AsyncClient) -> None:
        self.service, self.app, self.engine, self.keys, self.client = service, app, engine, keys, client
        self.operations = bearer(keys, "operations")

    async def made(self, name: str = "shop", **asked: Any) -> dict[str, Any]:
        content = {"name": name, "scopes": [SCOPES[self.service]], **asked}
        answer = await self.client.post("/v1/api-keys", json=content, headers=self.operations)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def status(self, key: str, path: str | None = None) -> int:
        return (await self.client.get(path or PATHS[self.service], headers={"authorization": f"Bearer {key}"})).status_code

    def forget(self) -> None:
        """As if the seconds had passed in which a process believes what it has read."""
        self.app.state.gate.api_keys._known.clear()


@pytest.fixture(params=SCOPES)
async def door(request: pytest.FixtureRequest, database: Callable[[str], Awaitable[str]], tmp_path: Path) -> AsyncIterator[Door]:
    app, engine = _build(request.param, await database(request.param), tmp_path)
    async with in_front_of(app, {}) as client:
        yield Door(request.param, app, engine, tmp_path, client)
    await engine.dispose()


async def test_a_key_opens_its_scopes_and_nothing_else(door: Door) -> None:
    """Breaks when a key is worth as much as the role of systems."""
    key = (await door.made())["key"]
    assert await door.status(key) == 200
    refused = await door.client.get("/v1/status", headers={"authorization": f"Bearer {key}"})
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:makegood:problem:forbidden")
    assert await door.status(key, "/v1/api-keys") == 403, "and lets nobody make keys"


async def test_what_opens_is_kept_nowhere_and_shown_once(door: Door) -> None:
    made = await door.made()
    secret = made["key"].partition(".")[2]
    async with door.engine.connect() as connection:
        rows = (await connection.execute(text("SELECT t::text FROM api_keys t"))).scalars().all()
    assert len(rows) == 1
    assert secret not in rows[0]
    listed = await door.client.get("/v1/api-keys", headers=door.operations)
    assert secret not in listed.text
    assert "hash" not in listed.text


async def test_during_a_rotation_two_secrets_open_and_afterwards_one(door: Door) -> None:
    first = await door.made()
    rotate = f"/v1/api-keys/{first['prefix']}/rotate"
    second = (await door.client.post(rotate, json={"overlap_hours": 1}, headers=door.operations)).json()
    assert (await door.status(first["key"]), await door.status(second["key"])) == (200, 200)
    third = (await door.client.post(rotate, json={"overlap_hours": 1}, headers=door.operations)).json()
    assert [await door.status(each["key"]) for each in (first, second, third)] == [401, 200, 200]
    at = datetime.now(UTC) + timedelta(hours=2)
    later = ApiKeys(door.engine, lambda: at)
    assert (await later.holder(third["key"])).prefix == first["prefix"]
    with pytest.raises(InvalidTokenError):
        await later.holder(second["key"])
    last = (await door.client.post(rotate, json={"overlap_hours": 0}, headers=door.operations)).json()
    assert [await door.status(each["key"]) for each in (third, last)] == [401, 200]


async def test_a_revoked_key_opens_nothing_and_its_name_is_free_again(door: Door) -> None:
    made = await door.made()
    assert await door.status(made["key"]) == 200
    path = f"/v1/api-keys/{made['prefix']}"
    for _ in range(2):
        assert (await door.client.delete(path, headers=door.operations)).status_code == 204
        assert await door.status(made["key"]) == 401
    assert (await door.client.post(f"{path}/rotate", json={}, headers=door.operations)).status_code == 404
    (listed,) = (await door.client.get("/v1/api-keys", headers=door.operations)).json()["items"]
    assert (listed["revoked_by"], listed["revoked_at"] is not None) == ("ana", True)
    assert await door.status((await door.made())["key"]) == 200


async def test_a_key_ends_on_its_day(door: Door) -> None:
    key = (await door.made(days=1))["key"]
    at = datetime.now(UTC) + timedelta(days=1, seconds=1)
    with pytest.raises(InvalidTokenError):
        await ApiKeys(door.engine, lambda: at).holder(key)
    assert await door.status(key) == 200


async def test_a_name_in_force_is_not_given_twice_and_pages_go_on(door: Door) -> None:
    for name in ("shop", "parcels", "crm"):
        await door.made(name)
    again = {"name": "shop", "scopes": [SCOPES[door.service]]}
    assert (await door.client.post("/v1/api-keys", json=again, headers=door.operations)).status_code == 409
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await door.client.get("/v1/api-keys", params={"limit": "2", **cursor}, headers=door.operations)).json()
        found += [each["name"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == ["shop", "parcels", "crm"]


async def test_scopes_are_what_systems_may_do_here_and_nothing_beyond(door: Door) -> None:
    described = {each["operationId"] for path in door.app.openapi()["paths"].values() for each in path.values()}
    for operation in ("make_api_key", "publish_promise", "no_such", "", *sorted(OPERATIONS.keys() - described)[:5]):
        asked = {"name": "x", "scopes": [operation]}
        assert (await door.client.post("/v1/api-keys", json=asked, headers=door.operations)).status_code == 422
    systems = sorted(each for each in described & OPERATIONS.keys() if Role.SYSTEM in OPERATIONS[each].roles)
    await door.made("all", scopes=systems)


@pytest.mark.parametrize("role", ["system", "agent", "lead", "manager", "auditor", "customer", "public"])
async def test_only_those_who_run_the_system_make_keys(door: Door, role: str) -> None:
    asked = {"name": "x", "scopes": [SCOPES[door.service]]}
    assert (await door.client.post("/v1/api-keys", json=asked, headers=bearer(door.keys, role))).status_code == 403


async def test_no_other_spelling_of_a_key_opens(door: Door) -> None:
    key = (await door.made())["key"]
    other = (await door.made("other"))["key"]
    mark, _, secret = key.partition(".")
    wrong = (
        mark, f"{mark}.", f"{mark}.{secret[:-1]}", f"{mark}.{secret}x", f"{mark}.{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}",
        f"{mark}.{other.partition('.')[2]}", f"{other.partition('.')[0]}.{secret}", key.upper(), f"{key}.{secret}",
        f"mg_000000000000.{secret}",
        f"mg_.{secret}", f"mg_{'%' * 12}.{secret}", f"mg_' OR '1'='1.{secret}", f"{mark}..{secret}", "mg_", f"MG_{key[3:]}", f"{key}=",
    )  # fmt: skip
    assert {each: await door.status(each) for each in wrong} == dict.fromkeys(wrong, 401)
    assert await door.status(key) == 200


async def test_when_it_was_used_last_is_kept_to_the_minute_and_costs_one_statement(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    key = (await door.made())["key"]
    for _ in range(5):
        assert await door.status(key) == 200
    (listed,) = (await door.client.get("/v1/api-keys", headers=door.operations)).json()["items"]
    assert datetime.now(UTC) - datetime.fromisoformat(listed["last_used"]) < timedelta(minutes=1)
    used = listed["last_used"]
    assert await door.status(key) == 200
    assert (await door.client.get("/v1/api-keys", headers=door.operations)).json()["items"][0]["last_used"] == used
    monkeypatch.setattr(apikeys, "USED_SECONDS", 0.0)
    assert await door.status(key) == 200
    assert (await door.client.get("/v1/api-keys", headers=door.operations)).json()["items"][0]["last_used"] > used


async def test_another_process_has_heard_of_a_revocation_as_soon_as_it_reads_again(door: Door) -> None:
    made = await door.made()
    assert await door.status(made["key"]) == 200
    await ApiKeys(door.engine).revoke(made["prefix"], "somebody at another process")
    door.forget()
    assert await door.status(made["key"]) == 401
