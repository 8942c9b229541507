"""What promises takes out of the records of makegood.journey: events as its promises see them, barriers, and what was not read."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from services.chassis.faults import FaultBudget
from services.chassis.instants import text_of
from services.chassis.keys import event_key, read_key
from services.chassis.numbering import HighWater, Number, written_number
from services.chassis.progress import Progress
from services.chassis.records import Record
from services.promises.blindness import Silences, Spot, customer_subject, source_subject
from services.promises.catalogue import Published
from services.promises.commitment import NOT_YET
from services.promises.correlations import DISCREET, strand_of
from services.promises.discreet import called, seen_discreetly
from services.promises.domain import Role
from services.promises.facts import Fact
from services.promises.language.expressions import ConditionError
from services.promises.lending import lent_of
from services.promises.negotiated import Negotiated, within_at
from services.promises.payments import PAID, NoPaymentError, Sums, add, payment_of
from services.promises.remembered import Remembered
from services.promises.store.tables import Refused
from services.promises.strands import Seen, View

log = logging.getLogger(__name__)
_new = tuple.__new__  # what a NamedTuple's own constructor does, at half of its cost

_BACKFILLED = int(Role.BACKFILLED)
HELD, UNHELD = "makegood.journey.held", "makegood.journey.unheld"
UNHEARD, RETIRED = "makegood.source.unheard", "makegood.source.retired"
FORGET, EMPTIED = "makegood.customer.erased", "makegood.journey.erased"


@dataclass(slots=True)
class Memory:
    """What a partition's owner keeps in memory; all of it can be read again."""

    marks: HighWater
    vouched: dict[str, str]
    lanes: int
    remembered: Remembered
    silences: Silences = field(default_factory=Silences)
    blind: bool = False
    """Whether anything was ever not read in this partition."""
    lends: bool = False
    """Whether anything that another key lent was ever taken back in this partition."""
    barrier: datetime = NOT_YET
    passed: list[datetime] = field(default_factory=list)
    """Barriers that were reached and at which not everything was looked at yet, the latest last."""

    @classmethod
    def recalled(cls, state: Mapping[str, Any], remembered: Remembered, barrier: datetime | None) -> "Memory":
        """What the progress row says."""
        state = deepcopy(dict(state))
        memory = cls(HighWater(state.get("marks", {})), state.get("vouched", {}), state.get("lanes", 0), remembered)
        memory.silences = _silences_of(state.get("silences", {}))
        memory.passed = [datetime.fromisoformat(each) for each in state.get("passed", ())]
        memory.blind, memory.lends = state.get("blind", False), state.get("lends", False)
        memory.barrier = memory.passed[-1] if memory.passed else barrier or NOT_YET
        return memory

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
        for source, last in marker.get("sources", {}).items():
            self.silences.hear(source, lane, datetime.fromisoformat(last))
        return True

    @property
    def reached(self) -> list[datetime]:
        """The barriers at which commitments may still have to be looked at, in order; markers that no batch has taken in aside."""
        return list(self.passed) or [self.remembered.looked]

    def look_up_to(self, barrier: datetime) -> None:
        """Note that everything has been looked at that falls due up to a barrier."""
        self.remembered.looked = barrier
        self.passed = [each for each in self.passed if each > barrier]

    def state(self) -> dict[str, Any]:
        """What of it is saved in the progress row."""
        silences = {"silences": _text_of(self.silences)} if self.silences.heard or self.silences.retired else {}
        blind = {"blind": True} if self.blind else {}
        lends = {"lends": True} if self.lends else {}
        passed = {"passed": [text_of(each) for each in self.passed]} if self.passed else {}
        return {"marks": self.marks.marks, "vouched": self.vouched, "lanes": self.lanes} | silences | blind | passed | lends


def barrier_in(state: Mapping[str, Any], arrival: datetime | None) -> datetime | None:
    """The barrier that a partition has reached, though what falls due may not all have been looked at."""
    return datetime.fromisoformat(state["passed"][-1]) if "passed" in state else arrival


