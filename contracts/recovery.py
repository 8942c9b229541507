"""Events of the recovery service: the touchpoints of its own work, and the facts of its cases."""

from typing import Any, Final, Literal
from uuid import UUID

from pydantic import Field

from contracts import topics
from contracts.envelope import CustomerKey, EventType, Model, NumberedFact, OwnTouchpoint, Time, example
from contracts.milestones import (
    ApprovalAsked,
    ApprovalDecided,
    CalledOff,
    CaseMilestone,
    CompensationExempted,
    CompensationOwed,
    CompensationPaid,
    ContactRecorded,
    FailureRecorded,
    FeedbackGiven,
    GestureGiven,
    HelpAsked,
    HelpStep,
    MessageSent,
    PledgeFulfilled,
    PledgeMade,
    Severity,
    State,
    TaskDone,
    TaskSet,
)

SOURCE: Final = "makegood/recovery"


class Failure(Model):
    """A failure that a case is about."""

    commitment: UUID = Field(description="the commitment that was broken")
    promise: str = Field(description="the promise's name")
    severity: Severity = Field(description="how much it hurts")
    at_risk: bool = Field(default=False, description="it is not broken yet: we make good before the customer notices")


class Reported(Model):
    """A failure that no promise told, but somebody."""

    id: UUID = Field(description="of the failure, as a commitment's")
    severity: Severity = Field(description="how much it hurts")


class OwedFact(Model):
    """Something that falls due in a case, as the case knows it."""

    id: UUID = Field(description="the pledge, task, request, approval or compensation")
    due: Time = Field(description="by when")


class MoneyFact(Model):
    """Money in a case: asked, given, spent, owed or paid, as the fact's type says."""

    amount: str = Field(description="an exact decimal")
    currency: str = Field(description="the ISO 4217 code")
    kind: str | None = Field(default=None, description="what it is of")
    bearer: Literal["unit", "supplier", "employee"] | None = Field(default=None, description="who bore it")
    promise: str | None = Field(default=None, description="the broken promise that owes it")


class CaseFact(Model):
    """How a case stands after something happened in it."""

    case: UUID = Field(description="the work of making one customer whole")
    customer: CustomerKey
    state: State = Field(description="where the case stands now")
    severity: Severity = Field(description="how much its worst failure hurts")
    owner: str | None = Field(default=None, description="who works on it; none while nobody does")
    by: str | None = Field(default=None, description="who did it; none where it followed by itself")
    failure: Failure | None = Field(default=None, description="the failure that opened or joined")
    reported: Reported | None = Field(default=None, description="the failure that opened or joined, where somebody reported it")
    pledge: OwedFact | None = Field(default=None, description="the pledge that this is about")
    task: OwedFact | None = Field(default=None, description="the task that this is about")
    help: OwedFact | None = Field(default=None, description="the request for help that this is about")
    message: UUID | None = Field(default=None, description="the message to the customer that this is about")
    mass_failure: UUID | None = Field(default=None, description="the mass failure that this is about")
    approval: OwedFact | None = Field(default=None, description="the approval that this is about")
    compensation: OwedFact | None = Field(default=None, description="the compensation that this is about")
    money: MoneyFact | None = Field(default=None, description="the money that this is about")
    reason: str | None = Field(default=None, description="why, as a slug")
    tell: list[str] | None = Field(default=None, description="who is to be told of it, by the playbook")


_CUSTOMER: Final = "6b2b4c0e-5a53-5d0c-9c0a-0c7f5f8f2a11"
_CASE: Final = "b5a6a0de-4b8a-5f67-8a37-1d1f6f0f9c21"
_PLEDGE: Final = "e4b0c2a1-1c7d-5e93-b8a5-9f3f1a7c6d42"
_TASK: Final = "0a0c0f38-7d0e-5a41-9a55-3c1e6f1b7d60"
_HELP: Final = "5d0b3f6e-2f57-5b8e-8d0c-6a8f3a1c2e71"
_APPROVAL: Final = "7c1d0b52-52a3-5c39-9d0e-6f3f5c0f1a17"
_COMPENSATION: Final = "3e0b7d0a-61c7-5f60-8f0d-2b9c6a4d7e55"
_TEN: Final = {"amount": "10.00", "currency": "EUR"}
_COMMITMENT: Final = "2f0d8f0a-93fb-5c1b-8f55-3a4c1c6e7d90"
_WHEN, _DUE = "2026-02-02T09:00:00.000Z", "2026-02-03T10:00:00.000Z"
_FAILURE: Final = {"commitment": _COMMITMENT, "promise": "delivered-in-two-days", "severity": "medium"}

