"""What is promised: publishing versions, retiring promises, and reading what was published."""

from datetime import datetime
from typing import Any

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.chassis.access import Who
from services.chassis.instants import text_of
from services.chassis.problems import Kind, Problem
from services.promises.api.shared import Around, Input, Moment, Name, no_such_promise, read_documents, stored
from services.promises.language.declarations import Promise
from services.promises.store import published
from services.promises.store.published import News, Published, Retirement
from services.promises.versions import Stage

RETIRED = Kind(409, "already-retired", "The promise is retired already")

router = APIRouter(prefix="/v1", tags=["promises"])


class CalendarName(BaseModel):
    """The version of a calendar that a promise's version is judged by."""

    name: str
    version: int


class PromiseView(BaseModel):
    """One published version of a promise; without `effective_from` it counts from the beginning."""

    name: str
    version: int
    state: Stage
    effective_from: datetime | None
    ends_at: datetime | None = Field(description="when another version, or the retirement, takes its place")
    published_at: datetime
    published_by: str
    calendar: CalendarName | None
    document: dict[str, Any]


class RetirementView(BaseModel):
    """From when on a promise is made to nobody any more; what it was made to before stays owed."""

    name: str
    effective_from: datetime | None = Field(description="null: from the beginning; nothing had been judged")
    published_at: datetime
    published_by: str


class Promises(BaseModel):
    """Published versions, and retirements, in the order of publication."""

    items: list[PromiseView]
    retirements: list[RetirementView]


class PublishedVersion(BaseModel):
    """What was published, as which version, and when it takes effect; the same document again stays the same version."""

    name: str
    version: int
    effective_from: datetime | None


class NewRetirement(Input):
    """From when on; left out, as soon as everybody can know it."""

    effective_from: Moment | None = None


@router.post("/promises", operation_id="publish_promise", status_code=201)
async def publish_promise(around: Around, who: Who, document: dict[str, Any]) -> PublishedVersion:
    """Publish a promise: the first ones of a system from the beginning, later ones when everybody can know them."""
    (read,) = await read_documents(around, [document], ("Promise",))
    promise, content = read.declares, stored(document)
    assert isinstance(promise, Promise)
    known, _ = await published.read_published(around.engine, promise.name)
    if known and known[-1].document == content and known[-1].span.end is None:
        return PublishedVersion(name=promise.name, version=known[-1].version, effective_from=known[-1].span.start)
    now, effective = await around.effective(promise.effective_from)
    news = News(promise.name, content, who.subject, now, effective)
    version, since = await published.publish(around.engine, news, promise.calendar)
    return PublishedVersion(name=promise.name, version=version, effective_from=since)


@router.get("/promises", operation_id="list_promises")
async def list_promises(around: Around) -> Promises:
    """Every published version."""
    return await _promises(around, None)


@router.get("/promises/{name}", operation_id="get_promise")
async def get_promise(name: Name, around: Around) -> Promises:
    """All versions of one promise."""
    found = await _promises(around, name)
    if not found.items:
        raise no_such_promise()
    return found


@router.post("/promises/{name}/retirement", operation_id="retire_promise", status_code=201)
async def retire_promise(name: Name, body: NewRetirement, around: Around, who: Who) -> RetirementView:
    """Make a promise to nobody any more from then on; open commitments stay owed. Publishing it again takes this back."""
    versions, retirements = await published.read_published(around.engine, name)
    if not versions:
        raise no_such_promise()
    if versions[-1].span.end is None:
        now, effective = await around.effective(body.effective_from)
        return _retirement(await published.retire(around.engine, name, who.subject, now, effective))
    last = retirements[-1]
    if body.effective_from not in {None, last.effective_from}:
        since = "the beginning" if last.effective_from is None else text_of(last.effective_from)
        raise Problem(RETIRED, f"It is retired from {since} on. Publish it again to take that back.")
    return _retirement(last)


async def _promises(around: Around, name: str | None) -> Promises:
    now = await around.now()
    versions, retirements = await published.read_published(around.engine, name)
    return Promises(items=[_promise(each, now) for each in versions], retirements=[_retirement(each) for each in retirements])


def _promise(each: Published, now: datetime) -> PromiseView:
    calendar = None if each.calendar is None else CalendarName(name=each.calendar.name, version=each.calendar.version)
    return PromiseView(
        name=each.name, version=each.version, state=each.span.stage(now), effective_from=each.span.start, ends_at=each.span.end,
        published_at=each.published_at, published_by=each.published_by, calendar=calendar, document=orjson.loads(each.document),
    )  # fmt: skip


def _retirement(each: Retirement) -> RetirementView:
    return RetirementView(**each._asdict())
