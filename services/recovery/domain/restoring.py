"""From remedy to the customer's return: remedied by the case's owner, confirmed by the customer, restored by judged promises alone."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.recovery.domain.case import IN_WORK, JUDGED, SYSTEM, Case, Happened, Note, State
from services.recovery.domain.deeds import Decide, Deed, Fold
from services.recovery.domain.owed import climb
from services.recovery.domain.playbook import CONFIRMED_LATE_BY, DECLINED_BY, DISPUTED_BY, DISPUTED_LATE_BY, Playbook
from services.recovery.domain.severity import hurt
from services.recovery.domain.things import call_off


def remedy_case(_case: Case, deed: Deed) -> list[Happened]:
    """Say what was done to make it good."""
    return [deed.happened("remedied", what=deed.needs["what"])]


def confirm_case(case: Case, deed: Deed) -> list[Happened]:
    """Take the customer's own answer. A customer answers for their own case only."""
    deed.require_own(case)
    return _confirmed(deed.actor.subject, deed.at)


def decline_case(case: Case, deed: Deed) -> list[Happened]:
    """The customer wants nothing more."""
    deed.require_own(case)
    return [deed.happened("declined", why=deed.needs["why"])]


def note_case(_case: Case, deed: Deed) -> list[Happened]:
    """Leave a note."""
    return [deed.happened("noted", text=deed.needs["text"])]


def judge_case(case: Case, playbook: Playbook, promise: str, verdict: str, at: datetime, *, busy: bool = False) -> list[Happened]:
    """A promise about the case was judged: it confirms, shows restored or not, or, broken, climbs the ladder.

    `busy`: another case of the customer is in work, and there is one at most.
    """
    if promise == playbook.confirmed_by or (promise == CONFIRMED_LATE_BY and case.state is State.UNKNOWN):
        return _answered(case, verdict, at)
    if promise in _SAYS:
        return _said_themselves(case, playbook, promise, verdict, at, busy=busy)
    if promise in playbook.restored_by:
        if case.verdicts.get(promise) == verdict:
            return []
        return [Happened("judged", SYSTEM, at, {"promise": promise, "verdict": verdict})]
    return climb(case, playbook, promise, at) if verdict == "broken" else []


_SAYS: Final = {
    DECLINED_BY: ("declined", IN_WORK | JUDGED | {State.UNKNOWN}),
    DISPUTED_BY: ("disputed", frozenset({State.REMEDIED})),
    DISPUTED_LATE_BY: ("disputed", frozenset({State.UNKNOWN})),
}
"""What a customer's own answer makes of a case, and in which states."""


def _said_themselves(case: Case, playbook: Playbook, promise: str, verdict: str, at: datetime, *, busy: bool) -> list[Happened]:
    kind, states = _SAYS[promise]
    if verdict != "broken" or case.state not in states:
        return []
    if busy and case.state is State.UNKNOWN and kind == "disputed":  # who works on the other case hears what this one came to
        return [Happened("not_restored", SYSTEM, at)]
    said = Happened(kind, SYSTEM, at, payload={"why": "the customer's own answer"})
    return [said, *climb(replace(case, state=State.OWNED), playbook, promise, at)] if kind == "disputed" else [said]


def _answered(case: Case, verdict: str, at: datetime) -> list[Happened]:
    if verdict == "kept" and case.state in {State.REMEDIED, State.UNKNOWN}:
        return _confirmed(SYSTEM, at)
    if verdict == "broken" and case.state is State.REMEDIED:
        return [Happened("unknown", SYSTEM, at)]
    return []


def _confirmed(by: str, at: datetime) -> list[Happened]:
    return [Happened("confirmed", by, at), Happened("watching", SYSTEM, at)]


def settle(case: Case, playbook: Playbook, at: datetime) -> list[Happened]:
    """What the verdicts so far make of a watched case: one broken is enough against it, all kept restore it."""
    if case.state not in JUDGED or not playbook.restored_by:
        return []
    verdicts = {case.verdicts.get(promise) for promise in playbook.restored_by}
    open_or_kept = State.RESTORED if verdicts == {"kept"} else State.WATCHING
    end = State.NOT_RESTORED if "broken" in verdicts else open_or_kept
    return [] if end is case.state else [Happened(end.value, SYSTEM, at)]


def _judge(case: Case, happened: Happened) -> Case:
    return replace(case, verdicts={**case.verdicts, happened.content["promise"]: happened.content["verdict"]})


def _note(case: Case, happened: Happened) -> Case:
    return replace(case, notes=(*case.notes, Note(happened.by, happened.at, happened.payload.get("text", ""))))


def _escalate(case: Case, happened: Happened) -> Case:
    return replace(hurt(case, happened), climbed=case.climbed | {happened.content["why"]})


def _becomes(state: State) -> Fold:
    return lambda case, _happened: replace(case, state=state)


DECISIONS: Final[Mapping[str, Decide]] = {
    "remedy_case": remedy_case, "confirm_case": confirm_case, "decline_case": decline_case,
    "note_case": note_case,
}  # fmt: skip
FOLDS: Final[Mapping[str, Fold]] = {
    "escalated": _escalate,
    "noted": _note,
    "judged": _judge,
    "declined": lambda case, _happened: call_off(replace(case, state=State.DECLINED)),
    "disputed": _becomes(State.OWNED),
    **{
        state.value: _becomes(state)
        for state in (
            State.REMEDIED, State.CONFIRMED, State.WATCHING, State.RESTORED, State.NOT_RESTORED, State.UNKNOWN,
        )
    },
}  # fmt: skip
