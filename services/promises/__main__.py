"""`python -m services.promises consume | api | migrate | rebuild [--check] [--partition N]`."""

import sys
from argparse import ArgumentParser
from collections.abc import Coroutine, Sequence

import orjson
from fastapi import FastAPI

from services.chassis.lane import Handler
from services.chassis.process import Context, Service, main
from services.chassis.progress import read_all_progress
from services.chassis.relay import Relay
from services.chassis.topics import check_partitions, find_topics
from services.promises import api, rebuild
from services.promises.erasure import Eraser
from services.promises.facts import PROMISES
from services.promises.handlers import JOURNEY, JourneyHandler
from services.promises.settings import PromisesSettings
from services.promises.store import gauges, tables


async def _handlers(context: Context) -> Sequence[Handler]:
    assert isinstance(context.settings, PromisesSettings)
    await check_partitions(context.engine, tables.topology, await find_topics(context.settings, [JOURNEY, PROMISES]))
    return [JourneyHandler(context.settings, context.telemetry)]


def _api(context: Context) -> FastAPI:
    assert isinstance(context.settings, PromisesSettings)
    return api.build(context.settings, context.engine, Relay(context.settings))


def _beside(context: Context) -> Sequence[Coroutine[None, None, None]]:
    return [Eraser(context.engine).run()]


async def _rebuild(context: Context, arguments: Sequence[str]) -> int:
    """Make the rows of commitments again; a line of JSON for each that was not so, and one for each partition."""
    reading = ArgumentParser("rebuild")
    reading.add_argument("--check", action="store_true", help="write nothing; exit with 3 where a row is not as it is made again")
    reading.add_argument("--partition", type=int)
    asked = reading.parse_args(arguments)
    partitions = [each.partition for each in await read_all_progress(context.engine) if each.topic == JOURNEY]
    different = 0
    for partition in partitions if asked.partition is None else [asked.partition]:
        work, found = rebuild.Rebuild(context.engine, partition), 0
        async for each in work.run(check=asked.check):
            found += 1
            _say(rebuild.as_json(each))
        _say({"partition": partition, "rows": work.rows, "different": found, "unsupported": work.unsupported})
        different += found
    return 3 if asked.check and different else 0


def _say(line: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(line, default=str) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(Service("promises", PromisesSettings, _handlers, _api, {"rebuild": _rebuild}, _beside, measures=gauges.measured))
