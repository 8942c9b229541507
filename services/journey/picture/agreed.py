"""What was sensed of a customer and may be used: what was recorded for a purpose that they agree to, and what was said of that since.

Discretion says who may see something; this says whether it may be seen at all. Both are asked by whatever shows touchpoints.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from services.journey.picture import aspirations, needs
from services.journey.picture.consent import ASPIRATIONS, SERVICE, Consents, purpose_of
from services.journey.picture.history import History


class _Sensed(NamedTuple):
    """How one kind of what is sensed is told: the touchpoint that records it, the field that names it, and its usual purpose."""

    recorded: str
    field: str
    purpose: str


_NEED: Final = _Sensed(needs.OBSERVED, "need", SERVICE)
_ASPIRATION: Final = _Sensed(aspirations.RECORDED, "aspiration", ASPIRATIONS)
_KINDS: Final[Mapping[str, _Sensed]] = {
    **dict.fromkeys((needs.OBSERVED, needs.PROBED, needs.MET), _NEED),
    **dict.fromkeys((aspirations.RECORDED, aspirations.REVISITED, aspirations.SERVED), _ASPIRATION),
}


def is_sensed(event: Mapping[str, Any] | None) -> bool:
    """Whether it depends on the customer's consent that an event is shown."""
    return event is not None and event.get("type") in _KINDS


class Agreed:
    """What a customer agrees to at a time, by all that is known of them."""

    def __init__(self, history: History, now: datetime | None) -> None:
        """At this time; None is before the first."""
        self._consents = Consents(history, now)
        self._purposes: dict[tuple[str, str | None], set[str]] = defaultdict(set)
        for kind in (_NEED, _ASPIRATION):
            for each in history.of(kind.recorded):
                self._purposes[kind.field, each.text(kind.field)].add(purpose_of(each, kind.purpose))

    def may_use(self, event: Mapping[str, Any]) -> bool:
        """Whether an event may be shown, as far as that is the customer's to say."""
        kind = _KINDS.get(str(event.get("type")))
        if kind is None:
            return True
        found = event.get("data")
        data: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
        if event["type"] == kind.recorded:
            said = data.get("purpose")
            return self._consents.of(said if isinstance(said, str) and said else kind.purpose).given
        name = data.get(kind.field)
        purposes = self._purposes.get((kind.field, name if isinstance(name, str) else None), {kind.purpose})
        return any(self._consents.of(each).given for each in purposes)
