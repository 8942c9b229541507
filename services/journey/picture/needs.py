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
    usable, withheld, consents = list[Touchpoint](), set[str](), Consents(history, now)
    for event in history.of(OBSERVED, PROBED, MET):
        name, wanted = event.text("need"), purpose_of(event, SERVICE)
        if name is None or not may_see(viewer, event.body):
            continue
        if event.type != OBSERVED or (wanted == purpose and consents.of(wanted).given):
            usable.append(event)
        else:
            withheld.add(name)
    found = fold(usable)
    return Needs(list(found.values()), len(withheld - found.keys()))


def fold(events: Sequence[Touchpoint]) -> dict[str, Need]:
    """The needs that touchpoints tell of, in order of time, by name; what is said of a need that nobody observed is about none."""
    found: dict[str, Need] = {}
    for event in events:
        if event.type == OBSERVED and (name := event.text("need")) is not None:
            found.setdefault(name, Need(name)).observations.append(event)
    for event in events:
        need = found.get(event.text("need") or "")
        if need is not None and event.type != OBSERVED:
            (need.probes if event.type == PROBED else need.met).append(event)
    return found


def unmet(history: History, now: datetime | None) -> list[Need]:
    """What is to be known of all customers so that each viewer can be told which needs are unmet, as far as they may see.

    That is everything said of needs to whose purpose the customer agrees; but for those of which everybody may know that they are met.
    """
    consents = Consents(history, now)
    said = [each for each in history.of(OBSERVED, PROBED, MET) if each.type != OBSERVED or consents.of(purpose_of(each, SERVICE)).given]
    left = []
    for each in fold(said).values():
        last = max((one.time for one in each.met if may_see(None, one.body)), default=None)
        if last is None or last < each.observations[0].time:
            left.append(each)
    return left


def _share(value: object) -> float:
    return min(max(float(value), 0.0), 1.0) if isinstance(value, int | float) and not isinstance(value, bool) else 0.5
