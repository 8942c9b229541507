"""What matters to this customer (quality, quantity, timeliness, cost), and what the relation costs them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from services.journey.picture.discretion import Viewer, may_see
from services.journey.picture.history import Commitment, History, Touchpoint
from services.journey.picture.matching import Path, any_of, value_at
from services.journey.picture.rules import Efforts, Rules

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


def effort(efforts: Efforts, history: History, meant: Callable[[Touchpoint], bool] = lambda _: True) -> Effort:
    """The effort of those touchpoints that are meant. A wait that has not ended is none yet."""
    found, last, waiting = Effort(), dict[str, datetime](), dict[str, datetime]()
    for event in history.touchpoints:
        if any_of(efforts.waits, event):
            waiting[_text(event, efforts.same)] = event.time
        began = waiting.pop(_text(event, efforts.same), None) if any_of(efforts.served, event) else None
        again = _again(efforts, last, event)
        if not meant(event):
            continue
        if began is not None:
            _wait(found, event, event.time - began)
        if (seconds := _seconds(value_at(event, efforts.waited))) is not None:
            _wait(found, event, seconds)
        if any_of(efforts.contacts, event):
            found.contacts.append(event.key)
        if again:
            found.repetitions.append(event.key)
        if any_of(efforts.passed_on, event):
            found.passed_on.append(event.key)
    return found


def _again(efforts: Efforts, last: dict[str, datetime], event: Touchpoint) -> bool:
    """Whether this contact is one for a reason that was one before, not long ago."""
    reason = _text(event, efforts.reason)
    if not any_of(efforts.contacts, event) or value_at(event, efforts.reason) is None:
        return False
    before, last[reason] = last.get(reason), event.time
    return before is not None and event.time - before <= efforts.repeated_within


def _wait(found: Effort, event: Touchpoint, time: timedelta) -> None:
    found.waits.append(event.key)
    found.waited += time


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


def efforts_of_failures(rules: Rules, history: History, most: int) -> list[FailureEffort]:
    """By broken promise what it cost, of the last so many; `until` None: it goes on."""
    found = []
    for each in [each for each in history.outward if each.judgement == "broken"][-most:]:
        ends = [fact.time for fact in history.cases if fact.kind in ENDS and fact.time >= each.since]
        until = min(ends, default=None)
        found.append(FailureEffort(each, until, effort(rules.efforts, history, _within(each.triggered, until))))
    return found


def _within(since: datetime, until: datetime | None) -> Callable[[Touchpoint], bool]:
    return lambda event: since <= event.time and (until is None or event.time <= until)
