"""Takes records in: validate, deduplicate, attribute, journal. One way in for batches of a lane and for what is released later.

What is journalled stands in the order of the records, holds among events, so that nothing depends on where a batch ends.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from services.chassis.cloudevents import Event
from services.chassis.database import Transaction
from services.chassis.instants import text_of
from services.chassis.keys import event_key, key_of, partition_of
from services.chassis.progress import Progress
from services.chassis.relay import Outgoing
from services.chassis.telemetry import Telemetry
from services.journey import backfills, described, holdings, store
from services.journey.attributes import DESCRIBED, STAMP, Attributes
from services.journey.domain import STATEMENTS, Attribution, Identifier, customer_key, named_key, split
from services.journey.holdings import Holdings
from services.journey.identity import attribution, statements
from services.journey.identity.attribution import Identity, Kin, Own
from services.journey.identity.statements import Statement
from services.journey.privacy import erased
from services.journey.records import KINSHIP, RELEASED, RETRACTED, SOURCE, customer_erased, dead_letter, held, journey_record, stamped
from services.journey.refusals import Refusal, kept_of, origin_of
from services.journey.store.backfills import held_first, journalled, let_go
from services.journey.store.erasure import GONE
from services.journey.store.rows import JournalRow, QuarantineRow

_new = tuple.__new__  # what a NamedTuple's own constructor does, at half of its cost


class Candidate(NamedTuple):
    """One record that may become a journey event."""

    position: int
    event: Event
    time: datetime
    arrival: datetime
    key: UUID
    day: date
    digest: int
    identifiers: list[Identifier]
    trace: str | None
    """The trace context it came with: as CloudEvents' extension, or as a header of the record."""
    released: datetime | None = None
    """When it was released from quarantine."""


@dataclass(slots=True)
class Batch:
    """What one batch has come to so far."""

    progress: Progress
    candidates: list[Candidate] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    describes: bool = False
    """One of the candidates describes its customer."""
    kinship: int = 0
    """How many statements of who is whom there have been."""
    heard: dict[str, datetime] = field(default_factory=dict)
    """The last arrival of each declared source in this batch."""
    unheard: list[tuple[str, datetime | None, datetime]] = field(default_factory=list)
    """Sources that this lane did not hear between two arrivals, the last in this batch; without a first one: ever before."""
    rows: list[JournalRow] = field(default_factory=list)
    quarantined: list[QuarantineRow] = field(default_factory=list)
    held: dict[int, list[UUID]] = field(default_factory=dict)
    """By the position of a refused record: who got its hold."""
    backfills: bool = False
    """One of the candidates belongs to a backfill."""
    complete: list[UUID] = field(default_factory=list)
    """The backfills whose end is in this batch; nothing of them comes behind it."""
    emptied: set[int] = field(default_factory=set)
    """The positions of records that name somebody who was erased: what was refused of them is not kept."""

    def add(self, taken: Candidate) -> None:
        """Take up a record in which nothing is wrong."""
        self.candidates.append(taken)
        self.describes = self.describes or taken.event.type == DESCRIBED

    def count(self, outcome: str, number: int = 1) -> None:
        """Account for records."""
        self.counts[outcome] = self.counts.get(outcome, 0) + number

    def outgoing(self) -> list[Outgoing]:
        """What is to be published, in the order of ordinals."""
        return [journey_record(row) for row in self.rows] + [dead_letter(row) for row in self.quarantined]


def candidate(position: int, value: bytes, event: Event, arrival: datetime, identifiers: list[Identifier], trace: str | None) -> Candidate:
    """A record in which nothing is wrong."""
    time = event.time or arrival
    digest = int.from_bytes(blake2b(value, digest_size=8).digest(), signed=True)
    key = event_key(event.source, event.id)
    return _new(Candidate, (position, event, time, arrival, key, time.date(), digest, identifiers, trace, None))


