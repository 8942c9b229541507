"""Journey maps: where a customer is on the way from what was advertised to after the sale, how long, and where they fell out.

A touchpoint that belongs to a stage puts the customer there, unless it also belongs to where they are. Nothing for longer than a
stage's `silence` means that they fell out there; what comes later begins a new visit. Where they stand is a function of the
touchpoints and of `now`, the arrival that all lanes have reached, and of no clock.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

from services.journey.picture.history import OWN, STANDING, Commitment, History, Touchpoint
from services.journey.picture.matching import Matches, any_of

Phase = Literal["before", "sale", "after"]
PHASES: Final = ("before", "sale", "after")
How = Literal["standing", "moved", "completed", "fell_out"]
OUTSIDE: Final = "outside"
"""Where a commitment is counted whose trigger belongs to no stage."""


class Stage(NamedTuple):
    """A part of the way."""

    name: str
    phase: Phase
    touchpoints: Matches
    title: str | None = None
    silence: timedelta | None = None
    """Nothing mapped for longer: fell out here; None: one may stay for ever."""
    promises: tuple[str, ...] = ()
    """Whose commitments count here, wherever their trigger stands."""


class Moment(NamedTuple):
    """A moment of truth."""

    name: str
    at: Matches
    title: str | None = None
    promises: tuple[str, ...] = ()
    first: bool = False
    """Only the customer's first such touchpoint counts, as for the first contact."""


@dataclass(frozen=True, slots=True)
class JourneyMap:
    """The way that customers of one kind go."""

    name: str
    stages: tuple[Stage, ...]
    moments: tuple[Moment, ...] = ()
    completes: Matches = ()
    """What ends the journey as it should."""
    owner: str | None = None
    title: str | None = None


@dataclass(slots=True)
class Visit:
    """A time in one stage. `left` is when they moved on, completed it or fell out; `evidence` the touchpoint that began it."""

    stage: str
    entered: datetime
    evidence: UUID
    last: datetime
    touchpoints: int = 1
    left: datetime | None = None
    how: How = "standing"


@dataclass(slots=True)
class Kept:
    """How commitments came out."""

    kept: int = 0
    so_far: int = 0
    """Of the kept: they can still break."""
    broken: int = 0
    excused: int = 0
    withdrawn: int = 0
    open: int = 0

    def add(self, judgement: str) -> None:
        """Count one."""
        if judgement == STANDING:
            self.kept, self.so_far = self.kept + 1, self.so_far + 1
            return
        name = judgement if judgement in {"kept", "broken", "excused", "withdrawn"} else "open"
        setattr(self, name, getattr(self, name) + 1)


@dataclass(slots=True)
class Travel:
    """One customer's way through one map. `again` is when time alone next changes it."""

    visits: list[Visit] = field(default_factory=list)
    stages: dict[str, Kept] = field(default_factory=dict)
    moments: dict[str, Kept] = field(default_factory=dict)
    met: dict[str, list[UUID]] = field(default_factory=dict)
    """By moment of truth, its touchpoints."""
    unmapped: Counter[str] = field(default_factory=Counter)
    """By type, the touchpoints that belong to nothing in the map."""
    again: datetime | None = None

    @property
    def standing(self) -> Visit | None:
        """Where the customer is now."""
        return self.visits[-1] if self.visits and self.visits[-1].how == "standing" else None


def travel(map_: JourneyMap, history: History, now: datetime | None) -> Travel:
    """Follow one customer through a map."""
    found = Travel()
    places: dict[UUID, str] = {}
    for event in history.touchpoints:
        _step(map_, found, places, event)
    _fall_silent(map_, found, now)
    met = {name: set(keys) for name, keys in found.met.items()}
    for commitment in history.outward if found.visits else ():  # whom the map never met is on another one
        found.stages.setdefault(_stage_of(map_, found, places, commitment), Kept()).add(commitment.judgement)
        for moment in _moments_of(map_, met, commitment):
            found.moments.setdefault(moment, Kept()).add(commitment.judgement)
    return found


def _step(map_: JourneyMap, found: Travel, places: dict[UUID, str], event: Touchpoint) -> None:
    silence = _silence(map_, found.standing)
    if silence is not None and event.time > silence:
        _leave(found, silence, "fell_out")
    here, ends, at_moment = found.standing, any_of(map_.completes, event), False
    for moment in map_.moments:
        if any_of(moment.at, event):
            at_moment = True
            met = found.met.setdefault(moment.name, [])
            if not moment.first or not met:
                met.append(event.key)
    stage = _stage(map_, here, event)
    if stage is not None:
        places[event.key] = stage.name
        if here is not None and here.stage == stage.name:
            here.last, here.touchpoints = event.time, here.touchpoints + 1
        else:
            _leave(found, event.time, "moved")
            found.visits.append(Visit(stage.name, event.time, event.key, event.time))
    if ends:
        _leave(found, event.time, "completed")
    elif stage is None and not at_moment and not event.source.startswith(OWN):  # what we do ourselves is no touchpoint of the company's
        found.unmapped[event.type] += 1


def _stage(map_: JourneyMap, here: Visit | None, event: Touchpoint) -> Stage | None:
    found = None
    for stage in map_.stages:
        if any_of(stage.touchpoints, event):
            if here is not None and stage.name == here.stage:
                return stage
            found = found or stage
    return found


def _silence(map_: JourneyMap, here: Visit | None) -> datetime | None:
    """When the customer will have fallen out of where they are."""
    if here is None:
        return None
    limit = next(each.silence for each in map_.stages if each.name == here.stage)
    return None if limit is None else here.last + limit


def _leave(found: Travel, at: datetime, how: How) -> None:
    if (here := found.standing) is not None:
        here.left, here.how = at, how


def _fall_silent(map_: JourneyMap, found: Travel, now: datetime | None) -> None:
    silence = _silence(map_, found.standing)
    if silence is not None and now is not None and now > silence:
        _leave(found, silence, "fell_out")
    else:
        found.again = silence


def _stage_of(map_: JourneyMap, found: Travel, places: dict[UUID, str], commitment: Commitment) -> str:
    """The stage that names the promise, else the one of its trigger, else where the customer was when it was triggered."""
    for stage in map_.stages:
        if commitment.promise in stage.promises:
            return stage.name
    if commitment.trigger in places:
        return places[commitment.trigger]
    at = commitment.triggered
    return next((each.stage for each in found.visits if each.entered <= at and (each.left is None or at < each.left)), OUTSIDE)


def _moments_of(map_: JourneyMap, met: Mapping[str, set[UUID]], commitment: Commitment) -> Iterator[str]:
    for moment in map_.moments:
        if commitment.promise in moment.promises or commitment.trigger in met.get(moment.name, ()):
            yield moment.name
