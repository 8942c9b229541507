"""A month of real flights through the whole system, equal to a backtest commitment by commitment."""

import asyncio
from pathlib import Path

import pytest

from deploy.local import stack
from services.cli import flights, publish, replay
from services.cli.client import Client
from services.cli.rest import Rest
from tests.judged import PROMISES, assert_judged_alike, write

JANUARY = 1


@pytest.mark.slow
def test_january_is_judged_as_a_backtest_judges_it(servers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if volume, batching or the order of lanes changes any verdict."""
    data = servers / "january"
    monkeypatch.setenv("MAKEGOOD_DATA", str(data))
    try:
        running = stack.up(data, "replay", print)
        publish.publish_to(running, [PROMISES / "airline.yaml"])
        events = write(data / "flights.jsonl", flights.touchpoints(JANUARY))
        replay.replay(running, events)
        with Client(running) as client:
            asyncio.run(Rest(client, running).wait(300))
            assert_judged_alike(client, events)
    finally:
        stack.down(data, print)
