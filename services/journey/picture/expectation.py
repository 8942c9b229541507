"""What matters to this customer (quality, quantity, timeliness, cost), and what the relation costs them."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from services.journey.picture.discretion import Viewer, may_see
from services.journey.picture.history import Commitment, History, Touchpoint
from services.journey.picture.matching import Path, any_of, value_at
from services.journey.picture.rules import Efforts

OBSERVED: Final = "customer.expectation.observed"
DIMENSIONS: Final = ("quality", "quantity", "timeliness", "cost")
ENDS: Final = frozenset({"restored", "not_restored", "unknown", "withdrawn", "declined", "merged"})


class Expectation(NamedTuple):
    """A dimension that matters to a customer; `said` if they said so themselves, else somebody concluded it."""

    dimension: str
    said: bool
    evidence: list[Touchpoint]


def expectations(history: History, viewer: Viewer | None) -> list[Expectation]:
    """What matters, as far as a viewer may see: what was said before what was inferred, of these what was observed last first."""
    by_dimension: dict[str, list[Touchpoint]] = {}
    for event in history.of(OBSERVED):
        dimension = event.text("dimension")
        if dimension in DIMENSIONS and may_see(viewer, event.body):
            by_dimension.setdefault(dimension, []).append(event)
    found = [Expectation(name, any(each.data.get("how") == "said" for each in seen), seen) for name, seen in by_dimension.items()]
    return sorted(found, key=lambda each: (each.said, each.evidence[-1].time, each.dimension), reverse=True)


@dataclass(slots=True)
class Effort:
    """What something cost the customer; each number has its evidence."""

    contacts: list[UUID] = field(default_factory=list)
    repetitions: list[UUID] = field(default_factory=list)
    """Contacts that came again for the same reason."""
    passed_on: list[UUID] = field(default_factory=list)
    waits: list[UUID] = field(default_factory=list)
    waited: timedelta = timedelta(0)


class Spent(NamedTuple):
    """One thing that cost the customer something, at a time."""

    time: datetime
    what: str
    """The name of one of the lists of an `Effort`."""
    key: UUID
    waited: timedelta = timedelta(0)


def spent(efforts: Efforts, history: History) -> list[Spent]:
    """All that a relation cost the customer, in order. A wait that has not ended is none yet; what is told of one contact is one."""
    found, told = list[Spent](), set[str]()
    last, waiting = dict[str, datetime](), dict[str, datetime]()
    for event in history.touchpoints:
        if any_of(efforts.waits, event):
            waiting[_text(event, efforts.same)] = event.time
        if any_of(efforts.served, event) and (began := waiting.pop(_text(event, efforts.same), None)) is not None:
            found.append(Spent(event.time, "waits", event.key, event.time - began))
        if (seconds := _seconds(value_at(event, efforts.waited))) is not None:
            found.append(Spent(event.time, "waits", event.key, seconds))
        if any_of(efforts.contacts, event) and not _is_told(efforts, told, event):
            found.append(Spent(event.time, "contacts", event.key))
            if _again(efforts, last, event):
                found.append(Spent(event.time, "repetitions", event.key))
        if any_of(efforts.passed_on, event):
            found.append(Spent(event.time, "passed_on", event.key))
    return found


def effort(all_of_it: Iterable[Spent], meant: Callable[[datetime], bool] = lambda _: True) -> Effort:
    """The effort of the times that are meant."""
    found = Effort()
    for each in all_of_it:
        if meant(each.time):
            getattr(found, each.what).append(each.key)
            found.waited += each.waited
    return found


def _is_told(efforts: Efforts, told: set[str], event: Touchpoint) -> bool:
    """Whether it is of a contact that something was told of before."""
    if value_at(event, efforts.contact) is None:
        return False
    name = _text(event, efforts.contact)
    known = name in told
    told.add(name)
    return known


def _again(efforts: Efforts, last: dict[str, datetime], event: Touchpoint) -> bool:
    """Whether this contact is one for a reason that was one before, not long ago."""
    if value_at(event, efforts.reason) is None:
        return False
    reason = _text(event, efforts.reason)
    before, last[reason] = last.get(reason), event.time
    return before is not None and event.time - before <= efforts.repeated_within


def _text(event: Touchpoint, path: Path) -> str:
    return repr(value_at(event, path))


def _seconds(value: object) -> timedelta | None:
    """A plausible number of seconds: of one wait, at most a year."""
    longest = timedelta(days=365).total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= longest:
        return None
    return timedelta(seconds=value)


class FailureEffort(NamedTuple):
    """What a broken promise cost the customer, from what triggered it until its case came to an end."""

    commitment: Commitment
    until: datetime | None
    effort: Effort


def efforts_of_failures(all_of_it: Sequence[Spent], history: History, most: int | None = None) -> list[FailureEffort]:
    """By broken promise what it cost, of the last so many or of all; `until` None: it goes on."""
    found, broken = [], [each for each in history.outward if each.judgement == "broken"]
    ends = sorted(fact.time for fact in history.cases if fact.kind in ENDS)
    for each in broken if most is None else broken[-most:]:
        place = bisect_left(ends, each.since)
        until = ends[place] if place < len(ends) else None
        found.append(FailureEffort(each, until, effort(all_of_it, within([(each.triggered, until)]))))
    return found


def within(spans: Collection[tuple[datetime, datetime | None]]) -> Callable[[datetime], bool]:
    """Whether a time lies in one of these; one without an end goes on."""
    return lambda time: any(since <= time and (until is None or time <= until) for since, until in spans)
