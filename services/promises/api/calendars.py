"""Calendars: the working time that promises are judged by, published in versions like promises."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.chassis.access import Who
from services.chassis.problems import INVALID, NOT_FOUND, Problem
from services.promises.api.promises import PublishedVersion
from services.promises.api.shared import NAME, Around, Moment, Name, Surroundings, read_documents, stored
from services.promises.calendars import Calendar
from services.promises.calendars.clocks import UnknownZoneError, zone_named
from services.promises.calendars.working_time import OutsideCalendarError
from services.promises.catalogue import read_calendar
from services.promises.store import published
from services.promises.store.published import News, PublishedCalendar
from services.promises.versions import Stage

LONGEST: Final = timedelta(days=400)
router = APIRouter(prefix="/v1", tags=["calendars"])


class CalendarView(BaseModel):
    """One published version of a calendar; without `effective_from` it counts from the beginning."""

    name: str
    version: int
    state: Stage
    effective_from: datetime | None
    ends_at: datetime | None = Field(description="when another version takes its place")
    published_at: datetime
    published_by: str
    document: dict[str, Any]


class Calendars(BaseModel):
    """Published versions, in the order of publication."""

    items: list[CalendarView]


class Stretch(BaseModel):
    """Working time from an instant to before another."""

    start: datetime
    end: datetime


class WorkingHours(BaseModel):
    """When there is work by a calendar, in order; what is between two stretches is closed."""

    calendar: str
    version: int
    zone: str
    items: list[Stretch]


@router.post("/calendars", operation_id="publish_calendar", status_code=201)
async def publish_calendar(around: Around, who: Who, document: dict[str, Any]) -> PublishedVersion:
    """Publish a calendar; promises that name it get a version of their own that is judged by it from the same time on."""
    (read,) = await read_documents(around, [document], ("Calendar",))
    assert isinstance(read.declares, Calendar)
    content = stored(read.declares.published(document))
    known = await published.read_calendars(around.engine, read.name)
    if known and known[-1].document == content:
        return PublishedVersion(name=read.name, version=known[-1].version, effective_from=known[-1].span.start)
    now, effective = await around.effective(None)
    version, since = await published.publish_calendar(around.engine, News(read.name, content, who.subject, now, effective))
    return PublishedVersion(name=read.name, version=version, effective_from=since)


@router.get("/calendars", operation_id="list_calendars")
async def list_calendars(around: Around) -> Calendars:
    """Every published version."""
    return await _calendars(around, None)


@router.get("/calendars/{name}", operation_id="get_calendar")
async def get_calendar(name: Name, around: Around) -> Calendars:
    """All versions of one calendar."""
    found = await _calendars(around, name)
    if not found.items:
        raise Problem(NOT_FOUND, "No calendar of that name was published.")
    return found


@router.get("/calendars/{name}/hours", operation_id="get_working_hours")
async def get_working_hours(
    name: Name, around: Around, start: Moment, end: Moment,
    zone: Annotated[str | None, Query(max_length=100, pattern=NAME, description="where the calendar is each customer's own")] = None,
) -> WorkingHours:  # fmt: skip
    """When there is work between two instants, at most 400 days apart, by the version of a calendar that is in force now."""
    if not start <= end <= start + LONGEST:
        raise Problem(INVALID, f"`end` is at `start` or up to {LONGEST.days} days behind it.")
    now = await around.now()
    found = [each for each in await published.read_calendars(around.engine, name) if each.span.stage(now) is Stage.IN_FORCE]
    if not found:
        raise Problem(NOT_FOUND, "No calendar of that name is in force.")
    _, calendar = read_calendar(found[-1].document)
    try:
        whose = calendar.zone or (zone_named(zone) if zone else ZoneInfo("UTC"))
        opened = calendar.working_time(whose).opened(start.astimezone(UTC), end.astimezone(UTC))
    except (OutsideCalendarError, UnknownZoneError) as error:
        raise Problem(INVALID, f"{error}.") from error
    items = [Stretch(start=opens, end=closes) for opens, closes in opened]
    return WorkingHours(calendar=name, version=found[-1].version, zone=whose.key, items=items)


async def _calendars(around: Surroundings, name: str | None) -> Calendars:
    now = await around.now()
    return Calendars(items=[_calendar(each, now) for each in await published.read_calendars(around.engine, name)])


def _calendar(each: PublishedCalendar, now: datetime) -> CalendarView:
    return CalendarView(
        name=each.name, version=each.version, state=each.span.stage(now), effective_from=each.span.start, ends_at=each.span.end,
        published_at=each.published_at, published_by=each.published_by, document=orjson.loads(each.document),
    )  # fmt: skip
