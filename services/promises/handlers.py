"""What promises does with a batch of journey events and markers: load, decide, save, in the order of the log."""

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Driver, Transaction
from services.chassis.lane import Record
from services.chassis.numbering import number_of
from services.chassis.progress import Progress
from services.chassis.relay import Outgoing
from services.chassis.telemetry import Telemetry
from services.promises import store
from services.promises.blindness import BlindSpots, Spot, customer_subject, source_subject
from services.promises.catalogue import Published
from services.promises.domain import Blind, Role
from services.promises.facts import PACK, Fact, fact_body, fact_record, marker, packed, unpacked
from services.promises.intake import Batch, Forgotten, Intake, Item, Memory, Terms
from services.promises.settings import PromisesSettings
from services.promises.store import erasure
from services.promises.store.lookback import read_seeded
from services.promises.store.marks import marks_from_json, marks_to_json
from services.promises.store.reads import read_versions
from services.promises.store.sources import published_sources, read_sources
from services.promises.store.tables import EvidenceRow, Refused
from services.promises.store.terms import terms_of, terms_revision
from services.promises.strands import NOT_YET, Change, Commitment, Origin, Pool, Seen, View

JOURNEY = "makegood.journey"
TURNS = 100
"""Attempts that work beside the log makes for its turn on a lane."""
FUTURE_BOUND = timedelta(minutes=5)
"""No event that journey takes in has happened later than this after its arrival."""


class Whole(NamedTuple):
    """Everything a batch needs of the database."""

    commitments: dict[UUID, Commitment]
    evidence: list[EvidenceRow]
    known: set[tuple[UUID, UUID]]
    spots: list[Spot]


