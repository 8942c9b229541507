"""What is kept of one customer for what is asked of all: numbers that add up, and entries of lists. One fold makes all of it.

Numbers are whole, so that the totals of all customers are exactly their sum, in whatever order they were added.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from services.journey.picture.history import History
from services.journey.picture.stages import JourneyMap, Travel, travel

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BANDS = (
    ("an hour", timedelta(hours=1)),
    ("a day", timedelta(days=1)),
    ("a week", timedelta(weeks=1)),
    ("30 days", timedelta(days=30)),
    ("a year", timedelta(days=365)),
)
LONGER = "longer"
LONGEST_NAME = 200
"""Characters."""


class Item(NamedTuple):
    """An entry of a list that runs over all customers; names its evidence and holds nothing personal."""

    list: str
    event: UUID
    topic: str
    time: datetime
    owner: str | None = None
    further: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Declared:
    """What was published for pictures."""

    maps: tuple[JourneyMap, ...] = ()


@dataclass(slots=True)
class Picture:
    """One customer's part in everything. `again` is when time alone next changes it; until then it stays as it is."""

    tally: Counter[str] = field(default_factory=Counter)
    items: list[Item] = field(default_factory=list)
    again: datetime | None = None


def picture(declared: Declared, history: History, now: datetime | None) -> Picture:
    """Fold one customer's history."""
    found = Picture()
    for each in declared.maps:
        _add_travel(found, each.name, travel(each, history, now))
    return found


def _until(found: Picture, again: datetime | None) -> None:
    if again is not None:
        found.again = again if found.again is None else min(found.again, again)


def _add_travel(found: Picture, name: str, way: Travel) -> None:
    def count(part: str, what: str, which: str, number: int = 1) -> None:
        found.tally[f"map:{name}:{part}:{what}:{plain(which)}"] += number

    count("all", "customers", "travelled" if way.visits else "unseen")
    for visit in way.visits:
        count("stage", visit.how, visit.stage)
        if visit.left is None:
            count("stage", "entered", visit.stage, seconds(visit.entered - EPOCH))
        else:
            count("stage", "seconds", visit.stage, seconds(visit.left - visit.entered))
            count("time", band(visit.left - visit.entered), visit.stage)
    for part, outcomes in (("stage", way.stages), ("moment", way.moments)):
        for which, kept in outcomes.items():
            for what, number in asdict(kept).items():
                if number:
                    count(part, what, which, number)
    for which, met in way.met.items():
        count("moment", "met", which, len(met))
    for type_, number in way.unmapped.items():
        count("unmapped", "touchpoints", type_, number)
    _until(found, way.again)


def plain(text: str) -> str:
    """A text of an event's as part of a name: not too long, and without what PostgreSQL's texts cannot hold."""
    return text.replace("\0", "\ufffd")[:LONGEST_NAME]


def seconds(span: timedelta) -> int:
    """Whole seconds of a time span."""
    return span // timedelta(seconds=1)


def band(span: timedelta) -> str:
    """Into which of the bands a time span falls: the first that it does not exceed."""
    return next((name for name, limit in BANDS if span <= limit), LONGER)
