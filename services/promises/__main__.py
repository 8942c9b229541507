"""`python -m services.promises consume | api | migrate`."""

from collections.abc import Sequence

from fastapi import FastAPI

from services.chassis.lane import Handler
from services.chassis.process import Context, Service, main
from services.chassis.topics import check_partitions, find_topics
from services.promises import api
from services.promises.facts import PROMISES
from services.promises.handlers import JOURNEY, JourneyHandler
from services.promises.settings import PromisesSettings
from services.promises.store import tables


async def _handlers(context: Context) -> Sequence[Handler]:
    assert isinstance(context.settings, PromisesSettings)
    await check_partitions(context.engine, tables.topology, await find_topics(context.settings, [JOURNEY, PROMISES]))
    return [JourneyHandler(context.settings, context.telemetry)]


def _api(context: Context) -> FastAPI:
    assert isinstance(context.settings, PromisesSettings)
    return api.build(context.settings, context.engine)


if __name__ == "__main__":
    main(Service("promises", PromisesSettings, _handlers, _api))
