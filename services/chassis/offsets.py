"""Where Kafka's topics end: what a reader must have reached to have read everything that was sent before."""

from collections.abc import Iterable
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.chassis.brokers import reaching

Ends = dict[tuple[str, int], int]
"""The offset behind the last record, by topic and partition."""


class Offsets:
    """Reads end offsets over one connection; open it with `async with`."""

    def __init__(self, kafka: str) -> None:
        """For the broker at this address; nothing is opened yet."""
        self._address = kafka
        self._partitions: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(**reaching(self._address))
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def ends(self, topics: Iterable[str]) -> Ends:
        """The end of every partition of these topics, now."""
        wanted = list(topics)
        await self._learn([topic for topic in wanted if topic not in self._partitions])
        partitions = [TopicPartition(topic, each) for topic in wanted for each in range(self._partitions[topic])]
        found = await self._consumer.end_offsets(partitions)
        return {(each.topic, each.partition): end for each, end in found.items()}

    async def _learn(self, topics: list[str]) -> None:
        if not topics:
            return
        admin = AIOKafkaAdminClient(**reaching(self._address))
        await admin.start()
        try:
            self._partitions |= {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics(topics)}
        finally:
            await admin.close()
