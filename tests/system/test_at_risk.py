"""A case opens before the customer notices; another because of what they say. Through the running system, on the live clock."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.local import stack
from services.cli import publish
from services.cli.client import Client
from tests.data_sets import event
from tests.judged import PROMISES, run, write

SECONDS, AHEAD = 120, 45
DOCUMENTS = """apiVersion: makegood/v1
kind: Playbook
metadata: {name: before-you-notice, owner: shop}
spec: {opens: at_risk}
---
apiVersion: makegood/v1
kind: Promise
metadata: {name: in-time, owner: shop}
spec:
  statement: Your order is with you within two days.
  published: [{channel: web, reference: checkout, since: 2020-01-01}]
  response: {when: {type: order.placed}, expect: {type: order.delivered}, correlate: data.order, within: 48 hours}
  warn: [50%]
  recovery: {playbook: before-you-notice, severity: medium}
"""


@pytest.mark.slow
def test_a_case_opens_while_there_is_time_and_ends_by_what_becomes_of_the_promise(servers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if a warning opens nothing, if a kept promise leaves its case standing, or if a break doubles it."""
    data, now = servers / "at-risk", datetime.now(UTC)
    monkeypatch.setenv("MAKEGOOD_DATA", str(data))
    try:
        running = stack.up(data, "live", print)
        (data / "shop.yaml").write_text(DOCUMENTS)
        publish.publish_to(running, [data / "shop.yaml", PROMISES / "feedback.yaml"])
        almost_due = datetime.now(UTC) - timedelta(hours=48) + timedelta(seconds=AHEAD)
        events = [
            event("shop", "p1", "order.placed", "crm:1", now - timedelta(hours=40), {"order": 1}),
            event("shop", "p2", "order.placed", "crm:2", almost_due, {"order": 2}),
            event("shop", "s3", "survey.answered", "crm:3", now, {"score": 2}),
            event("shop", "s4", "survey.answered", "crm:4", now, {"score": 9}),
        ]
        assert run("emit", write(data / "events.jsonl", events)).exit_code == 0
        with Client(running) as client:
            opened = until(client, lambda found: len(found) == 3)
            delivered = event("shop", "d1", "order.delivered", "crm:1", datetime.now(UTC), {"order": 1})
            assert run("emit", write(data / "more.jsonl", [delivered])).exit_code == 0
            ended = until(client, lambda found: any(each["state"] == "withdrawn" for each in found) and not at_risk(found, "open"))
            trails = {each["id"]: client.get("recovery", f"/v1/cases/{each['id']}")["acts"] for each in ended}
    finally:
        stack.down(data, print)
    assert len(at_risk(opened, "open")) == 2
    assert {each["id"] for each in ended} == {each["id"] for each in opened}
    averted, broken = (next(each for each in ended if fits(each)) for fits in (is_withdrawn, is_late))
    assert trails[averted["id"]][-1]["content"] == {"why": "averted"}
    assert [each["kind"] for each in trails[broken["id"]]].count("failure_broken") == 1
    assert len(broken["failures"]) == 1


def until(client: Client, enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    latest = time.monotonic() + SECONDS
    while True:
        found = list(client.pages("recovery", "/v1/cases"))
        if enough(found):
            return found
        assert time.monotonic() < latest, found
        time.sleep(0.5)


def at_risk(found: list[dict[str, Any]], state: str) -> list[dict[str, Any]]:
    return [each for each in found if each["state"] == state and any(failure["at_risk"] for failure in each["failures"])]


def is_withdrawn(case: dict[str, Any]) -> bool:
    return bool(case["state"] == "withdrawn")


def is_late(case: dict[str, Any]) -> bool:
    return any(each["promise"] == "in-time" and not each["at_risk"] for each in case["failures"])
