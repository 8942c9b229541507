"""How far a service has come, lane by lane; the same answer from every service."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.progress import read_all_progress


class LaneStatus(BaseModel):
    """Where one partition stands, as last saved: at most a second ago where nothing had effects."""

    topic: str
    partition: int
    position: int = Field(description="the next offset to be read")
    arrival: datetime | None = Field(description="the arrival applied, or the barrier reached; UTC")
    effects: int = Field(description="effects committed so far; they are numbered, and published in that order")
    outbox: int = Field(description="effects committed and not yet known to be acknowledged by Kafka")
    counts: dict[str, int] = Field(description="what became of the lane's records, where the service counts them")


class Status(BaseModel):
    """Where the service stands."""

    service: str
    lanes: list[LaneStatus]
    waiting: dict[str, int] = Field(description="what else is still to be done, by its name, and how much of it there is")


async def read_status(engine: AsyncEngine, service: str, waiting: Mapping[str, int] | None = None) -> Status:
    """Every lane's progress row, and what a service does beside its lanes."""
    lanes = [
        LaneStatus(
            topic=each.topic,
            partition=each.partition,
            position=each.position,
            arrival=each.arrival,
            effects=each.ordinal,
            outbox=each.ordinal - each.published,
            counts=each.state.get("counts", {}),
        )
        for each in await read_all_progress(engine)
    ]
    return Status(service=service, lanes=lanes, waiting=dict(waiting or {}))
