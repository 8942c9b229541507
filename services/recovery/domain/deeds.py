"""What an act is before it is decided: who wants it done, when, and with what; and why it may be refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from services.recovery.domain.case import Case, Happened
from services.recovery.domain.people import Room
from services.recovery.domain.playbook import Playbook


class RefusedError(Exception):
    """The case does not allow this act now."""

    def __str__(self) -> str:
        return super().__str__() or str(self.__doc__)


class NotTheOwnerError(RefusedError):
    """Only the owner of the case may do this; take ownership first."""


class DueHasPassedError(RefusedError):
    """What is owed must be due in the future of the case's clock."""


class NothingOwedError(RefusedError):
    """The case has no such thing."""


class NoOtherCaseError(RefusedError):
    """There is no other case of that id in which this could go on."""


class NotYourCaseError(RefusedError):
    """A customer may answer for their own case only."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does an act."""

    subject: str
    roles: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    covers: "tuple[Actor, ...]" = ()
    """Who is away and has named them to stand in, each with the roles whose authority they lent with it."""
    leads: bool = False
    """They lead the mass failure that the case is part of, and speak for its owner in what is done to all."""

    def stands_for(self, subject: str | None) -> bool:
        """Whether this is that person, or stands in while they are away."""
        return subject in {self.subject, *(each.subject for each in self.covers)}


@dataclass(frozen=True, slots=True)
class Deed:
    """An act that somebody wants done on a case that goes by a playbook. `key` names what it creates."""

    name: str
    actor: Actor
    at: datetime
    playbook: Playbook
    needs: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    key: str = ""
    room: Room | None = None
    """How much more whoever would own the case by it can take."""
    others: tuple[Case, ...] = ()
    """All cases of the case's customer, and those that it names."""
    spent: Decimal = Decimal(0)
    """What the playbook's budget was used up to before, in its period."""

    def happened(self, kind: str, content: Mapping[str, Any] | None = None, **words: str) -> Happened:
        """What comes of it; `words` are what may be personal."""
        return Happened(kind, self.actor.subject, self.at, content or {}, words)

    def require_own(self, case: Case) -> None:
        """A customer acts on their own case only; raises `NotYourCaseError`."""
        if "customer" in self.actor.roles and self.actor.subject != f"customer:{case.customer}":
            raise NotYourCaseError


Decide = Callable[[Case, Deed], list[Happened]]
"""What happens to a case by a deed; raises `RefusedError`."""
Fold = Callable[[Case, Happened], Case]
"""What an act that happened makes of a case."""
