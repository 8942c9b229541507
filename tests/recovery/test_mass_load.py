"""10,000 cases in one mass failure stay workable: put in, listed, and given one act each."""

import logging
import time
from typing import Any
from uuid import UUID

import pytest

from services.recovery.bulk import Bulk
from tests.recovery.conftest import NOON, Lane
from tests.recovery.office import Office

log = logging.getLogger(__name__)
CASES, AT_ONCE = 10_000, 500
LIST_SECONDS, CASE_SECONDS = 0.5, 0.05
"""Bounds that a busy machine keeps too; what was measured stands in docs/recovery.md."""


@pytest.mark.slow
async def test_ten_thousand_cases_of_one_cause_stay_workable(lane: Lane, office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    for start in range(0, CASES, AT_ONCE):
        numbers = range(start, start + AT_ONCE)
        await lane.feed(*(lane.fact(number=100_000 + n, customer=UUID(int=1_000_000 + n)) for n in numbers), lane.marker(NOON))
    lea, worker, took = office.desk("lea", "lead"), Bulk(lane.engine, lane.settings), dict[str, float]()
    body: dict[str, Any] = {"what": "one cause", "since": NOON.isoformat(), "promises": ["papers-returned"]}
    identity = (await lea.post("/v1/mass-failures", body, "m")).json()["id"]

    async def all_done() -> None:
        while await worker.step():
            pass

    took["put in"] = await _timed(all_done())
    note = {"act": "add_task", "needs": {"what": "call"}, "within": "P2D"}
    headers = lea.headers | {"if-match": '"1"', "idempotency-key": "n"}
    ordered = await lea.client.post(f"/v1/mass-failures/{identity}/acts", json=note, headers=headers)
    assert ordered.status_code == 201, ordered.text
    worker = Bulk(lane.engine, lane.settings)
    took["one act each"] = await _timed(all_done())
    pages = [await _timed(lea.get("/v1/cases", mass_failure=identity, limit=50)) for _ in range(20)]
    took["a page of 50, slowest of 20"] = max(pages)
    took["the mass failure with its counts"] = await _timed(lea.get(f"/v1/mass-failures/{identity}"))
    shown = (await lea.get(f"/v1/mass-failures/{identity}")).json()
    with capsys.disabled():
        print({name: round(seconds, 3) for name, seconds in took.items()})  # noqa: T201  # the figures are what it is run for
    assert [(each["done"], each["waiting"]) for each in shown["acts"]] == [(CASES, 0)] * 2
    assert max(pages) < LIST_SECONDS
    assert max(took["put in"], took["one act each"]) < CASES * CASE_SECONDS


async def _timed(doing: Any) -> float:
    began = time.perf_counter()
    await doing
    return time.perf_counter() - began
