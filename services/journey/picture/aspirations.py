"""Where a customer is going: recorded with their consent, with a date to come back to it, and what came of it.

Without consent that is in force an aspiration is used by nobody: it is counted as withheld, and nothing of it is shown.
"""

from dataclasses import dataclass, field
from datetime import datetime

from services.journey.picture.consent import ASPIRATIONS, Consent, Consents, instant, purpose_of
from services.journey.picture.discretion import Viewer, may_see
from services.journey.picture.history import History, Touchpoint
from services.journey.picture.refusals import Refusal, refusals

RECORDED, REVISITED, SERVED = "customer.aspiration.recorded", "customer.aspiration.revisited", "customer.aspiration.served"


@dataclass(slots=True)
class Aspiration:
    """One plan or wish of a customer."""

    name: str
    consent: Consent
    recorded: list[Touchpoint] = field(default_factory=list)
    revisited: list[Touchpoint] = field(default_factory=list)
    served: list[Touchpoint] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    @property
    def come_back(self) -> datetime | None:
        """When to come back to it: the word of whoever spoke of it last; never once something came of it."""
        last = max([*self.recorded, *self.revisited], key=lambda each: each[:2])
        return None if self.served else instant(last, "come_back")


@dataclass(slots=True)
class Aspirations:
    """A customer's aspirations, as one viewer sees them."""

    items: list[Aspiration]
    withheld: int
    """Aspirations to whose use the customer does not agree."""


def aspirations(history: History, viewer: Viewer | None, now: datetime | None, purpose: str = ASPIRATIONS) -> Aspirations:
    """The aspirations that this viewer may see, and use for this purpose; the first recorded first."""
    found: dict[str, Aspiration] = {}
    withheld, consents = set(), Consents(history, now)
    for event in history.of(RECORDED):
        name, wanted = event.text("aspiration"), purpose_of(event, ASPIRATIONS)
        if name is None or not may_see(viewer, event.body):
            continue
        word = consents.of(wanted)
        if wanted == purpose and word.given:
            found.setdefault(name, Aspiration(name, word)).recorded.append(event)
        else:
            withheld.add(name)
    for type_ in (REVISITED, SERVED):
        for event in history.of(type_):
            about = found.get(event.text("aspiration") or "")
            if about is not None and may_see(viewer, event.body):
                (about.revisited if type_ == REVISITED else about.served).append(event)
    for refusal in refusals(history):
        if refusal.aspiration in found and may_see(viewer, refusal.event.body):
            found[refusal.aspiration].refused.append(refusal)
    return Aspirations(list(found.values()), len(withheld - found.keys()))
