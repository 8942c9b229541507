"""One customer's events and the facts about them, as values: whatever order they came in, their history is the same.

A touchpoint is known by its event key; of the facts about one commitment the latest verdict counts, of those about a case all do.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from services.journey.promised import Known, at_version

RESERVED = "makegood."
OWN = "makegood/"
"""How the sources of our own services begin."""
COMMITMENT, CASE = "makegood.commitment.", "makegood.case."
OPEN, STANDING = frozenset({"on_track", "at_risk", "paused", "held"}), "standing"
REJUDGED = "makegood.commitment.rejudged"
"""A second verdict under another version stands beside the first and changes nothing here."""


class Touchpoint(NamedTuple):
    """One event of a customer's own; `key` names it as evidence."""

    time: datetime
    key: UUID
    type: str
    source: str
    arrival: datetime
    body: Mapping[str, Any]

    @property
    def data(self) -> Mapping[str, Any]:
        """Its data, nothing where that is no object."""
        found = self.body.get("data")
        return found if isinstance(found, Mapping) else {}

    def text(self, field: str) -> str | None:
        """A text in its data, None where there is none."""
        found = self.data.get(field)
        return found if isinstance(found, str) and found else None


class Commitment(NamedTuple):
    """A commitment as it was judged last; `since` is the time of the fact that says so, `event` what decided it or opened it."""

    id: UUID
    promise: str
    version: int
    audience: str
    owner: str | None
    trigger: UUID
    triggered: datetime
    judgement: str
    since: datetime
    severity: str | None
    due: datetime | None
    event: UUID


class CaseFact(NamedTuple):
    """Something that happened in a case: `kind` is the last word of its type, `state` where the case stands since."""

    time: datetime
    order: tuple[str, int, int, int]
    case: UUID
    kind: str
    state: str
    owner: str | None
    id: str


class Row(NamedTuple):
    """A stored touchpoint."""

    event: UUID
    arrival: datetime
    body: bytes


class FactRow(NamedTuple):
    """A stored fact, and where it stands: (topic, partition, position, place)."""

    order: tuple[str, int, int, int]
    body: bytes


class History:
    """Everything that is known of one customer, in order of event time; of one instant, in order of event keys."""

    def __init__(self, touchpoints: Iterable[Touchpoint], commitments: Iterable[Commitment], cases: Iterable[CaseFact]) -> None:
        """Of values in any order; a touchpoint given twice counts once."""
        self.touchpoints = tuple(sorted({each.key: each for each in touchpoints}.values(), key=lambda each: each[:2]))
        self.commitments = tuple(sorted(commitments, key=lambda each: (each.triggered, each.id)))
        self.cases = tuple(sorted(cases, key=lambda each: each[:2]))

    @cached_property
    def outward(self) -> tuple[Commitment, ...]:
        """What was promised to the customer, not inside the company."""
        return tuple(each for each in self.commitments if each.audience == "customer")

    def so_far(self, promises: Known) -> "History":
        """The history in which what is kept so far and can still break is `standing`: facts say only that it is open."""
        commitments = (
            each._replace(judgement=STANDING)
            if each.judgement in OPEN and each.due is None and at_version(promises, each.promise, each.version).standing
            else each
            for each in self.commitments
        )
        return History(self.touchpoints, commitments, self.cases)

    def only(self, meant: Callable[[Touchpoint], bool]) -> "History":
        """The history without the touchpoints that are not meant; what was said of commitments and cases stays."""
        return History(filter(meant, self.touchpoints), self.commitments, self.cases)

    def of(self, *types: str) -> list[Touchpoint]:
        """The touchpoints of these types."""
        found = [each for type_ in types for each in self._by_type.get(type_, ())]
        return found if len(types) == 1 else sorted(found, key=lambda each: each[:2])

    @cached_property
    def _by_type(self) -> dict[str, list[Touchpoint]]:
        found: dict[str, list[Touchpoint]] = defaultdict(list)
        for each in self.touchpoints:
            found[each.type].append(each)
        return found

    @cached_property
    def heard(self) -> list[Touchpoint]:
        """What was heard of the customer, rather than done by our own services."""
        return [each for each in self.touchpoints if not each.source.startswith(OWN)]

    @cached_property
    def by_key(self) -> dict[UUID, Touchpoint]:
        """The touchpoints by their keys."""
        return {each.key: each for each in self.touchpoints}

    @cached_property
    def owners(self) -> dict[UUID, str]:
        """Who owned each case last."""
        return {each.case: each.owner for each in self.cases if each.owner is not None}


def read(rows: Iterable[Row], facts: Iterable[FactRow]) -> History:
    """The history that stored rows tell; what is the system's own among the touchpoints (holds, ticks) tells nothing of the customer."""
    commitments: dict[UUID, tuple[tuple[Any, ...], Commitment]] = {}
    cases = []
    for order, body in facts:
        fact = orjson.loads(body)
        if fact["type"].startswith(COMMITMENT) and fact["type"] != REJUDGED:
            rank, found = _commitment(order, fact)
            if found.id not in commitments or commitments[found.id][0] < rank:
                commitments[found.id] = (rank, found)
        elif fact["type"].startswith(CASE):
            cases.append(_case(order, fact))
    return History(_touchpoints(rows), [found for _, found in commitments.values()], cases)


def _touchpoints(rows: Iterable[Row]) -> Iterable[Touchpoint]:
    for event, arrival, body in rows:
        found = orjson.loads(body)
        if not found["type"].startswith(RESERVED):
            yield Touchpoint(_instant(found["time"]), event, found["type"], found["source"], arrival, found)


def _commitment(order: tuple[str, int, int, int], fact: Mapping[str, Any]) -> tuple[tuple[Any, ...], Commitment]:
    data = fact["data"]
    trigger, since = data["trigger"], _instant(fact["time"])
    found = Commitment(
        UUID(data["commitment"]), data["promise"], data["version"], data["audience"], data.get("owner"), UUID(trigger["event"]),
        _instant(trigger["time"]), data["judgement"], since, data.get("severity"),
        None if data.get("due") is None else _instant(data["due"]), UUID(data.get("decided_by") or trigger["event"]),
    )  # fmt: skip
    return (data["verdict"], since, order), found


def _case(order: tuple[str, int, int, int], fact: Mapping[str, Any]) -> CaseFact:
    data = fact["data"]
    kind = fact["type"].removeprefix(CASE)
    return CaseFact(_instant(fact["time"]), order, UUID(data["case"]), kind, data["state"], data.get("owner"), fact["id"])


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
