"""What the touchpoints of recovery say: the milestones of its own work, which promises can be made about."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from contracts.envelope import Model, Time

State = Literal[
    "open", "owned", "remedied", "confirmed", "watching", "restored", "not_restored", "unknown", "withdrawn", "declined", "merged"
]
Severity = Literal["low", "medium", "high", "critical"]


class CaseMilestone(Model):
    """A step of a case, as a touchpoint that promises can be made about."""

    case_id: UUID = Field(description="the case; what internal promises correlate by")


class FailureRecorded(CaseMilestone):
    """A promise to the customer was broken, and the case knows of it."""

    commitment: UUID | None = Field(default=None, description="the commitment that was broken")
    promise: str | None = Field(default=None, description="the promise's name")
    severity: Severity | None = Field(default=None, description="how much the failure hurts")


class PledgeMade(CaseMilestone):
    """A promise made to the customer inside the case, to be judged like every other."""

    pledge_id: UUID = Field(description="the pledge; what its promise correlates by")
    what: str = Field(description="what was promised, in words")
    due: Time = Field(description="by when")


class PledgeFulfilled(CaseMilestone):
    """What was pledged has been done."""

    pledge_id: UUID = Field(description="the pledge")


class TaskSet(CaseMilestone):
    """Something to be done in a case, to be judged like every promise."""

    task_id: UUID = Field(description="the task; what its promise correlates by")
    name: str | None = Field(default=None, description="the name in the playbook; left out where a person set it")
    assignee: str | None = Field(default=None, description="who is to do it")
    what: str = Field(description="what is to be done")
    due: Time = Field(description="by when")


class TaskDone(CaseMilestone):
    """A task was done."""

    task_id: UUID = Field(description="the task")


class HelpAsked(CaseMilestone):
    """Somebody asks a colleague for help in a case, or whoever can."""

    help_id: UUID = Field(description="the request; what its promise correlates by")
    assignee: str | None = Field(default=None, description="who is asked; left out where whoever can is")
    due: Time = Field(description="by when")


class HelpStep(CaseMilestone):
    """A request for help went on."""

    help_id: UUID = Field(description="the request")


class MessageSent(CaseMilestone):
    """A message went out to the customer."""

    message_id: UUID = Field(description="the message")
    name: str | None = Field(default=None, description="the name in the playbook; left out where somebody wrote it themselves")
    channel: str = Field(description="how it went")


class ContactRecorded(CaseMilestone):
    """Somebody spoke with the customer, or tried to."""

    channel: str = Field(description="how")
    reached: bool = Field(description="whether they were reached")
    from_customer: bool = Field(description="whether they came to us")


class FeedbackGiven(CaseMilestone):
    """How it was, from 1 (not at all) to 5 (entirely)."""

    side: Literal["customer", "helper"] = Field(description="whose word it is")
    outcome: int | None = Field(default=None, description="what came of it was just")
    process: int | None = Field(default=None, description="how it came about was just")
    treatment: int | None = Field(default=None, description="the customer was treated justly")
    friend: int | None = Field(default=None, description="it felt like being helped by, or like helping, a friend")


class ApprovalAsked(CaseMilestone):
    """Somebody asks for what is beyond their authority, to be decided by a time."""

    approval_id: UUID = Field(description="the approval; what its promise correlates by")
    kind: Literal["money", "goods", "time_off", "exception"] = Field(description="what it is of")
    amount: str | None = Field(default=None, description="how much money, or what the goods are worth: an exact decimal")
    currency: str | None = Field(default=None, description="the ISO 4217 code")
    days: str | None = Field(default=None, description="how many days off")
    due: Time = Field(description="by when it is to be decided")


class ApprovalDecided(CaseMilestone):
    """Somebody else said yes or no."""

    approval_id: UUID = Field(description="the approval")
    decision: Literal["granted", "refused"] = Field(description="what was decided")


class GestureGiven(CaseMilestone):
    """Something was given to the customer to make good."""

    gift: Literal["money", "goods", "deed"] = Field(description="what it is made of")
    amount: str | None = Field(default=None, description="what it is worth: an exact decimal; left out for a deed without price")
    currency: str | None = Field(default=None, description="the ISO 4217 code")


class CompensationOwed(CaseMilestone):
    """A broken promise owes the customer money by rule, to be paid by a time."""

    compensation_id: UUID = Field(description="what is owed; what its promise correlates by")
    promise: str = Field(description="the promise that was broken")
    amount: str = Field(description="an exact decimal")
    currency: str = Field(description="the ISO 4217 code")
    due: Time = Field(description="by when")


class CompensationPaid(CaseMilestone):
    """The customer was paid what a broken promise owed them."""

    compensation_id: UUID = Field(description="what was owed")
    promise: str = Field(description="the promise that was broken")
    amount: str = Field(description="an exact decimal")
    currency: str = Field(description="the ISO 4217 code")


class CompensationExempted(CaseMilestone):
    """It is not owed after all."""

    compensation_id: UUID = Field(description="what was owed")
    ground: str = Field(description="why, as the playbook names it; `no-failure` where a correction took the failure back")


class CalledOff(CaseMilestone):
    """What fell due in a case is owed no longer: it was no failure, or the customer wants nothing more. One of these is named."""

    pledge_id: UUID | None = Field(default=None, description="the pledge")
    task_id: UUID | None = Field(default=None, description="the task")
    help_id: UUID | None = Field(default=None, description="the request for help")
    approval_id: UUID | None = Field(default=None, description="the approval")
