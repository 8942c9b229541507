"""The strands that a partition's owner keeps in memory between batches, so that what it wrote itself need not be read again.

All of it is void as soon as anybody else may have written: it is dropped with the rest of a lane's memory whenever the lane is
opened again. What is dropped is only read again when it is needed.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from services.promises.domain import Mark, bears
from services.promises.strands import Strand, Version
from services.promises.timers import Timers

SOON_READ: Final = 32
"""Events of a strand on which nothing is open; with more, it is kept in memory all the same."""

MOST: Final = 1024
"""Events of a strand that are kept in memory; with more, only the latest half and what may be judged again by time."""


class Remembered:
    """The strands in memory, those used last at the end, and when commitments are looked at, in memory or not."""

    def __init__(self, limit: int, looked: datetime, beyond: datetime | None) -> None:
        """For so many events; `looked` is the barrier up to which every row was looked at, `beyond` when the next is to be."""
        self._limit = limit
        self.looked = looked
        self.beyond = beyond
        """The first barrier at which a commitment that is not in memory may have to be looked at; None: there is none."""
        self.strands: dict[UUID, Strand] = {}
        self.timers = Timers()
        self._size = 0

    def next_due(self) -> datetime | None:
        """The first barrier at which any commitment may have to be looked at."""
        first = self.timers.first()
        if first is None or self.beyond is None:
            return self.beyond if first is None else first
        return min(first, self.beyond)

    def reaches(self, strand: UUID, since: datetime) -> bool:
        """Whether all that an event of that time may change, or needs, is in memory."""
        found = self.strands.get(strand)
        return found is not None and found.since is not None and found.since <= since

    def bear(self, strands: Iterable[UUID]) -> None:
        """Begin strands of which nothing is stored: from now on everything of them is in memory."""
        for each in strands:
            self.strands[each] = Strand()

    def begin(self, strand: UUID, since: datetime) -> None:
        """Make room for a strand that is read again from some time on."""
        self.forget([strand])
        self.strands[strand] = Strand(since)

    def keep(self, used: Iterable[UUID], versions: Mapping[int, Version]) -> None:
        """After a batch: remember what may be of use, and not too much of it."""
        for key in used:
            strand = self.strands.pop(key, None)
            if strand is None:
                continue
            self.strands[key] = strand
            if len(strand.origins) > MOST:
                trim(strand, versions)
            size = len(strand.origins)
            self._size, strand.size = self._size + size - strand.size, size
            if strand.since is None or (size <= SOON_READ and strand.closed):
                self.forget([key])
        while self._size > self._limit:
            self.forget([next(iter(self.strands))])

    def forget(self, strands: Iterable[UUID]) -> None:
        """Drop strands; what is open in them is found in the database when its time comes."""
        for key in strands:
            strand = self.strands.pop(key, None)
            if strand is not None:
                self._size -= strand.size
                self._leave(strand)

    def forget_all(self) -> None:
        """Drop everything."""
        self.forget(list(self.strands))

    def _leave(self, strand: Strand) -> None:
        for found in strand.commitments.values():
            for each in found:
                if each.next_at is not None and each.wake is not None:
                    self.beyond = each.wake if self.beyond is None else min(self.beyond, each.wake)
                    each.wake = each.next_at = None  # nobody is to look at it here any more


def trim(strand: Strand, versions: Mapping[int, Version]) -> None:
    """Leave of a strand of very many events what the next ones are likely to need; where one needs more, all of it is read again."""
    if any(versions[promise].terms.looks_back for promise in strand.marks):
        return
    times = sorted(max(mark.time for mark in seen) for seen in _by_event(strand).values())
    strand.since = since = times[len(times) - MOST // 2]
    lacks = set(strand.lacks)
    for promise, commitments in strand.commitments.items():
        first = versions[promise].terms.first
        kept = [each for each in commitments if first or each.next_at is not None or (each.settled is not None and each.settled >= since)]
        if not first and any(each.settled is None and each.next_at is None for each in commitments):
            lacks.add(promise)
        strand.commitments[promise] = kept
    strand.lacks = frozenset(lacks)
    for promise, marks in strand.marks.items():
        begin = min((each.trigger_time for each in strand.commitments.get(promise, ())), default=since)
        opened = {each.trigger_event for each in strand.commitments.get(promise, ())}
        terms = versions[promise].terms
        strand.marks[promise] = {
            event: mark
            for event, mark in marks.items()
            if mark.time >= since or mark.about is not None or event in opened or (mark.time >= begin and bears(terms, mark))
        }
    left = _by_event(strand)
    strand.origins = {event: origin for event, origin in strand.origins.items() if event in left}
    strand.bearings.clear()


def _by_event(strand: Strand) -> dict[UUID, list[Mark]]:
    found: dict[UUID, list[Mark]] = {}
    for marks in strand.marks.values():
        for event, mark in marks.items():
            found.setdefault(event, []).append(mark)
    return found
