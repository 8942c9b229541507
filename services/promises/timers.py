"""When commitments are looked at: at the barrier at which time alone may change what is judged of them."""

import heapq
from datetime import datetime
from uuid import UUID

from services.promises.commitment import Commitment

_FEW = 1000


class Timers:
    """Commitments in hand, by the barrier at which they are looked at; what has moved meanwhile is passed over."""

    def __init__(self) -> None:
        """Nothing is to be looked at."""
        self._heap: list[tuple[datetime, UUID, int, Commitment]] = []
        self._pushed = 0
        self._sound = 0
        """How many there were when the heap was last put in order."""

    def set(self, commitment: Commitment, at: datetime) -> None:
        """Look at it at this barrier, unless `wake` and `next_at` are others by then."""
        self._pushed += 1
        heapq.heappush(self._heap, (at, commitment.id, self._pushed, commitment))
        if len(self._heap) > 2 * self._sound + _FEW:
            self._heap = [each for each in self._heap if _counts(each)]
            heapq.heapify(self._heap)
            self._sound = len(self._heap)

    def first(self) -> datetime | None:
        """The first barrier at which something is to be looked at."""
        while self._heap and not _counts(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def by(self, barrier: datetime) -> list[Commitment]:
        """What is to be looked at by this barrier."""
        return [each[3] for each in self._heap if each[0] <= barrier and _counts(each)]

    def pop(self, barrier: datetime) -> Commitment | None:
        """The next that is to be looked at by this barrier, in the order of their times; None: no more."""
        while self._heap and self._heap[0][0] <= barrier:
            entry = heapq.heappop(self._heap)
            at, commitment = entry[0], entry[3]
            if not _counts(entry) or commitment.next_at is None:
                continue
            if at < commitment.next_at <= barrier:
                self.set(commitment, commitment.next_at)  # its turn comes in the order of what changes
            else:
                return commitment
        return None


def _counts(entry: tuple[datetime, UUID, int, Commitment]) -> bool:
    at, commitment = entry[0], entry[3]
    return commitment.next_at is not None and (at == commitment.wake or at == commitment.next_at)  # noqa: PLR1714 - hot
