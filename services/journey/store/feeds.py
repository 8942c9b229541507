"""How feeds stand: where they have come to in the topics of others, when they had caught up, and what keeps them from reading."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis.progress import Progress, read_all_progress
from services.journey.store.tables import feed_standings, progress

PREFIX = "feed:"
"""How the progress rows of feeds are named, beside those of the lanes."""


class Standing(NamedTuple):
    """How one feed stands."""

    caught_up: datetime | None = None
    trouble: str | None = None


def reading(feed: str, topic: str) -> str:
    """The name of the progress rows of a feed in a topic."""
    return f"{PREFIX}{feed}:{topic}"


async def begin(engine: AsyncEngine, name: str, starts: Mapping[int, int]) -> None:
    """Where a feed has never read a partition, let it begin at these offsets; where it has, it goes on."""
    rows = [{"topic": name, "partition": partition, "position": position} for partition, position in starts.items()]
    async with engine.begin() as connection:
        await connection.execute(insert(progress).on_conflict_do_nothing(), rows)


async def positions(engine: AsyncEngine) -> dict[str, dict[int, Progress]]:
    """Where the feeds have come to: by the name of their progress rows, and by partition."""
    found: dict[str, dict[int, Progress]] = {}
    for each in await read_all_progress(engine):
        if each.topic.startswith(PREFIX):
            found.setdefault(each.topic, {})[each.partition] = each
    return found


async def note(engine: AsyncEngine, feed: str, trouble: str | None, caught_up: datetime | None) -> None:
    """Note what keeps a feed from reading, if anything does, and that it had caught up then, if it had."""
    values = {"feed": feed, "trouble": trouble, "caught_up": caught_up}
    newer = sa.func.coalesce(sa.literal(caught_up, sa.DateTime(timezone=True)), feed_standings.c.caught_up)
    row = insert(feed_standings).values(values)
    async with engine.begin() as connection:
        await connection.execute(row.on_conflict_do_update(index_elements=["feed"], set_={"trouble": trouble, "caught_up": newer}))


async def standings(engine: AsyncEngine, feeds: Iterable[str]) -> dict[str, Standing]:
    """How these feeds stand, as far as it is known."""
    query = sa.select(feed_standings).where(feed_standings.c.feed.in_(list(feeds)))
    async with engine.connect() as connection:
        return {row.feed: Standing(row.caught_up, row.trouble) for row in await connection.execute(query)}
