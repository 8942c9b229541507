"""Look-back: what a version that was published later sees in what had arrived before it was (DESIGN 3.6).

Precedence, pauses and resets look back before a trigger. What a version sees in an event is kept when the event is applied, so of
what was applied before the version was known nothing is kept for it: that is read again from makegood.journey, as far back as
that holds it, and copied from versions of the same document, which see the same. Until both are done, what the version opens is held.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction
from services.chassis.faults import WORLD
from services.chassis.keys import event_key, read_key
from services.chassis.progress import Progress
from services.chassis.records import Record
from services.chassis.redaction import told
from services.chassis.scan import InOrder, Scan
from services.chassis.turns import LaneIsBusyError, take_turn
from services.promises.catalogue import Published
from services.promises.compile import Compiled
from services.promises.correlations import DISCREET, strand_of
from services.promises.discreet import called, seen_discreetly
from services.promises.domain import Mark, Role
from services.promises.handlers import JOURNEY, TURNS
from services.promises.language.expressions import ConditionError
from services.promises.lending import Lent, LentRow, lent_of
from services.promises.store import lookback as store
from services.promises.store.lent import lend
from services.promises.store.marks import marks_from_json, marks_to_json
from services.promises.store.reads import read_versions
from services.promises.store.tables import EvidenceRow

log = logging.getLogger(__name__)

OUR_OWN: Final = "makegood."
"""Types of what journey says beside events."""
PAUSE_SECONDS: Final = 0.5
EVIDENCE_AT_ONCE: Final = 5000
_TRIGGER: Final = int(Role.TRIGGER)


class LookBack:
    """Reads back for every version that waits for it; several processes may, what one has done the others find done."""

    def __init__(self, engine: AsyncEngine, kafka: str) -> None:
        """Nothing is looked at yet."""
        self._engine, self._kafka = engine, kafka
        self._seen: tuple[int, int] | None = None

    async def keep_reading(self) -> None:
        """Look for versions that wait, again and again."""
        while True:
            try:
                await self.read()
            except (*WORLD, LaneIsBusyError) as error:
                log.warning("look-back waits for the world", extra={"error": told(error)})
            except Exception:  # one version's trouble must not keep all later ones waiting for ever
                log.exception("look-back failed, and is tried again")
            await asyncio.sleep(PAUSE_SECONDS)

    async def read(self) -> None:
        """Read back for all that wait now."""
        partitions = await store.partitions(self._engine, JOURNEY)
        now = await store.newest(self._engine), len(partitions)
        if now == self._seen:
            return
        published = Published(await read_versions(self._engine), seeded=await store.seeded(self._engine))
        for partition in partitions:
            waiting = {id_: published.always(id_) for id_ in published.by_id if published.waits(id_, partition)}
            if waiting:
                alike = {id_: published.alike(id_) for id_ in waiting}
                await self._copy(waiting, alike)
                await self._scan(partition, waiting)
                await self._end(partition, waiting)
        self._seen = now

    async def waiting(self) -> int:
        """1 as long as a version may wait, as far as was looked here; 0 once none does."""
        now = await store.newest(self._engine), len(await store.partitions(self._engine, JOURNEY))
        return int(now != self._seen)

    async def _copy(self, waiting: dict[int, Compiled], alike: dict[int, frozenset[int]]) -> None:
        """Take over what versions of the same document saw in what they kept, whatever its partition."""
        if not any(alike.values()):
            return
        after: tuple[UUID, UUID] | None = None
        while rows := await store.page_of_evidence(self._engine, after, EVIDENCE_AT_ONCE):
            after = rows[-1].strand, rows[-1].event
            changed = []
            for row in rows:
                marks = marks_from_json(row)
                found = {id_: _looked_back(mark) for id_ in waiting for old in alike[id_] if (mark := marks.get(old)) and id_ not in marks}
                if found := {id_: mark for id_, mark in found.items() if mark.roles}:
                    changed.append(row._replace(marks=marks_to_json(marks | found)))
            await store.put_marks(self._engine, changed)

    async def _scan(self, partition: int, waiting: dict[int, Compiled]) -> None:
        once = InOrder()
        async with Scan(self._kafka, JOURNEY) as scan:  # opened behind the publication: what comes later is seen as it is applied
            async for _, records in scan.records(partition):
                found = await asyncio.to_thread(_seen_in, [each for each in records if once(each)], waiting)
                if found:
                    await take_turn(self._engine, JOURNEY, partition, TURNS, partial(_keep, found))

    async def _end(self, partition: int, waiting: dict[int, Compiled]) -> None:
        async def end(tx: Transaction, progress: Progress) -> None:
            await store.end(tx, partition, list(waiting), progress.arrival)

        await take_turn(self._engine, JOURNEY, partition, TURNS, end)


class Found(NamedTuple):
    """What was seen in an event; `evidence` is without the marks."""

    offset: int
    customer: UUID
    evidence: EvidenceRow
    marks: dict[int, Mark]
    lent: Lent | None


def _seen_in(records: Sequence[Record], waiting: dict[int, Compiled]) -> list[Found]:
    """What versions see in records; for a thread, since it computes."""
    found: list[Found] = []
    for record in records:
        event = orjson.loads(record.value or b"")
        if event["type"].startswith(OUR_OWN):
            continue
        by_strand: dict[UUID, dict[int, Mark]] = {}
        time, arrival = datetime.fromisoformat(event["time"]), datetime.fromisoformat(event["recordedtime"])
        customer, key = read_key(event["customer"]), event_key(event["source"], event["id"])
        for id_, compiled in waiting.items():
            seen = _sees(compiled, event, time, arrival, key)
            if seen is not None:
                seen = seen if DISCREET not in event else seen_discreetly(compiled, event, seen)
                strand = strand_of(customer, compiled.correlate_text, seen[0])
                by_strand.setdefault(strand, {})[id_] = seen[1]
        for strand, marks in by_strand.items():
            row = EvidenceRow(strand, key, time, arrival, called(event, key), event["type"], b"")
            found.append(Found(record.offset, customer, row, marks, lent_of(event)))
    return found


def _sees(compiled: Compiled, event: dict[str, Any], time: datetime, arrival: datetime, key: UUID) -> tuple[str, Mark] | None:
    try:
        seen = compiled.sees(event, time, arrival, key)
    except ConditionError:
        return None
    if seen is None or not (mark := _looked_back(seen[1])).roles:
        return None
    return seen[0], mark


def _looked_back(mark: Mark) -> Mark:
    """What came before a version took effect opens nothing under it."""
    return mark._replace(roles=mark.roles & ~_TRIGGER)


async def _keep(found: Sequence[Found], tx: Transaction, progress: Progress) -> None:
    """Keep what has been applied, but of those who were erased; what has not is seen by all when it is."""
    gone = await store.erased(tx, progress.partition)
    applied = [each for each in found if each.offset < progress.position and each.customer not in gone]
    await lend(tx, [LentRow(each.evidence.strand, each.evidence.event, *each.lent) for each in applied if each.lent and each.lent.number])
    there = await store.evidence_of(tx, [(each.evidence.strand, each.evidence.event) for each in applied])
    added, changed = [], []
    for _, _, row, marks, _ in applied:
        known = there.get((row.strand, row.event))
        if known is None:
            added.append(row._replace(marks=marks_to_json(marks)))
        elif not marks.keys() <= (old := marks_from_json(known)).keys():
            changed.append(known._replace(marks=marks_to_json(marks | old)))
    await store.put(tx, added, changed)
