"""A draft is read while it is written: every finding says where, and nothing of it is kept."""

import httpx2
import pytest

from tests.driving import rows
from tests.promises.api.conftest import Somebody, body
from tests.promises.conftest import Partition

DRAFT = """apiVersion: makegood/v1
kind: Promise
metadata:
  name: parcel-on-time
  owner: logistics
spec:
  statement: Your parcel arrives in two days.
  published: [{channel: web, reference: checkout, since: 2026-01-01}]
  response:
    when: {type: order.placed}
    expect: {type: order.delivered}
    correlate: data.order_id
    within: 2 days
"""


async def said(client: httpx2.AsyncClient, text: str) -> httpx2.Response:
    return await client.post("/v1/lint", json={"file": "parcel.yaml", "text": text})


async def test_what_the_language_forbids_is_told_with_line_and_column_and_all_of_it(manager: httpx2.AsyncClient) -> None:
    found = (await said(manager, DRAFT.replace("within:", "witin:").replace("owner:", "ovner:"))).json()
    assert found["documents"] == []
    assert {(each["file"], each["line"], each["column"], each["opinion"]) for each in found["findings"]} >= {
        ("parcel.yaml", 5, 3, False), ("parcel.yaml", 13, 5, False),
    }  # fmt: skip


async def test_what_a_careful_reader_would_say_is_an_opinion_and_the_documents_are_as_they_are_published(
    manager: httpx2.AsyncClient,
) -> None:
    found = (
        await said(manager, DRAFT.replace("    correlate: data.order_id\n    within: 2 days\n", "    correlate: data.order_id\n"))
    ).json()
    assert found["findings"]
    assert all(each["opinion"] for each in found["findings"])
    assert (await manager.post("/v1/promises", json=found["documents"][0])).status_code == 201


async def test_a_draft_may_name_a_published_calendar_and_is_told_of_one_that_there_is_not(manager: httpx2.AsyncClient) -> None:
    draft = DRAFT.replace("  response:", "  calendar: office\n  response:")
    assert any("office" in each["message"] for each in (await said(manager, draft)).json()["findings"])
    week = {"mon-fri": ["09:00-17:00"]}
    calendar = {"apiVersion": "makegood/v1", "kind": "Calendar", "metadata": {"name": "office"}, "spec": {"zone": "UTC", "week": week}}
    assert (await manager.post("/v1/calendars", json=calendar)).status_code == 201
    assert all(each["opinion"] for each in (await said(manager, draft)).json()["findings"])


@pytest.mark.parametrize("text", ["", "{", "\t", "a: &a [*a]", "- " * 60, "!!python/object:os.system {}", "kind: Nothing"])
async def test_what_is_no_document_is_a_finding_and_no_failure(manager: httpx2.AsyncClient, text: str) -> None:
    answer = await said(manager, text)
    assert answer.status_code == 200
    assert answer.json()["documents"] == []


async def test_nothing_of_a_draft_is_kept_and_who_only_looks_may_ask(somebody: Somebody, begun: Partition) -> None:
    before = await rows(begun.engine, "promises", "name")
    async with somebody("auditor") as auditor:
        assert (await said(auditor, DRAFT)).status_code == 200
    async with somebody("system") as system:
        assert (await said(system, DRAFT)).status_code == 403
    assert await rows(begun.engine, "promises", "name") == before


async def test_the_latest_commitments_come_first_page_by_page_each_once(manager: httpx2.AsyncClient, begun: Partition) -> None:
    await manager.post("/v1/promises", json=body("other"))
    every = (await manager.get("/v1/commitments", params={"order": "latest"})).json()["items"]
    assert [each["due"] for each in every] == sorted((each["due"] for each in every), reverse=True)
    assert every[0]["trigger"]["id"] == "placed-3"
    params: dict[str, str] = {"order": "latest", "limit": "1"}
    page = (await manager.get("/v1/commitments", params=params)).json()
    paged = page["items"]
    while page["next"]:
        page = (await manager.get("/v1/commitments", params=params | {"cursor": page["next"]})).json()
        paged += page["items"]
    assert paged == every
    assert (await manager.get("/v1/commitments", params={"order": "latest", "cursor": "IjAwIg"})).status_code == 400
