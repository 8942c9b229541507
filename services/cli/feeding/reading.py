"""The records of a feed, wherever they are, as what they become. Reads, and leaves no trace."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
import orjson

from deploy.errors import StackError
from services.chassis import peek
from services.chassis.faults import WORLD, UnusableTopicError
from services.chassis.strictjson import InvalidJson
from services.cli import lines as archives
from services.journey.feeds import foreign, lines
from services.journey.feeds.document import Feed, Kafka, Lines, Sql
from services.journey.feeds.lines import BadHeaderError
from services.journey.feeds.mapping import Outcome, unreadable

_PAGE: Final = 1000
_SECONDS: Final = 20
_MARK: Final = "makegood_cursor"


class Read(NamedTuple):
    """One record: where it lies, what it becomes, how it begins, and from where to go on behind it."""

    place: str
    outcome: Outcome
    shown: str
    mark: str


def of_file(feed: Feed, path: Path) -> Iterator[Read]:
    """Yield the records of a file, gzipped or not; what a webhook sent is one body a line."""
    inside = feed.origin if isinstance(feed.origin, Lines) else Lines(str(path), csv=False)
    try:
        with archives.opened(path) as file:
            for number, record, shown in lines.records(file, inside):
                outcome = unreadable(feed.mapping, record) if isinstance(record, InvalidJson) else feed.mapping.of(record)
                yield Read(f"line {number}", outcome, shown, str(number))
    except (BadHeaderError, EOFError) as wrong:
        raise StackError(f"{path}: {wrong}") from None
    except OSError as error:
        raise StackError(f"{path} cannot be read: {error.strerror or error}") from error


def of_topic(feed: Feed, kafka: str, limit: int) -> list[Read]:
    """Return what the latest records of the feed's topic become."""
    assert isinstance(feed.origin, Kafka)
    try:
        found = asyncio.run(peek.latest(kafka, feed.origin.topic, limit))
    except UnusableTopicError as wrong:
        raise StackError(str(wrong)) from None
    except WORLD as error:
        raise StackError(f"Kafka at {kafka} does not answer ({type(error).__name__}); --kafka names another one") from error
    return [_of_record(feed, each) for each in found]


def _of_record(feed: Feed, record: Any) -> Read:
    place = (record.topic, record.partition, record.offset)
    outcome = foreign.of_kafka(feed.mapping, place, record.timestamp, record.key, record.value, record.headers)
    shown = (record.value or b"")[:200].decode("utf-8", "replace")
    return Read(f"{record.partition}/{record.offset}", outcome, shown, "")


async def of_query(feed: Feed, after: str | None = None) -> AsyncIterator[Read]:
    """Yield what the rows of the feed's query become, in the order of its cursor, from the rows at `after` on.

    One transaction that only reads: the rows are those of one moment.
    """
    origin = feed.origin
    assert isinstance(origin, Sql)
    with _told(origin):
        connection = await asyncpg.connect(_dsn(origin), timeout=_SECONDS, server_settings={"application_name": "makegood-feed"})
        try:
            await connection.set_type_codec("json", encoder=str, decoder=orjson.loads, schema="pg_catalog")
            await connection.set_type_codec("jsonb", encoder=str, decoder=orjson.loads, schema="pg_catalog")
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                statement, values = await _statement(connection, origin, after)
                number = 0
                async for row in connection.cursor(statement, *values, prefetch=_PAGE):
                    number += 1
                    record = {name: value for name, value in row.items() if name != _MARK}
                    yield Read(f"row {number}", foreign.of_row(feed.mapping, record, number), _shown(record), row[_MARK] or "")
        finally:
            await connection.close(timeout=_SECONDS)


async def _statement(connection: "asyncpg.Connection[asyncpg.Record]", origin: Sql, after: str | None) -> tuple[str, list[str]]:
    """The query in the order of its cursor; a cursor goes on as text in the column's own type, so that nothing of it is rounded."""
    prepared = await connection.prepare(f"SELECT * FROM ({origin.query}) AS records LIMIT 0")  # noqa: S608 - the user's own query
    types = {each.name: each.type for each in prepared.get_attributes()}
    if origin.cursor not in types:
        raise StackError(f"the query has no column `{origin.cursor}`, which is to be its cursor; it has {', '.join(map(str, types))}")
    column, type_ = _quoted(origin.cursor), types[origin.cursor]
    named = f"{_quoted(type_.schema)}.{_quoted(type_.name)}"
    where = "" if after is None else f"WHERE {column} >= $1::text::{named}"
    ordered = f"ORDER BY {column} NULLS FIRST"
    return f"SELECT *, {column}::text AS {_MARK} FROM ({origin.query}) AS records {where} {ordered}", [] if after is None else [after]  # noqa: S608


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _dsn(origin: Sql) -> str:
    found = os.environ.get(origin.dsn)
    if not found:
        raise StackError(f"the environment variable {origin.dsn} is not set; it says which database to read, as in postgresql://...")
    return found


@contextmanager
def _told(origin: Sql) -> Iterator[None]:
    """Say what the database says; never where it is, which may hold a password."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(f"the database of {origin.dsn} refuses the query: {error}") from None
    except (OSError, TimeoutError, ValueError) as error:
        raise StackError(f"the database of {origin.dsn} cannot be reached ({type(error).__name__})") from None


def _shown(record: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in record.items())[:200]