class Intake:
    """Takes the records of raw lanes in."""

    def __init__(self, partitions: int, telemetry: Telemetry | None = None) -> None:
        """For a system with so many journey partitions; without telemetry an event goes on under the trace it came with."""
        self._partitions, self._telemetry = partitions, telemetry

    async def accept(self, tx: Transaction, memory: Identity, batch: Batch) -> None:
        """Journal new events under their customers, and hold those whom a refused record names."""
        fresh = await _deduplicate(tx, batch)
        batch.refused = await _first_refused(tx, batch)
        items: list[Candidate | Refusal] = [*fresh]
        if naming := [each for each in batch.refused if each.identifiers]:
            items = sorted([*fresh, *naming], key=lambda each: each.position)
        if memory.erases:
            items = await self._sift(tx, memory, batch, items)
        if not items:
            return
        batch.kinship = memory.statements
        if isinstance(items[0], Candidate) and items[0].event.type in STATEMENTS:
            await self._state(tx, memory, batch, items[0])
            return
        many, parts = await holdings.load_for(tx, [each.identifiers for each in items], memory.types.shared)
        places = [place for place, part in enumerate(parts) if part.identifiers]
        untaken = {at for at, place in enumerate(places) if isinstance(items[place], Refusal)} if batch.refused else set()
        named, arrivals = [parts[place].identifiers for place in places], [items[place].arrival for place in places]
        found, kin = await attribution.attribute(tx, memory, named, arrivals, untaken, many.everybody())
        known = await described.load(tx, memory, found, kin, many.everybody(), described=batch.describes)
        if batch.backfills:
            whom = [(items[place], each.customer) for place, each in zip(places, found, strict=True)]
            whom += [(item, each) for item, part in zip(items, parts, strict=True) for each in many.of(part.things, item.arrival)]
            await self._hold_for_backfills(tx, batch, whom)
        whose = dict(zip(places, found, strict=True))
        for place, (item, part) in enumerate(zip(items, parts, strict=True)):
            if place not in whose:
                self._reach(batch, item, part.things, many, kin, known)
            elif isinstance(item, Refusal):
                self._hold(batch, item, whose[place], kin)
            else:
                self._take(batch, item, whose[place], kin, known)
                if part.things:
                    self._give(batch, item, whose[place].customer, many.hold(whose[place].customer, part.things, item.time), kin)
        await store.save_conflicts(tx, _clashes(items, whose))
        await holdings.save(tx, many)
        await described.save(tx, memory, known)

    async def _hold_for_backfills(self, tx: Transaction, batch: Batch, whom: Sequence[tuple[Candidate | Refusal, UUID]]) -> None:
        """Hold whose history is being filled in, or that of a thing they hold, before the first event of it."""
        lane, first = batch.progress.lane, dict[tuple[UUID, UUID], Candidate]()
        for item, customer in whom:
            if isinstance(item, Candidate) and backfills.BACKFILL in item.event.attributes:
                first.setdefault((UUID(item.event.attributes[backfills.BACKFILL]), customer), item)
        new = await held_first(tx, lane, [(*where, item.arrival) for where, item in first.items()]) if first else set()
        for (backfill, customer), item in first.items():
            if (backfill, customer) in new:
                self.tell(batch, customer, backfills.hold(lane, backfill, item.event, customer, item.arrival), item.arrival)

    async def complete(self, tx: Transaction, batch: Batch, backfill: UUID) -> None:
        """Let everybody go who is held for a backfill in this lane."""
        lane, at = batch.progress.lane, batch.progress.arrival
        assert at is not None
        for customer, body in backfills.releases(lane, backfill, await let_go(tx, lane, backfill), at):
            self.tell(batch, customer, body, at)

    async def _sift(self, tx: Transaction, memory: Identity, batch: Batch, items: list[Candidate | Refusal]) -> list[Candidate | Refusal]:
        """What names somebody who was not erased; the rest is counted, and leaves nothing."""
        named = [split(each.identifiers, memory.types.shared).identifiers for each in items]  # what many hold is nobody's
        sifted = await erased.sift(tx, named, batch.progress.arrival, exclusive=memory.exclusive)
        for each in sifted.begun:
            self.tell(batch, each.customer, customer_erased(each.customer, each.reason, each.at), each.at)
        found: list[Candidate | Refusal] = []
        for item, names, left in zip(items, named, sifted.left, strict=True):
            if left is None:
                batch.count("erased", int(isinstance(item, Candidate)))
                batch.emptied.add(item.position)
                continue
            kept = [each for each in item.identifiers if each in left or each not in names]
            if isinstance(item, Candidate) and len(left) < len(names):
                found.append(item._replace(event=item.event._replace(attributes=erased.stripped(item, kept)), identifiers=kept))
            else:
                found.append(item._replace(identifiers=kept))
        return found

    def _take(self, batch: Batch, taken: Candidate, whose: Attribution, kin: Kin, known: Attributes | None) -> None:
        customer = whose.customer
        copies = [copied for each in whose.joined for copied in kin.join(customer, each)]
        if known is not None:
            for each in whose.joined:
                known.join(customer, each)
            if taken.event.type == DESCRIBED:
                known.describe(customer, taken.event.attributes["data"], taken.time, taken.key)
        self._emit(batch, taken, customer, kin, None if known is None else known.text(customer, kin.others(customer)))
        for other, own in copies:
            self._lend(batch, other, own, taken.arrival)

    async def _state(self, tx: Transaction, memory: Identity, batch: Batch, taken: Candidate) -> None:
        """Take in who is whom, in a batch of its own."""
        statement = Statement(taken.key, taken.event.attributes, taken.time, taken.arrival, taken.identifiers)
        applied = await statements.apply(tx, memory, statement)
        batch.kinship = memory.statements
        customer, kin = applied.customer, applied.kin
        known = await described.load(tx, memory, [Attribution(customer)], kin)
        self._emit(batch, taken, customer, kin, None if known is None else known.text(customer, kin.others(customer)))
        for other, own in applied.withdrawn:
            self._lend(batch, other, own, taken.arrival, retracted=True)
        for other, own in applied.copies:
            self._lend(batch, other, own, taken.arrival)

    def _lend(self, batch: Batch, other: UUID, own: Own, arrival: datetime, *, retracted: bool = False) -> None:
        """Journal an event as evidence of another key, or that it is no longer."""
        body = own.body | {"evidenceonly": True}
        if batch.kinship:
            body[KINSHIP] = batch.kinship
        if retracted:
            body[RETRACTED] = True
        self._journal(batch, other, own.event, own.time, arrival, body)

    def _reach(
        self, batch: Batch, item: Candidate | Refusal, things: Sequence[UUID], many: Holdings, kin: Kin, known: Attributes | None
    ) -> None:
        """What happened to things that many hold is each holder's own event; it is kept under the thing, too, where it opens nothing."""
        if isinstance(item, Refusal):
            for holder in many.of(things, item.arrival):
                self._hold(batch, item, Attribution(holder, reached=[]), kin)
            return
        own = Own(item.key, item.time, self._body(batch, item))
        for thing in things:
            self._lend(batch, thing, own, item.arrival)
        many.happen(things, own)
        holders = many.of(things, item.time)
        for holder in holders:
            stamp = None if known is None else known.text(holder, kin.others(holder))
            body = own.body if stamp is None else own.body | {STAMP: stamp}
            others = [each for each in kin.others(holder) if each not in holders]
            self._spread(batch, holder, others, own._replace(body=dict(body)), item.arrival, kin)

    def _give(self, batch: Batch, taken: Candidate, customer: UUID, given: Sequence[Own], kin: Kin) -> None:
        """What had happened to a thing reaches whoever is found to have held it then."""
        for own in given:
            self._spread(batch, customer, kin.others(customer), own._replace(body=dict(own.body)), taken.arrival, kin)

    def _emit(self, batch: Batch, taken: Candidate, customer: UUID, kin: Kin, stamp: str | None) -> None:
        body = self._body(batch, taken)
        if stamp is not None:
            body[STAMP] = stamp
        self._spread(batch, customer, kin.others(customer), _new(Own, (taken.key, taken.time, body)), taken.arrival, kin)

    def _body(self, batch: Batch, taken: Candidate) -> dict[str, Any]:
        body = stamped(taken.event.attributes)
        trace = taken.trace
        if self._telemetry is not None:
            trace = self._telemetry.begin("accept touchpoint", trace, **{"event.type": taken.event.type})
        if trace is not None:
            body["traceparent"] = trace
        if taken.released is not None:
            body[RELEASED] = text_of(taken.released)
        batch.count("applied")
        body["time"] = text_of(taken.time)  # one spelling: RFC 3339 has some that not every reader knows
        return body

    def _spread(self, batch: Batch, customer: UUID, others: Iterable[UUID], own: Own, arrival: datetime, kin: Kin) -> None:
        """Journal an event under its own key, and as evidence under others that it reaches."""
        self._journal(batch, customer, own.event, own.time, arrival, own.body)
        kin.note(customer, own)
        for other in others:
            self._lend(batch, other, own, arrival)

    def _hold(self, batch: Batch, refusal: Refusal, whose: Attribution, kin: Kin) -> None:
        body = held(batch.progress.lane, refusal, whose.customer)
        own = Own(event_key(SOURCE, body["id"]), refusal.arrival, body)
        others = list(dict.fromkeys([*kin.others(whose.customer), *(whose.reached or ())]))
        batch.held.setdefault(refusal.position, []).extend((whose.customer, *others))
        self._spread(batch, whose.customer, others, own, refusal.arrival, kin)

    def tell(self, batch: Batch, customer: UUID, body: dict[str, Any], arrival: datetime) -> None:
        """Journal an event of our own."""
        self._journal(batch, customer, event_key(SOURCE, body["id"]), datetime.fromisoformat(body["time"]), arrival, body)

    def tell_everywhere(self, batch: Batch, arrival: datetime, about: Callable[[int], dict[str, Any]]) -> None:
        """Journal in every partition what there is to say of a source: `about` it, for that partition."""
        for partition in range(self._partitions):
            body = about(partition)
            place = key_of(body["subject"], f"partition {partition}")
            self._journal(batch, place, event_key(SOURCE, body["id"]), arrival, arrival, body, partition)

    def _journal(
        self, batch: Batch, customer: UUID, event: UUID, time: datetime, arrival: datetime, body: dict[str, Any],
        partition: int | None = None,
    ) -> None:  # fmt: skip
        progress = batch.progress
        body["customer"] = str(customer)
        body["recordedtime"] = text_of(arrival)
        partition = partition_of(customer, self._partitions) if partition is None else partition
        seqs = progress.state.setdefault("seqs", [0] * self._partitions)
        seqs[partition] += 1
        progress.ordinal += 1
        where = (progress.lane, progress.ordinal, partition, progress.incarnation, seqs[partition], customer, event)
        batch.rows.append(_new(JournalRow, (*where, time, arrival, body.get("evidenceonly", False), orjson.dumps(body))))


