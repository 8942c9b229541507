"""How often one principal may ask: a bucket of requests for each, which fills as time goes by. Each process counts for itself."""

import time
from collections.abc import Callable
from typing import Final

MOST_BUCKETS: Final = 10_000


class Rates:
    """Buckets of `burst` requests that get `per_second` new ones; 0 a second is no limit."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._full_at: dict[str, float] = {}
        """When each bucket is full again, who asked last at the end; of more than are kept, who has not asked for longest is forgotten."""

    def take(self, who: str) -> float:
        """Take one request out of somebody's bucket; the seconds until there is one where there is none, else 0."""
        if not self._per_second:
            return 0.0
        now = self._clock()
        known = max(self._full_at.pop(who, now), now)
        full_at = known + 1 / self._per_second
        too_early = full_at - now - self._burst / self._per_second
        self._full_at[who] = known if too_early > 0 else full_at
        if len(self._full_at) > MOST_BUCKETS:
            del self._full_at[next(iter(self._full_at))]
        return max(0.0, too_early)
