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
