"""Other customers who lost a passport at the same counter, and for whom it went otherwise: steps to be played beside the story."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from services.cli.story import EXECUTIVE, HERSELF, LEAD, STORY, Act, Event, Step, moment

FAILED_TWICE, FOUND, FOUND_AFTER_A_WORD, GONE = "crm:5001", "crm:5002", "crm:5003", "crm:5004"
LOST: Final = (
    Event("visit.started", "comes for currency", {"purpose": "currency"}),
    Event("document.handed_over", "hands over her passport", {"document_id": "p", "document": "passport"}),
    Event("document.missing", "it is gone", {"document_id": "p"}, straight=True),
)
OPENED: Final = ("commitment.broken", "case.opened", "case.task_set", "case.compensation_owed")
FOUND_LATER: Final = Event("document.returned", "it had been in her hand", {"document_id": "p"}, late=timedelta(minutes=58, seconds=30))
"""Between the moment it was handed over and the one at which it was missed, and told an hour later."""


def _due(at: datetime, hours: int) -> str:
    return (at + timedelta(hours=hours)).isoformat()


def _failed_twice() -> tuple[Step, ...]:
    """Nothing is done by its time: not the call, the approval, the help, the search, the payment. She says nothing more."""
    at = moment("2012-09-06", "09:00")
    late, sorry = at + timedelta(hours=25), "I said I would call, and I did not. I am sorry; by six you know more."
    return (
        Step(at, LOST, OPENED),
        Step(
            at + timedelta(minutes=10),
            (
                Act("owner"),
                Act("pledges", {"what": "I call you tomorrow.", "due": _due(at, 24)}),
                Act("approvals", {"kind": "time_off", "days": "2", "what": "leave", "due": _due(at, 8)}),
                Act("help-requests", {"what": "Who can?", "due": _due(at, 8), "assignee": EXECUTIVE}),
            ),
            ("case.owned", "case.pledged", "case.approval_asked", "case.help_asked"),
        ),
        Step(
            late, (),
            (
                "case.pledge_broken", "case.approval_broken", "case.help_broken", "case.task_broken", *["case.escalated"] * 4,
                *["commitment.broken"] * 4,
            ),
        ),
        Step(
            late + timedelta(hours=1),
            (
                Act("contacts", {"channel": "phone", "reached": False}),
                Act("contacts", {"channel": "phone", "reached": True, "said": sorry, "felt": "angry"}),
                Act("pledges", {"what": sorry, "due": _due(late, 8)}),
                Act("pledges/{pledge}/fulfil"),
                Act("remedy", {"what": "a new passport"}),
            ),
            ("case.contact_recorded", "case.contact_recorded", "case.pledged", "case.pledge_kept", "case.remedied"),
        ),
        Step(at + timedelta(days=12), (), ("case.compensation_broken", "case.escalated")),
        Step(at + timedelta(days=33), (), ("case.unknown",)),
    )  # fmt: skip


def _found() -> tuple[Step, ...]:
    """Evidence comes an hour late, before anybody spoke with her."""
    at = moment("2012-09-11", "09:00")
    shows = ("commitment.corrected", "case.failure_withdrawn", "case.compensation_exempted", "case.withdrawn")
    return (Step(at, LOST, OPENED), Step(at + timedelta(hours=1), (FOUND_LATER,), shows))


def _found_after_a_word() -> tuple[Step, ...]:
    """The same, and she had been told already; what follows a person decides, and that it is good again she says herself."""
    at = moment("2012-09-12", "09:00")
    return (
        Step(at, LOST, OPENED),
        Step(
            at + timedelta(minutes=10),
            (Act("owner"), Act("pledges", {"what": "I call you tonight.", "due": _due(at, 10)})),
            ("case.owned", "case.pledged"),
        ),
        Step(at + timedelta(hours=1), (FOUND_LATER,), ("commitment.corrected", "case.failure_withdrawn", "case.asked")),
        Step(
            at + timedelta(hours=2),
            (
                Act("answer", {"was_told": True, "why": "We had told her that it was lost; we owe her a word."}),
                Act("pledges/{pledge}/fulfil"),
                Act("remedy", {"what": "told her that it was in her own hand, and that we are sorry for the fright"}),
                Act("confirm", by=LEAD, refused="forbidden"),
                Act("confirm", by=HERSELF),
            ),
            ("case.answered", "case.pledge_kept", "case.remedied", "case.confirmed", "case.watching", *["commitment.kept"] * 2),
        ),
    )


def _gone() -> tuple[Step, ...]:
    """All is made good, she says so herself, and never comes back."""
    at = moment("2012-09-13", "09:00")
    return (
        Step(at, LOST, OPENED),
        Step(
            at + timedelta(minutes=10),
            (Act("owner"), Act("compensations/{compensation}/pay", {"unit": "branch"}), Act("remedy", {"what": "a new passport"})),
            ("case.owned", "case.compensation_kept", "case.remedied"),
        ),
        Step(
            at + timedelta(hours=3),
            (Event("customer.confirmed", "says that it is good", {"words": "Thank you. Goodbye."}),),
            ("case.confirmed", "case.watching"),
        ),
        Step(at + timedelta(days=61), (), ("case.not_restored", "commitment.kept", "commitment.broken")),
    )


OTHERS: Final[Mapping[str, tuple[Step, ...]]] = {
    FAILED_TWICE: _failed_twice(), FOUND: _found(), FOUND_AFTER_A_WORD: _found_after_a_word(), GONE: _gone(),
}  # fmt: skip


def all_by_time(identifier: str) -> list[tuple[str, Step]]:
    """Every step of everybody with whose it is; the story's own is that of `identifier`."""
    found = [(whose, step) for whose, steps in {identifier: STORY, **OTHERS}.items() for step in steps]
    return sorted(found, key=lambda each: each[1].at)