def _text_of(silences: Silences) -> dict[str, Any]:
    return {
        "heard": {source: {lane: text_of(at) for lane, at in lanes.items()} for source, lanes in silences.heard.items()},
        "gaps": {
            source: [[lane, text_of(since), text_of(until)] for lane, since, until in found] for source, found in silences.gaps.items()
        },
        "silent": {source: text_of(at) for source, at in silences.silent.items()},
    } | ({"retired": {source: text_of(at) for source, at in silences.retired.items()}} if silences.retired else {})


def _silences_of(text: Mapping[str, Any]) -> Silences:
    instant = datetime.fromisoformat
    return Silences(
        {source: {lane: instant(at) for lane, at in lanes.items()} for source, lanes in text.get("heard", {}).items()},
        {
            source: [(lane, instant(since), instant(until)) for lane, since, until in found]
            for source, found in text.get("gaps", {}).items()
        },
        {source: instant(at) for source, at in text.get("silent", {}).items()},
        {source: instant(at) for source, at in text.get("retired", {}).items()},
    )


Terms = Mapping[UUID, Sequence[Negotiated]]
"""What customers have negotiated."""


class Forgotten(NamedTuple):
    """Somebody of whom nothing more is read from here on."""

    customer: UUID


Item = Seen | Spot | Forgotten | datetime
"""One step of a batch: an event to be taken, a blind interval that began or ended, somebody erased, or a barrier that was reached."""


@dataclass(slots=True)
class Batch:
    """What one batch has come to so far."""

    progress: Progress
    terms: Terms
    items: list[Item] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    paid: Sums = field(default_factory=dict)
    let_go: set[str] = field(default_factory=set)
    """The sources that are declared no longer from this batch on."""
    forgotten: set[str] = field(default_factory=set)
    """The keys, as text, of those who are erased in this batch."""

    @property
    def events(self) -> list[Seen]:
        """The events of the batch."""
        return [item for item in self.items if isinstance(item, Seen)]

    @property
    def blinds(self) -> bool:
        """Whether it tells of anything that was not read."""
        return any(isinstance(item, Spot) for item in self.items)

    def refuse(self, record: Record, promise: int, reason: str, detail: str) -> None:
        """Put a journey event into quarantine for a promise, or for all (0)."""
        self.refused.append(Refused(self.progress.partition, record.offset, promise, reason, detail, record.value))


