"""What we said that we do not do: each refusal, whether a way was found after all, and the aspiration it left unserved."""

from typing import NamedTuple

from services.journey.picture.history import History, Touchpoint

REFUSED, GRANTED, SERVED = "customer.request.refused", "customer.exception.granted", "customer.aspiration.served"


class Refusal(NamedTuple):
    """A refusal; `granted` is the last exception that followed, `served` what came of the aspiration last."""

    request: str
    event: Touchpoint
    aspiration: str | None
    granted: Touchpoint | None
    served: Touchpoint | None

    @property
    def unserved(self) -> bool:
        """Whether it left an aspiration unserved."""
        return self.aspiration is not None and self.served is None and self.granted is None


def refusals(history: History) -> list[Refusal]:
    """A customer's refusals, the first first."""
    granted, served = _latest(history, GRANTED, "request"), _latest(history, SERVED, "aspiration")
    found = []
    for event in history.of(REFUSED):
        request, aspiration = event.text("request"), event.text("aspiration")
        if request is not None:
            after = [_after(event, granted.get(request)), _after(event, served.get(aspiration or ""))]
            found.append(Refusal(request, event, aspiration, *after))
    return found


def _latest(history: History, type_: str, field: str) -> dict[str, Touchpoint]:
    return {name: each for each in history.of(type_) if (name := each.text(field)) is not None}


def _after(event: Touchpoint, other: Touchpoint | None) -> Touchpoint | None:
    return other if other is not None and other[:2] > event[:2] else None
