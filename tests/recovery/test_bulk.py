"""One act on many cases: each decides by itself; a crash between two batches neither loses nor doubles anything."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from services.recovery import bulk as working
from services.recovery import store
from services.recovery.bulk import Bulk
from services.recovery.domain import failing
from services.recovery.domain.case import Case, Severity, State
from services.recovery.store import bulk as kept
from tests.recovery.conftest import NOON, Lane
from tests.recovery.office import Desk, Office, slug

Start = Callable[..., Awaitable[dict[str, Any]]]


def case_ids(count: int) -> list[UUID]:
    return [failing.case_id(UUID(int=1000 + n), UUID(int=100 + n)) for n in range(count)]


async def opened(lane: Lane, count: int) -> list[UUID]:
    await lane.feed(*(lane.fact(number=100 + n, customer=UUID(int=1000 + n)) for n in range(count)), lane.marker(NOON))
    return case_ids(count)


async def case(lane: Lane, identity: UUID) -> Case:
    async with lane.engine.connect() as connection:
        found = await store.case_of(connection, identity)
    assert found is not None
    return found.case


async def finished(lane: Lane) -> None:
    worker = Bulk(lane.engine, lane.settings)
    while await worker.step():
        pass


def body(act: str, ids: list[UUID], version: int = 1, **needs: Any) -> dict[str, Any]:
    return {"act": act, "needs": needs, "cases": [{"id": str(each), "version": version} for each in ids]}


@pytest.fixture
def lea(office: Office) -> Desk:
    return office.desk("lea", "lead")


async def test_an_act_is_done_in_every_case_and_again_it_is_the_same_one(lane: Lane, lea: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "BATCH", 3)
    ids = await opened(lane, 7)
    asked = body("set_severity", ids, severity="high", why="the whole branch")
    began = await lea.post("/v1/bulk-acts", asked, "k")
    assert (began.status_code, began.json()["waiting"]) == (201, 7), began.text
    assert (await lea.post("/v1/bulk-acts", asked, "k")).json()["id"] == began.json()["id"]
    assert slug(await lea.post("/v1/bulk-acts", body("note_case", ids, text="x"), "k")) == "idempotency-key-reused"
    await finished(lane)
    ended = (await lea.get(f"/v1/bulk-acts/{began.json()['id']}")).json()
    assert (ended["total"], ended["done"], ended["refused"]) == (7, 7, 0)
    assert ended["finished_at"] is not None
    found = [await case(lane, each) for each in ids]
    assert {(each.severity, each.version) for each in found} == {(Severity.HIGH, 2)}
    async with lane.engine.connect() as connection:
        assert (await connection.scalar(text("SELECT needs FROM bulk_runs"))) == {}


async def test_where_one_case_refuses_the_others_go_on_and_the_reason_is_told(lane: Lane, lea: Desk) -> None:
    ids = await opened(lane, 3)
    await finished(lane)
    stale = body("own_case", ids[:2]) | {"cases": [{"id": str(ids[0]), "version": 9}, {"id": str(ids[1]), "version": 1}]}
    stale["cases"].append({"id": str(UUID(int=5)), "version": 1})
    run = (await lea.post("/v1/bulk-acts", stale, "k")).json()["id"]
    await finished(lane)
    told = {each["case_id"]: (each["state"], each["reason"]) for each in (await lea.get(f"/v1/bulk-acts/{run}/cases")).json()["items"]}
    assert told == {
        str(ids[0]): ("refused", "Read it again, then decide."), str(ids[1]): ("done", None),
        str(UUID(int=5)): ("refused", "There is no such case."),
    }  # fmt: skip
    assert ((await case(lane, ids[1])).owner, (await case(lane, ids[0])).state) == ("lea", State.OPEN)


async def test_the_load_guard_holds_case_by_case(lane: Lane, lea: Desk) -> None:
    """Breaks if a batch gave somebody more than they can carry because the tables know nothing of it yet."""
    most = lane.settings.most_cases
    ids = await opened(lane, most + 2)
    await lea.post("/v1/bulk-acts", body("assign_case", ids, to="ana"), "k")
    await finished(lane)
    owned = [await case(lane, each) for each in ids]
    assert sum(each.owner == "ana" for each in owned) == most


async def test_a_batch_that_dies_is_done_again_once(lane: Lane, lea: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = await opened(lane, 4)
    needs = {"what": "call them", "due": "2026-03-02T12:00:00Z"}
    await lea.post("/v1/bulk-acts", body("own_case", ids), "own")
    await finished(lane)
    await lea.post("/v1/bulk-acts", body("add_task", ids, 2, **needs), "k")
    settle = kept.settle

    async def die(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(kept, "settle", die)
    with pytest.raises(ConnectionError):
        await Bulk(lane.engine, lane.settings).step()
    assert not (await case(lane, ids[0])).tasks
    monkeypatch.setattr(kept, "settle", settle)
    await finished(lane)
    assert [len((await case(lane, each)).tasks) for each in ids] == [1, 1, 1, 1]


async def test_what_cannot_be_done_to_many_says_what_would_be_right(lane: Lane, lea: Desk, office: Office) -> None:
    ids = await opened(lane, 1)
    unknown = await lea.post("/v1/bulk-acts", body("forgive", ids), "a")
    assert (slug(unknown), unknown.json()["errors"][0]["pointer"]) == ("invalid-request", "/act")
    assert "own_case" in unknown.json()["errors"][0]["detail"]
    needs = await lea.post("/v1/bulk-acts", body("set_severity", ids, severity="worst", why="x"), "b")
    assert needs.json()["errors"][0]["pointer"] == "/needs/severity"
    thing = await lea.post("/v1/bulk-acts", body("finish_task", ids), "c")
    assert "one task of one case" in thing.json()["errors"][0]["detail"]
    assert slug(await lea.post("/v1/bulk-acts", body("confirm_case", ids), "d")) == "forbidden"
    assert slug(await office.desk("ana", "agent").post("/v1/bulk-acts", body("assign_case", ids, to="ana"), "e")) == "forbidden"
    assert slug(await lea.get(f"/v1/bulk-acts/{UUID(int=3)}")) == "not-found"
