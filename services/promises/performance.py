"""How promises have been kept in the running system, reported exactly as a backtest reports it."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.promises.backtest import Report
from services.promises.catalogue import read_promise
from services.promises.compile import Compiled
from services.promises.domain import State
from services.promises.store import reads

BEGINNING = datetime.min.replace(tzinfo=UTC)


async def performance_of(engine: AsyncEngine, name: str | None = None) -> list[dict[str, Any]]:
    """One object a promise, all its versions together, in the order of first publication."""
    as_of = await reads.barrier(engine) or BEGINNING
    events = await reads.events_applied(engine)
    counts = await reads.count_commitments(engine, name)
    latest = {each.name: each for each in await reads.read_published(engine, name)}
    reports = {}
    for each in latest.values():
        compiled = Compiled(read_promise(each.document, each.name), each.version)
        reports[each.name] = Report(compiled, as_of, events, 0)
    for count in counts:
        said = reports[count.promise].segments[count.segment].said
        said[State(count.state), count.late, count.standing] += count.number
    return [report.as_json() for report in reports.values()]
