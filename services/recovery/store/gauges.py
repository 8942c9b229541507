"""What operations see of recovery: the cases in work, and how old they are."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from contracts.metrics import CASE_AGE, CASES, Reading
from services.chassis.database import driver_of, reading
from services.recovery.domain.case import IN_WORK

_CASES = """
SELECT s.state, count(c.opened_at), coalesce(extract(epoch FROM (SELECT max(arrival) FROM progress) - min(c.opened_at)), 0)::float8
FROM unnest($1::text[]) s(state) LEFT JOIN cases c ON c.state = s.state GROUP BY s.state
"""


async def measured(engine: AsyncEngine) -> Sequence[Reading]:
    """How many cases are in each state of work, and the seconds since the oldest of them was opened, as of what was applied last."""
    async with reading(engine) as connection:
        rows = await (await driver_of(connection)).fetch(_CASES, sorted(map(str, IN_WORK)))
    found = [Reading(CASES, number, (state,)) for state, number, _ in rows]
    return found + [Reading(CASE_AGE, max(0.0, age), (state,)) for state, _, age in rows]
