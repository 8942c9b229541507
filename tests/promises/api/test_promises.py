"""Publishing promises over HTTP, superseding and retiring them; what came of each, and why."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from contracts.access import OPERATIONS
from contracts.roles import Role
from services.promises import api
from tests.driving import NOON
from tests.promises.api.conftest import HOUR, body
from tests.promises.conftest import ANA, Partition, response
from tests.serving import bearer, in_front_of, said


async def test_first_promises_are_in_force_from_the_beginning(manager: httpx2.AsyncClient) -> None:
    answer = await manager.post("/v1/promises", json=body())
    assert (answer.status_code, answer.json()) == (201, {"name": "in-time", "version": 1, "effective_from": None})


async def test_a_later_version_takes_effect_when_everybody_can_know_it(manager: httpx2.AsyncClient, begun: Partition) -> None:
    """Breaks if an event could be judged by a version that some partition did not know when it arrived (DESIGN 3.6)."""
    answer = await manager.post("/v1/promises", json=body(grace="5 minutes"))
    assert answer.json() == {"name": "in-time", "version": 2, "effective_from": "2026-03-01T16:05:00Z"}
    early = await manager.post("/v1/promises", json=body(grace="6 minutes", effective_from="2026-03-01T16:04:59Z"))
    assert early.status_code == 422
    assert "16:05:00" in said(early)["detail"]
    late = await manager.post("/v1/promises", json=body(grace="6 minutes", effective_from="2026-03-02T00:00:00Z"))
    assert late.json()["effective_from"] == "2026-03-02T00:00:00Z"


async def test_the_same_document_again_is_the_same_version(manager: httpx2.AsyncClient) -> None:
    answers = [await manager.post("/v1/promises", json=each) for each in (body(), body(), body(grace="1 hour"), body())]
    assert [each.json()["version"] for each in answers] == [1, 1, 2, 3]
    listed = (await manager.get("/v1/promises/in-time")).json()["items"]
    assert [(each["version"], each["published_by"]) for each in listed] == [(1, "ana"), (2, "ana"), (3, "ana")]


@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"kind": "Promise"}, body(nonsense=1), body(response={}), body(grace="a while"), body(grace="9999999999 years"),
        body(response=response(within="9" * 5000 + " days")), {**body(), "kind": "Calendar"}, {**body(), "metadata": {"name": "a b"}},
        body(response=response(where="data.x >")), body(name="\0"), body(response=response(within=1e300)),
    ],
)  # fmt: skip
async def test_what_is_no_promise_is_refused_with_what_would_be_right(manager: httpx2.AsyncClient, wrong: dict[str, Any]) -> None:
    answer = await manager.post("/v1/promises", json=wrong)
    assert answer.status_code == 422
    assert said(answer)
    assert (await manager.get("/v1/promises")).json()["items"] == []


@pytest.mark.parametrize(("content", "status"), [(b"{", 400), (b"[1]", 422), (b"x" * 300_000, 413), (b'{"a":"' + b"\\ud800" + b'"}', 422)])
async def test_what_is_no_document_is_refused(manager: httpx2.AsyncClient, content: bytes, status: int) -> None:
    answer = await manager.post("/v1/promises", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, bool(said(answer))) == (status, True)


async def test_commitments_are_found_by_what_they_are_and_page_by_page(manager: httpx2.AsyncClient, begun: Partition) -> None:
    async def ids(**wanted: Any) -> list[str]:
        return [each["trigger"]["id"] for each in (await manager.get("/v1/commitments", params=wanted)).json()["items"]]

    assert await ids(judgement="broken") == ["placed-2"]
    assert sorted(await ids(customer=str(UUID(int=1)))) == ["placed-1", "placed-3"]
    assert await ids(promise="other") == []
    found: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(5):
        page = (await manager.get("/v1/commitments", params={"limit": "1"} | cursor)).json()
        found += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert (len(found), found) == (4, sorted(set(found)))


async def test_an_explanation_accounts_for_evidence_and_everything_that_was_said(manager: httpx2.AsyncClient, begun: Partition) -> None:
    begun.event("delivered", NOON + HOUR, NOON + 5 * HOUR, data={"order": "o2"}, customer=UUID(int=0), id_="late")
    await begun.deliver()
    (broken,) = [each for each in (await manager.get("/v1/commitments")).json()["items"] if each["trigger"]["id"] == "placed-2"]
    assert (broken["judgement"], broken["verdict"]) == ("kept", 2)
    account = await manager.get(f"/v1/commitments/{broken['id']}/explanation")
    assert account.status_code == 200
    assert [each["said"] for each in account.json()["said"]] == ["opened", "broken", "corrected"]
    assert [each["type"] for each in account.json()["evidence"]] == ["placed", "delivered"]
    assert (await manager.get(f"/v1/commitments/{ANA}/explanation")).status_code == 404
    assert (await manager.get(f"/v1/commitments/{ANA}")).status_code == 404


def operations(app: FastAPI) -> list[tuple[str, str, str]]:
    """Every operation as (id, method, a path)."""
    found = []
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            filled = path.replace("{name}", "a").replace("{term_id}", "1")
            for part in ("{commitment_id}", "{backtest_id}"):
                filled = filled.replace(part, str(ANA))
            found.append((operation["operationId"], method, filled))
    return [each for each in found if each[2].startswith("/v1/")]


@pytest.mark.parametrize("role", [*(str(each) for each in Role if each is not Role.PUBLIC), None])
async def test_every_operation_is_for_the_roles_of_the_access_table_only(app: FastAPI, tmp_path: Path, role: str | None) -> None:
    async with in_front_of(app, bearer(tmp_path, role) if role else {}) as client:
        for name, method, path in operations(app):
            answer = await client.request(method, path, json={} if method == "post" else None)
            allowed = not OPERATIONS[name].roles.isdisjoint({role, Role.PUBLIC})
            assert (answer.status_code not in {401, 403}) == allowed, name
            assert allowed or answer.status_code == (403 if role else 401), name


async def test_the_openapi_document_is_that_of_the_application(app: FastAPI) -> None:
    assert api.openapi() == app.openapi()


async def states(manager: httpx2.AsyncClient, name: str = "in-time") -> list[str]:
    return [each["state"] for each in (await manager.get(f"/v1/promises/{name}")).json()["items"]]


async def test_a_version_is_scheduled_then_in_force_then_superseded(manager: httpx2.AsyncClient, begun: Partition) -> None:
    await manager.post("/v1/promises", json=body(grace="5 minutes"))
    assert await states(manager) == ["in_force", "scheduled"]
    begun.marker(NOON + 5 * HOUR)
    await begun.deliver()
    await begun.save()
    assert await states(manager) == ["superseded", "in_force"]
    items = (await manager.get("/v1/promises/in-time")).json()["items"]
    assert (items[0]["ends_at"], items[1]["ends_at"]) == ("2026-03-01T16:05:00Z", None)


async def test_a_retired_promise_opens_nothing_more_and_what_is_open_stays_owed(manager: httpx2.AsyncClient, begun: Partition) -> None:
    """Breaks if a retirement let go of what was promised before, or if the handlers did not hear of it."""
    answer = await manager.post("/v1/promises/in-time/retirement", json={})
    assert (answer.status_code, answer.json()["effective_from"]) == (201, "2026-03-01T16:05:00Z")
    for number, hours in ((5, 4), (6, 5)):
        data = {"order": f"o{number}", "channel": "web"}
        begun.event("placed", NOON + hours * HOUR, data=data, id_=f"placed-{number}", customer=UUID(int=0))
    begun.marker(NOON + 12 * HOUR)
    await begun.deliver()
    await begun.save()
    found = (await manager.get("/v1/commitments")).json()["items"]
    judged = {each["trigger"]["id"]: each["judgement"] for each in found}
    assert judged == {"placed-0": "kept", "placed-1": "kept", "placed-2": "broken", "placed-3": "broken", "placed-5": "broken"}
    assert await states(manager) == ["retired"]
    retirements = (await manager.get("/v1/promises")).json()["retirements"]
    assert [(each["name"], each["published_by"]) for each in retirements] == [("in-time", "ana")]


async def test_retiring_keeps_the_rule_of_the_earliest_time_and_says_once_what_it_said(
    manager: httpx2.AsyncClient, begun: Partition
) -> None:
    early = await manager.post("/v1/promises/in-time/retirement", json={"effective_from": "2026-03-01T16:00:00Z"})
    assert (early.status_code, early.json()["type"]) == (422, "urn:makegood:problem:takes-effect-too-early")
    later = {"effective_from": "2026-04-01T00:00:00Z"}
    answers = [await manager.post("/v1/promises/in-time/retirement", json=each) for each in (later, later, {})]
    assert [each.status_code for each in answers] == [201, 201, 201]
    assert answers[0].json() == answers[1].json() == answers[2].json()
    other = await manager.post("/v1/promises/in-time/retirement", json={"effective_from": "2026-05-01T00:00:00Z"})
    assert (other.status_code, said(other)["type"]) == (409, "urn:makegood:problem:already-retired")
    assert (await manager.post("/v1/promises/other/retirement", json={})).status_code == 404


async def test_publishing_again_takes_a_retirement_back(manager: httpx2.AsyncClient, begun: Partition) -> None:
    await manager.post("/v1/promises/in-time/retirement", json={"effective_from": "2026-04-01T00:00:00Z"})
    again = await manager.post("/v1/promises", json=(await manager.get("/v1/promises/in-time")).json()["items"][0]["document"])
    assert (again.status_code, again.json()["version"]) == (201, 2)
    begun.marker(NOON + timedelta(days=60))
    await begun.deliver()
    await begun.save()
    assert await states(manager) == ["superseded", "in_force"]


async def test_a_document_published_before_is_no_way_around_the_earliest_time(manager: httpx2.AsyncClient) -> None:
    """Breaks if republishing what once was in force could judge the past by it."""
    old = body(effective_from="2020-01-01T00:00:00Z")
    assert (await manager.post("/v1/promises", json=old)).status_code == 201
    assert (await manager.post("/v1/promises", json=old)).json()["version"] == 1
