"""Calendars for tests: out of documents, drawn at random, and counted by an oracle that stands on `whenever` instead of our own code."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from hypothesis import strategies as st
from whenever import PlainDateTime, RepeatedTime, SkippedTime, ZonedDateTime

from services.chassis import documents
from services.chassis.documents import Findings
from services.promises.calendars import Calendar, read_calendar
from services.promises.calendars.working_time import Closed, Reason, Rules, WorkingTime

DAY = timedelta(days=1)
CHANGES = {
    "Europe/Berlin": ("2023-03-26", "2023-10-29"),
    "Australia/Lord_Howe": ("2023-04-02", "2023-10-01"),
    "Africa/Casablanca": ("2023-03-19", "2023-04-23"),
    "Pacific/Apia": ("2011-12-30", "2012-04-01"),
    "America/Caracas": ("2007-12-09", "2016-05-01"),
    "America/Sao_Paulo": ("2018-02-17", "2018-11-04"),
    "America/Havana": ("2023-03-12", "2023-11-05"),
    "Asia/Kolkata": ("2023-01-26", "2023-08-15"),
    "Etc/UTC": ("2024-02-29", "2023-12-31"),
}


def read(text: str, folder: Path | None = None) -> Calendar:
    """The one calendar of a text; raises with what is wrong with it."""
    findings = Findings("c.yaml")
    (document,) = documents.documents(text, findings, ("Calendar",))
    calendar = read_calendar(document, folder)
    findings.raise_if_any()
    assert calendar is not None
    return calendar


def document(name: str, **spec: Any) -> dict[str, Any]:
    """A calendar's document."""
    return {"apiVersion": "makegood/v1", "kind": "Calendar", "metadata": {"name": name}, "spec": spec}


def calendar(**spec: Any) -> Calendar:
    """A calendar of these keys."""
    return read(orjson.dumps(document("c", **spec)).decode())


def working_time(zone: str, **spec: Any) -> WorkingTime:
    """The working time of a calendar of these keys."""
    return calendar(zone=zone, **spec).working_time(ZoneInfo(zone))


def utc(text: str) -> datetime:
    """`2026-01-31T12:00`, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Off:
    """Exceptions as plain data."""

    days: frozenset[date] = frozenset()
    closed: tuple[tuple[datetime, datetime], ...] = ()

    def holidays(self, year: int) -> Mapping[date, Reason]:
        return {day: Reason("holiday", "drawn") for day in self.days if day.year == year}

    def closures(self, first: date, last: date, zone: ZoneInfo) -> Iterable[Closed]:
        return [Closed(start, end, Reason("closure")) for start, end in self.closed]


@st.composite
def openings(draw: st.DrawFn) -> WorkingTime:
    """Any week, split and over midnight, around a change of the clocks, with holidays and closures."""
    zone = draw(st.sampled_from(sorted(CHANGES)))
    change = date.fromisoformat(draw(st.sampled_from(CHANGES[zone])))
    quarters = sorted(draw(st.sets(st.integers(0, 7 * 96 - 1), min_size=4, max_size=24)))
    week: list[list[tuple[timedelta, timedelta]]] = [[] for _ in range(7)]
    later = draw(st.integers(0, 95))
    for start, end in zip(quarters[::2], quarters[1::2], strict=False):
        day, opens = divmod(start + later, 96)
        week[day % 7].append((timedelta(minutes=15 * opens), timedelta(minutes=15 * (opens + min(end - start, 95)))))
    near = st.integers(-5, 5).map(lambda days: change + timedelta(days=days))
    moments = st.integers(-5 * 96, 5 * 96).map(
        lambda quarters: datetime(*change.timetuple()[:3], tzinfo=UTC) + timedelta(minutes=15 * quarters)
    )
    closed = draw(st.lists(st.tuples(moments, st.integers(1, 300)), max_size=3))
    off = Off(draw(st.frozensets(near, max_size=3)), tuple((start, start + timedelta(minutes=15 * length)) for start, length in closed))
    rules = Rules("drawn", str(draw(st.integers())), tuple(tuple(sorted(each)) for each in week), change - 60 * DAY, change + 60 * DAY, off)
    return WorkingTime(rules, ZoneInfo(zone))


def moments(opened: WorkingTime) -> st.SearchStrategy[datetime]:
    """Instants within three weeks of the change of the clocks, to the second."""
    middle = opened.rules.first + (opened.rules.last - opened.rules.first) / 2
    noon = datetime(middle.year, middle.month, middle.day, 12, tzinfo=UTC)
    return st.integers(-21 * 86400, 21 * 86400).map(lambda seconds: noon + timedelta(seconds=seconds))


def counted(opened: WorkingTime, start: datetime, end: datetime) -> timedelta:
    """The working time between two instants as the oracle counts it: interval by interval, by the clocks of `whenever`."""
    return sum(
        (min(end, closes) - max(start, opens) for opens, closes in intervals(opened) if max(start, opens) < min(end, closes)), timedelta(0)
    )


def intervals(opened: WorkingTime) -> Iterator[tuple[datetime, datetime]]:
    """What the oracle has as open, closures taken off."""
    rules, zone = opened.rules, opened.zone.key
    for number in range((rules.last - rules.first).days + 1):
        day = rules.first + number * DAY
        if day in rules.exceptions.holidays(day.year) or _never_was(day, zone):
            continue
        for opens, closes in rules.week[day.weekday()]:
            midnight = datetime.combine(day, datetime.min.time())
            yield from _without(_at(midnight + opens, zone), _at(midnight + closes, zone), opened)


def _without(start: datetime, end: datetime, opened: WorkingTime) -> Iterator[tuple[datetime, datetime]]:
    left = [(start, end)]
    for each in opened.rules.exceptions.closures(opened.rules.first, opened.rules.last, opened.zone):
        left = [part for a, b in left for part in ((a, min(b, each.start)), (max(a, each.end), b)) if part[0] < part[1]]
    return (each for each in left if each[0] < each[1])


def _never_was(day: date, zone: str) -> bool:
    midnight = datetime.combine(day, datetime.min.time())
    return _at(midnight, zone) == _at(midnight + DAY, zone)


def _at(clock: datetime, zone: str) -> datetime:
    local = PlainDateTime(clock)
    try:
        return _utc(local.assume_tz(zone, disambiguation="raise"))
    except RepeatedTime:
        return _utc(local.assume_tz(zone, disambiguation="earlier"))
    except SkippedTime:
        before = local.assume_tz(zone, disambiguation="earlier")
        steps = range(1, 60 * 25)
        return _utc(next(after for step in steps if (after := before.add(minutes=step)).offset != before.offset))


def _utc(moment: ZonedDateTime) -> datetime:
    return moment.to_instant().to_stdlib()
