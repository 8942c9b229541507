"""A promise that has seen very many events of one strand: which of them still bear on a commitment, and which commitments on one of them.

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
from services.promises.commitment import Commitment
from services.promises.domain import Limit, Mark, Precedence, Role, Terms

MANY: Final = 64
"""Events of one promise in a strand from which on it is worth while to choose."""
_OPENS: Final = int(Role.TRIGGER | Role.HOLDER | Role.NEGOTIATED)
"""Roles in which an event bears on no commitment but the one that it opens."""
_EXCUSES: Final = int(Role.EXCUSE | Role.UNEXCUSE)
_TRIGGER: Final = int(Role.TRIGGER)
_RESUME: Final = int(Role.RESUME)
_EXPECT: Final = int(Role.EXPECT)
_FIRST: Final = UUID(int=0)


class Bearing:
    """The marks of one promise in one strand in order, and its commitments by how long events may change them."""

    def __init__(self, terms: Terms, marks: Iterable[Mark], commitments: Iterable[Commitment]) -> None:
        """Everything that is in hand."""
        self._terms = terms
        self._marks: list[tuple[datetime, UUID, Mark]] = sorted(
            ((each.time, each.event, each) for each in marks if self._bears(each)), key=itemgetter(0, 1)
        )
        self._excuses = [each for each in marks if each.roles & _EXCUSES]
        self._counted = sorted((each.time, each.event) for each in marks if self._is_counted(each))
        self._open: dict[UUID, Commitment] = {}
        self._settled: list[tuple[datetime, UUID, Commitment]] = []
        for each in commitments:
            self.stands(each)

    def _bears(self, mark: Mark) -> bool:
        return bears(self._terms, mark)

    def add(self, mark: Mark) -> None:
        """Take in one more event."""
        if self._bears(mark):
            insort(self._marks, (mark.time, mark.event, mark))
        if mark.roles & _EXCUSES:
            self._excuses.append(mark)
        if self._is_counted(mark):
            insort(self._counted, (mark.time, mark.event))

    def _is_counted(self, mark: Mark) -> bool:
        """Whether a limit within a span counts it."""
        return bool(mark.roles & _TRIGGER) and isinstance(self._terms.pattern, Limit) and self._terms.pattern.span is not None

    def stands(self, commitment: Commitment) -> None:
        """Note how a commitment stands."""
        if commitment.settled is None:
            self._open[commitment.id] = commitment
        else:
            self._open.pop(commitment.id, None)
            insort(self._settled, (commitment.settled, commitment.id, commitment), key=itemgetter(0, 1))

    def on(self, trigger: Mark) -> tuple[Mark, ...]:
        """The marks that bear on a commitment of this trigger."""
        start = bisect_left(self._marks, (trigger.time, _FIRST), key=itemgetter(0, 1))
        if self._terms.pauses:  # a pause that runs at the trigger began behind the last resume before it
            start = self._back_to(start, lambda mark: bool(mark.roles & _RESUME))
        if isinstance(self._terms.pattern, Precedence):
            start = min(start, self._back_to(start, partial(_suffices, self._terms, trigger)))
        return (*(each[2] for each in self._marks[start:]), *self._excuses)

    def _back_to(self, start: int, enough: Callable[[Mark], bool]) -> int:
        while start > 0:
            start -= 1
            if enough(self._marks[start][2]):
                break
        return start

    def touched_by(self, mark: Mark) -> list[Commitment]:
        """The commitments that an event may change, in the order of their triggers."""
        found: dict[UUID, Commitment] = {}
        if self._bears(mark) and not self._is_one_of_few(mark):
            found = dict(self._open)
            start = 0 if mark.roles & _EXCUSES else bisect_left(self._settled, (mark.time, _FIRST), key=itemgetter(0, 1))
            found |= {each.id: each for at, _, each in self._settled[start:] if each.settled == at}
        return in_order(found.values())

    def _is_one_of_few(self, mark: Mark) -> bool:
        """Whether a limit stands as it stood before an event: it counts, and no span around it holds too many."""
        own = self._terms.pattern
        if mark.roles != _TRIGGER or not isinstance(own, Limit) or own.span is None:
            return False
        place = bisect_left(self._counted, (mark.time, mark.event))
        around = self._counted[max(place - own.at_most, 0) : place + own.at_most + 1]
        try:
            return all(later[0] > own.span.after(earlier[0]) for earlier, later in zip(around, around[own.at_most :], strict=False))
        except (OutsideCalendarError, UnknownZoneError, OverflowError):
            return False


def bears(terms: Terms, mark: Mark) -> bool:
    """Whether an event may bear on a commitment that it does not open."""
    return bool(mark.roles & ~_OPENS) or isinstance(terms.pattern, Limit) or terms.resets


def in_order(commitments: Iterable[Commitment]) -> list[Commitment]:
    """Commitments in the order of their triggers."""
    return sorted(commitments, key=lambda each: (each.trigger_time, each.id))


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
