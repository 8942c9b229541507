"""What a feed sends on is evidence, and no sign of life: only its heartbeats are, which it sends while it has caught up."""

from collections.abc import Callable

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.journey.store import documents
from tests.driving import NOON, Raw, touchpoint


async def test_an_event_that_a_feed_sends_on_does_not_show_that_its_source_is_alive(raw: Callable[..., Raw], engine: AsyncEngine) -> None:
    """Breaks if a feed that is hours behind, and sends on without a pause, had the promises judged that wait for the rest."""
    document = {"metadata": {"name": "shop"}, "spec": {"source": "shop", "heartbeat": "1 minute"}}
    await documents.publish_source(engine, "shop", orjson.dumps(document), "ana", NOON)
    lane = await raw().start()
    lane.add(touchpoint("e1", subject="crm:1", feed="shop-orders"))
    await lane.deliver()
    assert (lane.counts()["applied"], lane.lane.progress.state["sources"]) == (1, {})
    lane.add(touchpoint("beat", "source.heartbeat"))
    await lane.deliver()
    assert list(lane.lane.progress.state["sources"]) == ["shop"]
