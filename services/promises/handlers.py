"""What promises does with a batch of journey events and markers: load, decide, save, in the order of the log."""

import logging
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Driver, Transaction
from services.chassis.faults import FaultBudget
from services.chassis.keys import event_key, key_of, read_key
from services.chassis.lane import Record
from services.chassis.numbering import HighWater, Number, number_of
from services.chassis.progress import Progress
from services.chassis.relay import Outgoing
from services.chassis.telemetry import Telemetry
from services.promises import store
from services.promises.catalogue import Published
from services.promises.compile import Compiled
from services.promises.domain import Mark, Role
from services.promises.expressions import ConditionError
from services.promises.facts import fact_body, fact_record, marker
from services.promises.settings import PromisesSettings
from services.promises.store.tables import EvidenceRow, FactRow, Refused
from services.promises.strands import NOT_YET, Change, Commitment, Pool, Seen, View

log = logging.getLogger(__name__)

JOURNEY = "makegood.journey"


@dataclass(slots=True)
class Memory:
    """What a partition's owner keeps in memory; all of it can be read again."""

    marks: HighWater
    vouched: dict[str, str]
    lanes: int
    next_due: datetime | None
    barrier: datetime = NOT_YET

    def hear(self, marker: dict[str, Any]) -> bool:
        """Take in a progress marker; False where it names effects that have not all been applied."""
        named = Number(marker["lane"], marker["incarnation"], marker["seq"])
        if not self.marks.reached(named):
            return False
        lane, arrival = named.lane, marker["arrival"]
        self.lanes = marker["lanes"]
        self.vouched[lane] = max(self.vouched.get(lane, ""), arrival)
        if len(self.vouched) >= self.lanes:
            self.barrier = max(self.barrier, datetime.fromisoformat(min(self.vouched.values())))
        return True

    def state(self) -> dict[str, Any]:
        """What of it is saved in the progress row."""
        return {"marks": self.marks.marks, "vouched": self.vouched, "lanes": self.lanes}


Item = Seen | datetime
"""One step of a batch: an event to be taken, or a barrier that was reached."""


@dataclass(slots=True)
class Batch:
    """What one batch has come to so far."""

    items: list[Item] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    facts: list[FactRow] = field(default_factory=list)
    end: int = 0

    @property
    def events(self) -> list[Seen]:
        """The events of the batch."""
        return [item for item in self.items if isinstance(item, Seen)]


class Whole(NamedTuple):
    """Everything a batch needs of the database."""

    commitments: dict[UUID, Commitment]
    evidence: list[EvidenceRow]
    known: set[tuple[UUID, UUID]]


