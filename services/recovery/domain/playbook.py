"""How we make good, as a playbook says it. A case keeps the version that it began with."""

from dataclasses import dataclass
from datetime import timedelta

from services.recovery.domain.case import Severity


@dataclass(frozen=True, slots=True)
class Plan:
    """A task that every case of a playbook has: due so long after the case began, or after the last of the tasks before it was done."""

    name: str
    what: str
    within: timedelta
    after: tuple[str, ...] = ()
    assignee: str | None = None


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung of the escalation ladder: an internal promise about the case; when it breaks, somebody is told, once."""

    promise: str
    tell: tuple[str, ...] = ()
    raises: bool = True
    """The case becomes one step more severe."""


@dataclass(frozen=True, slots=True)
class Playbook:
    """One version of a playbook. `confirmed_by` and `restored_by` name the promises that judge a case itself."""

    name: str | None
    version: int
    confirmed_by: str
    restored_by: frozenset[str]
    severity: Severity = Severity.MEDIUM
    """Of failures whose promise says none."""
    tasks: tuple[Plan, ...] = ()
    ladder: tuple[Rung, ...] = ()

    def rung(self, promise: str) -> Rung | None:
        """What follows where this internal promise about the case is broken; None: a ladder that does not name it."""
        if not self.ladder:
            return Rung(promise)
        return next((each for each in self.ladder if each.promise == promise), None)


def plain(confirmed_by: str, restored_by: frozenset[str]) -> Playbook:
    """How we make good where no playbook is named: nobody is told, nothing is set; what is broken makes the case more severe."""
    return Playbook(None, 0, confirmed_by, restored_by)
