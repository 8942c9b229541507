"""Last year's history comes into a system that is live: judged like everything, and nobody's case."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.local import stack
from services.chassis.instants import text_of
from services.cli import publish
from services.cli.client import Client
from tests.data_sets import event
from tests.judged import run, write

ORDERS, SECONDS = 60, 120
PROMISE = """apiVersion: makegood/v1
kind: Promise
metadata: {name: in-time, owner: shop}
spec:
  statement: Your order is with you within two days.
  published: [{channel: web, reference: checkout, since: 2020-01-01}]
  response: {when: {type: order.placed}, expect: {type: order.delivered}, correlate: data.order, within: 48 hours}
"""


def history(start: datetime) -> list[dict[str, Any]]:
    """Every third order comes late; all the deliveries stand behind all the orders."""
    orders = [event("shop", f"p{n}", "order.placed", f"crm:{n % 20}", start + timedelta(hours=n), {"order": n}) for n in range(ORDERS)]
    hours = [n + (60 if n % 3 == 0 else 30) for n in range(ORDERS)]
    return orders + [
        event("shop", f"d{n}", "order.delivered", f"crm:{n % 20}", start + timedelta(hours=hours[n]), {"order": n}) for n in range(ORDERS)
    ]


@pytest.mark.slow
def test_last_years_orders_are_judged_behind_their_end_and_open_no_case(servers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if an order were called broken before its delivery came in, or if anybody were bothered about last year."""
    data = servers / "backfill"
    monkeypatch.setenv("MAKEGOOD_DATA", str(data))
    try:
        running = stack.up(data, "live", print)
        (data / "promise.yaml").write_text(PROMISE)
        publish.publish_to(running, [data / "promise.yaml"])
        file = write(data / "last-year.jsonl", history(datetime.now(UTC) - timedelta(days=400)))
        with Client(running) as client:
            assert "too-old" in run("emit", file).stderr
            brought = run("backfill", file, "--source", "shop", "--reason", "we moved from the old system")
            assert "120 events accepted, 0 refused" in brought.stderr, brought.output
            found = decided(client)
            assert "was brought in already" in run("backfill", file, "--source", "shop", "--reason", "again").stdout
            broken = [
                client.get("promises", f"/v1/commitments/{each['id']}/explanation") for each in found if each["judgement"] == "broken"
            ]
            assert list(client.pages("recovery", "/v1/cases")) == []
            (asked,) = client.get("journey", "/v1/backfills")["items"]
    finally:
        stack.down(data, print)
    assert Counter(each["judgement"] for each in found) == {"kept": 40, "broken": 20}
    assert all(said_at(each) > text_of(datetime.fromisoformat(asked["ended_at"])) for each in broken)
    assert (asked["by"], asked["reason"], asked["source"]) == ("command-line", "we moved from the old system", "shop")


def decided(client: Client) -> list[dict[str, Any]]:
    until = time.monotonic() + SECONDS
    while True:
        found = list(client.pages("promises", "/v1/commitments", limit=1000))
        if len(found) == ORDERS and all(each["verdict_state"] for each in found):
            return found
        assert time.monotonic() < until, Counter(each["judgement"] for each in found)
        time.sleep(0.5)


def said_at(explanation: dict[str, Any]) -> str:
    """When it was said that it was broken."""
    (at,) = [each["as_of"] for each in explanation["said"] if each["said"] == "broken"]
    return text_of(datetime.fromisoformat(at))
