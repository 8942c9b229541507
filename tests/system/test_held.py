"""One whole system on the replay clock in which something is not read for a while: nobody ever hears of a break that was none."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import psutil
import pytest

from contracts.roles import Role
from deploy.local import stack
from deploy.local.state import State
from services.cli import publish, replay
from services.cli.client import Client
from services.cli.rest import Rest
from services.journey.domain import customer_key
from tests.judged import run, write

PROMISES = Path(__file__).parents[2] / "promises"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
IN_TIME = """
apiVersion: makegood/v1
kind: Promise
metadata: {name: in-time, owner: shop}
spec:
  statement: What you order arrives within two hours.
  published: [{channel: web, reference: checkout}]
  response: {when: {type: order.placed}, expect: {type: order.delivered}, correlate: data.order, within: 2 hours}
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running(servers: Path) -> Iterator[State]:
    """A system with recovery's own promises, and one of a shop's; nothing has happened in it."""
    data = servers / "held"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAKEGOOD_DATA", str(data))
        patch.setenv("MAKEGOOD_HEARTBEAT_EVERY", "0.5")
        try:
            up = stack.up(data, "replay", print)
            shop = data / "shop.yaml"
            shop.write_text(IN_TIME)
            publish.publish_to(up, [PROMISES / "recovery.yaml", shop])
            yield up
        finally:
            stack.down(data, print)


@pytest.fixture(scope="module")
def client(running: State) -> Iterator[Client]:
    with Client(running) as client:
        yield client


class Shop:
    """What happens to the shop's customers, and what is judged of it."""

    def __init__(self, running: State, client: Client) -> None:
        self.running, self.client = running, client

    def send(self, who: str, type_: str | None, at: datetime, id_: str = "") -> dict[str, Any]:
        event = {
            "specversion": "1.0", "id": id_ or f"{who}-{type_}", "source": "shop", "type": type_, "subject": f"crm:{who}",
            "time": at.isoformat(), "data": {"order": who},
        }  # fmt: skip
        replay.produce(self.running, [{name: value for name, value in event.items() if value is not None}])
        return event

    def tick(self, at: datetime) -> None:
        """Let it be that time, and wait until all is judged."""
        replay.advance(self.running, at)
        self.rest()

    def rest(self) -> None:
        asyncio.run(Rest(self.client, self.running).wait(60))

    def told(self, who: str, promise: str = "in-time") -> list[str]:
        """What was ever said of a customer's commitments to a promise."""
        found = self.client.pages("journey", f"/v1/customers/{customer_key(f'crm:{who}')}/timeline", limit=1000)
        facts = [each for each in found if each["type"].startswith("makegood.commitment.") and each["data"]["promise"] == promise]
        return [each["type"].rpartition(".")[2] for each in facts]

    def judged(self, who: str, promise: str = "in-time") -> list[dict[str, Any]]:
        key = str(customer_key(f"crm:{who}"))
        return list(self.client.pages("promises", "/v1/commitments", customer=key, promise=promise))

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def refused(self, id_: str) -> dict[str, Any]:
        """The record of that id among the refused ones."""
        items = self.client.pages("journey", "/v1/quarantine")
        return next(each for each in items if f'"{id_}"' in self.client.get("journey", _path(each))["text"])


@pytest.fixture(scope="module")
def shop(running: State, client: Client) -> Shop:
    return Shop(running, client)


def _path(refused: dict[str, Any]) -> str:
    return f"/v1/quarantine/{refused['lane']}/{refused['position']}"


@contextmanager
def stopped(running: State, process: str) -> Iterator[None]:
    """A process stands still."""
    found = psutil.Process(running.pids[process])
    found.suspend()
    try:
        yield
    finally:
        found.resume()


