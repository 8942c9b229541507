"""How well it is made good, counted from the acts of cases. What each figure means stands in docs/recovery.md.

Nothing is kept for it beside the trail: an index holds the acts that count, and one pass over it gives every case its milestones.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from services.recovery.store.tables import MILESTONES
from services.recovery.store.whole import for_all_cases

TIMES: Final = ("own", "word", "remedy", "restored")
_GROUPS: Final = MappingProxyType(
    {
        "all": "SELECT id, NULL::text AS name FROM chosen",
        "promise": "SELECT DISTINCT id, promise AS name FROM chosen JOIN failures f ON f.case_id = id AND NOT f.withdrawn",
        "cause": "SELECT id, component || coalesce(': ' || because, '') AS name FROM chosen LEFT JOIN causes ON case_id = id",
        "team": "SELECT id, team AS name FROM chosen LEFT JOIN (SELECT subject, unnest(teams) AS team FROM people) p ON subject = owner",
    }
)
BY: Final = frozenset(_GROUPS)
"""What measures may be grouped by."""
_CHOSEN: Final = """
WITH chosen AS (
  SELECT id, customer, state, owner, opened_at FROM cases
  WHERE opened_at >= :since AND opened_at < :until AND state NOT IN ('withdrawn', 'merged')
), grouped AS ({groups})
"""
_SECONDS: Final = ", ".join(
    f"percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY extract(epoch FROM {each}_at - opened_at)::float8) AS {each}_s, "
    f"count({each}_at) AS {each}_cases"
    for each in TIMES
)
_CASES: Final = f"""
{_CHOSEN}, reached AS (
  SELECT case_id, min(at) FILTER (WHERE kind = 'owned') AS own_at,
    min(at) FILTER (WHERE kind IN ('message_sent', 'contact_recorded')) AS word_at,
    min(at) FILTER (WHERE kind = 'remedied') AS remedy_at,
    max(at) FILTER (WHERE kind = 'restored') AS came_back_at,
    bool_or(kind = 'confirmed') AS confirmed, bool_or(kind = 'not_restored') AS was_lost,
    count(*) FILTER (WHERE kind = 'repeated') AS repeats
  FROM acts WHERE {MILESTONES} GROUP BY case_id
), twice AS (
  SELECT case_id, count(*) AS broken FROM owed WHERE kind IN ('pledge', 'compensation') AND state = 'broken' GROUP BY case_id
), stands AS (
  SELECT c.*, own_at, word_at, remedy_at, CASE WHEN state = 'restored' THEN came_back_at END AS restored_at,
    coalesce(confirmed, false) AS confirmed, coalesce(was_lost, false) AS was_lost, coalesce(repeats, 0) AS repeats,
    coalesce(broken, 0) AS broken
  FROM chosen c LEFT JOIN reached r ON r.case_id = c.id LEFT JOIN twice t ON t.case_id = c.id
), customers AS (
  SELECT name, count(*) FILTER (WHERE latest = 'restored') AS restored_customers,
    count(*) FILTER (WHERE latest = 'not_restored') AS lost_customers,
    count(*) FILTER (WHERE latest = 'restored' AND ever_lost) AS won_back_customers
  FROM (
    SELECT name, customer, (array_agg(state ORDER BY opened_at DESC, id))[1] AS latest, bool_or(was_lost) AS ever_lost
    FROM grouped JOIN stands USING (id) WHERE state IN ('restored', 'not_restored') GROUP BY name, customer
  ) each_customer GROUP BY name
), counted AS (
  SELECT name, count(*) AS cases, {_SECONDS},
    count(*) FILTER (WHERE confirmed) AS confirmed,
    count(*) FILTER (WHERE confirmed OR state IN ('unknown', 'declined')) AS answered,
    count(*) FILTER (WHERE state = 'restored') AS restored, count(*) FILTER (WHERE state = 'not_restored') AS not_restored,
    count(*) FILTER (WHERE state = 'unknown') AS unknown, count(*) FILTER (WHERE state = 'declined') AS declined,
    sum(broken)::bigint AS double_deviations, count(*) FILTER (WHERE broken > 0) AS failed_twice, sum(repeats)::bigint AS repeats
  FROM grouped JOIN stands USING (id) GROUP BY name
)
SELECT c.*, coalesce(restored_customers, 0) AS restored_customers, coalesce(lost_customers, 0) AS lost_customers,
  coalesce(won_back_customers, 0) AS won_back_customers
FROM counted c LEFT JOIN customers u ON u.name IS NOT DISTINCT FROM c.name ORDER BY c.name NULLS LAST
"""
_COSTS: Final = f"""
{_CHOSEN}
SELECT name, currency, sum(amount) FROM grouped g JOIN ledger l ON l.case_id = g.id GROUP BY name, currency ORDER BY name, currency
"""


class Cost(NamedTuple):
    """What the cases of a group cost in one currency."""

    currency: str
    amount: Decimal


class Measured(NamedTuple):
    """One group of cases: its figures by the names of the query, and what it cost by currency."""

    name: str | None
    figures: dict[str, Any]
    costs: list[Cost]


async def measured(engine: AsyncEngine, by: str, since: datetime, until: datetime) -> Sequence[Measured]:
    """The measures of the cases that were opened in a time, `until` apart."""
    values = {"since": since, "until": until}
    async with engine.connect() as connection:
        await connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        await for_all_cases(connection)
        rows = (await connection.execute(sa.text(_CASES.format(groups=_GROUPS[by])), values)).mappings().all()
        costs = (await connection.execute(sa.text(_COSTS.format(groups=_GROUPS[by])), values)).all()
    return [Measured(row["name"], dict(row), [Cost(*each[1:]) for each in costs if each[0] == row["name"]]) for row in rows]