_TOUCHPOINTS: Final[dict[str, tuple[str, type[CaseMilestone], dict[str, Any]]]] = {
    "failure.recorded": ("A failure of ours reached its case.", FailureRecorded, _FAILURE),
    "case.opened": ("A case was opened.", CaseMilestone, {}),
    "case.owned": ("Somebody took the case on.", CaseMilestone, {}),
    "case.remedied": ("What was wrong has been put right.", CaseMilestone, {}),
    "case.confirmed": ("The customer says that it is put right.", CaseMilestone, {}),
    "case.restored": ("Evidence shows that the customer is back.", CaseMilestone, {}),
    "case.not_restored": ("Evidence shows that the customer is not back.", CaseMilestone, {}),
    "case.unknown": ("Nothing was heard that would show how the customer is.", CaseMilestone, {}),
    "case.withdrawn": ("There was no failure after all.", CaseMilestone, {}),
    "pledge.made": (
        "We promised the customer something inside the case.",
        PledgeMade,
        {"pledge_id": _PLEDGE, "what": "we call you by 10 tomorrow", "due": _DUE},
    ),
    "pledge.fulfilled": ("What was pledged has been done.", PledgeFulfilled, {"pledge_id": _PLEDGE}),
    "case.declined": ("The customer wants nothing more of us in this.", CaseMilestone, {}),
    "task.set": ("Something is to be done in a case by a time.", TaskSet, {"task_id": _TASK, "what": "call the customer", "due": _DUE}),
    "task.done": ("A task was done.", TaskDone, {"task_id": _TASK}),
    "help.asked": ("Help was asked for in a case.", HelpAsked, {"help_id": _HELP, "due": _DUE}),
    "help.accepted": ("Somebody will help.", HelpStep, {"help_id": _HELP}),
    "help.answered": ("Somebody told what came of a request for help.", HelpStep, {"help_id": _HELP}),
    "message.sent": ("A message went out to the customer.", MessageSent, {"message_id": _TASK, "name": "sorry", "channel": "email"}),
    "contact.recorded": (
        "Somebody spoke with the customer, or tried to.",
        ContactRecorded,
        {"channel": "phone", "reached": True, "from_customer": False},
    ),
    "feedback.given": ("It was said how it was.", FeedbackGiven, {"side": "customer", "outcome": 5, "treatment": 4, "friend": 5}),
    "approval.asked": (
        "Somebody asks for what is beyond their authority.",
        ApprovalAsked,
        {"approval_id": _APPROVAL, "kind": "time_off", "days": "2", "due": _DUE},
    ),
    "approval.decided": ("Somebody else decided what was asked.", ApprovalDecided, {"approval_id": _APPROVAL, "decision": "granted"}),
    "gesture.given": ("Something was given to the customer to make good.", GestureGiven, {"gift": "deed"}),
    "compensation.owed": (
        "A broken promise owes the customer money by rule.",
        CompensationOwed,
        {"compensation_id": _COMPENSATION, "promise": "delivered-in-two-days", "due": _DUE} | _TEN,
    ),
    "compensation.paid": (
        "The customer was paid what a broken promise owed them.",
        CompensationPaid,
        {"compensation_id": _COMPENSATION, "promise": "delivered-in-two-days"} | _TEN,
    ),
    "owed.called_off": ("What fell due in a case is owed no longer.", CalledOff, {"task_id": _TASK}),
    "compensation.exempted": ("It is not owed after all.", CompensationExempted, {"compensation_id": _COMPENSATION, "ground": "storm"}),
}
TOUCHPOINT_FIELDS: Final = {f"recovery.{kind}": tuple(data.model_fields) for kind, (_, data, _) in _TOUCHPOINTS.items()}
"""By type, what the data of a touchpoint of ours has."""

