"""What would come out of a feed and what would be refused, judged as the way in judges it, in a table or as JSON Lines."""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

import orjson
from rich.text import Text

from services.chassis.cloudevents import Event
from services.cli import console
from services.cli.feeding.reading import Read
from services.journey.domain import WINDOW, EventTypes
from services.journey.feeds.mapping import Skipped
from services.journey.inspection import inspect

_SHORT: Final = 36
Becomes = Literal["event", "refused", "skipped", "duplicate"]


class Judged(NamedTuple):
    """One record, and what would become of it now."""

    read: Read
    becomes: Becomes
    reason: str = ""
    detail: str = ""

    @property
    def event(self) -> Event | None:
        """What comes out."""
        return self.read.outcome if isinstance(self.read.outcome, Event) else None

    def as_json(self) -> dict[str, Any]:
        """Return it as one JSON line tells it."""
        found: dict[str, Any] = {"place": self.read.place, "becomes": self.becomes}
        if self.reason:
            found |= {"reason": self.reason, "detail": self.detail}
        return found if self.event is None else found | {"event": self.event.attributes}


class Judge:
    """Judges one record after another; of two with one id the second is a duplicate."""

    def __init__(self, types: EventTypes, trusted: Collection[str] = ()) -> None:
        """With the event types that say whom an event names beside its subject, and the sources that may say who is whom."""
        self._types, self._trusted = types, frozenset(trusted)
        self.window: timedelta | None = WINDOW
        """How old an event may be; None: any age, as in a backfill."""
        self._seen: set[tuple[str, str]] = set()

    def of(self, read: Read, now: datetime | None = None) -> Judged:
        """Return what becomes of a record that would arrive now."""
        outcome = read.outcome
        if isinstance(outcome, Skipped):
            return Judged(read, "skipped")
        if not isinstance(outcome, Event):
            return Judged(read, "refused", outcome.reason, outcome.detail)
        _, wrong, _ = inspect(outcome, now or datetime.now(UTC), self.window, self._types, self._trusted)
        if wrong is not None:
            return Judged(read, "refused", wrong.reason, wrong.detail)
        key = (outcome.source, outcome.id)
        if key in self._seen:
            return Judged(read, "duplicate", "same-id", "a record before it has the same id; of two with one id the first counts")
        self._seen.add(key)
        return Judged(read, "event")


def table(found: Iterable[Judged]) -> list[Judged]:
    """Print a line a record, and what they come to; return them."""
    shown, kept = console.table("record", "becomes", "type", "subject", "time", "id", "why not"), []
    for each in found:
        kept.append(each)
        why = f"{each.reason}: {each.detail}" if each.reason else ""
        shown.add_row(*map(Text, (each.read.place, each.becomes, *_told(each.event), why)))
    shown.columns[-1].no_wrap = False
    out = console.output()
    if kept:
        out.print(shown)
    out.print(_sum(kept))
    return kept


def as_json(found: Iterable[Judged]) -> Iterator[tuple[bytes, Judged]]:
    """Yield the JSON line of each."""
    for each in found:
        yield orjson.dumps(each.as_json()), each


def _told(event: Event | None) -> tuple[str, str, str, str]:
    if event is None:
        return "", "", "", ""
    return event.type, event.subject or "", str(event.attributes.get("time", "")), _cut(event.id)


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _sum(found: list[Judged]) -> str:
    def number(becomes: Becomes) -> int:
        return sum(each.becomes == becomes for each in found)

    words = {"event": "would come out", "duplicate": "came twice", "skipped": "skipped", "refused": "would be refused"}
    told = [f"{number(becomes):,} {word}" for becomes, word in words.items() if becomes == "event" or number(becomes)]  # type: ignore[arg-type]
    return f"{console.count(found, 'record')}: {', '.join(told)}"
