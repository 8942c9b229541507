"""Reads what a topic holds now, from its beginning to where it ends at the start: history for whoever has no lane in it."""

from collections.abc import AsyncIterator, Sequence
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.chassis.brokers import reaching
from services.chassis.numbering import HighWater, number_of
from services.chassis.offsets import Offsets
from services.chassis.records import Record, read_some

AT_ONCE = 2000
WAIT_MILLISECONDS = 500


class Scan:
    """One reading of a topic, one partition after the other; open it with `async with`."""

    def __init__(self, kafka: str, topic: str) -> None:
        """For the broker at this address; nothing is opened yet."""
        self._kafka, self._topic = kafka, topic
        self._begins: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}

    async def __aenter__(self) -> Self:
        async with Offsets(self._kafka) as offsets:
            self._ends = {TopicPartition(*where): end for where, end in (await offsets.ends([self._topic])).items()}
        self._consumer = AIOKafkaConsumer(**reaching(self._kafka), enable_auto_commit=False, isolation_level="read_committed")
        try:
            await self._consumer.start()
            self._consumer.assign(list(self._ends))
            self._begins = await self._consumer.beginning_offsets(list(self._ends))
        except BaseException:  # a reading that is cancelled as it begins leaves no connection open
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    @property
    def partitions(self) -> list[int]:
        """The partitions of the topic."""
        return sorted(where.partition for where in self._ends)

    @property
    def total(self) -> int:
        """How many offsets there are to be read."""
        return sum(end - self._begins[where] for where, end in self._ends.items())

    async def records(self, partition: int) -> AsyncIterator[tuple[int, Sequence[Record]]]:
        """Yield how many offsets were passed since the last time, and the records in them, some thousands at a time."""
        where = TopicPartition(self._topic, partition)
        position, end = self._begins[where], self._ends[where]
        self._consumer.pause(*(each for each in self._ends if each != where))
        self._consumer.resume(where)
        self._consumer.seek(where, position)
        while position < end:
            found = await read_some(self._consumer, where, timeout_ms=WAIT_MILLISECONDS, max_records=AT_ONCE)
            before, position = position, min(await self._consumer.position(where), end)
            yield position - before, [record for record in found.get(where, ()) if record.offset < end]


class InOrder:
    """Passes each numbered record of a partition once, in its lane's order, wherever retention has let the lane begin."""

    def __init__(self) -> None:
        self._marks = HighWater({})

    def __call__(self, record: Record) -> bool:
        """Whether this record is the lane's next; False for repeats, for what is behind a hole, and for markers."""
        number = number_of(record.headers)
        if number is None:
            return False
        self._marks.marks.setdefault(number.lane, [number.incarnation, number.seq - 1])
        return self._marks.accepts(number)
