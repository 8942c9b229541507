"""What a promise would have come to on stored history: the same `judge`, fed by a file instead of a stream.

Pure: events come in attributed and once each, in any order; the report is said at the barrier `as_of`.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from services.promises.compile import Catalogue, Compiled, Event
from services.promises.domain import Evidence, Judgement, Mark, Response, Role, State, anchors, judge
from services.promises.expressions import ConditionError

Strand = tuple[Hashable, str]
"""A customer and a correlation: what evidence is tied by."""
_COUNTED: Final = ("commitments", "kept", "broken", "excused", "withdrawn", "open")
_IN_ORDER: Final = ("commitments", "kept", "standing", "broken", "late", "never", "excused", "withdrawn", "open")
_NO_TRIGGER: Final = ~int(Role.TRIGGER)


class Verdict(NamedTuple):
    """What one commitment came to."""

    strand: Strand
    trigger: Mark
    judgement: Judgement


@dataclass(slots=True)
class Tally:
    """How many commitments came to what."""

    said: Counter[tuple[State, bool, bool]] = field(default_factory=Counter)
    """By state, lateness and standing."""

    def counts(self) -> dict[str, int]:
        """Return the counts by name; one that is standing is kept so far."""
        found = dict.fromkeys((*_COUNTED, "standing", "late", "never"), 0)
        for (state, late, standing), number in self.said.items():
            found["commitments"] += number
            found["standing"] += number if standing else 0
            found["kept" if standing else str(state) if state.decided else "open"] += number
            if state is State.BROKEN:
                found["late" if late else "never"] += number
        return found


@dataclass(slots=True)
class Report:
    """What one promise version came to; `as_json` is the contract of `makegood backtest --json`."""

    version: Compiled
    as_of: datetime
    events: int
    unreadable: int
    segments: dict[str | None, Tally] = field(default_factory=lambda: defaultdict(Tally))

    def add(self, verdict: Verdict) -> None:
        """Count one commitment."""
        judgement = verdict.judgement
        self.segments[verdict.trigger.segment].said[judgement.state, judgement.late, judgement.standing] += 1

    def as_json(self) -> dict[str, Any]:
        """Return the line of this promise."""
        total = Tally()
        for each in self.segments.values():
            total.said.update(each.said)
        counts = total.counts()
        if not isinstance(self.version.terms.pattern, Response):
            counts["late"] = counts["never"] = 0
        decided = counts["kept"] + counts["broken"]
        found: dict[str, Any] = {
            "promise": self.version.name,
            "version": self.version.version,
            "as_of": text_of(self.as_of),
            "events": self.events,
            **{name: counts[name] for name in _IN_ORDER},
            "kept_share": round(counts["kept"] / decided, 4) if decided else None,
            "segments": self._segments(),
        }
        return found | ({"quarantined": self.unreadable} if self.unreadable else {})

    def _segments(self) -> list[dict[str, Any]]:
        if self.version.promise.segment is None:
            return []
        named = sorted(self.segments, key=lambda name: (name is None, name))
        counted = [(name, self.segments[name].counts()) for name in named]
        return [{"segment": name, **{each: counts[each] for each in _COUNTED}} for name, counts in counted]


class Backtest:
    """Collects the evidence of every promise, then judges each commitment once."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Begin with no history."""
        self.catalogue = catalogue
        self.events = 0
        self.unreadable: Counter[Compiled] = Counter()
        self._strands: dict[Compiled, dict[Strand, list[Mark]]] = {each: {} for each in catalogue}
        self._linked: dict[Hashable, set[Hashable]] = {}

    def add(self, customer: Hashable, event: Event, time: datetime, arrival: datetime, key: UUID) -> None:
        """Take one event, which must not have been taken before."""
        self.events += 1
        for version in self.catalogue.of(event["type"]):
            try:
                seen = version.sees(event, time, arrival, key)
            except ConditionError:
                self.unreadable[version] += 1
                continue
            if seen is not None:
                strands, strand = self._strands[version], (customer, seen[0])
                marks = strands.get(strand)
                if marks is None:
                    strands[strand] = [seen[1]]
                else:
                    marks.append(seen[1])

    def link(self, one: Hashable, other: Hashable) -> None:
        """Learn that two customers are one: each reaches the other as evidence that opens nothing (DESIGN 5)."""
        group = self._linked.get(one, {one}) | self._linked.get(other, {other})
        for each in group:
            self._linked[each] = group

    def verdicts(self, version: Compiled, as_of: datetime) -> Iterator[Verdict]:
        """Judge every commitment of a promise at a barrier."""
        strands, terms = self._strands[version], version.terms
        for strand, own in strands.items():
            marks = tuple(own + self._from_linked(strands, strand)) if self._linked else tuple(own)
            for trigger in anchors(terms, own):
                yield Verdict(strand, trigger, judge(terms, Evidence(trigger, marks), as_of))

    def report(self, version: Compiled, as_of: datetime) -> Report:
        """Judge and count every commitment of a promise."""
        report = Report(version, as_of, self.events, self.unreadable[version])
        for verdict in self.verdicts(version, as_of):
            report.add(verdict)
        return report

    def _from_linked(self, strands: dict[Strand, list[Mark]], strand: Strand) -> list[Mark]:
        customer, correlation = strand
        others = self._linked.get(customer, set()) - {customer}
        found = (mark for other in others for mark in strands.get((other, correlation), ()))
        return [mark._replace(roles=mark.roles & _NO_TRIGGER) for mark in found]


def verdict_line(version: Compiled, verdict: Verdict, ids: dict[UUID, str]) -> dict[str, Any]:
    """Return the line of one commitment; events are named by the ids that their sources gave them."""
    judgement, trigger = verdict.judgement, verdict.trigger
    return {
        "promise": version.name,
        "version": version.version,
        "correlation": orjson.loads(verdict.strand[1]),
        "trigger": {"id": ids.get(trigger.event), "time": text_of(trigger.time)},
        "due": None if judgement.due is None else text_of(judgement.due),
        "judgement": judgement.state,
        "decided_by": None if judgement.decided_by is None else ids.get(judgement.decided_by),
    }


def text_of(instant: datetime) -> str:
    """Return an instant as RFC 3339 text in UTC."""
    return instant.isoformat().replace("+00:00", "Z")
