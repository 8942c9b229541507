"""The lost passport, as touchpoints and acts: what is done when and by whom, and what the timeline must then show.

Bank branch in Caracas, from September 2012 on; half an hour off the full hours is that country's zone in those years.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from contracts.roles import Role

CUSTOMER: Final = "crm:4711"
PROMOTER, EXECUTIVE, LEAD, DIRECTOR = "promoter", "executive", "lead", "director"
HERSELF: Final = "customer"
"""The customer with a token of her own."""
TEAM: Final = "branch"
CAST: Final[Mapping[str, Role]] = {
    PROMOTER: Role.AGENT, EXECUTIVE: Role.AGENT, LEAD: Role.LEAD, DIRECTOR: Role.MANAGER, HERSELF: Role.CUSTOMER,
}  # fmt: skip
CARACAS: Final = ZoneInfo("America/Caracas")
SOURCE: Final = "bank/branch"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to the customer."""

    type: str
    words: str
    data: Mapping[str, Any] = field(default_factory=dict)
    straight: bool = False
    """Written to Kafka by the company's system itself; otherwise sent over HTTP."""
    subject: str | None = None
    """Who it is about, where that is another name than the story's."""
    source: str = SOURCE
    late: timedelta = timedelta(0)
    """How long before it arrives it happened."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something that somebody does over REST, below the case unless the path begins with a slash.

    In braces a path names the thing of the case that is still to be done (`{pledge}`), a body the case (`{case}`).
    """

    path: str
    body: Mapping[str, Any] | None = None
    words: str = ""
    by: str = PROMOTER
    refused: str | None = None
    """The kind of problem with which it must be refused."""


@dataclass(frozen=True, slots=True)
class Look:
    """Something that the promoter looks up, `{customer}` and `{case}` filled in, and how it is told."""

    service: str
    path: str
    words: Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Step:
    """One moment of the story, local time; `shows` is what the timeline must gain by it, without `makegood.`."""

    at: datetime
    does: tuple[Event | Act, ...]
    shows: tuple[str, ...]
    looks: tuple[Look, ...] = ()


