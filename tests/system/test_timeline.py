"""One timeline of one person through the whole system: the lost passport told by three systems, and histories that are complete."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple
from uuid import UUID

import httpx2
import pytest

from contracts.roles import Role
from deploy.local import stack
from deploy.local.state import State
from services.cli import publish, replay, story
from services.cli.client import Client
from services.cli.rest import Rest
from services.cli.story import CARACAS, STORY, Event, Step
from services.cli.telling import tell
from services.journey.domain import customer_key
from tests import data_sets
from tests.judged import PROMISES, write

CARD, PHONE, CRM = "card:9988", "phone:+582125550101", story.CUSTOMER
EVERY: Final = 8
"""One in so many tickets is looked at; that nothing is lost of all is said by the lanes' counts."""
KEYS: Final = [customer_key(each) for each in (CRM, CARD, PHONE)]
RETURN: Final = "case.restored"
COMPANY = "company/crm"
TRUSTED = f"""
apiVersion: makegood/v1
kind: Source
metadata: {{name: crm}}
spec: {{source: {COMPANY}, heartbeat: 500 days, trusted: true}}
"""
IDENTIFIED = """
apiVersion: makegood/v1
kind: EventType
metadata: {name: bought}
spec:
  type: web.bought
  schema: {type: object}
  identifiers: {order: {path: data.order, of: thing}}
"""
pytestmark = pytest.mark.slow


def elsewhere(step: Step) -> Step:
    """The same moment, with what was heard at the till or on the telephone under the names that are known there."""
    moved: dict[str, dict[str, Any]] = {
        "document.missing": {"subject": PHONE, "source": "bank/telephone"},
        "customer.confirmed": {"subject": PHONE, "source": "bank/telephone"},
    }
    done = [replace(each, **moved.get(each.type, {})) if isinstance(each, Event) else each for each in step.does]
    if RETURN in step.shows:  # she comes back, and the till knows her card
        done = [replace(each, subject=CARD, source="bank/cards") if isinstance(each, Event) else each for each in done]
    return replace(step, does=tuple(done))


