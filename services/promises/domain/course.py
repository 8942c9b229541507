"""What happened since a trigger, in order: the evidence, the suspensions of the clock, and when a budget is used up."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, NamedTuple
from uuid import UUID

from services.promises.calendars.durations import Duration, is_in_business_days
from services.promises.domain.model import SLOT_WIDTH, Evidence, Mark, Role, Terms

# `int & IntFlag` takes the slow way through the enum; marks are compared with plain integers.
CANCELS: Final = int(Role.CANCEL | Role.RESET)
RESET: Final = int(Role.RESET)
PAUSE: Final = int(Role.PAUSE)
RESUME: Final = int(Role.RESUME)
RETARGET: Final = int(Role.RETARGET)
ENDS: Final = int(Role.CANCEL | Role.RESET | Role.FAILURE)
NEGOTIATED: Final = int(Role.NEGOTIATED)


class Suspension(NamedTuple):
    """A time in which the clock stood still; `end` None: it still does."""

    start: datetime
    end: datetime | None
    paused_by: Mark
    resumed_by: Mark | None


class Deadline(NamedTuple):
    """When a budget is used up."""

    at: datetime | None
    """None: never by time, or not while the clock stands still."""
    fixed: datetime
    """The latest arrival of what fixes it: the trigger, pauses, changes of target."""
    paused: bool = False
    start: datetime | None = None
    budget: Duration | None = None
    suspensions: tuple[Suspension, ...] = ()
    """Those that moved it."""
    changed: datetime | None = None
    """When its target was changed last."""

    @property
    def settled(self) -> datetime | None:
        """From when on nothing moves it: not before its target was changed, if only to one that had passed by then."""
        return self.at if self.at is None or self.changed is None else max(self.at, self.changed)

    def at_share(self, share: float) -> datetime | None:
        """Return when that share of the budget is used."""
        if self.at is None or self.start is None:
            return None
        at = self._unsuspended(self.start, self.at, share)
        for each in self.suspensions:
            if each.start >= at or each.end is None:
                break
            at = _moved(self.budget, at, each.start, each.end)
        return at

    def _unsuspended(self, start: datetime, due: datetime, share: float) -> datetime:
        if self.budget is not None:
            return self.budget.at_share(start, share)
        stood = sum((each.end - each.start for each in self.suspensions if each.end is not None), timedelta())
        return start + (due - stood - start) * share


def _moved(budget: Duration | None, at: datetime, paused: datetime, resumed: datetime) -> datetime:
    """Return where an instant of the clock moves when the clock stood still: by what was left of the budget, counted its way."""
    if budget is None:
        return at + (resumed - paused)
    return max(at, budget.resumed(resumed, budget.spent(paused, at)))  # standing still never makes it due sooner


class Course:
    """The marks of one commitment, at or after its trigger, in the order of event time."""

    def __init__(self, terms: Terms, evidence: Evidence) -> None:
        """Put the evidence in order; a trigger is never its own evidence."""
        self.trigger, self.blind = evidence.trigger, evidence.blind
        self.terms = terms if self.trigger.zone is None else terms.in_zone(self.trigger.zone)
        self.everything = evidence.marks
        start, key = evidence.trigger.time, evidence.trigger.event
        self.marks = in_order([mark for mark in evidence.marks if mark.time >= start and mark.event != key])

    def playing(self, role: int) -> list[Mark]:
        """Return the marks in a role."""
        return [mark for mark in self.marks if mark.roles & role]

    def in_slot(self, role: int, slot: int, since: datetime) -> list[Mark]:
        """Return the marks in a slot's role from an instant on."""
        bit = role << (SLOT_WIDTH * slot)
        return [mark for mark in self.marks if mark.roles & bit and mark.time >= since]

    @cached_property
    def cancels(self) -> list[Mark]:
        """What calls it off, in order; of two resets of one instant the later one has nothing to reset."""
        trigger, found = self.trigger, self.playing(CANCELS)
        if trigger.roles & RESET:
            found = [each for each in found if not each.roles & RESET or order(each) > order(trigger)]
        return sorted(found, key=lambda each: (each.time, bool(each.roles & RESET), each.event))

    @cached_property
    def earlier(self) -> list[Mark]:
        """The marks at or before the trigger, the trigger aside, in order."""
        trigger = self.trigger
        return in_order([mark for mark in self.everything if mark.time <= trigger.time and mark.event != trigger.event])

    @property
    def moves(self) -> bool:
        """Whether anything but its trigger moves when it is due."""
        return self.terms.pauses or any(mark.roles & RETARGET for mark in self.marks)

    @cached_property
    def suspensions(self) -> tuple[Suspension, ...]:
        """When the clock stood still since the trigger; one that ran already counts from the trigger on."""
        if not self.terms.pauses:
            return ()
        started = self.trigger.time
        found = (each for each in self._suspended() if each.end is None or each.end > started)
        return tuple(each._replace(start=max(each.start, started)) for each in found)

    def _suspended(self) -> Iterator[Suspension]:
        running: Mark | None = None
        for mark, pauses in self._switches():
            if pauses:
                running = running or mark
            elif running is not None:
                yield Suspension(running.time, mark.time, running, mark)
                running = None
        if running is not None:
            yield Suspension(running.time, None, running, None)

    def _switches(self) -> list[tuple[Mark, bool]]:
        """Pauses and resumes of the whole correlation in order; at one instant pause comes before resume."""
        marks = {each.event: each for each in (*self.everything, self.trigger)}.values()
        switches = [(each, pauses) for each in marks for pauses in (True, False) if each.roles & (PAUSE if pauses else RESUME)]
        return sorted(switches, key=lambda each: (each[0].time, not each[1], each[0].event))

    def deadline(self, budget: Duration | None, due: datetime | None, start: datetime | None = None) -> Deadline:
        """Return when a budget, or the trigger's own due time, is used up, the clock's suspensions counted in."""
        start = start or self.trigger.time
        fixed = self.trigger.arrival
        at = due if due is not None else None if budget is None else budget.after(start)
        if at is None or not self.terms.pauses:
            return Deadline(at, fixed, start=start, budget=budget)
        used = []
        for each in self.suspensions:
            since = max(each.start, start)
            if each.end is not None and each.end <= since:
                continue
            if since >= at:
                break
            fixed = max(fixed, each.paused_by.arrival)
            used.append(each._replace(start=since))
            if each.end is None or each.resumed_by is None:
                return Deadline(None, fixed, paused=True, start=start, budget=budget, suspensions=tuple(used))
            fixed = max(fixed, each.resumed_by.arrival)
            at = _moved(budget, at, since, each.end)
        return Deadline(at, fixed, start=start, budget=budget, suspensions=tuple(used))

    def due_of(self, slot: int) -> datetime | None:
        """Return what `by` of a slot reads from the trigger."""
        return self.trigger.dues[slot] if slot < len(self.trigger.dues) else self.trigger.due

    def target(self, within: Duration | None, due: datetime | None, owed: datetime | None = None) -> Deadline:
        """Return the deadline of a pattern whose target the trigger picks and later events change.

        A change counts while something is still owed: not once `owed`, what decides it, had come, nor after due, nor after
        it was called off or failed.
        """
        trigger = self.trigger
        found = self.deadline(self._budget(trigger.within, within), due)
        if due is not None or trigger.roles & NEGOTIATED:
            return found
        fixed, ended, changed = found.fixed, first(self.playing(ENDS)), found.changed
        for change in self.playing(RETARGET):
            over = (found.at is not None and found.at < change.time) or (ended is not None and ended.time <= change.time)
            if over or (owed is not None and owed <= change.time and (found.at is None or owed <= found.at)):
                break
            found = self.deadline(self._budget(change.within, within), None)
            fixed, changed = max(fixed, change.arrival, found.fixed), change.time
        return found._replace(fixed=max(fixed, found.fixed), changed=changed)

    def _budget(self, picked: str | None, own: Duration | None) -> Duration | None:
        if picked is None:
            return own
        return self.terms.time.duration(picked, self.trigger.zone, closing=self.terms.closing and is_in_business_days(picked))


def in_order(marks: list[Mark]) -> list[Mark]:
    """Return marks in the order of event time, each event once."""
    return marks if len(marks) < 2 else sorted({mark.event: mark for mark in marks}.values(), key=order)  # noqa: PLR2004


def first(marks: list[Mark]) -> Mark | None:
    """Return the first of marks in order."""
    return marks[0] if marks else None


def in_hand(mark: Mark) -> datetime:
    """Return the barrier from which an event that happened counts as known."""
    return max(mark.time, mark.arrival)


def order(mark: Mark) -> tuple[datetime, UUID]:
    """Return what marks are ordered by: event time, then the event's key."""
    return mark.time, mark.event
