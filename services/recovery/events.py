"""What recovery tells others: each act is a fact on makegood.recovery, and the milestones are touchpoints of our own.

Touchpoints go back into the front door (makegood.acts), so that the one engine judges pledges and handling times.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from contracts.recovery import TOUCHPOINT_FIELDS
from services.chassis.instants import text_of
from services.recovery.domain.case import IN_WORK, PARTS, SYSTEM, Case, Happened, OwedState
from services.recovery.domain.things import of

FACTS: Final = "makegood.recovery"
TOUCHPOINTS: Final = "makegood.acts"
SOURCE: Final = "makegood/recovery"

_FAILURE: Final = ("commitment", "promise", "severity", "at_risk")
_SPENT: Final = ("amount", "currency", "kind", "bearer", "promise")
_RECORDED: Final = "recovery.failure.recorded"
_CALLED_OFF: Final = "recovery.owed.called_off"
_CALLS_OFF: Final = frozenset({"pledge_postponed", "withdrawn", "declined"})
_SILENT: Final = frozenset({"judged"})
"""What others know already, from makegood.promises."""
_MILESTONES: Final[Mapping[str, tuple[str, ...]]] = {
    "opened": (_RECORDED, "recovery.case.opened"),
    "reopened": (_RECORDED, "recovery.case.opened"),
    "joined": (_RECORDED,),
    "failure_broken": (_RECORDED,),
    "owned": ("recovery.case.owned",),
    "pledged": ("recovery.pledge.made",),
    "pledge_fulfilled": ("recovery.pledge.fulfilled",),
    "task_set": ("recovery.task.set",),
    "task_done": ("recovery.task.done",),
    "help_asked": ("recovery.help.asked",),
    "help_accepted": ("recovery.help.accepted",),
    "help_answered": ("recovery.help.answered",),
    "approval_asked": ("recovery.approval.asked",),
    "approval_granted": ("recovery.approval.decided",),
    "approval_refused": ("recovery.approval.decided",),
    "given": ("recovery.gesture.given",),
    "compensation_owed": ("recovery.compensation.owed",),
    "compensation_paid": ("recovery.compensation.paid",),
    "compensation_exempted": ("recovery.compensation.exempted",),
    "remedied": ("recovery.case.remedied",),
    "confirmed": ("recovery.case.confirmed",),
    "restored": ("recovery.case.restored",),
    "not_restored": ("recovery.case.not_restored",),
    "unknown": ("recovery.case.unknown",),
    "message_sent": ("recovery.message.sent",),
    "contact_recorded": ("recovery.contact.recorded",),
    "feedback_given": ("recovery.feedback.given",),
    "withdrawn": ("recovery.case.withdrawn",),
    "declined": ("recovery.case.declined",),
}


class Message(NamedTuple):
    """One CloudEvent on its way to a topic."""

    topic: str
    customer: UUID
    at: datetime
    body: bytes


def messages(case: Case, happened: Happened, traceparent: str | None = None) -> list[Message]:
    """What is said of one act; `case` is the case as that act left it."""
    said = []
    if happened.kind not in _SILENT:
        fact = _event(case, happened, f"makegood.case.{happened.kind}", _fact(case, happened))
        said.append((FACTS, fact | {"customer": str(case.customer)}))
    milestones = [each for each in _MILESTONES.get(happened.kind, ()) if each != _RECORDED or _is_recorded(case, happened)]
    said += [(TOUCHPOINTS, _event(case, happened, milestone, _touchpoint(case, happened, milestone))) for milestone in milestones]
    if happened.kind in _CALLS_OFF:
        said += [(TOUCHPOINTS, event) for event in _called_off(case, happened)]
    trace = {} if traceparent is None else {"traceparent": traceparent}
    return [Message(topic, case.customer, happened.at, orjson.dumps(event | trace)) for topic, event in said]


def _called_off(case: Case, happened: Happened) -> Iterator[dict[str, Any]]:
    """Of each thing that is not done yet: a promise about it correlates by the thing, which what is said of the case does not name."""
    for kind, each in case.owed():
        if each.state is OwedState.CALLED_OFF and each.done is None:
            event = _event(case, happened, _CALLED_OFF, {"case_id": str(case.id), f"{kind}_id": str(each.id)})
            yield event | {"id": f"{event['id']}:{each.id}"}


def _is_recorded(case: Case, happened: Happened) -> bool:
    """What is at risk is no failure yet; and what breaks once the customer has confirmed what was done about it is no repeat."""
    return not happened.content.get("at_risk") and (happened.kind != "failure_broken" or case.state in IN_WORK)


def heartbeat(partition: int, at: datetime) -> bytes:
    """Our sign of life in a partition of makegood.acts: all that we had to say by then is said."""
    return orjson.dumps({"specversion": "1.0", "id": f"{partition}:{text_of(at)}", "source": SOURCE, "type": "source.heartbeat"})


def erased(customer: UUID, at: datetime) -> Message:
    """What is said once the words of a customer are gone."""
    event = {"specversion": "1.0", "id": f"{customer}:erased", "source": SOURCE, "type": "makegood.recovery.erased", "time": text_of(at)}
    return Message(FACTS, customer, at, orjson.dumps(event | {"customer": str(customer), "data": {}}))


def _event(case: Case, happened: Happened, type_: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The CloudEvent. Its id is the act's place in the case: said again, it is the same event."""
    return {
        "specversion": "1.0",
        "id": f"{case.id}:{case.version}:{type_.removeprefix('makegood.').removeprefix('recovery.')}",
        "source": SOURCE,
        "type": type_,
        "subject": f"customer:{case.customer}",
        "time": text_of(happened.at),
        "datacontenttype": "application/json",
        "data": data,
    }


def _fact(case: Case, happened: Happened) -> dict[str, Any]:
    content = happened.content
    data: dict[str, Any] = {
        "case": str(case.id),
        "customer": str(case.customer),
        "state": case.state.value,
        "severity": case.severity.value,
        "owner": case.owner,
    }
    if happened.by != SYSTEM:
        data["by"] = happened.by
    if content.get("promise") and "commitment" in content:
        data["failure"] = {name: content[name] for name in _FAILURE if name in content}
    elif "severity" in content and "commitment" in content:
        data["reported"] = {"id": content["commitment"], "severity": content["severity"]}
    for kind in PARTS:
        if kind in content:
            data[kind] = {"id": content[kind], "due": _due(case, kind, happened)}
    data |= {name: content[name] for name in ("message", "mass_failure") if name in content}
    if "amount" in content:
        data["money"] = {name: content[name] for name in _SPENT if name in content}
    if "why" in content:
        data["reason"] = content["why"]
    if "tell" in content:
        data["tell"] = content["tell"]
    return data


def _touchpoint(case: Case, happened: Happened, type_: str) -> dict[str, Any]:
    """What the contract of the type has a field for, of what is known."""
    known: dict[str, Any] = {"case_id": str(case.id)} | dict(happened.content) | dict(happened.payload)
    if "message" in happened.content:
        known["message_id"] = happened.content["message"]
    for kind in PARTS:
        if kind in happened.content:
            known |= {f"{kind}_id": happened.content[kind], "due": _due(case, kind, happened)}
    return {name: known[name] for name in TOUCHPOINT_FIELDS[type_] if known.get(name) is not None}


def _due(case: Case, kind: str, happened: Happened) -> str:
    due: datetime = of(case, kind, happened).due
    return text_of(due)