_OWNER: Final = {"owner": "maria"}
_ASKED: Final = _OWNER | {"help": {"id": _HELP, "due": _DUE}}
_ASKS: Final = {"approval": {"id": _APPROVAL, "due": _DUE}}
_OWED: Final = {"compensation": {"id": _COMPENSATION, "due": _DUE}}
_FACTS: Final[dict[str, tuple[str, State, dict[str, Any]]]] = {
    "opened": ("A failure opened a case.", "open", {"failure": _FAILURE}),
    "joined": ("One more failure joined the customer's open case.", "owned", _OWNER | {"failure": _FAILURE}),
    "reopened": ("A failure within the time of watching opened the case again.", "owned", _OWNER | {"failure": _FAILURE}),
    "repeated": ("What had been put right failed again.", "watching", _OWNER | {"failure": _FAILURE}),
    "failure_broken": ("What a case was opened for while it was at risk was broken.", "owned", _OWNER | {"failure": _FAILURE}),
    "failure_withdrawn": ("A correction took one of several failures away.", "owned", _OWNER),
    "asked": ("A person has to decide something about the case.", "owned", _OWNER),
    "owned": ("Somebody took the case on.", "owned", _OWNER),
    "pledged": ("The owner promised the customer something.", "owned", _OWNER | {"pledge": {"id": _PLEDGE, "due": _DUE}}),
    "pledge_postponed": ("The customer was told that it takes longer.", "owned", _OWNER | {"pledge": {"id": _PLEDGE, "due": _DUE}}),
    "pledge_fulfilled": ("The owner says that the pledge is fulfilled.", "owned", _OWNER | {"pledge": {"id": _PLEDGE, "due": _DUE}}),
    "pledge_kept": ("A pledge was judged kept.", "owned", _OWNER | {"pledge": {"id": _PLEDGE, "due": _DUE}}),
    "pledge_at_risk": ("A pledge will be broken unless it is fulfilled soon.", "owned", _OWNER | {"pledge": {"id": _PLEDGE, "due": _DUE}}),
    "pledge_broken": ("A pledge was judged broken: a double deviation.", "owned", _OWNER | {"pledge": {"id": _PLEDGE, "due": _DUE}}),
    "escalated": ("The case became more severe.", "owned", _OWNER | {"severity": "high"}),
    "remedied": ("The owner says that it is put right.", "remedied", _OWNER),
    "confirmed": ("The customer says that it is put right.", "confirmed", _OWNER),
    "disputed": ("The customer says that it is not put right.", "owned", _OWNER),
    "watching": ("The restored rule is being judged.", "watching", _OWNER),
    "restored": ("The restored rule was kept.", "restored", _OWNER),
    "not_restored": ("The restored rule was broken.", "not_restored", _OWNER),
    "unknown": ("Nothing was heard that would show how the customer is.", "unknown", _OWNER),
    "withdrawn": ("A correction showed that there was no failure.", "withdrawn", {"reason": "corrected"}),
    "answered": ("A person decided what the case asked.", "owned", _OWNER),
    "declined": ("The customer wants nothing more.", "declined", _OWNER),
    "merged": ("It goes on in another case of the same customer.", "merged", _OWNER),
    "unmerged": ("It goes on by itself again.", "owned", _OWNER),
    "severity_set": ("Somebody who knows the customer says how much it hurts.", "owned", _OWNER | {"severity": "critical"}),
    "severity_raised": ("A rule of the playbook made the case more severe.", "owned", _OWNER | {"severity": "critical"}),
    "assessed": ("Somebody recorded what is at stake for the customer.", "owned", _OWNER),
    "noted": ("Somebody left a note.", "owned", _OWNER),
    "task_set": ("Something is to be done by a time.", "owned", _OWNER | {"task": {"id": _TASK, "due": _DUE}}),
    "task_done": ("A task was done.", "owned", _OWNER | {"task": {"id": _TASK, "due": _DUE}}),
    "task_kept": ("A task was judged done in time.", "owned", _OWNER | {"task": {"id": _TASK, "due": _DUE}}),
    "message_drafted": ("A message to the customer was written.", "owned", _OWNER | {"message": _TASK}),
    "message_queued": ("A message goes out once hours and restraint allow it.", "owned", _OWNER | {"message": _TASK}),
    "message_sent": ("A message went out to the customer.", "owned", _OWNER | {"message": _TASK}),
    "message_incomplete": (
        "The playbook would have written to the customer, and the case lacks what the message asks for: the owner decides.",
        "owned",
        _OWNER | {"message": _TASK, "reason": "the case lacks pledge_due"},
    ),
    "message_failed": ("A message could not be delivered.", "owned", _OWNER | {"message": _TASK, "reason": "refused"}),
    "message_discarded": ("A message is not sent after all.", "owned", _OWNER | {"message": _TASK}),
    "contact_recorded": ("Somebody spoke with the customer, or tried to.", "owned", _OWNER),
    "preferences_set": ("It was recorded how the customer wants to be spoken to.", "owned", _OWNER),
    "feedback_given": ("It was said how it was.", "confirmed", _OWNER),
    "task_at_risk": ("A task will be late unless it is done soon.", "owned", _OWNER | {"task": {"id": _TASK, "due": _DUE}}),
    "task_broken": ("A task was judged late.", "owned", _OWNER | {"task": {"id": _TASK, "due": _DUE}}),
    "help_asked": ("Help was asked for.", "owned", _ASKED),
    "help_accepted": ("Somebody will help.", "owned", _ASKED),
    "help_passed": ("A request for help was passed on.", "owned", _ASKED),
    "help_answered": ("Somebody told what came of a request for help.", "owned", _ASKED),
    "help_thanked": ("Those who helped were thanked.", "owned", _ASKED),
    "help_kept": ("Help was judged to have come in time.", "owned", _ASKED),
    "help_at_risk": ("Help will be late unless it comes soon.", "owned", _ASKED),
    "help_broken": ("Help was judged late.", "owned", _ASKED),
    "offered": ("The owner asks somebody to take the case over.", "owned", _OWNER),
    "offer_refused": ("Whoever was asked to take the case over did not.", "owned", _OWNER),
    "cause_set": ("Somebody said which component failed.", "remedied", _OWNER),
    "reviewed": ("Somebody said what was learned.", "restored", _OWNER),
    "watcher_came": ("Somebody looks on from now on.", "owned", _OWNER),
    "attached": ("A file was put into the case.", "owned", _OWNER),
    "detached": ("A file was taken out of the case.", "owned", _OWNER),
    "watcher_left": ("Somebody looks on no longer.", "owned", _OWNER),
    "approval_asked": ("Somebody asks for what is beyond their authority.", "owned", _OWNER | _ASKS | {"money": _TEN | {"kind": "money"}}),
    "approval_granted": ("Somebody else said yes to what was asked.", "owned", _OWNER | _ASKS),
    "approval_refused": ("Somebody else said no to what was asked.", "owned", _OWNER | _ASKS),
    "approval_kept": ("What was asked was decided in time.", "owned", _OWNER | _ASKS),
    "approval_at_risk": ("What was asked will be decided too late unless it is soon.", "owned", _OWNER | _ASKS),
    "approval_broken": ("What was asked was not decided in time.", "owned", _OWNER | _ASKS),
    "given": ("Something was given to make good.", "owned", _OWNER | {"money": _TEN | {"kind": "gesture", "bearer": "unit"}}),
    "thanked": ("The customer said something to what was given.", "owned", _OWNER),
    "spent": ("The case cost something.", "owned", _OWNER | {"money": _TEN | {"kind": "third_party", "bearer": "employee"}}),
    "repaid": ("An employee got back what they had paid of their own.", "owned", _OWNER | {"money": _TEN}),
    "grouped": ("The case is part of a mass failure.", "open", {"mass_failure": _TASK}),
    "ungrouped": ("The case is not part of a mass failure after all.", "owned", _OWNER | {"mass_failure": _TASK}),
    "fair_set": ("Somebody says what would be fair to give.", "owned", _OWNER | {"money": _TEN}),
    "compensation_owed": ("A broken promise owes the customer money by rule.", "open", _OWED | {"money": _TEN}),
    "compensation_paid": ("The customer was paid it.", "owned", _OWNER | _OWED | {"money": _TEN | {"bearer": "unit"}}),
    "compensation_exempted": ("It is not owed after all.", "owned", _OWNER | _OWED),
    "compensation_kept": ("It was judged paid in time.", "owned", _OWNER | _OWED),
    "compensation_at_risk": ("It will be paid too late unless it is soon.", "owned", _OWNER | _OWED),
    "compensation_broken": ("It was judged not paid in time: a double deviation.", "owned", _OWNER | _OWED),
}


