"""Approvals, the ledger and delegation over REST, on a real PostgreSQL."""

from datetime import timedelta
from typing import Any

import pytest

from tests.recovery.conftest import NOON, Lane
from tests.recovery.office import CASE, CUSTOMER, Desk, Office, slug

LEAVE = {"kind": "time_off", "what": "two days of my own leave", "days": "2", "due": (NOON + timedelta(hours=4)).isoformat()}
EUROS = {"amount": "60.00", "currency": "EUR"}
SPEC = {
    "authority": [{"role": "agent", "money": "50 EUR"}, {"role": "lead", "money": "500 EUR", "time_off": "2 days"}],
    "budget": {"amount": "70 EUR", "per": "month"},
    "fair": "25 EUR",
    "compensation": {"promise": "papers-returned", "money": "10 EUR", "within": "5 days", "unless": ["customer-at-fault"]},
}


@pytest.fixture
async def ana(lane: Lane, office: Office) -> Desk:
    manager = office.desk("mia", "manager")
    document = {"apiVersion": "makegood/v1", "kind": "Playbook", "metadata": {"name": "lost-papers"}, "spec": SPEC}
    assert (
        await manager.client.post("/v1/playbooks", json=document, headers=manager.headers | {"idempotency-key": "p"})
    ).status_code == 201
    await lane.feed(lane.fact(playbook="lost-papers"), lane.marker(NOON))
    ana = office.desk("ana", "agent")
    await ana.act("/owner")
    return ana


async def waiting(desk: Desk) -> list[str]:
    return [each["asked_by"] for each in (await desk.get("/v1/approvals")).json()["items"]]


async def test_leave_is_asked_for_seen_by_who_may_decide_it_and_granted(ana: Desk, office: Office) -> None:
    lea = office.desk("lea", "lead")
    asked = (await ana.act("/approvals", LEAVE, idempotency_key="leave")).json()["approvals"][0]
    assert (asked["roles"], asked["days"], asked["state"]) == (["lead"], "2", "open")
    assert (await waiting(ana), await waiting(lea), await waiting(office.desk("mia", "manager"))) == ([], ["ana"], [])
    refused = await ana.act(f"/approvals/{asked['id']}/grant", {"why": "I need it"})
    assert (refused.status_code, slug(refused)) == (403, "self-approval")
    granted = (await lea.act(f"/approvals/{asked['id']}/grant", {"why": "take them"})).json()["approvals"][0]
    assert (granted["decision"], granted["decided_by"], await waiting(lea)) == ("granted", "lea", [])


async def test_what_was_asked_in_a_case_that_the_customer_declined_waits_for_nobody(ana: Desk, office: Office) -> None:
    lea, customer = office.desk("lea", "lead"), office.desk(f"customer:{CUSTOMER}", "customer")
    case = (await ana.act("/approvals", LEAVE, idempotency_key="leave")).json()
    assert await waiting(lea) == ["ana"]
    declined = await customer.client.post(
        f"{CASE}/decline", json={"why": "leave me in peace"}, headers=customer.headers | {"if-match": f'"{case["version"]}"'}
    )
    assert declined.json()["approvals"][0]["state"] == "called_off"
    assert await waiting(lea) == []


async def test_one_who_stands_in_decides_what_waits_for_whoever_is_away_where_they_lent_their_authority(ana: Desk, office: Office) -> None:
    lea, ben = office.desk("lea", "lead", teams=["north"]), office.desk("ben", "agent")
    asked = (await ana.act("/approvals", LEAVE, idempotency_key="leave")).json()["approvals"][0]
    away = {"since": NOON.isoformat(), "until": (NOON + timedelta(days=1)).isoformat(), "cover": "ben"}
    await lea.put("/v1/people/lea", {"away": away})
    assert (await waiting(ben), slug(await ben.act(f"/approvals/{asked['id']}/grant", {"why": "x"}))) == ([], "beyond-authority")
    mia = office.desk("mia", "manager")
    assert slug(await mia.put("/v1/people/lea/away", {"away": away | {"lends": True}})) == "not-yourself"
    assert slug(await lea.put("/v1/people/lea/away", {"away": away | {"lends": True, "cover": None}})) == "invalid-request"
    lent = await lea.put("/v1/people/lea/away", {"away": away | {"lends": True}})
    assert (lent.json()["away"]["lends"], await waiting(ben)) == (["lead"], ["ana"])
    await lea.put("/v1/people/lea/away", {"away": None})
    assert slug(await ben.act(f"/approvals/{asked['id']}/grant", {"why": "x"})) == "beyond-authority"
    await lea.put("/v1/people/lea/away", {"away": away | {"lends": True}})
    assert (await ben.act(f"/approvals/{asked['id']}/grant", {"why": "for lea"})).status_code == 200


