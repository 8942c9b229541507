"""Does a rejudgement: reads the events again, partition by partition, and keeps what each commitment comes to.

What another version sees in an event that came before it was published was never kept, so the events are read from
makegood.journey, as far back as that holds them. Versions of the same document, such as those that differ in their calendar
only, see the same in an event: what was kept for one counts for the other, however old it is.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.database import Transaction
from services.chassis.keys import event_key, read_key
from services.chassis.progress import Progress
from services.chassis.records import Record
from services.chassis.scan import InOrder, Scan
from services.chassis.turns import take_turn
from services.promises.backtest.jobs import GivenUpError, Say
from services.promises.blindness import BlindSpots, subjects_of
from services.promises.compile import Compiled
from services.promises.correlations import DISCREET, strand_of
from services.promises.discreet import called, seen_discreetly
from services.promises.domain import Blind
from services.promises.facts import Fact, packed
from services.promises.handlers import JOURNEY, TURNS
from services.promises.language.expressions import ConditionError
from services.promises.lending import Lending, lent_of
from services.promises.negotiated import Negotiated, within_at
from services.promises.rejudging import Pair, Tally, Thread, fact_of, merged, paired, result_of, seconds
from services.promises.settings import PromisesSettings
from services.promises.store import rejudging as store
from services.promises.store.erasure import erased
from services.promises.store.marks import marks_from_json
from services.promises.store.rejudging import First, Standing, Time
from services.promises.store.runs import REJUDGEMENTS, Runs
from services.promises.store.tables import EvidenceRow

CUSTOMERS_AT_ONCE: Final = 500
OUR_OWN: Final = "makegood."
"""Types of what journey says beside events."""


class TooMuchError(GivenUpError):
    """More of one partition plays a part in it than can be held; give a shorter time."""


class Under(NamedTuple):
    """What is judged under: a version, taken as if it had always counted, and what is to be known beside it."""

    compiled: Compiled
    versions: frozenset[int]
    """The numbers of all versions of the promise."""
    alike: frozenset[int]
    """Of them, those of the same document, which see the same in an event."""
    sources: tuple[str, ...]
    negotiated: Mapping[UUID, Sequence[Negotiated]]


class Reading:
    """What one partition's events come to under the other version, up to where the first verdicts stand."""

    def __init__(self, under: Under, standing: Standing, erased: AbstractSet[str]) -> None:
        """Nothing is read yet; nothing is read of those who were erased."""
        self._under, self._position, self._erased = under, standing.position, erased
        self._wanted = {each.trigger_event for each in standing.commitments}
        self.threads: dict[UUID, Thread] = {}
        self.origins: dict[UUID, tuple[str, str]] = {}
        self.known: set[UUID] = set()
        """The events that opened commitments, as far as they are in hand."""
        self._later: set[UUID] = set()
        self._lending = Lending()
        self.unreadable = self.events = 0

    def take(self, records: Sequence[Record]) -> None:
        """Take in events as makegood.journey has them."""
        for record in records:
            event = orjson.loads(record.value or b"")
            key = event_key(event["source"], event["id"])
            if record.offset >= self._position:
                self._later.add(key)
            elif not event["type"].startswith(OUR_OWN) and event["customer"] not in self._erased:
                if key in self._wanted:
                    self.known.add(key)
                self._see(event, key)

    def _see(self, event: dict[str, Any], key: UUID) -> None:
        compiled = self._under.compiled
        if not compiled.matches_type(event["type"]):
            return
        time, arrival = datetime.fromisoformat(event["time"]), datetime.fromisoformat(event["recordedtime"])
        customer = read_key(event["customer"])
        own = self._under.negotiated.get(customer, ())
        try:
            seen = compiled.sees(event, time, arrival, key, within_at(own, compiled.name, time) if own else None)
        except ConditionError:
            self.unreadable += 1
            return
        if seen is not None:
            correlation, mark = seen if DISCREET not in event else seen_discreetly(compiled, event, seen)
            thread = self._thread(strand_of(customer, compiled.correlate_text, correlation), customer, correlation)
            lent = lent_of(event)
            adds = True if lent is None else self._lending.hear(thread.strand, key, lent, known=key in thread.marks)
            if adds is False:
                del thread.marks[key]
            if not adds:
                return
            thread.marks.setdefault(key, mark)
            self.origins[key] = called(event, key), event["type"]
            self.events += 1

    def remember(self, commitments: Sequence[First], evidence: Sequence[EvidenceRow]) -> None:
        """Take in what was kept for versions that see the same."""
        where = {each.strand: each for each in commitments}
        for row in evidence:
            marks = [mark for number, mark in marks_from_json(row).items() if number in self._under.alike]
            if marks and row.event not in self._later:
                first = where[row.strand]
                self._thread(row.strand, first.customer, first.correlation).marks.setdefault(row.event, merged(marks))
                self.origins.setdefault(row.event, (row.id, row.type))
                self.known.add(row.event)

    def _thread(self, strand: UUID, customer: UUID, correlation: str) -> Thread:
        found = self.threads.get(strand)
        if found is None:
            found = self.threads[strand] = Thread(strand, customer, correlation)
        return found


