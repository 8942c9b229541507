"""A promise as it is written: its pattern, its matches and its budgets, each with the place where it stands.

Lint reads this and not the compiled promise, because an opinion is about words and must say where they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

import orjson

from services.chassis.documents import Value
from services.promises.calendars import durations
from services.promises.calendars.durations import Amount, NotADurationError, Unit
from services.promises.language.declarations import Document

COMPOSITES: Final = ("all_of", "sequence_of")
TRIGGERS: Final = {
    "response": "when",
    "precedence": "event",
    "absence": "when",
    "limit": "event",
    "conformance": "event",
    "settlement": "when",
    "recurrence": "when",
    "milestones": "when",
    "all_of": "when",
    "sequence_of": "when",
}
"""By pattern, the word under which its trigger stands."""
OWED: Final = ("expect", "after", "never", "collect")
AROUND: Final = ("broken_by", "cancel", "reset", "pause", "resume", "excuse", "escalate_target")
_SLACK: Final = timedelta(hours=2)
"""By how much the clocks' changes can lengthen or shorten days and months."""


class Remark(NamedTuple):
    """What is to be said of one place of a file."""

    file: str
    at: Value
    message: str


@dataclass(frozen=True, slots=True)
class Written:
    """One match and the word under which it stands."""

    key: str
    value: Value

    @property
    def types(self) -> list[Value]:
        """The types that it names."""
        return entries(inside(self.value, "type"))

    @property
    def where(self) -> Any:
        """What else must hold, None where nothing must."""
        found = inside(self.value, "where")
        return None if found is None else found.plain()

    def plain(self) -> bytes:
        """Return the same text for the same match, however it is written."""
        sources = sorted(str(each.content) for each in entries(inside(self.value, "source")))
        types = sorted(str(each.content) for each in self.types)
        return orjson.dumps([types, sources, self.where], option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Draft:
    """One promise of a file."""

    file: str
    name: str
    metadata: Value
    spec: Value
    pattern: str
    body: Value

    def at(self, key: str) -> Value:
        """Return the place of a word of `spec`, of its first word where it is left out."""
        return self.spec.keys.get(key, next(iter(self.spec.keys.values()), self.spec))

    def trigger(self) -> list[Written]:
        """Return the matches that open a commitment."""
        return matches(self.body, TRIGGERS[self.pattern])

    def parts(self) -> Iterator[tuple[str, Value]]:
        """Yield the pattern, or each of the patterns that it is made of, with its words."""
        if self.pattern not in COMPOSITES:
            yield self.pattern, self.body
            return
        for each in entries(inside(self.body, "patterns")):
            yield from (each.content if isinstance(each.content, dict) else {}).items()

    def steps(self) -> list[Value]:
        """Return the steps of milestones, none of other patterns."""
        return entries(inside(self.body, "steps"))

    def named(self, key: str) -> list[Written]:
        """Return the matches under a word of the pattern or around it; `trigger` is the pattern's own word for it."""
        if key == "trigger":
            return self.trigger()
        if key in AROUND:
            return matches(self.spec, key)
        bodies = [body for _, body in self.parts()] + self.steps()
        return [each for body in bodies for each in matches(body, key)]

    def expectations(self) -> list[Written]:
        """Return the matches of what is owed, or of what must not happen."""
        return [each for key in OWED for each in self.named(key)]

    def matches(self) -> list[Written]:
        """Return every match."""
        return self.trigger() + [each for key in (*OWED, "until", *AROUND) for each in self.named(key)]

    @property
    def audience(self) -> str:
        """Towards whom it is promised."""
        return self.text("audience") or "customer"

    def budgets(self) -> list[Value]:
        """Return the pattern's own `within`, and those of its targets."""
        targets = [inside(each, "within") for each in entries(inside(self.spec, "targets"))]
        return [each for each in (inside(self.body, "within"), *targets) if each is not None]

    def text(self, key: str) -> str | None:
        """Return a text of `spec`."""
        found = inside(self.spec, key)
        return found.content if found is not None and isinstance(found.content, str) else None


def draft(file: str, document: Document) -> Draft | None:
    """Return a promise as it is written; None of other documents."""
    metadata, spec = inside(document.root, "metadata"), inside(document.root, "spec")
    if document.kind != "Promise" or metadata is None or spec is None:
        return None
    for pattern in TRIGGERS:
        body = inside(spec, pattern)
        if body is not None:
            return Draft(file, document.name, metadata, spec, pattern, body)
    return None


def inside(value: Value | None, *keys: str) -> Value | None:
    """Return what stands under these keys, one inside the other; None where there is nothing."""
    for key in keys:
        value = value.content.get(key) if value is not None and isinstance(value.content, dict) else None
    return None if value is None or value.content is None else value


def entries(value: Value | None) -> list[Value]:
    """Return the entries of a list; a single value stands for a list of one."""
    if value is None:
        return []
    return list(value.content) if isinstance(value.content, list) else [value]


def matches(body: Value, key: str) -> list[Written]:
    """Return the matches under a key."""
    return [Written(key, each) for each in entries(inside(body, key)) if isinstance(each.content, dict)]


def same(one: list[Written], other: list[Written]) -> bool:
    """Whether two lists of matches are there, and mean the same events."""
    return bool(one) and {each.plain() for each in one} == {each.plain() for each in other}


def amount(value: Value | None) -> Amount | None:
    """Return a duration as it is written; None where it is none."""
    try:
        return None if value is None else durations.read(str(value.content))
    except NotADurationError:
        return None


def exceeds(one: Value, other: Value | None) -> bool:
    """Whether both are durations, and the one is longer than the other."""
    mine, its = amount(one), amount(other)
    return mine is not None and its is not None and longer(mine, its)


def longer(one: Amount, other: Amount) -> bool:
    """Whether a duration is longer than another whatever the calendar and the season."""
    if one.unit is other.unit:
        pairs = ((one.months, other.months), (one.days, other.days), (one.length.total_seconds(), other.length.total_seconds()))
        if one != other and all(mine >= its for mine, its in pairs):
            return True
    most = _most(other)
    return most is not None and _least(one) > most


def _least(written: Amount) -> timedelta:
    match written.unit:
        case Unit.CALENDAR:
            return timedelta(days=written.days + 28 * written.months) + written.length - _SLACK
        case Unit.BUSINESS_DAYS:
            return timedelta(days=max(written.days - 1, 0))
    return written.length


def _most(written: Amount) -> timedelta | None:
    match written.unit:
        case Unit.ELAPSED:
            return written.length
        case Unit.CALENDAR:
            return timedelta(days=written.days + 31 * written.months) + written.length + _SLACK
    return None
