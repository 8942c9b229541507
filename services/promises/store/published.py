"""What is published: versions of promises and of the calendars that they are judged by. Appended, never edited.

All publishing waits for one lock, so that ids are committed in their order and the largest tells whether there is more.
A promise's version is pinned to one version of its calendar: where a calendar gets a new version, the promises that name
it get one, too.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.promises.store.tables import calendars, promises
from services.promises.versions import BEGINNING, Span, Start, spans

Row = sa.Row[Any]


class Calendar(NamedTuple):
    """Which version of which calendar."""

    name: str
    version: int


class Published(NamedTuple):
    """One published promise version, for those who read about it."""

    name: str
    version: int
    span: Span
    published_at: datetime
    published_by: str
    document: bytes
    calendar: Calendar | None


class Retirement(NamedTuple):
    """From when on a promise is made to nobody any more."""

    name: str
    effective_from: datetime | None
    published_at: datetime
    published_by: str


class PublishedCalendar(NamedTuple):
    """One published calendar version, for those who read about it."""

    name: str
    version: int
    span: Span
    published_at: datetime
    published_by: str
    document: bytes


class News(NamedTuple):
    """What somebody publishes, and when."""

    name: str
    document: bytes
    by: str
    at: datetime
    effective_from: datetime | None


_NAMED = sa.select(promises, calendars.c.name.label("calendar_name"), calendars.c.version.label("calendar_version")).outerjoin(
    calendars, calendars.c.id == promises.c.calendar
)


async def publish(engine: AsyncEngine, news: News, calendar: str | None = None) -> tuple[int, datetime | None]:
    """Publish a promise's version; the same document again changes nothing. Returns (version, effective from)."""
    async with engine.begin() as connection:
        await _lock(connection)
        earlier = await _versions(connection, news.name)
        if earlier and earlier[-1].document == news.document:
            return earlier[-1].version, earlier[-1].effective_from
        version = earlier[-1].version + 1 if earlier else 1
        pins = await _pins(connection, calendar, news.effective_from)
        for number, (pin, effective_from) in enumerate(pins, version):
            await _insert(connection, news._replace(effective_from=effective_from), number, pin)
        return version, pins[0][1]


async def retire(engine: AsyncEngine, name: str, by: str, at: datetime, effective_from: datetime | None) -> Retirement:
    """Retire a promise that was published; where somebody has just done so, that stays as it is."""
    async with engine.begin() as connection:
        await _lock(connection)
        last = (await _versions(connection, name))[-1]
        if last.document is None:
            return _retirement(last)
        await _insert(connection, News(name, b"", by, at, effective_from), last.version, None, retires=True)
        return Retirement(name, effective_from, at, by)


async def read_published(engine: AsyncEngine, name: str | None = None) -> tuple[list[Published], list[Retirement]]:
    """Every published version, or those of one promise, in the order of publication; and every retirement."""
    query = _NAMED.order_by(promises.c.id)
    if name is not None:
        query = query.where(promises.c.name == name)
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    found = [(row, span) for row, span in zip(rows, spans_of(rows), strict=True)]
    return [_published(row, span) for row, span in found if row.document is not None], [
        _retirement(row) for row in rows if row.document is None
    ]


async def publish_calendar(engine: AsyncEngine, news: News) -> tuple[int, datetime | None]:
    """Publish a calendar's version, and with it one of each promise that names it; the same document changes nothing."""
    async with engine.begin() as connection:
        await _lock(connection)
        query = sa.select(calendars).where(calendars.c.name == news.name).order_by(calendars.c.id.desc()).limit(1)
        last = (await connection.execute(query)).one_or_none()
        if last is not None and last.document == news.document:
            return last.version, last.effective_from
        version = 1 if last is None else last.version + 1
        values = {"version": version, "published_at": news.at, "published_by": news.by, "effective_from": news.effective_from}
        inserted = calendars.insert().values(name=news.name, document=news.document, **values).returning(calendars.c.id)
        id_ = (await connection.execute(inserted)).scalar_one()
        for each in (await connection.execute(sa.select(promises.c.name).distinct())).scalars().all():
            await _carry_on(connection, each, news, id_)
        return version, news.effective_from


