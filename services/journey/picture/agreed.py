"""What was sensed of a customer and may be used: what was recorded for a purpose that they agree to, and what was said of that since.

Discretion says who may see something; this says whether it may be seen at all. Both are asked by whatever shows touchpoints.
What names something that was sensed, as a refusal does, is shown without that name to whoever may not see, or use, what it names.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from services.journey.picture import aspirations, needs
from services.journey.picture.consent import ASPIRATIONS, SERVICE, Consents, purpose_of
from services.journey.picture.discretion import Viewer, may_see
from services.journey.picture.history import History, Touchpoint
from services.journey.picture.refusals import GRANTED, REFUSED


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
_NAMING: Final[Mapping[str, tuple[_Sensed, ...]]] = {
    **{type_: (kind,) for type_, kind in _KINDS.items() if type_ != kind.recorded},
    **dict.fromkeys((REFUSED, GRANTED), (_NEED, _ASPIRATION)),
}
"""What is no record of something that was sensed, and may name it."""


def is_sensed(event: Mapping[str, Any] | None) -> bool:
    """Whether it depends on what else is known of the customer that an event is shown, and with what in it."""
    return event is not None and (event.get("type") in _KINDS or event.get("type") in _NAMING)


class Agreed:
    """What a customer agrees to at a time, by all that is known of them."""

    def __init__(self, history: History, now: datetime | None) -> None:
        """At this time; None is before the first."""
        self._consents = Consents(history, now)
        self._recorded: dict[tuple[str, str | None], list[Touchpoint]] = defaultdict(list)
        for kind in (_NEED, _ASPIRATION):
            for each in history.of(kind.recorded):
                self._recorded[kind.field, each.text(kind.field)].append(each)

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
        records = self._recorded.get((kind.field, name if isinstance(name, str) else None), ())
        purposes = {purpose_of(each, kind.purpose) for each in records} or {kind.purpose}
        return any(self._consents.of(each).given for each in purposes)

    def as_shown(self, event: dict[str, Any], viewer: Viewer | None, *, used: bool = True) -> dict[str, Any]:
        """An event as a viewer may see it: null stands for a name of what they may not; `used`: nor may it be used."""
        data = event.get("data")
        if not isinstance(data, Mapping):
            return event
        hidden = {
            kind.field: None
            for kind in _NAMING.get(str(event.get("type")), ())
            if data.get(kind.field) is not None and not self._may_name(kind, event, viewer, used=used)
        }
        return {**event, "data": {**data, **hidden}} if hidden else event

    def _may_name(self, kind: _Sensed, event: Mapping[str, Any], viewer: Viewer | None, *, used: bool) -> bool:
        """By the records of what it names; where there are none, as if it were the record itself."""
        name = event["data"][kind.field]
        records = self._recorded.get((kind.field, name), []) if isinstance(name, str) else []
        purposes = {purpose_of(each, kind.purpose) for each in records if may_see(viewer, each.body)}
        if not records and may_see(viewer, {**event, "type": kind.recorded}):
            purposes = {kind.purpose}
        return any(not used or self._consents.of(each).given for each in purposes)
