"""What Kafka says of our topics at start: how many partitions, whose clock stamps them. Refuses what does not fit."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from sqlalchemy import Column, Integer, MetaData, Table, Text, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.brokers import reaching
from services.chassis.faults import UnusableTopicError
from services.chassis.settings import Clock, Settings

STAMPED_BY = {Clock.LIVE: "LogAppendTime", Clock.REPLAY: "CreateTime"}


class Found(NamedTuple):
    """One topic as it is."""

    partitions: int
    stamped_by: str


def topology_table(metadata: MetaData) -> Table:
    """Partition counts as this system was created with them."""
    return Table(
        "topology",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("partitions", Integer, nullable=False),
    )


async def find_topics(settings: Settings, names: Iterable[str]) -> dict[str, Found]:
    """Ask Kafka for these topics; raises `UnusableTopicError` for one that does not exist."""
    wanted = list(names)
    admin = AIOKafkaAdminClient(**reaching(settings.kafka))
    await admin.start()
    try:
        described = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics(wanted)}
        if missing := [name for name in wanted if not described.get(name)]:
            message = f"Kafka has no topic {', '.join(missing)}: create them before the services (`makegood up` does)"
            raise UnusableTopicError(message)
        resources = [ConfigResource(ConfigResourceType.TOPIC, name, {"message.timestamp.type": ""}) for name in wanted]
        answers = await admin.describe_configs(resources)
        stamps = {resource[3]: resource[4][0][1] for answer in answers for resource in answer.resources}  # type: ignore[attr-defined]  # the client types every answer alike
    finally:
        await admin.close()
    return {name: Found(described[name], stamps[name]) for name in wanted}


def check_clock(settings: Settings, raw: Mapping[str, Found]) -> None:
    """Refuse to start where a raw topic is stamped by another clock than the one that is set."""
    for name, found in raw.items():
        if found.stamped_by != STAMPED_BY[settings.clock]:
            message = (
                f"{name} is stamped by {found.stamped_by}, but MAKEGOOD_CLOCK={settings.clock} needs "
                f"{STAMPED_BY[settings.clock]}: start with the other clock, or on topics made for this one"
            )
            raise UnusableTopicError(message)


async def check_partitions(engine: AsyncEngine, topology: Table, found: Mapping[str, Found]) -> None:
    """Remember partition counts at the first start; refuse to start on others, which would part customers from their past."""
    async with engine.begin() as connection:
        known = {row.topic: row.partitions for row in await connection.execute(select(topology))}
        new = [{"topic": name, "partitions": each.partitions} for name, each in found.items() if name not in known]
        if new:
            await connection.execute(topology.insert(), new)
    for name, each in found.items():
        require_count(name, each.partitions, known.get(name, each.partitions))


def require_count(topic: str, partitions: int, created_with: int) -> None:
    """Refuse a topic whose partitions are more or fewer than they were."""
    if partitions != created_with:
        message = (
            f"{topic} has {partitions} partitions, but this system was created with {created_with}. Counts are fixed: what is "
            "in the others was not read, and nothing is lost. docs/operations.md says what to do (A topic with other partitions)."
        )
        raise UnusableTopicError(message)
