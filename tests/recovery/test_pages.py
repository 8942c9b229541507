"""Every list goes on behind a cursor: read page by page it is what it is as a whole, each thing once."""

from typing import Any
from uuid import UUID

import pytest

from tests.recovery.conftest import Lane
from tests.recovery.office import CASE, Desk, Office, slug

BOOK: dict[str, Any] = {"apiVersion": "makegood/v1", "kind": "Playbook"}


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
        await lane.feed(lane.fact(number=20 + number, customer=UUID(int=90 + 3 * number), promise=f"promise-{number}"))
    for case in (await ana.get("/v1/cases")).json()["items"]:
        path = f"/v1/cases/{case['id']}"
        await ana.act("/owner", case=path)
        await ana.act("/cause", {"component": "people", "because": "did_not_know", "what": "x"}, case=path)
    return mia


@pytest.mark.parametrize(
    "path", ["/v1/playbooks", "/v1/playbooks/book-0", "/v1/webhooks", "/v1/causes", "/v1/learning-needs", f"{CASE}/suggestions"]
)
async def test_a_list_read_page_by_page_is_the_whole_of_it(mia: Desk, path: str) -> None:
    whole = (await mia.get(path)).json()
    assert len(whole["items"]) >= 3
    assert whole["next"] is None
    found, cursor = [], None
    while True:
        page = (await mia.get(path, limit=1, **({"cursor": cursor} if cursor else {}))).json()
        assert len(page["items"]) == 1
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == whole["items"]
    assert slug(await mia.get(path, cursor="bm8")) == "malformed-cursor"