def test_a_refused_record_holds_its_customer_until_it_is_settled_or_the_limit_and_nobody_else(shop: Shop, client: Client) -> None:
    due = START + 2 * HOUR
    for who in ("ana", "bob", "carl", "dora"):
        shop.send(who, "order.placed", START)
    shop.tick(START + MINUTE)
    bad = {who: shop.send(who, None, START + HOUR, f"{who}-bad") for who in ("ana", "carl", "dora")}
    shop.tick(due)
    assert {who: shop.told(who) for who in ("ana", "bob", "carl", "dora")} == {
        "ana": ["opened", "held"], "bob": ["opened", "broken"], "carl": ["opened", "held"], "dora": ["opened", "held"],
    }  # fmt: skip
    (held,) = shop.judged("ana")
    assert (held["judgement"], held["verdict_state"]) == ("held", None)
    explained = client.get("promises", f"/v1/commitments/{held['id']}/explanation")
    assert [(each["since"], each["until"]) for each in explained["unread"]] == [("2026-03-01T13:00:00.000Z", None)]
    assert explained["unread"][0]["what"] in explained["in_words"]
    corrected = bad["ana"] | {"type": "order.delivered"}
    client.post("journey", _path(shop.refused("ana-bad")) + "/release", json={"event": corrected})
    client.post("journey", _path(shop.refused("carl-bad")) + "/dismiss", json={"reason": "a test of the till"})
    shop.rest()
    assert (sorted(shop.told("ana")), shop.told("carl")) == (["held", "kept", "opened"], ["opened", "held"])
    shop.tick(due + HOUR - MINUTE)
    assert shop.told("carl") == ["opened", "held"]
    shop.tick(due + HOUR + MINUTE)
    assert shop.told("carl") == ["opened", "held", "broken"]
    shop.tick(START + 25 * HOUR - MINUTE)
    assert shop.told("dora") == ["opened", "held"]
    shop.tick(START + 25 * HOUR)
    assert shop.told("dora") == ["opened", "held", "broken"]


def test_a_pledge_is_held_while_recovery_is_not_heard_and_was_never_broken(running: State, shop: Shop, client: Client) -> None:
    """Breaks if a pledge that was kept in time were called broken because recovery stood still before it could say so."""
    start = START + timedelta(days=3)
    shop.send("eve", "order.placed", start)
    shop.tick(start + 3 * HOUR)
    now = start + 3 * HOUR
    with Client(running, "ana", (Role.AGENT,)) as agent:
        (case,) = client.get("recovery", "/v1/cases", customer=str(customer_key("crm:eve")))["items"]
        path, due = f"/v1/cases/{case['id']}", now + 2 * HOUR
        act(agent, path, "owner")
        for what in ("call", "write"):
            act(agent, path, "pledges", {"what": what, "due": due.isoformat()})
        shop.tick(now + MINUTE)
        shop.until(lambda: len(shop.judged("eve", "pledge")) == 2)
        called, _ = [UUID(each["id"]) for each in agent.get("recovery", path)["pledges"]]
        with stopped(running, "recovery-consume"):
            act(agent, path, f"pledges/{called}/fulfil")
            replay.advance(running, due + HOUR)
            shop.until(lambda: {each["judgement"] for each in shop.judged("eve", "pledge")} == {"held"})
        shop.until(lambda: {each["judgement"] for each in shop.judged("eve", "pledge")} == {"held", "kept"})
        shop.tick(due + 2 * HOUR)
        shop.tick(due + 4 * HOUR)
    told = shop.told("eve", "pledge")
    assert sorted(told) == ["broken", "held", "held", "kept", "opened", "opened"]
    outcome = {each["correlation"]: each["judgement"] for each in shop.judged("eve", "pledge")}
    assert outcome.pop(str(called)) == "kept"
    assert list(outcome.values()) == ["broken"]


