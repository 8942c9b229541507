"""Reads the pattern of a promise: what opens a commitment, what is owed, and which events play which part in it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Final

from services.chassis.documents import Value, one_of
from services.promises.calendars.durations import NOTHING
from services.promises.domain import (
    Absence,
    AllOf,
    Conformance,
    Limit,
    Milestones,
    Pattern,
    Precedence,
    Recurrence,
    Response,
    Role,
    Settlement,
    Step,
    slots_of,
)
from services.promises.domain import in_slot as role_in_slot
from services.promises.language.conditions import Path, Test
from services.promises.language.schemas import Fields as Schema
from services.promises.language.schemas import fields_of
from services.promises.language.settlements import SettlementMust, read_must
from services.promises.language.values import Context, Matches, Reading, is_something

BY_EVENT: Final = ("precedence", "limit", "conformance")
"""Patterns that say `event` where others say `when`."""
_ONCE: Final = ("when", "event", "correlate", "open")
"""What the parts of `all_of` and `sequence_of` have in common and say once."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a pattern comes to: its terms, and what it reads of events."""

    pattern: Pattern
    matches: Matches = ()
    bys: tuple[Path | None, ...] = (None,)
    must: tuple[Test, ...] = ()
    collected: int = 0


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens commitments, and what ties their events together."""

    matches: Matches
    correlate: tuple[Path, ...]
    first: bool


def read_pattern(name: str, read: Reading) -> tuple[Opening, Shape]:
    """Read a promise's one pattern."""
    matches = read.matches("event" if name in BY_EVENT else "when", Role.TRIGGER, required=True)
    opening = Opening(matches, read.paths("correlate"), first=name == "limit" or read.first())
    types = [type_ for _, match in matches for type_ in match.types]
    context = replace(read.context, triggers=fields_of(types, read.context.types))
    shape = PATTERNS[name](Reading(read.fields, context), 0)
    read.fields.done()
    return opening, shape


def has_due(pattern: Pattern) -> bool:
    """Whether time alone decides it, so that there is a clock to stop, to start again or to warn of."""
    match pattern:
        case Response(within=within, by=by) | Settlement(within=within, by=by):
            return within is not None or by
        case Absence(within=within):
            return within is not None
        case Milestones(steps=steps):
            return any(each.within is not None or each.by for each in steps)
        case AllOf(patterns=patterns):
            return any(has_due(each) for each in patterns)
    return isinstance(pattern, Recurrence)


def _response(read: Reading, slot: int) -> Shape:
    within, by = read.due()
    count = read.number("count", 1, 1)
    strictly = read.fields.read("strictly", bool, default=False)
    if strictly and within is None and by is None and not read.context.targeted:
        read.findings.add(read.fields.at("strictly"), "`strictly` needs a due time: add `within` or `by`")
    expected = read.matches("expect", Role.EXPECT, slot, required=True)
    return Shape(Response(within, by is not None, count, strictly), expected, (by,))


def _precedence(read: Reading, slot: int) -> Shape:
    soonest, within = read.duration("no_sooner_than"), read.duration("within")
    after = read.matches("after", Role.EXPECT, slot, required=True)
    return Shape(Precedence(soonest, within), after)


def _absence(read: Reading, slot: int) -> Shape:
    matches = read.matches("never", Role.NEVER, slot, required=True) + read.matches("until", Role.UNTIL, slot)
    return Shape(Absence(read.within(), until="until" in read.fields), matches)


def _limit(read: Reading, _slot: int) -> Shape:
    read.fields.get("at_most", required=True)
    return Shape(Limit(read.number("at_most", 0, 0), read.duration("in")))


def _conformance(read: Reading, _slot: int) -> Shape:
    must = read.fields.get("must", required=True)
    return Shape(Conformance(), must=() if must is None else read.tests(must, "`must`", read.context.triggers))


def _settlement(read: Reading, slot: int) -> Shape:
    within, by = read.due()
    until = read.matches("until", Role.UNTIL, slot)
    early = read.fields.choice("settle", ("at_end", "early"), "at_end") == "early"
    collected = read.matches("collect", Role.COLLECT, slot, required=True)
    must = _must(read, fields_of([type_ for _, match in collected for type_ in match.types], read.context.types))
    if within is None and by is None and not until and not early and not read.context.targeted:
        read.findings.add(read.fields.value, "a settlement needs an end: add `within`, `by` or `until`, or `settle: early`")
    pattern = Settlement(must, within, by is not None, until=bool(until), early=early)
    reading = int(Role.TRIGGER) | role_in_slot(Role.COLLECT, slot)
    return Shape(pattern, collected + until, (by,), collected=reading)


