"""What a customer needs: manifest, latent or inferred, by whom sensed, how sure, and met or not. What lies under the water line.

Only what the viewer may see of it is folded at all, so that neither a number nor a state tells of what is discreet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from services.journey.picture.consent import SERVICE, Consents, purpose_of
from services.journey.picture.discretion import Viewer, may_see
from services.journey.picture.history import History, Touchpoint

OBSERVED, PROBED, MET = "customer.need.observed", "customer.need.probed", "customer.need.met"
KINDS: Final = ("manifest", "latent", "inferred")
"""What was said is manifest, whoever also inferred it."""
State = Literal["open", "confirmed", "denied", "met"]


@dataclass(slots=True)
class Need:
    """One need of one customer."""

    name: str
    observations: list[Touchpoint] = field(default_factory=list)
    probes: list[Touchpoint] = field(default_factory=list)
    met: list[Touchpoint] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """How much it was said: the first of the kinds that anybody observed it as."""
        return next((each for each in KINDS if any(one.data.get("kind") == each for one in self.observations)), KINDS[-1])

    @property
    def state(self) -> State:
        """What is so of it now: met, or what the last probe that was clear said."""
        if self.met and self.met[-1].time >= self.observations[0].time:
            return "met"
        clear: list[Literal["confirmed", "denied"]] = []
        for each in self.probes:
            if each.data.get("outcome") == "confirmed":
                clear.append("confirmed")
            elif each.data.get("outcome") == "denied":
                clear.append("denied")
        return clear[-1] if clear else "open"

    @property
    def sure(self) -> float:
        """How sure: 1 once confirmed or met, 0 once denied; else one less the chance that all who sensed it were wrong."""
        if self.state != "open":
            return 0.0 if self.state == "denied" else 1.0
        wrong = 1.0
        for each in self.observations:
            wrong *= 1 - _share(each.data.get("sure"))
        return round(1 - wrong, 4)


@dataclass(slots=True)
class Needs:
    """A customer's needs, as one viewer sees them for one purpose."""

    items: list[Need]
    withheld: int
    """Needs that were recorded for another purpose, or to whose purpose the customer does not agree."""


def needs(history: History, viewer: Viewer | None, now: datetime | None, purpose: str = SERVICE) -> Needs:
    """The needs that this viewer may see, and use for this purpose; the first observed first."""
    found: dict[str, Need] = {}
    withheld, consents = set(), Consents(history, now)
    for event in _visible(history, OBSERVED, viewer):
        name, wanted = event.text("need"), purpose_of(event, SERVICE)
        if name is None:
            continue
        if wanted == purpose and consents.of(wanted).given:
            found.setdefault(name, Need(name)).observations.append(event)
        else:
            withheld.add(name)
    for type_ in (PROBED, MET):
        for event in _visible(history, type_, viewer):
            need = found.get(event.text("need") or "")
            if need is not None:
                (need.probes if type_ == PROBED else need.met).append(event)
    return Needs(list(found.values()), len(withheld - found.keys()))


def _visible(history: History, type_: str, viewer: Viewer | None) -> Sequence[Touchpoint]:
    return [each for each in history.of(type_) if may_see(viewer, each.body)]


def _share(value: object) -> float:
    return min(max(float(value), 0.0), 1.0) if isinstance(value, int | float) and not isinstance(value, bool) else 0.5
