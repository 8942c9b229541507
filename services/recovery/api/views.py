"""What clients read of a case. Its parts are shown as the domain has them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.recovery import audit
from services.recovery.domain.case import (
    Approval,
    Assessment,
    Attachment,
    Case,
    Cause,
    Compensation,
    Failure,
    Help,
    Note,
    OwedState,
    Pledge,
    Review,
    Severity,
    State,
    Task,
)
from services.recovery.domain.ledger import sums
from services.recovery.domain.money import Entry, Gesture, Money, Sums
from services.recovery.domain.voice import Contact, Feedback, Message, Preferences


class CaseView(BaseModel):
    """A case as it stands; `due` is when the next thing owed in it falls due."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    customer: UUID
    state: State
    severity: Severity
    owner: str | None
    ask: str | None = Field(description="what a person must decide")
    due: datetime | None
    opened_at: datetime
    changed_at: datetime
    version: int
    chapter: int = Field(description="one more each time that it was opened again")
    playbook: str | None = Field(description="how it is made good")
    playbook_version: int
    merged_into: UUID | None = Field(description="the case in which it goes on")
    failures: list[Failure]
    pledges: list[Pledge]
    tasks: list[Task]
    approvals: list[Approval]
    gestures: list[Gesture]
    ledger: list[Entry]
    compensations: list[Compensation]
    fair: Money | None = Field(description="what would be fair to give, as the playbook or a person says")
    sums: list[Sums] = Field(description="what the ledger adds up to, by currency")
    notes: list[Note]
    help_requests: list[Help] = Field(description="whom help was asked of, through whose hands it went, and what came of it")
    offered_to: str | None = Field(description="whom the owner has asked to take it over")
    assessment: Assessment | None = Field(description="what is at stake for the customer, as people recorded it")
    attachments: list[Attachment]
    watchers: dict[str, list[str]] = Field(description="who looks on, and of what each is told")
    cause: Cause | None
    reviews: list[Review] = Field(description="what was learned once it had ended")
    messages: list[Message]
    contacts: list[Contact]
    preferences: Preferences | None = Field(description="how the customer wants to be spoken to, as recorded in this case")
    feedback: list[Feedback] = Field(description="how it was, afterwards; of the customer and of those who helped")
    verdicts: dict[str, str] = Field(description="what was judged of the case itself, by promise")
    mass_failures: list[UUID] = Field(description="the mass failures that it is part of")
    climbed: list[str] = Field(description="the rungs of the escalation ladder that were reached")


class GoingOn(BaseModel):
    """What is still to be done of a case that was merged; acts on it name that case and its `version`."""

    model_config = ConfigDict(from_attributes=True)

    case: UUID
    version: int
    pledges: list[Pledge]
    tasks: list[Task]
    help_requests: list[Help]
    approvals: list[Approval]


class ActView(BaseModel):
    """One act of a case's audit trail; `digest` covers it and the digest before it."""

    number: int
    kind: str
    by: str
    at: datetime
    content: dict[str, Any]
    payload: dict[str, str]
    payload_digest: str = Field(description="stays where the words are erased")
    digest: str


class Audit(BaseModel):
    """The whole trail of a case, to be verified by whoever reads it: `digest` is that of its last act, as the case has it."""

    case: UUID
    version: int
    digest: str
    acts: list[ActView]


class CaseWithActs(CaseView):
    """A case with everything that was ever done in it."""

    acts: list[ActView]
    merged: list[GoingOn] = Field(description="of the cases that were merged into it, what is still to be done")


class CasePage(BaseModel):
    """Some cases, those due next first; `next` continues behind them."""

    items: list[CaseView]
    next: str | None


def view(case: Case) -> CaseView:
    """A case as clients read it."""
    return CaseView.model_validate(members(case))


def going_on(case: Case) -> GoingOn:
    """What is still to be done of a case that was merged."""
    shown = members(case)
    parts = ("pledges", "tasks", "help_requests", "approvals")
    left = {part: [each for each in shown[part] if each.state is OwedState.OPEN] for part in parts}
    return GoingOn(case=case.id, version=case.version, **left)


def members(case: Case) -> dict[str, Any]:
    """The members of a case as clients read it; parts in the order of their times."""
    found = {name: getattr(case, name) for name in CaseView.model_fields if name not in {"sums", "mass_failures"}}
    return found | {
        "failures": sorted(case.failures.values(), key=lambda each: (each.broken_at, each.commitment)),
        "pledges": sorted(case.pledges.values(), key=lambda each: (each.due, each.id)),
        "tasks": sorted(case.tasks.values(), key=lambda each: (each.due, each.id)),
        "help_requests": sorted(case.help_requests.values(), key=lambda each: (each.due, each.id)),
        "attachments": sorted(case.attachments.values(), key=lambda each: (each.at, each.id)),
        "messages": list(case.messages.values()),
        "approvals": sorted(case.approvals.values(), key=lambda each: (each.due, each.id)),
        "compensations": sorted(case.compensations.values(), key=lambda each: (each.due, each.id)),
        "gestures": sorted(case.gestures.values(), key=lambda each: (each.at, each.id)),
        "ledger": sorted(case.ledger.values(), key=lambda each: (each.at, each.id)),
        "sums": sums(case),
        "climbed": sorted(case.climbed),
        "mass_failures": sorted(each for each, inside in case.groups.items() if inside),
    }


def act_view(entry: audit.Entry) -> ActView:
    """A row of the trail as clients read it."""
    happened = entry.happened
    return ActView(
        number=entry.number, kind=happened.kind, by=happened.by, at=happened.at, content=dict(happened.content),
        payload=dict(happened.payload), payload_digest=entry.payload_digest.hex(), digest=entry.digest.hex(),
    )  # fmt: skip
