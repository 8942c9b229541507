"""What other promises would have changed on the same history: the counts beside each other, and each commitment that differs."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from services.promises.backtest import Backtest, Origin, Report, Verdict, text_of
from services.promises.compile import Compiled

COUNTED: Final = ("commitments", "kept", "broken", "excused", "withdrawn", "open")
_A_STEP: Final = 5_000


class Difference(NamedTuple):
    """A commitment that is judged otherwise, or that only one of the two opens (None: the other)."""

    promise: str
    correlation: Any
    trigger: dict[str, Any]
    was: str | None
    would_be: str | None

    def as_json(self) -> dict[str, Any]:
        """Return its line."""
        return {
            "difference": self.promise,
            "correlation": self.correlation,
            "trigger": self.trigger,
            "judgement": self.was,
            "compared": self.would_be,
        }


class Pair(NamedTuple):
    """One promise as it is in the files, and as it is in those it is compared with; None: it is not there."""

    name: str
    one: Report | None
    other: Report | None
    differences: list[Difference]

    def as_json(self) -> dict[str, Any] | None:
        """Return what the other promise came to, and how many commitments differ; None where there is no other."""
        if self.other is None:
            return None
        line = self.other.as_json()
        return {name: line[name] for name in (*COUNTED, "kept_share")} | {"differ": len(self.differences)}


def pairs(
    tested: Backtest, ones: Sequence[Report], others: Sequence[Report], as_of: datetime, advance: Callable[[int], None]
) -> list[Pair]:
    """Hold the promises of two sets of files against each other, by their names, in the order of the first."""
    by_name = {each.version.name: each for each in others}
    found, done = [], 0
    for one in ones:
        other = by_name.pop(one.version.name, None)
        differences = []
        if other is not None and one.version.promise != other.version.promise:
            differences = list(_differences(tested, one.version, other.version, as_of, partial(_further, advance, done)))
            done += one.commitments + other.commitments
        found.append(Pair(one.version.name, one, other, differences))
    return found + [Pair(name, None, other, []) for name, other in by_name.items()]


def _further(advance: Callable[[int], None], done: int, step: int) -> None:
    advance(done + step)


def to_compare(ones: Sequence[Report], others: Sequence[Report]) -> int:
    """Return how many commitments must be judged for it."""
    by_name = {each.version.name: each for each in others}
    changed = [(one, other) for one in ones if (other := by_name.get(one.version.name)) and one.version.promise != other.version.promise]
    return sum(one.commitments + other.commitments for one, other in changed)


def _differences(tested: Backtest, one: Compiled, other: Compiled, as_of: datetime, advance: Callable[[int], None]) -> Iterator[Difference]:
    before: dict[Origin, _Said] = {}
    step = 0
    for step, verdict in enumerate(tested.verdicts(one, as_of), start=1):
        before[verdict.origin] = _Said(_said(verdict), verdict.correlation, verdict.trigger.time)
        if step % _A_STEP == 0:
            advance(step)
    for further, verdict in enumerate(tested.verdicts(other, as_of), start=step + 1):
        found, would_be = before.pop(verdict.origin, None), _said(verdict)
        if found is None or found.what != would_be:
            said = found or _Said(None, verdict.correlation, verdict.trigger.time)
            yield _difference(one.name, verdict.origin, said, would_be)
        if further % _A_STEP == 0:
            advance(further)
    for origin, said in before.items():
        yield _difference(one.name, origin, said, None)


class _Said(NamedTuple):
    what: str | None
    correlation: Any
    time: datetime


def _difference(promise: str, origin: Origin, said: _Said, would_be: str | None) -> Difference:
    trigger = {"id": origin.id, "time": text_of(said.time)}
    return Difference(promise, said.correlation, trigger, said.what, would_be)


def _said(verdict: Verdict) -> str:
    """Return what a commitment is counted under."""
    judgement = verdict.judgement
    return "kept" if judgement.standing else str(judgement.state) if judgement.state.decided else "open"
