"""What a history shows of promises before they are published: types that never come, and fields that are not there."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from itertools import combinations
from typing import Any, Final

from services.chassis.documents import Value
from services.promises.compile import OUR_ACTS
from services.promises.domain import Role
from services.promises.language import conditions
from services.promises.language.conditions import MISSING, Condition, Path, Reader
from services.promises.language.declarations import Promise
from services.promises.language.expressions import ConditionError
from services.promises.lint.drafts import Draft, Written, entries, inside

Event = Mapping[str, Any]
_MOST_TYPES: Final = 10_000


@dataclass(slots=True)
class _Tally:
    """The events of one promise and one type in one part, and how many of them lack which field."""

    seen: int = 0
    missing: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Watch:
    """One match of one promise, and the fields that its events ought to have."""

    promise: str
    opens: bool
    types: re.Pattern[str]
    sources: re.Pattern[str] | None
    test: Condition | None
    fields: tuple[tuple[str, Reader], ...]

    def takes(self, event: Event) -> bool:
        if self.sources is not None and self.sources.fullmatch(str(event.get("source"))) is None:
            return False
        try:
            return self.test is None or self.test(event)
        except ConditionError:
            return False


class Seen:
    """A history, held against promises while it is read."""

    def __init__(self, promises: Iterable[Promise]) -> None:
        """Begin with no event."""
        self.types: Counter[str] = Counter()
        self.latest: datetime | None = None
        self.opened_both: Counter[frozenset[str]] = Counter()
        """By two promises, how many events open both."""
        self._watches = [watch for each in promises for watch in _watches(each)]
        self._by_type: dict[str, list[_Watch]] = {}
        self._opening: dict[str, _Tally] = {}
        self._others: dict[tuple[str, str], _Tally] = {}

    def add(self, event: Event, arrival: datetime) -> None:
        """Take one event."""
        type_ = event["type"]
        self.types[type_] += 1
        self.latest = arrival if self.latest is None else max(self.latest, arrival)
        opened: set[str] = set()
        for watch in self._watching(type_):
            if watch.promise in opened or not watch.takes(event):
                continue
            if watch.opens:
                opened.add(watch.promise)
                tally = self._opening.setdefault(watch.promise, _Tally())
            else:
                tally = self._others.setdefault((watch.promise, type_), _Tally())
            tally.seen += 1
            tally.missing.update(name for name, read in watch.fields if read(event) in (MISSING, None))
        self.opened_both.update(map(frozenset, combinations(opened, 2)))

    def remarks(self, of: Draft) -> Iterator[tuple[Value, str]]:
        """Yield what the history shows of a promise."""
        for match in of.matches():
            for type_ in match.types:
                yield from self._never_seen(type_)
        yield from self._without_fields(of)
        for match in of.matches():
            yield from self._never_correlated(of, match)

    def _watching(self, type_: str) -> list[_Watch]:
        found = self._by_type.get(type_)
        if found is None:
            found = [each for each in self._watches if each.types.fullmatch(type_)]
            if len(self._by_type) < _MOST_TYPES:
                self._by_type[type_] = found
        return found

    def _never_seen(self, type_: Value) -> Iterator[tuple[Value, str]]:
        name = str(type_.content)
        if name.startswith(OUR_ACTS) or name in self.types or any(map(_wild([name]).fullmatch, self.types)):
            return
        close = get_close_matches(name, self.types, n=1, cutoff=0.7)
        right = f"did you mean `{close[0]}`?" if close else "correct it, or see that its system sends"
        yield type_, f"no event of type `{name}` is in this history; {right}"

    def _without_fields(self, of: Draft) -> Iterator[tuple[Value, str]]:
        tally = self._opening.get(of.name)
        if tally is None:
            return
        for at, effect in _read_of_triggers(of):
            missing = tally.missing[str(at.content)]
            if missing and (effect is not None or missing == tally.seen):
                what = effect or "are counted under no segment"
                message = f"{missing} of the {tally.seen} events that open this have no `{at.content}` and {what}"
                yield at, f"{message}; correct the path, or see that its system sends it"

    def _never_correlated(self, of: Draft, match: Written) -> Iterator[tuple[Value, str]]:
        correlated = entries(inside(of.body, "correlate"))
        for type_ in match.types:
            tally = self._others.get((of.name, str(type_.content)))
            for at in correlated if tally is not None else ():
                if tally is not None and tally.missing[str(at.content)] == tally.seen:
                    message = f"none of the {tally.seen} events `{type_.content}` has `{at.content}`, so that they bear on no commitment"
                    yield type_, f"{message}; correlate by a field that all have"


def _read_of_triggers(of: Draft) -> Iterator[tuple[Value, str | None]]:
    for each in entries(inside(of.body, "correlate")):
        yield each, "open nothing"
    bodies = [body for _, body in of.parts()] + of.steps()
    for body in bodies:
        for each in entries(inside(body, "by")):
            yield each, "cannot be judged"
    for each in entries(inside(of.spec, "segment")):
        yield each, None
    for each in entries(inside(of.spec, "recovery", "at_stake", "amount")):
        yield each, "say nothing of what is at stake"


def _watches(promise: Promise) -> Iterator[_Watch]:
    judged = promise.judged
    ties = _readers(judged.correlate)
    at_stake = () if promise.at_stake is None else (promise.at_stake.amount,)
    of_triggers = _readers((*judged.correlate, *judged.segments, *(each for each in judged.bys if each is not None), *at_stake))
    # triggers first: an event that opens a commitment is counted as that alone
    for role, match in sorted(judged.matches, key=lambda each: not each[0] & Role.TRIGGER):
        opens = bool(role & Role.TRIGGER)
        sources = _wild(match.sources) if match.sources else None
        test = conditions.condition(match.tests)
        yield _Watch(promise.name, opens, _wild(match.types), sources, test, of_triggers if opens else ties)


def _readers(paths: Iterable[Path]) -> tuple[tuple[str, Callable[[Event], Any]], ...]:
    # what is known of the customer is stamped on the event later: no history of touchpoints has it
    return tuple((".".join(each), conditions.reader(each)) for each in dict.fromkeys(paths) if each[0] != "customer")


def _wild(names: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(".*".join(map(re.escape, each.split("*"))) for each in names), re.DOTALL)
