"""What an objective comes to: the share kept over a window, its error budget, and whether the promise can be kept at all.

A commitment counts in the window in which it fell due (one that never falls due: in that of its trigger; one that is kept
so far and can still break: now). Windows of triggers would hold the early keeps of a slow promise and none of its breaks,
which come later; windows of decisions would move with every outage and correction. Pure.
"""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final

from services.chassis.shares import Interval, wilson

RECENT: Final = 4
"""The present rate of breaks is that of the latest quarter of the window."""
_FINEST_SHARE: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """The time that an objective looks at; `since` None: all of it."""

    since: datetime | None
    until: datetime

    @property
    def recently(self) -> datetime | None:
        """When the latest part of it begins, by which the present rate is known."""
        return None if self.since is None else self.until - (self.until - self.since) / RECENT


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of the commitments that count in a window; `recently` of the broken ones fell due in its latest part."""

    kept: int = 0
    broken: int = 0
    excused: int = 0
    recently: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.kept + other.kept, self.broken + other.broken, self.excused + other.excused, self.recently + other.recently)


@dataclass(frozen=True, slots=True)
class Budget:
    """How many commitments may break in a window, of those decided in it; what is `left` is negative once overdrawn."""

    allowed: int
    used: int

    @property
    def left(self) -> int:
        """How many more may break."""
        return self.allowed - self.used


@dataclass(frozen=True, slots=True)
class Standing:
    """How one objective stands."""

    tally: Tally
    share: float | None
    interval: Interval | None
    budget: Budget
    exhausted_at: datetime | None
    """When nothing will be left at the present rate of breaks, `until` where nothing is; None: not at this rate."""
    stop_selling: bool
    """Even the top of the interval is short of the target: chance does not explain it, the promise is not kept."""


def standing(target: float, window: Window, tally: Tally) -> Standing:
    """Return how an objective stands; excused commitments are neither kept nor broken."""
    decided = tally.kept + tally.broken
    interval = wilson(tally.kept, decided)
    budget = Budget(int((1 - _exact(target)) * decided), tally.broken)
    return Standing(
        tally,
        tally.kept / decided if decided else None,
        interval,
        budget,
        _exhausted_at(window, budget, tally) if decided else None,
        interval is not None and interval.high < target,
    )


def _exact(target: float) -> Fraction:
    """The share that was written: 1 - 0.9 is a little less than a tenth, and the budget would be one short."""
    return Fraction(target).limit_denominator(_FINEST_SHARE)


def _exhausted_at(window: Window, budget: Budget, tally: Tally) -> datetime | None:
    """When breaks in the sliding window reach what is allowed, if they go on as in its latest part.

    Older breaks leave the window evenly while new ones come in; once they have all left, the window holds `RECENT` times
    those of its latest part, and no more.
    """
    if budget.used and budget.left <= 0:
        return window.until
    expected = tally.recently * RECENT
    if window.since is None or expected <= budget.used or expected < budget.allowed:
        return None
    older = (window.until - window.since) * (RECENT - 1) / RECENT
    return window.until + older * (budget.left / (expected - budget.used))
