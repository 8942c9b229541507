"""What a promise would have come to on stored history: the same `judge`, fed by a file instead of a stream.

Pure: events come in attributed and once each, in any order; the report is said at the barrier `as_of`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from services.promises.backtest.counting import Counting, Judges, Outcome, Period
from services.promises.backtest.gathering import Arrived, Gathered, KeyOf, Kind, Marked, Origin, Some, Strand, arrived, digest_of, origin_of
from services.promises.backtest.sighting import Row
from services.promises.blindness import Source
from services.promises.compile import Catalogue, Compiled
from services.promises.domain import (
    NOT_OPENED,
    AllOf,
    Blind,
    Evidence,
    Judgement,
    Mark,
    Milestones,
    Pattern,
    Recurrence,
    Response,
    Role,
    Settlement,
    State,
    anchors,
    judge,
    judging,
)
from services.promises.language.conditions import Path

_COUNTED: Final = ("commitments", "kept", "broken", "excused", "withdrawn", "open")
_IN_ORDER: Final = ("commitments", "kept", "standing", "broken", "late", "never", "excused", "withdrawn", "open")
_TRIGGER: Final = int(Role.TRIGGER)
Take = Callable[[Some], None]


class Verdict(NamedTuple):
    """What one commitment came to."""

    strand: Strand
    trigger: Mark
    judgement: Judgement
    origins: Mapping[UUID, Origin]
    """What identifies the events of the strand."""

    @property
    def origin(self) -> Origin:
        """What identifies the trigger."""
        return self.origins[self.trigger.event]

    @property
    def correlation(self) -> Any:
        """The value that ties the events of the strand together."""
        written = self.strand[1]
        return written if isinstance(written, str) else orjson.loads(written)


@dataclass(slots=True)
class Tally:
    """How many commitments came to what."""

    said: Counter[Outcome] = field(default_factory=Counter)

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
    periods: dict[date, Tally] = field(default_factory=lambda: defaultdict(Tally))
    """By the period in which commitments were made, where one was asked for."""

    @property
    def commitments(self) -> int:
        """How many commitments were counted."""
        return sum(each.said.total() for each in self.segments.values())

    def add(self, verdict: Verdict) -> None:
        """Count one commitment."""
        self.segments[verdict.trigger.segment].said[outcome_of(verdict.judgement)] += 1

    def as_json(self) -> dict[str, Any]:
        """Return the line of this promise."""
        total = Tally()
        for each in self.segments.values():
            total.said.update(each.said)
        counts = total.counts()
        if not _falls_due(self.version.terms.pattern, targets=bool(self.version.promise.judged.targets)):
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
        if not self.version.promise.segments:
            return []
        named = sorted(self.segments, key=lambda name: (name is None, name))
        counted = [(name, self.segments[name].counts()) for name in named]
        return [{"segment": name, **{each: counts[each] for each in _COUNTED}} for name, counts in counted]


class Backtest:
    """Collects the evidence of every promise, then judges what each commitment comes to."""

    def __init__(self, catalogue: Catalogue, key_of: KeyOf = digest_of) -> None:
        """Begin with no history; `key_of` says what orders events of one instant."""
        self.catalogue = catalogue
        self.events = 0
        self._unreadable: Counter[int] = Counter()
        alike: defaultdict[tuple[Path, ...], list[tuple[int, Compiled]]] = defaultdict(list)
        for place, version in enumerate(catalogue):
            alike[version.correlate].append((place, version))
        self._gathered = [Gathered(versions, self._unreadable, key_of) for versions in alike.values()]
        self._by_place = {place: each for each in self._gathered for place in each.apart}
        self._takers: dict[Kind, tuple[Take, ...]] = {}
        self._linked: dict[Hashable, set[Hashable]] = {}
        self._held: defaultdict[Hashable, list[Blind]] = defaultdict(list)
        self._silences: defaultdict[int, list[Blind]] = defaultdict(list)

    def take(self, happened: Arrived) -> None:
        """Take events in, none of which was taken before."""
        self.events += len(happened.events)
        for kind, places in happened.by_kind().items():
            takers = self._takers.get(kind)
            if takers is None:
                found = (each.taker(kind) for each in self._gathered)
                takers = self._takers[kind] = tuple(take for take in found if take is not None)
            if takers:
                some = happened.some(places)
                for take in takers:
                    take(some)

    @property
    def unreadable(self) -> Counter[Compiled]:
        """How many events could not be judged for a promise."""
        return Counter({self.catalogue.versions[place]: number for place, number in self._unreadable.items()})

    def link(self, one: Hashable, other: Hashable) -> None:
        """Learn that two customers are one: each reaches the other as evidence that opens nothing (DESIGN 5)."""
        group = self._linked.get(one, {one}) | self._linked.get(other, {other})
        for each in group:
            self._linked[each] = group

    def hold(self, customer: Hashable, blind: Blind) -> None:
        """Learn that something of a customer was not read."""
        self._held[customer].append(blind)

    def fall_silent(self, source: Source, silences: Sequence[Blind]) -> None:
        """Learn when a source was not heard, as of the barrier at which is judged."""
        for place, version in enumerate(self.catalogue):
            if silences and version.hears(source.name, source.types):
                self._silences[place] += silences

    def _blind_to(self, place: int, customer: Hashable, arrival: datetime) -> tuple[Blind, ...]:
        if not self._held and not self._silences:
            return ()
        found = [each for key in self._linked.get(customer, {customer}) for each in self._held.get(key, ())]
        return tuple(each for each in (*found, *self._silences.get(place, ())) if each.end is None or each.end >= arrival)

    def verdicts(self, version: Compiled, as_of: datetime) -> Iterator[Verdict]:
        """Judge every commitment of a promise at a barrier."""
        place = self.catalogue.versions.index(version)
        for strand in self._by_place[place].strands_of(place):
            yield from self._verdicts_in(place, strand, as_of)

    def _verdicts_in(self, place: int, strand: Strand, as_of: datetime) -> Iterator[Verdict]:
        own = self._by_place[place].marks(place, strand)
        if not any(each.mark.roles & _TRIGGER for each in own):
            return
        marked = own + self._from_linked(place, strand, own) if self._linked else own
        origins = {each.mark.event: each.origin for each in marked}
        marks, terms = tuple(each.mark for each in marked), self.catalogue.versions[place].terms
        judge_one = judging(terms, marks)
        for trigger in anchors(terms, [each.mark for each in own]):
            judgement = judge_one(trigger, self._blind_to(place, strand[0], trigger.arrival), as_of)
            if judgement.reason != NOT_OPENED:
                yield Verdict(strand, trigger, judgement, origins)

    def _apart(self, gathered: Gathered) -> Callable[[Strand], bool] | None:
        """Return what says on which strands more bears than their own rows; None: on none."""
        if any(place in self._silences for place, _ in gathered.alike):
            return lambda _: True
        persons = {strand for place, _ in gathered.alike for strand in gathered.apart[place]}
        known = self._linked.keys() | self._held.keys()
        return (lambda strand: strand in persons or strand[0] in known) if persons or known else None

    def _from_linked(self, place: int, strand: Strand, own: Sequence[Marked]) -> list[Marked]:
        customer, correlation = strand
        others = self._linked.get(customer, set()) - {customer}
        known = {each.mark.event for each in own}  # what many hold may be the own event of several
        found = (
            each for other in others for each in self._by_place[place].marks(place, (other, correlation)) if each.mark.event not in known
        )
        return [Marked(mark._replace(roles=mark.roles & ~_TRIGGER), origin) for mark, origin in found]

    @property
    def strands(self) -> int:
        """How many strands there are to judge."""
        return sum(each.number for each in self._gathered)

    def reports(self, as_of: datetime, period: Period | None = None, advance: Callable[[int], None] = lambda _: None) -> list[Report]:
        """Count what the commitments of every promise come to, in the order of the catalogue; by periods, too, if one is given.

        Tells how many strands are done.
        """
        reports = [Report(version, as_of, self.events, self._unreadable[place]) for place, version in enumerate(self.catalogue)]

        def each(place: int, strand: Strand) -> Iterator[tuple[Outcome, str | None, datetime]]:
            for _, trigger, judgement, _ in self._verdicts_in(place, strand, as_of):
                yield outcome_of(judgement), trigger.segment, trigger.time

        def one(place: int, strand: Strand, trigger: Row) -> Outcome:
            gathered, terms = self._by_place[place], self.catalogue.versions[place].terms
            key, marks = gathered.key_of(origin_of(trigger)), tuple(marked.mark for marked in gathered.marks(place, strand))
            return outcome_of(judge(terms, Evidence(next(mark for mark in marks if mark.event == key), marks), as_of))

        def tell(place: int, outcome: Outcome, segment: str | None, made: date | None, number: int) -> None:
            reports[place].segments[segment].said[outcome] += number
            if made is not None:
                reports[place].periods[made].said[outcome] += number

        done = 0
        for gathered in self._gathered:
            for number in Counting(gathered, as_of, Judges(each, one), tell, period).count(self._apart(gathered)):
                done += number
                advance(done)
        return reports


def _falls_due(pattern: Pattern, *, targets: bool) -> bool:
    """Whether what is owed may come late: of patterns without a due time, broken ones are neither late nor never."""
    match pattern:
        case Response() | Recurrence() | Milestones():
            return True
        case Settlement(within=within, by=by):
            return within is not None or by or targets
        case AllOf(patterns=patterns):
            return all(_falls_due(each, targets=targets) for each in patterns)
    return False


def outcome_of(judgement: Judgement) -> Outcome:
    """Return what is counted of a judgement."""
    return judgement.state, judgement.late, judgement.standing


def verdict_line(version: Compiled, verdict: Verdict) -> dict[str, Any]:
    """Return the line of one commitment; events are named by the ids that their sources gave them."""
    judgement, trigger = verdict.judgement, verdict.trigger
    decider = judgement.decided_by
    return {
        "promise": version.name,
        "version": version.version,
        "correlation": verdict.correlation,
        "trigger": {"id": verdict.origin.id, "time": text_of(trigger.time)},
        "due": None if judgement.due is None else text_of(judgement.due),
        "judgement": judgement.state,
        "decided_by": None if decider is None else verdict.origins[decider].id,
    }


def text_of(instant: datetime) -> str:
    """Return an instant as RFC 3339 text in UTC."""
    return instant.isoformat().replace("+00:00", "Z")


__all__ = ["Arrived", "Backtest", "Origin", "Report", "Tally", "Verdict", "arrived", "text_of", "verdict_line"]