async def test_nobody_gives_beyond_their_authority_or_the_budget_and_what_they_give_is_counted(ana: Desk, office: Office) -> None:
    beyond = await ana.act("/gestures", {"kind": "money", "what": "sorry", "value": EUROS}, idempotency_key="a")
    assert (beyond.status_code, slug(beyond)) == (403, "beyond-authority")
    lea = office.desk("lea", "lead")
    await ana.act("/ledger", {"kind": "goodwill", "what": "sorry", "money": EUROS | {"amount": "50.00"}}, idempotency_key="b")
    budget = await lea.act("/ledger", {"kind": "goodwill", "what": "x", "money": EUROS | {"amount": "20.01"}}, idempotency_key="c")
    assert "20.00 EUR is left" in budget.json()["detail"]
    passport = {"kind": "third_party", "what": "passport", "money": EUROS, "bearer": "employee"}
    case = (await ana.act("/ledger", passport, idempotency_key="d")).json()
    (total,) = case["sums"]
    assert (total["spent"], total["given"], total["own_pockets"], total["over"]) == ("110.00", "50.00", "60.00", "25.00")
    due = case["compensations"][0]
    paid = (await ana.act(f"/compensations/{due['id']}/pay", {"unit": "branch 12"})).json()
    assert (due["money"], paid["sums"][0]["given"]) == ({"amount": "10", "currency": "EUR"}, "60.00")
    items = (await ana.get("/v1/ledger")).json()["items"]
    assert [(each["bearer"], each["borne_by"], each["kind"], each["amount"], each["to_repay"]) for each in items] == [
        ("employee", "ana", "third_party", "60.00", "60.00"), ("unit", "ana", "goodwill", "50.00", "0"),
        ("unit", "branch 12", "compensation", "10", "0"),
    ]  # fmt: skip
    assert {each["promise"] for each in items} == {"papers-returned"}
    table = await ana.client.get("/v1/ledger", headers=ana.headers | {"accept": "text/csv"})
    assert table.text.splitlines()[0].startswith('"bearer","borne_by","currency"')
    assert (await ana.get("/v1/ledger", since=(NOON + timedelta(days=1)).isoformat())).json()["items"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/approvals", LEAVE | {"days": None}), ("/approvals", LEAVE | {"money": EUROS}), ("/approvals", LEAVE | {"days": "0"}),
        ("/gestures", {"kind": "money", "what": "x"}), ("/ledger", {"kind": "refund", "what": "x", "money": EUROS | {"amount": "0"}}),
        ("/ledger", {"kind": "refund", "what": "x", "money": EUROS | {"amount": 1.5}}),
        ("/ledger", {"kind": "staff_time", "what": "x", "money": EUROS}),
    ],
)  # fmt: skip
async def test_what_does_not_say_exactly_how_much_changes_nothing(ana: Desk, path: str, body: Any) -> None:
    assert slug(await ana.act(path, body, idempotency_key="k")) == "invalid-request"
    assert (await ana.get(CASE)).json()["ledger"] == []


async def test_a_playbook_says_what_is_wrong_about_its_money(ana: Desk, office: Office) -> None:
    manager = office.desk("mia", "manager")
    spec = {"authority": [{"role": "agnt"}], "fair": "25", "budget": {"amount": "1 EUR", "per": "decade"}, "compensation": {"promise": "x"}}
    document = {"apiVersion": "makegood/v1", "kind": "Playbook", "metadata": {"name": "x"}, "spec": spec}
    refused = (await manager.client.post("/v1/playbooks", json=document, headers=manager.headers | {"idempotency-key": "p"})).text
    for told in ("did you mean `agent`?", "`25` is no money", "is not a value of `per`", "needs `within`"):
        assert told in refused
