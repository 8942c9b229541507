"""`python -m services.recovery consume | api | tell | migrate`."""

from collections.abc import Coroutine, Sequence

from fastapi import FastAPI

from contracts.topics import ACTS, PROMISES, RECOVERY
from services.chassis.faults import UnusableTopicError
from services.chassis.lane import Handler
from services.chassis.process import Context, Service, main
from services.chassis.retention import retaining
from services.chassis.topics import check_clock, check_partitions, find_topics
from services.recovery import api
from services.recovery.bulk import Bulk
from services.recovery.handlers import FactHandler
from services.recovery.settings import RecoverySettings
from services.recovery.store import gauges
from services.recovery.store.retention import STATEMENTS
from services.recovery.store.tables import topology
from services.recovery.telling.worker import Teller


async def _handlers(context: Context) -> Sequence[Handler]:
    settings = context.settings
    assert isinstance(settings, RecoverySettings)
    found = await find_topics(settings, [PROMISES, RECOVERY, ACTS])
    check_clock(settings, {ACTS: found[ACTS]})
    if found[RECOVERY].partitions != found[PROMISES].partitions:
        raise UnusableTopicError(f"{RECOVERY} must have as many partitions as {PROMISES}: {found[PROMISES].partitions}")
    await check_partitions(context.engine, topology, found)
    return [FactHandler(found[ACTS].partitions, settings, context.telemetry)]


def _beside(context: Context) -> Sequence[Coroutine[None, None, None]]:
    assert isinstance(context.settings, RecoverySettings)
    return [Bulk(context.engine, context.settings).keep_working()]


def _api(context: Context) -> FastAPI:
    assert isinstance(context.settings, RecoverySettings)
    return api.build(context.settings, context.engine)


if __name__ == "__main__":
    tasks, workers = {"retain": retaining(STATEMENTS)}, {"tell": Teller}
    main(Service("recovery", RecoverySettings, _handlers, _api, tasks, beside=_beside, workers=workers, measures=gauges.measured))