class JourneyHandler:
    """Turns one partition of journey events into judgements."""

    topic, pace = JOURNEY, 0.0

    def __init__(self, settings: PromisesSettings, telemetry: Telemetry) -> None:
        """For all partitions of makegood.journey."""
        self._settings, self._telemetry = settings, telemetry
        self._intake = Intake()
        self._published = Published([])

    async def recall(self, engine: AsyncEngine, progress: Progress) -> Memory:
        """High-water marks, what each lane vouches for, and when the next judgement changes by time alone."""
        if self._published.revision == 0:  # silences are told by what is declared, before any event makes a batch
            declared = [each.row for each in await published_sources(engine)]
            self._published = Published(await read_versions(engine), -1, declared)
        self._intake.erased[progress.partition] = await erasure.erased(engine, progress.partition)
        return Memory.recalled(progress.state, await store.next_due(engine, progress.partition), progress.arrival)

    def absorb(self, memory: Memory, progress: Progress, record: Record) -> bool:
        """Pass over repeats, holes and markers, unless a marker brings the time of some judgement."""
        number = number_of(record.headers)
        if number is not None:
            return not memory.marks.expects(number)
        memory.hear(orjson.loads(record.value or b"")["data"])
        due = memory.next_due is not None and memory.next_due <= memory.barrier
        if due or memory.silences.stirs(self._published.sources, memory.barrier):
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
        terms = await _terms(tx, records)
        batch = self._intake.read(self._published, terms, progress, memory, records)
        limit = self._settings.due_at_once
        due = await store.due(tx, progress.partition, memory.barrier, limit + 1)
        if len(due) > limit:
            memory.restore(before)
            batch = self._intake.read(self._published, terms, progress, memory, records, until=due[0].next_at)
        await self._fold(tx, memory, before.barrier, batch, await self._still(tx, progress.partition, due[:limit]))
        await self._forget(tx, batch, memory.barrier)
        memory.next_due = await store.next_due_in(tx, progress.partition)
        progress.arrival = None if memory.barrier == NOT_YET else memory.barrier
        progress.state = memory.state()
        progress.position = batch.end if len(due) > limit else records[-1].offset + 1
        return [fact_record(progress.partition, progress.incarnation, fact) for fact in batch.facts]

    async def _still(self, tx: Transaction, partition: int, due: Sequence[Commitment]) -> Sequence[Commitment]:
        """What is due of those who were not erased; time changes nothing of the others' any more."""
        gone = self._intake.erased.get(partition)
        if not gone:
            return due
        await erasure.freeze(tx, [each.id for each in due if str(each.customer) in gone])
        return [each for each in due if str(each.customer) not in gone]

    async def _forget(self, tx: Transaction, batch: Batch, barrier: datetime) -> None:
        if batch.forgotten:
            await erasure.begin(tx, batch.progress.partition, map(UUID, batch.forgotten), barrier)
            self._intake.erased[batch.progress.partition] |= batch.forgotten

    async def _refresh(self, tx: Transaction) -> None:
        """Judge by what is published as this transaction sees it."""
        revision = await store.catalogue_revision(tx)
        if revision != self._published.revision:
            declared, seeded = await read_sources(tx.driver), await read_seeded(tx.driver)
            self._published = Published(await store.read_promises(tx.driver), revision, declared, seeded)

    async def _fold(self, tx: Transaction, memory: Memory, barrier: datetime, batch: Batch, due: Sequence[Commitment]) -> None:
        progress = batch.progress
        kinds: list[str] = []

        def tell(commitment: Commitment, change: Change) -> None:
            kinds.append(change.kind)
            progress.ordinal += 1
            commitment.said = f"{commitment.said} {progress.ordinal}"
            batch.facts.append(self._fact(progress, commitment, change))

        whole = await _load(tx, self._published, memory, batch, due)
        spots = BlindSpots(whole.spots)

        def blind_to(commitment: Commitment, arrival: datetime) -> tuple[Blind, ...]:
            missed = self._published.unread(commitment.promise, progress.partition)
            return missed + spots.of(commitment.customer, self._published.sources_of(commitment.promise), arrival)

        pool = Pool(progress.partition, self._published.versions, barrier, tell, blind_to)
        stored = [(row.strand, row.event, Origin(row.id, row.type), marks_from_json(row)) for row in whole.evidence]
        pool.load(whole.commitments.values(), stored)
        pool.know(whole.known)
        for item in batch.items:
            _take(pool, spots, item)
        self._intake.budget.passed(len(batch.items))
        for kind, number in Counter(kinds).items():
            self._telemetry.outcome(kind, number)
        failed = [Refused(progress.partition, at, promise, "condition", why, None) for (at, promise), why in pool.unjudgeable.items()]
        await store.save(
            tx,
            opened=pool.opened.values(),
            changed=pool.changed.values(),
            moved=pool.moved.values(),
            seen=[_evidence_row(view, event) for view, event in pool.evidence],
            said=list(packed(progress, batch.facts)),
            refused=[*batch.refused, *failed],
            spots=spots.changed.values(),
        )
        memory.blind = memory.blind or bool(spots.changed)
        await self._wake([each for each in spots.changed.values() if each.end is not None], tx, memory)

    async def _wake(self, healed: Sequence[Spot], tx: Transaction, memory: Memory) -> None:
        """What was held for want of something that has been read, or given up, is judged anew."""
        if healed:
            customers = [each.customer for each in healed if each.customer is not None]
            promises = [id_ for each in healed if each.source is not None for id_ in self._published.dependents(each.source)]
            await store.wake(tx, healed[0].partition, customers, promises, memory.barrier)

    def _fact(self, progress: Progress, commitment: Commitment, change: Change) -> Fact:
        if commitment.trace is not None and change.kind != "opened":
            named = {"promise": self._published.by_id[commitment.promise].name, "judgement": commitment.state}
            commitment.trace = self._telemetry.step("judge commitment", commitment.trace, **named)
        body = fact_body(self._published.told[commitment.promise], commitment, change)
        return Fact(progress.ordinal, commitment.customer, body)

    async def unpublished(self, driver: Driver, progress: Progress, limit: int) -> list[tuple[int, Outgoing]]:
        """The partition's facts after the pointer."""
        rows = await store.unpublished(driver, progress.partition, progress.published, limit // PACK + 1)
        facts = [(row.incarnation, fact) for row in rows for fact in unpacked(row) if fact.ordinal > progress.published]
        return [(fact.ordinal, fact_record(progress.partition, incarnation, fact)) for incarnation, fact in facts]

    def markers(self, memory: Memory, progress: Progress) -> list[Outgoing]:
        """To recovery: the barrier that this partition has been judged at."""
        if memory.barrier == NOT_YET:
            return []
        return [marker(progress, memory.barrier)]

    def ticks(self, progress: Progress) -> list[Outgoing]:  # noqa: ARG002
        """No raw lane of ours."""
        return []


def _take(pool: Pool, spots: BlindSpots, item: Item) -> None:
    match item:
        case Seen():
            pool.take(item)
        case Spot():
            spots.add(item)
        case Forgotten():
            pool.forget(item.customer)
        case _:
            pool.reach(item)


async def _terms(tx: Transaction, records: Sequence[Record]) -> Terms:
    """What the customers of a batch have negotiated; nothing is asked while nobody has."""
    if not await terms_revision(tx):
        return {}
    return await terms_of(tx, {UUID(record.key.decode()) for record in records if record.key})


async def _load(tx: Transaction, published: Published, memory: Memory, batch: Batch, due: Sequence[Commitment]) -> Whole:
    """One query each for commitments, evidence, known events and blind spots, whatever the batch holds."""
    since: dict[UUID, datetime] = {}
    opening: dict[UUID, datetime] = {}
    pairs = []
    for event in batch.events:
        for view in event.views:
            pairs.append((view.strand, event.key))
            for promise, mark in view.marks.items():
                terms = published.versions[promise].terms
                whole = terms.first or terms.resets or mark.about is not None
                since[view.strand] = min(NOT_YET if whole else mark.time, since.get(view.strand, mark.time))
                if mark.roles & Role.TRIGGER or terms.resets:
                    begin = NOT_YET if terms.looks_back else mark.time
                    opening[view.strand] = min(begin, opening.get(view.strand, begin))
    found = {each.id: each for each in due}
    if since:
        for commitment in await store.unsettled(tx, since):
            found.setdefault(commitment.id, commitment)
    wanted = opening
    for each in found.values():
        begin = NOT_YET if published.versions[each.promise].terms.looks_back else each.trigger_time
        wanted[each.strand] = min(begin, wanted.get(each.strand, begin))
    evidence = await store.read_evidence(tx, wanted) if wanted else []
    known = await store.known_events(tx, pairs) if pairs else set()
    customers = {each.customer for each in batch.events} | {each.customer for each in found.values()} if memory.blind else set()
    subjects = [*map(customer_subject, customers), *map(source_subject, published.sources)] if memory.blind else []
    arrivals = [*(each.arrival for each in batch.events), *(each.trigger_time - FUTURE_BOUND for each in found.values())]
    spots = await store.blind_spots(tx, batch.progress.partition, subjects, min(arrivals)) if subjects and arrivals else []
    return Whole(found, evidence, known, spots)


def _evidence_row(view: View, event: Seen) -> EvidenceRow:
    mark = next(iter(view.marks.values()))
    return EvidenceRow(view.strand, event.key, mark.time, event.arrival, event.id, event.type, marks_to_json(view.marks))
