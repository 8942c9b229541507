"""Very many events of one promise in one strand, put in order once: each judgement takes of them no more than it needs.

A commitment is judged from all its evidence (`judge`); what cannot make a difference is left out here, and a test holds both against
each other. With few events nothing of this is worth its while.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Final
from uuid import UUID

from services.promises.calendars.clocks import UnknownZoneError
from services.promises.calendars.working_time import OutsideCalendarError
from services.promises.domain.judging import judge
from services.promises.domain.model import AllOf, Blind, Evidence, Judgement, Limit, Mark, Precedence, Role, Terms

MANY: Final = 64
"""Events of one promise in a strand from which on it is worth while to choose."""
_WINDOW: Final = 16
"""Events behind a trigger that are looked at first; while more may still change what they come to, four times as many."""
_OPENS: Final = int(Role.TRIGGER | Role.HOLDER | Role.NEGOTIATED)
"""Roles in which an event bears on no commitment but the one that it opens."""
_EXCUSES: Final = int(Role.EXCUSE | Role.UNEXCUSE)
_TRIGGER: Final = int(Role.TRIGGER)
_RESUME: Final = int(Role.RESUME)
_EXPECT: Final = int(Role.EXPECT)
_by_time = itemgetter(0, 1)

JudgeOne = Callable[[Mark, tuple[Blind, ...], datetime], Judgement]
"""Judges the commitment of a trigger at a barrier; beside them what was not read."""


class History:
    """The marks that bear on more than the commitment they open, in the order of event time."""

    def __init__(self, terms: Terms, marks: Iterable[Mark]) -> None:
        """Everything that is in hand."""
        self._terms = terms
        known = tuple(marks)
        self._marks: list[tuple[datetime, UUID, Mark]] = sorted(
            ((each.time, each.event, each) for each in known if bears(terms, each)), key=_by_time
        )
        self._excuses = [each for each in known if self._is_out_of_order(each)]

    def _is_out_of_order(self, mark: Mark) -> bool:
        """Whether it may bear on a commitment whenever it happened: an excuse, and a trigger that one may name instead of the first."""
        return bool(mark.roles & _EXCUSES) or (self._terms.first and bool(mark.roles & _TRIGGER))

    def add(self, mark: Mark) -> None:
        """Take in one more event."""
        if bears(self._terms, mark):
            insort(self._marks, (mark.time, mark.event, mark), key=_by_time)
        if self._is_out_of_order(mark):
            self._excuses.append(mark)

    def on(self, trigger: Mark) -> tuple[Mark, ...]:
        """The marks that bear on a commitment of this trigger."""
        return (*(each[2] for each in self._marks[self._start(trigger)[0] :]), *self._excuses)

    def judge(self, trigger: Mark, blind: tuple[Blind, ...], barrier: datetime) -> Judgement:
        """Say what `judge` says; of a decided one, `sayable` may be later than it is, but never than the barrier.

        What is settled does not depend on what happened afterwards, so that most need a few events of a very long history.
        """
        begin, start = self._start(trigger)
        size = _WINDOW
        while (end := start + size) < len(self._marks):
            marks = (*(each[2] for each in self._marks[begin:end]), *self._excuses)
            found = judge(self._terms, Evidence(trigger, marks, blind), barrier)
            if found.settled is not None and found.settled < self._marks[end][0]:
                return found
            size *= 4
        return judge(self._terms, Evidence(trigger, self.on(trigger), blind), barrier)

    def _start(self, trigger: Mark) -> tuple[int, int]:
        """Where that begins which bears on a trigger, and where that which happened since."""
        since = begin = bisect_left(self._marks, (trigger.time,), key=_by_time)
        if self._terms.pauses:  # a pause that runs at the trigger began behind the last resume before it
            begin = self._back_to(since, lambda mark: bool(mark.roles & _RESUME))
        if isinstance(self._terms.pattern, Precedence):
            begin = min(begin, self._back_to(since, partial(_suffices, self._terms, trigger)))
        elif isinstance(self._terms.pattern, AllOf) and self._terms.looks_back:  # a precedence may be among its patterns
            begin = 0
        return begin, since

    def _back_to(self, start: int, enough: Callable[[Mark], bool]) -> int:
        while start > 0:
            start -= 1
            if enough(self._marks[start][2]):
                break
        return start


def judging(terms: Terms, marks: tuple[Mark, ...]) -> JudgeOne:
    """How to judge each of several commitments by the same marks."""
    if len(marks) > MANY:
        return History(terms, marks).judge
    return lambda trigger, blind, barrier: judge(terms, Evidence(trigger, marks, blind), barrier)


def bears(terms: Terms, mark: Mark) -> bool:
    """Whether an event may bear on a commitment that it does not open."""
    return bool(mark.roles & ~_OPENS) or isinstance(terms.pattern, Limit) or terms.resets


def _suffices(terms: Terms, event: Mark, before: Mark) -> bool:
    """Whether nothing that came before this one makes a difference to a precedence."""
    if not before.roles & _EXPECT:
        return False
    zoned = terms if event.zone is None else terms.in_zone(event.zone)
    own = zoned.pattern
    try:
        return not isinstance(own, Precedence) or own.no_sooner_than is None or event.time >= own.no_sooner_than.after(before.time)
    except (OutsideCalendarError, UnknownZoneError, OverflowError):
        return False
