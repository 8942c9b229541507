"""Calendars: the working time that promises are judged by, published in versions like promises."""

from datetime import datetime
from typing import Any

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.chassis.access import Who
from services.chassis.problems import NOT_FOUND, Problem
from services.promises.api.promises import PublishedVersion
from services.promises.api.shared import Around, Name, Surroundings, read_documents, stored
from services.promises.calendars import Calendar
from services.promises.store import published
from services.promises.store.published import News, PublishedCalendar
from services.promises.versions import Stage

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


async def _calendars(around: Surroundings, name: str | None) -> Calendars:
    now = await around.now()
    return Calendars(items=[_calendar(each, now) for each in await published.read_calendars(around.engine, name)])


def _calendar(each: PublishedCalendar, now: datetime) -> CalendarView:
    return CalendarView(
        name=each.name, version=each.version, state=each.span.stage(now), effective_from=each.span.start, ends_at=each.span.end,
        published_at=each.published_at, published_by=each.published_by, document=orjson.loads(each.document),
    )  # fmt: skip