async def calendar_documents(engine: AsyncEngine) -> dict[Calendar, bytes]:
    """The document of every published version."""
    return {Calendar(each.name, each.version): each.document for each in await read_calendars(engine)}


async def read_calendars(engine: AsyncEngine, name: str | None = None) -> list[PublishedCalendar]:
    """Every published version, or those of one calendar, in the order of publication."""
    query = sa.select(calendars).order_by(calendars.c.id)
    if name is not None:
        query = query.where(calendars.c.name == name)
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    return [
        PublishedCalendar(row.name, row.version, span, row.published_at, row.published_by, row.document)
        for row, span in zip(rows, _calendar_spans(rows), strict=True)
    ]


def spans_of(rows: Sequence[Any]) -> list[Span]:
    """When each of these rows of promises counts, given all versions and retirements of a name in the order of publication."""
    return _by_name(rows, [Start(row.effective_from, retires=row.document is None) for row in rows])


def _calendar_spans(rows: Sequence[Row]) -> list[Span]:
    return _by_name(rows, [Start(row.effective_from) for row in rows])


def _by_name(rows: Sequence[Any], starts: Sequence[Start]) -> list[Span]:
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.name, []).append(place)
    found: dict[int, Span] = {}
    for own in places.values():
        found |= dict(zip(own, spans([starts[each] for each in own]), strict=True))
    return [found[place] for place in range(len(rows))]


async def _lock(connection: AsyncConnection) -> None:
    await connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('makegood.published'))"))


async def _versions(connection: AsyncConnection, name: str) -> Sequence[Row]:
    return (await connection.execute(_NAMED.where(promises.c.name == name).order_by(promises.c.id))).all()


async def _insert(connection: AsyncConnection, news: News, version: int, calendar: int | None, *, retires: bool = False) -> None:
    values = {"name": news.name, "version": version, "published_at": news.at, "published_by": news.by, "calendar": calendar}
    document = None if retires else news.document
    await connection.execute(promises.insert().values(**values, effective_from=news.effective_from, document=document))


async def _pins(
    connection: AsyncConnection, calendar: str | None, effective_from: datetime | None
) -> list[tuple[int | None, datetime | None]]:
    """The calendar's versions that a promise is judged by from then on, each with its start."""
    if calendar is None:
        return [(None, effective_from)]
    rows = (await connection.execute(sa.select(calendars).where(calendars.c.name == calendar).order_by(calendars.c.id))).all()
    begins = effective_from or BEGINNING
    alive = [(row, span) for row, span in zip(rows, _calendar_spans(rows), strict=True) if _lasts(span, begins)]
    alive.sort(key=lambda each: each[1].start or BEGINNING)
    later = [(row.id, span.start) for row, span in alive[1:]]
    return [(alive[0][0].id, effective_from), *later]


def _lasts(span: Span, begins: datetime) -> bool:
    """Whether it counts at some time from then on."""
    return span.end is None or span.end > max(begins, span.start or BEGINNING)


async def _carry_on(connection: AsyncConnection, name: str, calendar: News, id_: int) -> None:
    """Let a promise go on under a new version of its calendar, and everything that was to come after it come all the same."""
    rows = await _versions(connection, name)
    begins = calendar.effective_from or BEGINNING
    alive = [(row, span) for row, span in zip(rows, spans_of(rows), strict=True) if _lasts(span, begins)]
    if not any(row.calendar_name == calendar.name for row, _ in alive):
        return
    alive.sort(key=lambda each: each[1].start or BEGINNING)
    version = rows[-1].version
    for row, span in alive:
        version += row.document is not None
        start = span.start if (span.start or BEGINNING) > begins else calendar.effective_from
        pin = id_ if row.calendar_name == calendar.name else row.calendar
        news = News(name, row.document, calendar.by, calendar.at, start)
        await _insert(connection, news, version, pin, retires=row.document is None)


def _published(row: Row, span: Span) -> Published:
    calendar = None if row.calendar is None else Calendar(row.calendar_name, row.calendar_version)
    return Published(row.name, row.version, span, row.published_at, row.published_by, row.document, calendar)


def _retirement(row: Row) -> Retirement:
    return Retirement(row.name, row.effective_from, row.published_at, row.published_by)
