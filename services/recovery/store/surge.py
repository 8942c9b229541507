"""What waits to be put right, in the order of triage, and what was put right in a time."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.recovery.domain.capacity import Pledged, Waiting
from services.recovery.domain.case import Severity
from services.recovery.store import NOTHING_DUE
from services.recovery.store.tables import TRIAGE, WAITING_CONDITION
from services.recovery.store.whole import for_all_cases


class Done(NamedTuple):
    """How many cases one person put right in a time, and how many pledges they moved."""

    by: str
    remedied: int
    postponed: int


class Turn(NamedTuple):
    """One case that is not put right yet, and its place in the order of triage; `due` None: nothing is owed."""

    place: int
    id: UUID
    owner: str | None
    severity: str
    due: datetime | None


Owners = Collection[str] | None
"""Whose cases; None: all, those too that nobody has."""
_OF: Final = "(CAST(:owners AS text[]) IS NULL OR owner = ANY(CAST(:owners AS text[])))"
_ORDER: Final = f"{TRIAGE}, due, opened_at, id"
_MINUTE: Final = "date_trunc('minute', due, 'UTC')"
_OPENED: Final = sa.text(f"SELECT count(*) FROM cases WHERE opened_at >= :since AND state <> 'merged' AND {_OF}")
_DONE: Final = sa.text(
    "SELECT by, count(DISTINCT case_id) FILTER (WHERE kind = 'remedied'), count(*) FILTER (WHERE kind = 'pledge_postponed') "
    "FROM acts WHERE kind IN ('remedied', 'pledge_postponed') AND at >= :since GROUP BY by"
)
_WAITING: Final = sa.text(
    f"SELECT severity, {_MINUTE}, owner, count(*) FROM cases WHERE {WAITING_CONDITION} GROUP BY severity, {_MINUTE}, owner"
)
_PLEDGED: Final = sa.text(
    "SELECT c.severity, date_trunc('minute', c.due, 'UTC'), c.owner, o.due "
    "FROM owed o JOIN cases c ON c.id = o.case_id WHERE o.kind = 'pledge' AND o.state = 'open' AND o.done IS NULL AND o.due > :now "
    "AND c.state IN ('open', 'owned')"
)
_PAGE: Final = sa.text(
    f"SELECT place, id, owner, severity, nullif(due, :never) FROM (SELECT id, owner, severity, due, row_number() OVER (ORDER BY {_ORDER}) "
    f"AS place FROM cases WHERE {WAITING_CONDITION} AND {_OF}) queue WHERE place > :after AND place <= :last ORDER BY place"
)


async def opened(connection: AsyncConnection, since: datetime, owners: Owners) -> int:
    """How many cases came since then."""
    return await connection.scalar(_OPENED, {"since": since, "owners": _listed(owners)}) or 0


async def done(connection: AsyncConnection, since: datetime) -> list[Done]:
    """What each person did since then."""
    return [Done(*row) for row in await connection.execute(_DONE, {"since": since})]


async def waiting(connection: AsyncConnection) -> list[Waiting]:
    """What waits, in the order of triage; counted by severity, owner and the minute in which the next thing is due."""
    await for_all_cases(connection)
    found = [Waiting(*row) for row in await connection.execute(_WAITING)]
    return sorted(found, key=lambda each: (-Severity(each.severity).rank, each.due, each.owner or ""))


async def pledged(connection: AsyncConnection, now: datetime) -> list[Pledged]:
    """The pledges that are still to fall due, each with its case's place among what waits."""
    await for_all_cases(connection)
    return [Pledged(*row) for row in await connection.execute(_PLEDGED, {"now": now})]


async def page(connection: AsyncConnection, owners: Owners, after: int, limit: int) -> Sequence[Turn]:
    """What waits, in the order of triage: the most severe first, then what is due next, then the oldest."""
    values = {"never": NOTHING_DUE, "owners": _listed(owners), "after": after, "last": after + limit}
    return [Turn(*row) for row in await connection.execute(_PAGE, values)]


def _listed(owners: Owners) -> list[str] | None:
    return None if owners is None else list(owners)
