"""Reads the values that patterns and modifiers share: durations, paths, matches, conditions.

What is wrong with one is a finding, and it then reads as left out, so that everything that is wrong is told at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

from services.chassis.documents import Fields, Findings, Value
from services.promises.calendars import durations
from services.promises.calendars.durations import (
    Duration,
    InCustomersZone,
    NoCalendarError,
    NotADurationError,
    OutsideCalendarError,
    Timekeeping,
)
from services.promises.domain import Role, in_slot
from services.promises.language import conditions
from services.promises.language.conditions import BadConditionError, Path, Test
from services.promises.language.declarations import EventType, Match
from services.promises.language.schemas import Fields as Schema
from services.promises.language.schemas import fields_of, misspelt

_SOMEWHERE: Final = "UTC"
_SAMPLE: Final = datetime(2026, 1, 1, tzinfo=UTC)
_SLOTTED: Final = int(Role.EXPECT | Role.NEVER | Role.UNTIL | Role.COLLECT)
_BLOCKS: Final = ("|", ">")
Matches = tuple[tuple[int, Match], ...]
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Context:
    """What a promise is read by: the time it keeps and the event types that are known, by type."""

    time: Timekeeping
    types: Mapping[str, EventType] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    """The text of the file, for places inside of what is written in CEL."""
    targeted: bool = False
    """There are `targets`, which may give the due time that a pattern has not."""
    triggers: Schema | None = None
    """The fields of what opens commitments, as far as their schemas say."""


class Reading:
    """One mapping, read for what the language has in it."""

    def __init__(self, fields: Fields, context: Context) -> None:
        """Read nothing yet."""
        self.fields, self.context, self.findings = fields, context, fields.findings

    def below(self, value: Value, name: str) -> "Reading":
        """Read a mapping inside this one."""
        return Reading(Fields(value, name, self.findings), self.context)

    def matches(self, key: str, role: Role, slot: int = 0, *, required: bool = False) -> Matches:
        """Read a match or a list of them, which play this role."""
        self.fields.get(key, required=required)
        found = [self.match(each, f"`{key}`") for each in self.fields.items(key)]
        if not found and key in self.fields:
            self.findings.add(self.fields.at(key), f"`{key}` is empty; it needs a match, as in `{{type: order.placed}}`")
        bits = in_slot(role, slot) if role & _SLOTTED else int(role)
        return tuple((bits, each) for each in found if each is not None)

    def match(self, value: Value, name: str) -> Match | None:
        """Read `{type: T, source: S, where: ...}`."""
        if not isinstance(value.content, dict):
            self.findings.add(value, f"{name} must be a match, as in `{{type: order.placed}}`")
            return None
        fields = Fields(value, name, self.findings)
        fields.get("type", required=True)
        types, sources = _texts(fields, "type"), _texts(fields, "source")
        for each in fields.items("type"):
            meant = misspelt(str(each.content), self.context.types)
            if meant is not None:
                self.findings.add(each, f"there is no EventType for `{each.content}`; did you mean `{meant}`?")
        where = fields.get("where")
        tests = () if where is None else self.tests(where, "`where`", fields_of(types, self.context.types))
        fields.done()
        return Match(types, sources, tests)

    def duration(self, key: str, *, closing: bool = False) -> Duration | None:
        """Read a duration of this promise."""
        found = self.fields.get(key)
        return None if found is None else duration_of(found, self.context.time, self.findings, closing=closing)

    def within(self, key: str = "within") -> Duration | None:
        """Read a budget, and `end: closing` beside it."""
        closing = self.fields.choice("end", ("closing",)) == "closing"
        if closing and key not in self.fields and not self.context.targeted:
            self.findings.add(self.fields.at("end"), f"`end: closing` says when business days end; it stands beside `{key}`")
        return self.duration(key, closing=closing)

    def due(self) -> tuple[Duration | None, Path | None]:
        """Read `within` or `by`."""
        within, by = self.within(), self.path("by")
        if "within" in self.fields and "by" in self.fields:
            self.findings.add(self.fields.at("by"), f"{self.fields.name} is due `within` a duration or `by` a field, not both")
        if "by" in self.fields and self.context.targeted:
            self.findings.add(self.fields.at("by"), "`targets` give the time from the trigger on, and `by` reads it from a field; keep one")
        return within, by

    def path(self, key: str) -> Path | None:
        """Read a path such as `data.order_id`."""
        found = self.fields.get(key)
        return None if found is None else path_of(found, self.findings)

    def paths(self, key: str) -> tuple[Path, ...]:
        """Read a path or a list of them."""
        paths = [path_of(each, self.findings) for each in self.fields.items(key)]
        return tuple(each for each in paths if each is not None)

    def first(self) -> bool:
        """Whether only the first trigger of a correlation opens a commitment."""
        return self.fields.choice("open", ("each", "first"), "each") == "first"

    def number(self, key: str, least: int, default: int) -> int:
        """Read a whole number."""
        found: int = self.fields.read(key, int, default=default)
        if found < least:
            self.findings.add(self.fields.at(key), f"`{key}` must be at least {least}")
        return max(found, least)

    def tests(self, value: Value, name: str, schema: Schema | None) -> tuple[Test, ...]:
        """Read a `where`: a mapping of fields to what they must be, or a text in CEL."""
        if isinstance(value.content, str):
            test = self.in_cel(value, lambda text: conditions.expression(text, schema))
            return () if test is None else (test,)
        if not isinstance(value.content, dict) or not value.content:
            self.findings.add(value, f"{name} must be a mapping of fields to values, or a condition in CEL")
            return ()
        tests = []
        for key, wanted in value.content.items():
            try:
                tests.append(conditions.read_test(key, wanted.plain(), schema))
            except BadConditionError as error:
                self.findings.add(value.keys[key], str(error))
        return tuple(tests)

    def in_cel(self, value: Value, read: Callable[[str], Read]) -> Read | None:
        """Read a text in CEL; what is wrong inside it is told where it stands."""
        try:
            return read(value.content)
        except BadConditionError as error:
            self.findings.add(value if error.place is None else place_inside(value, *error.place, self.context.lines), str(error))
            return None


def place_inside(value: Value, line: int, column: int, lines: Sequence[str]) -> Value:
    """Return where a line and column of a text stand in the file; where its text is written otherwise there, where it begins."""
    written = value.content.split("\n")[line - 1]
    first = lines[value.line - 1] if value.line <= len(lines) else ""
    if first[value.column - 1 :].startswith(_BLOCKS):
        row = value.line + line
        start = lines[row - 1].find(written) if row <= len(lines) else -1
    else:
        row, start = value.line, first.find(written, value.column - 1)
    return Value(None, row, start + column) if start >= 0 and (line == 1 or row > value.line) else value


def duration_of(value: Value, time: Timekeeping, findings: Findings, *, closing: bool = False) -> Duration | None:
    """Read a duration such as `48 hours`; one that is counted in the customer's zone is put there for each customer."""
    if value.content == 0 and type(value.content) is int:
        return durations.NOTHING
    if not isinstance(value.content, str):
        findings.add(value, f"{value.content!r} is not a duration; say it with its unit, as in `48 hours` or `2 days`")
        return None
    try:
        if time.of_customer:
            time.duration(value.content, _SOMEWHERE, closing=closing)
            return InCustomersZone(value.content, time, closing)
        return time.duration(value.content, closing=closing)
    except (NotADurationError, NoCalendarError, OverflowError) as error:
        findings.add(value, str(error))
        return None


def is_something(duration: Duration) -> bool:
    """Whether it takes any time at all."""
    try:
        return duration.in_zone(_SOMEWHERE).after(_SAMPLE) > _SAMPLE
    except OutsideCalendarError:
        return True


def path_of(value: Value, findings: Findings) -> Path | None:
    """Read a path such as `data.order_id`."""
    if not isinstance(value.content, str):
        findings.add(value, "a path is a text, as in `data.order_id`")
        return None
    try:
        return conditions.path(value.content)
    except BadConditionError as error:
        findings.add(value, str(error))
        return None


def _texts(fields: Fields, key: str) -> tuple[str, ...]:
    found = list(fields.items(key))
    for each in found:
        if not isinstance(each.content, str) or not each.content:
            fields.findings.add(each, f"`{key}` must be a text, or a list of texts")
    return tuple(str(each.content) for each in found)
