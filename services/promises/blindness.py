"""What was not read: customers one of whose records was refused, and sources that fell silent (DESIGN 3.7). Decides, reads no clock.

While something is not read, what depends on it is held; once it heals, verdicts wait as long again as they were blind. A silence is
blind from where it passed the heartbeat: so whatever may bear on a verdict is known at the barrier that entitles to it, and
neither the size of batches nor the speed of lanes makes a difference.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from services.promises.calendars.durations import Duration, OutsideCalendarError
from services.promises.domain import Blind

BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
Gap = tuple[datetime, datetime | None]
"""Two arrivals with none between them; no second one: none since."""


class Source(NamedTuple):
    """A company system that says how often it is heard from, and which event types it emits; none: it may emit any."""

    name: str
    heartbeat: Duration | None
    """None: it may be silent as long as it likes."""
    types: tuple[str, ...] = ()
    calendar: str | None = None

    def silences(self, gaps: Iterable[Gap], barrier: datetime) -> list[Gap]:
        """Return the silences among gaps as they stand at a barrier, each from where it passed the heartbeat, in order."""
        found = []
        for last, until in sorted(gaps, key=lambda each: each[0]):
            since = self._passed(last)
            if since is not None and since < barrier and (until is None or since < until):
                found.append((since, until if until is not None and until <= barrier else None))
        return found

    def _passed(self, last: datetime) -> datetime | None:
        """Return when a heartbeat has passed; None: never, or beyond the end of its calendar, which says nothing of then."""
        try:
            return None if self.heartbeat is None else self.heartbeat.after(last)
        except (OutsideCalendarError, OverflowError):
            return None


class Spot(NamedTuple):
    """One blind interval as it is stored: of a customer whose record was refused, or of a source that was silent."""

    partition: int
    subject: str
    record: str
    start: datetime
    end: datetime | None
    why: str

    @property
    def customer(self) -> UUID | None:
        """Whose record was not read."""
        kind, _, name = self.subject.partition(":")
        return UUID(name) if kind == "customer" else None

    @property
    def source(self) -> str | None:
        """Which source was silent."""
        kind, _, name = self.subject.partition(":")
        return name if kind == "source" else None


@dataclass(slots=True)
class Silences:
    """When each declared source was heard last in each lane, and where not, as one partition's records and markers tell it."""

    heard: dict[str, dict[str, datetime]] = field(default_factory=dict)
    """By source and lane."""
    gaps: dict[str, list[tuple[str, datetime, datetime]]] = field(default_factory=dict)
    """By source: in a lane, between two arrivals that the barrier has not both passed."""
    silent: dict[str, datetime] = field(default_factory=dict)
    """The sources that are, and since when."""
    retired: dict[str, datetime] = field(default_factory=dict)
    """The sources that were declared no longer from an arrival on: what was heard of them before counts no more."""

    def retire(self, source: str, at: datetime) -> None:
        """Take in that nothing waits for a source any more; declared again, it is as if never heard."""
        self.retired[source] = at
        self.heard.pop(source, None)
        self.gaps.pop(source, None)

    def hear(self, source: str, lane: str, last: datetime) -> None:
        """Take in what a lane's marker says."""
        if last <= self.retired.get(source, BEGINNING):
            return
        lanes = self.heard.setdefault(source, {})
        lanes[lane] = max(last, lanes.get(lane, last))

    def miss(self, source: str, lane: str, since: datetime | None, until: datetime) -> None:
        """Take in that a lane did not hear a source between two arrivals; never before the second, where there is no first."""
        known = since is not None and since > self.retired.get(source, BEGINNING)
        self.gaps.setdefault(source, []).append((lane, since if since is not None and known else BEGINNING, until))

    def stirs(self, declared: Mapping[str, Source], barrier: datetime) -> bool:
        """Whether there is news of any source; what the barrier has passed without is forgotten."""
        found = bool(self._look(declared, barrier)[0])
        if not found:
            self._forget(barrier)
        return found

    def news(self, declared: Mapping[str, Source], barrier: datetime) -> list[tuple[str, datetime, datetime | None]]:
        """Take in the silences that ended and those that began by this barrier; returns them as (source, from, to)."""
        found, self.silent = self._look(declared, barrier)
        self._forget(barrier)
        return found

    def _look(
        self, declared: Mapping[str, Source], barrier: datetime
    ) -> tuple[list[tuple[str, datetime, datetime | None]], dict[str, datetime]]:
        standing = [
            (name, since, until)
            for name in sorted(declared.keys() & self.heard.keys())
            for since, until in declared[name].silences(self._between(name), barrier)
        ]
        silent = {name: since for name, since, until in standing if until is None}
        begun = {(name, since) for name, since, _ in standing}
        gone = [each for each in self.silent.items() if each not in begun]  # another heartbeat was declared, or none any more
        news = [each for each in standing if each[2] is not None or self.silent.get(each[0]) != each[1]]
        return [(name, since, max(since, barrier)) for name, since in gone] + news, silent

    def _between(self, source: str) -> set[Gap]:
        """Return where no lane heard a source that some lane had heard before."""
        found: set[Gap] = {(BEGINNING, None)}
        for lane, last in self.heard[source].items():
            own: list[Gap] = [(since, until) for where, since, until in self.gaps.get(source, ()) if where == lane]
            found = {both for one in found for other in (*own, (last, None)) if (both := _common(one, other))}
        return {each for each in found if each[0] != BEGINNING}

    def _forget(self, barrier: datetime) -> None:
        for source, known in list(self.gaps.items()):
            self.gaps[source] = [each for each in known if each[2] > barrier]
            if not self.gaps[source]:
                del self.gaps[source]


def _common(one: Gap, other: Gap) -> Gap | None:
    since = max(one[0], other[0])
    until = min((end for _, end in (one, other) if end is not None), default=None)
    return (since, until) if until is None or since < until else None


class BlindSpots:
    """The blind intervals known to a batch, by customer or source."""

    def __init__(self, known: Iterable[Spot] = ()) -> None:
        """Begin with what is stored."""
        self._spots: dict[str, dict[tuple[str, datetime], Spot]] = {}
        self.changed: dict[tuple[str, str, datetime], Spot] = {}
        for each in known:
            self._put(each)

    def add(self, spot: Spot) -> None:
        """Take in one that began, or one that ended."""
        if spot.end is not None:
            begun = self._spots.get(spot.subject, {}).get((spot.record, spot.start))
            spot = spot if begun is None else begun._replace(end=spot.end)
        self._put(spot)
        self.changed[spot.subject, spot.record, spot.start] = spot

    def _put(self, spot: Spot) -> None:
        self._spots.setdefault(spot.subject, {})[spot.record, spot.start] = spot

    def of(self, customer: UUID, sources: Iterable[str], since: datetime) -> tuple[Blind, ...]:
        """Return what bears on a customer's commitments that depend on these sources, and did not end before their trigger arrived."""
        if not self._spots:
            return ()
        subjects = subjects_of(customer, sources)
        found = (each for subject in subjects for each in self._spots.get(subject, {}).values())
        return tuple(Blind(each.start, each.end, each.why) for each in found if each.end is None or each.end >= since)


def subjects_of(customer: UUID, sources: Iterable[str]) -> list[str]:
    """Return what the blind intervals of a customer, and the silences of sources, are stored under."""
    return [customer_subject(customer), *map(source_subject, sources)]


def customer_subject(customer: UUID) -> str:
    """Return what the blind intervals of a customer are stored under."""
    return f"customer:{customer}"


def source_subject(source: str) -> str:
    """Return what the silences of a source are stored under."""
    return f"source:{source}"
