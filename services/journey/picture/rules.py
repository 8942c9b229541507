"""What counts as what in a relationship, and how much: the values of `kind: Relationship`, and those in force until one is published."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Literal, NamedTuple

from services.journey.picture.matching import Matches, Path, types

Expressed = Literal["explicit", "implicit"]
Told = Literal["direct", "indirect"]
PIECES: Final = ("kept", "broken", "restored", "not_restored", "purchase", "feedback")
"""What a score is made of."""
BASE, LEAST, MOST = 50.0, 0.0, 100.0


class Weight(NamedTuple):
    """What something adds to the score when it happens; after `fades` half of it is left."""

    points: float
    fades: timedelta | None = None


class Scale(NamedTuple):
    """Where a number says how content somebody is: `worst` reads as -1, `best` as 1."""

    path: Path
    worst: float
    best: float


class Occasion(NamedTuple):
    """Touchpoints that are feedback."""

    name: str
    of: Matches = ()
    expressed: Expressed = "explicit"
    told: Told = "direct"
    tone: float = 0.0
    scale: Scale | None = None
    weight: float = 1.0
    owner: str | None = None
    answered: Matches = ()
    same: Path | None = None
    """An answer is one to the feedback with the same value here; None: to every one before it."""
    ignored_after: timedelta | None = None
    """Unanswered for longer it was collected and ignored; None: it asks for no answer."""
    silence: timedelta | None = None
    """Nothing heard of the customer for longer is the feedback, rather than any touchpoint."""


class Encounters(NamedTuple):
    """Which touchpoints are an encounter of which kind, beside those that say so themselves."""

    first: Matches = ()
    second: Matches = ()
    third: Matches = ()


class Efforts(NamedTuple):
    """What a relation costs the customer."""

    contacts: Matches = types("contact.*", "call.*", "chat.*", "visit.started", "queue.number_drawn", "complaint.*")
    contact: Path = ("data", "contact")
    """What names a contact: whatever systems tell of one, under whatever identifier, it is one."""
    reason: Path = ("data", "reason")
    repeated_within: timedelta = timedelta(days=7)
    passed_on: Matches = types("contact.transferred", "call.transferred", "chat.transferred")
    waited: Path = ("data", "waited_seconds")
    waits: Matches = types("queue.number_drawn")
    served: Matches = types("queue.called")
    same: Path = ("data", "number")
    """What ties the end of a wait to its beginning."""


class Standings(NamedTuple):
    """When a relationship is what."""

    established_purchases: int = 3
    at_risk_after: timedelta | None = None
    """Nothing heard of somebody who has bought for longer: at risk."""
    lost_after: timedelta | None = None
    leaves: Matches = types("customer.left")


_NO_ENCOUNTERS: Final = Encounters()
_EFFORTS: Final = Efforts()
_STANDINGS: Final = Standings()
_ORDERS: Final = types("order.placed")
_COMPLAINTS: Final = types("complaint.*")


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as what, and how much."""

    name: str = "built-in"
    owner: str | None = None
    purchases: Matches = _ORDERS
    value: Path | None = ("data", "total")
    currency: str = ""
    """A word for all, as in `EUR`; empty: amounts without one."""
    complaints: Matches = _COMPLAINTS
    employee: Path = ("data", "employee")
    """Whom of the company a touchpoint was with."""
    one_person: float = 0.5
    """From this share of loyalty on somebody is the employee's customer rather than the organisation's."""
    weights: Mapping[str, Weight] = field(default_factory=lambda: dict(WEIGHTS))
    feedback: tuple[Occasion, ...] = ()
    feedback_ignored_after: timedelta = timedelta(days=14)
    """Of what says itself that it is feedback (`feedback.given`)."""
    encounters: Encounters = _NO_ENCOUNTERS
    efforts: Efforts = _EFFORTS
    standings: Standings = _STANDINGS


WEIGHTS: Final[Mapping[str, Weight]] = {
    "kept": Weight(1, timedelta(days=180)),
    "broken": Weight(-10, timedelta(days=365)),
    "restored": Weight(12, timedelta(days=365)),
    "not_restored": Weight(-12, timedelta(days=365)),
    "purchase": Weight(2, timedelta(days=365)),
    "feedback": Weight(5, timedelta(days=180)),
}
BUILT_IN: Final = Rules(
    feedback=(
        Occasion("complaint", types("complaint.*"), tone=-0.8, answered=types("complaint.answered"), ignored_after=timedelta(days=14)),
        Occasion("compliment", types("compliment.*"), tone=0.8),
        Occasion("return", types("return.*"), "implicit", tone=-0.3),
        Occasion("review", types("review.*"), told="indirect", scale=Scale(("data", "stars"), 1, 5)),
    )
)
