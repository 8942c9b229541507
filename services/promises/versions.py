"""From when until when each version of something published counts: the one rule for promises, calendars and negotiated terms.

Nothing published is ever edited: what is published later takes the place of what was published before, from its own
start on. A retirement, or the end of a term, takes the place too, and puts nothing there.
"""

import enum
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

BEGINNING = datetime.min.replace(tzinfo=UTC)
"""Before every instant: what counts from here on judges all of the history."""


class Stage(enum.StrEnum):
    """Where a version stands at an instant."""

    SCHEDULED = "scheduled"
    IN_FORCE = "in_force"
    SUPERSEDED = "superseded"
    RETIRED = "retired"


class Start(NamedTuple):
    """One publication: from when on it counts (None: from the beginning), and whether it puts nothing in the place."""

    at: datetime | None
    retires: bool = False


class Span(NamedTuple):
    """When one version counts: [start, end); an end of None is open, and one that is not after the start is never."""

    start: datetime | None
    end: datetime | None
    retired: bool = False
    """What ends it is a retirement."""

    def stage(self, now: datetime) -> Stage:
        """Where it stands at an instant; what was replaced before it ever counted is over from the first."""
        if self.end is not None and self.end <= max(now, self.start or BEGINNING):
            return Stage.RETIRED if self.retired else Stage.SUPERSEDED
        return Stage.SCHEDULED if self.start is not None and self.start > now else Stage.IN_FORCE


def spans(starts: Sequence[Start]) -> list[Span]:
    """Return when each publication of one thing counts, given all of them in the order of publication."""
    found: list[Span] = []
    end: datetime | None = None
    retired = False
    for start in reversed(starts):
        found.append(Span(start.at, end, retired))
        begins = start.at or BEGINNING
        if end is None or begins <= end:
            end, retired = begins, start.retires
    return found[::-1]
