"""Reads the part of a promise that is judged: its pattern, the modifiers around it, and the matches in both."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from zoneinfo import ZoneInfo

from services.chassis.documents import Fields, Findings, Value
from services.promises import conditions
from services.promises.conditions import BadConditionError, Path, Test
from services.promises.declarations import Match
from services.promises.domain import Absence, Conformance, Response, Role, Terms, Warn
from services.promises.durations import NOTHING, Duration, Elapsed, NotADurationError, NotSupportedYetError, duration

NOT_YET: Final = ("precedence", "limit", "settlement", "recurrence", "milestones", "all_of", "sequence_of")
MODIFIERS_NOT_YET: Final = ("reset", "pause", "resume", "excuse", "targets", "escalate_target", "holder")


@dataclass(frozen=True, slots=True)
class Judged:
    """What of a promise is judged."""

    terms: Terms
    matches: tuple[tuple[int, Match], ...]
    correlate: tuple[Path, ...] = ()
    by: Path | None = None
    segment: Path | None = None
    must: tuple[Test, ...] = ()


def judged(spec: Fields, zone: ZoneInfo) -> Judged | None:
    """Read the one pattern of a promise and the modifiers around it; None where the pattern cannot be read."""
    written = [key for key in (*PATTERNS, *NOT_YET) if spec.get(key) is not None]
    modifiers = {key: spec.get(key) for key in ("cancel", "broken_by", "warn", "grace", "segment")}
    for key in MODIFIERS_NOT_YET:
        if spec.get(key) is not None:
            spec.findings.add(spec.at(key), f"`{key}` is not supported yet")
    if len(written) != 1:
        wrong = f"exactly one pattern, and this has {' and '.join(written) or 'none'}"
        spec.findings.add(spec.at(written[1]) if written else spec.value, f"`spec` needs {wrong}; {_pattern_names()}")
        return None
    if written[0] in NOT_YET:
        spec.findings.add(spec.at(written[0]), f"the pattern `{written[0]}` is not supported yet; {_pattern_names()}")
        return None
    fields = spec.section(written[0])
    if fields is None:
        return None
    read = _Reading(fields, zone)
    shape = PATTERNS[written[0]](read)
    fields.done()
    return _with_modifiers(shape, _Reading(spec, zone), modifiers)


def _pattern_names() -> str:
    return "supported now are " + ", ".join(f"`{name}`" for name in PATTERNS)


class _Reading:
    """Reads the values that patterns and modifiers share; what is wrong with one is found, and it reads as left out."""

    def __init__(self, fields: Fields, zone: ZoneInfo) -> None:
        self.fields, self.zone, self.findings = fields, zone, fields.findings

    def matches(self, key: str, role: Role, *, required: bool = False) -> tuple[tuple[int, Match], ...]:
        self.fields.get(key, required=required)
        found = [match_of(each, f"`{key}`", self.findings) for each in self.fields.items(key)]
        if not found and key in self.fields:
            self.findings.add(self.fields.at(key), f"`{key}` is empty; it needs a match, as in `{{type: order.placed}}`")
        return tuple((int(role), each) for each in found if each is not None)

    def duration(self, key: str) -> Duration | None:
        found = self.fields.get(key)
        return None if found is None else duration_of(found, self.zone, self.findings)

    def path(self, key: str) -> Path | None:
        found = self.fields.get(key)
        return None if found is None else path_of(found, self.findings)

    def correlate(self) -> tuple[Path, ...]:
        paths = [path_of(each, self.findings) for each in self.fields.items("correlate")]
        return tuple(each for each in paths if each is not None)

    def first(self) -> bool:
        return self.fields.choice("open", ("each", "first"), "each") == "first"


def _response(read: _Reading) -> Judged:
    fields, findings = read.fields, read.findings
    within, by = read.duration("within"), read.path("by")
    if "within" in fields and "by" in fields:
        findings.add(fields.at("by"), "a response is due `within` a duration or `by` a field, not both")
    count = fields.read("count", int, default=1)
    if count < 1:
        findings.add(fields.at("count"), "`count` must be at least 1")
    strictly = fields.read("strictly", bool, default=False)
    if strictly and "within" not in fields and "by" not in fields:
        findings.add(fields.at("strictly"), "`strictly` needs a due time: add `within` or `by`")
    pattern = Response(within, by is not None, max(count, 1), strictly)
    matches = read.matches("when", Role.TRIGGER, required=True) + read.matches("expect", Role.EXPECT, required=True)
    return Judged(Terms(pattern, read.first()), matches, read.correlate(), by)


def _absence(read: _Reading) -> Judged:
    matches = (
        *read.matches("when", Role.TRIGGER, required=True),
        *read.matches("never", Role.NEVER, required=True),
        *read.matches("until", Role.UNTIL),
    )
    pattern = Absence(read.duration("within"), until="until" in read.fields)
    return Judged(Terms(pattern, read.first()), matches, read.correlate())


def _conformance(read: _Reading) -> Judged:
    must = read.fields.get("must", required=True)
    tests = () if must is None else tests_of(must, "`must`", read.findings)
    matches = read.matches("event", Role.TRIGGER, required=True)
    return Judged(Terms(Conformance(), read.first()), matches, read.correlate(), must=tests)


PATTERNS: Final[dict[str, Callable[[_Reading], Judged]]] = {
    "response": _response,
    "absence": _absence,
    "conformance": _conformance,
}


def _with_modifiers(shape: Judged, read: _Reading, written: dict[str, Value | None]) -> Judged:
    pattern, findings = shape.terms.pattern, read.findings
    for key, reason in _unusable(pattern).items():
        if written[key] is not None:
            findings.add(read.fields.at(key), reason)
    matches = shape.matches + read.matches("cancel", Role.CANCEL) + read.matches("broken_by", Role.FAILURE)
    warnings = tuple(_warning(each, read.zone, findings) for each in read.fields.items("warn"))
    return replace(
        shape,
        matches=matches,
        segment=read.path("segment"),
        terms=replace(
            shape.terms,
            grace=read.duration("grace") or NOTHING,
            warnings=tuple(each for each in warnings if each is not None),
        ),
    )


def _unusable(pattern: object) -> dict[str, str]:
    needs_due = "`warn` needs a due time: add `within` or `by`"
    match pattern:
        case Response(within=None, by=False):
            return {"warn": needs_due}
        case Absence(within=within):
            wrong = {"broken_by": "`broken_by` does not go with `absence`: say it as another match of `never`"}
            return wrong if within is not None else {**wrong, "warn": "`warn` needs a due time: add `within`"}
        case Conformance():
            alone = "does not go with `conformance`, which is decided by its event alone"
            return {key: f"`{key}` {alone}" for key in ("cancel", "broken_by", "warn")}
    return {}


def _warning(value: Value, zone: ZoneInfo, findings: Findings) -> Warn | None:
    text = value.content
    if isinstance(text, str) and text.strip().endswith("%"):
        share = _share(value, findings)
        return None if share is None else Warn(f"{text.strip()} used", share=share)
    before = duration_of(value, zone, findings)
    return None if before is None else Warn(f"{text} before due", before=before)


def _share(value: Value, findings: Findings) -> float | None:
    try:
        share = float(value.content.strip().removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        findings.add(value, f"`{value.content}` is not a share of the budget; say it as `80%`, at most `100%`")
        return None
    return share


def duration_of(value: Value, zone: ZoneInfo, findings: Findings) -> Duration | None:
    """Read a duration such as `48 hours`."""
    if value.content == 0:
        return Elapsed(NOTHING.length)
    if not isinstance(value.content, str):
        findings.add(value, f"{value.content!r} is not a duration; say it with its unit, as in `48 hours` or `2 days`")
        return None
    try:
        return duration(value.content, zone)
    except (NotADurationError, NotSupportedYetError, OverflowError) as error:
        findings.add(value, str(error))
        return None


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


def match_of(value: Value, name: str, findings: Findings) -> Match | None:
    """Read `{type: T, source: S, where: ...}`."""
    if not isinstance(value.content, dict):
        findings.add(value, f"{name} must be a match, as in `{{type: order.placed}}`")
        return None
    fields = Fields(value, name, findings)
    fields.get("type", required=True)
    types, sources = _texts(fields, "type"), _texts(fields, "source")
    where = fields.get("where")
    tests = () if where is None else tests_of(where, "`where`", findings)
    fields.done()
    return Match(types, sources, tests)


def _texts(fields: Fields, key: str) -> tuple[str, ...]:
    found = list(fields.items(key))
    for each in found:
        if not isinstance(each.content, str) or not each.content:
            fields.findings.add(each, f"`{key}` must be a text, or a list of texts")
    return tuple(str(each.content) for each in found)


def tests_of(value: Value, name: str, findings: Findings) -> tuple[Test, ...]:
    """Read a `where`: a mapping of fields to what they must be, or a text in CEL."""
    try:
        if isinstance(value.content, str):
            return (conditions.expression(value.content),)
    except BadConditionError as error:
        findings.add(value, str(error))
        return ()
    if not isinstance(value.content, dict) or not value.content:
        findings.add(value, f"{name} must be a mapping of fields to values, or a condition in CEL")
        return ()
    tests = []
    for field, wanted in value.content.items():
        try:
            tests.append(conditions.read_test(field, wanted.plain()))
        except BadConditionError as error:
            findings.add(value.keys[field], str(error))
    return tuple(tests)