def test_where_recovery_is_well_a_pledge_that_is_broken_is_said_at_once(running: State, shop: Shop, client: Client) -> None:
    """Breaks if time that jumps on the replay clock passed for a silence of recovery."""
    start = START + timedelta(days=9)
    shop.send("fay", "order.placed", start)
    shop.tick(start + 3 * HOUR)
    with Client(running, "ana", (Role.AGENT,)) as agent:
        (case,) = client.get("recovery", "/v1/cases", customer=str(customer_key("crm:fay")))["items"]
        path = f"/v1/cases/{case['id']}"
        act(agent, path, "owner")
        act(agent, path, "pledges", {"what": "call", "due": (start + 4 * HOUR).isoformat()})
    shop.tick(start + 3 * HOUR + MINUTE)
    shop.tick(start + 5 * HOUR)
    assert shop.told("fay", "pledge")[-1] == "broken"
    assert "held" not in shop.told("fay", "pledge")


SHOP = """
apiVersion: makegood/v1
kind: Source
metadata: {name: shop}
spec: {source: shop, heartbeat: 30 minutes, types: ["order.*", gone.quiet]}
"""


def test_a_replayed_file_with_silences_and_refused_lines_is_judged_as_a_backtest_judges_it(
    running: State, shop: Shop, client: Client, tmp_path: Path
) -> None:
    """Breaks if the running system told silences by when it read what, or the backtest knew what nobody had been told."""
    start, chance = START + timedelta(days=20), random.Random(7)
    minutes = sorted({*range(0, 500, 20), *range(560, 900, 20), *range(1000, 1200, 20), 1290})
    events = [_event(f"beat{each}", "source.heartbeat", start + each * MINUTE, None) for each in minutes]
    for number in range(120):
        placed = chance.choice(minutes[:-1]) + chance.randrange(20)
        events.append(_event(f"u{number}", "order.placed", start + placed * MINUTE, f"crm:u{number}"))
        if chance.random() < 1 / 4:
            events.append(_event(f"u{number}-here", "order.delivered", start + (placed + chance.randrange(110)) * MINUTE, f"crm:u{number}"))
        if chance.random() < 1 / 4:
            events.append(_event(f"u{number}-bad", None, start + (placed + chance.randrange(110)) * MINUTE, f"crm:u{number}"))
    events = [each for each in events if each["time"] <= (start + 1290 * MINUTE).isoformat()]
    documents, file, verdicts = tmp_path / "shop.yaml", write(tmp_path / "events", events), tmp_path / "verdicts"
    documents.write_text(IN_TIME + "---" + SHOP)
    publish.publish_to(running, [documents])
    replay.replay(running, file)
    shop.rest()
    shop.rest()
    answer = run(
        "backtest", documents, "--events", file, "--effective", "--verdicts", verdicts, "--as-of", (start + 1290 * MINUTE).isoformat()
    )
    assert answer.exit_code == 0, answer.output
    expected = {line["trigger"]["id"]: line["judgement"] for line in map(orjson.loads, verdicts.read_bytes().splitlines())}
    found = client.pages("promises", "/v1/commitments", promise="in-time", limit=1000)
    judged = {each["trigger"]["id"]: each["judgement"] for each in found if each["trigger"]["id"] in expected}
    assert judged == expected
    assert {*judged.values()} == {"kept", "broken", "held", "on_track"}


def _event(id_: str, type_: str | None, at: datetime, subject: str | None) -> dict[str, Any]:
    found = {
        "specversion": "1.0",
        "id": id_,
        "source": "shop",
        "type": type_,
        "subject": subject,
        "time": at.isoformat(),
        "data": {"order": id_.partition("-")[0]},
    }
    return {name: value for name, value in found.items() if value is not None}


def act(agent: Client, path: str, name: str, body: dict[str, Any] | None = None) -> None:
    """Do something in a case, as it stands."""
    tag = agent.call("GET", "recovery", path).headers["ETag"]
    agent.post("recovery", f"{path}/{name}", headers={"If-Match": tag, "Idempotency-Key": str(uuid4())}, json=body)
