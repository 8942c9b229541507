"""One process of a service: `python -m services.NAME consume | api | migrate`, with a bounded drain on SIGTERM.

A service that reads no topic has no `consume`. A service may have tasks beside these, which take arguments and end by themselves.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import uvloop
from alembic import command
from alembic.config import Config
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.metrics import Reading
from services.chassis.consume import Consumer
from services.chassis.database import answers, create_engine, oldest_snapshot
from services.chassis.faults import arm_crash_points
from services.chassis.http import Check, create_app, serve
from services.chassis.lane import Handler
from services.chassis.logs import configure_logs
from services.chassis.sampling import Look, Sampler
from services.chassis.settings import Settings
from services.chassis.starting import UnsafeStartError, require_safe
from services.chassis.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Context:
    """What a process is composed of; made once, here, and handed down."""

    settings: Settings
    engine: AsyncEngine
    telemetry: Telemetry


class Worker(Protocol):
    """What a process does until it is stopped."""

    def missing(self) -> list[str]:
        """What keeps it from being ready; empty when nothing does."""

    async def run(self) -> None:
        """Work until stopped."""

    def stop(self) -> None:
        """End what `run` does, soon and in order."""


Task = Callable[[Context, Sequence[str]], Coroutine[None, None, int]]
"""What is done once, with the arguments of the command line; returns the exit code."""


Handlers = Callable[[Context], Coroutine[None, None, Sequence[Handler]]]


@dataclass(frozen=True, slots=True)
class Service:
    """One service as its `__main__` describes it."""

    name: str
    settings: type[Settings]
    handlers: Handlers | None
    """What it does with the topics it reads; None where it reads none, and then it has no `consume`."""
    api: Callable[[Context], FastAPI]
    tasks: Mapping[str, Task] = field(default_factory=dict)
    beside: Callable[[Context], Sequence[Coroutine[None, None, None]]] = lambda _: ()
    """What runs beside the lanes of a consuming process, until it is cancelled; it tells its own failures and goes on."""
    workers: Mapping[str, Callable[[Context], "Worker"]] = field(default_factory=dict)
    """Further roles that run until they are stopped."""
    measures: Callable[[AsyncEngine], Coroutine[None, None, Sequence[Reading]]] | None = None
    """What the API's process measures in the database: a cheap statement or two, every `measure_every` seconds."""


Role = Callable[[Service, Settings], None]


def main(service: Service) -> None:
    """Run the role that the command line names."""
    roles = _roles(service)
    role, *arguments = sys.argv[1:] or [""]
    if role not in service.tasks and (role not in roles or arguments):
        sys.exit(f"usage: python -m services.{service.name} {' | '.join([*roles, *service.tasks])}")
    settings = service.settings()  # type: ignore[call-arg]  # from the environment
    try:
        require_safe(settings, role)
    except UnsafeStartError as error:
        sys.exit(f"services.{service.name}: {error}")
    configure_logs(service.name, settings.log_level)
    gc.freeze()  # the collector need never look at what lives for good
    arm_crash_points(os.environ.get("MAKEGOOD_CRASH_AT", ""))
    if role in service.tasks:
        sys.exit(_once(service, settings, service.tasks[role], arguments))
    roles[role](service, settings)


def _roles(service: Service) -> dict[str, Role]:
    roles: dict[str, Role] = {"consume": partial(_consume, service.handlers)} if service.handlers else {}
    return {**roles, "api": _api, "migrate": _migrate, **dict.fromkeys(service.workers, _work)}


def _migrate(service: Service, settings: Settings) -> None:
    """Bring the service's schema to this release."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / service.name / "migrations"))
    config.attributes["settings"] = settings
    command.upgrade(config, "head")


def _once(service: Service, settings: Settings, task: Task, arguments: Sequence[str]) -> int:
    async def run() -> int:
        context = Context(settings, create_engine(settings, service.name, batches=True), Telemetry(settings, service.name))
        try:
            return await task(context, arguments)
        finally:
            await context.engine.dispose()
            context.telemetry.close()

    return uvloop.run(run())


def _api(service: Service, settings: Settings) -> None:
    async def run() -> None:
        context = Context(settings, create_engine(settings, service.name, batches=True), Telemetry(settings, service.name))
        try:
            measures = [service.measures, oldest_snapshot] if service.measures else [oldest_snapshot]
            async with _sampled(context, *(partial(each, context.engine) for each in measures)):
                await serve(service.api(context), settings)
        finally:
            await context.engine.dispose()
            context.telemetry.close()

    uvloop.run(run())


def _consume(find_handlers: Handlers, service: Service, settings: Settings) -> None:
    gc.disable()  # the consumer calls the collector between batches

    async def run() -> None:
        context = Context(settings, create_engine(settings, service.name, batches=True), Telemetry(settings, service.name))
        handlers = await find_handlers(context)
        consumer = Consumer(settings, context.engine, f"makegood-{service.name}", handlers, context.telemetry)

        async def measured() -> Sequence[Reading]:
            return consumer.measured()

        beside = [asyncio.create_task(each) for each in service.beside(context)]
        try:
            async with _sampled(context, measured):
                await _work_and_answer(consumer, f"{service.name} consumer", context, {"kafka": consumer.broker})
        finally:
            for each in beside:
                each.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        await context.engine.dispose()
        context.telemetry.close()

    uvloop.run(run())


def _work(service: Service, settings: Settings) -> None:
    async def run() -> None:
        context = Context(settings, create_engine(settings, service.name, batches=True), Telemetry(settings, service.name))
        async with _sampled(context):
            await _work_and_answer(service.workers[sys.argv[1]](context), f"{service.name} {sys.argv[1]}", context)
        await context.engine.dispose()
        context.telemetry.close()

    uvloop.run(run())


@asynccontextmanager
async def _sampled(context: Context, *looks: Look) -> AsyncIterator[None]:
    """Sample these beside what is done."""
    sampling = asyncio.create_task(Sampler(context.telemetry, context.settings.measure_every, looks).run())
    try:
        yield
    finally:
        sampling.cancel()
        await asyncio.wait({sampling})


async def _work_and_answer(worker: Worker, name: str, context: Context, checks: Mapping[str, Check] | None = None) -> None:
    """Work until SIGTERM; beside it answer whether this process is alive and ready."""

    async def missing() -> str | None:
        return "; ".join(worker.missing()) or None

    others = {"database": lambda: answers(context.engine), **(checks or {})}
    app = create_app(name, context.settings, [], access={}, checks=others | {"consumer": missing})
    health = asyncio.create_task(serve(app, context.settings))
    work = asyncio.create_task(worker.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, worker.stop)
    await asyncio.wait({health, work}, return_when=asyncio.FIRST_COMPLETED)
    worker.stop()
    try:
        await work
    finally:
        health.cancel()
        await asyncio.wait({health})
