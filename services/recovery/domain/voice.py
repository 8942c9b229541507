"""What is said to a customer and what they answer, as values: messages, contacts, preferences, and when somebody may be spoken to."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

EMAIL: Final = "email"
"""The one channel that is delivered from here; what is said on others, people say, and record."""


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of a day, from `begins` until before `ends`, in a zone; they may cross midnight."""

    begins: time
    ends: time
    zone: str = "UTC"

    def next(self, at: datetime) -> datetime:
        """The time itself where it lies within these hours, else when they begin; in UTC."""
        local = at.astimezone(ZoneInfo(self.zone))
        if self._holds(local.time()):
            return at
        day = local.date() if local.time() < self.begins else local.date() + timedelta(days=1)
        return datetime.combine(day, self.begins, local.tzinfo).astimezone(UTC)

    def _holds(self, clock: time) -> bool:
        if self.begins < self.ends:
            return self.begins <= clock < self.ends
        return clock >= self.begins or clock < self.ends


@dataclass(frozen=True, slots=True)
class Restraint:
    """How often a customer is spoken to at most, over all their cases, promises and channels."""

    contacts: int = 2
    per: timedelta = timedelta(days=1)

    def earliest(self, now: datetime, hours: Hours | None, contacts: Iterable[datetime]) -> datetime:
        """When the next contact may be, within the customer's hours."""
        known, at = sorted(contacts), now if hours is None else hours.next(now)
        while len(recent := [each for each in known if each > at - self.per]) >= self.contacts:
            free = recent[-self.contacts] + self.per
            at = free if hours is None else hours.next(free)
        return at


USUAL: Final = Restraint()


class MessageState(enum.StrEnum):
    """How far a message has come; `waiting` until it is due and delivered."""

    DRAFT = enum.auto()
    INCOMPLETE = enum.auto()
    """The playbook would have said it, and the case lacks what it asks for: a person decides."""
    WAITING = enum.auto()
    SENT = enum.auto()
    FAILED = enum.auto()
    DISCARDED = enum.auto()


@dataclass(frozen=True, slots=True)
class Message:
    """Something written to the customer; `name` is its template's. What waits together goes out together, as one `mail`."""

    id: UUID
    name: str | None
    language: str | None
    subject: str
    text: str
    state: MessageState = MessageState.DRAFT
    due: datetime | None = None
    mail: UUID | None = None
    lacks: tuple[str, ...] = ()
    """What the case did not have when its playbook would have said it; subject and text stand as in the template then."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A word with the customer, or an attempt at one, as a person recorded it."""

    by: str
    at: datetime
    channel: str
    reached: bool
    from_customer: bool
    said: str = ""
    felt: str = ""


@dataclass(frozen=True, slots=True)
class Preferences:
    """How the customer wants to be spoken to, as a person recorded it."""

    at: datetime
    channel: str | None = None
    language: str | None = None
    hours: Hours | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """How it was, afterwards: of the customer, or of one who helped. Scores go from 1, not at all, to 5, entirely."""

    by: str
    at: datetime
    side: str
    scores: Mapping[str, int]
    said: str = ""
