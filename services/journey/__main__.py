"""`python -m services.journey consume | api | feed | migrate`."""

from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime

from fastapi import FastAPI

from services.chassis.lane import Handler
from services.chassis.process import Context, Service, main
from services.chassis.relay import Relay
from services.chassis.retention import retaining
from services.chassis.topics import check_clock, check_partitions, find_topics
from services.journey import api
from services.journey.feeds.forwarding import Feeding
from services.journey.handlers import TouchpointHandler
from services.journey.privacy.erasure import Eraser
from services.journey.privacy.history import let_go
from services.journey.projections.kept import PROJECTIONS
from services.journey.projections.projector import Projector
from services.journey.records import ACTS, JOURNEY, TOUCHPOINTS
from services.journey.settings import JourneySettings
from services.journey.status.links import secret_of
from services.journey.store import gauges, tables
from services.journey.store.retention import STATEMENTS
from services.journey.timeline.projection import FactHandler

FACTS = ("makegood.promises", "makegood.recovery")


async def _handlers(context: Context) -> Sequence[Handler]:
    settings = context.settings
    assert isinstance(settings, JourneySettings)
    found = await find_topics(settings, [TOUCHPOINTS, ACTS, JOURNEY])
    raw = {name: found[name] for name in (TOUCHPOINTS, ACTS)}
    check_clock(settings, raw)
    await check_partitions(context.engine, tables.topology, found)
    lanes = sum(each.partitions for each in raw.values())
    partitions = found[JOURNEY].partitions
    touchpoints = [TouchpointHandler(name, lanes, partitions, settings, context.telemetry) for name in raw]
    return [*touchpoints, *(FactHandler(name) for name in FACTS)]


def _beside(context: Context) -> Sequence[Coroutine[None, None, None]]:
    return [Projector(context.engine, PROJECTIONS).run(), Eraser(context.engine).run()]


def _api(context: Context) -> FastAPI:
    assert isinstance(context.settings, JourneySettings)
    secret_of(context.settings)
    return api.build(context.settings, context.engine, Relay(context.settings))


async def _history(context: Context, before: datetime) -> Mapping[str, int]:
    return await let_go(context.engine, before, PROJECTIONS)


if __name__ == "__main__":
    tasks = {"retain": retaining(STATEMENTS, _history)}
    main(Service("journey", JourneySettings, _handlers, _api, tasks, _beside, workers={"feed": Feeding}, measures=gauges.measured))
