"""What a case is: the fold of its acts. `evolve` alone changes one; what happens is decided in `domain`."""

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID


class State(enum.StrEnum):
    """Where a case stands."""

    OPEN = enum.auto()
    OWNED = enum.auto()
    REMEDIED = enum.auto()
    CONFIRMED = enum.auto()
    WATCHING = enum.auto()
    RESTORED = enum.auto()
    NOT_RESTORED = enum.auto()
    UNKNOWN = enum.auto()
    WITHDRAWN = enum.auto()
    DECLINED = enum.auto()
    MERGED = enum.auto()


class Severity(enum.StrEnum):
    """How much a failure hurts, least first."""

    LOW = enum.auto()
    MEDIUM = enum.auto()
    HIGH = enum.auto()
    CRITICAL = enum.auto()

    @property
    def rank(self) -> int:
        """Greater is worse."""
        return _SEVERITIES.index(self)

    @property
    def next(self) -> "Severity":
        """One worse; the worst stays."""
        return _SEVERITIES[min(self.rank + 1, len(_SEVERITIES) - 1)]


_SEVERITIES: Final = tuple(Severity)

IN_WORK: Final = frozenset({State.OPEN, State.OWNED, State.REMEDIED})
"""A customer has at most one case in these; a new failure joins it."""
WATCHED: Final = frozenset({State.CONFIRMED, State.WATCHING})
JUDGED: Final = frozenset({State.WATCHING, State.RESTORED, State.NOT_RESTORED})


class PledgeState(enum.StrEnum):
    """What is known of a pledge; only a judged promise says `kept` or `broken`."""

    OPEN = enum.auto()
    FULFILLED = enum.auto()
    KEPT = enum.auto()
    BROKEN = enum.auto()


@dataclass(frozen=True, slots=True)
class Failure:
    """A commitment to the customer that was broken."""

    commitment: UUID
    promise: str
    severity: Severity
    broken_at: datetime
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Pledge:
    """What was promised to the customer inside the case."""

    id: UUID
    what: str
    due: datetime
    state: PledgeState = PledgeState.OPEN


@dataclass(frozen=True, slots=True)
class Happened:
    """One act that was done: a row of the audit trail. `payload` is what may be personal, kept apart from `content`."""

    kind: str
    by: str
    at: datetime
    content: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    payload: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Case:
    """What the acts so far add up to; `version` is their number."""

    id: UUID
    customer: UUID
    state: State
    severity: Severity
    opened_at: datetime
    changed_at: datetime
    version: int = 0
    owner: str | None = None
    ask: str | None = None
    failures: Mapping[UUID, Failure] = field(default_factory=lambda: MappingProxyType({}))
    pledges: Mapping[UUID, Pledge] = field(default_factory=lambda: MappingProxyType({}))
    verdicts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def due(self) -> datetime | None:
        """When the next open pledge falls due."""
        return min((pledge.due for pledge in self.pledges.values() if pledge.state is PledgeState.OPEN), default=None)

    @property
    def was_told(self) -> bool:
        """Whether the customer has heard of the failure from us."""
        return bool(self.pledges) or self.state in {State.REMEDIED} | WATCHED


def evolve(case: Case, happened: Happened) -> Case:
    """The case after one more act."""
    changed = _EVOLVE[happened.kind](case, happened)
    return replace(changed, version=case.version + 1, changed_at=max(case.changed_at, happened.at))


def begin(identity: UUID, happened: Happened) -> Case:
    """The case that its first act opens."""
    severity = Severity(happened.content["severity"])
    customer = UUID(happened.content["customer"])
    empty = Case(identity, customer, State.OPEN, severity, happened.at, happened.at)
    return evolve(empty, happened)


def fold(identity: UUID, acts: Iterable[Happened]) -> Case:
    """The case that these acts add up to."""
    first, *rest = acts
    case = begin(identity, first)
    for each in rest:
        case = evolve(case, each)
    return case


def _add_failure(case: Case, happened: Happened) -> Case:
    content = happened.content
    severity = Severity(content["severity"])
    failure = Failure(UUID(content["commitment"]), content["promise"], severity, happened.at)
    worst = max(case.severity, severity, key=lambda each: each.rank)
    return replace(case, severity=worst, failures={**case.failures, failure.commitment: failure})


def _join(case: Case, happened: Happened) -> Case:
    """A remedy made good what was known before; with one more failure the owner has work again."""
    again = State.OWNED if case.state is State.REMEDIED else case.state
    return replace(_add_failure(case, happened), state=again, ask=None)


def _reopen(case: Case, happened: Happened) -> Case:
    state = State.OPEN if case.owner is None else State.OWNED
    return replace(_add_failure(case, happened), state=state, ask=None, verdicts={})


def _withdraw_failure(case: Case, happened: Happened) -> Case:
    commitment = UUID(happened.content["commitment"])
    withdrawn = replace(case.failures[commitment], withdrawn=True)
    return replace(case, failures={**case.failures, commitment: withdrawn})


def _own(case: Case, happened: Happened) -> Case:
    state = State.OWNED if case.state is State.OPEN else case.state
    return replace(case, state=state, owner=happened.content["owner"])


def _pledge(case: Case, happened: Happened) -> Case:
    made = Pledge(UUID(happened.content["pledge"]), happened.payload.get("what", ""), datetime.fromisoformat(happened.content["due"]))
    return replace(case, pledges={**case.pledges, made.id: made})


def _pledge_becomes(state: PledgeState) -> Callable[[Case, Happened], Case]:
    def change(case: Case, happened: Happened) -> Case:
        identity = UUID(happened.content["pledge"])
        return replace(case, pledges={**case.pledges, identity: replace(case.pledges[identity], state=state)})

    return change


def _becomes(state: State) -> Callable[[Case, Happened], Case]:
    return lambda case, _happened: replace(case, state=state)


_EVOLVE: Final[Mapping[str, Callable[[Case, Happened], Case]]] = {
    "opened": _add_failure,
    "joined": _join,
    "reopened": _reopen,
    "repeated": lambda case, _happened: case,
    "failure_withdrawn": _withdraw_failure,
    "withdrawn": _becomes(State.WITHDRAWN),
    "asked": lambda case, happened: replace(case, ask=happened.content["ask"]),
    "owned": _own,
    "pledged": _pledge,
    "pledge_fulfilled": _pledge_becomes(PledgeState.FULFILLED),
    "pledge_kept": _pledge_becomes(PledgeState.KEPT),
    "pledge_broken": _pledge_becomes(PledgeState.BROKEN),
    "escalated": lambda case, happened: replace(case, severity=Severity(happened.content["severity"])),
    "remedied": _becomes(State.REMEDIED),
    "confirmed": _becomes(State.CONFIRMED),
    "watching": _becomes(State.WATCHING),
    "judged": lambda case, happened: replace(case, verdicts={**case.verdicts, happened.content["promise"]: happened.content["verdict"]}),
    "restored": _becomes(State.RESTORED),
    "not_restored": _becomes(State.NOT_RESTORED),
    "unknown": _becomes(State.UNKNOWN),
}
KINDS: Final = frozenset(_EVOLVE)
