"""The commitments a batch touches, folded event by event and barrier by barrier, in the order of the log.

A strand is what belongs together: one customer and one correlation value. Its evidence is stored once, whatever number
of promises looks at it. The outcome does not depend on where one batch ends and the next begins.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from services.chassis.keys import fast
from services.promises.domain import Evidence, Judgement, Mark, Role, State, Terms, commitment_id, judge

NOT_YET = datetime.min.replace(tzinfo=UTC)
"""The barrier before every lane has been heard."""
_TRIGGER = int(Role.TRIGGER)


@dataclass(slots=True)
class Commitment:
    """One application of a promise to one customer and one trigger, as its row holds it."""

    id: UUID
    partition: int
    promise: int
    strand: UUID
    customer: UUID
    correlation: str
    trigger_event: UUID
    trigger_id: str
    trigger_type: str
    trigger_time: datetime
    state: str
    reason: str
    due: datetime | None
    sayable: datetime | None
    next_at: datetime | None
    settled: datetime | None
    """Event time after which no further event changes the judgement; None: any may."""
    decided_by: UUID | None
    late: bool
    standing: bool
    segment: str | None
    verdict: int
    verdict_state: str | None
    trace: str | None


class Version(NamedTuple):
    """What folding needs to know of one promise version."""

    id: int
    name: str
    version: int
    terms: Terms


class View(NamedTuple):
    """One event as the promises of one strand see it."""

    strand: UUID
    correlation: str
    marks: dict[int, Mark]


class Seen(NamedTuple):
    """One journey event, and what promises see in it."""

    customer: UUID
    key: UUID
    id: str
    type: str
    arrival: datetime
    trace: str | None
    views: list[View]


@dataclass(slots=True)
class Strand:
    """What is in hand of one strand: marks by promise and event, commitments by promise."""

    marks: dict[int, dict[UUID, Mark]] = field(default_factory=dict)
    commitments: dict[int, list[Commitment]] = field(default_factory=dict)
    known: set[UUID] = field(default_factory=set)


class Change(NamedTuple):
    """Something that is to be said of a commitment: what kind, as of when, and what was said before."""

    kind: str
    as_of: datetime
    barrier: datetime
    was: str | None


Tell = Callable[[Commitment, Change], None]


class Pool:
    """The strands of one batch; `tell` hears each change as it is decided."""

    def __init__(self, partition: int, versions: Mapping[int, Version], barrier: datetime, tell: Tell) -> None:
        """An empty pool at the barrier reached so far."""
        self._partition, self._versions, self._tell = partition, versions, tell
        self.barrier = barrier
        self._strands: dict[UUID, Strand] = {}
        self._timers: list[tuple[datetime, UUID, int, Commitment]] = []
        self._pushed = 0
        self.opened: dict[UUID, Commitment] = {}
        self.changed: dict[UUID, Commitment] = {}
        self.moved: dict[UUID, Commitment] = {}
        self.evidence: list[tuple[View, Seen]] = []

    def load(self, commitments: Iterable[Commitment], evidence: Iterable[tuple[UUID, UUID, Mapping[int, Mark]]]) -> None:
        """Take in what is stored: commitments, and evidence as (strand, event, marks)."""
        for commitment in commitments:
            self._strand(commitment.strand).commitments.setdefault(commitment.promise, []).append(commitment)
            self._set_timer(commitment)
        for key, event, marks in evidence:
            strand = self._strand(key)
            for promise, mark in marks.items():
                strand.marks.setdefault(promise, {})[event] = mark

    def know(self, pairs: Iterable[tuple[UUID, UUID]]) -> None:
        """Note which (strand, event) are evidence already: they change nothing."""
        for strand, event in pairs:
            self._strand(strand).known.add(event)

    def _strand(self, key: UUID) -> Strand:
        strand = self._strands.get(key)
        if strand is None:
            strand = self._strands[key] = Strand()
        return strand

    def take(self, event: Seen) -> None:
        """Apply one event: add it to the evidence, judge what it bears on, open what it triggers."""
        for view in event.views:
            strand = self._strand(view.strand)
            if event.key in strand.known:
                continue
            strand.known.add(event.key)
            self.evidence.append((view, event))
            for promise, mark in view.marks.items():
                strand.marks.setdefault(promise, {})[event.key] = mark
                self._bear_on(strand, promise, mark, event)
                if mark.roles & _TRIGGER:
                    self._open(strand, view, promise, mark, event)

    def reach(self, barrier: datetime) -> None:
        """Judge everything whose time has come at this barrier, the earliest first."""
        self.barrier = max(self.barrier, barrier)
        while self._timers and self._timers[0][0] <= self.barrier:
            at, _, _, commitment = heapq.heappop(self._timers)
            if commitment.next_at == at:
                self._judge(self._strands[commitment.strand], commitment, self.barrier)

    def _bear_on(self, strand: Strand, promise: int, mark: Mark, event: Seen) -> None:
        for commitment in strand.commitments.get(promise, ()):
            if commitment.settled is None or mark.time <= commitment.settled:
                commitment.trace = event.trace or commitment.trace
                self._judge(strand, commitment, event.arrival)

    def _open(self, strand: Strand, view: View, promise: int, mark: Mark, event: Seen) -> None:
        version = self._versions[promise]
        first = version.terms.first
        correlation = str(view.strand) if first else view.correlation  # versions may correlate by other fields
        id_ = fast(commitment_id(version.name, version.version, event.customer, correlation, event.key, first=first))
        for commitment in [each for found in strand.commitments.values() for each in found] if first else ():
            if commitment.id == id_:
                self._move_anchor(strand, commitment, promise, mark, event)
                return
        commitment = Commitment(
            id=id_, partition=self._partition, promise=promise, strand=view.strand, customer=event.customer,
            correlation=view.correlation, trigger_event=event.key, trigger_id=event.id, trigger_type=event.type,
            trigger_time=mark.time, state=State.ON_TRACK, reason="waiting", due=None, sayable=None, next_at=None,
            settled=None, decided_by=None, late=False, standing=False, segment=mark.segment, verdict=0,
            verdict_state=None, trace=event.trace,
        )  # fmt: skip
        strand.commitments.setdefault(promise, []).append(commitment)
        self.opened[id_] = commitment
        judgement = self._judgement(strand, commitment)
        commitment.due = judgement.due
        self._tell(commitment, Change("opened", event.arrival, self.barrier, None))
        self._become(commitment, judgement, event.arrival)

    def _move_anchor(self, strand: Strand, commitment: Commitment, promise: int, mark: Mark, event: Seen) -> None:
        """`open: first`: a trigger that arrived late but happened earlier becomes the one that counts."""
        if (mark.time, event.key) >= (commitment.trigger_time, commitment.trigger_event):
            return
        if commitment.promise != promise:  # it happened under another version, which judges it from now on
            strand.commitments[commitment.promise].remove(commitment)
            strand.commitments.setdefault(promise, []).append(commitment)
            commitment.promise = promise
        commitment.trigger_event, commitment.trigger_id = event.key, event.id
        commitment.trigger_type, commitment.trigger_time = event.type, mark.time
        commitment.segment = mark.segment
        if commitment.id not in self.opened:
            self.moved[commitment.id] = commitment
        self._judge(strand, commitment, event.arrival)

    def _judgement(self, strand: Strand, commitment: Commitment) -> Judgement:
        marks = strand.marks[commitment.promise]
        evidence = Evidence(marks[commitment.trigger_event], tuple(marks.values()))
        return judge(self._versions[commitment.promise].terms, evidence, self.barrier)

    def _judge(self, strand: Strand, commitment: Commitment, as_of: datetime) -> None:
        self._become(commitment, self._judgement(strand, commitment), as_of)

    def _become(self, commitment: Commitment, judgement: Judgement, as_of: datetime) -> None:
        """Make the row say what is judged now, and tell what is news."""
        warned = commitment.state == State.AT_RISK and commitment.reason == judgement.reason
        state = judgement.state
        commitment.state, commitment.reason = str(state), judgement.reason
        commitment.due, commitment.sayable = judgement.due, judgement.sayable
        commitment.settled = judgement.settled
        commitment.decided_by, commitment.late = judgement.decided_by, judgement.late
        commitment.standing = judgement.standing
        commitment.next_at = judgement.next_at
        self._set_timer(commitment)
        if commitment.id not in self.opened:
            self.changed[commitment.id] = commitment
        if state.decided and commitment.verdict_state != state:
            was, commitment.verdict_state = commitment.verdict_state, str(state)
            commitment.verdict += 1
            self._tell(commitment, Change(str(state) if was is None else "corrected", as_of, self.barrier, was))
        elif state is State.AT_RISK and not warned:
            self._tell(commitment, Change("at_risk", as_of, self.barrier, None))

    def _set_timer(self, commitment: Commitment) -> None:
        if commitment.next_at is not None:
            self._pushed += 1
            heapq.heappush(self._timers, (commitment.next_at, commitment.id, self._pushed, commitment))
