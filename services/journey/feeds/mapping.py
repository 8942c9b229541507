"""What a foreign record becomes: a touchpoint under an id that is always the same, nothing, or a refusal that says why.

One load-bearing fact: `read` and `Mapping.of` raise nothing for whatever bytes they are given.
"""

from collections.abc import Callable
from collections.abc import Mapping as Members
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import orjson

from services.chassis import cloudevents, strictjson
from services.chassis.cloudevents import Event, InvalidEvent
from services.chassis.instants import text_of as instant_text
from services.chassis.strictjson import InvalidJson
from services.journey.domain import FEED
from services.journey.feeds.picks import SKIP, Expression, NotPickedError, Pick, Surroundings, text_of
from services.journey.feeds.times import Moment

IDS: Final = UUID("0d9c8f0e-3f6b-5b57-9c39-6f0f7a1f3c55")
"""Namespace of the ids that are made of what a record says, or of where it lies."""
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class Foreign(NamedTuple):
    """One record as the company has it."""

    around: Surroundings
    place: tuple[str, ...]
    """What it is known by where it lies: its id is made of that where the feed names none."""
    at: datetime | None = None
    """When it came to where it lies, where that is known."""


class Refused(NamedTuple):
    """Why a record becomes no touchpoint: a slug, what would be right, and at which key of the feed."""

    reason: str
    detail: str
    where: str
    known: Members[str, Any]
    """The attributes that could be had all the same: whom it names, above all."""
    record: Any = None
    """As it was read, where it could be."""


class Skipped(NamedTuple):
    """The feed says that the record is of no interest."""


Outcome = Event | Refused | Skipped


@dataclass(frozen=True, slots=True)
class Mapping:
    """How the records of a feed become touchpoints."""

    feed: str
    source: str
    type: Pick
    subject: Pick | None
    time: Moment | None
    id: tuple[Pick, ...] = ()
    data: Pick | Members[str, Pick] | None = None
    """Picks by the names that their values get; none: the whole record."""
    skip: Expression | None = None
    read_later: bool = True
    """Records are read some time after they came: that one is, shows nothing of those that are still to be read."""

    def of(self, foreign: Foreign) -> Outcome:
        """Return what a record becomes."""
        known: dict[str, Any] = {"specversion": "1.0", "source": self.source} | ({FEED: self.feed} if self.read_later else {})
        where = "skip"
        try:
            if self.skip is not None and self._skips(self.skip, foreign.around):
                return Skipped()
            for where, step in self._steps():
                value = step(foreign)
                if value is SKIP:
                    return Skipped()
                if value is not None:
                    known[where] = value
            return cloudevents.event(known)
        except NotPickedError as wrong:
            return Refused("not-mapped", f"`{where}`: {wrong}", where, known, foreign.around["record"])
        except InvalidEvent as invalid:
            return Refused(invalid.reason, f"{invalid.where}: {invalid.detail}", invalid.where, known, foreign.around["record"])

    def _steps(self) -> tuple[tuple[str, Callable[[Foreign], Any]], ...]:
        """Whom it names comes first: they are held where the rest cannot be had."""
        return (
            ("subject", lambda foreign: None if self.subject is None else _text(self.subject, foreign.around)),
            ("id", self.identified),
            ("type", lambda foreign: _required_text(self.type, foreign.around)),
            ("time", self.moment),
            ("data", lambda foreign: self.content(foreign.around)),
        )

    def _skips(self, skip: Expression, around: Surroundings) -> bool:
        found = skip.of(around)
        if not isinstance(found, bool):
            raise NotPickedError("it must come to true or false")
        return found

    def identified(self, foreign: Foreign) -> str:
        """Return the record's own id, or one made of what names it; the same record always has the same."""
        if not self.id:
            return str(uuid5(IDS, orjson.dumps(foreign.place).decode()))
        parts = [_required_text(each, foreign.around) for each in self.id]
        return parts[0] if len(parts) == 1 else str(uuid5(IDS, orjson.dumps(parts).decode()))

    def moment(self, foreign: Foreign) -> str:
        """Return when it happened."""
        found = foreign.at if self.time is None else self.time.of(foreign.around)
        if found is None:
            raise NotPickedError("the record does not say when it happened")
        return instant_text(found)

    def content(self, around: Surroundings) -> Any:
        """Return what is told of it: the whole record where the feed does not say."""
        if self.data is None:
            return around["record"]
        if isinstance(self.data, Pick):
            return self.data.of(around)
        found = {}
        for name, pick in self.data.items():
            try:
                value = pick.of(around)
            except NotPickedError as wrong:
                raise NotPickedError(f"`{name}`: {wrong}") from None
            if value is None and pick.required:
                raise NotPickedError(f"`{name}` is missing")
            if value is not None:
                found[name] = value
        return found


def _text(pick: Pick, around: Surroundings) -> Any:
    value = pick.of(around)
    return value if value is None or value is SKIP else text_of(value)


def _required_text(pick: Pick, around: Surroundings) -> Any:
    found = _text(pick, around)
    if found is None:
        raise NotPickedError("it is missing")
    return found


def read(value: bytes | None) -> Any:
    """Return the JSON of a record, None for a record without any; raises `InvalidJson`."""
    return None if value is None else strictjson.loads(value.removeprefix(_BYTE_ORDER_MARK))


def unreadable(mapping: Mapping, wrong: InvalidJson) -> Refused:
    """Return the refusal of a record that is no JSON."""
    return Refused(wrong.reason, wrong.detail, "record", {"source": mapping.source})
