"""Every list goes on behind a cursor: read page by page it is what it is as a whole, each thing once."""

from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.recovery.conftest import Lane
from tests.recovery.office import CASE, Desk, Office, slug

BOOK: dict[str, Any] = {"apiVersion": "makegood/v1", "kind": "Playbook"}


BEFORE = "2026-01-01T00:00:00Z"


async def asked(desk: Desk, path: str, **more: Any) -> httpx2.Response:
    return await desk.get(path.partition("?")[0], **dict(httpx2.URL(path).params), **more)


@pytest.fixture
async def mia(ana: Desk, office: Office, lane: Lane) -> Desk:
    """A manager, where there are three of everything."""
    mia = office.desk("mia", "manager")
    for number in range(3):
        book = BOOK | {"metadata": {"name": f"book-{number}"}, "spec": {"severity": "low"}}
        assert (await mia.post("/v1/playbooks", book, f"p{number}")).status_code == 201
        anew = BOOK | {"metadata": {"name": "book-0"}, "spec": {"fair": f"{number + 1} EUR"}}
        assert (await mia.post("/v1/playbooks", anew, f"v{number}")).status_code == 201
        hook = {"url": f"https://93.184.216.34/{number}", "types": ["makegood.case.*"]}
        assert (await mia.post("/v1/webhooks", hook, f"w{number}")).status_code == 201
        await office.desk(f"person-{number}", "agent").put(f"/v1/people/person-{number}", {})
        for one in (1, 2):
            customer = UUID(int=90 + 6 * number + 3 * one)
            await lane.feed(lane.fact(number=20 + 2 * number + one, customer=customer, promise=f"promise-{number}", segment=f"s{one % 2}"))
    for case in (await ana.get("/v1/cases")).json()["items"]:
        path = f"/v1/cases/{case['id']}"
        await ana.act("/owner", case=path)
        await ana.act("/cause", {"component": "people", "because": "did_not_know", "what": "x"}, case=path)
        for unit in ("north", "south"):
            spent = {"kind": "goodwill", "money": {"amount": "1", "currency": "EUR"}, "what": "x", "bearer": "supplier", "borne_by": unit}
            assert (await ana.act("/ledger", spent, case=path, idempotency_key=f"{unit}-{case['id']}")).status_code == 201
    report = {"customer": str(UUID(int=300)), "what": "I lost it"}  # of no promise: what is missing has its place, too
    reported = (await ana.post("/v1/cases", report, "report")).json()
    path = f"/v1/cases/{reported['id']}"
    await ana.act("/owner", case=path)
    await ana.act("/cause", {"component": "people", "because": "did_not_know", "what": "x"}, case=path)
    spent = {"kind": "goodwill", "money": {"amount": "1", "currency": "EUR"}, "what": "x", "bearer": "supplier", "borne_by": "north"}
    assert (await ana.act("/ledger", spent, case=path, idempotency_key="reported")).status_code == 201
    return mia


LISTS = {
    "/v1/playbooks": 3, "/v1/playbooks/book-0": 3, "/v1/webhooks": 3, "/v1/causes": 5, "/v1/learning-needs": 5,
    f"{CASE}/suggestions": 3, "/v1/ledger": 9, f"/v1/mass-failures/proposals?least=2&since={BEFORE}": 5,
}  # fmt: skip
"""With how many of each there are at least."""


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_read_page_by_page_is_the_whole_of_it(mia: Desk, path: str) -> None:
    whole = (await asked(mia, path)).json()
    assert len(whole["items"]) >= LISTS[path]
    assert whole["next"] is None
    found, cursor = [], None
    while True:
        page = (await asked(mia, path, limit=1, **({"cursor": cursor} if cursor else {}))).json()
        assert len(page["items"]) == 1
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == whole["items"]
    assert slug(await asked(mia, path, cursor="bm8")) == "malformed-cursor"


async def test_more_clusters_than_were_ever_shown_at_once_are_all_proposed(lane: Lane, ana: Desk) -> None:
    """Breaks if the list ends silently at a hundred, or skips one where several are alike but for what they share."""
    facts = [
        lane.fact(number=1000 + 2 * each + two, customer=UUID(int=5000 + 6 * each + 3 * two), promise=f"p-{each:03}")
        for each in range(120) for two in (0, 1)
    ]  # fmt: skip
    await lane.feed(*facts)
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await ana.get("/v1/mass-failures/proposals", since=BEFORE, least=2, limit=50, **cursor)).json()
        found += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert [each["promise"] for each in found] == [f"p-{each:03}" for each in range(120)]


async def test_a_place_among_those_suggested_holds_though_others_come_meanwhile(office: Office, ana: Desk) -> None:
    """Breaks if a page goes on behind so many people, and not behind the last who was shown."""
    for name in ("bea", "cid", "dan"):
        await office.desk(name, "agent").put(f"/v1/people/{name}", {})
    first = (await ana.get(f"{CASE}/suggestions", limit=2)).json()
    await office.desk("abe", "agent").put("/v1/people/abe", {})
    rest = (await ana.get(f"{CASE}/suggestions", limit=2, cursor=first["next"])).json()
    assert [each["subject"] for each in first["items"] + rest["items"]] == ["bea", "cid", "dan"]
