"""Real flights through the whole system, a month or a year of them, equal to a backtest commitment by commitment."""

import asyncio
from pathlib import Path

import pytest

from deploy.local import stack
from services.cli import flights, publish, replay
from services.cli.client import Client
from services.cli.rest import Rest
from tests.judged import PROMISES, assert_judged_alike, write

JANUARY = 1
PATIENCE = 1800.0
COUNTED_BY_SQL = {"flight-on-time": (336776, 247246, 88355, 1175), "flight-never-early": (328521, 321943, 6578, 0)}


@pytest.mark.slow
@pytest.mark.parametrize("month", [JANUARY, None], ids=["january", "the whole year"])
def test_flights_are_judged_as_a_backtest_judges_them(month: int | None, servers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if volume, batching or the order of lanes changes any verdict."""
    data = servers / f"flights-{month}"
    monkeypatch.setenv("MAKEGOOD_DATA", str(data))
    try:
        running = stack.up(data, "replay", print)
        publish.publish_to(running, [PROMISES / "airline.yaml"])
        events = write(data / "flights.jsonl", flights.touchpoints(month))
        replay.replay(running, events)
        with Client(running) as client:
            asyncio.run(Rest(client, running).wait(PATIENCE))
            reports = assert_judged_alike(client, events)
    finally:
        stack.down(data, print)
    if month is None:
        counted = {each["promise"]: tuple(each[name] for name in ("commitments", "kept", "broken", "withdrawn")) for each in reports}
        assert {name: counted[name] for name in COUNTED_BY_SQL} == COUNTED_BY_SQL
