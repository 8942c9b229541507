"""When those who recover are there, and how many cases are put right by when: nights, days off and absences count for nothing."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from services.recovery.domain.people import Person, Shift

HORIZON: Final = timedelta(days=28)
"""So far ahead it is reckoned by the hours of each; behind it at the mean pace of this time."""
_END: Final = timedelta(days=3650)
_DAY: Final = timedelta(days=1)
_ROUNDING: Final = 1e-6
"""Of a case: what sums of binary fractions lose."""
Stretch = tuple[datetime, datetime]


class Waiting(NamedTuple):
    """Cases that wait: of one severity and owner, due next in one minute."""

    severity: str
    due: datetime
    owner: str | None
    cases: int


class Pledged(NamedTuple):
    """A pledge that is still to fall due, and the severity, minute and owner of its case."""

    severity: str
    case_due: datetime
    owner: str | None
    due: datetime


class Missed(NamedTuple):
    """How many cases of one minute fall due, and how many of them before their turn."""

    due: datetime
    cases: int
    missed: int


@dataclass(frozen=True, slots=True)
class Curve:
    """How many cases are put right by when, from nothing on; straight between its points."""

    points: Sequence[tuple[datetime, float]]

    def reached(self, place: int) -> datetime | None:
        """When so many are put right, None where that is not foreseen."""
        after = bisect_left(self.points, float(place), key=lambda point: point[1])
        if after == len(self.points):
            return None
        (begins, before), (ends, done) = self.points[after - 1], self.points[after]
        return begins + (ends - begins) * ((place - before) / (done - before))

    def by(self, at: datetime) -> float:
        """How many are put right by then."""
        after = bisect_left(self.points, at, key=lambda point: point[0])
        if after == len(self.points):  # what is due in the year 9999 is owed never
            return float("inf")
        if after == 0:
            return 0
        (begins, before), (ends, done) = self.points[after - 1], self.points[after]
        return before + (done - before) * ((at - begins) / (ends - begins))


def there(person: Person, since: datetime, until: datetime) -> list[Stretch]:
    """When somebody is there within this time; who has not said their hours is, day and night."""
    if not person.works:
        return _without_absence(person, [(since, until)])
    found = (each for shift in person.works for each in _stretches(shift, since, until))
    return _without_absence(person, _joined(found))


def curve(people: Iterable[Person], done: Mapping[str, float], since: datetime, now: datetime) -> Curve | None:
    """What is put right from now on by people who did so many since then, each as fast as they did while they were there.

    None where nobody did any, so that no pace is known.
    """
    slopes: dict[datetime, float] = defaultdict(float, {now: 0.0, now + HORIZON: 0.0})
    for each in people:
        worked = _length(there(each, since, now)) or now - since
        for begins, ends in there(each, now, now + HORIZON):
            slopes[begins] += done.get(each.subject, 0) / worked.total_seconds()
            slopes[ends] -= done.get(each.subject, 0) / worked.total_seconds()
    return Curve(_points(slopes)) if any(done.values()) else None


def _points(slopes: Mapping[datetime, float]) -> list[tuple[datetime, float]]:
    """The points of a curve whose slope, in cases a second, changes by so much at these times."""
    times = sorted(slopes)
    points, slope = [(times[0], 0.0)], 0.0
    for begins, ends in pairwise(times):
        slope += slopes[begins]
        points.append((ends, points[-1][1] + max(slope, 0.0) * (ends - begins).total_seconds()))
    return [*points, (times[0] + _END, points[-1][1] * (_END / HORIZON))]


def _stretches(shift: Shift, since: datetime, until: datetime) -> Iterator[Stretch]:
    """The hours of a shift within a time; a shift that crosses midnight belongs to the day on which it begins."""
    zone, hours = ZoneInfo(shift.hours.zone), shift.hours
    day, last = since.astimezone(zone).date() - _DAY, until.astimezone(zone).date()
    while day <= last:
        if day.isoweekday() in shift.days:
            ends = day if hours.begins < hours.ends else day + _DAY
            first = datetime.combine(day, hours.begins, zone).astimezone(UTC)
            final = datetime.combine(ends, hours.ends, zone).astimezone(UTC)
            if max(first, since) < min(final, until):
                yield max(first, since), min(final, until)
        day += _DAY


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """The same time without what overlaps: nobody is there twice."""
    found: list[Stretch] = []
    for begins, ends in sorted(stretches):
        if found and begins <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], ends)
        else:
            found.append((begins, ends))
    return found


def _without_absence(person: Person, stretches: Iterable[Stretch]) -> list[Stretch]:
    away = person.away
    if away is None:
        return list(stretches)
    cut = (part for begins, ends in stretches for part in ((begins, min(ends, away.since)), (max(begins, away.until), ends)))
    return [(begins, ends) for begins, ends in cut if begins < ends]


def _length(stretches: Iterable[Stretch]) -> timedelta:
    return sum((ends - begins for begins, ends in stretches), timedelta(0))


def falling_due(waiting: Iterable[Waiting], ahead: Curve | None) -> list[Missed]:
    """What falls due of what waits in the order of triage; without a pace nothing can be said to be missed."""
    found, place = [], 0
    for each in waiting:
        place += each.cases
        late = 0.0 if ahead is None else max(place - ahead.by(each.due) - _ROUNDING, 0.0)
        found.append(Missed(each.due, each.cases, min(ceil(late), each.cases)))
    return found


def pledges_missed(waiting: Iterable[Waiting], pledged: Iterable[Pledged], ahead: Curve | None) -> int:
    """How many pledges fall due before their case's turn; the cases of one minute have the turn of their last."""
    places: dict[tuple[str, datetime], int] = {}
    place = 0
    for each in waiting:
        place += each.cases
        places[each.severity, each.due] = place
    if ahead is None:
        return 0
    return sum(places.get((each.severity, each.case_due), 0) > ahead.by(each.due) + _ROUNDING for each in pledged)
