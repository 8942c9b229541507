"""What a pattern comes to, leaving aside what is around it: when it is kept, when it is broken, and from when that may be said."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.promises.domain.course import Deadline, in_hand
from services.promises.domain.model import Mark, Stage


class Keep(NamedTuple):
    """What keeps a promise."""

    at: datetime
    event: UUID | None
    reason: str = "evidence"
    ready: datetime | None = None
    """The barrier that entitles to say it; None: it is kept by evidence, which is said at once."""
    completed: bool = False
    """Evidence completed it, though a part of it that waits for its end may only be said later."""

    @property
    def by_time(self) -> bool:
        """Whether it is kept since its time is over: a cancel of that instant comes first."""
        return self.ready is not None and not self.completed


class Breach(NamedTuple):
    """What breaks a promise unless something comes before."""

    at: datetime
    ready: datetime
    """The barrier that entitles to say it, grace aside."""
    reason: str
    event: UUID | None = None
    late: bool = False
    """What was owed came after due."""
    offence: bool = False
    """It is an event of the pattern, which comes before a cancel of the same instant."""
    settled: datetime | None = None
    """No later event changes how it is reported."""


class Owed(NamedTuple):
    """What a pattern comes to: kept, broken, or neither by what is in hand."""

    keep: Keep | None = None
    breach: Breach | None = None
    deadline: Deadline | None = None
    """What warnings count towards."""
    due: datetime | None = None
    """What is shown as due while nothing has broken it."""
    standing: bool = False
    settled: datetime | None = None
    """No later event changes anything, whatever comes; None: one may."""
    stages: tuple[Stage, ...] = ()


def earliest_in_hand(marks: Iterable[Mark]) -> datetime | None:
    """Return the barrier from which the first of several marks, each enough alone, is known: what arrives later only confirms."""
    return min((in_hand(each) for each in marks), default=None)


def by_time(deadline: Deadline, reason: str, *, late: bool = False, settled: datetime | None = None) -> Breach | None:
    """Return the breach at a deadline; None where time alone never breaks it."""
    if deadline.at is None:
        return None
    return Breach(deadline.at, max(deadline.at, deadline.fixed), reason, late=late, settled=settled)
