"""Reading all cases, where everything else of this service looks up a few by their keys."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

_JOINS: Final = sa.text(
    "SELECT set_config('enable_hashjoin', 'on', true), set_config('enable_mergejoin', 'on', true), "
    "set_config('plan_cache_mode', 'force_custom_plan', true)"
)


async def for_all_cases(connection: AsyncConnection) -> None:
    """Let this transaction join many with many, by the values that are asked for.

    Sessions here look up by keys alone (`BY_KEY`): so joined, 100,000 cases with as many are ten thousand million steps.
    """
    await connection.execute(_JOINS)