def before() -> list[dict[str, Any]]:
    """Each system has met her under a name of its own, before anybody said that she is one person."""
    told: list[tuple[str, str, str, str, dict[str, Any]]] = [
        ("bank/cards", "card-used", "card.used", CARD, {}),
        ("bank/telephone", "called", "call.received", PHONE, {}),
        ("bank/branch", "booked", "visit.booked", CRM, {}),
        (COMPANY, "linked-card", "customer.linked", CRM, {"identifiers": [CARD], "reason": "the same passport"}),
        (COMPANY, "linked-phone", "customer.linked", CRM, {"identifiers": [PHONE], "reason": "the same passport"}),
    ]
    start = datetime(2012, 9, 1, 9, tzinfo=CARACAS)
    return [
        {"specversion": "1.0", "id": id_, "source": source, "type": type_, "subject": subject, "data": data,
         "time": (start + number * timedelta(hours=1)).astimezone(UTC).isoformat()}
        for number, (source, id_, type_, subject, data) in enumerate(told)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def telling(servers: Path) -> Iterator[State]:
    """A system in which the story has been told, and the time is a day before its end."""
    data = servers / "one-person"
    trusted = data / "trusted.yaml"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKEGOOD_DATA", str(data))
        try:
            up = stack.up(data, "replay", print)
            trusted.write_text(TRUSTED)
            publish.publish_to(up, [PROMISES, trusted])
            replay.replay(up, write(data / "before.jsonl", before()))
            with Client(up) as client:
                asyncio.run(Rest(client, up).wait(60))
            tell(up, print, [elsewhere(each) for each in STORY])
            yield up
        finally:
            stack.down(data, print)


@pytest.fixture(scope="module")
def client(telling: State) -> Iterator[Client]:
    with Client(telling) as client:
        yield client


def test_what_three_systems_told_of_her_is_one_timeline_by_whichever_name(client: Client) -> None:
    """Breaks if a link, a copy of evidence or a key of its own split her story, doubled it, or lost a part of it."""
    timelines = [list(client.pages("journey", f"/v1/customers/{key}/timeline", limit=9)) for key in KEYS]
    assert timelines[0] == timelines[1] == timelines[2]
    entries = timelines[0]
    times = [datetime.fromisoformat(each["time"]) for each in entries]
    assert times == sorted(times)
    assert len({(each["type"], each["id"]) for each in entries}) == len(entries)
    told = [each["type"] for each in entries if each["source"].startswith(("bank/", COMPANY))]
    happened = [each for step in STORY for each in step.does if isinstance(each, Event)]
    shown = [each.type for each in happened if each.data.get("kind") != "latent"]  # which is for the promoter's team alone
    assert told == [each["type"] for each in before()] + shown
    sources = {each["source"] for each in entries if each["source"].startswith("bank/")}
    assert sources == {"bank/branch", "bank/cards", "bank/telephone", "bank/web"}
    assert {UUID(each["customer"]) for each in entries} == set(KEYS)
    assert {each["kind"] for each in entries} >= {"touchpoint", "promise", "case", "pledge"}


def test_her_case_is_opened_by_what_the_telephone_heard_and_restored_by_what_the_till_saw(client: Client) -> None:
    """Breaks if evidence that came under another name neither broke nor kept what was promised."""
    (case,) = client.get("recovery", "/v1/cases", customer=str(KEYS[0]))["items"]
    assert case["state"] == "restored"
    types = [each["type"] for each in client.pages("journey", f"/v1/customers/{KEYS[1]}/timeline", kind="case")]
    assert types.count("makegood.case.opened") == types.count("makegood.case.restored") == 1


def test_the_way_ahead_is_empty_when_all_was_made_good_and_her_page_says_how_it_went(telling: State, client: Client) -> None:
    assert client.get("journey", f"/v1/customers/{KEYS[2]}/timeline", ahead=True, limit=1)["ahead"] == []
    with Client(telling, "ana", (Role.AGENT,)) as agent:
        link = agent.post("journey", f"/v1/customers/{KEYS[1]}/status-links", json={"zone": "America/Caracas"})
    answer = httpx2.get(telling.apis["journey"] + link["path"], headers={"Accept": "application/json"})
    stands = Counter((each["statement"], each["stand"]) for each in answer.json()["items"])
    handed_back = "Every document you hand us is back in your hand before you leave."
    assert stands[handed_back, "kept"] == stands[handed_back, "broken"] == 1
    assert not any("owner within" in statement for statement, _ in stands), "what the company promises itself is not for her"
    page = httpx2.get(telling.apis["journey"] + link["path"], headers={"Accept": "text/html"})
    assert handed_back in page.text


def shop(customers: int = 60) -> Iterator[dict[str, Any]]:
    """A year of an invented shop: what people buy, some of it sent twice, some late, and some under an order's number alone."""
    chance, start = Random(2026), datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(2500):
        who, at = chance.randrange(customers), start + timedelta(hours=3 * number)
        order = f"{who}-{chance.randrange(5)}"
        types = ["web.bought", "web.seen", "mail.sent", "parcel.sent", "complaint.made"]
        event = {
            "specversion": "1.0", "source": "shop", "id": f"s{number}", "type": chance.choice(types), "subject": f"crm:{who}",
            "time": (at - timedelta(minutes=chance.randrange(3000))).isoformat(), "recordedtime": at.isoformat(), "data": {"order": order},
        }  # fmt: skip
        if event["type"] == "web.bought" and chance.random() < 1 / 3:
            del event["subject"]
        yield event
        if chance.random() < 1 / 10:
            yield event | {"recordedtime": (at + timedelta(minutes=1)).isoformat()}


class Histories(NamedTuple):
    """A system that two histories were replayed into, and how many events are whose."""

    client: Client
    tickets: dict[str, int]
    buyers: Counter[str]


@pytest.fixture(scope="module")
def histories(servers: Path) -> Iterator[Histories]:
    data_sets.required()
    data = servers / "histories"
    helpdesk, bought = list(data_sets.helpdesk()), list(shop())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKEGOOD_DATA", str(data))
        try:
            running = stack.up(data, "replay", print)
            types = data / "types.yaml"
            types.write_text(IDENTIFIED)
            publish.publish_to(running, [types])
            with Client(running) as client:
                for name, events in (("helpdesk", helpdesk), ("shop", bought)):
                    replay.replay(running, write(data / f"{name}.jsonl", events))
                    asyncio.run(Rest(client, running).wait(300))
                yield Histories(client, dict(Counter(f"{each['subject']}" for each in helpdesk)), whose(bought))
        finally:
            stack.down(data, print)


def test_timelines_of_histories_hold_what_was_sent_customer_by_customer(histories: Histories) -> None:
    """Breaks if anything on the way from Kafka to a page loses an event, or shows one twice, of any customer."""
    client, tickets, buyers = histories
    assert counted(client, buyers) == buyers
    some = dict(list(tickets.items())[::EVERY])
    assert counted(client, some) == some
    lanes = client.get("journey", "/v1/status")["lanes"]
    assert sum(each["counts"].get("applied", 0) for each in lanes) == sum(tickets.values()) + sum(buyers.values())


def test_the_list_of_all_touchpoints_holds_each_customer_s_as_often_as_they_were_sent(histories: Histories) -> None:
    client, tickets, _ = histories
    listed = Counter(each["customer"] for each in client.pages("journey", "/v1/touchpoints", source="helpdesk", limit=1000))
    assert listed == {str(customer_key(ticket)): number for ticket, number in tickets.items()}


@pytest.mark.slow
def test_the_timeline_of_every_ticket_holds_what_was_sent(histories: Histories) -> None:
    """The same of all of them, which takes minutes."""
    assert counted(histories.client, histories.tickets) == histories.tickets


def whose(bought: list[dict[str, Any]]) -> Counter[str]:
    """How many events are whose: an order is its buyer's as soon as both were named together, else nobody's but its own."""
    once = {each["id"]: each for each in bought}.values()
    known = {each["data"]["order"] for each in once if each["type"] == "web.bought" and "subject" in each}
    buyer = {
        order: f"crm:{order.partition('-')[0]}" if order in known else f"order:{order}" for order in (e["data"]["order"] for e in once)
    }
    return Counter(each.get("subject") or buyer[each["data"]["order"]] for each in once)


def counted(client: Client, customers: dict[str, int]) -> dict[str, int]:
    """How many of a company system's events each one's timeline holds, each id once."""
    found = {}
    for identifier in customers:
        (customer,) = client.get("journey", "/v1/customers", identifier=identifier)["items"]
        entries = client.pages("journey", f"/v1/customers/{customer['key']}/timeline", limit=1000)
        found[identifier] = len(list(entries))
    return found
