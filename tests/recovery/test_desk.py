"""Working cases over REST: what every list, creation and change of recovery has in common, and the parts of a case by themselves."""

from typing import Any
from uuid import UUID

import pytest

from contracts.acts import ACTS
from services.recovery.api import openapi
from tests.recovery.conftest import NOON, Lane
from tests.recovery.office import CASE, Desk, Office, slug

PLAYBOOK = {"apiVersion": "makegood/v1", "kind": "Playbook", "metadata": {"name": "lost"}, "spec": {"severity": "high"}}
CREATIONS = {"open_case", "publish_playbook", "create_webhook", "begin_improvement", "recognise", "write_coaching_note", "start_bulk_act"}
CHANGES_NOTHING_TWICE = {"redeliver"}
"""Said twice it does what it does once, and there is no version to name."""
TELLS_A_SECRET = {"make_api_key", "rotate_api_key"}
"""An answer that is told once and kept by nobody cannot be told again; a name in force is not given twice."""
WHATEVER_IT_HAS_BECOME = {"revoke_api_key"}
"""Who ends it ends it, whoever changed it meanwhile."""


def _operations(method: str) -> dict[str, set[str]]:
    """Every operation of a method, by its id, with the headers that it takes."""
    paths: dict[str, Any] = openapi()["paths"]
    found = (path[method] for path in paths.values() if method in path)
    return {each["operationId"]: {one["name"].lower() for one in each.get("parameters", []) if one["in"] == "header"} for each in found}


def test_every_creation_takes_a_key_and_every_change_the_version_that_was_seen() -> None:
    """Breaks if a new operation lets a retry create twice, or one person overwrite what another has just written."""
    posts = _operations("post")
    creating = {each.name for each in ACTS if each.creates} | CREATIONS
    assert {name for name in creating if "idempotency-key" not in posts[name]} == set()
    changing = {each.name: posts[each.name] for each in ACTS} | _operations("put") | _operations("delete") | _operations("patch")
    assert {name for name, headers in changing.items() if "if-match" not in headers} == WHATEVER_IT_HAS_BECOME
    assert {
        name for name, headers in posts.items() if headers.isdisjoint({"idempotency-key", "if-match"})
    } == CHANGES_NOTHING_TWICE | TELLS_A_SECRET


async def test_a_webhook_is_created_once_and_changed_by_who_saw_it_last(office: Office) -> None:
    mia = office.desk("mia", "manager")
    asked = {"url": "https://example.org/told", "types": ["makegood.case.owned"]}
    first, again = [await mia.post("/v1/webhooks", asked, "w") for _ in range(2)]
    assert (first.status_code, first.content) == (201, again.content)
    assert len((await mia.get("/v1/webhooks")).json()["items"]) == 1
    assert slug(await mia.post("/v1/webhooks", asked | {"url": "https://example.org/other"}, "w")) == "idempotency-key-reused"
    path = f"/v1/webhooks/{first.json()['id']}"
    changed = await mia.put(path, asked | {"types": ["makegood.case.*"]})
    assert (changed.headers["etag"], changed.json()["types"], "secret" in changed.json()) == ('"2"', ["makegood.case.*"], False)
    assert (await mia.put(path, asked, seen='"1"')).status_code == 412
    headers = mia.headers
    assert (await mia.client.delete(path, headers=headers)).status_code == 428
    assert (await mia.client.delete(path, headers=headers | {"if-match": '"1"'})).status_code == 412
    assert (await mia.client.delete(path, headers=headers | {"if-match": '"2"'})).status_code == 204
    assert (await mia.get(path)).status_code == 404


async def test_a_playbook_sent_again_after_the_next_one_is_still_the_version_it_was(office: Office) -> None:
    """Breaks if a retry that comes late takes back what was published since."""
    mia = office.desk("mia", "manager")
    later = PLAYBOOK | {"spec": {"severity": "low"}}
    versions = [(await mia.post("/v1/playbooks", *each)).json()["version"] for each in ((PLAYBOOK, "a"), (later, "b"), (PLAYBOOK, "a"))]
    assert versions == [1, 2, 1]
    assert (await mia.get("/v1/playbooks/lost")).json()["items"][-1]["document"] == later


