"""The strands that a partition's owner keeps in memory between batches, so that what it wrote itself need not be read again.

All of it is void as soon as anybody else may have written: it is dropped with the rest of a lane's memory whenever the lane is
opened again. What is dropped is only read again when it is needed.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from services.promises.strands import Strand
from services.promises.timers import Timers

SOON_READ: Final = 32
"""Events of a strand on which nothing is open; with more, it is kept in memory all the same."""


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

    def keep(self, used: Iterable[UUID]) -> None:
        """After a batch: remember what may be of use, and not too much of it."""
        for key in used:
            strand = self.strands.pop(key, None)
            if strand is None:
                continue
            self.strands[key] = strand
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
