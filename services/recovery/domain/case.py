"""What a case is: the fold of its acts. What changes it stands in `folding`; what happens is decided by the modules beside."""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from services.recovery.domain.money import Entry, Gesture, Money
from services.recovery.domain.voice import Contact, Feedback, Message, MessageState, Preferences

SYSTEM: Final = "system"
"""Who does what no person does."""


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


class OwedState(enum.StrEnum):
    """What is known of something that falls due in a case; only a judged promise says `kept` or `broken`."""

    OPEN = enum.auto()
    DONE = enum.auto()
    KEPT = enum.auto()
    BROKEN = enum.auto()
    CALLED_OFF = enum.auto()
    """Owed no longer, and not done: the case was withdrawn or declined."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What we failed in: a commitment to the customer that was broken, or what somebody reported.

    `at_risk`: it is not broken yet, and the playbook makes good before the customer notices; `broken_at` is when that was said.
    """

    commitment: UUID
    promise: str | None
    severity: Severity
    broken_at: datetime
    withdrawn: bool = False
    what: str | None = None
    """Of a report: in whose words it came."""
    at_risk: bool = False
    component: str | None = None
    segment: str | None = None
    """By which its promise is counted: a place, a source, whatever the promise names."""
    at_stake: Money | None = None
    """What the customer stands to lose by it, where the promise says how to read it from what opened it."""


@dataclass(frozen=True, slots=True)
class Pledge:
    """What was promised to the customer inside the case."""

    id: UUID
    what: str
    due: datetime
    state: OwedState = OwedState.OPEN
    done: datetime | None = None
    instead_of: UUID | None = None
    """The pledge whose date could not be kept, and which the customer was told of before it passed."""
    first_due: datetime | None = None
    """Of one that was moved, by when it was promised at first."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done in the case; `name` is its playbook's, None where a person set it."""

    id: UUID
    what: str
    due: datetime
    name: str | None = None
    assignee: str | None = None
    state: OwedState = OwedState.OPEN
    done: datetime | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """One hand that a request for help went through; `to` is None where whoever can was asked."""

    by: str
    to: str | None
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Help:
    """Help that one asks of another; `assignee` is who has it now, None while whoever can is asked."""

    id: UUID
    what: str
    due: datetime
    asked_by: str
    assignee: str | None = None
    accepted: bool = False
    chain: tuple[Link, ...] = ()
    answered_by: str | None = None
    answer: str = ""
    thanked: bool = False
    thanks: str = ""
    state: OwedState = OwedState.OPEN
    done: datetime | None = None


class Decision(enum.StrEnum):
    """What became of what was asked."""

    GRANTED = enum.auto()
    REFUSED = enum.auto()


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody asks for what is beyond their authority; who may say yes is fixed when it is asked, by `roles`."""

    id: UUID
    kind: str
    what: str
    due: datetime
    asked_by: str
    roles: frozenset[str]
    money: Money | None = None
    days: Decimal | None = None
    decision: Decision | None = None
    decided_by: str | None = None
    why: str | None = None
    state: OwedState = OwedState.OPEN
    done: datetime | None = None


@dataclass(frozen=True, slots=True)
class Compensation:
    """What the playbook's rule owes the customer for a failure; `ground` is why it is not owed after all."""

    id: UUID
    what: str
    due: datetime
    failure: UUID
    promise: str
    money: Money
    ground: str | None = None
    state: OwedState = OwedState.OPEN
    done: datetime | None = None

    @property
    def paid(self) -> bool:
        """Whether the customer has it."""
        return self.done is not None and self.ground is None


Owed = Pledge | Task | Help | Approval | Compensation
"""What falls due in a case, and is judged by the one engine."""
PARTS: Final[Mapping[str, str]] = MappingProxyType(
    {"pledge": "pledges", "task": "tasks", "help": "help_requests", "approval": "approvals", "compensation": "compensations"}
)
"""Each kind of what is owed, and where the case keeps it."""


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody left for those who work on the case."""

    by: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is at stake for the customer, as people recorded it; `distress` goes from 1, calm, to 5. None where nobody has said."""

    by: str
    at: datetime
    why: str
    value: Money | None = None
    vulnerable: bool | None = None
    distress: int | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that belongs to the case; its name and digest go when the customer is erased, as its bytes do."""

    id: UUID
    by: str
    at: datetime
    media_type: str
    size: int
    name: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """Which component of the service failed; of people, `because` says what they lacked."""

    component: str
    because: str | None
    what: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Review:
    """What was learned of a case that had ended."""

    by: str
    at: datetime
    what: str


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
    """What the acts so far add up to; `version` is their number, `chapter` how often it was begun."""

    id: UUID
    customer: UUID
    state: State
    severity: Severity
    opened_at: datetime
    changed_at: datetime
    version: int = 0
    chapter: int = 1
    playbook: str | None = None
    playbook_version: int = 0
    owner: str | None = None
    ask: str | None = None
    merged_into: UUID | None = None
    failures: Mapping[UUID, Failure] = field(default_factory=dict)
    pledges: Mapping[UUID, Pledge] = field(default_factory=dict)
    tasks: Mapping[UUID, Task] = field(default_factory=dict)
    approvals: Mapping[UUID, Approval] = field(default_factory=dict)
    compensations: Mapping[UUID, Compensation] = field(default_factory=dict)
    ledger: Mapping[UUID, Entry] = field(default_factory=dict)
    gestures: Mapping[UUID, Gesture] = field(default_factory=dict)
    fair: Money | None = None
    """What would be fair to give for it, as its playbook says, or somebody who knows what it cost the customer."""
    verdicts: Mapping[str, str] = field(default_factory=dict)
    climbed: frozenset[str] = frozenset()
    """The rungs of the escalation ladder that were reached."""
    notes: tuple[Note, ...] = ()
    help_requests: Mapping[UUID, Help] = field(default_factory=dict)
    offered_to: str | None = None
    assessment: Assessment | None = None
    attachments: Mapping[UUID, Attachment] = field(default_factory=dict)
    watchers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Who looks on, and the kinds of act that each wants to be told of."""
    cause: Cause | None = None
    reviews: tuple[Review, ...] = ()
    messages: Mapping[UUID, Message] = field(default_factory=dict)
    contacts: tuple[Contact, ...] = ()
    preferences: Preferences | None = None
    """As recorded here last; what was recorded in another case of the customer's may be newer."""
    feedback: tuple[Feedback, ...] = ()
    groups: Mapping[UUID, bool] = field(default_factory=dict)
    """The mass failures it is part of; False where somebody took it out again."""

    def owed(self) -> Iterator[tuple[str, Owed]]:
        """Everything that falls due in it, with its kind."""
        for kind, part in PARTS.items():
            yield from ((kind, each) for each in getattr(self, part).values())

    def owes(self, identity: UUID) -> tuple[str, Owed] | None:
        """What has this id, with its kind; None where the case owes no such thing."""
        return next(((kind, each) for kind, each in self.owed() if each.id == identity), None)

    @property
    def due(self) -> datetime | None:
        """When the next thing falls due that is not done."""
        return min((each.due for _, each in self.owed() if each.state is OwedState.OPEN), default=None)

    @property
    def was_told(self) -> bool:
        """Whether the customer has heard of the failure from us."""
        sent = any(each.state is MessageState.SENT for each in self.messages.values())
        paid = any(each.paid for each in self.compensations.values())
        return sent or paid or bool(self.pledges or self.gestures) or self.state in {State.REMEDIED} | WATCHED

    @property
    def standing(self) -> list[Failure]:
        """The failures that were not withdrawn."""
        return [each for each in self.failures.values() if not each.withdrawn]