def moment(day: str, clock: str) -> datetime:
    """A time of the story's place."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=CARACAS)


def _due(day: str, clock: str) -> str:
    return moment(day, clock).isoformat()


def _loyalty(found: Any) -> str:
    share = found["loyalty"]["employees"].get(PROMOTER, 0)
    return f"the relationship: {found['stage'].replace('_', ' ')}; {share:.0%} of the good she met with us was the {PROMOTER}'s doing"


def _iceberg(found: Any) -> str:
    return "her needs: " + "; ".join(f"{each['need']} ({each['kind']})" for each in found["items"])


def _pockets(found: Any) -> str:
    own = [f"{each['own_pockets']} {each['currency']}" for each in found["sums"]]
    return f"what colleagues paid of their own and wait for: {', '.join(own)}"


_LOYALTY: Final = Look("journey", "/v1/customers/{customer}/relationship", _loyalty)
_ICEBERG: Final = Look("journey", "/v1/customers/{customer}/needs", _iceberg)
_POCKETS: Final = Look("recovery", "/v1/cases/{case}", _pockets)

_PASSPORT: Final = {"document_id": "passport-1", "document": "passport"}
_TICKET: Final = {"document_id": "ticket-1", "document": "ticket"}
_FOR_CURRENCY: Final = {"need": "currency", "kind": "manifest", "by": PROMOTER, "team": TEAM, "sure": 1, "discretion": "open"}
_FOR_GOOD: Final = {
    "need": "leaving-for-good", "kind": "latent", "by": PROMOTER, "team": TEAM, "sure": 0.9, "words": "She was leaving for good.",
}  # fmt: skip
_CALL: Final = "I call you by ten tomorrow, and I will have found a way to a new passport."
_LEAVE: Final = "Two days off on my own leave, to go through the offices with her."
_WHO_KNOWS: Final = "Who knows somebody at the immigration office? She needs a passport before Wednesday."
_SISTER: Final = "the executive's sister"
_ABLE: Final = "the director of immigration"
_OPENING_TIME: Final = "The director of immigration sees her himself, when the office opens."
_TOLD: Final = "Meet me at the office when it opens; bring the old copy."
_FEE: Final = "The fee of the new passport."
_MADE_GOOD: Final = "A new passport this morning, its fee paid; the currency recorded again."
_DRIVE: Final = "Drives her to the airport."
_HER_WORDS: Final = "I had meant not to come back. I have changed my mind."
_CAUSE: Final = "Documents lie on the counter between two people; nothing says in whose hand they are."
_LEARNED: Final = "Papers go from hand to hand in a tray with a number."
_COMMENDED: Final = "Two days of her own leave, her own money, and a customer who comes back."

STORY: Final = (
    Step(
        moment("2012-09-03", "09:40"),
        (
            Act("/v1/people/promoter", {"skills": ["documents"], "languages": ["es"], "serves": "To the end.", "willing": True}),
            Event("visit.started", "comes for currency: she flies on Wednesday", {"purpose": "currency", "employee": PROMOTER}),
            Event("customer.need.observed", "asks for currency; where she is going for good, nobody asks", _FOR_CURRENCY),
            Event("document.handed_over", "hands over her passport", _PASSPORT),
            Event("document.handed_over", "hands over her ticket", _TICKET),
        ),
        ("commitment.opened", "commitment.opened"),
    ),
    Step(
        moment("2012-09-03", "10:05"),
        (
            Event("document.returned", "has her ticket back", {"document_id": "ticket-1", "employee": PROMOTER}),
            Event("document.missing", "is to have her passport back, and it is gone", {"document_id": "passport-1"}, straight=True),
        ),
        ("commitment.kept", "commitment.broken", "case.opened", "case.task_set", "case.compensation_owed", *["commitment.opened"] * 3),
    ),
    Step(
        moment("2012-09-03", "10:15"),
        (
            Act("owner"),
            Act("pledges", {"what": _CALL, "due": _due("2012-09-04", "10:00")}, _CALL),
            Act("approvals", {"kind": "time_off", "days": "2", "what": _LEAVE, "due": _due("2012-09-03", "12:00")}, f"asks: {_LEAVE}"),
            Act("approvals/{approval}/grant", {"why": "It is my own leave."}, "cannot grant it to herself", refused="self-approval"),
            Act("help-requests", {"what": _WHO_KNOWS, "due": _due("2012-09-03", "22:00")}, f"asks the house: {_WHO_KNOWS}"),
        ),
        (
            "case.owned", "case.pledged", "case.approval_asked", "case.help_asked", "commitment.kept", *["commitment.opened"] * 3,
        ),
    ),
    Step(
        moment("2012-09-03", "11:00"),
        (
            Act("approvals/{approval}/grant", {"why": "Go with her; we manage."}, "Go with her; we manage.", LEAD),
            Act("tasks/{task}/done", words="has searched counter, copier and bins in vain"),
            Act("help-requests/{help}/pass", {"assignee": _SISTER, "why": "She knows the office."}, f"asks {_SISTER}", EXECUTIVE),
            Act("help-requests/{help}/pass", {"assignee": _ABLE, "why": "He can say yes."}, f"and through her {_ABLE}", EXECUTIVE),
        ),
        (
            "case.approval_granted", "case.approval_kept", "case.task_done", "case.task_kept", "case.task_set", "case.help_passed",
            "case.help_passed", "commitment.kept", "commitment.kept", "commitment.opened",
        ),
    ),
    Step(
        moment("2012-09-03", "21:00"),
        (
            Event("account.closed", "closes her account, over the web: she is leaving for good", source="bank/web"),
            Act("help-requests/{help}/answer", {"text": _OPENING_TIME}, _OPENING_TIME, EXECUTIVE),
            Act("help-requests/{help}/thank", {"text": "I owe you all a coffee."}, "thanks all who helped"),
            Act("contacts", {"channel": "phone", "reached": True, "said": "She cried, and then she laughed.", "felt": "desperate"}),
            Act("pledges/{pledge}/fulfil", words=f"calls the same night: {_TOLD}"),
        ),
        (
            "case.help_answered", "case.help_kept", "case.help_thanked", "case.contact_recorded", "case.pledge_fulfilled",
            "case.pledge_kept", "commitment.kept", "commitment.kept",
        ),
    ),
    Step(
        moment("2012-09-04", "11:30"),
        (
            Act(
                "ledger", {"kind": "third_party", "what": _FEE, "money": {"amount": "80.00", "currency": "USD"}, "bearer": "employee"},
                "pays the fee of the new passport herself",
            ),
            Act("tasks/{task}/done", words="enters the currency record again, from the new passport"),
            Act("remedy", {"what": _MADE_GOOD}, _MADE_GOOD),
        ),
        ("case.spent", "case.task_done", "case.task_kept", "case.remedied", "commitment.kept", "commitment.opened"),
        (_POCKETS,),
    ),
    Step(
        moment("2012-09-05", "15:00"),
        (
            Act("gestures", {"kind": "deed", "what": _DRIVE}, "drives her to the airport"),
            Event("customer.confirmed", f'says at the airport: "{_HER_WORDS}"', {"words": _HER_WORDS, "employee": PROMOTER}),
            Event("customer.need.observed", "had asked for currency; that she was leaving for good was never asked", _FOR_GOOD),
            Act("gestures/{gesture}/thanks", {"words": _HER_WORDS}),
        ),
        (
            "case.given", "case.thanked", "case.confirmed", "case.watching", "commitment.kept", "commitment.opened", "commitment.opened",
        ),
        (_ICEBERG, _LOYALTY),
    ),
    Step(
        moment("2012-09-10", "09:00"),
        (
            Act("ledger/{entry}/repay", {}, "gives the promoter her money back", LEAD),
            Act("compensations/{compensation}/pay", {"unit": "branch"}, "pays the customer what a lost document owes by rule", LEAD),
            Act("cause", {"component": "procedures", "what": _CAUSE}, f"the cause is procedures, not people: {_CAUSE}"),
            Act("feedback", {"outcome": 5, "process": 3, "treatment": 5, "friend": 5}, "it felt like being helped by a friend", HERSELF),
            Act("feedback", {"friend": 5}, "it felt like helping a friend"),
        ),
        (
            "case.repaid", "case.compensation_paid", "case.compensation_kept", "case.cause_set", "case.feedback_given",
            "case.feedback_given", "commitment.kept",
        ),
        (_POCKETS,),
    ),
    Step(
        moment("2012-10-30", "10:00"),
        (Event("visit.started", "comes back, to the same branch, and opens an account", {"purpose": "account", "employee": "cashier"}),),
        ("commitment.kept", "commitment.kept", "case.restored"),
        (_LOYALTY,),
    ),
    Step(
        moment("2012-11-05", "09:00"),
        (
            Act("review", {"what": _LEARNED}, f"what we learned: {_LEARNED}"),
            Act("/v1/recognitions", {"case": "{case}", "person": PROMOTER, "what": _COMMENDED}, f"commends her: {_COMMENDED}", LEAD),
        ),
        ("case.reviewed",),
    ),
    Step(
        moment("2012-12-03", "09:00"),
        (Act("/v1/recognitions", {"case": "{case}", "person": PROMOTER, "what": "Leads the counter now."}, "promotes her", DIRECTOR),),
        (),
    ),
)  # fmt: skip
