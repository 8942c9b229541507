"""The broker's topics: read from the contracts, made with what the clock asks of them.

`python -m deploy.topics HOST:PORT live [COPIES]` makes those that are missing, so many copies of each partition (1).
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code
from ruamel.yaml import YAML

from deploy.errors import StackError
from deploy.reach import reaching

TOPICS = Path(__file__).parents[1] / "contracts" / "topics.yaml"
ALREADY_EXISTS = 36
SETTLE_SECONDS = 20
POLL = 0.01
FOR_EVER = "-1"
ANY_TIME = str(2**63 - 1)
DAY = 24 * 60 * 60 * 1000  # milliseconds


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic to be made: `raw` ones are lanes, whose record timestamp is the arrival."""

    name: str
    partitions: int
    raw: bool
    retention_days: int = 7

    def configuration(self, clock: str) -> dict[str, str]:
        """Return Kafka's settings of the topic under a clock.

        On the replay clock history is sent as if live: its timestamps are old, and time must not delete it. On the live clock
        the broker stamps everything: it refuses what a sender stamps an hour ahead, and one whose clock is wrong would stand still.
        """
        if clock == "replay":
            return {
                "retention.ms": FOR_EVER,
                "message.timestamp.type": "CreateTime",
                "message.timestamp.after.max.ms": ANY_TIME,
                "message.timestamp.before.max.ms": ANY_TIME,
            }
        kept = str(self.retention_days * DAY)
        return {"retention.ms": kept, "message.timestamp.type": "LogAppendTime"}


def read(path: Path = TOPICS) -> list[Topic]:
    """Read the topics from the contracts."""
    listed: Iterable[Mapping[str, Any]] = YAML(typ="safe").load(path)["topics"]
    return [Topic(each["name"], each["partitions"], each["raw"], each["retention_days"]) for each in listed]


async def create(bootstrap: str, topics: Iterable[Topic], clock: str, copies: int = 1) -> None:
    """Make the topics that are missing; refuse those that are there with another number of partitions."""
    wanted = list(topics)
    admin = AIOKafkaAdminClient(**reaching(bootstrap))
    await admin.start()
    try:
        answer: Any = await admin.create_topics(
            [NewTopic(each.name, each.partitions, copies, topic_configs=each.configuration(clock)) for each in wanted]
        )
        for name, code, message in answer.topic_errors:
            if code not in (0, ALREADY_EXISTS):
                raise StackError(f"Kafka did not make the topic {name}: {message or for_code(code).__name__}")
        await _check_partitions(admin, wanted)
    finally:
        await admin.close()


async def delete(bootstrap: str, names: Iterable[str]) -> None:
    """Delete topics; those that are not there do not matter."""
    unwanted = set(names)
    admin = AIOKafkaAdminClient(**reaching(bootstrap))
    await admin.start()
    try:
        present = set(await admin.list_topics())
        if gone := unwanted & present:
            await admin.delete_topics(list(gone))
        await _until(lambda: _absent(admin, unwanted))
    finally:
        await admin.close()


async def _check_partitions(admin: AIOKafkaAdminClient, topics: list[Topic]) -> None:
    found = await _partitions(admin, [each.name for each in topics])
    for topic in topics:
        if found[topic.name] != topic.partitions:
            raise StackError(
                f"the topic {topic.name} has {found[topic.name]} partitions here, and the contracts say "
                f"{topic.partitions}. The count is fixed when a topic is made: start on another data folder."
            )


async def _absent(admin: AIOKafkaAdminClient, names: set[str]) -> bool:
    return names.isdisjoint(await admin.list_topics())


async def _partitions(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    """Return how many partitions each topic has, once all are led: a broker hears of new topics a moment later."""
    counts: dict[str, int] = {}

    async def led() -> bool:
        described: list[dict[str, Any]] = await admin.describe_topics(names)
        counts.update({each["topic"]: len(each["partitions"]) for each in described})
        answers = [*described, *(partition for each in described for partition in each["partitions"])]
        return all(counts.values()) and not any(answer["error_code"] for answer in answers)

    await _until(led)
    return counts


async def _until(settled: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SETTLE_SECONDS):
        while not await settled():  # noqa: ASYNC110  (what is waited for happens in the broker)
            await asyncio.sleep(POLL)


if __name__ == "__main__":
    asyncio.run(create(sys.argv[1], read(), sys.argv[2], int((sys.argv[3:] or ["1"])[0])))
