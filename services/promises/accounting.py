"""The account of a commitment's time, as values for machines and as words for a customer or a regulator."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.chassis.instants import text_of
from services.promises.compile import Compiled
from services.promises.domain import (
    Absence,
    AllOf,
    Conformance,
    Evidence,
    Limit,
    Mark,
    Milestones,
    Precedence,
    Recurrence,
    Response,
    Role,
    Settlement,
    Stretch,
    account,
    in_slot,
)

_LONG: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def clock_of(compiled: Compiled, evidence: Evidence, until: datetime, ids: Mapping[UUID, str]) -> dict[str, Any]:
    """What the clock did from the trigger until an instant: every stretch, the sums, and by what it was counted."""
    stretches = account(compiled.terms, evidence, until)
    kinds: dict[str, timedelta] = defaultdict(timedelta)
    holders: dict[str, timedelta] = defaultdict(timedelta)
    for each in stretches:
        kinds[each.kind] += each.length
        if each.holder is not None and each.kind in ("running", "overdue"):
            holders[each.holder] += each.length
    return {
        "counted_by": _counted_by(compiled, evidence.trigger),
        "until": text_of(until),
        "stretches": [_stretch(each, ids) for each in stretches],
        "seconds": {kind: length.total_seconds() for kind, length in kinds.items()},
        "holders": [
            {"holder": name, "seconds": (seconds := length.total_seconds()), "told": length_of(seconds)}
            for name, length in sorted(holders.items(), key=lambda each: -each[1])
        ],
    }


def _counted_by(compiled: Compiled, trigger: Mark) -> dict[str, Any]:
    calendar, zone = compiled.terms.time.calendar, compiled.terms.time.zone
    versions = None if calendar is None else calendar.versions
    own = calendar.zone if calendar is not None else zone
    return {
        "zone": trigger.zone if own is None else own.key,
        "calendar": None if versions is None else versions.calendar,
        "calendar_version": None if versions is None else versions.version,
        "holidays_version": None if versions is None else versions.holidays,
        "zones_version": None if versions is None else versions.zones,
        "budget": trigger.within,
    }


def _stretch(stretch: Stretch, ids: Mapping[UUID, str]) -> dict[str, Any]:
    return {
        "from": text_of(stretch.start),
        "to": text_of(stretch.end),
        "seconds": stretch.length.total_seconds(),
        "kind": stretch.kind,
        "why": stretch.why,
        "event": None if stretch.event is None else ids.get(stretch.event, str(stretch.event)),
        "holder": stretch.holder,
    }


def would_have_kept(compiled: Compiled, due: datetime | None) -> str:
    """Say what would have kept a promise, in words."""
    by = "" if due is None else f" no later than {text_of(due)}"
    match compiled.terms.pattern:
        case Response(count=count, strictly=strictly):
            number = "" if count == 1 else f"{count} times "
            when = by.replace("no later than", "before") if strictly else by
            told = f"{number}{_named(compiled, in_slot(Role.EXPECT, 0))}{when}"
        case Precedence():
            told = f"{_named(compiled, in_slot(Role.EXPECT, 0))} before it"
        case Absence():
            told = f"no {_named(compiled, in_slot(Role.NEVER, 0))}" + ("" if due is None else f" up to {text_of(due)}")
        case Limit(at_most=most):
            told = f"at most {most} of {_named(compiled, int(Role.TRIGGER))}"
        case Conformance():
            told = "the event as it must be"
        case Settlement():
            told = f"that what was collected adds up{by}"
        case Recurrence():
            told = f"{_named(compiled, in_slot(Role.EXPECT, 0))} in every interval, this one's{by}"
        case Milestones(steps=steps):
            told = "every step in its time: " + ", ".join(each.name for each in steps)
        case AllOf(patterns=patterns, in_order=in_order):
            told = f"all {len(patterns)} of its parts" + (" in their order" if in_order else "")
    return told


def _named(compiled: Compiled, role: int) -> str:
    types = [type_ for bit, match in compiled.promise.judged.matches if bit == role for type_ in match.types]
    return " or ".join(f"`{each}`" for each in dict.fromkeys(types)) or "an event"


def in_lines(clock: Mapping[str, Any]) -> list[str]:
    """Tell the account of a clock in words, a line each stretch."""
    words = {"running": "the clock ran", "paused": "the clock stood still", "closed": "closed", "overdue": "overdue"}
    lines = []
    for each in clock["stretches"]:
        why = f": {each['why']}" if each["why"] else f", since `{each['event']}`" if each["event"] else ""
        holder = f", with {each['holder']}" if each["holder"] else ""
        lines.append(f"{each['from']} to {each['to']}  {length_of(each['seconds'])}  {words[each['kind']]}{why}{holder}")
    return lines


def length_of(seconds: float) -> str:
    """Say a length in words: `2 days 3 hours`, to the second."""
    rest, parts = round(seconds), []
    for unit, size in _LONG:
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number} {unit}{'s' if number > 1 else ''}")
    return " ".join(parts) or "0 seconds"
