"""What timelines show beside touchpoints: the facts of promises and recovery, projected and never emitted again."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction
from services.chassis.keys import read_key
from services.chassis.lane import Handler
from services.chassis.numbering import HighWater, written_number
from services.chassis.packed import pack
from services.chassis.progress import Progress
from services.chassis.records import Record
from services.chassis.relay import Outgoing
from services.journey.privacy import erasure
from services.journey.store.facts import append_facts
from services.journey.store.rows import FactsRow, PackRow
from services.journey.timeline.said import NOTED, note

PROMISES = "makegood.promises"
PACK = 128
"""Facts in a pack; whoever wants one of them reads all."""
_TIME = b'"time":"'


class FactHandler(Handler):
    """Takes the facts of promises or recovery into the timeline; emits nothing."""

    pace = 1.0

    def __init__(self, topic: str) -> None:
        """For `makegood.promises` or `makegood.recovery`."""
        self.topic = topic

    async def recall(self, engine: AsyncEngine, progress: Progress) -> HighWater:  # noqa: ARG002
        """Which facts were taken in."""
        return HighWater(progress.state.setdefault("marks", {}))

    def absorb(self, memory: HighWater, progress: Progress, record: Record) -> bool:  # noqa: ARG002
        """Pass over markers."""
        return written_number(record.headers) is None

    async def apply(self, tx: Transaction, progress: Progress, memory: HighWater, records: Sequence[Record]) -> list[Outgoing]:
        """Append what is new."""
        fresh = [record for record in records if (number := written_number(record.headers)) and memory.takes(number)]
        packs = [fresh[start : start + PACK] for start in range(0, len(fresh), PACK)]
        bodies = await erasure.heard(tx, self.topic, fresh)
        packed = [PackRow(self.topic, each[0].partition, each[0].offset, pack(bodies[start : start + PACK]))
                  for start, each in zip(range(0, len(fresh), PACK), packs, strict=True)]  # fmt: skip
        await append_facts(tx, packed, [row for each in packs for row in _runs(self.topic, each)])
        if records:
            progress.position = records[-1].offset + 1
        return []


def _runs(topic: str, records: Sequence[Record]) -> Iterator[FactsRow]:
    """Where in their pack the facts are: one row for those of one customer and time that follow each other."""
    partition, position = records[0].partition, records[0].offset
    place = 0
    for (key, time), run in groupby(records, _whose):
        if topic == PROMISES:
            said = note([record.value or b"" for record in run])
            number = len(said) // NOTED
        else:
            said, number = None, sum(1 for _ in run)
        yield FactsRow(read_key(key.decode()), datetime.fromisoformat(time.decode()), topic, partition, position, place, number, said)
        place += number


def _whose(fact: Record) -> tuple[bytes, bytes]:
    """Whose a fact is, and of what time, as it is written: our own services write the envelope before the data."""
    value = fact.value or b""
    start = value.index(_TIME) + len(_TIME)
    return fact.key or b"", value[start : value.index(b'"', start)]
