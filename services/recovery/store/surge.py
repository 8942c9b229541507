"""What waits to be put right, in the order of triage, and when it is reached at the pace of the last days."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.recovery.store.tables import cases
from services.recovery.store.whole import for_all_cases


class Pace(NamedTuple):
    """How many cases came and were put right in a time, by how many people, and how many pledges were moved."""

    opened: int
    remedied: int
    people: int
    postponed: int


class Waiting(NamedTuple):
    """One case that is not put right yet, its place in the order of triage, and when its turn comes; `due` None: nothing is owed."""

    place: int
    id: UUID
    owner: str | None
    severity: str
    due: datetime | None
    reached_at: datetime | None


class Forecast(NamedTuple):
    """What waits, and what is missed at this pace: cases by what they owe next, and pledges to customers."""

    waiting: int
    missed: int
    pledges_missed: int


_PACE: Final = sa.text(
    "SELECT (SELECT count(*) FROM cases WHERE opened_at >= :since AND state <> 'merged'), "
    "count(DISTINCT case_id) FILTER (WHERE kind = 'remedied'), count(DISTINCT by) FILTER (WHERE kind = 'remedied'), "
    "count(*) FILTER (WHERE kind = 'pledge_postponed') FROM acts WHERE kind IN ('remedied', 'pledge_postponed') AND at >= :since"
)
_QUEUE: Final = (
    "WITH queue AS (SELECT id, owner, severity, due, row_number() OVER (ORDER BY "
    "array_position(ARRAY['critical', 'high', 'medium', 'low'], severity), due, opened_at, id) AS place FROM cases "
    "WHERE state IN ('open', 'owned')) "
)
_REACHED: Final = "CAST(:now AS timestamptz) + place * CAST(:each AS interval)"
_FORECAST: Final = sa.text(
    f"{_QUEUE} SELECT count(*), count(*) FILTER (WHERE due < {_REACHED}), (SELECT count(*) FROM queue q JOIN owed o ON o.case_id = q.id "
    f"AND o.kind = 'pledge' AND o.state = 'open' AND o.due > :now AND o.due < {_REACHED}) FROM queue"
)
_PAGE: Final = sa.text(
    f"{_QUEUE} SELECT place, id, owner, severity, nullif(due, TIMESTAMPTZ '9999-12-31 00:00:00Z'), {_REACHED} FROM queue "
    "WHERE place > :after ORDER BY place LIMIT :limit"
)


async def pace(connection: AsyncConnection, since: datetime) -> Pace:
    """What came, and was put right, since then."""
    return Pace(*(await connection.execute(_PACE, {"since": since})).one())


async def forecast(connection: AsyncConnection, now: datetime, each: timedelta | None) -> Forecast:
    """What waits, and what is missed where one case is put right in `each`; without a pace nothing can be said to be missed."""
    if each is None:
        waiting = await connection.scalar(sa.select(sa.func.count()).where(cases.c.state.in_(["open", "owned"])))
        return Forecast(waiting or 0, 0, 0)
    await for_all_cases(connection)
    return Forecast(*(await connection.execute(_FORECAST, {"now": now, "each": each})).one())


async def page(connection: AsyncConnection, now: datetime, each: timedelta | None, after: int, limit: int) -> list[Waiting]:
    """What waits, in the order of triage: the most severe first, then what is due next, then the oldest."""
    await for_all_cases(connection)
    rows = await connection.execute(_PAGE, {"now": now, "each": each, "after": after, "limit": limit})
    return [Waiting(*row) for row in rows]
