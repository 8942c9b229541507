"""What stands around the pattern of a promise: which modifier goes with which pattern, and how each is read.

`GOES_WITH` is the one place that says so: errors are made of it, and a test compares the table in `docs/promises.md` with it.
"""

import enum
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from services.chassis.documents import Fields, Findings, Value
from services.promises.calendars.durations import NOTHING, Timekeeping, is_in_business_days
from services.promises.domain import Role, Terms, Warn
from services.promises.language.declarations import Judged, Target
from services.promises.language.patterns import BY_EVENT, PATTERNS, has_due, read_pattern
from services.promises.language.values import Context, Matches, Reading, duration_of


class Goes(enum.StrEnum):
    """Whether a modifier goes with a pattern."""

    YES = "yes"
    DUE = "with a due time"
    WITHIN = "not with `by`"
    NO = "no"


_TIMED: Final = tuple(each for each in PATTERNS if each not in BY_EVENT)
_TARGETED: Final = ("response", "absence", "settlement")
_USES: Final[tuple[tuple[tuple[str, ...], tuple[str, ...], Goes], ...]] = (
    (("cancel",), (*_TIMED, "limit"), Goes.YES),
    (("broken_by",), tuple(each for each in _TIMED if each != "absence"), Goes.YES),
    (("reset", "pause", "resume", "warn"), _TIMED, Goes.DUE),
    (("targets", "escalate_target"), _TARGETED, Goes.WITHIN),
    (("holder",), _TIMED, Goes.YES),
    (("excuse", "grace", "segment"), tuple(PATTERNS), Goes.YES),
)
GOES_WITH: Final[Mapping[str, Mapping[str, Goes]]] = {
    modifier: {pattern: goes if pattern in patterns else Goes.NO for pattern in PATTERNS}
    for modifiers, patterns, goes in _USES
    for modifier in modifiers
}
"""By modifier, then by pattern."""
_WHY: Final = {
    "precedence": "which is decided by its event and by what came before",
    "conformance": "which is decided by its event alone",
    "limit": "which has no due time: it stands until one event too many comes",
    "recurrence": "whose budget is `every`",
    "milestones": "whose steps say each their own `within`",
    "all_of": "whose patterns say each their own `within`",
    "sequence_of": "whose patterns say each their own `within`",
}


def read_judged(spec: Fields, context: Context) -> Judged | None:
    """Read the one pattern of a promise and the modifiers around it; None where there is no one pattern."""
    name = _pattern_of(spec)
    written = [key for key in GOES_WITH if spec.get(key) is not None]
    fields = None if name is None else spec.section(name)
    if name is None or fields is None:
        return None
    context = replace(context, targeted="targets" in spec and GOES_WITH["targets"][name] is not Goes.NO)
    opening, shape = read_pattern(name, Reading(fields, context))
    timed = context.targeted or has_due(shape.pattern)
    for key in written:
        _complain_of_unusable(spec, key, name, timed=timed)
    return _around(
        Judged(
            Terms(shape.pattern, opening.first, time=context.time),
            opening.matches + shape.matches,
            correlate=opening.correlate,
            bys=shape.bys,
            must=shape.must,
            collected=shape.collected,
        ),
        Reading(spec, context),
        closing=fields.known.get("end") is not None,
    )


def _pattern_of(spec: Fields) -> str | None:
    written = [key for key in PATTERNS if spec.get(key) is not None]
    if len(written) == 1:
        return written[0]
    wrong = f"exactly one pattern, and this has {' and '.join(written) or 'none'}"
    patterns = ", ".join(f"`{each}`" for each in PATTERNS)
    spec.findings.add(spec.at(written[1]) if written else spec.value, f"`spec` needs {wrong}; patterns are {patterns}")
    return None


def _complain_of_unusable(spec: Fields, key: str, pattern: str, *, timed: bool) -> None:
    match GOES_WITH[key][pattern]:
        case Goes.NO if (key, pattern) == ("broken_by", "absence"):
            spec.findings.add(spec.at(key), "`broken_by` does not go with `absence`: say it as another match of `never`")
        case Goes.NO:
            spec.findings.add(spec.at(key), f"`{key}` does not go with `{pattern}`, {_WHY[pattern]}")
        case Goes.DUE if not timed:
            spec.findings.add(spec.at(key), f"`{key}` needs a due time: add `within` or `by` to the pattern")


def _around(judged: Judged, read: Reading, *, closing: bool) -> Judged:
    fields = read.fields
    other = fields.known["resume"].content == "other" if "resume" in fields else False
    matches: Matches = (
        *judged.matches,
        *read.matches("cancel", Role.CANCEL),
        *read.matches("broken_by", Role.FAILURE),
        *read.matches("reset", Role.RESET),
        *read.matches("pause", Role.PAUSE),
        *(() if other else read.matches("resume", Role.RESUME)),
        *read.matches("excuse", Role.EXCUSE),
        *read.matches("escalate_target", Role.RETARGET),
    )
    _complain_of_halves(fields)
    targets = _targets(read, closing=closing)
    warnings = (_warning(each, read.context.time, read.findings) for each in fields.items("warn"))
    terms = replace(
        judged.terms,
        grace=read.duration("grace") or NOTHING,
        warnings=tuple(each for each in warnings if each is not None),
        closing=closing,
        pauses="pause" in fields,
        resets="reset" in fields,
        excuses="excuse" in fields,
    )
    segments, holder = read.paths("segment"), read.path("holder")
    return replace(judged, terms=terms, matches=matches, targets=targets, segments=segments, holder=holder, resume_other=other)


def _complain_of_halves(fields: Fields) -> None:
    """What makes no sense without its other half."""
    halves = (
        ("pause", "resume", "say what makes the clock go on: `resume: match`, or `resume: other`"),
        ("resume", "pause", "say what stops the clock: `pause: match`"),
        ("escalate_target", "targets", "say which targets there are to choose from: `targets: [{where, within}]`"),
    )
    for key, other, right in halves:
        if key in fields and other not in fields:
            fields.findings.add(fields.at(key), f"`{key}` needs `{other}`; {right}")


def _targets(read: Reading, *, closing: bool) -> tuple[Target, ...]:
    found = []
    for value in read.fields.items("targets"):
        below = read.below(value, "a target")
        where, written = below.fields.get("where"), below.fields.get("within", required=True)
        tests = () if where is None else read.tests(where, "`where`", None)
        text = "" if written is None else str(written.content or "0 hours")
        if written is not None:
            duration_of(written, read.context.time, read.findings, closing=closing and is_in_business_days(text))
        below.fields.done()
        found.append(Target(tests, text))
    if "targets" in read.fields and not found:
        read.findings.add(read.fields.at("targets"), "`targets` is empty; a target is `{where: {data.priority: P1}, within: 4 hours}`")
    return tuple(found)


def _warning(value: Value, time: Timekeeping, findings: Findings) -> Warn | None:
    text = value.content
    if isinstance(text, str) and text.strip().endswith("%"):
        share = _share(value, findings)
        return None if share is None else Warn(f"{text.strip()} used", share=share)
    before = duration_of(value, time, findings)
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
