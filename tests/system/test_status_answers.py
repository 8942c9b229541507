"""A customer's own answer on the status page goes all the way: judged as their touchpoint, it decides what becomes of their case."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from contracts.roles import Role
from deploy.local import stack
from services.cli import publish
from services.cli.client import Client
from services.journey.api.answers import MOVED_ON
from services.journey.domain import customer_key
from tests.data_sets import event
from tests.judged import PROMISES, run, write

SECONDS = 180
SILENCE = "within: 30 days                                 # silence is no confirmation"
PATIENCE = "20 seconds  # silence is no confirmation"
"""After it a case ends unknown; this is how it is shipped, and how it is tried here."""
IN_TIME = """apiVersion: makegood/v1
kind: Promise
metadata: {name: in-time, owner: shop}
spec:
  statement: What you order arrives within a second.
  published: [{channel: web, reference: checkout, since: 2020-01-01}]
  response: {when: {type: order.placed}, expect: {type: order.delivered}, correlate: data.order, within: 1 second}
"""
PAGE = {"accept": "text/html", "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}


@pytest.mark.slow
def test_the_answer_on_the_status_page_confirms_disputes_or_declines_the_case(servers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if nobody judged the answer, or if it did to another's case what it does to theirs."""
    data = servers / "answers"
    monkeypatch.setenv("MAKEGOOD_DATA", str(data))
    try:
        running = stack.up(data, "live", print)
        (data / "shop.yaml").write_text(IN_TIME)
        (data / "recovery.yaml").write_text((PROMISES / "recovery.yaml").read_text().replace(SILENCE, f"within: {PATIENCE}"))
        publish.publish_to(running, [data / "shop.yaml", data / "recovery.yaml"])
        placed = [event("shop", f"p{n}", "order.placed", f"crm:{n}", datetime.now(UTC), {"order": n}) for n in range(7)]
        assert run("emit", write(data / "events.jsonl", placed)).exit_code == 0
        with Client(running, "maria", (Role.AGENT,)) as client:
            cases = until(client, lambda found: len(found) == len(placed))
            for each in cases.values():
                act(client, each, "owner")
            for each in cases.values():
                act(client, each, "remedy", what="It is on its way.")
            for number, answer in enumerate(("good", "not_good", "nothing_more")):
                press(client, running.apis["journey"], customer_key(f"crm:{number}"), answer)
            until(client, lambda found: {state_of(found, number) for number in range(3, 7)} == {"unknown"})
            for number, answer in enumerate(("good", "not_good", "nothing_more"), 4):
                press(client, running.apis["journey"], customer_key(f"crm:{number}"), answer)
            wanted = {0: "watching", 1: "owned", 2: "declined", 3: "unknown", 4: "watching", 5: "owned", 6: "declined"}
            ended = until(client, lambda found: {n: state_of(found, n) for n in wanted} == wanted)
            kinds = [each["kind"] for each in client.get("recovery", f"/v1/cases/{ended[str(customer_key('crm:1'))]['id']}")["acts"]]
            act(client, ended[str(customer_key("crm:1"))], "remedy", what="Here it is.")
            press(client, running.apis["journey"], customer_key("crm:1"), "good")
            until(client, lambda found: found[str(customer_key("crm:1"))]["state"] == "watching")
    finally:
        stack.down(data, print)
    assert kinds.count("disputed") == 1


def state_of(found: dict[str, Any], number: int) -> str:
    return str(found[str(customer_key(f"crm:{number}"))]["state"])


def act(client: Client, case: dict[str, Any], name: str, **needs: Any) -> None:
    found = client.call("GET", "recovery", f"/v1/cases/{case['id']}")
    client.post("recovery", f"/v1/cases/{case['id']}/{name}", json=needs, headers={"If-Match": found.headers["etag"]})


def press(client: Client, journey: str, customer: object, answer: str) -> None:
    """Open the page as a browser does, press a button of it, and look again until it is gone; anew where the case had moved on."""
    path = client.post("journey", f"/v1/customers/{customer}/status-links", json={})["path"]
    with httpx2.Client(base_url=journey, headers=PAGE, trust_env=False) as browser:

        def page(*, asks: bool) -> str:
            latest = time.monotonic() + SECONDS
            while (f'value="{answer}"' in (text := browser.get(path).text)) != asks:
                assert time.monotonic() < latest, text
                time.sleep(0.2)
            return text

        status = MOVED_ON.status
        while status == MOVED_ON.status:
            (to,) = re.findall(r'name="to" value="([^"]+)"', page(asks=True))
            status = browser.post(path, content=f"to={to}&answer={answer}", follow_redirects=True).status_code
        assert status == 200
        page(asks=False)


def until(client: Client, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The cases by customer, once they are as they should come to be."""
    latest = time.monotonic() + SECONDS
    while True:
        found = {each["customer"]: each for each in client.pages("recovery", "/v1/cases")}
        if enough(found):
            return found
        assert time.monotonic() < latest, {customer: each["state"] for customer, each in found.items()}
        time.sleep(0.3)