def _must(read: Reading, collected: Schema | None) -> SettlementMust:
    never, written = SettlementMust("false"), read.fields.get("must", required=True)
    if written is None:
        return never
    if not isinstance(written.content, str):
        right = "as in `\"sum(events, 'data.value') >= trigger.data.total\"`"
        read.findings.add(written, f"`must` of a settlement is a condition in CEL, {right}")
        return never
    return read.in_cel(written, lambda text: read_must(text, read.context.triggers, collected)) or never


def _recurrence(read: Reading, slot: int) -> Shape:
    read.fields.get("every", required=True)
    every = read.duration("every")
    if every is not None and not is_something(every):
        read.findings.add(read.fields.known["every"], "`every` must take some time, as in `1 month`")
        every = None
    matches = read.matches("expect", Role.EXPECT, slot, required=True) + read.matches("until", Role.UNTIL, slot)
    return Shape(Recurrence(every or NOTHING, until="until" in read.fields), matches)


def _milestones(read: Reading, slot: int) -> Shape:
    read.fields.get("steps", required=True)
    steps: list[Step] = []
    matches: Matches = ()
    bys: list[Path | None] = []
    for index, value in enumerate(read.fields.items("steps")):
        below = read.below(value, "a step")
        within, by = below.due()
        name = below.fields.text("name", required=True) or ""
        if name and name in [each.name for each in steps]:
            read.findings.add(below.fields.known["name"], f"there is a step `{name}` already; give each its own name")
        from_previous = below.fields.choice("from", ("start", "previous"), "start") == "previous"
        matches += below.matches("expect", Role.EXPECT, slot + index, required=True)
        below.fields.done()
        steps.append(Step(name, within, by is not None, from_previous))
        bys.append(by)
    if "steps" in read.fields and not steps:
        read.findings.add(read.fields.at("steps"), "`steps` is empty; a step is `{name, expect, within}`")
    return Shape(Milestones(tuple(steps)), matches, tuple(bys))


def _parts(read: Reading, slot: int, *, in_order: bool) -> Shape:
    read.fields.get("patterns", required=True)
    parts: list[Shape] = []
    for value in read.fields.items("patterns"):
        part = _part(read, value, slot)
        if part is not None:
            parts.append(part)
            slot += slots_of(part.pattern)
    if "patterns" in read.fields and not parts:
        read.findings.add(read.fields.at("patterns"), "`patterns` is empty; it lists what is owed, as in `- response: {expect: ...}`")
    return Shape(
        AllOf(tuple(each.pattern for each in parts), in_order),
        tuple(match for each in parts for match in each.matches),
        tuple(by for each in parts for by in each.bys),
        tuple(test for each in parts for test in each.must),
        reduce(or_, (each.collected for each in parts), 0),
    )


def _part(read: Reading, value: Value, slot: int) -> Shape | None:
    keys = list(value.content) if isinstance(value.content, dict) else []
    if len(keys) != 1:
        read.findings.add(value, "each of `patterns` is one pattern, as in `response: {expect: {type: order.delivered}}`")
        return None
    name = keys[0]
    if name not in PATTERNS or name == "limit":
        wrong = "counts events of its own, and all parts have one trigger" if name == "limit" else "is not a pattern"
        choices = [each for each in PATTERNS if each != "limit"]
        read.findings.add(value.keys[name], f"`{name}` {wrong}; {one_of(name, choices)}")
        return None
    below = read.below(value.content[name], f"`{name}`")
    for key in _ONCE:
        if below.fields.get(key) is not None:
            read.findings.add(below.fields.at(key), f"`{key}` stands once, in {read.fields.name}, for all of its patterns")
    shape = PATTERNS[name](below, slot)
    below.fields.done()
    return shape


def _all_of(read: Reading, slot: int) -> Shape:
    return _parts(read, slot, in_order=False)


def _sequence_of(read: Reading, slot: int) -> Shape:
    return _parts(read, slot, in_order=True)


PATTERNS: Final[dict[str, Callable[[Reading, int], Shape]]] = {
    "response": _response,
    "precedence": _precedence,
    "absence": _absence,
    "limit": _limit,
    "conformance": _conformance,
    "settlement": _settlement,
    "recurrence": _recurrence,
    "milestones": _milestones,
    "all_of": _all_of,
    "sequence_of": _sequence_of,
}

__all__ = ["BY_EVENT", "PATTERNS", "Context", "Opening", "Shape", "has_due", "read_pattern"]
