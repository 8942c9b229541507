"""The commitments a batch touches, folded event by event and barrier by barrier, in the order of the log.

The outcome does not depend on where one batch ends and the next begins.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from uuid import UUID

from services.chassis.keys import named
from services.promises.bearing import Bearing, in_order
from services.promises.commitment import MOVED, Change, Commitment, moves, news_of, stand
from services.promises.domain import (
    MANY,
    NAMESPACE,
    NOT_OPENED,
    UNJUDGEABLE,
    Blind,
    Evidence,
    Judgement,
    Mark,
    Role,
    State,
    commitment_name,
    judge,
    opening,
    order,
)
from services.promises.lending import Lending
from services.promises.strands import Origin, Seen, Strand, Version, View
from services.promises.timers import Timers

_new = tuple.__new__  # what a NamedTuple's own constructor does, at half of its cost
_TRIGGER, _EXCUSES, _BACKFILLED = int(Role.TRIGGER), int(Role.EXCUSE | Role.UNEXCUSE), int(Role.BACKFILLED)
_WARNINGS = ("at_risk", "held", MOVED)
"""What is said without being a verdict, nor taking one back."""


Tell = Callable[[Commitment, Change], None]
BlindTo = Callable[[Commitment, datetime], tuple[Blind, ...]]
"""What was not read, since an arrival, that may bear on a commitment."""


class Pool:
    """The strands that a batch touches; `tell` hears each change as it is decided."""

    def __init__(
        self, partition: int, versions: Mapping[int, Version], barrier: datetime, tell: Tell, blind_to: BlindTo = lambda *_: (),
        strands: dict[UUID, Strand] | None = None, timers: Timers | None = None,
    ) -> None:  # fmt: skip
        """At the barrier reached so far, with the strands that are remembered and when they are looked at; with none of them."""
        self._partition, self._versions, self._tell, self._blind_to = partition, versions, tell, blind_to
        self.barrier = barrier
        self._strands: dict[UUID, Strand] = {} if strands is None else strands
        self._timers = timers or Timers()
        self.opened: dict[UUID, Commitment] = {}
        self.changed: dict[UUID, Commitment] = {}
        self.moved: dict[UUID, Commitment] = {}
        self.evidence: list[tuple[View, Seen]] = []
        self.unjudgeable: dict[tuple[int, int], str] = {}
        """What a condition over the events failed with, by the offset of the event and the promise."""
        self._offset: int | None = None
        self.lending = Lending()

    def load(self, commitments: Iterable[Commitment], evidence: Iterable[tuple[UUID, UUID, Origin, Mapping[int, Mark]]]) -> None:
        """Take in what is stored: commitments, and evidence as (strand, event, what its source calls it, marks)."""
        for commitment in commitments:
            self._strand(commitment.strand).bearings.clear()
            self._strand(commitment.strand).commitments.setdefault(commitment.promise, []).append(commitment)
            if commitment.next_at is not None:
                self._timers.set(commitment, commitment.wake or commitment.next_at)
        for key, event, origin, marks in evidence:
            strand = self._strand(key)
            strand.origins[event] = origin
            for promise, mark in marks.items():
                strand.marks.setdefault(promise, {})[event] = mark

    def know(self, pairs: Iterable[tuple[UUID, UUID]]) -> None:
        """Note which (strand, event) are evidence already: they change nothing."""
        for strand, event in pairs:
            self._strand(strand).known.add(event)

    def _strand(self, key: UUID) -> Strand:
        strand = self._strands.get(key)
        if strand is None:
            strand = self._strands[key] = Strand(since=None)
        return strand

    def take(self, event: Seen) -> None:
        """Apply one event: add it to the evidence, judge what it bears on, open what it triggers."""
        self._offset = event.offset
        for view in event.views:
            strand = self._strand(view.strand)
            known = event.key in strand.origins or event.key in strand.known
            adds = not known if event.lent is None else self.lending.hear(view.strand, event.key, event.lent, known=known)
            if not adds:
                if adds is False and event.lent is not None:
                    self._take_back(strand, view, event)
                continue
            if not known:
                self.evidence.append((view, event))
            strand.origins[event.key] = _new(Origin, (event.id, event.type))
            for promise, mark in view.marks.items():
                strand.marks.setdefault(promise, {})[event.key] = mark
                if bearing := strand.bearings.get(promise):
                    bearing.add(mark)
                if self._versions[promise].terms.resets:
                    self._begin_anew(strand, view, promise, mark, event)
                    continue
                self._bear_on(strand, promise, mark, event)
                if mark.roles & _TRIGGER:
                    self._open(strand, view, promise, mark, event)

    def _take_back(self, strand: Strand, view: View, event: Seen) -> None:
        """Judge what an event bears on as if it had never been evidence."""
        for promise in view.marks:
            mark = strand.marks.get(promise, {}).pop(event.key, None)
            if mark is None:
                continue
            strand.bearings.pop(promise, None)
            if self._versions[promise].terms.resets:
                self._begin_anew(strand, view, promise, mark, event)
            else:
                self._bear_on(strand, promise, mark, event)

    def forget(self, customer: UUID) -> None:
        """Let time change nothing of a customer's commitments any more."""
        for strand in self._strands.values():
            for commitments in strand.commitments.values():
                for each in commitments:
                    if each.customer == customer:
                        each.next_at = None

    def reach(self, barrier: datetime) -> None:
        """Judge everything whose time has come at this barrier, the earliest first."""
        self._offset = None
        self.barrier = max(self.barrier, barrier)
        while (commitment := self._timers.pop(self.barrier)) is not None:
            if commitment.next_at is not None and commitment.next_at <= self.barrier:
                self._judge(self._strands[commitment.strand], commitment, self.barrier)
            else:
                self._look_later(commitment)

    def _look_later(self, commitment: Commitment) -> None:
        """What was to be looked at changes later by now."""
        self._set_timer(commitment, commitment.next_at)
        if commitment.id not in self.opened:
            self.changed[commitment.id] = commitment

    def _bear_on(self, strand: Strand, promise: int, mark: Mark, event: Seen) -> None:
        bearing, known = self._bearing(strand, promise), strand.commitments.get(promise, ())
        touched = bearing.touched_by(mark) if bearing else known if len(known) < 2 else in_order(known)  # noqa: PLR2004
        for commitment in touched:
            if commitment.settled is None or mark.time <= commitment.settled or mark.roles & _EXCUSES:
                before, commitment.trace = (commitment.said, commitment.trace), event.trace or commitment.trace
                self._judge(strand, commitment, event.arrival)
                if commitment.said == before[0]:  # a row's trace is that of the last fact about it, which it can be made again from
                    commitment.trace = before[1]

    def _bearing(self, strand: Strand, promise: int) -> Bearing | None:
        """What tells which events bear on which commitments, where there are many or resets; None: all of them may."""
        marks, terms = strand.marks[promise], self._versions[promise].terms
        if len(marks) <= MANY and not terms.resets:
            return None
        found = strand.bearings.get(promise)
        if found is None:
            found = strand.bearings[promise] = Bearing(terms, marks.values(), strand.commitments.get(promise, ()))
        return found

    def _begin_anew(self, strand: Strand, view: View, promise: int, mark: Mark, event: Seen) -> None:
        """Where a promise resets, what is open follows from its evidence: a reset opens one for each that it ends."""
        first, known = self._versions[promise].terms.first, strand.bearings.get(promise)
        bearing = known or self._bearing(strand, promise)
        assert bearing is not None
        changed = set(bearing.anchors.found) if known is None else bearing.anchors.add(mark)
        found = bearing.anchors.found
        touched = {each.id: each for each in bearing.touched_by(mark)}
        commitments = strand.commitments.get(promise, ())
        touched |= {each.id: each for each in commitments if known is None or each.trigger_event in changed}
        for anchor in sorted([found[each] for each in changed if each in found], key=order):
            is_first = first and anchor.event == bearing.anchors.first
            if is_first or all(each.trigger_event != anchor.event for each in commitments):
                self._open(strand, view, promise, anchor, event, first=is_first)
        for commitment in in_order(touched.values()):
            self._judge(strand, commitment, event.arrival)

    def _open(self, strand: Strand, view: View, promise: int, mark: Mark, event: Seen, *, first: bool | None = None) -> None:
        version = self._versions[promise]
        first = version.terms.first if first is None else first
        correlation = str(view.strand) if first else view.correlation  # versions may correlate by other fields
        id_ = named(NAMESPACE, commitment_name(version.name, version.version, event.customer, correlation, mark.event, first=first))
        for commitment in self._first_of(strand, version.name) if first else ():
            if commitment.id == id_:
                self._move_anchor(strand, commitment, promise, mark, event)
                return
        origin = strand.origins[mark.event]
        commitment = Commitment(
            id=id_, partition=self._partition, promise=promise, strand=view.strand, customer=event.customer,
            correlation=view.correlation, trigger_event=mark.event, trigger_id=origin.id, trigger_type=origin.type,
            trigger_time=mark.time, state=State.ON_TRACK, reason="waiting", due=None, sayable=None, next_at=None,
            wake=None, settled=None, decided_by=None, late=False, standing=False, segment=mark.segment, verdict=0,
            verdict_state=None, trace=event.trace,
        )  # fmt: skip
        strand.commitments.setdefault(promise, []).append(commitment)
        self.opened[id_] = commitment
        judgement, unread = self._judgement(strand, commitment)
        commitment.due = judgement.due
        self._tell(commitment, _new(Change, ("opened", event.arrival, self.barrier, None, (), bool(mark.roles & _BACKFILLED), "", None)))
        self._become(commitment, judgement, unread, event.arrival)

    def _first_of(self, strand: Strand, name: str) -> list[Commitment]:
        """The commitments that `open: first` may have opened for a promise of this name, whatever its version."""
        found = []
        for promise, commitments in strand.commitments.items():
            version = self._versions[promise]
            if version.name == name and version.terms.first:
                found += commitments
        return found

    def _move_anchor(self, strand: Strand, commitment: Commitment, promise: int, mark: Mark, event: Seen) -> None:
        """`open: first`: a trigger that arrived late but happened earlier becomes the one that counts."""
        if not self._put_anchor(strand, commitment, promise, mark):
            return
        if commitment.id not in self.opened:
            self.moved[commitment.id] = commitment
        self._judge(strand, commitment, event.arrival)

    def _put_anchor(self, strand: Strand, commitment: Commitment, promise: int, mark: Mark) -> bool:
        if self.holds(commitment) and (mark.time, mark.event) >= (commitment.trigger_time, commitment.trigger_event):
            return False
        if commitment.promise != promise:  # it happened under another version, which judges it from now on
            strand.commitments[commitment.promise].remove(commitment)
            strand.commitments.setdefault(promise, []).append(commitment)
            commitment.promise = promise
        strand.bearings.clear()
        commitment.trigger_event, commitment.trigger_time = mark.event, mark.time
        commitment.trigger_id, commitment.trigger_type = strand.origins[mark.event]
        commitment.segment = mark.segment
        return True

    def holds(self, commitment: Commitment) -> bool:
        """Whether what opened a commitment is in hand."""
        strand = self._strands[commitment.strand]
        return commitment.trigger_event in strand.marks.get(commitment.promise, ())

    def again(self, commitment: Commitment) -> bool:
        """Make a row that stands as it was last said stand as all its evidence has it; False: that is news, still to be said."""
        strand = self._strands[commitment.strand]
        for promise, mark in self._first_anchors(strand, commitment):
            self._put_anchor(strand, commitment, promise, mark)
        judgement, _ = self._judgement(strand, commitment)
        in_hand = max(mark.arrival for mark in strand.marks[commitment.promise].values())
        if news_of(commitment, judgement, max(self.barrier, in_hand)) is not None:
            return False
        stand(commitment, judgement)
        return True

    def _first_anchors(self, strand: Strand, commitment: Commitment) -> list[tuple[int, Mark]]:
        """Of a commitment that `open: first` opened: what each version of its promise has as the first trigger of its correlation."""
        found, name = [], self._versions[commitment.promise].name
        for promise, marks in strand.marks.items():
            version = self._versions[promise]
            if version.name == name and version.terms.first and commitment.id == self._first_id(version, commitment):
                found += [(promise, mark) for mark in opening(version.terms, marks.values())]
        return found

    @staticmethod
    def _first_id(version: Version, commitment: Commitment) -> UUID:
        name = commitment_name(
            version.name, version.version, commitment.customer, str(commitment.strand), commitment.trigger_event, first=True
        )
        return named(NAMESPACE, name)

    def _judgement(self, strand: Strand, commitment: Commitment) -> tuple[Judgement, tuple[Blind, ...]]:
        """What can be said of a commitment, and what was not read by when that may be said."""
        marks, terms = strand.marks[commitment.promise], self._versions[commitment.promise].terms
        trigger = marks.get(commitment.trigger_event)
        if trigger is None:  # a reset that another key lent, and has taken back
            return Judgement(State.WITHDRAWN, None, None, NOT_OPENED), ()
        bearing = self._bearing(strand, commitment.promise)
        if terms.resets:
            assert bearing is not None
            anchored = bearing.anchors.found.get(commitment.trigger_event)
            if anchored is None:
                return Judgement(State.WITHDRAWN, None, None, NOT_OPENED), ()
            trigger = anchored
        blind = self._blind_to(commitment, trigger.arrival)
        evidence = tuple(marks.values()) if bearing is None else bearing.history.on(trigger)
        judgement = judge(terms, _new(Evidence, (trigger, evidence, blind)), self.barrier)
        if judgement.sayable is None or not blind:
            return judgement, ()
        by = min(judgement.sayable, self.barrier)
        return judgement, tuple(each.seen_from(self.barrier) for each in blind if each.start <= by)

    def _judge(self, strand: Strand, commitment: Commitment, as_of: datetime) -> None:
        self._become(commitment, *self._judgement(strand, commitment), as_of)

    def _become(self, commitment: Commitment, judgement: Judgement, unread: tuple[Blind, ...], as_of: datetime) -> None:
        """Make the row say what is judged now, and tell what is news."""
        kind, state = news_of(commitment, judgement, as_of), judgement.state
        if kind is None and moves(commitment, judgement, as_of):
            kind = MOVED
        if self._offset is not None and judgement.reason.startswith(UNJUDGEABLE) and judgement.reason != commitment.reason:
            self.unjudgeable[self._offset, commitment.promise] = judgement.reason
        before = commitment.next_at
        stand(commitment, judgement)
        self._set_timer(commitment, before)
        strand, bearing = self._strands[commitment.strand], None
        if strand.bearings and (bearing := strand.bearings.get(commitment.promise)):
            bearing.stands(commitment)
        if commitment.id not in self.opened:
            self.changed[commitment.id] = commitment
        if kind is None:
            return
        was = None
        if kind not in _WARNINGS:
            was, commitment.verdict_state = commitment.verdict_state, str(state) if state.decided else None
            commitment.verdict += 1
        bears = unread if state.decided or state is State.HELD else ()
        trigger = strand.marks[commitment.promise].get(commitment.trigger_event)
        backfilled = trigger is not None and bool(trigger.roles & _BACKFILLED) and self._was_history(strand, commitment, trigger, judgement)
        moved_by = str(self._offset) if kind == MOVED and self._offset is not None else ""
        anchor = trigger if bearing is None else bearing.anchors.found.get(commitment.trigger_event, trigger)
        at_stake = None if anchor is None else anchor.at_stake
        self._tell(commitment, _new(Change, (kind, as_of, self.barrier, was, bears, backfilled, moved_by, at_stake)))

    @staticmethod
    def _was_history(strand: Strand, commitment: Commitment, opened_by: Mark, judgement: Judgement) -> bool:
        """Whether what is said of a commitment that filled-in history opened is history, too; a failure is news unless it was filled in.

        What failed by time alone had failed already if it was due before what opened it came in.
        """
        if judgement.state is not State.BROKEN:
            return True
        failure = None if judgement.decided_by is None else strand.marks[commitment.promise].get(judgement.decided_by)
        if failure is not None:
            return bool(failure.roles & _BACKFILLED)
        return judgement.due is None or judgement.due <= opened_by.arrival

    def _set_timer(self, commitment: Commitment, before: datetime | None) -> None:
        """See to it that it is looked at in time; a time that is too early stays, since to move it costs more than to look in vain."""
        at, wake = commitment.next_at, commitment.wake
        if at is None:
            return
        if wake is None or at < wake or wake <= self.barrier:
            commitment.wake = wake = at
        elif before is not None:
            return
        self._timers.set(commitment, wake)
