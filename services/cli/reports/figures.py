"""What a page tells of one promise beyond its counts, gathered commitment by commitment."""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from services.promises.backtest import Report, Verdict
from services.promises.domain import Response, State

TENTHS: Final = 10
"""How many steps the budget has in the distribution of the time used."""
MOST_TENTHS: Final = 20
"""What took twice the budget or longer is told as one."""
_MOST_CASES: Final = 10
_SEEN: Final = "failure-seen"


class Case(NamedTuple):
    """One of the worst commitments."""

    over: timedelta
    """By how much what was owed was late; where it never came, by how much it is overdue as of the end; 0 where that is not the fault."""
    correlation: Any
    trigger: str
    made: datetime
    due: datetime | None
    came: datetime | None
    decided_by: str | None


@dataclass(slots=True)
class Figures:
    """What became of the commitments of one promise."""

    report: Report
    used: Counter[int] = field(default_factory=Counter)
    """By tenths of the budget begun: how many had what was owed after so much of it."""
    never: int = 0
    """Overdue, and nothing came."""
    failed: int = 0
    """A failure was seen before due."""
    _worst: list[tuple[timedelta, datetime, int, Case]] = field(default_factory=list)

    @property
    def worst(self) -> list[Case]:
        """The worst cases, the longest late first; of those that are not late, the latest."""
        return [each[-1] for each in sorted(self._worst, reverse=True)]

    @property
    def is_timed(self) -> bool:
        """Whether there is one event whose time can be told."""
        return isinstance(self.report.version.terms.pattern, Response)

    def add(self, number: int, verdict: Verdict) -> None:
        """Take in the verdict with this number."""
        judgement = verdict.judgement
        came = judgement.settled if judgement.state is State.KEPT or judgement.late else None
        if judgement.state is State.BROKEN:
            self._note(number, verdict, came)
        if not self.is_timed:
            return
        if judgement.reason == _SEEN:
            self.failed += 1
        elif judgement.due is not None and judgement.state in {State.KEPT, State.BROKEN}:
            self._use(verdict.trigger.time, judgement.due, came)

    def _use(self, start: datetime, due: datetime, came: datetime | None) -> None:
        if came is None:
            self.never += 1
        elif due > start:
            # exactly at due, all of the budget is used and none of it is exceeded
            tenths = (came - start) * TENTHS
            self.used[min(-(-tenths // (due - start)) - 1 if came > start else 0, MOST_TENTHS)] += 1

    def _note(self, number: int, verdict: Verdict, came: datetime | None) -> None:
        judgement, made = verdict.judgement, verdict.trigger.time
        timed = self.is_timed and judgement.reason != _SEEN
        over = (came or self.report.as_of) - judgement.due if timed and judgement.due is not None else timedelta()
        if len(self._worst) == _MOST_CASES and (over, made) <= self._worst[0][:2]:
            return
        decider = None if judgement.decided_by is None else verdict.origins[judgement.decided_by].id
        case = Case(over, verdict.correlation, verdict.origin.id, made, judgement.due, came, decider)
        push = heapq.heappush if len(self._worst) < _MOST_CASES else heapq.heappushpop
        push(self._worst, (over, made, number, case))


def figures(report: Report, verdicts: Iterable[Verdict]) -> Figures:
    """Gather the figures of one promise."""
    found = Figures(report)
    for number, verdict in enumerate(verdicts):
        found.add(number, verdict)
    return found