KINDS: Final = frozenset(_FACTS)
"""Everything that happens in a case and is told: `owned` of `makegood.case.owned`."""


def _touchpoint(kind: str, meaning: str, data: type[CaseMilestone], further: dict[str, Any]) -> EventType:
    name = f"recovery.{kind}"
    return EventType(
        name=name,
        topic=topics.ACTS,
        envelope=OwnTouchpoint,
        data=data,
        source=SOURCE,
        meaning=meaning,
        example=example(name, SOURCE, f"{_CASE}:1:{kind}", subject=f"customer:{_CUSTOMER}", time=_WHEN, data={"case_id": _CASE} | further),
    )


def _fact(kind: str, meaning: str, state: State, further: dict[str, Any]) -> EventType:
    name = f"makegood.case.{kind}"
    data = {"case": _CASE, "customer": _CUSTOMER, "state": state, "severity": "medium", "owner": None} | further
    return EventType(
        name=name,
        topic=topics.RECOVERY,
        envelope=NumberedFact,
        data=CaseFact,
        source=SOURCE,
        meaning=meaning,
        example=example(name, SOURCE, f"{_CASE}:1:{kind}", time=_WHEN, customer=_CUSTOMER, data=data),
    )


EVENTS: Final = (
    *(_touchpoint(kind, *row) for kind, row in _TOUCHPOINTS.items()),
    *(_fact(kind, *row) for kind, row in _FACTS.items()),
    EventType(
        name="makegood.recovery.erased",
        topic=topics.RECOVERY,
        envelope=NumberedFact,
        data=None,
        source=SOURCE,
        meaning="What recovery kept of this customer's words is emptied; where their cases stood stands, and nothing more happens in them.",
        example=example(
            "makegood.recovery.erased", SOURCE, f"{_CUSTOMER}:erased", time="2026-05-04T09:00:06.000Z", customer=_CUSTOMER, data={}
        ),
    ),
)
