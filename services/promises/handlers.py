"""What promises does with a batch of journey events and markers: load, decide, save, in the order of the log."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.metrics import CORRECTIONS, VERDICTS
from services.chassis.database import Driver, Transaction
from services.chassis.lane import Handler
from services.chassis.numbering import number_of
from services.chassis.progress import Progress
from services.chassis.records import Record
from services.chassis.relay import Outgoing
from services.chassis.telemetry import Telemetry
from services.promises import store
from services.promises.blindness import BlindSpots, Spot, customer_subject, source_subject
from services.promises.catalogue import Published
from services.promises.commitment import CORRECTED, MOVED, NOT_YET, Change, Commitment
from services.promises.domain import Blind, bears
from services.promises.facts import PACK, Fact, fact_body, fact_record, marker, packed, unpacked
from services.promises.intake import Batch, Forgotten, Intake, Item, Memory, Terms
from services.promises.lending import Lending, LentRow
from services.promises.pool import Pool
from services.promises.remembered import Remembered
from services.promises.settings import PromisesSettings
from services.promises.store import erasure, payments
from services.promises.store.lent import standing
from services.promises.store.lookback import read_seeded
from services.promises.store.marks import marks_from_json, marks_to_json
from services.promises.store.reads import read_versions
from services.promises.store.sources import published_sources, read_sources
from services.promises.store.tables import EvidenceRow, Refused
from services.promises.store.terms import terms_of, terms_revision
from services.promises.strands import Origin, Seen, View

JOURNEY = "makegood.journey"
TURNS = 100
"""Attempts that work beside the log makes for its turn on a lane."""
FUTURE_BOUND = timedelta(minutes=5)
"""No event that journey takes in has happened later than this after its arrival."""
_new = tuple.__new__  # what a NamedTuple's own constructor does, at half of its cost
MOMENT, NO_TIME = timedelta(microseconds=1), timedelta(0)


class Whole(NamedTuple):
    """What a batch needs of the database, beside what is in memory."""

    commitments: dict[UUID, Commitment]
    evidence: list[EvidenceRow]
    known: set[tuple[UUID, UUID]]
    spots: list[Spot]
    lent: list[LentRow]


class JourneyHandler(Handler):
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
        looked = progress.arrival or NOT_YET
        async with engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            beyond = await store.next_wake(driver, progress.partition, looked)
        return Memory.recalled(progress.state, Remembered(self._settings.remembered, looked, beyond), progress.arrival)

    def absorb(self, memory: Memory, progress: Progress, record: Record) -> bool:
        """Pass over repeats, holes and markers, unless a marker brings the time of some judgement."""
        number = number_of(record.headers)
        if number is not None:
            return not memory.marks.expects(number)
        memory.hear(orjson.loads(record.value or b"")["data"])
        due = memory.remembered.next_due()
        if (due is not None and due <= memory.barrier) or memory.silences.stirs(self._published.sources, memory.barrier):
            return False
        memory.look_up_to(memory.barrier)
        progress.arrival = None if memory.barrier == NOT_YET else memory.barrier
        progress.state = memory.state()
        return True

    async def apply(self, tx: Transaction, progress: Progress, memory: Memory, records: Sequence[Record]) -> list[Outgoing]:
        """Fold the batch in order, and look at what falls due; where that is too much, at a part of it, and at the rest next time."""
        if not records and not self.unfinished(memory):
            return []
        await self._refresh(tx)
        remembered, limit = memory.remembered, self._settings.due_at_once
        before = memory.reached if self.unfinished(memory) else []
        batch = self._intake.read(self._published, await _terms(tx, records), progress, memory, records)
        memory.passed = sorted({*before, *(item for item in batch.items if isinstance(item, datetime))})
        looks = remembered.beyond is not None and remembered.beyond <= memory.barrier
        due = await store.due(tx, progress.partition, remembered.looked, memory.barrier, limit) if looks else []
        last = due[-1].wake if len(due) == limit else None  # as it is now: judging moves it
        rows = [each for each in due if each.strand not in remembered.strands]
        batch.items[:0] = before
        healed = await self._fold(tx, memory, batch, await self._still(tx, progress.partition, rows))
        await self._forget(tx, batch, memory)
        memory.look_up_to(memory.barrier if last is None else max(remembered.looked, last - MOMENT))
        if looks:
            again = remembered.looked + (MOMENT if last is None else NO_TIME)
            remembered.beyond = await store.next_wake(tx.driver, progress.partition, again)
        await self._wake(tx, batch, memory, healed)
        progress.arrival = None if remembered.looked == NOT_YET else remembered.looked
        progress.state = memory.state()
        if records:
            progress.position = records[-1].offset + 1
        return [fact_record(progress, fact) for fact in batch.facts]

    def unfinished(self, memory: Memory) -> bool:
        """Whether there is something that was not looked at when its time came: too much came due at once."""
        beyond = memory.remembered.beyond
        return beyond is not None and beyond <= memory.reached[-1]

    async def _still(self, tx: Transaction, partition: int, due: Sequence[Commitment]) -> Sequence[Commitment]:
        """What is due of those who were not erased; time changes nothing of the others' any more."""
        gone = self._intake.erased.get(partition)
        if not gone:
            return due
        await erasure.freeze(tx, [each.id for each in due if str(each.customer) in gone])
        return [each for each in due if str(each.customer) not in gone]

    async def _forget(self, tx: Transaction, batch: Batch, memory: Memory) -> None:
        if batch.forgotten:
            await erasure.begin(tx, batch.progress.partition, map(UUID, batch.forgotten), memory.barrier)
            memory.remembered.forget_all()
            self._intake.erased[batch.progress.partition] |= batch.forgotten

    async def _refresh(self, tx: Transaction) -> None:
        """Judge by what is published as this transaction sees it."""
        revision = await store.catalogue_revision(tx)
        if revision != self._published.revision:
            declared, seeded = await read_sources(tx.driver), await read_seeded(tx.driver)
            self._published = Published(await store.read_promises(tx.driver), revision, declared, seeded)

    async def _fold(self, tx: Transaction, memory: Memory, batch: Batch, due: Sequence[Commitment]) -> list[Spot]:
        """Take the batch's items one by one, and save what comes of them; returns the blind intervals that ended."""
        progress, remembered = batch.progress, memory.remembered
        kinds: list[tuple[int, str, str]] = []

        def tell(commitment: Commitment, change: Change) -> None:
            kinds.append((commitment.promise, change.kind, commitment.state))
            progress.ordinal += 1
            if change.kind != MOVED:  # of which there may be very many, and nothing is made again from them
                commitment.said = f"{commitment.said} {progress.ordinal}"
            batch.facts.append(self._fact(progress, commitment, change))

        whole = await _load(tx, self._published, memory, batch, due)
        spots = BlindSpots(whole.spots)

        def blind_to(commitment: Commitment, arrival: datetime) -> tuple[Blind, ...]:
            missed = self._published.unread(commitment.promise, progress.partition)
            return missed + spots.of(commitment.customer, self._published.sources_of(commitment.promise), arrival)

        blind = memory.blind or batch.blinds or self._published.looks_back
        versions, strands, timers = self._published.versions, remembered.strands, remembered.timers
        pool = Pool(progress.partition, versions, progress.arrival or NOT_YET, tell, blind_to if blind else _sees_all, strands, timers)
        stored = [(row.strand, row.event, Origin(row.id, row.type), marks_from_json(row)) for row in whole.evidence]
        pool.load(whole.commitments.values(), stored)
        pool.know(whole.known)
        pool.lending = Lending(whole.lent)
        for item in batch.items:
            _take(pool, spots, item)
        self._intake.budget.passed(len(batch.items))
        self._count(kinds)
        await self._save(tx, batch, pool, spots)
        touched = [each.strand for each in (*whole.commitments.values(), *pool.opened.values(), *pool.changed.values())]
        remembered.keep(dict.fromkeys([*(view.strand for event in batch.events for view in event.views), *touched]), versions)
        memory.blind = memory.blind or bool(spots.changed)
        return [each for each in spots.changed.values() if each.end is not None]

    def _count(self, said: Sequence[tuple[int, str, str]]) -> None:
        """Once a batch; one that is taken back and done again counts again."""
        for (promise, kind, state), number in Counter(said).items():
            name = self._published.by_id[promise].name
            self._telemetry.tell(VERDICTS, number, name, kind)
            if kind == CORRECTED:
                self._telemetry.tell(CORRECTIONS, number, name, state)

    async def _save(self, tx: Transaction, batch: Batch, pool: Pool, spots: BlindSpots) -> None:
        progress = batch.progress
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
            lent=pool.lending.rows,
        )
        await payments.add(tx, progress.partition, batch.paid)

    async def _wake(self, tx: Transaction, batch: Batch, memory: Memory, healed: Sequence[Spot]) -> None:
        """What was held for want of something that has been read, or given up, or is waited for no longer, is judged anew."""
        if healed or batch.let_go:
            customers = [each.customer for each in healed if each.customer is not None]
            heard = batch.let_go | {each.source for each in healed if each.source is not None}
            promises = [id_ for each in heard for id_ in self._published.dependents(each)]
            await store.wake(tx, batch.progress.partition, customers, promises, memory.barrier)
            memory.remembered.forget_all()
            memory.remembered.beyond = memory.barrier

    def _fact(self, progress: Progress, commitment: Commitment, change: Change) -> Fact:
        if commitment.trace is not None and change.kind not in ("opened", MOVED):
            named = {
                "promise": self._published.by_id[commitment.promise].name,
                "judgement": commitment.state,
                "makegood.verdict": change.kind,
            }
            commitment.trace = self._telemetry.step("judge commitment", commitment.trace, **named)
        body = fact_body(self._published.told[commitment.promise], commitment, change)
        return _new(Fact, (progress.ordinal, commitment.customer, body))

    async def unpublished(self, driver: Driver, progress: Progress, limit: int) -> list[tuple[int, Outgoing]]:
        """The partition's facts after the pointer."""
        rows = await store.unpublished(driver, progress.partition, progress.published, limit // PACK + 1)
        return [(fact.ordinal, fact_record(progress, fact)) for row in rows for fact in unpacked(row) if fact.ordinal > progress.published]

    def markers(self, memory: Memory, progress: Progress) -> list[Outgoing]:
        """To recovery: the barrier that this partition has been judged at."""
        judged = memory.remembered.looked
        return [] if judged == NOT_YET else [marker(progress, judged)]


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
    """One query each for commitments, evidence, known events and blind spots, whatever the batch holds; none for what is in memory."""
    remembered, events = memory.remembered, batch.events
    wanted = _wanted(published, remembered, events)
    stored = await store.stored_strands(tx, wanted) if wanted else set()
    remembered.bear([key for key in wanted if key not in stored])
    since = {key: at for key, at in wanted.items() if key in stored}
    for key, at in since.items():
        remembered.begin(key, at)
    found = {each.id: each for each in due}
    if since:
        for commitment in await store.unsettled(tx, since):
            found.setdefault(commitment.id, commitment)
    begins = dict(since)
    for each in found.values():
        begin = NOT_YET if published.versions[each.promise].terms.looks_back else each.trigger_time
        begins[each.strand] = min(begin, begins.get(each.strand, begin))
    evidence = await store.read_evidence(tx, begins, lent=memory.lends) if begins else []
    borrowed = [(view.strand, event.key) for event in events if event.lent is not None for view in event.views]
    partly = [(view.strand, event.key) for event in events for view in event.views if remembered.strands[view.strand].since != NOT_YET]
    known = await store.known_events(tx, [*partly, *borrowed]) if partly or borrowed else set()
    lent = await standing(tx, borrowed) if borrowed else []
    return Whole(found, evidence, known, await _spots(tx, published, memory, batch, found.values()) if memory.blind else [], lent)


def _wanted(published: Published, remembered: Remembered, events: Sequence[Seen]) -> dict[UUID, datetime]:
    """The strands that are not in memory as far back as their events need it, and how far that is."""
    wanted: dict[UUID, datetime] = {}
    for event in events:
        for view in event.views:
            strand = remembered.strands.get(view.strand)
            if strand is not None and strand.since is NOT_YET:
                continue
            for promise, mark in view.marks.items():
                terms = published.versions[promise].terms
                begin = NOT_YET if terms.looks_back or mark.about is not None else mark.time
                lacking = strand is not None and promise in strand.lacks and bears(terms, mark)
                if lacking or not remembered.reaches(view.strand, begin):
                    begin = NOT_YET if terms.first else begin
                    wanted[view.strand] = min(begin, wanted.get(view.strand, begin))
    return wanted


async def _spots(tx: Transaction, published: Published, memory: Memory, batch: Batch, found: Iterable[Commitment]) -> list[Spot]:
    """What was not read that may bear on what is judged in a batch."""
    strands, events = memory.remembered.strands, batch.events
    touched = {view.strand for event in events for view in event.views}
    held = [each for key in touched for own in strands[key].commitments.values() for each in own]
    judged = [*found, *held, *memory.remembered.timers.by(memory.barrier)]
    customers = {each.customer for each in events} | {each.customer for each in judged}
    subjects = [*map(customer_subject, customers), *map(source_subject, published.sources)]
    arrivals = [*(each.arrival for each in events), *(each.trigger_time - FUTURE_BOUND for each in judged)]
    return await store.blind_spots(tx, batch.progress.partition, subjects, min(arrivals)) if arrivals else []


def _sees_all(_commitment: Commitment, _arrival: datetime) -> tuple[Blind, ...]:
    return ()


def _evidence_row(view: View, event: Seen) -> EvidenceRow:
    mark = next(iter(view.marks.values()))
    return _new(EvidenceRow, (view.strand, event.key, mark.time, event.arrival, event.id, event.type, marks_to_json(view.marks)))
