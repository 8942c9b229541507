"""Reads the `week` of a calendar: days or runs of days, and the opening hours of each."""

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from services.chassis.documents import Fields, Findings, Value, one_of

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)
_DAY: Final = timedelta(days=1)
Week = tuple[tuple[tuple[timedelta, timedelta], ...], ...]


class _Hours(NamedTuple):
    opens: timedelta
    closes: timedelta
    value: Value

    def later(self, days: int) -> "_Hours":
        return _Hours(self.opens + days * _DAY, self.closes + days * _DAY, self.value)


def read_week(spec: Fields) -> Week:
    """Return from Monday on each day's opening hours since its midnight, past it where they go into the next day."""
    fields = spec.section("week", required=True)
    week: dict[str, list[_Hours]] = {}
    for key in fields.known if fields is not None else ():
        assert fields is not None
        hours = list(_hours(fields, key))
        for day in _days(fields, key):
            if day in week:
                fields.findings.add(fields.at(key), f"the hours of `{day}` stand here a second time; say them once")
            else:
                week[day] = hours
    _complain_of_overlaps(week, spec.findings)
    if fields is not None and not any(week.values()) and not spec.findings.found:
        spec.findings.add(fields.value, 'this week is never open; say it as in `mon-fri: ["09:00-17:00"]`')
    return tuple(tuple(sorted(each[:2] for each in week.get(day, ()))) for day in DAYS)


def _days(fields: Fields, key: str) -> list[str]:
    first, dash, last = key.partition("-")
    words = [first, last] if dash else [first]
    wrong = next((each for each in words if each not in DAYS), None)
    if wrong is not None:
        meant = [each.strip().lower()[:3] for each in words]
        known = all(each in DAYS for each in meant)
        right = f"did you mean `{'-'.join(meant)}`?" if known else one_of(wrong, DAYS)
        fields.findings.add(fields.at(key), f"`{key}` is not a day of the week, nor two of them as in `mon-fri`; {right}")
        return []
    start, end = DAYS.index(words[0]), DAYS.index(words[-1])
    return [DAYS[(start + each) % 7] for each in range((end - start) % 7 + 1)]


def _hours(fields: Fields, key: str) -> Iterator[_Hours]:
    for each in fields.items(key):
        found = _HOURS.fullmatch(each.content.strip()) if isinstance(each.content, str) else None
        if found is None or found[0][:5] == found[0][-5:]:
            right = 'say it as `"08:30-12:00"`, around the clock as `"00:00-24:00"`, over midnight as `"22:00-06:00"`'
            fields.findings.add(each, f"`{each.content}` is not a stretch of opening hours; {right}")
            continue
        opens = timedelta(hours=int(found[1]), minutes=int(found[2]))
        closes = timedelta(hours=int(found[3]), minutes=int(found[4])) if found[3] is not None else _DAY
        yield _Hours(opens, closes if closes > opens else closes + _DAY, each)


def _complain_of_overlaps(week: dict[str, list[_Hours]], findings: Findings) -> None:
    placed = sorted((each.later(DAYS.index(day)) for day, hours in week.items() for each in hours), key=lambda each: each[:2])
    around = [each.later(7) for each in placed[:1]]
    for earlier, later in pairwise([*placed, *around]):
        if later.opens < earlier.closes:
            findings.add(later.value, f"`{later.value.content}` overlaps with `{earlier.value.content}`; say what is in both once")