def quarantine(batch: Batch) -> None:
    """Keep what was refused, byte for byte unless it is larger than anybody can have meant."""
    progress = batch.progress
    for refusal in batch.refused:
        progress.ordinal += 1
        record, wrong = refusal.record, refusal.wrong
        if refusal.position in batch.emptied:
            batch.quarantined.append(emptied(progress, refusal))
            batch.count("quarantined")
            continue
        key, value, headers = kept_of(record)
        row = QuarantineRow(
            progress.lane, refusal.position, progress.ordinal, wrong.reason, wrong.detail, refusal.place, refusal.text("source"),
            refusal.arrival, key, value, orjson.dumps([[name, content.hex()] for name, content in headers]),
            batch.held.get(refusal.position, []),
        )  # fmt: skip
        batch.quarantined.append(row)
        batch.count("quarantined")


def emptied(progress: Progress, refusal: Refusal) -> QuarantineRow:
    """What is kept of a refused record that names somebody who was erased: that there was one, and why it was refused."""
    return QuarantineRow(
        progress.lane, refusal.position, progress.ordinal, refusal.wrong.reason, GONE, "", None, refusal.arrival, None, None, b"[]", []
    )


def _clashes(items: Sequence[Candidate | Refusal], whose: Mapping[int, Attribution]) -> list[tuple[UUID, UUID, UUID, datetime]]:
    """What is to be put before a person: (event, whom it went to, the other, arrival)."""
    taken = [(items[place], found) for place, found in whose.items() if found.conflicts]
    return [
        (item.key, found.customer, other, item.arrival) for item, found in taken if isinstance(item, Candidate) for other in found.conflicts
    ]


