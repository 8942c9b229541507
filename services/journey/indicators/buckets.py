"""Days, weeks and months of a zone, as quarters of an hour of UTC. Pure."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from services.journey.indicators.counting import quarter_of

Step = Literal["day", "week", "month"]
USUAL: Final[dict[Step, int]] = {"day": 30, "week": 13, "month": 12}
"""How many are shown where nobody says since when."""


class Buckets(NamedTuple):
    """The first day of each bucket, and where each begins; the last of `bounds` is where the last one ends."""

    starts: Sequence[date]
    bounds: Sequence[int]

    def of(self, instant: datetime) -> int | None:
        """The bucket that an instant lies in."""
        quarter = quarter_of(instant)
        return next((place for place in range(len(self.starts)) if self.bounds[place] <= quarter < self.bounds[place + 1]), None)


def begin(day: date, step: Step) -> date:
    """The first day of the bucket that a day lies in; weeks begin on Monday."""
    match step:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)


def after(start: date, step: Step) -> date:
    """The first day of the next bucket."""
    return begin(start + timedelta(days={"day": 1, "week": 7, "month": 31}[step]), step)


def usual_since(until: date, step: Step) -> date:
    """Where as many buckets as are usual begin that end with that day."""
    start = begin(until - timedelta(days=1), step)
    for _ in range(USUAL[step] - 1):
        start = begin(start - timedelta(days=1), step)
    return start


def how_many(since: date, until: date, step: Step) -> int:
    """About how many buckets there are, and never fewer than there are."""
    return (until - since).days // {"day": 1, "week": 7, "month": 28}[step] + 2


def buckets(since: date, until: date, step: Step, zone: ZoneInfo) -> Buckets:
    """The buckets that hold the days from one on, before another.

    A day begins at its first instant, also where a change of daylight-saving time skips or repeats midnight.
    """
    starts, day = list[date](), begin(since, step)
    while day < until:
        starts.append(day)
        day = after(day, step)
    return Buckets(starts, [quarter_of(datetime.combine(each, time(), zone).astimezone(UTC)) for each in [*starts, day]])
