"""A second verdict beside the first: what commitments come to under another version of their promise (DESIGN 3.5). Pure.

The version is taken as if it had always counted. Nothing is rewritten: pauses and all other evidence are those of the first verdict.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from services.chassis.instants import text_of
from services.promises.amounts import content_of
from services.promises.compile import Compiled
from services.promises.domain import NOT_OPENED, Blind, Judgement, Mark, Role, State, anchors, commitment_id, judging
from services.promises.facts import SOURCE, told_of
from services.promises.store.rejudging import First, Result, Time

KIND: Final = "rejudged"
_TRIGGER: Final = int(Role.TRIGGER)
BlindTo = Callable[[UUID, datetime], tuple[Blind, ...]]
"""What was not read since an arrival that may bear on a customer's commitments."""


@dataclass(slots=True)
class Thread:
    """What belongs together under the other version: one customer, one correlation."""

    strand: UUID
    customer: UUID
    correlation: str
    marks: dict[UUID, Mark] = field(default_factory=dict)


class Trigger(NamedTuple):
    """What opened a commitment."""

    event: UUID
    id: str
    type: str
    time: datetime
    segment: str | None
    at_stake: str | None


class Second(NamedTuple):
    """One commitment as the other version has it; without `thread` that version does not owe it."""

    commitment: UUID
    customer: UUID
    correlation: str
    trigger: Trigger
    judgement: Judgement


class Pair(NamedTuple):
    """Both verdicts on one commitment; `first` None: no commitment was opened under its own version."""

    first: First | None
    second: Second

    @property
    def changed(self) -> bool:
        """Whether the second verdict is another one; what is open differs from nothing that is open."""
        return self.first is None or _verdict(self.first.state) != _verdict(self.second.judgement.state)

    @property
    def fails_anew(self) -> bool:
        """Whether only the second verdict says that it was broken."""
        return self.second.judgement.state is State.BROKEN and (self.first is None or self.first.state != State.BROKEN)


def _verdict(state: str) -> str:
    return state if State(state).decided else "open"


def merged(marks: Iterable[Mark]) -> Mark:
    """What versions that read alike saw in one event: each saw it open something only while it counted itself."""
    found = sorted(marks, key=lambda each: not each.roles & _TRIGGER)
    return found[0]


def seconds(
    compiled: Compiled, threads: Iterable[Thread], origins: Mapping[UUID, tuple[str, str]], blind_to: BlindTo, barrier: datetime
) -> Iterator[Second]:
    """Judge everything that the other version has opened; `origins` are what sources call the events, and their types."""
    terms = compiled.terms
    for each in threads:
        marks = tuple(each.marks.values())
        judge_one = judging(terms, marks)
        for place, anchor in enumerate(anchors(terms, marks)):
            first = terms.first and place == 0
            correlation = str(each.strand) if first else each.correlation
            id_ = commitment_id(compiled.name, compiled.version, each.customer, correlation, anchor.event, first=first)
            trigger = Trigger(anchor.event, *origins[anchor.event], anchor.time, anchor.segment, anchor.at_stake)
            yield Second(id_, each.customer, each.correlation, trigger, judge_one(anchor, blind_to(each.customer, anchor.arrival), barrier))


def paired(firsts: Iterable[First], found: Iterable[Second], known: Collection[UUID], time: Time) -> tuple[list[Pair], list[First]]:
    """Put the two verdicts side by side; and the commitments whose trigger is not in hand any more, which get no second one."""
    by_id, by_trigger = {}, {}
    for each in found:
        by_id[each.commitment] = by_trigger[each.customer, each.trigger.event] = each
    pairs, unread = [], []
    for first in firsts:
        if first.trigger_event not in known:
            unread.append(first)
            continue
        second = by_id.get(first.id) or by_trigger.get((first.customer, first.trigger_event))
        if second is not None:
            by_id.pop(second.commitment, None)
        pairs.append(Pair(first, second or _not_owed(first)))
    return pairs + [Pair(None, each) for each in by_id.values() if time.holds(each.trigger.time)], unread


def _not_owed(first: First) -> Second:
    trigger = Trigger(first.trigger_event, first.trigger_id, first.trigger_type, first.trigger_time, None, None)
    return Second(first.id, first.customer, first.correlation, trigger, Judgement(State.WITHDRAWN, None, None, NOT_OPENED))


def result_of(run: UUID, pair: Pair, barrier: datetime) -> Result:
    """What is kept of a second verdict."""
    first, second, judgement = *pair, pair.second.judgement
    id_ = second.commitment if first is None else first.id
    trigger = second.trigger
    return Result(
        run, id_, second.customer, second.correlation, trigger.event, trigger.id, trigger.time, None if first is None else first.state,
        pair.changed, str(judgement.state), judgement.due, judgement.late, judgement.reason, judgement.decided_by, barrier,
    )  # fmt: skip


def fact_of(run: UUID, compiled: Compiled, pair: Pair, barrier: datetime) -> bytes:
    """What is published of a second verdict that is to open a case."""
    first, second, judgement = *pair, pair.second.judgement
    id_ = str(second.commitment if first is None else first.id)
    verdict, trigger = 0 if first is None else first.verdict, second.trigger
    was = None if first is None or not State(first.state).decided else first.state
    data = orjson.loads(f"{{{told_of(compiled)}}}") | {
        "commitment": id_,
        "correlation": orjson.loads(second.correlation),
        "trigger": {"event": str(trigger.event), "id": trigger.id, "type": trigger.type, "time": text_of(trigger.time)},
        "due": None if judgement.due is None else text_of(judgement.due),
        "judgement": judgement.state,
        "verdict": verdict,
        "was": was,
        "reason": judgement.reason,
        "decided_by": None if judgement.decided_by is None else str(judgement.decided_by),
        "barrier": text_of(barrier),
        "segment": trigger.segment,
        "rejudgement": str(run),
        "open_cases": True,
    }
    if trigger.at_stake is not None:
        data["at_stake"] = content_of(trigger.at_stake)
    envelope = {"specversion": "1.0", "id": f"{id_}:{verdict}:{KIND}:{run}", "source": SOURCE, "type": f"makegood.commitment.{KIND}"}
    return orjson.dumps(envelope | {"time": text_of(barrier), "customer": str(second.customer), "data": data})


@dataclass(slots=True)
class Tally:
    """What a rejudgement came to."""

    judged: int = 0
    opened: int = 0
    unread: int = 0
    unreadable: int = 0
    cases: int = 0
    moves: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    """Of those that changed: from which verdict to which."""

    def add(self, pairs: Iterable[Pair], unread: int, cases: int) -> None:
        """Count some more."""
        self.unread += unread
        self.cases += cases
        for each in pairs:
            self.judged += 1
            self.opened += each.first is None
            if each.changed:
                self.moves[None if each.first is None else _verdict(each.first.state), _verdict(each.second.judgement.state)] += 1

    def as_json(self) -> dict[str, Any]:
        """The outcome as it is kept and shown."""
        changes = [{"first": first, "second": second, "number": number} for (first, second), number in self.moves.most_common()]
        changed = self.moves.total()
        return {
            "judged": self.judged, "same": self.judged - changed, "changed": changed, "opened": self.opened, "unread": self.unread,
            "unreadable": self.unreadable, "cases": self.cases, "changes": changes,
        }  # fmt: skip