class Intake:
    """Reads records in the order of the log."""

    def __init__(self) -> None:
        """Of one process; our own code may fail on so many records only."""
        self.budget = FaultBudget()
        self.erased: dict[int, set[str]] = {}
        """By partition: the keys, as text, of those who were erased; nothing of them is read."""
        self._gone: AbstractSet[str] = frozenset()

    def read(
        self, published: Published, terms: Terms, progress: Progress, memory: Memory, records: Sequence[Record]
    ) -> Batch:  # fmt: skip
        """The batch's items in order."""
        batch = Batch(progress, terms)
        self._gone = self.erased.get(progress.partition, frozenset())
        for record in records:
            written = written_number(record.headers)
            if written is None:
                if memory.hear(orjson.loads(record.value or b"")["data"]):
                    batch.items += _silences(published, progress, memory)
                    batch.items.append(memory.barrier)
            elif memory.marks.takes(written) and (item := self._item(published, memory, batch, record)):
                batch.items.append(item)
        return batch

    def _item(self, published: Published, memory: Memory, batch: Batch, record: Record) -> Seen | Spot | Forgotten | None:
        """What promises see in a journey event; None where none of them does."""
        try:
            event = orjson.loads(record.value or b"")
            if (batch.forgotten and event["customer"] in batch.forgotten) or event["customer"] in self._gone:
                return None
            if event["type"] in (FORGET, EMPTIED):
                return _forget(batch, event)
            if event["type"] in (HELD, UNHELD):
                return _held(batch.progress, event)
            if event["type"] == UNHEARD:
                _miss(memory, event["data"])
                return None
            if event["type"] == RETIRED:
                _let_go(memory, batch, event["data"]["source"], datetime.fromisoformat(event["recordedtime"]))
                return None
            if event["type"] == PAID:
                _pay(batch, record, event)
            memory.lends = memory.lends or event.get("retracted", False)
            return self._see(published, batch, record, event)
        except Exception as error:  # our own fault: the budget decides whether the line stops
            self.budget.failed(error)
            log.exception("our own code failed", extra={"lane": batch.progress.lane, "offset": record.offset})
            batch.refuse(record, 0, "unexpected", type(error).__name__)
            return None

    def _see(self, published: Published, batch: Batch, record: Record, event: dict[str, Any]) -> Seen | None:
        concerned = published.of(event["type"])
        if not concerned:
            return None
        arrival, time = datetime.fromisoformat(event["recordedtime"]), datetime.fromisoformat(event["time"])
        customer, key = read_key(event["customer"]), event_key(event["source"], event["id"])
        views: dict[tuple[str, str], View] = {}
        own, discreet = batch.terms.get(customer, ()), DISCREET in event
        for promise, compiled in concerned:
            try:
                seen = compiled.sees(event, time, arrival, key, within_at(own, compiled.name, time) if own else None)
            except ConditionError as error:
                batch.refuse(record, promise, "condition", str(error))
                continue
            if seen is not None:
                correlation, mark = seen if not discreet else seen_discreetly(compiled, event, seen)
                if "backfill" in event:
                    mark = mark._replace(roles=mark.roles | _BACKFILLED)
                where = (compiled.correlate_text, correlation)
                view = views.get(where)
                if view is None:
                    view = views[where] = _new(View, (strand_of(customer, *where), correlation, {}))
                view.marks[promise] = mark
        if not views:
            return None
        trace, found = event.get("traceparent"), list(views.values())
        return _new(Seen, (customer, key, called(event, key), event["type"], arrival, trace, record.offset, found, lent_of(event)))


def _pay(batch: Batch, record: Record, event: Mapping[str, Any]) -> None:
    """Count what recovery says was paid; what cannot be read is put by, and the event goes on."""
    try:
        payment = payment_of(event)
    except NoPaymentError as error:
        batch.refuse(record, 0, "payment", str(error.__doc__))
        return
    if payment is not None:
        add(batch.paid, payment)


def _silences(published: Published, progress: Progress, memory: Memory) -> Iterable[Spot]:
    if memory.barrier == NOT_YET or not (published.sources or memory.silences.silent):
        return
    for source, since, until in memory.silences.news(published.sources, memory.barrier):
        yield Spot(progress.partition, source_subject(source), source, since, until, f"{source} was not heard")


def _miss(memory: Memory, data: Mapping[str, Any]) -> None:
    """Take in that a lane did not hear a source for a time."""
    since = None if data["since"] is None else datetime.fromisoformat(data["since"])
    memory.silences.miss(data["source"], data["lane"], since, datetime.fromisoformat(data["until"]))


def _let_go(memory: Memory, batch: Batch, source: str, at: datetime) -> None:
    """Take in that a source is declared no longer, silent or not: what waits for it waits no more."""
    memory.silences.retire(source, at)
    batch.let_go.add(source)


def _forget(batch: Batch, event: Mapping[str, Any]) -> Forgotten | None:
    """Somebody is erased; or an event stands empty, since they were erased before it was sent."""
    if event["type"] == EMPTIED:
        return None
    batch.forgotten.add(event["customer"])
    return Forgotten(read_key(event["customer"]))


def _held(progress: Progress, event: Mapping[str, Any]) -> Spot:
    """A refused record of a customer, or what became of it."""
    data = event["data"]
    until = data.get("until")
    if event.get("retracted"):  # another key's, of whom this is no longer the same person: nothing of this one was not read
        until = data["arrival"]
    return Spot(
        progress.partition,
        customer_subject(UUID(event["customer"])),
        data["record"],
        datetime.fromisoformat(data["arrival"]),
        None if until is None else datetime.fromisoformat(until),
        f"{data['record']} was not read: {data.get('reason') or data.get('how')}",
    )
