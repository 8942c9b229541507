"""Whoever reads a history alone comes to know the same persons as the running system, and whose each event is."""

from collections import defaultdict
from collections.abc import Callable
from uuid import UUID

import orjson
from hypothesis import HealthCheck, given, settings
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import rfc3339
from services.chassis.keys import event_key
from services.journey.domain import STATEMENTS, EventType, EventTypes
from services.journey.identity.reader import Reader
from tests.journey.conftest import ORDER, Raw, declare
from tests.journey.identities import trust
from tests.journey.test_identity_properties import Log, Outcome, in_order, logs

TYPES = EventTypes([EventType("order.seen", tuple((name, ("data", name), each.get("of") != "thing") for name, each in ORDER.items()))])


def read(log: Log) -> Outcome:
    """What a reader knows in the end: for each identifier those of its person, and all that its customer has."""
    reader, own = Reader(), defaultdict[UUID, set[str]](set)
    for event in map(orjson.loads, log):
        if event["type"] in STATEMENTS:
            named = TYPES.named([event["subject"], *event["data"]["identifiers"]])
            whose = reader.state(event["type"], named, rfc3339.parse(event["time"]), event_key(event["source"], event["id"]))
        else:
            whose = reader.attribute(TYPES.identifiers(event)).customer
        own[whose].add(event["id"])
    leads = {text: each.key for text, each in reader.directory.known.items()}
    groups = {key: group for group in reader.groups() for key in group}
    return {
        text: (frozenset(each for each in leads if leads[each] in groups.get(key, {key})),
               frozenset(id_ for one in groups.get(key, {key}) for id_ in own[one]))
        for text, key in leads.items()
    }  # fmt: skip


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(log=logs)
async def test_a_reader_of_a_history_and_the_running_system_know_the_same_persons(
    log: Log, raw: Callable[..., Raw], engine: AsyncEngine
) -> None:
    """Breaks if a backtest judged a promise by evidence that the running system would not have, or without some that it had."""
    await declare(engine, "order.seen", ORDER)
    await trust(engine)
    assert read(log) == await in_order(raw, engine, log)