async def _first_refused(tx: Transaction, batch: Batch) -> list[Refusal]:
    """The refused records without those that a feed has sent before."""
    named = {each.position: where for each in batch.refused if (where := origin_of(each)) is not None}
    if not named:
        return batch.refused
    new = await store.first_seen(tx, sorted((day, key, 0) for day, key in set(named.values())))
    kept = []
    for each in batch.refused:
        where = named.get(each.position)
        if where is None or where in new:
            new.discard(where)
            kept.append(each)
    batch.count("duplicate", len(batch.refused) - len(kept))
    return kept


async def _brought_in_before(tx: Transaction, candidates: Sequence[Candidate]) -> set[tuple[date, UUID]]:
    """Which of these are journalled: of what is older than the window repeats are known no longer, and a backfill may be done again."""
    old = [each for each in candidates if backfills.BACKFILL in each.event.attributes]
    known = await store.lookup(tx, sorted({text for each in old for text, _ in each.identifiers}))
    places = {
        (key, each.time, each.key): (each.day, each.key)
        for each in old
        for text, _ in each.identifiers
        for key in (customer_key(text), named_key(text), known[text].key if text in known else None)
        if key is not None
    }
    return {places[each] for each in await journalled(tx, list(places))} if places else set()


async def _deduplicate(tx: Transaction, batch: Batch) -> list[Candidate]:
    """The events that nobody has seen; the first of two with one id wins, whichever lane it came by."""
    first: dict[tuple[date, UUID], Candidate] = {}
    repeated: list[Candidate] = []
    for candidate in batch.candidates:
        where = (candidate.day, candidate.key)
        if where in first:
            repeated.append(candidate)
        else:
            first[where] = candidate
    if not first:
        return []
    new = await store.first_seen(tx, sorted((day, key, each.digest) for (day, key), each in first.items()))
    if batch.backfills:
        new -= await _brought_in_before(tx, [each for where, each in first.items() if where in new])
    repeated += [each for where, each in first.items() if where not in new]
    if repeated:
        known = await store.digests(tx, sorted({(each.day, each.key) for each in repeated}))
        conflicts = sum(known.get((each.day, each.key)) != each.digest for each in repeated)
        batch.count("conflict", conflicts)
        batch.count("duplicate", len(repeated) - conflicts)
    return [each for where, each in first.items() if where in new]