class JourneyHandler:
    """Turns one partition of journey events into judgements."""

    topic = JOURNEY

    def __init__(self, settings: PromisesSettings, telemetry: Telemetry) -> None:
        """For all partitions of makegood.journey."""
        self._settings, self._telemetry = settings, telemetry
        self._budget = FaultBudget()
        self._published = Published([])

    async def recall(self, engine: AsyncEngine, progress: Progress) -> Memory:
        """High-water marks, what each lane vouches for, and when the next judgement changes by time alone."""
        state = deepcopy(progress.state)
        next_due = await store.next_due(engine, progress.partition)
        memory = Memory(HighWater(state.get("marks", {})), state.get("vouched", {}), state.get("lanes", 0), next_due)
        memory.barrier = progress.arrival or NOT_YET
        return memory

    def absorb(self, memory: Memory, progress: Progress, record: Record) -> bool:
        """Pass over repeats, holes and markers, unless a marker brings the time of some judgement."""
        number = number_of(record.headers)
        if number is not None:
            return not memory.marks.expects(number)
        memory.hear(orjson.loads(record.value or b"")["data"])
        if memory.next_due is not None and memory.next_due <= memory.barrier:
            return False
        progress.arrival = None if memory.barrier == NOT_YET else memory.barrier
        progress.state = memory.state()
        return True

    async def apply(self, tx: Transaction, progress: Progress, memory: Memory, records: Sequence[Record]) -> list[Outgoing]:
        """Fold the batch in order; where too much falls due at once, only up to the barrier that makes it so."""
        if not records:
            return []
        await self._refresh(tx)
        before = deepcopy(memory)
        batch = self._read(progress, memory, records)
        limit = self._settings.due_at_once
        due = await store.due(tx, progress.partition, memory.barrier, limit + 1)
        if len(due) > limit:
            memory.marks, memory.vouched, memory.barrier = before.marks, before.vouched, before.barrier
            batch = self._read(progress, memory, records, until=due[0].next_at)
        await self._fold(tx, progress, before.barrier, batch, due[:limit])
        memory.next_due = await store.next_due_in(tx, progress.partition)
        progress.arrival = None if memory.barrier == NOT_YET else memory.barrier
        progress.state = memory.state()
        progress.position = batch.end if len(due) > limit else records[-1].offset + 1
        return [fact_record(row) for row in batch.facts]

    async def _refresh(self, tx: Transaction) -> None:
        """Judge by what is published as this transaction sees it."""
        revision = await store.catalogue_revision(tx)
        if revision != self._published.revision:
            self._published = Published(await store.read_promises(tx.driver), revision)

    def _read(self, progress: Progress, memory: Memory, records: Sequence[Record], until: datetime | None = None) -> Batch:
        """The batch's items in order, ending with the first barrier that reaches `until`, if given."""
        batch = Batch()
        for record in records:
            batch.end = record.offset
            number = number_of(record.headers)
            if number is None:
                if memory.hear(orjson.loads(record.value or b"")["data"]):
                    batch.items.append(memory.barrier)
                if until is not None and memory.barrier >= until:
                    break
            elif memory.marks.accepts(number) and (seen := self._see(progress, batch, record)):
                batch.items.append(seen)
        return batch

    def _see(self, progress: Progress, batch: Batch, record: Record) -> Seen | None:
        """What promises see in a journey event; None where none of them does."""
        try:
            event = orjson.loads(record.value or b"")
            published = self._published.of(event["type"])
            if not published:
                return None
            arrival, time = datetime.fromisoformat(event["recordedtime"]), datetime.fromisoformat(event["time"])
            customer, key = read_key(event["customer"]), event_key(event["source"], event["id"])
            views: dict[tuple[str, str], View] = {}
            for promise, compiled in published:
                seen = self._evaluate(progress, batch, record, promise, compiled, (event, time, arrival, key))
                if seen is not None:
                    correlation, mark = seen
                    where = (compiled.correlate_text, correlation)
                    view = views.get(where)
                    if view is None:
                        view = views[where] = View(key_of(event["customer"], *where), correlation, {})
                    view.marks[promise] = mark
            if not views:
                return None
            return Seen(customer, key, event["id"], event["type"], arrival, event.get("traceparent"), list(views.values()))
        except Exception as error:  # our own fault: the budget decides whether the line stops
            self._budget.failed(error)
            log.exception("our own code failed", extra={"lane": progress.lane, "offset": record.offset})
            refused = Refused(progress.partition, record.offset, 0, "unexpected", type(error).__name__, record.value)
            batch.refused.append(refused)
            return None

    def _evaluate(
        self, progress: Progress, batch: Batch, record: Record, promise: int, compiled: Compiled,
        event: tuple[dict[str, Any], datetime, datetime, UUID],
    ) -> tuple[str, Mark] | None:  # fmt: skip
        try:
            return compiled.sees(*event)
        except ConditionError as error:
            refused = Refused(progress.partition, record.offset, promise, "condition", str(error), record.value)
            batch.refused.append(refused)
            return None

    async def _fold(self, tx: Transaction, progress: Progress, barrier: datetime, batch: Batch, due: Sequence[Commitment]) -> None:
        kinds: list[str] = []

        def tell(commitment: Commitment, change: Change) -> None:
            kinds.append(change.kind)
            progress.ordinal += 1
            batch.facts.append(self._fact(progress, commitment, change))

        pool = Pool(progress.partition, self._published.versions, barrier, tell)
        whole = await _load(tx, self._published, batch.events, due)
        pool.load(whole.commitments.values(), [(row.strand, row.event, store.marks_from_json(row)) for row in whole.evidence])
        pool.know(whole.known)
        for item in batch.items:
            if isinstance(item, Seen):
                pool.take(item)
            else:
                pool.reach(item)
        self._budget.passed(len(batch.items))
        for kind, number in Counter(kinds).items():
            self._telemetry.outcome(kind, number)
        await store.save(
            tx,
            opened=pool.opened.values(),
            changed=pool.changed.values(),
            moved=pool.moved.values(),
            seen=[_evidence_row(view, event) for view, event in pool.evidence],
            said=batch.facts,
            refused=batch.refused,
        )

    def _fact(self, progress: Progress, commitment: Commitment, change: Change) -> FactRow:
        if commitment.trace is not None and change.kind != "opened":
            named = {"promise": self._published.by_id[commitment.promise].name, "judgement": commitment.state}
            commitment.trace = self._telemetry.step("judge commitment", commitment.trace, **named)
        body = fact_body(self._published.told[commitment.promise], commitment, change)
        return FactRow(progress.partition, progress.ordinal, progress.incarnation, commitment.customer, commitment.id, body)

    async def unpublished(self, driver: Driver, progress: Progress, limit: int) -> list[tuple[int, Outgoing]]:
        """The partition's facts after the pointer."""
        rows = await store.unpublished(driver, progress.partition, progress.published, limit)
        return [(row.ordinal, fact_record(row)) for row in rows]

    def markers(self, memory: Memory, progress: Progress) -> list[Outgoing]:
        """To recovery: the barrier that this partition has been judged at."""
        if memory.barrier == NOT_YET:
            return []
        return [marker(progress, memory.barrier)]

    def ticks(self, progress: Progress) -> list[Outgoing]:  # noqa: ARG002
        """No raw lane of ours."""
        return []


async def _load(tx: Transaction, published: Published, events: Sequence[Seen], due: Sequence[Commitment]) -> Whole:
    """One query each for commitments, evidence and known events, whatever the batch holds."""
    since: dict[UUID, datetime] = {}
    opening: set[UUID] = set()
    firsts: set[UUID] = set()
    pairs = []
    for event in events:
        for view in event.views:
            pairs.append((view.strand, event.key))
            for promise, mark in view.marks.items():
                since[view.strand] = min(mark.time, since.get(view.strand, mark.time))
                if mark.roles & Role.TRIGGER:
                    opening.add(view.strand)
                    if published.versions[promise].terms.first:
                        firsts.add(view.strand)
    found = {each.id: each for each in due}
    if since:
        anchored = {strand: NOT_YET if strand in firsts else time for strand, time in since.items()}
        for commitment in await store.unsettled(tx, anchored):
            found.setdefault(commitment.id, commitment)
    wanted = {strand: since[strand] for strand in opening}
    for each in found.values():
        wanted[each.strand] = min(each.trigger_time, wanted.get(each.strand, each.trigger_time))
    evidence = await store.read_evidence(tx, wanted) if wanted else []
    known = await store.known_events(tx, pairs) if pairs else set()
    return Whole(found, evidence, known)


def _evidence_row(view: View, event: Seen) -> EvidenceRow:
    mark = next(iter(view.marks.values()))
    return EvidenceRow(view.strand, event.key, mark.time, event.arrival, event.type, store.marks_to_json(view.marks))