async def test_the_parts_of_a_case_are_read_by_themselves_with_its_version(ana: Desk) -> None:
    await ana.act("/owner")
    await ana.act("/tasks", {"what": "call her", "due": NOON.replace(hour=15).isoformat()}, idempotency_key="t")
    whole = await ana.get(CASE)
    tasks, owner, ledger = [await ana.get(f"{CASE}/{part}") for part in ("tasks", "owner", "ledger")]
    assert (tasks.json()["tasks"], tasks.headers["etag"]) == (whole.json()["tasks"], whole.headers["etag"])
    assert owner.json() == {"version": whole.json()["version"], "owner": "ana", "offered_to": None}
    assert ledger.json()["sums"] == []
    assert (await ana.get(f"/v1/cases/{UUID(int=99)}/pledges")).status_code == 404


async def all_of(desk: Desk, path: str, **parameters: Any) -> list[Any]:
    """Everything that a list holds, two at a time."""
    items: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await desk.get(path, limit=2, **parameters, **cursor)).json()
        items += page["items"]
        if page["next"] is None:
            return items
        assert len(page["items"]) == 2
        cursor = {"cursor": page["next"]}


@pytest.mark.parametrize("number", [0, 4, 5])
async def test_lists_are_whole_however_they_are_cut(ana: Desk, lane: Lane, office: Office, number: int) -> None:
    """Breaks if a list ends at its page without a word."""
    mia = office.desk("mia", "manager")
    await ana.act("/owner")
    for each in range(number):
        due = NOON.replace(hour=20 - each // 2).isoformat()
        await ana.act("/help-requests", {"what": "who knows?", "due": due}, idempotency_key=f"h{each}")
        change = {"component": "procedures", "what": "a safe", "owner": "mia", "due": due}
        await mia.post("/v1/improvements", change, f"i{each}")
        await mia.post("/v1/recognitions", {"case": CASE.rpartition("/")[2], "person": "ana", "what": "drove"}, f"r{each}")
        await mia.post("/v1/people/ana/coaching-notes", {"text": "rest"}, f"n{each}")
        somebody = office.desk(f"p{each}", "agent")
        await somebody.put(f"/v1/people/p{each}", {})
    helps = await all_of(ana, "/v1/help-requests")
    assert [each["help"]["due"] for each in helps] == sorted(each["help"]["due"] for each in helps)
    improvements = await all_of(mia, "/v1/improvements")
    assert [each["due"] for each in improvements] == sorted(each["due"] for each in improvements)
    lists = [helps, improvements, await all_of(ana, "/v1/recognitions"), await all_of(mia, "/v1/people")]
    lists.append(await all_of(mia, "/v1/people/ana/coaching-notes"))
    assert [len(each) for each in lists] == [number] * 5
    assert len({each["id"] for each in lists[1] + lists[2] + lists[4]}) == 3 * number


async def test_as_many_cases_as_a_bulk_act_may_name_fit_into_its_request_and_files_go_one_by_one(office: Office) -> None:
    """Breaks if the limit of a body says less than the limit of the list."""
    lea = office.desk("lea", "lead")
    cases = [{"id": str(UUID(int=number)), "version": 2**31 - 1} for number in range(10_000)]
    began = await lea.post("/v1/bulk-acts", {"act": "note_case", "needs": {"text": "x" * 4000}, "cases": cases}, "all")
    assert (began.status_code, began.json()["refused"]) == (201, 10_000), "there are no such cases, and each says so"
    assert slug(await lea.post("/v1/bulk-acts", {"act": "attach_file", "needs": {}, "cases": cases[:1]}, "file")) == "invalid-request"
