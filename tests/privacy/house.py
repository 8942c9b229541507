"""The three services as one line, driven by hand over real databases: what one sends is read by the next, and nothing gets lost."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import orjson
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.instants import from_milliseconds
from services.chassis.relay import Relay
from services.chassis.settings import Settings
from services.chassis.telemetry import Telemetry
from services.journey import api as journey_api
from services.journey.handlers import TouchpointHandler
from services.journey.privacy.erasure import Eraser as JourneyEraser
from services.journey.projections.kept import PROJECTIONS
from services.journey.projections.projector import Projector
from services.journey.records import ACTS, JOURNEY, TOUCHPOINTS, tick
from services.journey.settings import JourneySettings
from services.journey.timeline.projection import FactHandler
from services.promises import api as promises_api
from services.promises.erasure import Eraser as PromisesEraser
from services.promises.handlers import JourneyHandler
from services.promises.settings import PromisesSettings
from services.recovery import api as recovery_api
from services.recovery.handlers import FactHandler as RecoveryHandler
from services.recovery.settings import RecoverySettings
from tests.driving import NOON, Driven, Raw, record
from tests.serving import bearer, in_front_of, trusting

LANES, PARTITIONS = 2, 1
PROMISES, RECOVERY = "makegood.promises", "makegood.recovery"
Client = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]


@dataclass
class House:
    """Every lane of the three services, one partition each."""

    engines: dict[str, AsyncEngine]
    settings: dict[str, Any]
    keys: Path
    lanes: dict[str, Driven] = field(default_factory=dict)
    apps: dict[str, FastAPI] = field(default_factory=dict)
    read: dict[tuple[str, str], int] = field(default_factory=dict)
    now: datetime = NOON

    async def open(self) -> None:
        """Start every lane, and put the APIs before them."""
        journey, promises, recovery = (self.settings[name] for name in ("journey", "promises", "recovery"))
        telemetry = Telemetry(journey, "journey")
        engine = self.engines["journey"]
        for name, topic in (("touchpoints", TOUCHPOINTS), ("acts", ACTS)):
            self.lanes[name] = Raw(
                engine,
                journey,
                lambda topic=topic: TouchpointHandler(topic, LANES, PARTITIONS, journey, telemetry),  # type: ignore[misc]
            )
        for topic in (PROMISES, RECOVERY):
            self.lanes[f"facts of {topic}"] = Driven(engine, journey, lambda topic=topic: FactHandler(topic))  # type: ignore[misc]
        self.lanes["promises"] = Driven(self.engines["promises"], promises, lambda: JourneyHandler(promises, telemetry))
        self.lanes["recovery"] = Driven(self.engines["recovery"], recovery, lambda: RecoveryHandler(1, recovery, telemetry))
        for lane in self.lanes.values():
            await lane.start()
        self.apps = {
            "journey": journey_api.build(self._trusting(journey), engine, Relay(journey)),
            "promises": promises_api.build(self._trusting(promises), self.engines["promises"], Relay(promises)),
            "recovery": recovery_api.build(self._trusting(recovery), self.engines["recovery"]),
        }

    def _trusting(self, settings: Any) -> Any:
        return trusting(settings, self.keys)

    def somebody(self, service: str, *roles: str, subject: str = "ana") -> AbstractAsyncContextManager[httpx2.AsyncClient]:
        """A client of a service with these roles."""
        return in_front_of(self.apps[service], bearer(self.keys, *roles, subject=subject))

    def send(self, value: bytes, *, key: bytes | None = None, headers: list[tuple[str, bytes]] | None = None) -> None:
        """One more record in the raw lane."""
        log = self.lanes["touchpoints"].log
        ours = [("content-type", b"application/cloudevents+json")] if headers is None else headers
        log.append(record(TOUCHPOINTS, 0, len(log), value, arrival=self.now, key=key, headers=ours))

    async def pass_time(self, hours: float) -> None:
        """Let time pass in both raw lanes, and everybody act on it."""
        self.now += timedelta(hours=hours)
        for name, topic in (("touchpoints", TOUCHPOINTS), ("acts", ACTS)):
            log = self.lanes[name].log
            log.append(record(topic, 0, len(log), tick(topic, 0, self.now).value, arrival=self.now))
        await self.settle()

    async def settle(self) -> None:
        """Let everybody read what the others sent, until nobody has anything to say any more."""
        before = -1
        while before != (before := sum(len(lane.log) for lane in self.lanes.values())):
            for name, lane in self.lanes.items():
                await lane.save()
                await lane.deliver()
                if not name.startswith("facts"):
                    await lane.vouch()
                self._hand_on()
        await Projector(self.engines["journey"], PROJECTIONS).catch_up()

    def _hand_on(self) -> None:
        for name in ("touchpoints", "acts"):
            self._carry(name, "promises", JOURNEY)
        self._carry("promises", "recovery", PROMISES)
        self._carry("promises", f"facts of {PROMISES}", PROMISES)
        self._carry("recovery", f"facts of {RECOVERY}", RECOVERY)
        self._carry("recovery", "acts", ACTS)

    def _carry(self, source: str, reader: str, topic: str) -> None:
        """Hand on what was not handed on before; markers only where they are new, or nobody would ever be done."""
        sent, log = self.lanes[source].wire.sent, self.lanes[reader].log
        start = self.read.get((source, reader), 0)
        said = {each.value for each in log if each.key is None}
        for each in sent[start:]:
            if each.topic == topic and (each.key is not None or each.value not in said):
                arrival = self.now if each.timestamp is None else max(from_milliseconds(each.timestamp), NOON)
                log.append(record(topic, 0, len(log), each.value, arrival=arrival, key=each.key, headers=each.headers))
        self.read[source, reader] = len(sent)

    async def finish_erasing(self) -> None:
        """Let every service do what is left of erasures."""
        await self.settle()
        await JourneyEraser(self.engines["journey"]).finish()
        await PromisesEraser(self.engines["promises"]).finish()
        await self.settle()


async def opened(databases: dict[str, str], engines: dict[str, AsyncEngine], keys: Path) -> House:
    """A house over these databases."""
    common = {"kafka": "127.0.0.1:9", "clock": "replay"}
    settings: dict[str, Settings] = {
        "journey": JourneySettings.model_validate(common | {"database": databases["journey"]}),
        "promises": PromisesSettings.model_validate(common | {"database": databases["promises"], "register_age": 0.0}),
        "recovery": RecoverySettings.model_validate(common | {"database": databases["recovery"]}),
    }
    house = House(engines, settings, keys)
    await house.open()
    return house


def uuid(text: Any) -> UUID:
    """A key out of an answer."""
    return UUID(str(text))


def read(answer: httpx2.Response) -> Any:
    """What a good answer says."""
    assert answer.is_success, (answer.status_code, answer.text)
    return orjson.loads(answer.content)
