"""Cases found again: filters, saved queues with their counts, and people who look on."""

from typing import Any
from uuid import UUID

import pytest

from services.recovery.domain.failing import case_id
from services.recovery.store import deliveries
from tests.recovery.conftest import CUSTOMER, NOON, Lane
from tests.recovery.office import CASE, Desk, Office, slug

OTHERS = [UUID(int=40 + number) for number in range(4)]


@pytest.fixture
async def many(lane: Lane, office: Office, ana: Desk) -> Desk:
    """Ana's case, and four more: of another promise, asking somebody, offered, watched; each of another severity."""
    for number, customer in enumerate(OTHERS):
        severity = ("low", "medium", "high", "critical")[number]
        promise = "called-back" if number == 0 else "papers-returned"
        await lane.feed(lane.fact(number=60 + number, customer=customer, severity=severity, promise=promise))
    await ana.act("/owner")
    await ana.act("/tasks", {"what": "call", "due": NOON.replace(hour=15).isoformat()}, idempotency_key="t")
    ben = office.desk("ben", "agent")
    await on(ben, 2, "/owner")
    await on(ben, 2, "/offer", {"to": "ana", "why": "you speak Spanish"})
    await on(ana, 3, "/watch", {"on": ["owned"]})
    return ana


async def on(desk: Desk, number: int, path: str, body: Any = None) -> None:
    """Act on one of the other cases."""
    case = f"/v1/cases/{case_id(OTHERS[number], UUID(int=60 + number))}"
    seen = (await desk.get(case)).headers["etag"]
    answer = await desk.client.post(f"{case}{path}", json=body, headers=desk.headers | {"if-match": seen})
    assert answer.status_code == 200, answer.text


async def found(desk: Desk, **chosen: Any) -> list[int]:
    """Which customers' cases a list shows, in its order: 0 is Ana's."""
    items = (await desk.get("/v1/cases", **chosen)).json()["items"]
    return [0 if each["customer"] == str(CUSTOMER) else OTHERS.index(UUID(each["customer"])) + 1 for each in items]


@pytest.mark.parametrize(
    ("chosen", "cases"),
    [
        ({"whose": "mine"}, [0]), ({"owner": "ben"}, [3]), ({"whose": "nobodys"}, [1, 2, 4]), ({"severity": ["low", "critical"]}, [1, 4]),
        ({"promise": "called-back"}, [1]), ({"opened_since": NOON.replace(year=2100).isoformat()}, []),
        ({"opened_since": NOON.replace(year=2000).isoformat(), "owner": "ben"}, [3]),
        ({"due_before": NOON.replace(hour=16).isoformat()}, [0]), ({"due_within_hours": 4}, [0]),
        ({"due_within_hours": 2}, []), ({"watched": True}, [4]), ({"offered": True}, [3]), ({"asked": True}, []),
        ({"state": ["owned"], "severity": ["high"]}, [3]), ({}, [0, 1, 2, 3, 4]),
    ],
)  # fmt: skip
async def test_a_filter_finds_the_cases_of_which_all_of_it_holds(many: Desk, chosen: dict[str, Any], cases: list[int]) -> None:
    shown = await found(many, **chosen)
    assert (sorted(shown), shown[:1] == [0]) == (cases, 0 in cases), "what is due next comes first"
    queue = (await many.post("/v1/queues", {"name": "q", "filter": chosen}, "q")).json()
    assert queue["cases"] == len(cases)
    assert len((await many.get(f"/v1/queues/{queue['id']}/cases")).json()["items"]) == len(cases)


@pytest.mark.parametrize("wrong", [{"whose": "mine", "owner": "ben"}, {"sevrity": "low"}, {"due_within_hours": -1}])
async def test_a_filter_that_is_mistyped_or_says_two_things_is_refused(ana: Desk, wrong: dict[str, Any]) -> None:
    assert slug(await ana.get("/v1/cases", **wrong)) == "invalid-request"
    assert slug(await ana.post("/v1/queues", {"name": "q", "filter": wrong}, "q")) == "invalid-request"


async def test_a_team_s_queue_is_seen_by_the_team_and_changed_by_who_saved_it_or_leads(many: Desk, office: Office) -> None:
    ben, cleo = (office.desk(name, "agent", teams=["north"]) for name in ("ben", "cleo"))
    lea, eve = office.desk("lea", "lead", teams=["north"]), office.desk("eve", "agent", teams=["south"])
    made = await ben.post("/v1/queues", {"name": "ours", "team": "north", "filter": {"whose": "mine"}}, "q")
    assert (made.status_code, made.json()["cases"]) == (201, 1)
    assert (await ben.post("/v1/queues", {"name": "ours", "team": "north", "filter": {"whose": "mine"}}, "q")).content == made.content
    path = f"/v1/queues/{made.json()['id']}"
    assert [each["cases"] for each in (await cleo.get("/v1/queues")).json()["items"]] == [0], "what is mine is the reader's"
    assert ((await eve.get(path)).status_code, (await eve.get("/v1/queues")).json()["items"]) == (404, [])
    assert slug(await eve.post("/v1/queues", {"name": "x", "team": "north", "filter": {}}, "x")) == "not-your-team"
    change = {"name": "hard ones", "filter": {"severity": ["high", "critical"]}}
    assert slug(await cleo.put(path, change)) == "not-your-team"
    assert (await lea.put(path, change)).json()["cases"] == 2
    assert (await ben.put(path, change, seen='"1"')).status_code == 412
    assert (await ben.client.delete(path, headers=ben.headers | {"if-match": '"2"'})).status_code == 204
    assert (await ben.get(path)).status_code == 404


async def test_who_looks_on_is_told_of_what_they_chose_and_not_of_what_they_did_themselves(ana: Desk, office: Office, lane: Lane) -> None:
    ben = office.desk("ben", "agent")
    unknown = await ben.act("/watch", {"on": ["exploded"]})
    assert (slug(unknown), "restored" in unknown.text) == ("invalid-request", True)
    await ben.act("/watch", {"on": ["noted", "owned"]})
    version = (await ben.act("/watch", {"on": ["owned", "noted", "owned"]})).json()["version"]
    assert (await ana.act("/owner")).json()["watchers"] == {"ben": ["noted", "owned"]}
    assert (await ben.get(CASE)).json()["version"] == version + 1, "the same said again is nothing new"
    await ben.act("/notes", {"text": "by myself"})
    await ana.act("/notes", {"text": "she called"})
    await ben.act("/unwatch")
    await ana.act("/notes", {"text": "she called again"})
    told = await deliveries.log(lane.engine, {"kind": "notice"}, None, 10)
    assert len(told) == 2
    assert (await ben.get("/v1/cases", watched=True)).json()["items"] == []
