"""The stage of a relationship, step by step, each with its evidence; and what it is worth, where there are figures.

prospect until the first purchase; new; established from enough purchases on; at risk while a broken promise is not made good, or
when nothing was heard for too long; lost when the customer left, was not restored, or is silent for longer still; won back by the
next purchase after that, until there are enough of them again. Whoever buys again after a failure has come back: it is made good.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from services.journey.picture.history import OWN, History, Touchpoint
from services.journey.picture.matching import any_of, value_at
from services.journey.picture.rules import Rules, Standings

Stage = Literal["prospect", "new", "established", "at_risk", "lost", "won_back"]
STAGES: Final[tuple[Stage, ...]] = ("prospect", "new", "established", "at_risk", "lost", "won_back")
MOST_AMOUNT: Final = 1e9
YEAR: Final = timedelta(days=365)


class Step(NamedTuple):
    """A change of stage; `evidence` is a touchpoint's or a commitment's key, or the id of a fact of a case."""

    time: datetime
    stage: Stage
    because: str
    evidence: str


class _Signal(NamedTuple):
    time: datetime
    evidence: str
    kind: Literal["purchase", "heard", "left", "failed", "mended", "not_restored"]
    what: str = ""


@dataclass(slots=True)
class Standing:
    """How a relationship came to where it is; `again` is when time alone next changes it."""

    steps: list[Step] = field(default_factory=list)
    again: datetime | None = None

    @property
    def stage(self) -> Stage:
        """Where it is now."""
        return self.steps[-1].stage if self.steps else "prospect"


@dataclass(slots=True)
class _Course:
    """What has been so far: purchases since the beginning or since the customer was won back, failures not made good."""

    limits: Standings
    found: Standing = field(default_factory=Standing)
    purchases: int = 0
    won_back: bool = False
    lost: bool = False
    silent: bool = False
    failures: set[str] = field(default_factory=set)
    heard: _Signal | None = None

    def take(self, signal: _Signal) -> None:
        """One thing that happened."""
        self.fall_silent(signal.time)
        match signal.kind:
            case "purchase":
                self.won_back, self.purchases = self.won_back or self.lost, 1 if self.lost else self.purchases + 1
                self.lost = False
                self.failures.clear()
            case "left" | "not_restored":
                self.lost = self.lost or signal.kind == "left" or self.purchases > 0
            case "failed":
                self.failures.add(signal.what)
            case "mended":
                self.failures.clear()
        if signal.kind in {"purchase", "heard", "left"}:
            self.heard, self.silent = signal, False
        self.step(signal.time, signal.kind, signal.evidence)

    def fall_silent(self, now: datetime) -> None:
        """What silence until now has made of it, if anybody was there to be lost."""
        for limit, stage in ((self.limits.at_risk_after, "at_risk"), (self.limits.lost_after, "lost")):
            if limit is None or self.heard is None or not self.purchases or self.lost:
                continue
            at = self.heard.time + limit
            if now > at:
                self.silent, self.lost = True, stage == "lost"
                self.step(at, "silent", self.heard.evidence)

    def again(self, now: datetime | None) -> datetime | None:
        """When silence alone next changes it."""
        limits = (self.limits.at_risk_after, self.limits.lost_after)
        if self.heard is None or not self.purchases or self.lost:
            return None
        times = [self.heard.time + limit for limit in limits if limit is not None]
        return min((at for at in times if now is None or at >= now), default=None)

    def step(self, at: datetime, because: str, evidence: str) -> None:
        """Note the stage, where it is another one."""
        stage = self._stage()
        if stage != self.found.stage:
            self.found.steps.append(Step(at, stage, because, evidence))

    def _stage(self) -> Stage:
        if self.lost:
            return "lost"
        if not self.purchases:
            return "prospect"
        if self.failures or self.silent:
            return "at_risk"
        if self.purchases >= self.limits.established_purchases:
            return "established"
        return "won_back" if self.won_back else "new"


def standing(rules: Rules, history: History, now: datetime | None) -> Standing:
    """How a relationship stands."""
    course = _Course(rules.standings)
    for signal in sorted(_signals(rules, history)):
        course.take(signal)
    if now is not None:
        course.fall_silent(now)
    course.found.again = course.again(now)
    return course.found


def _signals(rules: Rules, history: History) -> Iterator[_Signal]:
    for event in history.touchpoints:
        if any_of(rules.purchases, event):
            yield _Signal(event.time, str(event.key), "purchase")
        elif any_of(rules.standings.leaves, event):
            yield _Signal(event.time, str(event.key), "left")
        elif not event.source.startswith(OWN):
            yield _Signal(event.time, str(event.key), "heard")
    for each in history.outward:
        if each.judgement == "broken":
            yield _Signal(each.since, str(each.id), "failed", str(each.id))
    for fact in history.cases:
        if fact.kind == "restored":
            yield _Signal(fact.time, fact.id, "mended")
        elif fact.kind == "not_restored":
            yield _Signal(fact.time, fact.id, "not_restored")


class Worth(NamedTuple):
    """What a relationship is worth in hundredths of one currency; `last_year` within 365 days before now."""

    currency: str
    purchases: int
    total: int
    last_year: int
    evidence: list[Touchpoint]


class Figures(NamedTuple):
    """The classic figures of one customer."""

    purchases: int
    complaints: int
    worth: Worth | None


def figures(rules: Rules, history: History, now: datetime | None) -> Figures:
    """How often they bought and complained, and for how much."""
    bought = [each for each in history.touchpoints if any_of(rules.purchases, each)]
    complaints = sum(any_of(rules.complaints, each) for each in history.touchpoints)
    amounts = [(each, amount) for each in bought if (amount := _amount(rules, each)) is not None]
    if not amounts:
        return Figures(len(bought), complaints, None)
    recent = sum(amount for each, amount in amounts if now is None or now - each.time <= YEAR)
    total, evidence = sum(amount for _, amount in amounts), [each for each, _ in amounts]
    return Figures(len(bought), complaints, Worth(rules.currency, len(amounts), total, recent, evidence))


def _amount(rules: Rules, event: Touchpoint) -> int | None:
    """Hundredths, where a purchase has a plausible figure."""
    found = None if rules.value is None else value_at(event, rules.value)
    if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) < MOST_AMOUNT:
        return None
    return round(found * 100)
