"""A promise that is published in the middle of history judges what comes then as a backtest does, which knows all that came before."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.local import stack
from services.chassis import rfc3339
from services.cli import publish, replay
from services.cli.client import Client
from services.cli.rest import Rest
from tests import claims, data_sets
from tests.claims import T4, W1
from tests.judged import assert_equal_to_backtest, write

PUBLISHED = datetime(2005, 1, 1, tzinfo=UTC)
EFFECTIVE = "effective_from: 2005-03-01T00:00:00Z"
PATIENCE = 600.0


@pytest.mark.slow
def test_penalties_of_fines_that_were_notified_before_the_promise_was_made(
    servers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks if a promise that looks back is blind to what its system had read before: every such penalty would be a break."""
    data_sets.required()
    data, promises, from_the_beginning = servers / "look-back", tmp_path / "promises.yaml", tmp_path / "first.yaml"
    promises.write_text(claims.document({"t4": T4}).replace("owner: test", f"owner: test, {EFFECTIVE}"))
    from_the_beginning.write_text(claims.document({"w1": W1}))
    events = write(tmp_path / "events.jsonl", data_sets.fines())
    after = (each for each in data_sets.fines() if rfc3339.parse(each["time"]) > PUBLISHED)
    later = write(tmp_path / "later.jsonl", after)
    monkeypatch.setenv("MAKEGOOD_DATA", str(data))
    try:
        running = stack.up(data, "replay", print)
        publish.publish_to(running, [from_the_beginning])
        replay.replay(running, events, PUBLISHED)
        with Client(running) as client:
            asyncio.run(Rest(client, running).wait(PATIENCE))
            publish.publish_to(running, [promises])
            replay.replay(running, later)
            asyncio.run(Rest(client, running).wait(PATIENCE))
            (report,), _ = assert_equal_to_backtest(client, events, [promises])
    finally:
        stack.down(data, print)
    assert (report["broken"], report["kept"] > 1000) == (0, True)
