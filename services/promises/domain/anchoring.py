"""What opens commitments: triggers, and where a promise resets, every reset of one that is still owed."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Final, NamedTuple
from uuid import UUID

from services.promises.domain.course import in_order, order
from services.promises.domain.history import History, JudgeOne, judging
from services.promises.domain.model import Mark, Role, Terms

_TRIGGER: Final = int(Role.TRIGGER)
_FOREVER: Final = datetime.max.replace(tzinfo=UTC)


class _Open(NamedTuple):
    """An anchor of which later events may still change how it ends."""

    anchor: Mark
    root: tuple[datetime, UUID]
    """The trigger it goes back to, of several the first."""
    ended_by: UUID | None
    """The reset that ends it."""
    settled: datetime | None


def opening(terms: Terms, marks: Iterable[Mark]) -> list[Mark]:
    """Return the triggers that open commitments, in order of event time: each, or the first."""
    triggers = in_order([mark for mark in marks if mark.roles & _TRIGGER])
    return triggers[:1] if terms.first else triggers


def anchors(terms: Terms, marks: Iterable[Mark]) -> list[Mark]:
    """Return what opens commitments, in order of event time: each trigger or the first, and every reset of one still owed."""
    known = tuple(marks)
    return in_order(list(Anchors(terms, known, judging(terms, known)).found.values())) if terms.resets else opening(terms, known)


class Anchors:
    """The anchors of a promise that resets, by event; an event that comes in the order of time costs as much as it changes."""

    def __init__(self, terms: Terms, marks: Collection[Mark], judge: JudgeOne) -> None:
        """All marks in hand, and what judges a commitment by them, and by those that are added."""
        self._terms, self._judge = terms, judge
        self._marks = {mark.event: mark for mark in marks}
        self._last = max(map(order, marks), default=None)
        self._find()

    def _find(self) -> None:
        triggers = opening(self._terms, self._marks.values())
        self.first = triggers[0].event if triggers else None
        """The trigger that opens the first of them."""
        self.found = {mark.event: mark for mark in triggers}
        self._open: dict[UUID, _Open] = {}
        for trigger in triggers:
            self._follow(trigger, order(trigger))

    def _follow(self, anchor: Mark, root: tuple[datetime, UUID]) -> None:
        """Note how an anchor ends, and those that follow from it."""
        following: Mark | None = anchor
        while following is not None:
            this = self._open[following.event] = self._stands(following, root)
            if this.ended_by is None or this.ended_by in self.found:
                return
            following = self.found[this.ended_by] = _begun_anew(following, self._marks[this.ended_by])

    def _stands(self, anchor: Mark, root: tuple[datetime, UUID]) -> _Open:
        judgement = self._judge(anchor, (), _FOREVER)
        return _Open(anchor, root, judgement.decided_by if judgement.reason == "reset" else None, judgement.settled)

    def add(self, mark: Mark) -> set[UUID]:
        """Take in one more event, which the judge knows already; returns which anchors are new, or changed, or none any more."""
        self._marks[mark.event] = mark
        late, stood = self._last is not None and order(mark) < self._last, len(self.found)
        self._last = order(mark) if self._last is None else max(self._last, order(mark))
        if not late and self._go_on(mark):
            return set(islice(reversed(self.found), len(self.found) - stood))
        before = dict(islice(self.found.items(), stood))
        self._find()
        return {event for event in before.keys() | self.found.keys() if before.get(event) != self.found.get(event)}

    def _go_on(self, mark: Mark) -> bool:
        """Follow what the latest event changes; False: more than what it begins itself."""
        begins = bool(mark.roles & _TRIGGER) and not (self._terms.first and self.first is not None)
        if begins:
            self.found[mark.event] = mark
            self.first = self.first or mark.event
        for event, open_ in sorted(self._open.items(), key=lambda each: each[1].root):
            if open_.settled is not None and open_.settled < mark.time:
                del self._open[event]
                continue
            now = self._open[event] = self._stands(open_.anchor, open_.root)
            if now.ended_by == open_.ended_by:
                continue
            if open_.ended_by is not None or now.ended_by != mark.event:
                return False
            if mark.event not in self.found:
                self.found[mark.event] = _begun_anew(open_.anchor, mark)
                self._follow(self.found[mark.event], open_.root)
        if begins:
            self._follow(mark, order(mark))
        return True


def _begun_anew(anchor: Mark, reset: Mark) -> Mark:
    """The mark that a commitment begins anew with: the budget, the segment and what is at stake are those of its trigger."""
    return reset._replace(
        roles=reset.roles | _TRIGGER, within=anchor.within, segment=anchor.segment, zone=anchor.zone, data=anchor.data,
        at_stake=anchor.at_stake,
    )  # fmt: skip


__all__ = ["Anchors", "History", "anchors", "opening"]
