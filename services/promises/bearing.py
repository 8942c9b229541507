"""A promise that has seen very many events of one strand: which commitments one of them bears on."""

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import Final
from uuid import UUID

from services.promises.calendars.clocks import UnknownZoneError
from services.promises.calendars.working_time import OutsideCalendarError
from services.promises.commitment import Commitment
from services.promises.domain import Anchors, History, Limit, Mark, Role, Terms, bears

_EXCUSES: Final = int(Role.EXCUSE | Role.UNEXCUSE)
_TRIGGER: Final = int(Role.TRIGGER)
_by_time = itemgetter(0, 1)


class Bearing:
    """The marks of one promise in one strand in order, and its commitments by how long events may change them."""

    def __init__(self, terms: Terms, marks: Collection[Mark], commitments: Iterable[Commitment]) -> None:
        """Everything that is in hand."""
        self._terms = terms
        self.history = History(terms, marks)
        self._known = marks
        self._counted = sorted((each.time, each.event) for each in marks if self._is_counted(each))
        self._open: dict[UUID, Commitment] = {}
        self._settled: list[tuple[datetime, UUID, Commitment]] = []
        for each in commitments:
            self.stands(each)

    @cached_property
    def anchors(self) -> Anchors:
        """What opens the commitments of a promise that resets."""
        return Anchors(self._terms, self._known, self.history.judge)

    def add(self, mark: Mark) -> None:
        """Take in one more event."""
        self.history.add(mark)
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
            insort(self._settled, (commitment.settled, commitment.id, commitment), key=_by_time)

    def touched_by(self, mark: Mark) -> list[Commitment]:
        """The commitments that an event may change, in the order of their triggers."""
        found: dict[UUID, Commitment] = {}
        if bears(self._terms, mark) and not self._is_one_of_few(mark):
            found = dict(self._open)
            start = 0 if mark.roles & _EXCUSES else bisect_left(self._settled, (mark.time,), key=_by_time)
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


def in_order(commitments: Iterable[Commitment]) -> list[Commitment]:
    """Commitments in the order of their triggers."""
    return sorted(commitments, key=lambda each: (each.trigger_time, each.id))
