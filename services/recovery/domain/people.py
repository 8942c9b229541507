"""Those who recover: what each says of themselves, how much they carry, and who is suggested for what. Nobody is scored in the dark."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from services.recovery.domain.case import Severity
from services.recovery.domain.voice import Hours

WEIGHTS: Final[Mapping[Severity, int]] = MappingProxyType({Severity.LOW: 1, Severity.MEDIUM: 2, Severity.HIGH: 4, Severity.CRITICAL: 8})
"""How heavy a case is to carry, by how much it hurts the customer."""
HARD: Final = frozenset({Severity.HIGH, Severity.CRITICAL})
"""After the end of such a case one rests."""


@dataclass(frozen=True, slots=True)
class Away:
    """While somebody is not there; `cover` may act in their place, and decide by their authority as far as they lent it."""

    since: datetime
    until: datetime
    cover: str | None = None
    lends: tuple[str, ...] = ()
    """The roles whose authority goes with it."""


@dataclass(frozen=True, slots=True)
class Shift:
    """When somebody is there each week: the days (1 is Monday) on which the hours begin."""

    days: tuple[int, ...]
    hours: Hours


@dataclass(frozen=True, slots=True)
class Person:
    """What somebody says of themselves. `serves` and `avoids` are their own words, and voluntary."""

    subject: str
    version: int = 0
    teams: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    serves: str = ""
    avoids: str = ""
    willing: bool = False
    peer: str | None = None
    away: Away | None = None
    works: tuple[Shift, ...] = ()
    """Empty where they have not said when they are there."""

    def is_away(self, at: datetime) -> bool:
        """Whether they said that they are not there then."""
        return self.away is not None and self.away.since <= at < self.away.until


@dataclass(frozen=True, slots=True)
class Load:
    """What somebody carries: cases in work, their weight, and when the last hard one of theirs ended."""

    cases: int = 0
    weight: int = 0
    hard_ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one person may carry; from `warn` of it on they are warned. `rest` follows the end of a hard case."""

    cases: int
    weight: int
    warn: float
    rest: timedelta


@dataclass(frozen=True, slots=True)
class Room:
    """How much more somebody can take."""

    load: Load
    limits: Limits

    @property
    def rests_until(self) -> datetime | None:
        """Until when they rest from their last hard case; it may have passed."""
        return None if self.load.hard_ended_at is None else self.load.hard_ended_at + self.limits.rest

    def rests(self, at: datetime) -> bool:
        """Whether they rest then."""
        return self.rests_until is not None and at < self.rests_until

    def is_beyond(self, severity: Severity) -> bool:
        """Whether one more case of this severity would be too much."""
        return self.load.cases + 1 > self.limits.cases or self.load.weight + WEIGHTS[severity] > self.limits.weight

    def is_near(self, severity: Severity) -> bool:
        """Whether one more case of this severity is close to too much."""
        cases, weight = self.load.cases + 1, self.load.weight + WEIGHTS[severity]
        return cases > self.limits.warn * self.limits.cases or weight > self.limits.warn * self.limits.weight

    def told(self) -> str:
        """What they carry, in words."""
        return f"carries {self.load.cases} of {self.limits.cases} cases, weight {self.load.weight} of {self.limits.weight}"


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for: somebody to own a case, or, `helping`, to help in it."""

    at: datetime
    severity: Severity
    helping: bool = False
    skills: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()


Standing = tuple[bool, int, int, int, str]
"""What suggestions are sorted by: whether anything is against somebody, what they can and know (negative), what they carry, their name."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One whom a case or a request could be offered to, with every reason for and against, and their place among all."""

    person: Person
    because: tuple[str, ...]
    against: tuple[str, ...]
    place: Standing


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be suggested; `known` is how many cases of the same promises they made good."""

    person: Person
    room: Room
    known: int = 0


def suggest(candidates: Iterable[Candidate], sought: Sought, after: Standing | None = None) -> list[Suggestion]:
    """Those with nothing against them first, then who can what is sought, who knows the failure, who carries least, by name at last.

    `after`: only those behind this place, which is kept though others come, go or change.
    """

    def order(each: Candidate) -> Standing:
        return bool(_against(each, sought)), -len(_can(each.person, sought)), -each.known, each.room.load.weight, each.person.subject

    standing = sorted((order(each), each) for each in candidates)
    return [
        Suggestion(each.person, _because(each, sought), _against(each, sought), place)
        for place, each in standing
        if after is None or place > after
    ]


def _can(person: Person, sought: Sought) -> list[str]:
    return sorted((sought.skills & _folded(person.skills)) | (sought.languages & _folded(person.languages)))


def _folded(words: Collection[str]) -> frozenset[str]:
    return frozenset(each.casefold() for each in words)


def _because(each: Candidate, sought: Sought) -> tuple[str, ...]:
    told = [f"can {word}" for word in _can(each.person, sought)]
    if each.known:
        told.append(f"made good {each.known} of the same kind")
    if each.person.willing:
        told.append("wants to be asked")
    return (*told, each.room.told())


def _against(each: Candidate, sought: Sought) -> tuple[str, ...]:
    person, room, told = each.person, each.room, []
    missing = sorted((sought.skills - _folded(person.skills)) | (sought.languages - _folded(person.languages)))
    told += [f"has not said to know {word}" for word in missing]
    if person.is_away(sought.at) and person.away is not None:
        told.append(f"away until {person.away.until.isoformat()}")
    if not person.willing:
        told.append("does not want to be asked")
    if sought.helping:
        return tuple(told)
    if room.is_beyond(sought.severity):
        told.append("would carry too much")
    if sought.severity in HARD and room.rests(sought.at):
        told.append("rests from a hard case")
    return tuple(told)


def peer_of(person: Person, others: Iterable[Candidate], at: datetime) -> str | None:
    """Somebody to talk to after a hard case: whom they named, else who carries least of those of their team who want to be asked."""
    there = {each.person.subject: each for each in others if not each.person.is_away(at) and each.person.subject != person.subject}
    if person.peer in there:
        return person.peer
    near = [each for each in there.values() if each.person.willing and not set(each.person.teams).isdisjoint(person.teams)]
    return min(near, key=lambda each: (each.room.load.weight, each.person.subject)).person.subject if near else None
