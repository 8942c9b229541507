"""Public histories through a real Kafka and a real Postgres: what others counted in them, and a backtest commitment by commitment."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deploy.local import stack
from services.cli import publish, replay
from services.cli.client import Client
from services.cli.rest import Rest
from tests import claims, data_sets
from tests.claims import H1, H3, H4, H5, H7, N1, OFFICE, T1, T3, T4, W1
from tests.data_sets import Event
from tests.judged import assert_equal_to_backtest, write

PATIENCE = 600.0


class Told(NamedTuple):
    """A history, what was promised, and what others counted: commitments, kept, broken, not decided."""

    events: Callable[[], Iterator[Event]]
    promises: dict[str, str]
    counted: list[tuple[int, int, int, int]]
    until: Callable[[], datetime] | None = None


HISTORIES = {
    "helpdesk": Told(
        data_sets.helpdesk,
        {"h1": H1, "h3": H3, "h4": H4, "h5": H5, "h7": H7.format(hours=4)},
        [(4983, 2287, 2688, 8), (4495, 1588, 2907, 0), (1236, 1212, 24, 0), (4559, 4542, 17, 0), (4495, 2038, 2457, 0)],
    ),
    "fines": Told(data_sets.fines, {"t1": T1, "t3": T3, "t4": T4}, [(6570, 1175, 5395, 0), (10000, 3387, 0, 6613), (4635, 4635, 0, 0)]),
    "permits": Told(data_sets.permits, {"w1": W1}, [(1434, 950, 417, 67)], data_sets.latest_permit_step),
    "incidents": Told(
        data_sets.incidents,
        claims.r1(),
        [(63, 26, 37, 0), (569, 425, 144, 0), (1920, 1616, 304, 0), (1448, 1289, 159, 0)],
        data_sets.latest_incident_activity,
    ),
    "city": Told(data_sets.city_requests, {"n1": N1}, [(445, 372, 62, 11)]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_is_judged_as_others_counted_and_as_a_backtest_judges_it(
    name: str, servers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if the running system and a backtest, or both and the definition, come apart on any commitment."""
    data_sets.required()
    told, data = HISTORIES[name], servers / name
    until = None if told.until is None else told.until()
    promises = tmp_path / "promises.yaml"
    promises.write_text(claims.document(told.promises, OFFICE))
    events = write(tmp_path / "events.jsonl", told.events())
    monkeypatch.setenv("MAKEGOOD_DATA", str(data))
    try:
        running = stack.up(data, "replay", print)
        publish.publish_to(running, [promises])
        replay.replay(running, events, until)
        with Client(running) as client:
            asyncio.run(Rest(client, running).wait(PATIENCE))
            as_of = None if until is None else data_sets.text(until)
            reports, _ = assert_equal_to_backtest(client, events, [promises], as_of)
    finally:
        stack.down(data, print)
    assert [figures(each) for each in reports] == told.counted


def figures(report: dict[str, Any]) -> tuple[int, int, int, int]:
    return report["commitments"], report["kept"], report["broken"], report["open"]
