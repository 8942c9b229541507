"""The REST side of recovery on a real PostgreSQL: the passport's way, and what is refused on it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from services.cli.audit import wrong
from tests.driving import as_owner
from tests.recovery.conftest import CUSTOMER, NOON, Lane
from tests.recovery.office import CASE, Desk, Office, slug

PLEDGE = {"what": "we call you by four", "due": (NOON + timedelta(hours=4)).isoformat()}


async def test_the_way_of_the_passport(ana: Desk, office: Office, lane: Lane) -> None:
    owned = await ana.act("/owner")
    assert (owned.json()["state"], owned.json()["owner"], owned.headers["etag"]) == ("owned", "ana", '"2"')
    pledged = await ana.act("/pledges", PLEDGE, idempotency_key="call")
    assert (pledged.status_code, pledged.json()["due"]) == (201, "2026-03-01T16:00:00Z")
    pledge = pledged.json()["pledges"][0]["id"]
    assert (await ana.act(f"/pledges/{pledge}/fulfil")).json()["pledges"][0]["state"] == "done"
    assert (await ana.act("/remedy", {"what": "a new passport"})).json()["state"] == "remedied"
    customer = office.desk(f"customer:{CUSTOMER}", "customer")
    seen = (await ana.get(CASE)).headers["etag"]
    assert (await customer.act("/confirm", if_match=seen)).json()["state"] == "watching"
    case = (await ana.get(CASE)).json()
    assert [each["kind"] for each in case["acts"]] == [
        "opened", "owned", "pledged", "pledge_fulfilled", "remedied", "confirmed", "watching",
    ]  # fmt: skip


async def test_an_employees_word_does_not_confirm(ana: Desk) -> None:
    await ana.act("/owner")
    await ana.act("/remedy", {"what": "x"})
    refused = await ana.act("/confirm")
    assert (refused.status_code, slug(refused)) == (403, "forbidden")
    assert "employee's word" in refused.json()["detail"]


async def test_a_customer_confirms_no_other_customers_case(ana: Desk, office: Office) -> None:
    await ana.act("/owner")
    seen = (await ana.act("/remedy", {"what": "x"})).headers["etag"]
    refused = await office.desk("customer:somebody", "customer").act("/confirm", if_match=seen)
    assert (refused.status_code, slug(refused)) == (403, "not-your-case")


async def test_what_the_case_does_not_allow_is_refused_with_a_reason(ana: Desk, office: Office) -> None:
    assert slug(await ana.act("/remedy", {"what": "x"})) == "act-refused"
    await ana.act("/owner")
    assert slug(await office.desk("ben", "agent").act("/remedy", {"what": "x"})) == "not-the-owner"
    assert slug(await ana.act(f"/pledges/{UUID(int=3)}/fulfil")) == "not-found"
    late = PLEDGE | {"due": NOON.isoformat()}
    refused = await ana.act("/pledges", late, idempotency_key="k")
    assert (refused.status_code, slug(refused)) == (422, "due-has-passed")


@pytest.mark.parametrize(
    "body",
    [{}, PLEDGE | {"due": "2026-03-01T16:00:00"}, PLEDGE | {"what": ""}, PLEDGE | {"what": "a\0b"}, PLEDGE | {"x": 1}],
)
async def test_a_pledge_that_cannot_be_read_changes_nothing(ana: Desk, body: Any) -> None:
    await ana.act("/owner")
    assert slug(await ana.act("/pledges", body, idempotency_key="k")) == "invalid-request"
    assert (await ana.get(CASE)).json()["version"] == 2


async def test_a_write_names_the_version_it_was_decided_on(ana: Desk) -> None:
    headers = ana.headers
    assert slug(await ana.client.post(f"{CASE}/owner", headers=headers)) == "if-match-required"
    assert (await ana.act("/owner")).status_code == 200
    stale = await ana.act("/owner", if_match='"1"')
    assert (stale.status_code, slug(stale), stale.headers["etag"]) == (412, "stale-version", '"2"')


async def test_a_pledge_sent_twice_is_made_once(ana: Desk) -> None:
    await ana.act("/owner")
    first = await ana.act("/pledges", PLEDGE, idempotency_key="call")
    again = await ana.act("/pledges", PLEDGE, idempotency_key="call", if_match='"2"')
    assert (again.status_code, again.content, again.headers["etag"]) == (201, first.content, first.headers["etag"])
    other = await ana.act("/pledges", PLEDGE | {"what": "else"}, idempotency_key="call")
    assert (other.status_code, slug(other)) == (422, "idempotency-key-reused")
    assert slug(await ana.act("/pledges", PLEDGE)) == "malformed-idempotency-key"


async def test_cases_come_by_what_is_due_next_then_the_oldest_and_no_page_repeats(lane: Lane, ana: Desk) -> None:
    others = [lane.fact(number=n, customer=UUID(int=6 * n), at=NOON - timedelta(minutes=n)) for n in range(10, 17)]
    await lane.feed(*others)
    await ana.act("/owner")
    await ana.act("/pledges", PLEDGE, idempotency_key="k")
    seen: list[str] = []
    parameters: dict[str, Any] = {"limit": 3}
    while True:
        page = (await ana.get("/v1/cases", **parameters)).json()
        seen += [each["customer"] for each in page["items"]]
        if page["next"] is None:
            break
        parameters["cursor"] = page["next"]
    assert seen == [str(CUSTOMER), *(str(UUID(int=6 * n)) for n in range(16, 9, -1))]


async def test_cases_are_found_by_state_owner_and_customer(ana: Desk, lane: Lane) -> None:
    await lane.feed(lane.fact(number=2, customer=UUID(int=30)))
    await ana.act("/owner")

    async def found(**chosen: Any) -> set[str]:
        return {each["customer"] for each in (await ana.get("/v1/cases", **chosen)).json()["items"]}

    assert await found(state="owned") == {str(CUSTOMER)}
    assert await found(state=["owned", "open"], limit=9) == {str(CUSTOMER), str(UUID(int=30))}
    assert await found(owner="ana") == {str(CUSTOMER)}
    assert await found(owner="nobody") == set()
    assert await found(customer=str(UUID(int=30))) == {str(UUID(int=30))}


async def test_what_is_not_there_and_who_is_not_known(ana: Desk, office: Office) -> None:
    assert slug(await ana.get(f"/v1/cases/{UUID(int=404)}")) == "not-found"
    assert (await office.client.get(CASE)).status_code == 401
    assert (await office.desk("eve", "customer").get(CASE)).status_code == 403


async def test_status_tells_where_each_lane_stands(ana: Desk) -> None:
    (lane,) = (await ana.get("/v1/status")).json()["lanes"]
    assert lane == {
        "topic": "makegood.promises", "partition": 0, "position": 2, "arrival": "2026-03-01T12:00:00Z",
        "effects": 3, "outbox": 3, "counts": {},
    }  # fmt: skip


async def test_ready_once_its_tables_are_there(ana: Desk) -> None:
    assert (await ana.client.get("/readyz")).json() == {"status": "ready"}


async def test_somebody_reports_a_failure_and_it_opens_a_case_by_the_book(ana: Desk, lane: Lane) -> None:
    """Breaks if what no promise told had to wait for one: "I lost it"."""
    manager = Office(ana.client, ana.keys).desk("mia", "manager")
    spec = {"severity": "high", "tasks": [{"name": "call", "what": "Call the customer.", "within": "4 hours"}]}
    document = {"apiVersion": "makegood/v1", "kind": "Playbook", "metadata": {"name": "lost-papers"}, "spec": spec}
    published = await ana.client.post("/v1/playbooks", json=document, headers=manager.headers | {"idempotency-key": "p"})
    assert (published.status_code, published.json()["version"]) == (201, 1)
    assert (await manager.post("/v1/playbooks", document, "again")).json()["version"] == 1
    report = {"customer": str(UUID(int=30)), "what": "I lost her passport", "playbook": "lost-papers"}
    headers = ana.headers | {"idempotency-key": "report"}
    opened = await ana.client.post("/v1/cases", json=report, headers=headers)
    case = opened.json()
    assert (opened.status_code, case["state"], case["severity"], case["playbook_version"]) == (201, "open", "high", 1)
    assert [(each["what"], each["promise"]) for each in case["failures"]] == [("I lost her passport", None)]
    assert [(each["name"], each["due"]) for each in case["tasks"]] == [("call", "2026-03-01T16:00:00Z")]
    assert (await ana.client.post("/v1/cases", json=report, headers=headers)).content == opened.content
    unknown = await ana.client.post("/v1/cases", json=report | {"playbook": "x"}, headers=ana.headers | {"idempotency-key": "other"})
    assert (unknown.status_code, slug(unknown)) == (404, "not-found")


async def test_a_playbook_that_is_not_right_is_refused_with_its_places(ana: Desk) -> None:
    manager = Office(ana.client, ana.keys).desk("mia", "manager")
    document = {"apiVersion": "makegood/v1", "kind": "Playbook", "metadata": {"name": "x"}, "spec": {"severity": "hgh"}}
    refused = await ana.client.post("/v1/playbooks", json=document, headers=manager.headers | {"idempotency-key": "p"})
    assert (refused.status_code, slug(refused)) == (422, "invalid-request")
    assert "did you mean `high`?" in refused.text


async def test_words_are_gone_once_the_customer_is_erased(ana: Desk, office: Office, lane: Lane) -> None:
    await ana.act("/owner")
    await ana.act("/notes", {"text": "she cried"})
    await ana.act("/tasks", {"what": "call her sister", "due": PLEDGE["due"]}, idempotency_key="task")
    asked = await ana.act("/help-requests", {"what": "she needs a visa", "due": PLEDGE["due"]}, idempotency_key="help")
    request = f"/help-requests/{asked.json()['help_requests'][0]['id']}"
    await office.desk("ben", "agent").act(f"{request}/pass", {"assignee": "eva", "why": "she lives next door"})
    await office.desk("eva", "agent").act(f"{request}/answer", {"text": "she has it in hand"})
    await ana.act(f"{request}/thank", {"text": "she sends flowers"})
    await ana.act("/cause", {"component": "procedures", "what": "she was given no receipt"})
    await ana.act("/offer", {"to": "eva", "why": "she trusts her"})
    erased = {"type": "makegood.promises.erased", "customer": str(CUSTOMER), "time": NOON.isoformat()}
    lane.sequence += 1
    await lane.feed(lane.record(orjson.dumps(erased, option=0), [("lane", f"promises/0/1/{lane.sequence}".encode())]))
    shown = (await ana.get(CASE)).text
    assert "she cried" not in shown
    assert "her sister" not in shown
    assert "she " not in shown
    assert len((await ana.get(CASE)).json()["help_requests"][0]["chain"]) == 1
    assert len((await ana.get(CASE)).json()["tasks"]) == 1


async def test_the_trail_is_verified_by_whoever_reads_it_and_a_changed_act_is_named(ana: Desk, lane: Lane) -> None:
    """Breaks if somebody who can write to the database could change what was done and nobody saw it."""
    await ana.act("/owner")
    await ana.act("/notes", {"text": "she has a flight on Wednesday"})
    assert wrong((await ana.get(f"{CASE}/audit")).json()) == []
    async with as_owner(lane.engine) as connection:
        await connection.execute(text("UPDATE acts SET by = 'ben' WHERE number = 2"))
    (found,) = wrong((await ana.get(f"{CASE}/audit")).json())
    assert "act 2 is not what was written" in found
    async with as_owner(lane.engine) as connection:
        await connection.execute(text("UPDATE acts SET by = 'ana' WHERE number = 2"))
        await connection.execute(text("DELETE FROM acts WHERE number = 3"))
    (found,) = wrong((await ana.get(f"{CASE}/audit")).json())
    assert "its last act is number 3" in found


async def test_a_message_is_seen_before_it_is_written_and_its_words_are_gone_once_the_customer_is_erased(ana: Desk, lane: Lane) -> None:
    manager = Office(ana.client, ana.keys).desk("mia", "manager")
    said = {"name": "sorry", "language": "en", "subject": "We failed you", "text": "{owner} looks after {failure}."}
    document = {"apiVersion": "makegood/v1", "kind": "Playbook", "metadata": {"name": "lost-papers"}, "spec": {"messages": [said]}}
    await ana.client.post("/v1/playbooks", json=document, headers=manager.headers | {"idempotency-key": "p"})
    report = {"customer": str(CUSTOMER), "what": "her passport", "playbook": "lost-papers"}
    await ana.act("/owner")
    assert slug(await ana.get(f"{CASE}/messages/preview", name="sorry")) == "not-found"
    other = report | {"customer": str(UUID(int=30))}
    opened = await ana.client.post("/v1/cases", json=other, headers=ana.headers | {"idempotency-key": "report"})
    path = f"/v1/cases/{opened.json()['id']}"
    await ana.client.post(f"{path}/owner", headers=ana.headers | {"if-match": opened.headers["etag"]})
    shown = await ana.get(f"{path}/messages/preview", name="sorry", language="de")
    assert shown.json() == {"name": "sorry", "language": "en", "subject": "We failed you", "text": "ana looks after her passport."}
    await ana.act("/preferences", {"address": "rosa@example.org", "hours": {"begins": "09:00", "ends": "12:30", "zone": "Europe/Madrid"}})
    drafted = await ana.act("/messages", {"subject": "Dear Rosa", "text": "We found it."}, idempotency_key="m")
    queued = await ana.act(f"/messages/{drafted.json()['messages'][0]['id']}/send")
    assert [(each["state"], each["due"]) for each in queued.json()["messages"]] == [("waiting", "2026-03-02T08:00:00Z")]
    assert slug(await ana.act("/preferences", {"hours": {"begins": "9", "ends": "12:30", "zone": "Europe/Madird"}})) == "invalid-request"
    erased = {"type": "makegood.promises.erased", "customer": str(CUSTOMER), "time": NOON.isoformat()}
    lane.sequence += 1
    await lane.feed(lane.record(orjson.dumps(erased), [("lane", f"promises/0/1/{lane.sequence}".encode())]))
    for word in ("rosa@example.org", "Dear Rosa", "found it"):
        assert word not in (await ana.get(CASE)).text
