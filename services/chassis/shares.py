"""How sure a share is: an interval beside it, since most shares are of few. Pure."""

from math import sqrt
from statistics import NormalDist
from typing import Final, NamedTuple

CONFIDENCE: Final = 0.95


class Interval(NamedTuple):
    """Where the true share lies, with `CONFIDENCE`."""

    low: float
    high: float


def wilson(kept: int, decided: int, confidence: float = CONFIDENCE) -> Interval | None:
    """Return the score interval of a share; None where nothing was decided.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22 (1927), 209-212. Unlike the textbook interval it is right for few commitments, and for
    shares near 1.
    """
    if decided == 0:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, spread = kept / decided, z * z / decided
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(share * (1 - share) / decided + spread / (4 * decided))
    return Interval(0.0 if kept == 0 else middle - half, 1.0 if kept == decided else middle + half)


def difference(before: tuple[int, int], after: tuple[int, int]) -> Interval | None:
    """Return where the change of a share lies, each given as (how many, of how many); None where either is of none.

    R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven
    methods", Statistics in Medicine 17 (1998), 873-890, method 10: the score intervals of both, combined.
    """
    first, second = wilson(*before), wilson(*after)
    if first is None or second is None:
        return None
    was, became = before[0] / before[1], after[0] / after[1]
    change = became - was
    down = sqrt((became - second.low) ** 2 + (first.high - was) ** 2)
    up = sqrt((second.high - became) ** 2 + (was - first.low) ** 2)
    return Interval(change - down, change + up)