@dataclass(slots=True)
class Rejudgement:
    """What was asked for: the commitments of a promise, by the time of their trigger, under one of its versions."""

    id: UUID
    engine: AsyncEngine
    settings: PromisesSettings
    under: Under
    time: Time
    open_cases: bool = False
    read: int = 0
    total: int = 0
    tally: Tally = field(default_factory=Tally)
    runs: Runs = REJUDGEMENTS

    async def do(self, say: Say) -> dict[str, Any]:
        """Judge partition by partition; what each comes to is kept at once, and shown once all are done."""
        async with Scan(self.settings.kafka, JOURNEY) as scan:
            self.total, partitions = scan.total, scan.partitions
        for partition in partitions:
            most = self.settings.backtest_events
            standing = await store.standing(self.engine, JOURNEY, partition, self.under.versions, self.time, most + 1)
            if standing is None:
                continue
            reading = await self._read(partition, standing, say)
            if max(reading.events, len(standing.commitments)) > most:
                raise TooMuchError(TooMuchError.__doc__)
            self.tally.unreadable += reading.unreadable
            await self._judge(partition, standing, reading)
        return self.tally.as_json()

    async def _read(self, partition: int, standing: Standing, say: Say) -> Reading:
        reading, once = Reading(self.under, standing, await erased(self.engine, partition)), InOrder()
        async with Scan(self.settings.kafka, JOURNEY) as scan:  # opened behind the first verdicts: all that they rest on is in it
            async for passed, records in scan.records(partition):
                await asyncio.to_thread(reading.take, [each for each in records if once(each)])
                self.read += passed
                await say()
                if reading.events > self.settings.backtest_events:
                    break
        return reading

    async def _judge(self, partition: int, standing: Standing, reading: Reading) -> None:
        firsts: dict[UUID, list[First]] = defaultdict(list)
        for each in standing.commitments:
            firsts[each.customer].append(each)
        customers = {thread.customer for thread in reading.threads.values()}
        everybody = iter([*firsts, *(each for each in customers if each not in firsts)])
        threads = _by_customer(reading)
        while some := list(islice(everybody, CUSTOMERS_AT_ONCE)):
            own = [each for customer in some for each in firsts.get(customer, ())]
            strands = {each.strand for each in own if each.promise in self.under.alike}
            subjects = [subject for customer in some for subject in subjects_of(customer, self.under.sources)]
            evidence, spots = await store.in_hand(self.engine, partition, strands, list(dict.fromkeys(subjects)))
            reading.remember(own, evidence)
            theirs = [
                reading.threads[each]
                for each in {*strands, *(each for customer in some for each in threads.get(customer, ()))}
                if each in reading.threads
            ]
            found = await asyncio.to_thread(self._pairs, theirs, own, reading, BlindSpots(spots), standing.barrier)
            await self._keep(partition, *found, standing.barrier)

    def _pairs(
        self, threads: Sequence[Thread], firsts: Sequence[First], reading: Reading, spots: BlindSpots, barrier: datetime
    ) -> tuple[list[Pair], list[First]]:
        def blind_to(customer: UUID, arrival: datetime) -> tuple[Blind, ...]:
            return spots.of(customer, self.under.sources, arrival)

        return paired(firsts, seconds(self.under.compiled, threads, reading.origins, blind_to, barrier), reading.known, self.time)

    async def _keep(self, partition: int, pairs: Sequence[Pair], unread: Sequence[First], barrier: datetime) -> None:
        gone = await erased(self.engine, partition)
        pairs = [each for each in pairs if str(each.second.customer) not in gone]
        results = [result_of(self.id, each, barrier) for each in pairs]
        failing = [each for each in pairs if self.open_cases and each.fails_anew]

        async def tell(tx: Transaction, progress: Progress) -> None:
            bodies = [(each.second.customer, fact_of(self.id, self.under.compiled, each, barrier)) for each in failing]
            facts = [Fact(ordinal, *each) for ordinal, each in enumerate(bodies, progress.ordinal + 1)]
            await store.append(tx, results, list(packed(progress, facts)))
            progress.ordinal += len(facts)

        if failing:
            await take_turn(self.engine, JOURNEY, partition, TURNS, tell)
        else:
            await store.keep(self.engine, results)
        self.tally.add(pairs, len(unread), len(failing))


def _by_customer(reading: Reading) -> dict[UUID, list[UUID]]:
    found: dict[UUID, list[UUID]] = defaultdict(list)
    for strand, thread in reading.threads.items():
        found[thread.customer].append(strand)
    return found
